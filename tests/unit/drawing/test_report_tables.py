from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ttd_core.drawing.report.contents import ClassRow, Confusion, Example, FigureRow
from ttd_core.drawing.report.examples import cards, embedded
from ttd_core.drawing.report.tables import baseline_names, class_table, confusion_table, shown


def test_the_main_classes_by_truth_come_first_and_the_rest_together() -> None:
    counts = np.diag(np.arange(20)) * 10
    counts[19, 0] = 10
    table = confusion_table(Confusion([f"c{i}" for i in range(20)], counts))
    assert table is not None
    assert table.names == [*(f"c{i}" for i in range(19, 7, -1)), "8 others"] and table.grouped == 8
    assert len(table.rows) == 13 and all(len(row) == 13 for row in table.rows)
    first = table.rows[0]
    assert (first[0].text, first[0].right, first[0].share) == ("95", True, 0.95)
    assert (first[12].text, first[12].title) == ("5", "10 pixels of c19 taken for 8 others")
    assert table.rows[12][12].text == "100" and table.rows[12][12].right
    assert table.totals[12] == f"{100 * 280 / 1910:.1f}"


def test_grouping_loses_no_count() -> None:
    counts = np.random.default_rng(0).integers(0, 99, (40, 40))
    table = confusion_table(Confusion([str(i) for i in range(40)], counts, "pictures"))
    assert table is not None
    seen = [int(cell.title.split(" pictures")[0].replace(",", "")) for row in table.rows for cell in row]
    assert sum(seen) == counts.sum()
    assert np.sum([cell.share for row in table.rows for cell in row]) == pytest.approx(13, abs=0.1)


def test_few_classes_keep_their_order_and_are_not_grouped() -> None:
    counts = np.eye(13, dtype=int) * np.arange(13)
    table = confusion_table(Confusion([f"c{i}" for i in range(13)], counts))
    assert table is not None and table.grouped == 0 and table.names[0] == "c0"
    assert {cell.text for cell in table.rows[0]} == {"–"}
    assert table.rows[3][3].text == "100" and table.rows[3][4].text == ""


def test_small_shares_are_a_dot() -> None:
    table = confusion_table(Confusion(["a", "b"], np.array([[996, 4], [0, 1]])))
    assert table is not None and [cell.text for cell in table.rows[0]] == ["100", "·"]


def test_classes_are_sorted_and_those_without_a_value_apart() -> None:
    rows = [ClassRow("b", 5.0, {"x": 1}), ClassRow("n", float("nan")), ClassRow("c", 9.0, {"y": 2}), ClassRow("a", 5.0)]
    table = class_table(rows)
    assert table is not None
    assert [row.name for row in table.rows] == ["c", "a", "b"]
    assert (table.absent, table.columns, table.mean) == (["n"], ["y", "x"], 19 / 3)
    assert class_table([]) is None


def test_baselines_become_columns_once() -> None:
    rows = [FigureRow("a", "1", baselines={"x": "1", "y": "2"}), FigureRow("b", "1", baselines={"z": "1", "x": "3"})]
    assert baseline_names(rows) == ["x", "y", "z"]


def test_values_are_shown_as_one_reads_them() -> None:
    values = [None, float("nan"), 1234567, np.int64(5000), 0.126, np.float32(2.5), "a", True]
    assert [shown(value) for value in values] == ["–", "–", "1,234,567", "5,000", "0.13", "2.50", "a", "yes"]


@pytest.mark.parametrize(("shape", "size"), [((600, 800), (240, 320)), ((60, 80), (60, 80)), ((3000, 20), (480, 3))])
def test_pictures_are_reduced_but_never_enlarged(shape: tuple[int, int], size: tuple[int, int]) -> None:
    picture = embedded(np.zeros((*shape, 3), dtype=np.uint8), "picture", "words")
    assert (picture.height, picture.width) == size
    kind, data = picture.address.removeprefix("data:image/").split(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
        assert opened.size == size[::-1] and opened.format == kind.upper()


def test_drawings_are_exact_and_photographs_small() -> None:
    flat = np.zeros((64, 64, 3), dtype=np.uint8)
    assert embedded(flat, "", "").address.startswith("data:image/png")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert embedded(noise, "", "").address.startswith("data:image/jpeg")


def test_cards_hold_the_pictures_there_are() -> None:
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    both = Example("k", "c", "v", pixels, pixels, pixels)
    without = Example("k", "c", "v", pixels, None, pixels)
    labels = [[picture.label for picture in card.pictures] for card in cards([both, without])]
    assert labels == [["picture", "truth", "answer"], ["picture", "answer"]]
    assert cards([both], width=0)[0].pictures == ()
    assert cards([both])[0].pictures[1].alt == "truth drawn over the picture of sample k"

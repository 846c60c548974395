from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ttd_core.drawing.report.contents import ClassRow, Confusion, Example, FigureRow, Table
from ttd_core.drawing.report.examples import cards, embedded
from ttd_core.drawing.report.tables import baseline_names, class_table, confusion_table, ready_table, shown


def test_the_main_classes_by_truth_come_first_and_the_rest_together() -> None:
    counts = np.diag(np.arange(20)) * 10
    counts[19, 0] = 10
    table = confusion_table(Confusion([f"c{i}" for i in range(20)], counts))
    assert table is not None
    assert table.names == [*(f"c{i}" for i in range(19, 7, -1)), "8 others"] and table.grouped == 8
    assert len(table.rows) == 13 and all(len(row.cells) == 13 for row in table.rows)
    first = table.rows[0].cells
    assert (first[0].text, first[0].right, first[0].share) == ("95", True, 0.95)
    assert (first[12].text, first[12].title) == ("5", "10 pixels of c19 taken for 8 others")
    assert table.rows[12].cells[12].text == "100" and table.rows[12].cells[12].right
    assert table.rows[12].total == f"{100 * 280 / 1910:.1f}"


def test_grouping_loses_no_count() -> None:
    counts = np.random.default_rng(0).integers(0, 99, (40, 40))
    table = confusion_table(Confusion([str(i) for i in range(40)], counts, "pictures"))
    assert table is not None
    seen = [int(cell.title.split(" pictures")[0].replace(",", "")) for row in table.rows for cell in row.cells]
    assert sum(seen) == counts.sum()
    assert np.sum([cell.share for row in table.rows for cell in row.cells]) == pytest.approx(13, abs=0.1)


def test_few_classes_keep_their_order_and_are_not_grouped() -> None:
    counts = np.eye(13, dtype=int) * np.arange(13)
    table = confusion_table(Confusion([f"c{i}" for i in range(13)], counts))
    assert table is not None and table.grouped == 0 and table.names[0] == "c0"
    assert [row.name for row in table.rows] == [f"c{i}" for i in range(1, 13)]  # c0 has no truth
    assert table.rows[2].cells[3].text == "100" and table.rows[2].cells[4].text == ""


def test_what_is_no_class_keeps_a_column_of_its_own() -> None:
    counts = np.zeros((31, 31), dtype=int)
    counts[:5, 30], counts[2, 9], counts[3, 3] = 7, 20, 5
    table = confusion_table(Confusion([*(f"c{i}" for i in range(30)), "no class"], counts, apart=1))
    assert table is not None and table.names == ["c2", "c3", "c0", "c1", "c4", "c9", "24 others", "no class"]
    assert [row.name for row in table.rows] == table.names[:5]
    assert [cell.text for cell in table.rows[2].cells] == ["", "", "", "", "", "", "", "100"]
    assert table.rows[0].cells[5].title == "20 pixels of c2 taken for c9"


def test_a_group_of_one_is_called_by_its_name() -> None:
    counts = np.diag([*range(12, 0, -1), 0, 0])
    counts[0, 12] = 1
    table = confusion_table(Confusion([f"c{i}" for i in range(14)], counts))
    assert table is not None and table.grouped == 2 and table.names[-1] == "2 others"
    fourteen = confusion_table(Confusion([*(f"c{i}" for i in range(13)), "none"], counts, apart=1))
    assert fourteen is not None and fourteen.grouped == 0 and fourteen.names[-2:] == ["c12", "none"]


def test_columns_of_numbers_and_groups_of_rows_are_found() -> None:
    rows = [["test", "96 px", "0.40", "1,200"], ["test", "all", "-", "-3.5"], ["hard", "", "0.10 (best)"]]
    table = ready_table(Table("t", ["split", "views", "cut", "n"], rows))
    assert [number for _, number in table.columns] == [False, False, False, True]
    assert [begins for begins, _ in table.rows] == [False, False, True]
    assert [cell for cell, _ in table.rows[2][1]] == ["hard", "", "0.10 (best)", ""]
    alone = ready_table(Table("t", ["name", "n"], [["a", "1"], ["b", ""]]))
    assert [begins for begins, _ in alone.rows] == [False, False] and alone.columns[1] == ("n", True)
    assert ready_table(Table("t", ["a", "b"], [["1", ""]])).columns == [("a", False), ("b", False)]


def test_small_shares_are_a_dot() -> None:
    table = confusion_table(Confusion(["a", "b"], np.array([[996, 4], [0, 1]])))
    assert table is not None and [cell.text for cell in table.rows[0].cells] == ["100", "·"]


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


def test_cards_say_what_colours_stand_for() -> None:
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    legend = [("cat", (np.uint8(200), 0, 7), "12.5"), ("background", None, "")]
    (card,) = cards([Example("k", "c", "v", pixels, reason="why", remarks=[("missed", "cat")], legend=legend)])
    assert [(entry.name, entry.colour, entry.remark) for entry in card.legend] == [
        ("cat", "200,0,7", "12.5"), ("background", "", ""),
    ]  # fmt: skip
    assert (card.reason, card.remarks) == ("why", [("missed", "cat")])

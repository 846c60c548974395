from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.pages import PageReader as Reader
from tests.support.pages import assert_self_contained
from ttd_core.drawing.report.contents import (
    BiasPoint,
    ClassRow,
    Confusion,
    Curve,
    Example,
    FigureRow,
    ReportPage,
    ScoreHistogram,
    Table,
)
from ttd_core.drawing.report.page import LARGEST, clean, render_report, write_report

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></svg></title><b>",
    "{{ 7 * 7 }}{% raw %}",
    "[red]x[/red]",
    "javascript:alert(1)",
    "&lt;i&gt;",
    "<!-- --> ]]>",
    "http://evil.example/x.css",
    "كلمة \u202e gpj.exe",
    "\ud800 \x00 \x1b[31m",
    "$x$ \\frac{",
    "very long " * 5000,
]
SECTIONS = ["figures", "tables", "classes", "confusion", "scores", "bias", "worst", "best", "facts"]


def example(word: str = "a dog", height: int = 90, width: int = 120) -> Example:
    pixels = np.random.default_rng(height).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Example(
        word, word, "IoU 12.3", pixels, pixels[::-1], pixels[:, ::-1], word, [(word, word)], [(word, (1, 2, 3), word)]
    )


def full(words: list[str] | None = None) -> ReportPage:
    rng = np.random.default_rng(1)
    names = [*(words or ["cat", "dog", "sheep"]), *(f"class {i}" for i in range(20))]
    word = names[0]
    counts = rng.integers(0, 1000, (len(names), len(names)))
    recall = np.linspace(0, 1, 50)
    values = [float("nan"), *(100 * rng.random(len(names) - 1))]
    return ReportPage(
        title=word,
        subtitle=[(name, name) for name in names[:14]],
        command=word,
        figures=[FigureRow(name, "61.1", "percent", True, "61.0", {name: "3.0"}, name) for name in names[:14]],
        notes=names[:14],
        facts=[(name, name) for name in names[:14]],
        tables=[Table(word, [word, *names[:14]], [[word, *names[:14]]])] * 2,
        class_noun=(word, word),
        class_note=word,
        worst_note=word,
        classes=[ClassRow(name, value, {word: 0.25}) for name, value in zip(names, values, strict=True)],
        confusion=Confusion(names, counts, word),
        histogram=ScoreHistogram(np.linspace(0, 1, 11), np.arange(10), np.arange(10)[::-1], 0.5),
        curve=Curve(recall, 1 - recall / 2, (0.6, 0.7), 0.75, 0.3),
        bias=[BiasPoint(1 + i % 4, 1, 1 + i % 2, strongest=0.9, weakest=0.1 * (i % 7)) for i in range(30)],
        bias_headline=word,
        worst=[example(name) for name in names[:14]],
        best=[example()],
    )


def test_a_full_page_has_all_its_sections() -> None:
    page = Reader(render_report(full()))
    assert [section["id"] for section in page.named("section")] == SECTIONS
    assert [link["href"] for link in page.named("a")] == [f"#{name}" for name in SECTIONS]
    assert len(page.named("img")) == 3 * 15
    assert len(page.named("svg")) == 4


def test_nothing_is_fetched_and_nothing_runs() -> None:
    html = render_report(full(HOSTILE))
    page = assert_self_contained(html)
    visible = "".join(f"<{name} {' '.join(map(str, attributes))}>" for name, attributes in page.tags)
    assert "xmlns" not in visible and "xlink" not in visible
    policy = page.named("meta")[1]["content"]
    assert policy is not None and policy.startswith("default-src 'none'")


def test_hostile_words_are_shown_as_they_are() -> None:
    text = "".join(Reader(render_report(full(HOSTILE))).text)
    for word in HOSTILE[:10]:
        assert text.count(word) >= 5, word
    assert "49" not in {part.strip() for part in text.split("{{")}
    assert not re.search("[\x00\x1b\u202e\ud800]", text)
    assert "very long " * 400 not in text


def test_an_attribute_cannot_be_left() -> None:
    names = ["cat", "\"'><b>", '" style="x', "' alt='x"]
    page = Reader(render_report(full(names)))
    assert page.named("b") == [{}]  # the page's own word before the classes that occur nowhere
    titles = {attributes["title"] for _, attributes in page.tags if "title" in attributes}
    assert set(names[1:]) <= titles
    assert {f"picture of sample {name}" for name in names} <= {image["alt"] for image in page.named("img")}


def test_the_same_page_gives_the_same_bytes() -> None:
    from matplotlib import rc_context

    first = render_report(full(HOSTILE))
    with rc_context({"font.size": 31, "svg.hashsalt": None, "axes.facecolor": "red", "savefig.dpi": 17}):
        assert render_report(full(HOSTILE)) == first


def test_settings_of_the_user_are_put_back() -> None:
    from matplotlib import rc_context, rcParams

    with rc_context({"font.size": 31}):
        render_report(full())
        assert rcParams["font.size"] == 31


def test_an_empty_page_is_a_title() -> None:
    html = render_report(ReportPage("nothing"))
    page = Reader(html)
    assert "nothing" in "".join(page.text)
    assert not {"section", "table", "svg", "img", "aside", "dl", "pre", "a"} & {name for name, _ in page.tags}


@pytest.mark.parametrize(
    ("part", "gone"),
    [
        ("figures", "figures"), ("tables", "tables"), ("classes", "classes"), ("confusion", "confusion"),
        ("worst", "worst"), ("best", "best"), ("bias", "bias"), ("facts", "facts"),
    ],
)  # fmt: skip
def test_a_missing_part_leaves_no_trace(part: str, gone: str) -> None:
    bare = {field.name: field.default for field in fields(ReportPage)}
    page = Reader(render_report(replace(full(), **{part: bare[part]})))
    expected = [name for name in SECTIONS if name != gone]
    assert [section["id"] for section in page.named("section")] == expected
    assert [link["href"] for link in page.named("a")] == [f"#{name}" for name in expected]


def test_either_chart_of_the_scores_stands_alone() -> None:
    for part in ("histogram", "curve"):
        page = Reader(render_report(replace(full(), **{part: None}, bias=())))
        assert "scores" in [section["id"] for section in page.named("section")] and len(page.named("svg")) == 1
    assert "scores" not in render_report(replace(full(), histogram=None, curve=None)).split("<main>")[0]


def test_parts_without_a_single_number_are_left_out() -> None:
    nan, zeros = np.full(3, np.nan), np.zeros(3, dtype=int)
    page = replace(
        full(),
        confusion=Confusion(["a", "b"], np.zeros((2, 2), dtype=int)),
        histogram=ScoreHistogram(np.linspace(0, 1, 4), zeros, zeros),
        curve=Curve(nan, nan),
        bias=[BiasPoint(0)],
    )
    ids = [section["id"] for section in Reader(render_report(page)).named("section")]
    assert ids == ["figures", "tables", "classes", "worst", "best", "facts"]


def test_nan_is_a_dash_and_never_a_bar() -> None:
    classes = [ClassRow("nowhere", float("nan")), ClassRow("somewhere", 40.0, {"fpr": float("nan")})]
    page = replace(full(), classes=classes, curve=Curve(np.array([0, np.nan, 1]), np.array([1, 0.5, np.nan])))
    html = render_report(page)
    text = "".join(Reader(html).text)
    assert "Occurs nowhere (1): nowhere" in " ".join(text.split())
    assert not re.search(r"\bnan\b", html.split("</style>")[1], re.IGNORECASE)
    assert html.count('class="bar"') == 1
    nowhere = render_report(replace(full(), classes=classes[:1]))
    assert 'class="bar"' not in nowhere and "Occurs nowhere" in nowhere


def test_bars_stay_in_their_track() -> None:
    html = render_report(replace(full(), classes=[ClassRow("a", 140.0), ClassRow("b", -3.0)]))
    assert re.findall(r'class="bar" style="width:([\d.]+)%', html) == ["100.00", "0.00"]


def test_pages_with_everything_stay_below_the_bound() -> None:
    large = [example(f"sample {i}", 320, 320) for i in range(6)]
    classes = [ClassRow(f"class {i}", i % 100, {"fpr": 0.1, "fnr": 0.2, "pixels": 10**7}) for i in range(171)]
    points = [BiasPoint(1 + i % 9, 1, strongest=np.cos(i), weakest=np.sin(i)) for i in range(20_000)]
    recall = np.linspace(0, 1, 200_000)
    page = replace(full(), classes=classes, worst=large, best=large, bias=points, curve=Curve(recall, np.cos(recall)))
    html = render_report(page)
    assert len(html.encode()) <= LARGEST
    images = Reader(html).named("img")
    assert len(images) == 3 * 12 and images[0]["width"] != "0"


def test_pictures_give_way_before_the_page_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    from ttd_core.drawing.report import page as module

    monkeypatch.setattr(module, "LARGEST", 10)
    html = render_report(full())
    assert Reader(html).named("img") == [] and "Pictures were left out" in html


def test_tables_of_one_name_stay_apart_and_rows_have_headings() -> None:
    rows = [["test", "pixel", "87.6"], ["hard", "pixel", "82.0"]]
    table = Table("Tags, percent", ["split", "row", "F1"], rows)
    page = Reader(render_report(ReportPage("t", tables=[table, table, Table("empty", ["a"], [])])))
    labels = [attributes.get("aria-labelledby") for attributes in page.named("div") if "role" in attributes]
    assert labels == ["table-1-h", "table-2-h"] == [heading["id"] for heading in page.named("h3")]
    assert [attributes.get("class") for attributes in page.named("td")] == [None, "n"] * 4
    assert "empty" not in page.text and page.text.count("Tags, percent") == 2


def test_a_figure_without_direction_is_neither_better_nor_worse() -> None:
    figures = [FigureRow("a", "1", higher_is_better=None), FigureRow("b", "1", higher_is_better=False)]
    text = "".join(Reader(render_report(ReportPage("t", figures=figures))).text)
    assert "higher is better" not in text and text.count("lower is better") == 1


def test_a_sample_says_what_is_wrong_with_it_and_what_its_colours_mean() -> None:
    sample = replace(
        example("k"), truth=None, prediction=None, reason="Misses a cat.", remarks=[("missed", "cat 0.31")]
    )
    sample = replace(sample, legend=[("cat", (200, 0, 7), "12.5"), ("background", None, "")])
    page = Reader(render_report(ReportPage("t", worst=[sample], worst_note="Lowest F1.")))
    text = "".join(page.text)
    assert all(part in text for part in ("Misses a cat.", "missed", "cat 0.31", "Lowest F1.", "12.5"))
    swatches = [attributes for attributes in page.named("span") if attributes.get("class") == "swatch"]
    assert [attributes.get("style") for attributes in swatches] == ["background:rgb(200,0,7)", None]
    assert len(page.named("img")) == 1 and page.named("figcaption") == []


def test_notes_are_counted_where_they_are_many() -> None:
    text = "".join(Reader(render_report(ReportPage("t", notes=[f"note {i}" for i in range(900)]))).text)
    assert "and 860 more" in text and "note 39" in text and "note 40" not in text


def test_every_table_cell_has_headings_and_every_picture_words() -> None:
    html = render_report(full())
    page = Reader(html)
    assert all(heading.get("scope") in ("col", "row") for heading in page.named("th"))
    assert all(image["alt"] for image in page.named("img"))
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in page.named("svg"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', html))
    assert used <= set(ids)


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    write_report(tmp_path / "run" / "report.html", ReportPage("\ud800 title"))
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["report.html"]
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8").lstrip().startswith("<!DOCTYPE html>")


def test_what_a_page_holds_can_be_named_without_the_packages_that_draw() -> None:
    code = "import sys, ttd_core.drawing.report.contents; print({'matplotlib', 'jinja2', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_cleaning_keeps_letters_and_line_ends() -> None:
    assert clean("a\nb\té 犬 🐶") == "a\nb\té 犬 🐶"
    assert clean("\x00\u202e\udfff") == "\ufffd" * 3
    assert len(clean("x" * 10**6)) < 2100

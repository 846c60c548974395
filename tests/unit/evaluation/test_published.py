"""The rows of published tables: all of them are there, all are valid, and mistakes in one are named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import ttd_core
from ttd_core.data.benchmarks.catalogue import find_entry
from ttd_core.data.benchmarks.class_lists import class_list, names_for
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.published import (
    ARRIVALS,
    SYSTEMS,
    PublishedRow,
    expectations,
    parse_row,
    published_names,
    published_row,
    row_options,
)
from ttd_core.recipes.evaluation.summary import METRICS
from ttd_core.recipes.method_checks import check_task
from ttd_core.recipes.methods import background_of, selection_of, with_pamr
from ttd_core.recipes.tagclip_presets import preset

FOLDER = Path(ttd_core.__file__).parent / "published"
ROWS = [published_row(name) for name in published_names()]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
UNSEEN = {
    "voc20": [15, 16, 17, 18, 19],
    "cocostuff171": [19, 23, 28, 29, 36, 51, 76, 88, 94, 112, 133, 136, 137, 157, 160],
}
"""Labels that the zero-shot protocol of trusty keeps out of training, as its code numbers them."""


def test_every_file_is_a_row_and_rows_stand_by_system() -> None:
    files = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.yaml")}
    assert set(published_names()) == files
    assert not [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".yaml"]
    systems = [name.partition("/")[0] for name in published_names()]
    assert list(dict.fromkeys(systems)) == list(SYSTEMS)
    assert Counter(systems) == {
        "scenes": 8, "ttd": 21, "tcl": 16, "tagclip": 11, "reclip": 6, "reclip++": 15, "trusty": 11,
    }  # fmt: skip


def test_names_are_listed_without_reading_a_row_or_importing_torch() -> None:
    code = (
        "import sys, ttd_core.recipes.evaluation.published as p, ttd_core.recipes.evaluation.availability;"
        "names = p.published_names(); assert p.published_row.cache_info().misses == 0;"
        "[p.row_options(p.published_row(name)) for name in names]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@every_row
def test_a_row_makes_valid_options(row: PublishedRow) -> None:
    options = EvaluateOptions(**row_options(row))
    assert (options.recipe, options.task, options.data) == (row.name, row.task, row.data)
    assert set(row_options(row)) == {"recipe", "task", "data", *row.options} | ({"names"} if row.names else set())


@every_row
def test_a_row_says_what_it_is(row: PublishedRow) -> None:
    assert row.title and row.source and row.protocol
    assert row.system == row.name.partition("/")[0]
    assert row.name == row.name.lower()
    assert row.published or "no figure" in (row.remarks or "")


@every_row
def test_a_row_names_a_data_set_of_the_catalogue_and_a_task_it_has(row: PublishedRow) -> None:
    stem = row.data.partition(":")[0]
    if stem == "scenes":
        assert row.needs.data is None and row.task in ("tags", "text")
        return
    entry = find_entry(stem)
    assert entry.name == stem
    assert row.task in entry.tasks
    assert (row.needs.data is None) == ("truth" in row.options)


@every_row
def test_prompted_names_and_unseen_classes_are_those_of_the_data_set(row: PublishedRow) -> None:
    if row.task in ("masks", "classification") and row.names is not None:
        classes = find_entry(row.data.partition(":")[0]).classes
        assert classes is not None
        if row.system == "tagclip":
            classes = {"voc21": "voc20", "coco_object81": "coco80", "cocostuff27": "cocostuff171"}.get(classes, classes)
        assert len(names_for(row.names, classes)) == len(class_list(classes).names)
    if "unseen" in row.options:
        classes = find_entry(row.data).classes
        assert classes is not None
        names = class_list(classes).names
        assert [names.index(name) for name in row.options["unseen"]] == UNSEEN[classes]


@every_row
def test_options_name_the_files_that_are_needed(row: PublishedRow) -> None:
    model = row.options.get("model", {})
    for needed in (*row.needs.weights, *row.needs.files):
        flag, _, form = needed.option.partition(" ")
        key = flag[2:].replace("-", "_")
        named = model.get(key, row.options.get(key))
        if needed.fetched:
            assert key == "pretrained"
        else:
            assert named == (form.replace("FILE", needed.file) if form else needed.file)
    for key in ("weights", "lora"):
        if key in model:
            assert model[key] in [needed.file for needed in row.needs.weights]


@every_row
def test_figures_are_plausible_and_can_be_expected(row: PublishedRow) -> None:
    found = {}
    for text in expectations(row):
        match = re.fullmatch(r"(\w+)=([0-9.]+):([0-9.]+)", text)
        assert match is not None
        found[match[1]] = (float(match[2]), float(match[3]))
    assert found == {key: (figure.value, figure.tolerance) for key, figure in row.published.items()}
    for key, figure in row.published.items():
        assert figure.unit == METRICS[key][0]
        assert figure.tolerance <= (0.5 if figure.unit == "percent" else 0.005)


@every_row
def test_figures_of_a_row_fit_each_other(row: PublishedRow) -> None:
    value = {key: figure.value for key, figure in row.published.items()}
    if "mfpr" in value:
        overlap = value.get("miou", value.get("caption_iou"))
        assert overlap is not None
        assert overlap / 100 + value["mfpr"] + value["mfnr"] == pytest.approx(1, abs=0.01)
    for first, second, mean in (
        ("precision", "recall", "f1"),
        ("category_precision", "category_recall", "category_f1"),
        ("sample_precision", "sample_recall", "sample_f1"),
        ("miou_seen", "miou_unseen", "hiou"),
    ):
        if mean in value:
            a, b = value[first], value[second]
            assert value[mean] == pytest.approx(2 * a * b / (a + b), abs=0.1)


@every_row
def test_what_options_say_is_what_the_protocol_says(row: PublishedRow) -> None:
    options = EvaluateOptions(**row_options(row))
    refinement = row.protocol.get("refinement", "none")
    if row.task in ("masks", "text") and row.system != "tagclip":
        assert with_pamr(options) == ("PAMR" in refinement)
    assert options.crf == ("CRF" in refinement)
    if "constant" in row.protocol.get("background", "") and "bg" in row.options:
        assert f"constant {options.bg:g}" in row.protocol["background"].replace("0.40", "0.4")
    if "hflip" in row.options:
        assert options.hflip == row.protocol["flip"].startswith("averaged")
    if len(options.scales) > 1:
        assert row.protocol["scales"].split(",")[0].split() == [str(scale) for scale in options.scales]
    if row.system in ("reclip", "reclip++"):
        assert options.averaging == "zero"
        assert str(options.image_size) in row.protocol["size"]


@pytest.mark.parametrize("row", [row for row in ROWS if row.system == "tcl"], ids=lambda row: row.name)
def test_rows_of_tcl_state_its_whole_inference(row: PublishedRow) -> None:
    options = EvaluateOptions(**row_options(row))
    bare = row.name.endswith("-nopamr")
    assert (options.method, options.model.model, with_pamr(options)) == ("tcl", "tcl", not bare)
    assert (options.image_size, options.window, options.stride, options.kp_weight) == (448, 448, 224, 0.3)
    assert options.templates == "custom" and options.class_names is None
    classes = find_entry(row.data).classes
    assert classes is not None
    background = class_list(classes).background
    assert background == (row.name.partition("/")[2].removesuffix("-nopamr") in ("voc", "context", "coco-object"))
    assert options.bg == ((0.5 if bare else 0.4) if background else None)
    if background:
        assert options.bg == background_of(replace(options, bg=None))
    check_task(options.method, row.task)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.system == "tagclip" and row.method != "files"], ids=lambda row: row.name
)
def test_rows_of_tagclip_state_blocks_thresholds_and_names(row: PublishedRow) -> None:
    options = EvaluateOptions(**row_options(row))
    tags = row.task == "classification"
    assert (options.method, options.names) == (
        ("tagclip", "tagclip") if tags else ("tagclip+clip-es", "tagclip-segmentation")
    )
    check_task(options.method, row.task)
    chosen = preset(options.preset)
    tagging, mapping = chosen.tagging(12), chosen.mapping(12)
    stuff, voc = "stuff" in row.name, "voc" in row.name
    assert tagging.block_numbers(12) == (set(range(11)) if stuff else {8, 9, 10})
    assert selection_of(options) == ("range", 0.1 if stuff else 0.5) and tagging.threshold == (0.1 if stuff else 0.5)
    assert mapping.block_numbers(12) == set(range(4, 11 if voc else 12))
    assert mapping.box_threshold == (0.4 if voc else 0.7)
    assert len(chosen.rivals) == (0 if stuff else 25) and (chosen.map_rivals == ("background",)) == stuff
    if not tags:
        assert background_of(options) == 1.0 and options.templates == "origami"


def test_what_this_release_cannot_compute_says_so() -> None:
    waiting = {row.name for row in ROWS if row.arrives is not None}
    assert waiting == {row.name for row in ROWS if row.system in ("reclip", "reclip++", "trusty")}
    assert {row.arrives for row in ROWS if row.arrives} == set(ARRIVALS)


def test_an_unknown_row_answers_with_near_matches() -> None:
    with pytest.raises(UsageError, match="unknown recipe 'ttd/voc2021'") as caught:
        published_row("ttd/voc2021")
    assert "did you mean ttd/voc2012" in (caught.value.hint or "")
    assert "ttd evaluate --list" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["../ttd/voc2012", "ttd/../ttd/voc2012", "/etc/passwd", "ttd/voc2012.yaml", ""])
def test_a_path_is_no_row(name: str) -> None:
    with pytest.raises(UsageError, match="unknown recipe"):
        published_row(name)


GOOD = """\
title: A row
system: ttd
method: ttd
task: masks
data: voc2012
options:
  bg: 0.4
needs:
  weights:
    - {file: tcl.pth, option: --weights, source: the authors}
protocol:
  size: 448 pixels
published:
  miou: {value: 61.1, tolerance: 0.3, unit: percent}
source: a table
"""


def test_the_row_that_is_broken_below_is_whole() -> None:
    row = parse_row(GOOD, "ttd/x")
    assert (row.name, row.published["miou"].value, row.options) == ("ttd/x", 61.1, {"bg": 0.4})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: a table\n", "", "source missing"),
        ("source: a table", "source: a table\nsorce: b", r"line 16: unknown key 'sorce'"),
        ("source: a table", "source: a table\nname: x", "line 16: a row is named by its file"),
        ("bg: 0.4", "backgruond: 0.4", "unknown key 'backgruond'"),
        ("bg: 0.4", "bg: 1.4", "--bg 1.4 is out of range"),
        ("bg: 0.4", "data: voc2007", "data is not for `options`"),
        ("bg: 0.4", "expect: [miou=1:1]", "expect is not for `options`"),
        ("bg: 0.4", "templates: ours", "unknown template set"),
        ("options:\n  bg: 0.4", "options: none", "expected a section"),
        ("system: ttd", "system: tcl", "system 'tcl' is not its folder"),
        ("method: ttd", "method: ttd\narrives: soon", "arrives 'soon'"),
        ("task: masks", "task: mask", "task: expected one of tags"),
        ("option: --weights", "option: weights", "lacks the option that names it"),
        ("file: tcl.pth", "file: ../tcl.pth", "no plain file name"),
        ("file: tcl.pth", "files: tcl.pth", "unknown key"),
        ("size: 448 pixels", "sizes: 448 pixels", "unknown fact 'sizes'"),
        ("size: 448 pixels", "size: 448", "protocol.size: expected text"),
        ("miou:", "mious:", "unknown metric 'mious'"),
        ("{value: 61.1, tolerance: 0.3, unit: percent}", "61.1", "expected value, tolerance and unit"),
        ("unit: percent", "unit: fraction", "unit 'fraction' is not that of the metric"),
        (", unit: percent", "", "unit '' is not that of the metric"),
        ("value: 61.1, ", "", "value nan is out of range"),
        ("value: 61.1", "value: 161.1", "value 161.1 is out of range"),
        ("value: 61.1", "value: high", "value: expected a finite number"),
        ("tolerance: 0.3, ", "", "tolerance nan is out of range"),
        ("tolerance: 0.3", "tolerance: 0", "tolerance 0 is out of range"),
        ("tolerance: 0.3", "tolerance: 30", "tolerance 30 is out of range"),
        ("  miou: {value: 61.1, tolerance: 0.3, unit: percent}\n", "", "no figure and no remark"),
    ],
)
def test_a_mistake_in_a_row_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError, match=message):
        parse_row(GOOD.replace(old, new), "ttd/x")


def test_unknown_keys_of_a_figure_are_refused_with_their_line() -> None:
    with pytest.raises(UsageError, match=r"line 14: unknown key 'tolarence'"):
        parse_row(GOOD.replace("tolerance: 0.3", "tolarence: 0.3"), "ttd/x")

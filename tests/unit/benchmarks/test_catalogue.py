from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_sets import IDS, draw_devkit
from ttd_core.data.benchmarks.catalogue import LIST_OPENER, OPENERS, entries, find_entry, open_benchmark
from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.errors import UsageError

TASKS = {"tags", "text", "masks", "classification", "bias"}


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_an_entry_says_what_one_needs_to_know(entry: object) -> None:
    entry = find_entry(getattr(entry, "name"))  # noqa: B009
    assert entry.summary and entry.layouts
    assert entry.tasks and set(entry.tasks) <= TASKS
    assert entry.classes is None or class_list(entry.classes).names
    assert importlib.util.find_spec(entry.opener.partition(":")[0]) is not None
    assert callable(OPENERS.load(entry.name))


def test_paths_have_openers_too() -> None:
    assert callable(LIST_OPENER.load("list"))


def test_no_name_means_two_things() -> None:
    names = [name for entry in entries() for name in (entry.name, *entry.aliases)]
    assert len({name.casefold().replace("_", "-") for name in names}) == len(names)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("voc20", "voc2012-20"),
        ("PascalContext", "context"),
        ("context60", "context"),
        ("ADE2016", "ade20k"),
        ("coco-object", "coco2017"),
        ("coco_stuff", "coco-stuff"),
        ("cocostuff", "coco-stuff"),
    ],
)
def test_aliases_lead_to_their_set(alias: str, name: str) -> None:
    assert find_entry(alias).name == name


def test_names_carry_a_split(tmp_path: Path) -> None:
    devkit = draw_devkit(tmp_path / "VOC2012")
    benchmark = open_benchmark("VOC2012:train", devkit)
    assert (benchmark.name, [sample.key for sample in benchmark.samples]) == ("voc2012:train", [IDS[1]])


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("voc2021", "unknown data set 'voc2021'", "voc2012"),
        ("sceens", "unknown data set 'sceens'", "scenes"),
        ("zzz", "unknown data set 'zzz'", "ttd evaluate --list"),
        ("voc2012", "needs the folder it lies in", "VOCdevkit/VOC2012/JPEGImages"),
        ("voc2012:", "no split after the colon", "voc2012:val"),
        ("cc3m-tagmask:val", "cc3m-tagmask has no splits", "--data cc3m-tagmask"),
        ("there/is/none.jsonl", "no such folder or file", "--list"),
    ],
)
def test_names_that_lead_nowhere_are_explained(name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_benchmark(name, None)
    assert message in caught.value.message
    assert caught.value.hint is not None and hint in caught.value.hint


def test_listing_imports_neither_torch_nor_an_opener() -> None:
    code = (
        "import sys, ttd_core.data.benchmarks.catalogue as c; c.entries(); "
        "print([m for m in sys.modules if m in ('torch', 'numpy') or m.endswith(('voc2012', 'coco'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_opening_and_reading_needs_no_torch(tmp_path: Path) -> None:
    draw_devkit(tmp_path / "VOC2012")
    code = (
        "import sys, pathlib; from ttd_core.data.benchmarks.catalogue import OPENERS, open_benchmark\n"
        f"b = open_benchmark('voc2012', pathlib.Path({str(tmp_path)!r})); b.truth(b.samples[0])\n"
        "[OPENERS.load(name) for name in OPENERS.names()]; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"

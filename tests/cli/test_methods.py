"""The registry of methods: one entry and one module serve every command that the entry names."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_voc, rows_of
from tests.support.tiny_sets import write_picture, write_text
from tests.support.toy_method import TOY
from ttd_core.data.label_maps import read_label_map
from ttd_core.recipes.evaluation.options import TASKS, EvaluateOptions
from ttd_core.recipes.methods import LOOKING, METHODS
from ttd_core.recipes.options import MaskOptions

SIZE = (12, 24)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, weights: Path) -> tuple[object, ...]:
    """A method that is nothing but an entry, on the tiny scenes model."""
    monkeypatch.setitem(METHODS, "toy", TOY)
    return ("--method", "toy", "--weights", weights, "--quiet", "--format", "json")


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_names_what_there_is(name: str) -> None:
    entry = METHODS[name]
    options = {field.name for field in fields(MaskOptions)}
    assert set(entry.takes) <= set(LOOKING) <= options and set(LOOKING) <= {f.name for f in fields(EvaluateOptions)}
    assert set(entry.serves) <= {"tags", "masks", "demo"} and set(entry.tasks) <= set(TASKS)
    assert set(entry.defaults) <= set(entry.takes) and set(entry.needs_weights) <= set(entry.models)
    assert bool(entry.models) == bool(entry.example) and entry.summary
    assert (entry.target is None) == (name == "ttd")


def test_every_option_of_looking_belongs_to_a_method() -> None:
    assert {option for entry in METHODS.values() for option in entry.takes} == set(LOOKING)


def test_methods_are_listed_and_checked_without_torch() -> None:
    code = (
        "import sys; from ttd_core.recipes.methods import METHODS; from ttd_core.recipes.options import MaskOptions\n"
        "from ttd_core.errors import UsageError\n"
        "try: MaskOptions(image='a', tags=('b',), method='tcl')\n"
        "except UsageError: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_entry_alone_makes_masks(ttd: Ttd, tmp_path: Path, toy: tuple[object, ...]) -> None:
    picture = write_picture(tmp_path / "photo.png", SIZE)
    answer = ttd("masks", "--image", picture, "--tags", "red,blue,green", *toy)
    assert answer.code == 0, answer.err
    row = json.loads(answer.out)
    labels = read_label_map(Path(row["folder"]) / row["files"]["labels"]).labels
    assert np.array_equal(labels[0, [2, 12, 22]], [1, 2, 3])
    reading = json.loads((Path(row["folder"]) / "manifest.json").read_text())["reading"]
    assert (reading["method"], reading["image_size"]) == ("toy", 1) and "@bg0.30" in row["folder"]


def test_classes_that_win_are_the_tags(ttd: Ttd, tmp_path: Path, toy: tuple[object, ...]) -> None:
    picture = write_picture(tmp_path / "photo.png", SIZE)
    listing = write_text(tmp_path / "classes.txt", "red\nblue\ngreen\n")
    answer = ttd("masks", "--image", picture, "--tags-file", listing, *toy)
    assert answer.code == 0, answer.err
    row = json.loads(answer.out)
    # the scores are 1, 0.5 and 0: by --threshold the last would not be there
    assert sorted(row["tags"]) == ["blue", "green", "red"]


def test_a_method_may_score_pictures_instead_of_places(ttd: Ttd, tmp_path: Path, toy: tuple[object, ...]) -> None:
    picture = write_picture(tmp_path / "photo.png", SIZE)
    answer = ttd("tags", "--image", picture, "--tags", "red,blue,green", "--threshold", 0.6, *toy)
    assert answer.code == 0, answer.err
    row = json.loads(answer.out)
    assert [each["score"] for each in row["candidates"]] == [1.0, 0.5, 0.0] and row["tags"] == ["red"]
    assert row["scorer"] == "toy" and row["candidates"][0].get("x") is None


@pytest.mark.parametrize(("data", "label"), [("voc2012", 3), ("voc2012-20", 2)])
def test_an_entry_alone_is_measured(
    ttd: Ttd, tmp_path: Path, toy: tuple[object, ...], data: str, label: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the tiny scenes model does not know VOC's words
    monkeypatch.setattr("ttd_core.recipes.session.Session.unknown_words", lambda self, tag: [])
    root = draw_voc(tmp_path / "data", 2)
    answer = ttd("evaluate", "--data", data, "--root", root, *toy, "--out", tmp_path / "run", "--workers", 0)
    assert answer.code == 0, answer.err
    assert {found for row in rows_of(tmp_path / "run") for _, found, _ in row["cells"]} == {label}
    scored = ttd(
        "evaluate", "--task", "classification", "--data", data, "--root", root, *toy, "--out", tmp_path / "c",
        "--workers", 0,
    )  # fmt: skip
    assert scored.code == 0, scored.err
    assert rows_of(tmp_path / "c")[0]["scores"][:2] == pytest.approx([1.0, 18 / 19], abs=1e-5)


REFUSALS: dict[str, tuple[tuple[Any, ...], list[str]]] = {
    "a command": (("demo",), ["--method toy does not serve ttd demo", "--method ttd or tcl"]),
    "an option": (("masks", "--pamr"), ["--pamr does not go with --method toy", "bands", "ttd or tcl"]),
    "a scorer": (("masks", "--scorer", "image"), ["--scorer image", "pixel, list:FILE"]),
    "a task": (("evaluate", "--task", "tags", "--data", "scenes:test"), ["--task tags", "masks, classification"]),
}


@pytest.mark.parametrize(("asked", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_an_entry_does_not_name_is_refused(
    ttd: Ttd, tmp_path: Path, toy: tuple[object, ...], asked: tuple[Any, ...], words: list[str]
) -> None:
    command, *more = asked
    picture = () if command == "evaluate" else ("--image", write_picture(tmp_path / "a.png", SIZE), "--tags", "dog")
    answer = ttd(command, *picture, *more, *toy[:4])
    assert answer.code == 2 and not answer.out
    assert [word for word in words if word not in answer.err] == []


def test_tables_of_the_scenes_are_of_one_method(ttd: Ttd, toy: tuple[object, ...]) -> None:
    answer = ttd("evaluate", "--data", "scenes", *toy)
    assert answer.code == 2 and "--method does not go with --data scenes" in answer.err

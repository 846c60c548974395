"""The common path of the commands, with recipes made up here: replay, resume, counts, codes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ttd_core.recipes.masks
import ttd_core.recipes.tags
from tests.cli.conftest import Ttd
from ttd_core.errors import RunError
from ttd_core.recipes.answering import answers
from ttd_core.recipes.results import Skipped
from ttd_core.types import Sample


@dataclass
class Echo:
    """Answers every row with its key, but for those it is told to skip; raises what it is told to after some rows."""

    stop_after: int | None = None
    stop_with: BaseException | None = None
    worked: int = 0
    skip: tuple[str, ...] = ()

    def __call__(self, options: Any, samples: Any, report: Any, run: Any, cache: Any) -> Iterator[Any]:
        return answers(options, samples, run, self._echo, lambda row: _Row(row["key"]))

    def _echo(self, batch: Sequence[Sample]) -> Iterator[_Row | Skipped]:
        for sample in batch:
            if self.stop_with is not None and self.worked == self.stop_after:
                raise self.stop_with
            self.worked += 1
            yield Skipped(sample.key, "not today", "mend it") if sample.key in self.skip else _Row(sample.key)


@dataclass
class _Row:
    key: str

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "image": None, "tags": ["dog"], "candidates": []}


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Echo]:
    def use(**how: Any) -> Echo:
        echo = Echo(**how)
        monkeypatch.setattr(ttd_core.recipes.tags, "run_tags", echo)
        monkeypatch.setattr(ttd_core.recipes.masks, "run_masks", echo)
        return echo

    return use


def captions(tmp_path: Path, count: int = 4, broken: tuple[int, ...] = ()) -> str:
    lines = ["{" if i in broken else json.dumps({"id": f"k{i}", "text": "a dog"}) for i in range(count)]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines) + "\n")
    return "captions.jsonl"


def run_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "runs" / "tags").iterdir()
    return folder


def test_a_batch_is_recorded_and_done_once(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    first = recipe()
    answer = ttd("tags", "--input", captions(tmp_path))
    assert answer.code == 0 and answer.out == "".join(f"k{i}\tdog\n" for i in range(4))
    folder = run_folder(tmp_path)
    assert re.fullmatch(r"scenes@captions@1\.0@[0-9a-f]{8}", folder.name)
    assert answer.err == f"4 done: runs/tags/{folder.name}\n"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["counts"] == {"done": 4, "skipped": 0} and manifest["status"] == "done"
    assert manifest["command_line"] == "ttd tags --input captions.jsonl"

    again = recipe()
    repeated = ttd("tags", "--input", "captions.jsonl")
    assert repeated.code == 0 and repeated.out == answer.out and "already done" in repeated.err
    assert (first.worked, again.worked) == (4, 0)

    anew = recipe()
    assert ttd("tags", "--input", "captions.jsonl", "--overwrite").out == answer.out
    assert anew.worked == 4


@pytest.mark.parametrize(
    ("stop", "code", "status"),
    [(KeyboardInterrupt(), 130, "cancelled"), (RunError("disk full"), 3, "failed"), (ValueError("ours"), 1, "failed")],
)
def test_an_interrupted_batch_goes_on_and_prints_everything_in_order(
    ttd: Ttd, tmp_path: Path, recipe: Any, stop: BaseException, code: int, status: str
) -> None:
    recipe(stop_after=2, stop_with=stop)
    assert ttd("tags", "--input", captions(tmp_path)).code == code
    manifest = json.loads((run_folder(tmp_path) / "manifest.json").read_text())
    assert manifest["status"] == status and manifest["counts"]["done"] == 2
    second = recipe()
    answer = ttd("tags", "--input", "captions.jsonl")
    assert answer.code == 0 and second.worked == 2
    assert answer.out == "".join(f"k{i}\tdog\n" for i in range(4))
    assert "going on" in answer.err


def test_skipped_rows_are_named_counted_and_end_with_3(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    answer = ttd("tags", "--input", captions(tmp_path, broken=(1, 2)), "--format", "jsonl")
    assert answer.code == 3
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert [row["key"] for row in rows][::3] == ["k0", "k3"] and all("error" in row for row in rows[1:3])
    assert answer.err.count("warning: skipped captions.jsonl:") == 2 and "2 done, 2 skipped" in answer.err
    assert json.loads((run_folder(tmp_path) / "manifest.json").read_text())["status"] == "failed"
    kept = ttd("tags", "--input", "captions.jsonl", "--keep-going")
    assert kept.code == 0 and "2 done, 2 skipped" in kept.err


def test_a_finished_run_answers_as_it_did_with_its_skipped_rows_and_code(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    call = ("tags", "--input", captions(tmp_path, 5, broken=(1,)), "--format", "json")
    recipe(skip=("k0", "k3"))
    first = ttd(*call, "--keep-going")
    assert first.code == 0 and "2 done, 3 skipped" in first.err
    again = recipe()
    for flag, code in (((), 3), (("--keep-going",), 0)):
        repeated = ttd(*call, *flag)
        assert (repeated.code, repeated.out, again.worked) == (code, first.out, 0)
        assert "already done: 2 done, 3 skipped" in repeated.err and repeated.err.count("hint: mend it") == 2


def test_rows_mended_since_take_their_places(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    call = ("tags", "--input", captions(tmp_path))
    recipe(skip=("k0", "k2"))
    assert ttd(*call).code == 3
    recipe()
    for _ in range(2):
        assert ttd(*call).out == "".join(f"k{i}\tdog\n" for i in range(4))


def test_quiet_leaves_data_and_errors(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    for arguments in (("-q", "tags"), ("tags", "-q")):
        answer = ttd(*arguments, "--input", captions(tmp_path, broken=(1,)), "--format", "jsonl", "--overwrite")
        assert answer.code == 3 and answer.err == ""
        assert len(answer.out.splitlines()) == 4


def test_the_config_of_a_run_repeats_it_under_the_same_name(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    first = ttd("tags", "--input", captions(tmp_path), "--hflip", "--threshold", "0.7", "--scales", "0.5,1.0")
    folder = run_folder(tmp_path)
    again = recipe()
    repeated = ttd("tags", "--config", folder / "run.yaml")
    assert repeated.out == first.out and again.worked == 0 and "already done" in repeated.err
    other = ttd("tags", "--config", folder / "run.yaml", "--threshold", "0.8")
    assert other.code == 0 and len(list((tmp_path / "runs" / "tags").iterdir())) == 2


def test_the_config_of_an_overwriting_run_does_not_overwrite(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    ttd("tags", "--input", captions(tmp_path), "--overwrite")
    again = recipe()
    assert "already done" in ttd("tags", "--config", run_folder(tmp_path) / "run.yaml").err and again.worked == 0


def test_a_changed_input_is_not_mixed_in(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    ttd("tags", "--input", captions(tmp_path, 2), "--out", "here")
    answer = ttd("tags", "--input", captions(tmp_path, 3), "--out", "here")
    assert answer.code == 3 and "inputs: sha256" in answer.err and "--overwrite" in answer.err
    assert ttd("tags", "--input", "captions.jsonl").out == "".join(f"k{i}\tdog\n" for i in range(3))


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@dataclass
class Makes(Echo):
    """Leaves a product for every row, as `ttd masks` does."""

    def __call__(self, options: Any, samples: Any, report: Any, run: Any, cache: Any) -> Iterator[Any]:
        for row in super().__call__(options, samples, report, run, cache):
            run.product(f"labels/{row.key}.png").write_bytes(b"png")
            yield row


@pytest.mark.parametrize(
    "where",
    [
        ["--input", "."],
        ["--input", "f2", "--out", "f2/masks"],
        ["--input", "f2", "--run-root", "f2"],
        ["--input", ".", "--run-root", "."],
    ],
)
def test_a_folder_that_holds_its_own_products_is_done_once(
    ttd: Ttd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: list[str]
) -> None:
    pictures(tmp_path / "f2", "a.png", "b/c.png")
    for worked in (2, 0, 0):
        monkeypatch.setattr(ttd_core.recipes.masks, "run_masks", makes := Makes())
        answer = ttd("masks", *where, "--tags", "dog", "--format", "jsonl")
        assert answer.code == 0 and makes.worked == worked, answer.err
        assert [row["key"].removeprefix("f2/") for row in map(json.loads, answer.out.splitlines())] == [
            "a.png", "b/c.png",
        ]  # fmt: skip
    assert len(list(tmp_path.rglob("labels/**/*.png"))) == 2


def test_products_do_not_go_among_the_pictures(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    pictures(tmp_path / "f2", "a.png")
    answer = ttd("masks", "--input", "f2", "--out", "./f2/", "--tags", "dog")
    assert answer.code == 2 and "--out f2/masks" in answer.err and len(list((tmp_path / "f2").iterdir())) == 1


@pytest.mark.parametrize("source", ["f2", "list.jsonl"])
def test_changed_pictures_are_not_already_done(ttd: Ttd, tmp_path: Path, recipe: Any, source: str) -> None:
    picture = pictures(tmp_path / "f2", "a.png") / "a.png"
    (tmp_path / "list.jsonl").write_text('{"image": "f2/a.png"}\n')
    recipe()
    assert ttd("masks", "--input", source, "--tags", "dog").code == 0
    os.utime(picture, ns=(1, 1))  # of the same size
    answer = ttd("masks", "--input", source, "--tags", "dog")
    assert answer.code == 3 and "inputs: sha256" in answer.err


def test_pictures_of_one_name_have_runs_of_their_own(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    for folder in ("p1", "p2"):
        (pictures(tmp_path / folder, "x.png") / "x.png").write_text(folder)
        for worked in (1, 0):
            echo = recipe()
            assert ttd("masks", "--image", f"{folder}/x.png", "--tags", "dog").code == 0 and echo.worked == worked
    assert len(list((tmp_path / "runs" / "masks").iterdir())) == 2


def test_files_count_by_content_not_by_spelling(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("w.pth", "tags.txt", "list.jsonl"):
        for folder in (tmp_path, tmp_path / "sub"):
            (folder / name).write_text('{"id": "k0", "tags": ["dog"]}\n')
    for before, worked in (("", 4), ("./", 0), (f"{tmp_path}/", 0), ("sub/../", 0), ("sub/", 0)):
        echo = recipe()
        named = ("--tags-file", f"{before}tags.txt", "--scorer", f"list:{before}list.jsonl")
        answer = ttd("tags", "--input", captions(tmp_path), *named, "--model", "tcl", "--weights", f"{before}w.pth")
        assert answer.code == 0 and echo.worked == worked, answer.err
    assert len(list((tmp_path / "runs" / "tags").iterdir())) == 1


def test_one_off_calls_leave_nothing_unless_asked(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    assert ttd("tags", "--text", "a dog").code == 0
    assert ttd("tags", "--input", "-", stdin=b'{"id": "a", "text": "dog"}\n').code == 0
    assert list(tmp_path.iterdir()) == []
    assert ttd("tags", "--text", "a dog", "--save").code == 0
    assert len(list((tmp_path / "runs" / "tags").iterdir())) == 1
    captions(tmp_path)
    assert ttd("tags", "--input", "captions.jsonl", "--no-save", "--run-root", "other").code == 0
    assert not (tmp_path / "other").exists()


def test_standard_input_is_compared_row_by_row(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    call = ("tags", "--input", "-", "--save")
    recipe(stop_after=1, stop_with=RunError("disk full"))
    assert ttd(*call, stdin=b'{"id": "a", "text": "dog"}\n{"id": "b", "text": "dog"}\n').code == 3
    for lines, worked in (
        (b'{"id": "a", "text": "dog"}\n{"id": "b", "text": "dog"}\n', 1),
        (b'{"id": "a", "text": "dog"}\n', 0),
    ):
        echo = recipe()
        answer = ttd(*call, stdin=lines)
        assert answer.code == 0 and len(answer.out.splitlines()) == lines.count(b"\n") and echo.worked == worked
    other = ttd(*call, stdin=b'{"id": "a", "text": "cat"}\n')
    assert other.code == 3 and other.out == "" and "another input with the key a" in other.err


def test_out_names_the_runs_folder(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    assert ttd("tags", "--text", "a dog", "--out", "here/[a] b").code == 0
    assert {p.name for p in (tmp_path / "here" / "[a] b").iterdir()} >= {"run.yaml", "manifest.json", "tags.jsonl"}


def test_a_single_bad_input_is_the_error(ttd: Ttd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").touch()
    monkeypatch.setattr(ttd_core.recipes.tags, "run_tags", lambda *_: iter([Skipped("a", "a.png: cut off", "mend it")]))
    assert ttd("tags", "--image", "a.png", "--text", "b") == (3, "", "error: a.png: cut off\nhint: mend it\n")


def test_an_empty_stream_is_an_error(ttd: Ttd) -> None:
    answer = ttd("tags", "--input", "-")
    assert answer.code == 3 and "no rows" in answer.err


@pytest.mark.parametrize(
    ("arguments", "tags"),
    [
        (["--tags", "umbrella, red dog"], ["umbrella", "red dog"]),
        (["--tag", "umbrella", "--tag", "red dog"], ["umbrella", "red dog"]),
        (["--tags", "a,b", "--tag", "c,d"], ["a", "b", "c,d"]),
        (["--tags", "a,,b,"], ["a", "b"]),
    ],
)
def test_both_ways_to_list_tags(ttd: Ttd, arguments: list[str], tags: list[str]) -> None:
    answer = ttd("tags", "--text", "x", *arguments, "--format", "json")
    assert [candidate["tag"] for candidate in json.loads(answer.out)["candidates"]] == tags


def test_a_caption_that_looks_like_an_option_is_reachable(ttd: Ttd) -> None:
    assert ttd("tags", "--text=--dog").out == "dog\n"


def test_an_unwritable_run_root_is_named(ttd: Ttd, tmp_path: Path, recipe: Any) -> None:
    recipe()
    (tmp_path / "blocked").write_text("")
    answer = ttd("tags", "--input", captions(tmp_path), "--run-root", "blocked")
    assert answer.code == 3 and "blocked" in answer.err and "hint: " in answer.err and answer.out == ""

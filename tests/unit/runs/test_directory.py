"""Run directories: begun, interrupted, taken up, finished, and never mixed."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ttd_core.errors import RunError
from ttd_core.runs import RunDirectory, open_run

OPTIONS = {"seed": 3, "scales": [1.0], "text": "a"}


def begin(root: Path, **changes: Any) -> RunDirectory:
    return open_run(root, "tags", "scenes@x@1.0", changes.pop("options", OPTIONS), **changes)


def manifest(root: Path) -> dict[str, Any]:
    return json.loads((root / "tags" / "scenes@x@1.0" / "manifest.json").read_text())


def test_a_finished_run_holds_what_it_should(tmp_path: Path) -> None:
    with begin(tmp_path, inputs_sha256="ab" * 32, weights_sha256="cd" * 32, command_line="ttd tags --text a") as run:
        run.product("masks/a.png").write_bytes(b"png")
        run.record("a", {"tags": ["dog"], "files": {"labels": "masks/a.png"}})
        run.note(device="cpu", dtype="float32")
        run.finish("done", {"done": 1, "skipped": 0})
    found = manifest(tmp_path)
    assert found["status"] == "done" and found["counts"] == {"done": 1, "skipped": 0}
    assert found["seed"] == 3 and found["device"] == "cpu" and found["command_line"] == "ttd tags --text a"
    assert found["inputs_sha256"] == "ab" * 32 and found["weights_sha256"] == "cd" * 32
    assert {"ttd", "commit", "python", "platform", "packages", "started", "ended"} <= set(found)
    assert {p.name for p in run.path.iterdir()} == {
        "run.yaml", "manifest.json", "tags.jsonl", "log.jsonl", "masks", ".lock",
    }  # fmt: skip
    events = [json.loads(line)["event"] for line in (run.path / "log.jsonl").read_text().splitlines()]
    assert events == ["started", "done"]


def test_the_same_call_again_finds_its_work_done(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.record("a", {})
        run.finish("done", {"done": 1})
    before = (run.path / "manifest.json").read_bytes()
    with begin(tmp_path) as again:
        assert again.status == "done" and [row["key"] for row in again.rows()] == ["a"]
    assert (run.path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("x"), "failed"), (KeyboardInterrupt(), "cancelled"), (RunError("full"), "failed")],
)
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), begin(tmp_path) as run:
        run.record("a", {"n": 1})
        raise error
    assert manifest(tmp_path)["status"] == status and manifest(tmp_path)["counts"] == {"done": 1}
    with begin(tmp_path) as again:
        assert again.resumed and again.status == "running" and again.finished_keys() == {"a"}
        again.record("b", {"n": 2})
        again.finish("done", {"done": 2})
    assert [row["key"] for row in again.rows()] == ["a", "b"]


def test_a_torn_last_line_is_done_again(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.record("a", {})
        run.record("b", {})
    index = run.path / "tags.jsonl"
    index.write_bytes(index.read_bytes()[:-4])
    with begin(tmp_path) as again:
        assert again.finished_keys() == {"a"}
        again.record("b", {})
    assert [json.loads(line)["key"] for line in index.read_text().splitlines()] == ["a", "b"]


def test_a_damaged_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.record("a", {})
    index = run.path / "tags.jsonl"
    index.write_bytes(b"{broken\n" + index.read_bytes())
    with pytest.raises(RunError, match="line 1"):
        begin(tmp_path)


def test_recording_twice_keeps_the_first(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.record("a", {"n": 1})
        run.record("a", {"n": 2})
        assert list(run.rows()) == [{"n": 1, "key": "a"}]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"options": OPTIONS | {"text": "b"}}, ['text: "a" there, "b" now']),
        ({"options": OPTIONS | {"seed": 4}}, ["seed: 3 there, 4 now"]),
        ({"weights_sha256": "2" * 64}, ["weights", "111111111111 there", "222222222222 now"]),
        ({"inputs_sha256": "3" * 64}, ["inputs", "none there", "333333333333 now"]),
    ],
)
def test_a_run_of_that_name_with_other_content_is_refused_and_both_shown(
    tmp_path: Path, changes: dict[str, Any], shown: list[str]
) -> None:
    with begin(tmp_path, weights_sha256="1" * 64) as run:
        run.record("a", {})
    with pytest.raises(RunError) as caught:
        begin(tmp_path, **{"weights_sha256": "1" * 64, **changes})
    assert [part for part in shown if part not in caught.value.message] == []
    assert "--overwrite" in (caught.value.hint or "")


def test_options_that_change_no_result_do_not_matter(tmp_path: Path) -> None:
    with begin(tmp_path, results={"seed": 3}) as run:
        run.record("a", {})
    with begin(tmp_path, results={"seed": 3}, options=OPTIONS | {"text": "b"}) as again:
        assert again.resumed


def test_overwrite_removes_products_and_nothing_else(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.product("masks/a.png").write_bytes(b"png")
        (run.path / "notes.txt").write_text("mine")
        outside = tmp_path / "outside.txt"
        outside.write_text("mine")
        run.record("a", {"files": {"labels": "masks/a.png", "bad": "../../../outside.txt"}})
        run.finish("done")
    with begin(tmp_path, overwrite=True, options=OPTIONS | {"seed": 9}) as again:
        assert again.status == "running" and not list(again.rows())
    assert not (run.path / "masks" / "a.png").exists()
    assert (run.path / "notes.txt").exists() and outside.exists()


def test_overwrite_mends_a_damaged_run(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.record("a", {})
    (run.path / "manifest.json").write_text("{")
    (run.path / "tags.jsonl").write_text("{\n{\n")
    with pytest.raises(RunError, match="manifest"):
        begin(tmp_path)
    with begin(tmp_path, overwrite=True) as again:
        assert not list(again.rows())


@pytest.mark.parametrize("name", ["run.yaml", "manifest.json", "tags.jsonl", "log.jsonl"])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / name).write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(RunError):
            begin(tmp_path, folder=folder, overwrite=overwrite)
    assert [(p.name, p.read_text()) for p in folder.iterdir()] == [(name, "{}")]


def test_a_run_of_another_command_is_refused(tmp_path: Path) -> None:
    with begin(tmp_path, folder=tmp_path / "x") as run:
        run.record("a", {})
    with pytest.raises(RunError, match="ttd tags"):
        open_run(tmp_path, "masks", "y", OPTIONS, folder=tmp_path / "x")


def test_a_list_beside_a_run_of_another_command_is_not_taken_for_its_index(tmp_path: Path) -> None:
    with begin(tmp_path, folder=tmp_path / "x") as run:
        run.record("a", {})
    (tmp_path / "x" / "masks.jsonl").write_text('{"key": "mine"}')
    with pytest.raises(RunError, match=r"masks\.jsonl that ttd did not write"):
        open_run(tmp_path, "masks", "y", OPTIONS, folder=tmp_path / "x", overwrite=True)
    assert (tmp_path / "x" / "tags.jsonl").exists() and (tmp_path / "x" / "masks.jsonl").stat().st_size == 15


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_that_is_being_written_is_not_touched(tmp_path: Path, overwrite: bool) -> None:
    with begin(tmp_path) as run:
        run.product("masks/a.png").write_bytes(b"png")
        run.record("a", {"files": {"labels": "masks/a.png"}})
        with pytest.raises(RunError, match="another process"):
            begin(tmp_path, overwrite=overwrite)
        run.record("b", {})
        run.finish("done", {"done": 2})
    assert (run.path / "masks" / "a.png").exists() and manifest(tmp_path)["counts"] == {"done": 2}
    assert [row["key"] for row in begin(tmp_path).rows()] == ["a", "b"]


def test_the_lock_outlives_an_overwriting(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        locked = (run.path / ".lock").stat().st_ino
    with begin(tmp_path, overwrite=True):
        assert (run.path / ".lock").stat().st_ino == locked


@pytest.mark.parametrize(
    "changes",
    [
        {"command": "../victim"},
        {"command": "/tmp/victim"},
        {"command": ["tags"]},
        {"run_id": None},
        {"status": "odd"},
        {"options": []},
        {"counts": "many"},
        {"counts": {"skipped": "x"}},
    ],
)
def test_a_manifest_that_is_not_ours_removes_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    with begin(tmp_path) as run:
        pass
    victim = run.path.parent / "victim.jsonl"
    victim.write_text("mine")
    (run.path / "manifest.json").write_text(json.dumps(manifest(tmp_path) | changes))
    for overwrite in (False, True):
        with pytest.raises(RunError, match="not written by ttd"):
            begin(tmp_path, overwrite=overwrite)
    assert victim.read_text() == "mine" and (run.path / "run.yaml").exists()


def test_a_product_behind_a_link_out_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "a.png").write_bytes(b"png")
    with begin(tmp_path) as run:
        (run.path / "masks").symlink_to(theirs)
        run.product("masks/a.png")
        run.record("a", {"files": {"labels": "masks/a.png"}})
    begin(tmp_path, overwrite=True)
    assert (theirs / "a.png").exists()


def test_products_of_a_killed_run_go_with_it(tmp_path: Path) -> None:
    run = begin(tmp_path)
    run.product("labels/a.png").write_bytes(b"png")
    run.record("a", {"files": {"labels": "labels/a.png"}})
    run.product("labels/[b].png").write_bytes(b"png")
    run.product("union/[b].png").with_name(".[b].77.part.png").write_bytes(b"half")
    (run.path / "labels" / "mine.png").write_bytes(b"png")
    del run  # as when the process is killed: nothing is closed, the lock is gone
    with begin(tmp_path) as again:
        assert again.finished_keys() == {"a"}
    with begin(tmp_path, overwrite=True) as anew:
        left = sorted(file.name for folder in ("labels", "union") for file in (anew.path / folder).iterdir())
    assert left == ["mine.png"]


def test_rows_come_in_the_order_of_the_input_whatever_the_order_they_were_finished_in(tmp_path: Path) -> None:
    with begin(tmp_path) as run:
        run.record("c", {"n": 2}, 2)
        run.record_skipped("list:4", "broken", "mend it", 3)
        run.record_skipped("list:1", "cut off", None, 0)
        run.record("b", {"n": 1}, 1)
    with begin(tmp_path) as again:
        again.record("a", {"n": 0}, 0)  # mended since
        for _ in range(2):
            again.record_skipped("list:4", "broken", "mend it", 3)
        assert list(again.rows()) == [{"n": n, "key": key} for n, key in enumerate("abc")]
        assert list(again.outcomes())[3:] == [{"key": "list:4", "error": "broken", "hint": "mend it"}]
        assert again.row("b") == {"n": 1, "key": "b"} and again.row("list:4") is None and again.done == 3
    assert len((run.path / "tags.jsonl").read_text().splitlines()) == 5


def test_rows_are_not_held_in_memory(tmp_path: Path) -> None:
    count = 20_000
    tracemalloc.start()
    try:
        with begin(tmp_path) as run:
            for i in range(count):
                run.record(f"folder/picture-{i:08d}.png", {"tags": ["umbrella"], "note": "x" * 300}, i)
            written = tracemalloc.get_traced_memory()[0]
        del run
        with begin(tmp_path) as again:
            assert sum(1 for _ in again.rows()) == count
            read, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written < 100 * count and read < 100 * count and peak < 150 * count
    assert (again.row("folder/picture-00012345.png") or {})["note"] == "x" * 300


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "a\0b"])
def test_products_stay_in_the_folder(tmp_path: Path, path: str) -> None:
    with begin(tmp_path) as run, pytest.raises(RunError, match="leaves"):
        run.product(path)


def test_brackets_and_blanks_in_folders_do_no_harm(tmp_path: Path) -> None:
    with begin(tmp_path / "[a] b*") as run:
        run.record("k", {})
    with begin(tmp_path / "[a] b*") as again:
        assert again.finished_keys() == {"k"}

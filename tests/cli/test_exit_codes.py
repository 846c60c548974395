"""One line and a hint for every mistake of a user, a traceback for ours, and the documented code for each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ttd_core.errors
from tests.cli.conftest import ROOT, Ttd
from ttd_cli import app, errors


def subclasses(kind: type) -> set[type]:
    return {kind} | {deeper for direct in kind.__subclasses__() for deeper in subclasses(direct)}


def test_every_expected_error_has_a_code() -> None:
    kinds = {k for k in subclasses(ttd_core.errors.TtdError) if k.__module__.startswith("ttd_core")}
    codes = {kind.__name__: errors.exit_code(kind.__new__(kind)) for kind in kinds - {ttd_core.errors.TtdError}}
    assert codes["UsageError"] == 2 and codes["MissingPackageError"] == 4
    assert {codes[name] for name in ("DataError", "ImageError", "WeightsError", "VocabularyError", "RunError")} == {3}


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        ([], 2, []),
        (["tag"], 2, ["No such command 'tag'", "hint: ttd --help"]),
        (["tags"], 2, ["--image", "--text", "--input"]),
        (["tags", "--sclaes", "1"], 2, ["--sclaes", "--scales"]),
        (["tags", "--text"], 2, ["--text"]),
        (["tags", "--text", "a", "--scales", "1,x"], 2, ["--scales", "'x'"]),
        (["tags", "--text", "a", "--scales", ","], 2, ["--scales", "empty"]),
        (["tags", "--text", "a", "--select", "fxied"], 2, ["--select", "fxied"]),
        (["tags", "--text", "a", "--threshold", "nan"], 2, ["--threshold", "nan"]),
        (["tags", "--text", "a", "--batch-size", "0"], 2, ["--batch-size"]),
        (["tags", "--text", "a", "--image", "x.png", "--input", "y"], 2, ["--input", "--image"]),
        (["tags", "--config", "absent.yaml"], 2, ["absent.yaml", "no such file"]),
        (["tags", "--input", "absent.jsonl"], 3, ["absent.jsonl"]),
        (["tags", "--text", "a", "--tags-file", "absent.txt"], 3, ["absent.txt"]),
        (["tags", "--image", __file__, "--tags", str(ROOT / "constraints.txt")], 2, ["--tags-file"]),
        (["tags", "--text", "a", "--image", "absent.png", "--weights", "absent.pt"], 3, ["absent"]),
        (["masks", "--image", "a.png", "--text", "b", "--weights", "absent.pt"], 3, ["absent.pt"]),
        (["masks", "--image", "a.png", "--text", "b", "--pamr", "--crf"], 2, ["--pamr", "--crf"]),
        (["tags", "--image", "a.png", "--text", "b", "--model", "secnes"], 2, ["secnes", "hint: "]),
        (["preprocess"], 2, ["--data is missing", "hint: "]),
        (["prune"], 2, ["--scores is missing", "hint: "]),
        (["evaluate"], 2, ["--data is missing", "hint: "]),
        (["tags", "--image", "a.png", "--text", "b", "--dense", "clpi"], 2, ["--dense 'clpi'", "value, attention"]),
        (["tags", "--image", "a.png", "--text", "b", "--templates", "opnai"], 2, ["opnai", "openai"]),
        (["tags", "--image", "a.png", "--text", "b", "--templates", ""], 2, ["template", "hint: "]),
        (["tags", "--text", "a", "--activation", "relu"], 2, ["'--activation': 'relu' is not one of"]),
        (["tags", "--text", "a", "--seed", str(10**20)], 2, ["--seed 1000"]),
        (["tags", "--text", "a", "--device", "gpu"], 2, ["--device 'gpu'", "cuda:N"]),
        (["tags", "--text", "a", "--tags", ","], 2, ["--tags is empty"]),
        (["tags", "--text", "a", "--out", ""], 2, ["--out is empty"]),
        (["masks", "--image", "a.png", "--text", "b", "--run-root", " "], 2, ["--run-root is empty"]),
        (["tags", "--text", "a", "--weights", ""], 2, ["--weights is empty"]),
        (["tags", "--text", "a", "--config", ""], 2, ["--config is empty"]),
        (["tags", "--image", "absent.png", "--text", "a"], 3, ["absent.png: no such file", "hint: --image"]),
        (["tags", "--image", ".", "--text", "a"], 3, ["is a folder", "hint: --input ."]),
        (["tags", "--text", "a", "--scorer", "list:absent"], 3, ["absent: no such file", "hint: --scorer list:FILE"]),
        (["demo", "--text", "a"], 2, ["no picture", "ttd demo"]),
        (["train", "--cache", ""], 2, ["--cache is empty"]),
        (["train", "--scenes", "5"], 2, ["--scenes 5", "--batch-size 5"]),
        (["train", "--method", "reclip"], 2, ["--method reclip", "not there yet"]),
        (["train", "--method", "tdt"], 2, ["tdt", "clip"]),
        (["train", "--steps", "0"], 2, ["--steps", "0"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_end_in_one_line(ttd: Ttd, tmp_path: Path, arguments: list[str], code: int, parts: list[str]) -> None:
    (tmp_path / "a.png").touch()
    answer = ttd(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]  # no run begins
    assert answer.code == code
    assert "Traceback" not in answer.err
    assert [part for part in parts if part not in answer.err] == []
    lines = answer.err.splitlines()
    assert len(lines) <= 2 and all(line.startswith(("error: ", "hint: ")) for line in lines)
    if arguments:
        assert answer.out == "" and lines


def test_mistakes_are_told_before_torch_is_loaded(process: Any) -> None:
    calls = [
        ["tags", "--image", "absent.png", "--text", "a"],
        ["tags", "--text", "a", "--dense", "clpi"],
        ["masks", "--input", "absent", "--templates", "opnai"],
        ["demo", "--input", "absent"],
        ["train", "--steps", "0"],
    ]
    code = f"import sys; from ttd_cli.app import main\nfor call in {calls!r}: assert main(call) in (2, 3)\n"
    done = process(code=code + "print('torch' in sys.modules)")
    assert done.stdout == "False\n" and done.stderr.count("error: ") == len(calls)


def test_no_arguments_print_help(ttd: Ttd) -> None:
    answer = ttd()
    assert "Usage: ttd" in answer.out and answer.err == ""


def test_a_bug_keeps_its_traceback(ttd: Ttd, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(app, "_invoke", broken)
    answer = ttd("tags", "--text", "a")
    assert answer.code == 1 and "Traceback" in answer.err and "ZeroDivisionError: ours" in answer.err


def test_debugging_brings_tracebacks_back(ttd: Ttd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTD_DEBUG", "1")
    answer = ttd("tags")
    assert answer.code == 2 and "Traceback" in answer.err and "error: nothing to read" in answer.err


def test_a_failing_package_is_code_four(ttd: Ttd, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> int:
        raise ttd_core.errors.MissingPackageError("pydensecrf is not installed", "pip install 'ttd[crf]'")

    monkeypatch.setattr(app, "_invoke", absent)
    assert ttd("masks") == (4, "", "error: pydensecrf is not installed\nhint: pip install 'ttd[crf]'\n")


def test_messages_carry_no_terminal_sequences(ttd: Ttd) -> None:
    answer = ttd("tags", "--input", "\x1b[31mred\x07[/x].jsonl")
    assert answer.code == 3
    assert "\x1b" not in answer.err and "\x07" not in answer.err and "[/x].jsonl" in answer.err


def test_ctrl_c_ends_with_130(tmp_path: Any) -> None:
    import signal
    import time

    command = [sys.executable, "-m", "ttd_cli", "tags", "--text", "-", "--format", "jsonl"]
    child = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "TTD_CACHE": "off"},
    )  # fmt: skip
    assert child.stdin and child.stdout and child.stderr
    child.stdin.write("a dog\n")
    child.stdin.flush()
    assert '"dog"' in child.stdout.readline()  # answered before the input ends
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.stdin.flush()
    assert child.wait(timeout=30) == 130
    assert child.stderr.read().startswith("error: interrupted\n")


def test_a_closed_pipe_ends_quietly_with_141(tmp_path: Any) -> None:
    (tmp_path / "captions.txt").write_text("a dog and a cat\n" * 20_000)
    script = f"{sys.executable} -m ttd_cli -q tags --text - < captions.txt | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""


def test_help_into_a_closed_pipe_ends_quietly_with_141(tmp_path: Any) -> None:
    script = f"{sys.executable} -m ttd_cli masks --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() in ("141", "0") and done.stderr == ""  # 0 where all of it went into the pipe's buffer


def test_a_full_disk_behind_stdout_is_named(tmp_path: Any) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ttd_cli", "tags", "--text", "a dog"], cwd=tmp_path, stdout=full, text=True,
            stderr=subprocess.PIPE, timeout=120, env={"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 3 and done.stderr.startswith("error: cannot write standard output: no space left")
    assert "Traceback" not in done.stderr


def test_quiet_and_verbose_contradict_each_other(ttd: Ttd) -> None:
    answer = ttd("-q", "tags", "-v", "--text", "a")
    assert answer.code == 2 and "--quiet" in answer.err and "--verbose" in answer.err

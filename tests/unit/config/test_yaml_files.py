"""YAML files that are awkward, wrong or hostile; each is one line that names file, line and key, or read as meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from ttd_core.config import load_config
from ttd_core.errors import UsageError
from ttd_core.recipes.checks import positive, whole
from ttd_core.yaml_files import dump_yaml, parse_yaml, read_yaml

GOOD = "seed: 8\nbatch_size: 32\nlr: 1.0e-4\nlora:\n  rank: 4\n  alpha: 8\ndata:\n  train: train.jsonl\n"
LAUGHS = "a: &a [1, 1]\nb: &b [*a, *a]\nc: &c [*b, *b]\nlist: [*c, *c]\n"


@dataclass(frozen=True)
class Lora:
    rank: int = 1
    alpha: float = 1.0


@dataclass(frozen=True)
class Data:
    train: str = ""


@dataclass(frozen=True)
class Config:
    seed: int = 0
    batch_size: int = 1
    lr: float = 0.1
    name: str = ""
    kind: Literal["a", "b"] = "a"
    flags: tuple[bool, ...] = ()
    lora: Lora = field(default_factory=Lora)
    data: Data | None = None

    def __post_init__(self) -> None:
        whole("--batch-size", self.batch_size, at_least=1)
        positive("--lr", self.lr)


def load(tmp_path: Path, content: str | bytes) -> Config:
    path = tmp_path / "c.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_config(Config, path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD, Config(8, 32, 1e-4, lora=Lora(4, 8.0), data=Data("train.jsonl"))),
        (
            b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
            Config(8, 32, 1e-4, lora=Lora(4, 8.0), data=Data("train.jsonl")),
        ),
        ('{"seed": 8, "batch_size": 32}', Config(8, 32)),
        ("lr: 1e-4\n", Config(lr=1e-4)),
        ("name: no\n", Config(name="no")),
        ("name: 012\n", Config(name="012")),
        ("name: 2024-01-01\n", Config(name="2024-01-01")),
        ("name: ${HOME}/~/../x\n", Config(name="${HOME}/~/../x")),
        ("seed:\nlora:\n", Config()),
        ("lr: 3\n", Config(lr=3.0)),
        ("flags: [true, false]\n", Config(flags=(True, False))),
    ],
    ids=["good", "bom-crlf", "json", "1e-4", "no", "012", "date", "shell-words", "nulls", "whole-as-float", "list"],
)
def test_is_read_as_meant(tmp_path: Path, content: str | bytes, expected: Config) -> None:
    assert load(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (GOOD + "extra: !!python/object/apply:builtins.open [YAML_WAS_EXECUTED, w]\n", ["line 9", "'extra'", "python"]),
        (GOOD + "extra: !!python/object/new:builtins.open [YAML_WAS_EXECUTED, w]\n", ["line 9", "'extra'"]),
        (GOOD + "extra: !!python/name:os.system\n", ["line 9", "'extra'"]),
        (GOOD + "extra: [!!python/module:antigravity ]\n", ["line 9"]),
        (GOOD + "extra: !local x\n", ["line 9", "'extra'"]),
        (LAUGHS, ["line 2", "*a"]),
        ("&a [*a]\n", ["line 1", "*a"]),
        ("a: &x {seed: 1}\n<<: *x\n", ["line 2", "*x"]),
        (GOOD + "seed: 9\n", ["line 9", "'seed'", "twice", "line 1"]),
        (GOOD.replace("  rank", "\trank"), ["line 5"]),
        (GOOD.replace("  alpha", "   alpha"), ["line 6"]),
        (GOOD + "list: [1, 2\n", ["line"]),
        (GOOD.replace("32", "many").replace("rank: 4", "rank: [4]"), ["line 2", "batch_size", "line 5", "lora.rank"]),
        (GOOD.replace("batch_size", "batchsize"), ["line 2", "'batchsize'"]),
        (GOOD.replace("32", "-4"), ["line 2", "--batch-size", "-4"]),
        ("lr: .nan\n", ["line 1", "lr", "finite"]),
        ("lr: .inf\n", ["line 1", "lr", "finite"]),
        ("lr: 0\n", ["line 1", "--lr", "above 0"]),
        ("seed: true\n", ["line 1", "seed", "whole number"]),
        ("seed: " + "9" * 5001 + "\n", ["line 1", "seed", "whole number"]),
        ("kind: c\n", ["line 1", "kind", "a, b"]),
        ("flags: yes\n", ["line 1", "flags", "list"]),
        ("lora: 3\n", ["line 1", "lora", "section"]),
        ("? [a, b]\n: 1\n", ["line 1", "key"]),
        ("", ["no settings"]),
        ("# nothing\n", ["no settings"]),
        ("- a\n- b\n", ["line 1", "list"]),
        ("just text\n", ["line 1", "single value"]),
        (GOOD + "---\n" + GOOD, ["line 9", "second document"]),
        (GOOD.encode() + b"name: caf\xe9\n", ["line 9", "UTF-8"]),
        (GOOD.encode() + b"name: a\0b\n", ["line 9", "NUL"]),
        ("lora: " + "[" * 3000 + "]" * 3000, ["line 1", "deeper"]),
        (b"seed: 1\n#" + b"x" * 1_100_000, ["larger"]),
    ],
)
def test_is_refused_in_one_line(
    tmp_path: Path, content: str | bytes, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        load(tmp_path, content)
    message = caught.value.message
    assert "c.yaml" in message and "\n" not in message and len(message) < 400
    assert [part for part in parts if part not in message] == []
    assert not (tmp_path / "YAML_WAS_EXECUTED").exists()


def test_an_unknown_key_suggests_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, "batchsize: 3\n")
    assert caught.value.hint == "did you mean batch_size?"


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo"])
def test_a_file_is_expected(tmp_path: Path, kind: str) -> None:
    import os

    path = tmp_path / "run.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(UsageError, match="no such file" if kind == "missing" else "expected a file"):
        read_yaml(path)


@pytest.mark.parametrize(
    "text", ["no", "1e-4", "012", "2024-01-01", "~", "", " x", "a: b", "[x", "*x", "\x85", "\udc80", "😀", "0x1f"]
)
def test_text_survives_writing_and_reading(text: str) -> None:
    values, _ = parse_yaml(dump_yaml({"tags": [text], "text": text}), "c.yaml")
    assert values == {"tags": [text], "text": text}


def test_repeated_values_are_written_out() -> None:
    shared = [1.0, 2.0]
    assert "*" not in dump_yaml({"a": shared, "b": shared})

"""Lists with column names of their own: named by options, part of a run's name, and refused with a hint that mends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Ttd

TABLE = 'file_name,sentence_en,labels,no\np.png,a dog on wet grass,"dog, cat",a1\n'
COLUMNS = (
    "--image-column",
    "file_name",
    "--text-column",
    "sentence_en",
    "--tags-column",
    "labels",
    "--id-column",
    "no",
)


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "list.csv").write_text(TABLE)
    return "list.csv"


def test_named_columns_are_read(ttd: Ttd, table: str) -> None:
    answer = ttd("tags", "--input", table, *COLUMNS, "--scorer", "nouns", "--format", "jsonl")
    row = json.loads(answer.out)
    assert answer.code == 0 and (row["key"], row["image"], row["text"]) == ("a1", "p.png", "a dog on wet grass")
    assert [candidate["tag"] for candidate in row["candidates"]] == ["dog", "cat"]


def test_keys_of_json_lines_are_named_alike(ttd: Ttd) -> None:
    answer = ttd("tags", "--input", "-", "--text-column", "alt text", stdin=b'{"alt text": "a dog"}\n')
    assert (answer.code, answer.out) == (0, "1\tdog\n")


def test_the_hint_of_a_foreign_list_mends_the_call(ttd: Ttd, table: str) -> None:
    call = ["tags", "--input", table, "--scorer", "nouns", "--format", "json", "--no-save"]
    first = ttd(*call)
    assert first.code == 3 and "columns found: file_name, sentence_en, labels, no" in first.err
    options = re.findall(r"--\w+-column", first.err)
    named = [word for pair in zip(options, TABLE.splitlines()[0].split(","), strict=True) for word in pair]
    assert tuple(named) == COLUMNS and ttd(*call, *named).code == 0


@pytest.mark.parametrize("role", ["image", "text", "tags", "id"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(ttd: Ttd, table: str, role: str) -> None:
    answer = ttd("tags", "--input", table, f"--{role}-column", "file", "--no-save")
    assert answer.code == 3 and "has no column file (columns: file_name, sentence_en, labels, no)" in answer.err
    assert f"hint: --{role}-column takes one of them" in answer.err


def test_columns_enter_the_name_of_the_run(ttd: Ttd, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("text,other\na dog,a cat\n")
    assert ttd("tags", "--input", "list.csv").out == "2\tdog\n"
    assert ttd("tags", "--input", "list.csv", "--text-column", "other").out == "2\tcat\n"
    names = [path.name for path in (tmp_path / "runs" / "tags").iterdir()]
    assert len(names) == 2
    again = [ttd("tags", "--config", f"runs/tags/{name}/run.yaml") for name in names]
    assert {answer.out for answer in again} == {"2\tdog\n", "2\tcat\n"}
    assert all("already done" in answer.err for answer in again)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--text", "a", "--id-column", "no"], "--id-column names a column of --input, which is missing"),
        (["--input", "list.csv", "--image-column", ""], "--image-column is empty"),
    ],
)
def test_columns_of_nothing_are_refused(ttd: Ttd, table: str, arguments: list[str], part: str) -> None:
    answer = ttd("tags", *arguments)
    assert answer.code == 2 and part in answer.err and "hint: " in answer.err


def test_the_key_of_an_answer_does_not_depend_on_the_scorer(ttd: Ttd, tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text('{"image": "p.png", "text": "a dog"}\n')
    (tmp_path / "tags.txt").write_text("a dog\tdog\n")
    for scorer in ("nouns", "list:tags.txt"):
        answer = ttd("tags", "--input", "list.jsonl", "--scorer", scorer, "--format", "json")
        assert answer.code == 0 and json.loads(answer.out)[0]["key"] == "p.png"

"""Files of tags and labels that are not right end in one clear line that names the place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Ttd
from tests.support.tiny_evaluation import write_rows
from tests.support.tiny_sets import write_picture, write_text


def said(answer: Answer, *parts: str) -> None:
    """The call failed on its data, printed no figures, and said all of this in a line of its own."""
    assert answer.code == 3 and not answer.out
    line = next(line for line in answer.err.splitlines() if line.startswith("error: "))
    assert [part for part in parts if part not in line] == []


def tags(ttd: Ttd, tmp_path: Path, text: str, *more: object) -> Answer:
    """Score lines for the first two scenes."""
    answers = write_text(tmp_path / "tags.jsonl", text)
    answer = ttd("evaluate", "--data", "scenes:test", "--task", "tags", "--limit", 2, "--pred", answers, *more)
    assert answer.code != 1, answer.err
    return answer


GOOD = '{"key": "test-00000", "tags": ["dog"]}\n{"key": "test-00001", "tags": ["cat"]}\n'


def test_answers_of_tags_are_scored(ttd: Ttd, tmp_path: Path) -> None:
    assert tags(ttd, tmp_path, GOOD).code == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("tags.jsonl", "holds no tags")),
        (GOOD + '{"key": "test-00000", "tags": []}\n', ("tags.jsonl:3", "test-00000 comes twice")),
        (GOOD + '{"key": "test-00002"\n', ("tags.jsonl:3", "is not JSON")),
        (GOOD + '{"tags": ["dog"]}\n', ("tags.jsonl:3", "has no key")),
        (GOOD + '{"key": "test-00002", "tags": 3}\n', ("tags.jsonl:3", "no list of tags")),
        (GOOD + '{"key": "q", "candidates": [{"tag": "dog", "score": NaN}]}\n', ("tags.jsonl:3", "no finite number")),
        ('{"key": "test-00000", "tags": []}\n', ("1 of 2 samples have no answer", "test-00001")),
        ('{"key": "other", "tags": []}\n', ("answers none of the 2 samples",)),
    ],
)
def test_bad_files_of_tags(ttd: Ttd, tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    said(tags(ttd, tmp_path, text), *parts)


def test_tags_for_another_caption(ttd: Ttd, tmp_path: Path) -> None:
    text = GOOD.replace('"tags": ["dog"]', '"tags": ["dog"], "text": "another sentence"')
    answer = tags(ttd, tmp_path, text, "--format", "json")
    assert answer.code == 3 and "answers another caption" in answer.err
    assert json.loads(answer.out)["counts"]["skipped"] == 1


def test_missing_answers_of_tags_are_counted(ttd: Ttd, tmp_path: Path) -> None:
    answer = tags(ttd, tmp_path, '{"key": "test-00000", "tags": []}\n', "--allow-missing", "--format", "json")
    counts = json.loads(answer.out)["counts"]
    assert (counts["selected"], counts["missing"], counts["scored"]) == (2, 1, 1)


@pytest.mark.parametrize("score", ["NaN", "Infinity", '"high"', "null"])
def test_scores_of_classes_that_are_no_numbers(ttd: Ttd, tmp_path: Path, score: str) -> None:
    row = f'{{"key": "test-00000", "scores": [{", ".join(["0.5"] * 35 + [score])}]}}\n'
    answers = write_text(tmp_path / "labels.jsonl", row)
    answer = ttd("evaluate", "--data", "scenes:test", "--task", "classification", "--limit", 1, "--pred", answers)
    said(answer, "labels.jsonl:1")


def test_a_list_of_ones_own_with_one_key_twice(ttd: Ttd, tmp_path: Path) -> None:
    for name in ("x", "y"):
        write_picture(tmp_path / name / "a.jpg")
    rows = [{"image": f"{name}/a.jpg", "text": "a dog", "truth": ["dog"]} for name in ("x", "y")]
    listed = write_text(tmp_path / "list.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    shared = write_rows(tmp_path / "tags.jsonl", {"a": {"tags": ["dog"]}})
    answer = ttd("evaluate", "--data", listed, "--task", "tags", "--pred", shared)
    assert answer.code == 3 and "one answer for both" in answer.err and not answer.out
    own = write_rows(tmp_path / "own.jsonl", {f"{name}/a.jpg": {"tags": ["dog"]} for name in ("x", "y")})
    assert ttd("evaluate", "--data", listed, "--task", "tags", "--pred", own).code == 0

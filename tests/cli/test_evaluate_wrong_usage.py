"""Options that contradict each other or the data are refused by name, before a run is begun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_sets import write_picture, write_text


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((), ("--data",)),
        (("--data", "scnes:test"), ("unknown data set 'scnes'", "did you mean scenes")),
        (("--data", "voc2021", "--root", "."), ("unknown data set", "voc2012")),
        (("--data", "scenes:tset"), ("tset", "test")),
        (("--data", "voc2012"), ("--root",)),
        (("--data", "voc2012:val", "--task", "masks"), ("--root",)),
        (("--data", "scenes:test", "--root", "."), ("--root",)),
        (("--data", "scenes:test", "--limit", "0"), ("--limit",)),
        (("--data", "scenes:test", "--limit", "-1"), ("--limit",)),
        (("--data", "scenes:test", "--workers", "-1"), ("--workers",)),
        (("--data", "scenes:test", "--task", "bias", "--pred", "x"), ("--pred", "bias")),
        (("--data", "scenes:test", "--merge", "a", "--shard", "1/2"), ("--merge", "--shard")),
        (("--data", "scenes", "--pamr"), ("--pamr", "--data scenes")),
        (("--data", "scenes:test", "--recipe", "scenes/hard-tags"), ("--recipe", "--data", "contradict")),
        (("--data", "voc2012-20:val", "--recipe", "tagclip/voc2012"), ("--recipe", "--data", "contradict")),
        (("--recipe", "ttd/voc2021"), ("ttd/voc2012",)),
        (("--recipe", "ttd/voc2012", "--task", "tags"), ("--recipe", "--task", "contradict")),
        (("--data", "scenes:test", "--scorer", "best"), ("--scorer",)),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_wrong_usage_names_the_option(
    ttd: Ttd, tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    answer = ttd("evaluate", *arguments)
    assert answer.code == 2 and not answer.out, answer.err
    assert [part for part in parts if part not in answer.err] == []
    assert not (tmp_path / "runs").exists()


def test_a_task_that_the_data_cannot_do_is_told_what_they_can(ttd: Ttd, tmp_path: Path) -> None:
    base = tmp_path / "cc3m_for_evaluation"
    write_picture(base / "image" / "00_1.jpg")
    row = {"caption": "a dog", "tags": ["dog"]}
    write_text(base / "json_refined" / "00_1.json", json.dumps(row))
    write_text(tmp_path / "list.jsonl", json.dumps({"image": "a.jpg", "text": "a dog", "truth": ["dog"]}) + "\n")
    write_picture(tmp_path / "a.jpg")
    for data in (("cc3m-tagmask", "--root", tmp_path), (tmp_path / "list.jsonl",)):
        answer = ttd("evaluate", "--task", "masks", "--data", *data)
        assert answer.code == 2 and not answer.out, answer.err
        assert f"--task masks cannot be done on --data {data[0]}" in answer.err and "tags, " in answer.err


def test_a_class_that_is_none_cannot_be_unseen(ttd: Ttd) -> None:
    answer = ttd("evaluate", "--task", "masks", "--data", "scenes:test", "--limit", 2, "--unseen", "dog,unicorn")
    assert answer.code == 2 and "--unseen 'unicorn'" in answer.err and not answer.out


def test_folders_and_files_in_each_others_place(ttd: Ttd, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    call = ("evaluate", "--data", "scenes:test", "--limit", 1)
    answers: list[Any] = [
        ttd(*call, "--task", "tags", "--pred", folder),
        ttd(
            *call,
            "--task",
            "masks",
            "--pred",
            write_text(tmp_path / "tags.jsonl", '{"key": "test-00000", "tags": []}\n'),
        ),
        ttd(*call, "--task", "classification", "--pred", folder),
        ttd(*call, "--task", "masks", "--class-names", folder),
        ttd("evaluate", "--data", folder),
    ]
    assert [answer.code for answer in answers] == [3] * 5
    assert all("error: " in answer.err and not answer.out for answer in answers)

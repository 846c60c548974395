from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_coco import write_tree
from ttd_core.data.benchmarks.label_files import open_label_list, read_label_predictions
from ttd_core.data.benchmarks.label_files_rows import Answers
from ttd_core.data.benchmarks.label_files_tags import JudgedTag, read_tag_predictions
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.errors import DataError

CLASSES = ClassList("pets", ("background", "dog", "cat", "potted plant"), background=True)


def write(tmp_path: Path, content: str, name: str = "labels.txt") -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def rows(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_answers_are_found_by_the_plain_name_of_their_picture_unless_it_is_ambiguous() -> None:
    answers = Answers({"val/a.jpg": 1, "b": 2, "x/c.png": 3, "y/c.png": 4})
    assert [answers["a"], answers["val/a.jpg"], answers["other/b.jpg"], answers["y/c.png"]] == [1, 1, 2, 4]
    assert "c" not in answers and "d" not in answers
    assert "test/a.jpg" not in answers, "folders on both sides must agree"
    assert set(answers) == {"val/a.jpg", "b", "x/c.png", "y/c.png"}


def test_one_answer_for_two_pictures_is_noticed() -> None:
    answers = Answers({"a": 1, "x/b": 2})
    assert answers.shared(["x/a.jpg", "x/b.jpg", "c"]) is None
    assert answers.shared(["x/a.jpg", "y/a.jpg"]) == ("x/a.jpg", "y/a.jpg")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "1 2 0\n2\n"),
        ("labels.txt", "1 2 dog\n\n2\n"),
        ("labels.txt", "1\tPotted Plant, dog\n2\n"),
        ("labels.jsonl", rows({"key": "1", "labels": [0, 2]}, {"id": 2, "labels": []})),
        ("labels.jsonl", rows({"image": "1.jpg", "labels": ["dog", "potted plant"]}, {"key": "2", "tags": []})),
    ],
)
def test_labels_are_indices_or_names(tmp_path: Path, name: str, content: str) -> None:
    found = read_label_predictions(write(tmp_path, content, name), CLASSES)
    assert [found[key].labels for key in ("1", "2")] == [(0, 2), ()]
    assert found["1"].scores is None


def test_scores_come_in_order_by_name_or_as_candidates(tmp_path: Path) -> None:
    candidates = [
        {"tag": "cat", "score": 0.1, "selected": False},
        {"tag": "potted plant", "score": 0.9, "selected": True},
        {"tag": "dog", "score": 0.5, "selected": False},
    ]
    content = rows(
        {"key": "a", "scores": [0.5, 0.1, 0.9]},
        {"key": "b", "scores": {"cat": 0.1, "dog": 0.5, "potted plant": 0.9}, "labels": [2]},
        {"key": "c", "tags": ["potted plant"], "candidates": candidates},
        {"key": "d", "error": "no picture"},
    )
    found = read_label_predictions(write(tmp_path, content, "scores.jsonl"), CLASSES)
    assert [found[key].labels for key in "abc"] == [None, (2,), (2,)]
    for key in "abc":
        scores = found[key].scores
        assert scores is not None and scores.tolist() == [0.5, 0.1, 0.9]
    assert "d" not in found


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.txt", "a 0\nb 3\n", "labels.txt:2: label 3 is outside 0..2"),
        ("labels.txt", "a -1\n", "labels.txt:1: -1 is no class of pets"),
        ("labels.txt", "a bird\n", "labels.txt:1: bird is no class of pets"),
        ("labels.txt", "a 1\nb 1\na 1\n", "labels.txt:3: a comes twice"),
        ("labels.txt", "a 99999999999999999999\n", "labels.txt:1: label -1 is outside"),
        ("labels.txt", "\n", "holds no labels"),
        ("s.jsonl", rows({"key": "a", "scores": [1, 2]}), "s.jsonl:1: has 2 scores, expected 3"),
        ("s.jsonl", rows({"key": "a", "scores": {"dog": 1}}), "s.jsonl:1: has 1 scores, expected 3"),
        ("s.jsonl", rows({"key": "a", "scores": {"bird": 1}}), "s.jsonl:1: bird is no class"),
        ("s.jsonl", rows({"key": "a", "scores": [1, 2, float("nan")]}), "s.jsonl:1: has a score that is not finite"),
        ("s.jsonl", rows({"key": "a", "scores": [1, 2, True]}), "s.jsonl:1: its scores are no list of numbers"),
        ("s.jsonl", rows({"key": "a", "labels": [1.5]}), "s.jsonl:1: a label is neither"),
        ("s.jsonl", rows({"key": "a", "labels": 1}), "s.jsonl:1: its labels are no list"),
        ("s.jsonl", rows({"key": "a"}), "s.jsonl:1: has neither labels, tags nor scores"),
        ("s.jsonl", rows({"labels": [1]}), "s.jsonl:1: has no key"),
        ("s.jsonl", rows([1]), "s.jsonl:1: is no JSON object"),
        ("s.jsonl", rows({"key": "a", "labels": [1]}) + '{"key": "b', "s.jsonl:2: is not JSON"),
    ],
)
def test_bad_labels_are_errors_that_name_file_and_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_label_predictions(write(tmp_path, content, name), CLASSES)
    assert message in caught.value.message


def test_a_label_list_is_a_data_set_with_or_without_its_pictures(tmp_path: Path) -> None:
    path = write(tmp_path, "a 0 2\nb 1\n")
    benchmark = open_label_list("pets:val", CLASSES, path, None)
    assert benchmark.tasks == ("classification",)
    assert [(each.key, each.image, benchmark.truth(each).present) for each in benchmark.samples] == [
        ("a", None, (0, 2)),
        ("b", None, (1,)),
    ]
    assert "only finished predictions" in benchmark.notices[-1]
    write_tree(tmp_path, None, "pictures", ["a.jpg"])
    benchmark = open_label_list("pets:val", CLASSES, path, tmp_path / "pictures")
    assert [each.image for each in benchmark.samples] == [tmp_path / "pictures" / "a.jpg"]
    assert [key for key, _ in benchmark.absent] == ["b"]
    (tmp_path / "pictures" / "a.jpg").unlink()
    with pytest.raises(DataError, match="none of its 2 pictures"):
        open_label_list("pets:val", CLASSES, path, tmp_path / "pictures")


RUN_ROWS = rows(
    {
        "key": "a.jpg",
        "image": "a.jpg",
        "text": "a dog on grass",
        "scorer": "pixel",
        "tags": ["Dog"],
        "candidates": [
            {"tag": "Dog", "score": 0.9, "selected": True, "x": 1, "y": 2, "runner_up": "grass"},
            {"tag": "grass", "score": 0.2, "selected": False},
            {"tag": "xyzzy", "score": None, "selected": False, "note": "unknown word"},
        ],
    },
    {"key": "b.jpg", "error": "cannot be decoded"},
)


@pytest.mark.parametrize("whole", [True, False])
def test_tags_of_our_own_runs_keep_scores_and_decisions(tmp_path: Path, whole: bool) -> None:
    path = write(tmp_path, RUN_ROWS, "tags.jsonl")
    found = read_tag_predictions(tmp_path if whole else path)
    assert set(found) == {"a.jpg"}
    assert found["a"].tags == ("dog",) and found["a"].text == "a dog on grass"
    assert found["a"].candidates == (
        JudgedTag("dog", 0.9, True),
        JudgedTag("grass", 0.2, False),
        JudgedTag("xyzzy", None, False),
    )


@pytest.mark.parametrize(
    "row",
    [
        {"tags": ["Dog"], "candidates": ["dog", "Grass"]},
        {"tags": ["dog"], "candidates": [{"tag": "Dog", "score": 0.7}, {"tag": "grass", "selected": False}]},
        {"tags": "dog", "candidates": [{"tag": "dog", "selected": None}, {"tag": "grass"}]},
        {"candidates": [{"tag": "dog", "selected": True}, {"tag": "grass"}]},
    ],
)
def test_candidates_that_do_not_say_so_were_kept_where_the_tags_have_them(tmp_path: Path, row: dict[str, Any]) -> None:
    found = read_tag_predictions(write(tmp_path, rows({"key": "a"} | row), "t.jsonl"))["a"]
    assert found.candidates is not None
    assert found.tags == ("dog",)
    assert [(each.tag, each.selected) for each in found.candidates] == [("dog", True), ("grass", False)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", rows({"id": 7, "tags": ["Dog", "wet grass"]}, {"image": "b.jpg", "tags": "sky"})),
        ("t.txt", "7\tDog, wet grass\nb.jpg\tsky\n"),
        ("t.csv", 'id,caption,tags\n7,a dog,"Dog, wet grass"\nb.jpg,a sky,sky\n'),
        ("t.tsv", "image\ttags\n7.jpg\tDog, wet grass\nb.jpg\tsky\n"),
    ],
)
def test_anybodys_lists_of_tags_are_read(tmp_path: Path, name: str, content: str) -> None:
    found = read_tag_predictions(write(tmp_path, content, name))
    assert [found[key].tags for key in ("7", "b")] == [("dog", "wet grass"), ("sky",)]
    assert found["7"].candidates is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", rows({"key": "a", "tags": ["x"]}, {"key": "a", "tags": []}), "t.jsonl:2: a comes twice"),
        ("t.csv", "id,tags\na,dog\na,cat\n", "t.csv:3: a comes twice"),
        ("t.jsonl", rows({"key": "a", "tags": [1]}), "t.jsonl:1: has no list of tags"),
        ("t.jsonl", rows({"key": "a"}), "t.jsonl:1: has no list of tags"),
        ("t.jsonl", rows({"key": "a", "tags": [], "candidates": [{"score": 1}]}), "t.jsonl:1: a candidate has no tag"),
        (
            "t.jsonl",
            rows({"key": "a", "candidates": [{"tag": "dog", "score": "high"}]}),
            "t.jsonl:1: the score of dog is no finite number",
        ),
        (
            "t.jsonl",
            rows({"key": "b", "tags": []}, {"key": "a", "tags": [], "candidates": [{"tag": "Dog", "selected": True}]}),
            "t.jsonl:2: dog is selected but not among its tags",
        ),
        (
            "t.jsonl",
            rows({"key": "a", "tags": ["dog"], "candidates": [{"tag": "dog", "selected": False}]}),
            "t.jsonl:1: dog is among its tags but not selected",
        ),
        (
            "t.jsonl",
            rows({"key": "a", "candidates": [{"tag": "dog", "selected": "no"}]}),
            "t.jsonl:1: selected of dog is neither true nor false",
        ),
        ("t.jsonl", rows({"key": "a", "candidates": [{"tag": "dog", "score": 0.9}]}), "t.jsonl:1: has no list of tags"),
        ("t.txt", "a dog\n", "t.txt:1: has no tab between key and tags"),
        ("t.jsonl", "\n", "holds no tags"),
    ],
)
def test_bad_tag_files_are_errors_that_name_file_and_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_tag_predictions(write(tmp_path, content, name))
    assert message in caught.value.message


def test_a_folder_without_tags_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no tags.jsonl"):
        read_tag_predictions(tmp_path)

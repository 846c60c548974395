"""Tags found before and masks of them: `--tags-file` picture by picture, in every form in which tags are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Ttd
from tests.cli.test_method_tagclip import BEACH, NAMES, draw, labels_of, model
from tests.support.tiny_coco import DOG, annotation, document, square, write_tree
from tests.support.tiny_evaluation import draw_voc, voc_keys
from tests.support.tiny_sets import write_text
from ttd_core.data.benchmarks.label_files_rows import Answers

NAMED = ["cat", "horse", "car", "boat", "tree"]
CLASSES = "cat\nhorse: horse, pony\ncar: car, automobile, truck\nboat\ntree\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        draw(tmp_path / "photos" / f"{number}.png", 48, 64, seed=number)
    return tmp_path / "photos"


def rows_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


@pytest.mark.parametrize("form", ["json lines", "published", "run folder"])
def test_masks_of_tags_found_before_are_those_of_the_one_pass(
    ttd: Ttd, tmp_path: Path, photos: Path, form: str
) -> None:
    """With the classes named, in numbers, synonyms and words of background: `tree` is one of those and a class."""
    listing = write_text(tmp_path / "classes.txt", CLASSES)
    asked = ("--input", photos, "--classes", listing, "--format", "jsonl", *model())
    one_pass = rows_of(ttd("masks", "--method", "tagclip+clip-es", *asked))
    if form == "published":
        tags = tmp_path / "tags.txt"
        rows_of(ttd("tags", "--method", "tagclip", *asked, "--out", tags))
    else:
        folder = tmp_path / "tags"
        answer = ttd("tags", "--method", "tagclip", *asked, "--out", folder)
        tags = folder if form == "run folder" else write_text(tmp_path / "tags.jsonl", answer.out)
    found = rows_of(ttd("masks", "--method", "clip-es", *asked, "--tags-file", tags))
    assert [row["key"] for row in found] == ["0.png", "1.png", "2.png"]
    for row, want in zip(found, one_pass, strict=True):
        assert [(each["tag"], each["label"]) for each in row["masks"]] == [
            (each["tag"], each["label"]) for each in want["masks"]
        ]
        assert np.array_equal(labels_of(row), labels_of(want)) and labels_of(row).any()


def test_numbers_follow_the_list_that_the_tags_were_chosen_from(ttd: Ttd, tmp_path: Path, photos: Path) -> None:
    asked = ("--input", photos, "--tags", ",".join(NAMES), "--format", "jsonl", *model())
    tags = ttd("tags", "--method", "tagclip", *asked)
    listing = write_text(tmp_path / "tags.jsonl", tags.out)
    masks = ttd(
        "masks", "--method", "clip-es", "--input", photos, "--tags-file", listing, "--format", "jsonl", *model()
    )
    for row in rows_of(masks):
        assert [each["label"] for each in row["masks"]] == [NAMES.index(each["tag"]) + 1 for each in row["masks"]]


def test_words_of_captions_are_numbered_as_they_stand(ttd: Ttd, tmp_path: Path, photos: Path) -> None:
    row = {"key": "0.png", "text": "a boat and a cat", "tags": ["cat", "boat"],
           "candidates": [{"tag": "boat", "selected": True}, {"tag": "cat", "selected": True}]}  # fmt: skip
    listing = write_text(tmp_path / "tags.jsonl", json.dumps(row) + "\n")
    asked = ("--image", photos / "0.png", "--tags-file", listing, "--format", "jsonl", *model())
    (found,) = rows_of(ttd("masks", "--method", "clip-es", *asked))
    assert [(each["tag"], each["label"]) for each in found["masks"]] == [("cat", 1), ("boat", 2)]


def test_a_single_picture_is_found_by_its_folders(ttd: Ttd, tmp_path: Path) -> None:
    pictures = [draw(tmp_path / folder / "1.png", 48, 64, seed) for seed, folder in enumerate("ab")]
    lines = [{"key": f"{folder}/1.png", "tags": [tag]} for folder, tag in (("a", "cat"), ("b", "boat"))]
    listing = write_text(tmp_path / "tags.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    for picture, tag in zip(pictures, ("cat", "boat"), strict=True):
        asked = ("--image", picture, "--tags-file", listing, "--format", "jsonl", *model())
        assert [each["tag"] for each in rows_of(ttd("masks", "--method", "clip-es", *asked))[0]["masks"]] == [tag]
    other = draw(tmp_path / "c" / "1.png", 48, 64, 5)
    answer = ttd("masks", "--method", "clip-es", "--image", other, "--tags-file", listing, *model())
    assert answer.code == 3 and "1.png: no tags in" in answer.err
    same = tmp_path / "b" / "again" / "a" / "1.png"
    same.parent.mkdir(parents=True)
    same.write_bytes(pictures[1].read_bytes())
    answer = ttd("masks", "--method", "clip-es", "--image", same, "--tags-file", listing, *model())
    assert answer.code == 3 and "holds a run with other settings" in answer.err, answer.err


def test_a_data_set_takes_its_published_tags(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 2, (40, 30))
    listing = write_text(tmp_path / "tags.txt", "".join(f"{key} 2 14\n" for key in voc_keys(2)))
    asked = ("--data", "voc2012", "--root", root, "--tags-file", listing, "--format", "jsonl", *model())
    for row in rows_of(ttd("masks", "--method", "clip-es", *asked)):
        assert [(each["tag"], each["label"]) for each in row["masks"]] == [("bird", 3), ("person", 15)]


REFUSED = {
    "numbers without classes": ("0 1 3\n1 2\n2 0\n", (), 2, ["numbers of classes", "--classes FILE"]),
    "a number too high": ("0 1 9\n", ("--classes",), 3, ["label 9 is outside 0..4"]),
    "a name that is no class": ('{"key": "0", "tags": ["dog"]}\n', ("--classes",), 3, ["dog is no class of"]),
    "scores alone": ('{"key": "0", "scores": [1, 2, 3, 4, 5]}\n', ("--classes",), 3, ["neither labels, tags"]),
    "words": ("cat\nboat\n", ("--classes",), 2, ["both list the candidates", "JSON Lines"]),
    "a table": ("key\ttag\n0.png\tcat\n", (), 3, ["has a tab", "--format jsonl"]),
}


@pytest.mark.parametrize(("content", "more", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_tags_of_pictures_is_refused_in_a_line(
    ttd: Ttd, tmp_path: Path, photos: Path, content: str, more: tuple[str, ...], code: int, words: list[str]
) -> None:
    name = "tags.jsonl" if content.startswith("{") else "tags.txt"
    listing = write_text(tmp_path / name, content)
    classes = (*more, write_text(tmp_path / "classes.txt", CLASSES)) if more else ()
    answer = ttd("masks", "--method", "clip-es", "--input", photos, "--tags-file", listing, *classes, *model())
    assert answer.code == code and [word for word in words if word not in answer.err] == [], answer.err


@pytest.mark.parametrize("names", [["cat", "route 66", "boat"], ["thing 1", "thing 2"]])
def test_a_vocabulary_with_numbers_in_it_stays_one(ttd: Ttd, tmp_path: Path, photos: Path, names: list[str]) -> None:
    listing = write_text(tmp_path / "words.txt", "".join(f"{name}\n" for name in names))
    asked = ("--image", photos / "0.png", "--tags-file", listing, "--format", "json", *model())
    answer = ttd("tags", "--method", "tagclip", *asked)
    assert [each["tag"] for each in json.loads(answer.out)["candidates"]] == names


def test_answers_of_one_name_are_told_apart_by_folders() -> None:
    answers = Answers({"a/1.jpg": 1, "b/1.jpg": 2, "2.jpg": 3, "c/2.jpg": 4, "y/c/2.png": 5})
    assert (answers.match("x/a/1.png"), answers.match("b/1")) == ("a/1.jpg", "b/1.jpg")
    assert answers.match("1.jpg") is None and answers.match("d/1.jpg") is None
    assert (answers.match("c/2.png"), answers.match("2.png")) == ("c/2.jpg", "2.jpg")
    assert (answers.match("y/c/2.jpg"), answers.match("/z/y/c/2")) == ("y/c/2.png", "y/c/2.png")
    twice = Answers({"a.jpg": 1, "a.png": 2})
    assert (twice.match("a.png"), twice.match("a.gif"), twice.match("b/a.jpg")) == ("a.png", None, None)


def test_many_answers_of_one_name_are_found_at_once() -> None:
    answers = Answers({f"scene{number}/image": number for number in range(20_000)})
    assert all(answers[f"scene{number}/image.png"] == number for number in range(0, 20_000, 7))


def test_a_tag_file_of_folders_within_folders_is_read_back(ttd: Ttd, tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "photos/a", "photos/photos/a")):
        draw(tmp_path / "photos" / f"{name}.png", 48, 64, seed)
    listing = write_text(tmp_path / "classes.txt", CLASSES)
    asked = ("--input", tmp_path / "photos", "--classes", listing, "--format", "jsonl", *model())
    tags = rows_of(ttd("tags", "--method", "tagclip", *asked, "--out", tmp_path / "t.txt"))
    masks = rows_of(ttd("masks", "--method", "clip-es", *asked, "--tags-file", tmp_path / "t.txt"))
    assert [row["key"] for row in masks] == ["a.png", "photos/a.png", "photos/photos/a.png"]
    for row, mask in zip(tags, masks, strict=True):
        assert sorted(each["tag"] for each in mask["masks"]) == sorted(row["tags"])


@pytest.mark.parametrize("form", ["t.txt", "run"])
def test_a_class_that_the_built_in_model_does_not_know_keeps_its_number(ttd: Ttd, tmp_path: Path, form: str) -> None:
    listing = write_text(tmp_path / "classes.txt", "dog\nokapi\nboat\nsun\n")
    asked = ("--image", BEACH, "--classes", listing, "--format", "jsonl")
    (tags,) = rows_of(ttd("tags", "--method", "tagclip", *asked, "--out", tmp_path / form))
    (mask,) = rows_of(ttd("masks", "--method", "clip-es", *asked, "--tags-file", tmp_path / form))
    numbers = {"dog": 1, "boat": 3, "sun": 4}
    assert tags["tags"] and {each["tag"]: each["label"] for each in mask["masks"]} == {
        tag: numbers[tag] for tag in tags["tags"]
    }


@pytest.mark.parametrize("named", [False, True])
def test_a_pipe_numbers_masks_by_the_class_list(ttd: Ttd, tmp_path: Path, photos: Path, named: bool) -> None:
    listing = write_text(tmp_path / "classes.txt", CLASSES)
    tags = ttd("tags", "--method", "tagclip", "--input", photos, "--classes", listing, "--format", "jsonl", *model())
    more = ("--classes", listing) if named else ()
    asked = ("masks", "--method", "clip-es", "--input", "-", *more, "--format", "jsonl", *model())
    found = rows_of(ttd(*asked, stdin=tags.out.encode()))
    assert len(found) == 3
    for row in found:
        assert row["masks"]
        assert [each["label"] for each in row["masks"]] == [NAMED.index(each["tag"]) + 1 for each in row["masks"]]


def test_one_answer_for_two_pictures_is_an_error(ttd: Ttd, tmp_path: Path) -> None:
    for seed, folder in enumerate("xy"):
        draw(tmp_path / "photos" / folder / "1.png", 48, 64, seed)
    listing = write_text(tmp_path / "tags.jsonl", '{"key": "1", "tags": ["cat"]}\n')
    answer = ttd("masks", "--method", "clip-es", "--input", tmp_path / "photos", "--tags-file", listing, *model())
    assert answer.code == 3 and "1 would answer for x/1.png and for y/1.png" in answer.err


def test_tags_of_a_coco_run_are_masks_by_the_same_names(ttd: Ttd, tmp_path: Path) -> None:
    shapes = [annotation(1, 1, DOG, square(2, 3, 5)), annotation(2, 2, DOG, square(0, 0, 4))]
    root = write_tree(tmp_path / "data", document(shapes))
    asked = ("--data", "coco2017", "--root", root, "--format", "jsonl", *model())
    tags = rows_of(ttd("tags", "--method", "tagclip", *asked, "--out", tmp_path / "run"))
    masks = rows_of(ttd("masks", "--method", "clip-es", *asked, "--tags-file", tmp_path / "run"))
    assert {"motorbike", "sofa"} <= {each["tag"] for each in tags[0]["candidates"]}  # TagCLIP's names
    for row, mask in zip(tags, masks, strict=True):
        assert sorted(each["tag"] for each in mask["masks"]) == sorted(row["tags"]) and row["tags"]


def test_what_is_filed_under_a_path_belongs_to_no_other_picture_of_that_name(ttd: Ttd, tmp_path: Path) -> None:
    for seed, name in enumerate(("1", "b/1")):
        draw(tmp_path / "photos" / f"{name}.png", 48, 64, seed)
    listing = write_text(tmp_path / "tags.jsonl", '{"key": "b/1.png", "tags": ["cat"]}\n')
    asked = ("masks", "--method", "clip-es", "--input", tmp_path / "photos", "--tags-file", listing, *model())
    answer = ttd(*asked, "--keep-going", "--format", "jsonl")
    skipped, found = rows_of(answer)
    assert skipped["key"] == "1.png" and "no tags in" in skipped["error"]
    assert found["key"] == "b/1.png" and [each["tag"] for each in found["masks"]] == ["cat"]


def test_a_tag_file_without_any_tag_is_read_back_and_one_with_an_id_twice_is_named(
    ttd: Ttd, tmp_path: Path, photos: Path
) -> None:
    classes = write_text(tmp_path / "classes.txt", CLASSES)
    asked = ("masks", "--method", "clip-es", "--input", photos, "--classes", classes, "--format", "jsonl", *model())
    none = write_text(tmp_path / "none.txt", "0\n1\n2\n")
    assert [row["masks"] for row in rows_of(ttd(*asked, "--tags-file", none))] == [[], [], []]
    twice = write_text(tmp_path / "twice.txt", "0 1\n0 2\n1\n2\n")
    answer = ttd(*asked, "--tags-file", twice)
    assert answer.code == 3 and "twice.txt:2: 0 comes twice" in answer.err


def test_the_drawn_scenes_are_said_to_have_no_files(ttd: Ttd) -> None:
    answer = ttd("tags", "--method", "tagclip", "--data", "scenes:test")
    assert answer.code == 2 and "--data scenes has no picture files" in answer.err

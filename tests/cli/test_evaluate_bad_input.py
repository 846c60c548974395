"""Data and answers that are not right end in one clear line, and never in a silently wrong figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Answer, Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc, voc_keys, write_rows
from tests.support.tiny_sets import write_mask, write_picture, write_text

SIZE = (16, 24)
KEYS = voc_keys(3)
SET = Path("VOCdevkit/VOC2012")


class Voc:
    """Three pictures with truths and answers, to be spoilt and evaluated."""

    def __init__(self, ttd: Ttd, folder: Path) -> None:
        self._ttd = ttd
        self.root, self.answers = draw_voc(folder / "data", 3), draw_answers(folder / "answers", 3)
        self.truths = self.root / SET / "SegmentationClass"

    def __call__(self, *more: object, pred: object = None) -> Answer:
        answer = self._ttd(
            "evaluate", "--task", "masks", "--data", "voc2012", "--root", self.root, "--pred", pred or self.answers,
            "--workers", 0, "--no-report", "--format", "json", *more,
        )  # fmt: skip
        assert answer.code != 1 and "Traceback" not in answer.err, answer.err
        return answer

    def counts(self, *more: object) -> dict[str, int]:
        answer = self(*more)
        assert answer.code == 0, answer.err
        counts: dict[str, int] = json.loads(answer.out)["counts"]
        return counts


@pytest.fixture
def voc(ttd: Ttd, tmp_path: Path) -> Voc:
    return Voc(ttd, tmp_path)


def said(answer: Answer, *parts: str) -> None:
    """The call failed on its data, printed no figures, and said all of this in a line of its own."""
    assert answer.code == 3 and not answer.out
    line = next(line for line in answer.err.splitlines() if line.startswith("error: "))
    assert [part for part in parts if part not in line] == []


# one answer or truth among good ones -------------------------------------------------------------------------------


def _size(path: Path) -> None:
    write_mask(path, np.zeros((8, 24), np.uint8))


def _beyond(path: Path) -> None:
    write_mask(path, np.full(SIZE, 66, np.uint8))


def _instances(path: Path) -> None:
    Image.fromarray(np.full(SIZE, 1007, np.uint16)).save(path)


def _colours(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8)).save(path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


SPOILT: list[tuple[Callable[[Path], None], str]] = [
    (_size, "24×8"),
    (_beyond, "holds 66"),
    (_instances, "holds 1007"),
    (_colours, "RGB"),
    (_cut, "not a readable mask"),
    (_empty, "not a readable mask"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILT, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("side", ["answers", "truths"])
def test_a_bad_label_map_is_named_counted_and_not_scored(
    voc: Voc, side: str, spoil: Callable[[Path], None], message: str
) -> None:
    (voc.root / SET / "ImageSets/Segmentation/val.txt").write_text("\n".join(KEYS[1:]) + "\n")
    without = json.loads(voc("--out", "without").out)
    (voc.root / SET / "ImageSets/Segmentation/val.txt").write_text("\n".join(KEYS) + "\n")
    spoil(getattr(voc, side) / f"{KEYS[0]}.png")
    answer = voc()
    result = json.loads(answer.out)
    assert answer.code == 3 and message in answer.err and f"skipped {KEYS[0]}" in answer.err
    assert (result["counts"]["scored"], result["counts"]["skipped"], result["complete"]) == (2, 1, False)
    assert result["metrics"] == without["metrics"]
    assert voc().code == 3, "said again"
    kept = voc("--keep-going")
    assert kept.code == 0 and json.loads(kept.out)["counts"]["skipped"] == 1


def test_nothing_that_can_be_scored(voc: Voc) -> None:
    for key in KEYS:
        _beyond(voc.answers / f"{key}.png")
    said(voc(), "none of the 3 samples", "could be scored")


def test_a_reordered_palette_is_said(voc: Voc) -> None:
    path = voc.answers / f"{KEYS[0]}.png"
    with Image.open(path) as picture:
        colours = np.array(picture.getpalette(), dtype=np.uint8).reshape(-1, 3)
        pixels = np.array(picture)
    turned = Image.fromarray(np.where(pixels == 1, 2, np.where(pixels == 2, 1, pixels)).astype(np.uint8))
    colours[[1, 2]] = colours[[2, 1]]
    turned.putpalette(colours.tobytes())
    turned.save(path)
    answer = voc()
    assert answer.code == 0 and "VOC's colours at other indices" in answer.err


@pytest.mark.parametrize("mode", ["RGB in the palette's colours", "16 bit", "grey"])
def test_other_forms_of_the_same_labels_give_the_same_figures(voc: Voc, mode: str) -> None:
    figures = json.loads(voc().out)["metrics"]
    for key in KEYS:
        with Image.open(voc.answers / f"{key}.png") as picture:
            pixels, colours = np.array(picture), picture.convert("RGB")
        if mode == "16 bit":
            Image.fromarray(pixels.astype(np.uint16)).save(voc.answers / f"{key}.png")
        elif mode == "grey":
            Image.fromarray(pixels).save(voc.answers / f"{key}.png")
        else:
            colours.save(voc.answers / f"{key}.png")
    answer = voc()
    assert json.loads(answer.out)["metrics"] == figures
    assert ("RGB" in answer.err) == mode.startswith("RGB")


# which answers there are ---------------------------------------------------------------------------------------------


def test_missing_answers_are_an_error_or_counted(voc: Voc) -> None:
    (voc.answers / f"{KEYS[1]}.png").unlink()
    said(voc(), "1 of 3 samples have no answer", KEYS[1])
    counts = voc.counts("--allow-missing")
    assert (counts["selected"], counts["missing"], counts["planned"], counts["scored"]) == (3, 1, 2, 2)


def test_answers_to_other_pictures(voc: Voc) -> None:
    for key in KEYS:
        (voc.answers / f"{key}.png").rename(voc.answers / f"other_{key}.png")
    said(voc(), "answers none of the 3 samples", KEYS[0])
    said(voc("--allow-missing"), "answers none of the 3 samples")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("background\nbicycle\naeroplane\n", "class 1 is bicycle, expected aeroplane"),
        ("aeroplane\nbicycle\n", "class 0 is aeroplane, expected background"),
        ("background\naeroplane\n", "has 2 classes"),
    ],
)
def test_another_order_of_classes(voc: Voc, names: str, message: str) -> None:
    write_text(voc.answers / "classes.txt", names)
    said(voc(), "classes.txt", message)


def test_a_file_or_nothing_where_label_maps_are_expected(voc: Voc, tmp_path: Path) -> None:
    said(voc(pred=voc.answers / f"{KEYS[0]}.png"), "is no folder")
    said(voc(pred=tmp_path / "nowhere"), "no such folder")
    (tmp_path / "empty").mkdir()
    said(voc(pred=tmp_path / "empty"), "holds no .png or .npy files")


# the data set --------------------------------------------------------------------------------------------------------


def test_a_half_downloaded_set(voc: Voc) -> None:
    (voc.root / SET / "JPEGImages" / f"{KEYS[0]}.jpg").unlink()
    (voc.truths / f"{KEYS[1]}.png").unlink()
    said(voc(), "2 of 3 samples are not whole", KEYS[0], KEYS[1])
    counts = voc.counts("--allow-missing")
    assert (counts["listed"], counts["absent"], counts["scored"]) == (3, 2, 1)


def test_an_empty_folder_and_no_folder(voc: Voc, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "empty", tmp_path / "nowhere"):
        said(voc("--root", root), str(root))


def test_a_list_that_leaves_the_folder(voc: Voc, tmp_path: Path) -> None:
    write_picture(tmp_path / "secret.jpg")
    write_mask(tmp_path / "secret.png", np.zeros(SIZE, np.uint8))
    write_mask(voc.answers / "secret.png", np.zeros(SIZE, np.uint8))
    names = voc.root / SET / "ImageSets/Segmentation/val.txt"
    names.write_text("\n".join([*KEYS, "../../../../secret", str(tmp_path / "secret")]) + "\n")
    said(voc(), "2 of 5 samples are not whole", "leads out of its folder")
    assert voc.counts("--allow-missing")["scored"] == 3


def test_an_empty_list(voc: Voc) -> None:
    (voc.root / SET / "ImageSets/Segmentation/val.txt").write_text("\n")
    said(voc(), "no ids in", "val.txt")


def test_an_id_twice_counts_once(voc: Voc) -> None:
    names = voc.root / SET / "ImageSets/Segmentation/val.txt"
    before = json.loads(voc("--out", "before").out)
    names.write_text("\n".join([*KEYS, KEYS[0]]) + "\n")
    answer = voc()
    assert f"names {KEYS[0]} more than once" in answer.err
    assert json.loads(answer.out)["metrics"] == before["metrics"]


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


# tags ----------------------------------------------------------------------------------------------------------------


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


# wrong usage ---------------------------------------------------------------------------------------------------------


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
        ttd(*call, "--task", "masks", "--pred", write_text(tmp_path / "tags.jsonl", GOOD)),
        ttd(*call, "--task", "classification", "--pred", folder),
        ttd(*call, "--task", "masks", "--class-names", folder),
        ttd("evaluate", "--data", folder),
    ]
    assert [answer.code for answer in answers] == [3] * 5
    assert all("error: " in answer.err and not answer.out for answer in answers)

"""Data and answers that are not right end in one clear line, and never in a silently wrong figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Answer, Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc, voc_keys
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

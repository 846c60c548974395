"""`--method tagclip`, `clip-es` and both in a row: the commands leave the published answers and the methods' own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.conftest import Ttd
from tests.support.golden import load_case
from tests.support.models import TAGCLIP_TINY, tiny_backbone, tiny_clip_file
from tests.support.tiny_evaluation import draw_voc, rows_of, voc_keys
from tests.support.tiny_sets import write_text
from tests.support.tiny_tcl import tiny_masker_state_dict
from ttd_core.data.benchmarks.class_lists import names_for
from ttd_core.data.images import load_picture
from ttd_core.data.label_maps import read_label_map
from ttd_core.methods.clip_es.maps import ClipEs, enlarged
from ttd_core.methods.clip_es.masks import decide
from ttd_core.methods.clip_es.tower import ClipCamTower
from ttd_core.methods.tagclip.tagger import Tagger, chosen_tags
from ttd_core.methods.tagclip.tower import ClipLocalTower
from ttd_core.methods.tcl.model import IMAGENET_MEAN, IMAGENET_STD
from ttd_core.recipes.maps import picture_tensor
from ttd_core.recipes.tagclip_towers import LONGEST, seen_size
from ttd_core.text.bank import TextBank
from ttd_core.text.rivals import RIVALS

SEED = 2
BEACH = Path(__file__).parents[2] / "examples" / "beach.png"
NAMES = ["cat", "horse", "car", "boat"]


def model(seed: int = SEED) -> tuple[object, ...]:
    return ("--model", "auto", "--pretrained", tiny_clip_file(seed, TAGCLIP_TINY))


backbone = cache(lambda: tiny_backbone(SEED, TAGCLIP_TINY))


@cache
def texts(names: tuple[str, ...], templates: str) -> torch.Tensor:
    return TextBank(backbone()).embed(list(names), templates)


def draw(path: Path, height: int, width: int, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def image_of(path: Path) -> torch.Tensor:
    picture, info = load_picture(path), backbone().info
    return picture_tensor(picture, seen_size(picture.size, 16, None), info.mean, info.std)[None]


def scores_of(path: Path, names: list[str]) -> torch.Tensor:
    tagger = Tagger(ClipLocalTower(backbone().network.visual), 100.0)
    asked = torch.cat([texts(tuple(names), "full+maskclip"), texts(RIVALS, "full+maskclip")])
    return tagger(image_of(path), [asked], [torch.arange(len(names))])[0].scores


def labels_by_hand(path: Path, names: list[str], background: float = 1.0) -> np.ndarray:
    """Labels k + 1 of the named tags, as section 8.1 has them."""
    maker = ClipEs(ClipCamTower(backbone().network.visual), 100.0)
    (maps,) = maker(image_of(path), [texts(tuple(names), "origami")], texts(RIVALS, "origami"))
    large = enlarged(maps, load_picture(path).size).half().numpy()
    rest = 1 - large.max(axis=0) if background == 1 else np.full_like(large[0], background)
    found: np.ndarray = np.concatenate([rest[None], large]).argmax(axis=0)
    return found


def answered(ttd: Ttd, *arguments: object) -> dict[str, Any]:
    answer = ttd(*arguments, "--format", "json")
    assert answer.code == 0, answer.err
    row: dict[str, Any] = json.loads(answer.out)
    return row


def labels_of(row: dict[str, Any]) -> np.ndarray:
    return read_label_map(Path(row["folder"]) / row["files"]["labels"]).labels


def scored(row: dict[str, Any]) -> list[float]:
    return [each["score"] for each in row["candidates"]]


# tags ------------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_published_tag_file(ttd: Ttd, tmp_path: Path) -> None:
    """From pictures and class names alone, through tokens, prompts and both refinements."""
    case = load_case("tagclip", "tags_e2e_voc20")
    for i in range(4):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(case.arrays[f"im{i}_image"]).save(tmp_path / "photos" / f"img{i}.png")
    listing = write_text(tmp_path / "classes.txt", "\n".join(case.info["classes"]) + "\n")
    answer = ttd(
        "tags", "--method", "tagclip", "--input", tmp_path / "photos", "--classes", listing,
        "--out", tmp_path / "t.txt", "--format", "jsonl", *model(case.info["weights_seed"]),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert (tmp_path / "t.txt").read_text() == case.info["tag_file"]
    for i, line in enumerate(answer.out.splitlines()):
        np.testing.assert_allclose(scored(json.loads(line)), case.arrays[f"im{i}_final"], atol=3e-5)


SHAPES = {"plain": (70, 90), "smaller than a patch": (5, 9), "a strip": (9, 300), "one pixel": (1, 1)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_scores_are_those_of_the_tagger(ttd: Ttd, tmp_path: Path, shape: tuple[int, int]) -> None:
    picture = draw(tmp_path / "photo.png", *shape)
    row = answered(ttd, "tags", "--image", picture, "--tags", ",".join(NAMES), "--method", "tagclip", *model())
    expected = scores_of(picture, NAMES)
    assert scored(row) == pytest.approx(expected.tolist(), abs=2e-6)
    kept = [name for name, keep in zip(NAMES, chosen_tags(expected, 0.5).tolist(), strict=True) if keep]
    assert sorted(row["tags"]) == sorted(kept) and kept


def test_pictures_of_a_folder_are_tagged_as_one_by_one(ttd: Ttd, tmp_path: Path) -> None:
    for number, shape in enumerate([(40, 50), (90, 60), (40, 50), (41, 60)]):
        draw(tmp_path / "photos" / f"{number}.png", *shape, seed=number)
    asked = (
        "tags",
        "--input",
        tmp_path / "photos",
        "--tags",
        ",".join(NAMES),
        "--method",
        "tagclip",
        "--format",
        "jsonl",
    )
    rows = [
        [json.loads(line) for line in ttd(*asked, *model(), "--batch-size", size, "--overwrite").out.splitlines()]
        for size in (1, 8)
    ]
    assert [row["key"] for row in rows[1]] == ["0.png", "1.png", "2.png", "3.png"]
    for alone, together in zip(*rows, strict=True):
        assert together["tags"] == alone["tags"] and scored(together) == pytest.approx(scored(alone), abs=2e-6)


def test_a_class_of_one_repetitions_and_synonyms(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 64, 80)
    asked = ("tags", "--image", picture, "--method", "tagclip", *model())
    one = answered(ttd, *asked, "--classes", write_text(tmp_path / "one.txt", "cat\n"))
    assert one["tags"] == ["cat"] and scored(one) == pytest.approx(scores_of(picture, ["cat"]).tolist(), abs=2e-6)
    answer = ttd(*asked, "--classes", write_text(tmp_path / "two.txt", "cat\nCat\ncar\ncat\n"), "--format", "json")
    assert answer.err.count("repeat a class") == 1 and "two.txt: 2 line(s)" in answer.err and "Cat, cat" in answer.err
    twice = json.loads(answer.out)
    assert [each["tag"] for each in twice["candidates"]] == ["cat", "car"]
    plain = answered(ttd, *asked, "--tags", "cat,car")
    assert scored(twice) == scored(plain)
    same = answered(ttd, *asked, "--classes", write_text(tmp_path / "same.txt", "animal: cat\nmachine: car, car\n"))
    assert [each["tag"] for each in same["candidates"]] == ["animal", "machine"] and scored(same) == scored(plain)
    more = answered(ttd, *asked, "--classes", write_text(tmp_path / "more.txt", "animal: cat, horse\nmachine: car\n"))
    assert len(more["candidates"]) == 2 and scored(more) != scored(plain)


def test_words_of_a_caption_are_scored_by_the_scorer_as_by_the_method(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 64, 80)
    asked = ("tags", "--image", picture, "--text", "a cat beside the old car", *model())
    by_scorer = answered(ttd, *asked, "--scorer", "tagclip")
    by_method = answered(ttd, *asked, "--method", "tagclip")
    assert scored(by_scorer) == scored(by_method) and by_scorer["tags"] == by_method["tags"]
    assert scored(by_scorer) == pytest.approx(scores_of(picture, ["cat", "beside", "old", "car"]).tolist(), abs=2e-6)
    unseen = answered(ttd, "tags", "--text", "a cat beside the old car", "--scorer", "tagclip")
    assert [each["score"] for each in unseen["candidates"]] == [None] * 4


def test_auto_lets_words_of_background_win(ttd: Ttd, tmp_path: Path) -> None:
    pictures = [draw(tmp_path / f"{seed}.png", 64, 80, seed) for seed in range(4)]
    found = []
    for picture in pictures:
        asked = ("tags", "--image", picture, "--tags", ",".join(NAMES), "--method", "tagclip", *model())
        plain, auto = answered(ttd, *asked), answered(ttd, *asked, "--select", "auto")
        assert scored(auto) == scored(plain) and plain["tags"]
        found.append(auto["tags"])
    assert any(not tags for tags in found)


# masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bg", [1.0, 0.3])
def test_masks_of_known_tags_are_those_of_clip_es(ttd: Ttd, tmp_path: Path, bg: float) -> None:
    picture = draw(tmp_path / "photo.png", 70, 90)
    row = answered(
        ttd, "masks", "--image", picture, "--tags", ",".join(NAMES), "--method", "clip-es", "--bg", bg, *model()
    )
    assert [mask["tag"] for mask in row["masks"]] == NAMES
    assert np.array_equal(labels_of(row), labels_by_hand(picture, NAMES, bg)) and len(np.unique(labels_of(row))) > 2


def test_maps_of_several_scales_are_their_mean(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "p.png", 64, 96)
    asked = ("masks", "--image", picture, "--tags", ",".join(NAMES), "--method", "clip-es", *model())
    answer = ttd(*asked, "--scales", "1.0,1.5", "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    info, own = backbone().info, ClipEs(ClipCamTower(backbone().network.visual), 100.0)
    background = texts(RIVALS, "origami")
    maps = []
    for size in ((64, 96), (96, 144)):
        shown = picture_tensor(load_picture(picture), size, info.mean, info.std)[None]
        maps.append(enlarged(own(shown, [texts(tuple(NAMES), "origami")], background)[0], (6, 9)))
    wanted = decide((maps[0] + maps[1]) / 2, (64, 96), 1.0)
    assert np.array_equal(read_label_map(tmp_path / "run" / "labels" / "p.png").labels, wanted)


def test_classify_then_segment_makes_masks_of_the_tags_alone(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 70, 90)
    listing = write_text(tmp_path / "classes.txt", "\n".join(NAMES) + "\n")
    asked = ("masks", "--image", picture, "--method", "tagclip+clip-es", "--threshold", 0.2, *model())
    row = answered(ttd, *asked, "--classes", listing)
    kept = torch.nonzero(chosen_tags(scores_of(picture, NAMES), 0.2))[:, 0].tolist()
    assert 1 <= len(kept) < len(NAMES) and sorted(row["tags"]) == sorted(NAMES[i] for i in kept)
    named = np.array([0, *(i + 1 for i in kept)])
    assert np.array_equal(labels_of(row), named[labels_by_hand(picture, [NAMES[i] for i in kept])])
    listed = answered(ttd, *asked, "--tags", ",".join(NAMES))
    assert listed["tags"] == row["tags"]  # the method's choice holds for listed tags, too


def test_tags_of_one_run_are_masks_of_the_next(ttd: Ttd, tmp_path: Path) -> None:
    for number in range(3):
        draw(tmp_path / "photos" / f"{number}.png", 48, 64, seed=number)
    tags = ttd(
        "tags", "--input", tmp_path / "photos", "--tags", ",".join(NAMES), "--method", "tagclip", "--format", "jsonl",
        *model(),
    )  # fmt: skip
    rows = [json.loads(line) for line in tags.out.splitlines()]
    listing = write_text(tmp_path / "tags.jsonl", "".join(json.dumps(row) + "\n" for row in rows[:2]))
    masks = ttd(
        "masks", "--input", tmp_path / "photos", "--tags-file", listing, "--method", "clip-es", "--format", "jsonl",
        "--keep-going", *model(),
    )  # fmt: skip
    assert masks.code == 0 and "2.png" in masks.err and "no tags in" in masks.err
    found = [json.loads(line) for line in masks.out.splitlines()]
    for row, mask in zip(rows[:2], found[:2], strict=True):
        assert sorted(mask["tags"]) == sorted(row["tags"])
        names = [name for name in NAMES if name in row["tags"]]
        ours = labels_by_hand(tmp_path / "photos" / row["key"], names)
        numbers = np.array([0, *(NAMES.index(name) + 1 for name in names)])
        assert np.array_equal(labels_of(mask), numbers[ours]) and len(names) == len(mask["masks"])


def test_masks_may_be_cut_from_the_models_own_maps(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 64, 80)
    asked = ("masks", "--image", picture, "--text", "a cat beside the old car", "--image-size", 64, *model())
    row = answered(ttd, *asked, "--scorer", "tagclip")
    assert row["tags"] and len(row["tags"]) < 4
    plain = answered(ttd, *asked, "--select", "top", "--threshold", len(row["tags"]))
    assert row["files"].keys() == plain["files"].keys() and "caption" in row["files"]
    named = answered(ttd, *asked, "--method", "tagclip+ttd")
    assert np.array_equal(labels_of(named), labels_of(row)) and named["tags"] == row["tags"]


def test_masks_of_a_folder_are_those_of_its_pictures_one_by_one(ttd: Ttd, tmp_path: Path) -> None:
    for number, shape in enumerate([(40, 50), (90, 60), (40, 50), (41, 60), (40, 50)]):
        draw(tmp_path / "photos" / f"{number}.png", *shape, seed=number)
    listing = write_text(tmp_path / "classes.txt", "\n".join(NAMES) + "\n")
    asked = ("masks", "--input", tmp_path / "photos", "--classes", listing, "--npz", "--format", "jsonl", *model())
    for method in ("clip-es", "tagclip+clip-es"):
        runs = [tmp_path / f"{method}-{size}" for size in (1, 8)]
        found = []
        for size, run in zip((1, 8), runs, strict=True):
            answer = ttd(*asked, "--method", method, "--batch-size", size, "--out", run)
            assert answer.code == 0, answer.err
            found.append([json.loads(line) for line in answer.out.splitlines()])
        assert [row["tags"] for row in found[0]] == [row["tags"] for row in found[1]]
        for row in found[0]:
            alone, together = (np.load(run / row["files"]["npz"]) for run in runs)
            assert alone.files == together.files and np.array_equal(alone["tags"], together["tags"])
            for name in set(alone.files) - {"tags"}:
                # maps are kept in half precision, whose steps below 1 are 2^-11
                np.testing.assert_allclose(together[name], alone[name], rtol=0, atol=2**-11)


def test_the_clip_below_tcl_is_tagged_and_mapped_with(ttd: Ttd, tmp_path: Path) -> None:
    """The masker has no part in it; pictures are normalised in TCL's way, as all that this model sees."""
    picture = draw(tmp_path / "photo.png", 70, 90)
    state = tmp_path / "tcl.pth"
    torch.save({"model": tiny_masker_state_dict(SEED, TAGCLIP_TINY)}, state)
    tcl = ("--model", "tcl", "--weights", state, "--pretrained", tiny_clip_file(SEED, TAGCLIP_TINY))
    seen = picture_tensor(load_picture(picture), (80, 96), IMAGENET_MEAN, IMAGENET_STD)[None]
    visual, names = backbone().network.visual, tuple(NAMES)
    asked = torch.cat([texts(names, "full+maskclip"), texts(RIVALS, "full+maskclip")])
    (expected,) = Tagger(ClipLocalTower(visual), 100.0)(seen, [asked], [torch.arange(len(NAMES))])
    row = answered(ttd, "tags", "--image", picture, "--tags", ",".join(NAMES), "--method", "tagclip", *tcl)
    assert scored(row) == pytest.approx(expected.scores.tolist(), abs=2e-6)
    maker = ClipEs(ClipCamTower(visual), 100.0)
    (maps,) = maker(seen, [texts(names, "origami")], texts(RIVALS, "origami"))
    row = answered(ttd, "masks", "--image", picture, "--tags", ",".join(NAMES), "--method", "clip-es", *tcl)
    assert np.array_equal(labels_of(row), decide(maps, (70, 90), 1.0)) and len(np.unique(labels_of(row))) > 2


def test_products_in_bfloat16_move_scores_a_little_and_name_another_run(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 70, 90)
    asked = ("tags", "--image", picture, "--tags", ",".join(NAMES), "--method", "tagclip", "--save", *model())
    plain = answered(ttd, *asked)
    rounded = answered(ttd, *asked, "--precision", "bf16")
    assert scored(rounded) != scored(plain) and scored(rounded) == pytest.approx(scored(plain), abs=0.1)
    manifests = sorted((tmp_path / "runs" / "tags").glob("*/manifest.json"))
    assert sorted(json.loads(each.read_text())["dtype"] for each in manifests) == ["bfloat16", "float32"]


@pytest.mark.parametrize(
    ("command", "method"),
    [
        ("tags", "tagclip"),
        ("masks", "clip-es"),
        ("masks", "tagclip+clip-es"),
        ("masks", "tagclip+ttd"),
        ("masks", "ttd"),
    ],
)
def test_the_built_in_model_takes_bfloat16_products_in_every_method(ttd: Ttd, command: str, method: str) -> None:
    asked = (command, "--image", BEACH, "--tags", "dog,umbrella,sea,boat", "--method", method)
    plain, rounded = answered(ttd, *asked), answered(ttd, *asked, "--precision", "bf16")
    assert scored(rounded) == pytest.approx(scored(plain), abs=0.02)
    if command == "masks":
        assert (labels_of(rounded) == labels_of(plain)).mean() > 0.97


# evaluation ------------------------------------------------------------------------------------------------------


def test_a_recipe_of_tags_runs(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 3, (40, 30))
    answer = ttd(
        "evaluate", "--task", "classification", "--data", "voc2012", "--root", root, "--method", "tagclip", "--names",
        "tagclip", *model(), "--out", tmp_path / "run", "--no-report", "--workers", 0, "--format", "json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    names = list(load_case("tagclip", "tags_e2e_voc20").info["classes"])
    for key, row in zip(voc_keys(3), rows_of(tmp_path / "run"), strict=True):
        expected = scores_of(root / "VOCdevkit/VOC2012/JPEGImages" / f"{key}.jpg", names)
        assert row["scores"] == pytest.approx(expected.tolist(), abs=2e-6)


def test_a_recipe_of_masks_counts_the_labels_of_both_stages(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 3, (40, 30))
    answer = ttd(
        "evaluate", "--recipe", "tagclip/voc2012", "--root", root, *model(), "--out", tmp_path / "run", "--no-report",
        "--workers", 0,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    tagging, drawing = names_for("tagclip", "voc20"), names_for("tagclip-segmentation", "voc20")
    for key, row in zip(voc_keys(3), rows_of(tmp_path / "run"), strict=True):
        path = root / "VOCdevkit/VOC2012/JPEGImages" / f"{key}.jpg"
        kept = torch.nonzero(chosen_tags(scores_of(path, list(tagging)), 0.5))[:, 0].tolist()
        labels = np.array([0, *(i + 1 for i in kept)])[labels_by_hand(path, [drawing[i] for i in kept])]
        truth = np.asarray(Image.open(root / "VOCdevkit/VOC2012/SegmentationClass" / f"{key}.png"))
        found = np.zeros(21, dtype=np.int64)
        for _, label, count in row["cells"]:
            found[label] += count
        assert np.array_equal(found, np.bincount(labels[truth != 255], minlength=21))


def test_a_recipe_takes_a_split_of_its_own_data_set(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 3, (40, 30))
    lists = root / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    (lists / "sample.txt").write_text(f"{voc_keys(3)[1]}\n", encoding="utf-8")
    answer = ttd(
        "evaluate", "--recipe", "tagclip/voc2012", "--data", "voc2012:sample", "--root", root, *model(),
        "--out", tmp_path / "run", "--no-report", "--workers", 0,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert [row["key"] for row in rows_of(tmp_path / "run")] == [voc_keys(3)[1]]


def test_a_weights_file_takes_the_place_of_a_recipe_s_own_weights(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 1, (40, 30))
    answer = ttd(
        "evaluate", "--recipe", "tagclip/voc2012", "--root", root, "--model", "auto", "--weights",
        tiny_clip_file(SEED, TAGCLIP_TINY), "--out", tmp_path / "run", "--no-report", "--workers", 0,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "pretrained: openai" not in (tmp_path / "run/run.yaml").read_text(encoding="utf-8")


# what does not go together ---------------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[tuple[Any, ...], list[str]]] = {
    "masks of tags alone": (("masks", "--method", "tagclip"), ["does not serve ttd masks", "tagclip+clip-es"]),
    "tags of maps alone": (("tags", "--method", "clip-es"), ["does not serve ttd tags"]),
    "TCL's scorer": (("tags", "--method", "tcl", "--scorer", "tagclip", "--model", "tcl"), ["--scorer tagclip"]),
    "auto without rivals": (("tags", "--select", "auto"), ["--select auto", "tagclip"]),
    "a power too high": (("masks", "--method", "clip-es", "--bg", 11), ["--bg 11", "power from 1 to 10"]),
    "a power of others": (("masks", "--bg", 2), ["--bg"]),
    "a preset of others": (("tags", "--preset", "stuff"), ["--preset does not go with --method ttd"]),
    "a rule of none": (("masks", "--method", "clip-es", "--select", "top", "--threshold", 1), ["--select does not go"]),
    "a threshold of none": (("masks", "--method", "clip-es", "--threshold", 0.9), ["--threshold does not go"]),
    "features of others": (
        ("tags", "--method", "tagclip", "--model", "ViT-B-16", "--dense", "clip"), ["--dense does not go"]
    ),
    "a root of no data": (("tags", "--root", "/data"), ["--root is the folder of --data"]),
    "a share": (("tags", "--method", "tagclip", "--threshold", 1.5), ["--threshold"]),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_does_not_go_together_is_refused(
    ttd: Ttd, tmp_path: Path, asked: tuple[Any, ...], words: list[str]
) -> None:
    command, *more = asked
    answer = ttd(command, "--image", draw(tmp_path / "a.png", 20, 20), "--tags", "dog", *more)
    assert answer.code == 2 and not answer.out
    assert [word for word in words if word not in answer.err] == []


@pytest.mark.parametrize(
    ("size", "seen"),
    [((100, 141), (112, 144)), ((224, 224), (224, 224)), ((3, 5), (32, 32)), ((5, 10_000), (32, LONGEST)),
     ((2048, 1024), (1024, 512))],
)  # fmt: skip
def test_pictures_are_seen_at_their_own_size_within_bounds(size: tuple[int, int], seen: tuple[int, int]) -> None:
    assert seen_size(size, 16, None) == seen


def test_a_stated_size_is_that_of_the_shorter_side() -> None:
    assert seen_size((100, 200), 16, 64) == (64, 128) and seen_size((10, 10_000), 16, 64) == (32, LONGEST)

"""`--method tcl`: what the commands leave is TCL's inference to the bit, and what does not fit is refused in a line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.conftest import Ttd
from tests.cli.test_evaluate_same_figures import compare
from tests.support.models import tiny_clip_file, tiny_tcl, tiny_tcl_file
from tests.support.tiny_evaluation import draw_voc, rows_of, voc_keys
from tests.support.tiny_sets import draw_devkit, write_text
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.data.benchmarks.class_lists import class_list
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.data.images import load_picture
from ttd_core.data.label_maps import read_label_map
from ttd_core.methods.tcl.inference import TclInference
from ttd_core.methods.tcl.scenes import scenes_tcl_network
from ttd_core.methods.tcl.scenes_weights import load_scenes_tcl, save_scenes_tcl
from ttd_core.recipes.evaluation.class_texts import class_texts
from ttd_core.recipes.methods import METHODS
from ttd_core.text.prompts import fill, template_set
from ttd_core.types import ModelInfo

SIZE, WINDOW, STRIDE = 48, 32, 24
# between the scores of random weights, so that neither the background nor the classes have everything
BG = 0.45


def model() -> tuple[object, ...]:
    return ("--model", "tcl", "--weights", tiny_tcl_file(), "--pretrained", tiny_clip_file())


def tcl(*more: object) -> tuple[object, ...]:
    """TCL's protocol on a small scale."""
    return (*model(), "--method", "tcl", "--image-size", SIZE, "--window", WINDOW, "--stride", STRIDE, *more)


backbone = cache(tiny_tcl)


def inference(pamr: bool = True) -> TclInference:
    return TclInference(backbone(), pamr=pamr, size=SIZE, window=WINDOW, stride=STRIDE)


@cache
def text(name: str, templates: str) -> torch.Tensor:
    with torch.no_grad():
        prompts = [fill(prompt, name) for prompt in template_set(templates)]
        embeddings: torch.Tensor = backbone().encode_texts(prompts)
        return embeddings.mean(0)


def texts(names: Sequence[str], templates: str = "custom") -> torch.Tensor:
    """Means over unnormalised prompts, class names as they stand."""
    return torch.stack([text(name, templates) for name in names])


def draw(path: Path, height: int, width: int, seed: int = 0) -> Path:
    """A picture of coloured patches with soft noise: something for PAMR to hold on to."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)).astype(np.int64)
    noisy = np.clip(pixels + random.integers(-9, 10, pixels.shape), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy).save(path)
    return path


def answered(ttd: Ttd, *arguments: object) -> dict[str, Any]:
    answer = ttd(*arguments, "--format", "json")
    assert answer.code == 0, answer.err
    row: dict[str, Any] = json.loads(answer.out)
    return row


def labels_of(row: dict[str, Any]) -> np.ndarray:
    return read_label_map(Path(row["folder"]) / row["files"]["labels"]).labels


SHAPES = {"larger than a window": (70, 90), "smaller than a window": (20, 26), "a strip": (9, 200), "a cell": (3, 5)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("pamr", [True, False])
def test_label_maps_are_those_of_the_inference(ttd: Ttd, tmp_path: Path, shape: tuple[int, int], pamr: bool) -> None:
    names = ["cat", "grass", "red ball"]
    picture = draw(tmp_path / "photo.png", *shape)
    refine = () if pamr else ("--no-pamr",)
    row = answered(ttd, "masks", "--image", picture, "--tags", ",".join(names), "--bg", BG, *tcl(*refine))
    expected = inference(pamr).label_map(load_picture(picture).pixels, texts(names), BG)
    found = labels_of(row)
    assert found.shape == shape and np.array_equal(found, expected)
    assert [mask["tag"] for mask in row["masks"]] == names


def test_random_masks_hold_several_labels(ttd: Ttd, tmp_path: Path) -> None:
    """Else the comparisons of this file would compare nothing."""
    names = ["cat", "grass", "red ball"]
    picture = draw(tmp_path / "photo.png", 70, 90)
    row = answered(ttd, "masks", "--image", picture, "--tags", ",".join(names), "--bg", BG, *tcl())
    assert len(np.unique(labels_of(row))) >= 3


@pytest.mark.parametrize(("pamr", "background"), [("--pamr", 0.4), ("--no-pamr", 0.5)])
def test_the_background_is_the_published_one_of_the_protocol(
    ttd: Ttd, tmp_path: Path, pamr: str, background: float
) -> None:
    picture = draw(tmp_path / "photo.png", 40, 50)
    row = answered(ttd, "masks", "--image", picture, "--tags", "dog,grass", *tcl(pamr))
    expected = inference(pamr == "--pamr").label_map(load_picture(picture).pixels, texts(["dog", "grass"]), background)
    assert np.array_equal(labels_of(row), expected) and f"@bg{background:.2f}" in row["folder"]


def test_published_values_are_those_of_a_bare_method(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 40, 50)
    row = answered(ttd, "masks", "--image", picture, "--tags", "dog", "--method", "tcl", *model())
    reading = json.loads((Path(row["folder"]) / "manifest.json").read_text())["reading"]
    stated = {"method": "tcl", "image_size": 448, "longest": 2048, "window": 448, "stride": 224, "kp_weight": 0.3}
    assert stated.items() <= reading.items() and reading["pamr"] is True and reading["templates"] == "custom"
    expected = TclInference(backbone(), pamr=True).label_map(load_picture(picture).pixels, texts(["dog"]), 0.4)
    assert np.array_equal(labels_of(row), expected)


def test_both_spellings_of_the_published_values_are_one_run(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 40, 50)
    asked = ("masks", "--image", picture, "--tags", "dog", *tcl())
    first = answered(ttd, *asked)
    again = ttd(*asked, "--pamr", "--bg", "0.4", "--format", "json")
    assert again.code == 0 and "already done" in again.err
    assert json.loads(again.out)["folder"] == first["folder"]


def test_a_class_list_competes_whole_and_keeps_its_numbers(ttd: Ttd, tmp_path: Path) -> None:
    names = class_list("cocostuff171").names
    listing = write_text(tmp_path / "classes.txt", "\n".join(names) + "\n")
    picture = draw(tmp_path / "photo.png", 60, 40)
    row = answered(ttd, "masks", "--image", picture, "--tags-file", listing, "--bg", BG, *tcl())
    expected = inference().label_map(load_picture(picture).pixels, texts(names), BG)
    assert np.array_equal(labels_of(row), expected)
    won = sorted(set(np.unique(expected).tolist()) - {0})
    assert sorted(mask["label"] for mask in row["masks"]) == won and set(row["tags"]) == {names[k - 1] for k in won}
    assert len(row["candidates"]) == 171


def test_classes_of_one_and_duplicates(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 40, 50)
    one = write_text(tmp_path / "one.txt", "dog\n")
    row = answered(ttd, "masks", "--image", picture, "--tags-file", one, "--bg", BG, *tcl())
    expected = inference().label_map(load_picture(picture).pixels, texts(["dog"]), BG)
    assert np.array_equal(labels_of(row), expected)
    twice = answered(ttd, "masks", "--image", picture, "--tags", "dog,Dog,dog", "--bg", BG, *tcl())
    assert [mask["tag"] for mask in twice["masks"]] == ["dog"] and np.array_equal(labels_of(twice), expected)


def test_words_of_a_caption_are_kept_where_their_map_reaches_the_threshold(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 70, 90)
    caption = "a cat on green grass with a ball"
    row = answered(ttd, "masks", "--image", picture, "--text", caption, "--threshold", 0.51, "--bg", BG, *tcl())
    scores = {each["tag"]: each["score"] for each in row["candidates"]}
    kept = [tag for tag, score in scores.items() if score >= 0.51]
    assert 0 < len(kept) < len(scores) and sorted(row["tags"]) == sorted(kept)
    pixels = load_picture(picture).pixels
    assert np.array_equal(labels_of(row), inference().label_map(pixels, texts(kept), BG))
    own = read_label_map(Path(row["folder"]) / row["files"]["caption"], binary=True).labels
    assert np.array_equal(own, inference().label_map(pixels, texts([caption], "identity"), BG))


def test_tags_are_scored_by_the_highest_place_of_a_map_before_pamr(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", SIZE, 60)
    row = answered(ttd, "tags", "--image", picture, "--tags", "dog,grass", *tcl("--threshold", 0))
    expected = inference(pamr=False).scores(load_picture(picture).pixels, texts(["dog", "grass"])).flatten(1)
    assert [each["score"] for each in row["candidates"]] == pytest.approx(expected.amax(1).tolist(), abs=1e-6)
    places = [(each["y"], each["x"]) for each in row["candidates"]]
    assert places == [divmod(int(index), 60) for index in expected.argmax(1)]


def test_sheets_are_drawn_from_the_maps(ttd: Ttd, tmp_path: Path) -> None:
    picture = draw(tmp_path / "photo.png", 40, 50)
    row = answered(ttd, "demo", "--image", picture, "--tags", "dog,grass", *tcl())
    with Image.open(Path(row["folder"]) / row["files"]["sheet"]) as sheet:
        assert sheet.size[0] > 50 and len(row["candidates"]) == 2


def test_a_folder_is_gone_through(ttd: Ttd, tmp_path: Path) -> None:
    for number, shape in enumerate([(40, 50), (20, 90), (64, 64)]):
        draw(tmp_path / "photos" / f"{number}.png", *shape, seed=number)
    answer = ttd("masks", "--input", tmp_path / "photos", "--tags", "dog,grass", "--bg", BG, *tcl("--format", "jsonl"))
    assert answer.code == 0, answer.err
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert [row["key"] for row in rows] == ["0.png", "1.png", "2.png"]
    for row in rows:
        pixels = load_picture(tmp_path / "photos" / row["key"]).pixels
        assert np.array_equal(labels_of(row), inference().label_map(pixels, texts(["dog", "grass"]), BG))


# evaluation ----------------------------------------------------------------------


def confusion(rows: list[dict[str, Any]], size: int) -> np.ndarray:
    table = np.zeros((size, size), dtype=np.int64)
    for row in rows:
        for true, found, pixels in row["cells"]:
            table[true, found] += pixels
    return table


def by_hand(root: Path, keys: Sequence[str], classes: str, background: float | None) -> np.ndarray:
    """The confusion of TclInference's label maps; without background 0 is ignored and k becomes k - 1."""
    listed = class_list(classes)
    embeddings = texts(listed.things)
    base = root / "VOCdevkit" / "VOC2012"
    table = np.zeros((len(listed.names), len(listed.names)), dtype=np.int64)
    for key in keys:
        truth = np.asarray(Image.open(base / "SegmentationClass" / f"{key}.png")).astype(np.int64)
        if background is None:
            truth = np.where((truth == 0) | (truth == 255), 255, truth - 1)
        found = inference().label_map(load_picture(base / "JPEGImages" / f"{key}.jpg").pixels, embeddings, background)
        counted = truth != 255
        np.add.at(table, (truth[counted], found[counted].astype(np.int64)), 1)
    return table


def mean_iou(table: np.ndarray) -> float:
    both, union = np.diag(table), table.sum(0) + table.sum(1) - np.diag(table)
    return float(np.mean([100 * a / b for a, b in zip(both, union, strict=True) if b]))


@pytest.mark.parametrize(("data", "classes"), [("voc2012", "voc21"), ("voc2012-20", "voc20")])
def test_counts_are_right_with_and_without_background(ttd: Ttd, tmp_path: Path, data: str, classes: str) -> None:
    root = draw_voc(tmp_path / "data", 3, (40, 30))
    bg = ("--bg", BG) if classes == "voc21" else ()
    answer = ttd(
        "evaluate", "--task", "masks", "--data", data, "--root", root, *tcl(*bg), "--out", tmp_path / "run",
        "--workers", 0, "--no-report", "--format", "json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    expected = by_hand(root, voc_keys(3), classes, BG if bg else None)
    assert expected.any(axis=0).sum() > 1, "an answer of one class proves little"
    size = len(expected)
    assert np.array_equal(confusion(rows_of(tmp_path / "run"), size + 1)[:size, :size], expected)
    result = json.loads(answer.out)
    assert result["metrics"]["miou"]["value"] == pytest.approx(mean_iou(expected), abs=1e-9)
    absent = [row["iou"] for row in result["per_class"] if row["name"] == "train"]
    union = expected.sum(0) + expected.sum(1)
    assert (absent == [None]) == (union[class_list(classes).names.index("train")] == 0)


def test_a_score_for_the_background_leaves_pixels_to_no_class_in_a_list_without_one(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 2, (40, 30))
    answer = ttd(
        "evaluate",
        "--data",
        "voc2012-20",
        "--root",
        root,
        *tcl("--bg", 0.999),
        "--out",
        tmp_path / "run",
        "--no-report",
    )
    assert answer.code == 0, answer.err
    assert {found for row in rows_of(tmp_path / "run") for _, found, _ in row["cells"]} == {20}


def test_a_recipe_runs_and_is_compared(ttd: Ttd, tmp_path: Path) -> None:
    draw_devkit(tmp_path / "data" / "VOCdevkit" / "VOC2012")
    answer = ttd(
        "evaluate", "--recipe", "tcl/voc-nopamr", "--root", tmp_path / "data", "--weights", tiny_tcl_file(),
        "--pretrained", tiny_clip_file(), "--expect", "--workers", 0, "--no-report", "--out", tmp_path / "run",
    )  # fmt: skip
    assert answer.code == 5 and re.search(r"miou: [0-9.]+, outside \(51\.2 ± 0\.1\)", answer.err)
    options = json.loads((tmp_path / "run" / "metrics.json").read_text())["options"]
    assert (options["method"], options["bg"], options["window"], options["kp_weight"]) == ("tcl", 0.5, 448, 0.3)


def test_names_are_prompted_as_they_stand_and_synonyms_only_from_a_file(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 2, (40, 30))
    asked = ("evaluate", "--data", "voc2012", "--root", root, *tcl("--bg", BG), "--no-report", "--workers", 0)
    names = list(class_list("voc21").things)
    groups = [[name] for name in names]
    groups[names.index("person")] = ["man", "woman", "child"]
    listing = write_text(tmp_path / "names.txt", "".join(", ".join(group) + "\n" for group in groups))
    answer = ttd(*asked, "--class-names", listing, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    flat = [(name, index) for index, group in enumerate(groups) for name in group]
    owner = np.array([0, *(index + 1 for _, index in flat)])
    for key, row in zip(voc_keys(2), rows_of(tmp_path / "run"), strict=True):
        pixels = load_picture(root / "VOCdevkit/VOC2012/JPEGImages" / f"{key}.jpg").pixels
        labels = owner[inference().label_map(pixels, texts([name for name, _ in flat]), BG)]
        truth = np.asarray(Image.open(root / "VOCdevkit/VOC2012/SegmentationClass" / f"{key}.png"))
        counts = np.bincount(labels[truth != 255], minlength=21)
        found = np.zeros(21, dtype=np.int64)
        for _, answer_label, count in row["cells"]:
            found[answer_label] += count
        assert np.array_equal(found, counts)


def test_ade20ks_bed_keeps_its_blank_which_is_not_nothing() -> None:
    """`a photo of {}s.` is one of the published templates, and `bed s` is not `beds`."""
    classes = class_list("ade150")
    assert classes.names[7] == "bed" and class_texts(classes, None).texts[7] == "bed"
    asked = class_texts(classes, None, METHODS["tcl"].verbatim).texts
    assert asked[7] == "bed " and len(asked) == 150
    assert not torch.equal(texts(["bed "]), texts(["bed"]))
    voc = class_list("voc21")
    assert class_texts(voc, None, True).texts == voc.things


def test_a_list_of_ones_own_is_prompted_with_its_own_names() -> None:
    own = ClassList("mine", ("background", "red ", "dog"), True)
    assert class_texts(own, None, True).texts == ("red", "dog")


def test_batches_workers_and_shards_change_nothing(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 7)
    asked = ("--task", "masks", "--data", "voc2012", "--root", root, *tcl("--bg", BG, "--no-pamr"))
    whole = compare(ttd, tmp_path, asked)
    assert whole["counts"]["scored"] == 7 and whole["reading"]["method"] == "tcl"


@pytest.mark.parametrize(("task", "figure"), [("tags", "f1"), ("text", "caption_iou"), ("classification", "map")])
def test_other_tasks_read_the_same_maps(ttd: Ttd, tmp_path: Path, task: str, figure: str) -> None:
    answer = ttd(
        "evaluate", "--task", task, "--data", "scenes:test", "--limit", 2, *tcl(), "--no-report", "--workers", 0,
        "--format", "json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["metrics"][figure]["value"] is not None


def test_a_masker_on_the_built_in_model_is_shown_pictures_at_that_models_size(
    ttd: Ttd, tmp_path: Path, weights: Path
) -> None:
    file = tmp_path / "masker.safetensors"
    network = scenes_tcl_network(load_scenes_backbone(weights))
    with torch.no_grad():
        network.masker.scale.fill_(4.0)
        network.masker.bias.fill_(-1.0)
    save_scenes_tcl(network, file)
    picture = draw(tmp_path / "photo.png", 70, 90)
    asked = ("masks", "--image", picture, "--tags", "dog,red ball", "--method", "tcl", "--bg", "0.3")
    row = answered(ttd, *asked, "--model", "scenes", "--weights", file)
    loaded = load_scenes_tcl(file)
    info = loaded.info
    own = TclInference(loaded, pamr=True, size=info.mask_size or info.image_size, **_windows(info))
    with torch.no_grad():
        embeddings = torch.stack([loaded.encode_texts([name])[0] for name in ("dog", "red ball")])
    expected = own.label_map(load_picture(picture).pixels, embeddings, 0.3)
    assert info.templates == "identity" and np.array_equal(labels_of(row), expected)
    plain = ttd(*asked, "--model", "scenes", "--weights", weights)
    assert plain.code == 2 and "masker" in plain.err and "--model tcl --weights tcl.pth" in plain.err


def _windows(info: ModelInfo) -> dict[str, int]:
    side = info.mask_size or info.image_size
    return {"window": side, "stride": side // 2}


# refusals ----------------------------------------------------------------------

ASKED = ("masks", "--image", "photo.png", "--tags", "dog")
REFUSED: dict[str, tuple[tuple[object, ...], list[str]]] = {
    "another model": (("--method", "tcl", "--model", "ViT-B-16"), ["--model ViT-B-16", "tcl or scenes", "tcl.pth"]),
    "the built-in weights": (("--method", "tcl"), ["--model scenes", "masker", "--weights tcl.pth"]),
    "an unknown method": (("--method", "tlc"), ["unknown method 'tlc'", "tcl"]),
    "scales": (("--scales", "1,2"), ["--scales", "--method tcl", "drop --scales"]),
    "mirror images": (("--hflip",), ["--hflip", "--method tcl"]),
    "a calibration": (("--calibration", "softmax"), ["--calibration", "--method tcl"]),
    "a CRF": (("--crf",), ["--crf", "--method tcl"]),
    "a pooled score": (("--scorer", "image"), ["--scorer image", "pixel"]),
    "a weight above one": (("--kp-weight", 1.5), ["--kp-weight 1.5", "0 to 1"]),
    "a window of nothing": (("--window", 0), ["--window 0"]),
    "gaps": (("--window", 32, "--stride", 40), ["32", "40", "gaps"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_before_anything_is_loaded(
    ttd: Ttd, tmp_path: Path, options: tuple[object, ...], words: list[str]
) -> None:
    draw(tmp_path / "photo.png", 20, 20)
    named = () if "--method" in options else (*model(), "--method", "tcl")
    answer = ttd(*ASKED, *named, *options)
    assert answer.code == 2 and not answer.out and len(answer.err.splitlines()) <= 2
    assert [word for word in words if word not in answer.err] == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", [("--kp-weight", 0.3), ("--window", 448), ("--stride", 224)])
def test_what_only_tcl_takes_is_refused_without_it(ttd: Ttd, tmp_path: Path, option: tuple[str, object]) -> None:
    draw(tmp_path / "photo.png", 20, 20)
    answer = ttd(*ASKED, *option)
    assert answer.code == 2 and option[0] in answer.err and "choose --method tcl" in answer.err


def test_a_task_that_needs_more_than_maps_is_refused(ttd: Ttd) -> None:
    answer = ttd("evaluate", "--task", "bias", "--data", "scenes:test", "--limit", 2, *tcl())
    assert answer.code == 2 and "--task bias" in answer.err and "--method ttd" in answer.err


def test_finished_answers_take_no_method(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 2)
    masks = root / "VOCdevkit/VOC2012/SegmentationClass"
    answer = ttd("evaluate", "--data", "voc2012", "--root", root, "--pred", masks, "--method", "tcl", *model())
    assert answer.code == 2 and "--pred" in answer.err


WRONG = {
    "a plain CLIP": (lambda: tiny_clip_file(), "no TCL checkpoint"),
    "nothing": (lambda: "gone.pth", "no such file"),
}


@pytest.mark.parametrize(("weights", "words"), WRONG.values(), ids=WRONG)
def test_wrong_weights_are_named(ttd: Ttd, tmp_path: Path, weights: Any, words: str) -> None:
    draw(tmp_path / "photo.png", 20, 20)
    answer = ttd(*ASKED, "--method", "tcl", "--model", "tcl", "--weights", weights(), "--pretrained", tiny_clip_file())
    assert answer.code != 0 and words in answer.err and "Traceback" not in answer.err

"""What `run_masks` leaves behind: label maps at the picture's own size, and JSON that agrees with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttd_core.protocols import SilentReporter
from ttd_core.recipes.masks import run_masks
from ttd_core.recipes.options import MaskOptions, ModelOptions
from ttd_core.recipes.recorded import start_run
from ttd_core.recipes.results import MaskResult, Skipped
from ttd_core.types import Sample

Pairs = list[tuple[Path, str]]


def make(
    model: ModelOptions, folder: Path, samples: list[Sample], **changes: object
) -> tuple[list[MaskResult | Skipped], Path]:
    chosen = replace(
        MaskOptions(image=str(samples[0].image), text="x", model=model, run_root=str(folder / "runs")),
        **changes,  # type: ignore[arg-type]
    )
    run = start_run("masks", chosen, "")
    assert run is not None
    with run:
        results = list(run_masks(chosen, samples, SilentReporter(), run))
        run.finish("done")
    return results, run.path


def labels_of(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("refiner", [{}, {"pamr": True}, {"crf": True}])
def test_areas_boxes_and_union_agree_with_the_label_map(
    model: ModelOptions, pairs: Pairs, tmp_path: Path, refiner: dict[str, bool]
) -> None:
    sample = Sample("a/b.png", pairs[0][0], pairs[0][1])
    (result,), folder = make(model, tmp_path, [sample], threshold=0.2, binary=True, npz=True, hflip=True, **refiner)
    assert isinstance(result, MaskResult)
    assert result.regions, "the random model should select something at this threshold"
    labels = labels_of(folder / result.files["labels"])
    assert labels.shape == (64, 64) == result.size
    for region in result.regions:
        mask = labels == region["label"]
        assert region["area"] == pytest.approx(mask.mean(), abs=1e-6)
        assert np.array_equal(labels_of(folder / result.files[f"tag:{region['tag']}"]), mask)
        if region["box"] is not None:
            x0, y0, x1, y1 = region["box"]
            assert mask[y0:y1, x0:x1].sum() == mask.sum()
    union = labels_of(folder / result.files["union"])
    assert np.array_equal(union, labels > 0)
    assert result.union_area == pytest.approx(union.mean())
    caption = labels_of(folder / result.files["caption"])
    assert result.caption_area == pytest.approx(caption.mean())
    stored = np.load(folder / result.files["npz"])
    assert list(stored["tags"]) == [region["tag"] for region in result.regions]
    assert json.loads((folder / "masks.jsonl").read_text())["key"] == "a/b.png"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["device"] == "cpu" and manifest["dtype"] == "float32" and len(manifest["model_sha256"]) == 64


def test_listed_tags_all_get_a_label_and_classes_only_where_selected(
    model: ModelOptions, pairs: Pairs, tmp_path: Path
) -> None:
    stated = Sample("a", pairs[0][0], None, ("dog", "boat"))
    (result,), _ = make(model, tmp_path / "1", [stated])
    assert isinstance(result, MaskResult)
    assert [(r["tag"], r["label"]) for r in result.regions] == [("dog", 1), ("boat", 2)]
    classes = tmp_path / "classes.txt"
    classes.write_text("dog\nboat\ntree\nsky\n", encoding="utf-8")
    names = ("dog", "boat", "tree", "sky")
    listed = Sample("a", pairs[0][0], None, names, classes=names)
    (chosen,), _ = make(model, tmp_path / "2", [listed], tags_file=str(classes), select="top", threshold=1)
    assert isinstance(chosen, MaskResult)
    (region,) = chosen.regions
    assert region["label"] == 1 + ["dog", "boat", "tree", "sky"].index(region["tag"])


def test_no_selected_tag_gives_an_empty_label_map_not_a_failure(
    model: ModelOptions, pairs: Pairs, tmp_path: Path
) -> None:
    (result,), folder = make(model, tmp_path, [Sample("a", pairs[0][0], "the of and")])
    assert isinstance(result, MaskResult)
    assert result.regions == () and result.union_area == 0
    assert not labels_of(folder / result.files["labels"]).any()


def test_two_keys_that_differ_in_their_suffix_do_not_overwrite_each_other(
    model: ModelOptions, pairs: Pairs, tmp_path: Path
) -> None:
    samples = [Sample("x.png", pairs[0][0], "a dog"), Sample("x.jpg", pairs[1][0], "a dog")]
    results, folder = make(model, tmp_path, samples)
    files = [result.files["labels"] for result in results if isinstance(result, MaskResult)]
    assert len(set(files)) == 2 and all((folder / file).is_file() for file in files)


def test_a_row_without_a_picture_is_skipped_by_name(model: ModelOptions, pairs: Pairs, tmp_path: Path) -> None:
    samples = [Sample("good", pairs[0][0], "a dog"), Sample("text", None, "a dog", origin="list.jsonl:2")]
    results, _ = make(model, tmp_path, samples)
    assert isinstance(results[0], MaskResult)
    assert isinstance(results[1], Skipped) and "list.jsonl:2" in results[1].reason


def test_recorded_rows_read_back_as_they_were(model: ModelOptions, pairs: Pairs, tmp_path: Path) -> None:
    samples = [Sample("a", pairs[0][0], pairs[0][1])]
    first, _ = make(model, tmp_path, samples)
    second, _ = make(model, tmp_path, samples)
    assert [item.to_json() for item in first] == [item.to_json() for item in second]

"""`ttd train --method ttd` as a whole: the adapter it leaves, taking up a killed run, other models and other data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ttd_core.recipes.train_ttd as recipe
from tests.support.models import ListReporter, tiny_clip_file, tiny_tcl_file
from ttd_core.clip.load import load_backbone
from ttd_core.errors import RunError, UsageError
from ttd_core.recipes.train_options import TrainOptions
from ttd_core.recipes.train_run import run_training
from ttd_core.recipes.train_ttd import train_ttd
from ttd_core.recipes.train_ttd_data import PairBatch, ScenePairs
from ttd_core.training.guard import StoppedByGuard
from ttd_core.training.log import read_log
from ttd_core.types import ModelSpec


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "VALIDATION_SCENES", 12)
    monkeypatch.setattr(recipe, "CALIBRATION_SCENES", 8)


def options(folder: Path, **changes: Any) -> TrainOptions:
    usual: dict[str, Any] = {
        "method": "ttd", "scenes": 24, "batch_size": 8, "steps": 4, "probe_every": 2, "save_every": 1,
        "recalibrate": False, "cache": str(folder / "cache"), "out": str(folder / "run"),
    }  # fmt: skip
    return TrainOptions(**(usual | changes))


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def steps(folder: Path) -> list[tuple[int, dict[str, float]]]:
    return [(entry["step"], entry["losses"]) for entry in read_log(folder / "log.jsonl") if "losses" in entry]


class Killed(BaseException):
    pass


class KillingReporter(ListReporter):
    """Ends the process, as it were, when a step has been taken."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._left = step

    def status(self, message: str) -> None:
        self._left -= 1
        if not self._left:
            raise Killed


def test_a_run_leaves_an_adapter_pictures_and_the_figures_before_and_after(tmp_path: Path) -> None:
    reporter = ListReporter()
    folder = run_training(options(tmp_path, recalibrate=True), "ttd train", reporter)
    assert folder == tmp_path / "run"
    for name in ("adapter_config.json", "ttd.json", "last/adapter_model.safetensors", "validation.json", "run.yaml"):
        assert (folder / name).is_file()
    for name in ("curves.png", "maps.png"):
        assert min(Image.open(folder / name).size) > 200
    assert [step for step, _ in steps(folder)] == [1, 2, 3, 4]
    figures = json.loads((folder / "validation.json").read_text())
    assert set(figures["before"]) == set(figures["after"]) >= {"val_f1_lying", "val_union_iou", "held_retrieval"}
    measured = [entry["validation"]["val_score"] for entry in read_log(folder / "log.jsonl") if "validation" in entry]
    assert len(measured) == 3 and figures["after"]["val_score"] == max(measured)
    assert json.loads((folder / "ttd.json").read_text())["reading"]["sigmoid_scale"] > 0
    run_training(options(tmp_path, recalibrate=True), "ttd train", again := ListReporter())
    assert "already done" in again.infos[0]


def test_the_adapter_gives_the_maps_of_the_model_that_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    build = recipe.TtdTraining

    def remember(*given: Any) -> Any:
        kept.append(build(*given))
        return kept[-1]

    monkeypatch.setattr(recipe, "TtdTraining", remember)
    train_ttd(options(tmp_path, lr=3e-3, batch_size=4), tmp_path / "run", ListReporter())
    trained = kept[0].backbone
    from ttd_core.training.checkpoint import load_weights

    load_weights(tmp_path / "run" / "ttd.pt", kept[0])
    spec = ModelSpec("scenes", lora=str(tmp_path / "run" / "last"))
    merged: Any = load_backbone(spec, torch.device("cpu"), ListReporter())
    plain: Any = load_backbone(ModelSpec("scenes"), torch.device("cpu"), ListReporter())
    pictures = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, wanted, base = (model.encode_images(pictures).dense for model in (merged, trained, plain))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(found, base, atol=1e-3)
        words = ["dog", "a red house"]
        torch.testing.assert_close(merged.encode_texts(words), trained.encode_texts(words), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_run_ends_as_an_unbroken_one_does(killed_after: int, tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    train_ttd(options(tmp_path), unbroken, ListReporter())
    with pytest.raises(Killed):
        train_ttd(options(tmp_path), broken, KillingReporter(killed_after))
    train_ttd(options(tmp_path), broken, ListReporter())
    assert steps(broken) == steps(unbroken)
    for name in ("", "last"):
        first, second = adapter(unbroken / name), adapter(broken / name)
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert (unbroken / "ttd.json").read_text() == (broken / "ttd.json").read_text()
    assert (unbroken / "validation.json").read_text() == (broken / "validation.json").read_text()


def test_parts_of_a_batch_one_after_the_other_make_the_same_step(tmp_path: Path) -> None:
    train_ttd(options(tmp_path), tmp_path / "whole", ListReporter())
    train_ttd(options(tmp_path, accumulate=4), tmp_path / "parts", ListReporter())
    for (_, whole), (_, parts) in zip(steps(tmp_path / "whole"), steps(tmp_path / "parts"), strict=True):
        assert parts == pytest.approx(whole, rel=1e-3)


def test_another_setting_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train_ttd(options(tmp_path), tmp_path / "run", KillingReporter(2))
    with pytest.raises(RunError, match="other options"):
        train_ttd(options(tmp_path, rank=2), tmp_path / "run", ListReporter())


def list_of_pairs(folder: Path, total: int) -> str:
    rng = np.random.default_rng(0)
    lines = ["image\tcaption"]
    for number in range(total):
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png\ta dog number {number} beside the house")
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return str(folder / "pairs.tsv")


@pytest.mark.parametrize("name", ["clip", "tcl"])
def test_anybodys_pairs_train_any_model(name: str, tmp_path: Path) -> None:
    files = {"model": "auto", "weights": tiny_clip_file(), "activation": "quickgelu"}
    if name == "tcl":
        files = {"model": "tcl", "weights": tiny_tcl_file(), "pretrained": tiny_clip_file()}
    chosen = options(
        tmp_path, data=list_of_pairs(tmp_path, 20), scenes=None, batch_size=4, image_size=64, guard=False, **files
    )
    result = train_ttd(chosen, tmp_path / "run", ListReporter())
    assert set(result.before) == {
        "held_loss", "held_spread", "held_selected", "held_likeness", "held_retrieval",
    }  # fmt: skip
    reading = json.loads((tmp_path / "run" / "last" / "ttd.json").read_text())["reading"]
    assert set(reading) == ({"sigmoid_scale", "sigmoid_bias"} if name == "tcl" else set())
    spec = chosen.model_options().spec()
    with_adapter = ModelSpec(**{**vars(spec), "lora": str(tmp_path / "run" / "last")})
    loaded: Any = load_backbone(with_adapter, torch.device("cpu"), ListReporter())
    assert torch.isfinite(loaded.encode_images(torch.zeros(1, 3, 64, 64)).dense).all()
    assert all(getattr(loaded.info, key) == value for key, value in reading.items())


def test_a_size_that_does_not_divide_into_patches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no multiple of the model's patch of 8 pixels"):
        train_ttd(options(tmp_path, image_size=100), tmp_path / "run", ListReporter())


def shuffled(batch: PairBatch) -> PairBatch:
    return PairBatch(batch.pictures, batch.captions[1:] + batch.captions[:1])


def repeated(batch: PairBatch) -> PairBatch:
    return PairBatch(np.repeat(batch.pictures[:1], len(batch), axis=0), batch.captions)


@pytest.mark.parametrize(
    ("spoil", "lr", "reason"),
    [
        (None, 3e-2, "hardly a word is selected|find their captions|selected words share one map|lose their places"),
        (shuffled, 3e-4, "captions do not belong to their pictures"),
        (repeated, 3e-4, "pictures of a batch are all alike"),
    ],
)
def test_a_run_that_collapses_is_ended_and_leaves_the_best_adapter(
    spoil: Any, lr: float, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = ScenePairs.share
    if spoil is not None:
        monkeypatch.setattr(ScenePairs, "share", lambda self, *at: spoil(share(self, *at)))
    chosen = options(tmp_path, lr=lr, steps=60, scenes=64, probe_every=10, save_every=20)
    with pytest.raises(StoppedByGuard, match=reason) as caught:
        run_training(chosen, "ttd train", ListReporter())
    assert caught.value.step < 60 and str(tmp_path / "run") in str(caught.value.hint)
    best = adapter(tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in best.values())
    card = json.loads((tmp_path / "run" / "ttd.json").read_text())
    assert card["training"]["stopped"] == caught.value.step
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "failed"

"""`ttd train --method tcl` as a whole: the weights it leaves, both stages, taking up a killed run, other data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import ttd_core.recipes.train_tcl as recipe
from tests.recipes.test_train_ttd import Killed, KillingReporter, list_of_pairs, steps
from tests.support.models import ListReporter, tiny_clip_file, tiny_tcl_file
from tests.support.tiny_pairs import sample_members, write_tar
from tests.support.tiny_tcl import tiny_masker_state_dict
from ttd_core.clip.load import load_backbone
from ttd_core.errors import RunError, UsageError
from ttd_core.methods.tcl.training import LOG_SCALE, TclTraining
from ttd_core.recipes.train_options import TrainOptions
from ttd_core.recipes.train_run import run_training
from ttd_core.recipes.train_tcl import train_tcl
from ttd_core.training.log import read_log
from ttd_core.types import ModelSpec

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "VALIDATION_SCENES", 12)


def options(folder: Path, **changes: Any) -> TrainOptions:
    """The tiny CLIP and 30 pairs of noise; two of four steps are the first stage."""
    usual: dict[str, Any] = {
        "method": "tcl", "model": "auto", "weights": tiny_clip_file(), "activation": "quickgelu", "image_size": 64,
        "batch_size": 4, "steps": 4, "frozen_steps": 2, "warmup": 1, "lr": 1e-3, "probe_every": 2, "save_every": 1,
        "out": str(folder / "run"),
    }  # fmt: skip
    if "data" not in changes:
        usual["data"] = list_of_pairs(folder, 30)
    return TrainOptions(**(usual | changes))


def trained(file: Path, **changes: Any) -> Any:
    return load_backbone(ModelSpec(**{"model": "tcl", "weights": str(file)} | changes), CPU, ListReporter())


def test_the_weights_have_published_names_and_load_without_naming_their_clip(tmp_path: Path) -> None:
    reporter = ListReporter()
    file = run_training(options(tmp_path), "ttd train", reporter)
    assert file == tmp_path / "run" / "tcl.safetensors" and f"--model tcl --weights {file}" in reporter.infos[-1]
    learned = {k: v for k, v in load_file(file).items() if not k.startswith("clip_")}
    published = tiny_masker_state_dict(0)
    assert {k: v.shape for k, v in learned.items()} == {k: v.shape for k, v in published.items()}
    pictures = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = trained(file).encode_images(pictures)
        named = trained(file, pretrained=tiny_clip_file()).encode_images(pictures)
        other = trained(Path(tiny_tcl_file()), pretrained=tiny_clip_file()).encode_images(pictures)
    torch.testing.assert_close(found.dense, named.dense)
    torch.testing.assert_close(found.pooled, other.pooled)  # the CLIP underneath stays as it is
    assert not torch.allclose(found.dense, other.dense, atol=1e-2)
    for name in ("curves.png", "validation.json", "tcl.pt", "last/tcl.safetensors"):
        assert (tmp_path / "run" / name).is_file()
    figures = json.loads((tmp_path / "run" / "validation.json").read_text())
    assert set(figures["before"]) == set(figures["after"]) >= {"held_loss", "held_tcli", "held_match"}
    assert run_training(options(tmp_path), "ttd train", again := ListReporter()) == file
    assert "already done" in again.infos[0]


def test_a_clip_of_another_activation_is_said_to_need_it(tmp_path: Path) -> None:
    result = train_tcl(options(tmp_path, activation="gelu", steps=1, frozen_steps=0), tmp_path / "a b", ListReporter())
    assert result.use == f"--model tcl --weights '{result.weights}' --activation gelu"
    assert trained(result.weights, activation="gelu").info.activation == "gelu"


def test_training_goes_on_from_weights_of_its_own_with_pamr_kernels_among_them(tmp_path: Path) -> None:
    first = train_tcl(options(tmp_path), tmp_path / "first", ListReporter())
    tensors = load_file(first.weights) | {"pamr.aff_x.kernel": torch.zeros(8, 1, 3, 3)}
    save_file(tensors, tmp_path / "full.safetensors")
    again = options(tmp_path, model="tcl", weights=str(tmp_path / "full.safetensors"), activation=None)
    second = train_tcl(again, tmp_path / "second", ListReporter())
    # the scales of the contrasts go on, too
    for name in ("held_tv_img", "held_tclf", "held_tcli"):
        assert second.before[name] == pytest.approx(first.after[name], rel=1e-4)


def test_scales_of_the_contrasts_start_anew_where_a_checkpoint_has_none_or_broken_ones(tmp_path: Path) -> None:
    tensors = tiny_masker_state_dict(0)
    kept, broken = "tclf_loss.logit_scale", "tcli_loss.logit_scale"
    save_file(tensors | {broken: torch.tensor(float("nan"))}, tmp_path / "broken.safetensors")
    network = trained(tmp_path / "broken.safetensors", pretrained=tiny_clip_file())
    training = TclTraining(network)
    assert training.tclf_log_scale.item() == tensors[kept].item() != pytest.approx(LOG_SCALE, abs=1e-4)
    assert training.tcli_log_scale.item() == pytest.approx(LOG_SCALE)


def test_the_block_moves_in_the_second_stage_alone(tmp_path: Path) -> None:
    stem = "masker.image_encoder.backbone.transformer.resblocks.3."
    for name, frozen in (("both", 2), ("first", 4)):
        train_tcl(options(tmp_path, frozen_steps=frozen), tmp_path / name, ListReporter())
    start = torch.load(tiny_clip_file(), weights_only=True)["visual.transformer.resblocks.3.mlp.c_fc.weight"]
    both, first = (load_file(tmp_path / name / "last" / "tcl.safetensors") for name in ("both", "first"))
    assert torch.equal(first[f"{stem}mlp.c_fc.weight"], start)
    assert not torch.equal(both[f"{stem}mlp.c_fc.weight"], start)


def test_weights_of_the_first_stage_are_found_best_after_the_second(tmp_path: Path) -> None:
    # a rate that spoils the masker: what was measured before the first step stays the best
    result = train_tcl(options(tmp_path, lr=3.0, warmup=0), tmp_path / "run", ListReporter())
    assert result.best_step == 0
    found = load_file(result.weights)["masker.image_encoder.backbone.transformer.resblocks.3.mlp.c_fc.weight"]
    start = torch.load(tiny_clip_file(), weights_only=True)["visual.transformer.resblocks.3.mlp.c_fc.weight"]
    assert torch.equal(found, start)


def test_a_run_killed_between_the_stages_ends_as_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    train_tcl(options(tmp_path), unbroken, ListReporter())
    with pytest.raises(Killed):
        train_tcl(options(tmp_path), broken, KillingReporter(3))
    train_tcl(options(tmp_path), broken, ListReporter())
    assert steps(broken) == steps(unbroken) and len(steps(broken)) == 4
    for name in ("tcl.safetensors", "last/tcl.safetensors", "validation.json"):
        assert (broken / name).read_bytes() == (unbroken / name).read_bytes()


def test_a_run_may_go_on_cut_into_other_parts(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_tcl(options(tmp_path), whole, ListReporter())
    with pytest.raises(Killed):
        train_tcl(options(tmp_path), cut, KillingReporter(3))
    train_tcl(options(tmp_path, accumulate=2), cut, reporter := ListReporter())
    assert any("cut into 1 and are now into 2" in warning for warning in reporter.warnings)
    for (_, one), (_, other) in zip(steps(whole), steps(cut), strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-5)


def test_another_schedule_does_not_go_on_with_a_run(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train_tcl(options(tmp_path), tmp_path / "run", KillingReporter(2))
    with pytest.raises(RunError, match="other options"):
        train_tcl(options(tmp_path, frozen_steps=3), tmp_path / "run", ListReporter())


def test_drawn_scenes_train_a_masker_beside_the_built_in_model(tmp_path: Path) -> None:
    chosen = TrainOptions(
        method="tcl", scenes=24, batch_size=8, steps=2, frozen_steps=1, probe_every=2, augment="crop",
        cache=str(tmp_path / "cache"), out=str(tmp_path / "run"),
    )  # fmt: skip
    file = run_training(chosen, "ttd train", reporter := ListReporter())
    assert f"--model scenes --weights {file}" in reporter.infos[-1]
    model = load_backbone(ModelSpec("scenes", weights=str(file)), CPU, ListReporter())
    assert model.info.dense == "tcl"
    figures = json.loads((tmp_path / "run" / "validation.json").read_text())
    assert set(figures["after"]) >= {"val_score", "val_pixel_auc", "held_loss"}


def test_archives_train_with_the_published_views(tmp_path: Path) -> None:
    for number in range(2):
        write_tar(tmp_path / f"0000{number}.tar", sample_members(range(number * 12, number * 12 + 12)))
    data = str(tmp_path / "{00000..00002}.tar")
    result = train_tcl(options(tmp_path, data=data, steps=2), tmp_path / "run", reporter := ListReporter())
    assert any("1 of 3 archives are missing" in warning for warning in reporter.warnings)
    assert all(np.isfinite(list(losses.values())).all() for _, losses in steps(tmp_path / "run"))
    assert result.weights.is_file()


@pytest.mark.parametrize("count", [5, 12])
def test_few_pairs_train_without_figures_of_held_out_ones(tmp_path: Path, count: int) -> None:
    # a tenth of twelve is one pair, which has no other captions
    chosen = options(tmp_path, data=list_of_pairs(tmp_path, count), steps=2)
    result = train_tcl(chosen, tmp_path / "run", reporter := ListReporter())
    assert result.weights.is_file() and not result.after
    assert [warning for warning in reporter.warnings if "too few pairs to measure" in warning]


def test_the_log_has_every_loss_and_the_published_rates(tmp_path: Path) -> None:
    train_tcl(options(tmp_path, lr=None), tmp_path / "run", ListReporter())
    log = [entry for entry in read_log(tmp_path / "run" / "log.jsonl") if "losses" in entry]
    assert set(log[0]["losses"]) == {"area", "neg_area", "tclf", "tv_img", "tv_mask", "tcli"}
    peak = 3e-4 * 4 / 4096
    assert log[0]["lr"] == pytest.approx(1e-4 * peak, rel=1e-3) and log[1]["lr"] == pytest.approx(peak, rel=1e-3)
    assert Image.open(tmp_path / "run" / "curves.png").width > 200


def test_lengths_and_rates_follow_steps_and_batch_unless_given() -> None:
    full = TrainOptions(method="tcl", model="ViT-B-16", pretrained="openai").resolved()
    assert (full.steps, full.batch_size, full.frozen_steps, full.warmup) == (50_000, 1024, 30_000, 15_000)
    assert full.lr == pytest.approx(7.5e-5)
    short = TrainOptions(method="tcl", model="ViT-B-16", pretrained="openai", steps=500, batch_size=64).resolved()
    assert (short.frozen_steps, short.warmup, short.probe_every) == (300, 150, 50)
    assert short.lr == pytest.approx(3e-4 * 64 / 4096)
    given = TrainOptions(method="tcl", steps=500, frozen_steps=7, warmup=9, lr=1e-2).resolved()
    assert (given.frozen_steps, given.warmup, given.lr) == (7, 9, 1e-2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batch_size": 1}, "area loss of other captions undefined"),
        ({"rank": 4}, "--rank belongs to --method ttd"),
        ({"frozen_steps": -1}, "--frozen-steps"),
        ({"method": "ttd", "augment": "crop"}, "--augment belongs to --method tcl"),
        ({"method": "clip", "model": "scenes", "image_size": 96}, "--image-size belongs to --method ttd and tcl"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TrainOptions(**({"method": "tcl"} | wrong))


def test_a_size_that_does_not_divide_into_patches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no multiple of the model's patch"):
        train_tcl(options(tmp_path, image_size=60), tmp_path / "run", ListReporter())

"""A training step of TCL against the published code: losses, gradients, the optimiser's step, and the rates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import load_case
from tests.support.tcl_training import parameters_by_key, stored_batch, tiny_training
from ttd_core.methods.tcl.losses import area_losses, contrast, sampled_masks
from ttd_core.methods.tcl.masks import similarity
from ttd_core.methods.tcl.schedule import FLOOR, TclSchedule, peak_rate
from ttd_core.methods.tcl.training import TclTraining
from ttd_core.training.optim import build_adamw

CASE = load_case("tcl", "train_seed0")
TOLERANCE = CASE.info["tolerance"]
STAGES = pytest.mark.parametrize("stage", ["decoder_only", "finetune"])


def stored_losses(stage: str) -> dict[str, float]:
    return {name.removesuffix("_loss"): v for name, v in CASE.info["results"][stage]["losses_weighted"].items()}


def losses(training: TclTraining) -> dict[str, torch.Tensor]:
    images, captions, noise = stored_batch(CASE)
    scores = training.scores(images, training.embed_texts(captions), 0, noise)
    return training.losses(scores, scores.shared)


def step(stage: str, at_once: int = 2**26) -> tuple[TclTraining, dict[str, torch.Tensor]]:
    """Losses and gradients of the stored step."""
    training = tiny_training(at_once=at_once).train()
    training.train_block(stage == "finetune")
    found = losses(training)
    torch.stack(list(found.values())).sum().backward()
    return training, found


def check_norms(training: TclTraining, stored: Mapping[str, float]) -> None:
    parameters = parameters_by_key(training)
    assert {key for key, p in parameters.items() if p.grad is not None} == set(stored)
    for key, norm in stored.items():
        assert parameters[key].grad.norm().item() == pytest.approx(norm, rel=TOLERANCE["grad_norms"]["rtol"]), key


@STAGES
@pytest.mark.parametrize("at_once", [2**26, 3000])
def test_every_loss_and_gradient_norm_is_the_published_one_however_many_texts_are_taken_at_once(
    stage: str, at_once: int
) -> None:
    training, found = step(stage, at_once)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        stored_losses(stage), rel=TOLERANCE["losses"]["rtol"], abs=TOLERANCE["losses"]["atol"]
    )
    check_norms(training, CASE.info["results"][stage]["grad_norms"])
    assert all(p.grad is None for name, p in training.named_parameters() if "network.network" in name)


@STAGES
def test_stored_gradients_agree_value_by_value(stage: str) -> None:
    parameters = parameters_by_key(step(stage)[0])
    checked = 0
    for name in CASE.arrays:
        if not name.startswith(f"{stage}_grad_"):
            continue
        key = name.removeprefix(f"{stage}_grad_")
        special = {
            "image_proj": ("decoder.image_proj.proj", ...),
            "conv_corner": ("decoder.decoder.net.0.conv.conv.weight", np.s_[:8, :8]),
            "attn_out_proj": ("backbone.transformer.resblocks.3.attn.out_proj.weight", ...),
        }
        ending, part = special.get(key, (key, ...))
        [found] = [p.grad for theirs, p in parameters.items() if theirs.endswith(ending)]
        CASE.check(name, found[part], rtol=2e-3, atol=1e-5)
        checked += 1
    assert checked == (10 if stage == "decoder_only" else 11)


def test_masks_pooled_and_masked_embeddings_agree_stage_by_stage() -> None:
    training, array = tiny_training(), TOLERANCE["arrays"]
    images, captions, noise = stored_batch(CASE)
    masker = training.network.masker
    with torch.no_grad():
        texts = training.embed_texts(captions)
        embedding = training.network.masker_embedding(images)
        CASE.check("masker_embed", embedding, **array)
        logits = masker.scale * similarity(embedding, texts) + masker.bias
        soft = logits.sigmoid()
        CASE.check("soft_all", soft, **array)
        hard = sampled_masks(logits.diagonal().permute(2, 0, 1), noise)
        shown = F.interpolate(hard[:, None], size=images.shape[2:], mode="nearest")
        CASE.check("hard_pos_full_res", shown[:, 0].to(torch.uint8))
        CASE.check("masked_clip_embed", training.network.clip_embedding(shown * images), **array)
        pooled = torch.einsum("bduv,bnuv->bnd", embedding, soft) / (soft.sum(dim=(2, 3))[:, :, None] + 1e-6)
        CASE.check("pooled", pooled, **array)
        scores = training.scores(images, texts, 0, noise)
        cosines = F.cosine_similarity(torch.from_numpy(CASE.arrays["pooled"]), texts[None], dim=-1)
        torch.testing.assert_close(scores.shared[:, 0], cosines, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(scores.shared[:, 1], torch.from_numpy(CASE.arrays["soft_all"]).mean(dim=(2, 3)))


@STAGES
def test_one_step_of_adamw_moves_every_tensor_as_far_as_published(stage: str) -> None:
    training, _ = step(stage)
    stored = CASE.info["results"][stage]
    optimiser = build_adamw(training, 1e-3, 0.05, (0.9, 0.999), eps=1e-6, decay_scalars=True)
    trainable = [p for p in training.parameters() if p.requires_grad]
    # the published optimiser holds the frozen tensors, too, but not CLIP's own temperature, which it leaves out
    unused = training.network.network.logit_scale
    sizes = [sum(p is not unused for p in group["params"]) for group in optimiser.param_groups]
    assert sizes == stored["param_groups_sizes_decay_nodecay"]
    norm = torch.nn.utils.clip_grad_norm_(trainable, 5.0)
    assert norm.item() == pytest.approx(stored["clip_grad_norm_returns"], rel=TOLERANCE["grad_norms"]["rtol"])
    parameters = parameters_by_key(training)
    before = {key: p.detach().clone() for key, p in parameters.items()}
    optimiser.step()
    for key, moved in stored["adamw_delta_l2"].items():
        far = (parameters[key] - before[key]).norm().item()
        assert far == pytest.approx(moved, rel=TOLERANCE["adamw_delta_l2"]["rtol"]), key
    for key, value in stored["scalars_after_step"].items():
        assert parameters[key].item() == pytest.approx(value, rel=1e-5), key
    unmoved = set(parameters) - set(stored["adamw_delta_l2"])
    assert all(torch.equal(parameters[key], before[key]) for key in unmoved)


def test_two_ranks_make_the_losses_of_one_and_the_right_logits_of_the_pooled_contrast() -> None:
    two = load_case("tcl", "train_two_ranks_seed0")
    training = tiny_training()
    images, captions, noise = stored_batch(CASE)
    texts = training.embed_texts(captions)
    halves = [training.scores(images[r : r + 2], texts, r, noise[r : r + 2]) for r in (0, 2)]
    everyone = torch.cat([half.shared for half in halves])
    # rows by rank, as the case has them: texts in rows, pictures in columns
    two.check("tclf_text_logits_correct", everyone[:, 0].T)
    assert not np.allclose(two.arrays["tclf_text_logits_upstream"], everyone[:, 0].T.detach().numpy(), atol=1e-3)
    found = [{name: value.item() for name, value in training.losses(half, everyone).items()} for half in halves]
    for name in stored_losses("decoder_only"):
        mean = (found[0][name] + found[1][name]) / 2
        assert mean == pytest.approx(stored_losses("decoder_only")[name], rel=1e-4), name
    order = [name.removesuffix("_loss") for name in two.info["loss_order"]]
    ranks = dict(zip(order, two.arrays["losses_per_rank"].mean(axis=0).tolist(), strict=True))
    ranks["tclf"] = float(two.arrays["tclf_per_rank_correct"].mean())
    assert found[0] | {"tv_img": 0, "tv_mask": 0} == pytest.approx(ranks | {"tv_img": 0, "tv_mask": 0}, rel=1e-4)
    for name in ("tv_img", "tv_mask"):
        stored = two.arrays["losses_per_rank"][:, order.index(name)]
        assert [half[name] for half in found] == pytest.approx(stored.tolist(), rel=1e-4)


@pytest.mark.parametrize("name", ["release", "short"])
def test_learning_rates_are_the_published_ones(name: str) -> None:
    case = load_case("tcl", "schedule")
    told = case.info[name]
    schedule = TclSchedule(told["total"], told["total"] * 3 // 5, told["warmup"], told["min_lr"] / told["base_lr"])
    for step_number, rate in zip(case.arrays[f"{name}_step"], case.arrays[f"{name}_lr"], strict=True):
        assert told["base_lr"] * schedule.factor(int(step_number)) == pytest.approx(rate, rel=1e-9), step_number
    if name == "release":
        assert peak_rate(1024) == pytest.approx(told["base_lr"], rel=1e-12)
        assert peak_rate(1024) * FLOOR == pytest.approx(told["min_lr"], rel=1e-12)


def test_the_published_area_distance_is_that_of_the_mean_not_of_each_picture() -> None:
    areas = torch.tensor([[0.2, 0.0], [0.1, 0.6]])
    own, others = area_losses(areas, 0.4)
    assert own.item() == pytest.approx(0.0, abs=1e-7)
    assert others.item() == pytest.approx(0.05)
    assert contrast(torch.eye(2), torch.tensor(9.0)).item() < contrast(torch.zeros(2, 2), torch.tensor(0.0)).item()

"""TCL checkpoints: what must be there, what may be there, what is wrong."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.models import ListReporter, tiny_clip_file, tiny_state, tiny_tcl, tiny_tcl_file
from tests.support.tiny_tcl import tiny_masker_state_dict
from ttd_core.clip.checkpoint import read_checkpoint
from ttd_core.errors import UsageError, WeightsError
from ttd_core.methods.tcl.masks import mix_kp
from ttd_core.methods.tcl.weights import convert_checkpoint, key_table
from ttd_core.text.bank import TextBank


def write(path: Path, content: Any) -> str:
    torch.save(content, path)
    return str(path)


def learned() -> dict[str, torch.Tensor]:
    return tiny_masker_state_dict(0)


def dense(backbone: Any) -> torch.Tensor:
    return backbone.encode_images(torch.ones(1, 3, 64, 48)).dense


def frozen_inside() -> dict[str, torch.Tensor]:
    """The frozen CLIP in the key layout of a full training checkpoint."""
    projection = {"visual.proj": "proj", "visual.ln_post.weight": "ln.weight", "visual.ln_post.bias": "ln.bias"}
    out = {}
    for name, tensor in tiny_state(0).items():
        if name in projection:
            out[f"clip_image_encoder.clip_proj.{projection[name]}"] = tensor
        elif name.startswith("visual."):
            out[f"clip_image_encoder.clip_visual.{name.removeprefix('visual.')}"] = tensor
        elif name != "logit_scale":
            out[f"clip_text_encoder.{name}"] = tensor
    return out


def test_the_model_says_what_it_is() -> None:
    info = tiny_tcl().info
    assert (info.name, info.dense, info.calibration, info.templates) == ("tcl", "tcl", "sigmoid", "custom")
    assert info.mean == (0.485, 0.456, 0.406)
    assert not info.normalise_templates
    assert info.activation == "quickgelu"


def test_a_bare_table_loads_like_one_below_model(tmp_path: Path) -> None:
    bare = tiny_tcl(weights=write(tmp_path / "bare.pth", learned()))
    assert torch.equal(dense(bare), dense(tiny_tcl()))


def test_losses_may_be_absent_and_constants_of_pamr_present(tmp_path: Path) -> None:
    state = {k: v for k, v in learned().items() if not k.endswith("logit_scale")}
    state["pamr.aff_x.kernel"] = torch.zeros(8, 1, 3, 3)
    reporter = ListReporter()
    backbone = tiny_tcl(weights=write(tmp_path / "t.pth", {"model": state}), reporter=reporter)
    assert torch.equal(dense(backbone), dense(tiny_tcl()))
    assert reporter.warnings == []


def test_other_tensors_are_reported(tmp_path: Path) -> None:
    reporter = ListReporter()
    tiny_tcl(
        weights=write(tmp_path / "t.pth", {"model": learned() | {"head.weight": torch.zeros(2)}}), reporter=reporter
    )
    assert any("head.weight" in w for w in reporter.warnings)


def test_a_renumbered_block_fails_naming_the_keys(tmp_path: Path) -> None:
    state = {k.replace("resblocks.3", "resblocks.0"): v for k, v in learned().items()}
    with pytest.raises(WeightsError) as caught:
        tiny_tcl(weights=write(tmp_path / "t.pth", {"model": state}))
    assert "resblocks.3.ln_1.weight" in caught.value.message
    assert "resblocks.0.ln_1.weight" in caught.value.message


@pytest.mark.parametrize("key", sorted(k for k in learned() if k.startswith("masker.")))
def test_every_masker_key_is_required(key: str, tmp_path: Path) -> None:
    state = {k: v for k, v in learned().items() if k != key}
    with pytest.raises(WeightsError) as caught:
        tiny_tcl(weights=write(tmp_path / "t.pth", {"model": state}))
    assert f"missing: {key}" in caught.value.message


def test_there_are_37_required_keys_and_all_are_used() -> None:
    masker = tiny_tcl().masker
    table = key_table(masker, 4)
    assert len(table) == 37
    assert set(table) == {k for k in learned() if k.startswith("masker.")}
    assert set(table.values()) == set(masker.state_dict())


def test_a_misshapen_or_damaged_tensor_is_named(tmp_path: Path) -> None:
    key = "masker.image_encoder.decoder.image_proj.proj"
    with pytest.raises(WeightsError, match=f"{key} is 128×32 in the file and 128×64"):
        tiny_tcl(weights=write(tmp_path / "a.pth", {"model": learned() | {key: torch.zeros(128, 32)}}))
    with pytest.raises(WeightsError, match=f"{key} holds NaN"):
        tiny_tcl(weights=write(tmp_path / "b.pth", {"model": learned() | {key: torch.full((128, 64), float("nan"))}}))


def test_the_base_inside_a_full_checkpoint_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "full.pth", {"model": learned() | frozen_inside()})
    backbone = tiny_tcl(weights=path, pretrained=None)
    torch.testing.assert_close(dense(backbone), dense(tiny_tcl()), rtol=0, atol=0)
    want = TextBank(tiny_tcl()).embed(["cat"], "custom")
    assert torch.equal(TextBank(backbone).embed(["cat"], "custom"), want)


def test_a_training_checkpoint_with_a_pickled_configuration_is_read_without_running_it(tmp_path: Path) -> None:
    """OmegaConf objects are pickled by reference to their class; the package need not even be there."""
    module = types.ModuleType("omegaconf.dictconfig")
    kind = type("DictConfig", (), {"__module__": "omegaconf.dictconfig"})
    module.DictConfig = kind  # type: ignore[attr-defined]
    config = kind()
    config.content = {"lr": 7.5e-5}  # type: ignore[attr-defined]
    sys.modules["omegaconf"], sys.modules["omegaconf.dictconfig"] = types.ModuleType("omegaconf"), module
    try:
        path = write(tmp_path / "t.pth", {"model": learned(), "step": 3, "config": config, "optimizer": {"state": {}}})
    finally:
        del sys.modules["omegaconf"], sys.modules["omegaconf.dictconfig"]
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    reporter = ListReporter()
    assert torch.equal(dense(tiny_tcl(weights=path, reporter=reporter)), dense(tiny_tcl()))
    assert "omegaconf" not in sys.modules
    assert "omegaconf.dictconfig.DictConfig, which was left closed: nothing in the file was run" in reporter.infos[0]


def test_a_configuration_that_refers_to_plain_types_is_read(tmp_path: Path) -> None:
    """Configurations note the type of each value, which torch's pickle protocol spells as Python 2 did."""
    path = write(tmp_path / "t.pth", {"model": learned(), "types": [int, str, float, bool, dict, list]})
    assert b"long" in Path(path).read_bytes()
    assert torch.equal(dense(tiny_tcl(weights=path)), dense(tiny_tcl()))


@pytest.mark.parametrize("nested", [False, True])
def test_a_converted_checkpoint_is_the_same_to_the_last_bit(tmp_path: Path, nested: bool) -> None:
    state = learned() | frozen_inside() | {"pamr.aff_x.kernel": torch.zeros(8, 1, 3, 3)}
    content = {"model": state, "optimizer": {"state": {}, "step": 3}} if nested else state
    target = tmp_path / "tcl.safetensors"
    left = convert_checkpoint(Path(write(tmp_path / "t.pth", content)), target)
    assert left == ["pamr.aff_x.kernel"]
    held = read_checkpoint(target).tensors
    assert set(held) == set(state) - set(left)
    assert all(torch.equal(held[name], state[name]) for name in held)
    # temperatures of the losses included: training may go on from it
    assert "tclf_loss.logit_scale" in held
    from_target = tiny_tcl(weights=str(target), pretrained=None)
    assert torch.equal(dense(from_target), dense(tiny_tcl()))


def test_conversion_keeps_half_precision_and_tied_tensors(tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in learned().items()}
    names = [name for name in state if name.endswith("conv.norm.weight")]
    state[names[0]] = state[names[1]]
    target = tmp_path / "tcl.safetensors"
    convert_checkpoint(Path(write(tmp_path / "t.pth", state)), target)
    held = read_checkpoint(target).tensors
    assert {tensor.dtype for tensor in held.values()} == {torch.float16}
    assert torch.equal(held[names[0]], held[names[1]])


def test_what_cannot_be_converted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no TCL checkpoint"):
        convert_checkpoint(Path(tiny_clip_file()), tmp_path / "t.safetensors")
    with pytest.raises(WeightsError, match="ends in .safetensors"):
        convert_checkpoint(Path(tiny_tcl_file()), tmp_path / "t.pth")
    assert list(tmp_path.iterdir()) == []


def test_the_missing_halves_are_named() -> None:
    with pytest.raises(UsageError, match="no weights named for tcl"):
        tiny_tcl(weights=None)
    with pytest.raises(WeightsError, match="no TCL checkpoint"):
        tiny_tcl(weights=tiny_clip_file())
    with pytest.raises(WeightsError, match="tcl needs its CLIP base"):
        tiny_tcl(pretrained="absent/ViT-B-16.pt")
    with pytest.raises(UsageError, match="--dense"):
        tiny_tcl(dense="maskclip")


def test_a_base_of_another_width_does_not_fit(tmp_path: Path) -> None:
    from tests.support.bad_checkpoints import clip_state

    with pytest.raises(WeightsError, match="does not fit the masker of tcl") as caught:
        tiny_tcl(pretrained=write(tmp_path / "other.pt", clip_state()))
    assert "--pretrained" in (caught.value.hint or "")


def test_the_digest_covers_both_files() -> None:
    digests = {tiny_tcl().info.weights_sha256, tiny_tcl(weights=tiny_tcl_file(1)).info.weights_sha256}
    digests.add(tiny_tcl(pretrained=tiny_clip_file(1)).info.weights_sha256)
    assert len(digests) == 3


def test_shapes_batches_and_gradients() -> None:
    backbone = tiny_tcl()
    images = torch.randn(2, 3, 48, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    encoded = backbone.encode_images(images)
    assert encoded.dense.shape == (2, 64, 12, 16)
    assert encoded.extra["kp"].shape == (2, 64, 3, 4)
    torch.testing.assert_close(backbone.encode_images(images[1:]).dense, encoded.dense[1:], rtol=1e-4, atol=1e-5)
    encoded.dense.square().sum().add(encoded.dense.sum()).backward()
    assert images.grad is not None and bool(images.grad.abs().sum() > 0)


def test_the_mixture_is_the_weighted_mean_on_the_finer_grid() -> None:
    masks, kp = torch.full((1, 2, 8, 8), 0.5), torch.full((1, 2, 2, 2), 1.0)
    torch.testing.assert_close(mix_kp(masks, kp), torch.full((1, 2, 8, 8), 0.65))
    assert mix_kp(masks, kp, 0.0) is masks


def test_nothing_but_a_mapping_is_a_checkpoint(tmp_path: Path) -> None:
    assert isinstance(learned(), Mapping)
    with pytest.raises(WeightsError, match="a list"):
        tiny_tcl(weights=write(tmp_path / "l.pth", [1, 2]))

"""TCL checkpoints: the key layout of `tcl.pth`, and the loader behind `--model tcl`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from ttd_core.atomic import write_bytes
from ttd_core.clip.checkpoint import Checkpoint, check_finite, check_fit, read_checkpoint, summary
from ttd_core.clip.networks import LoadedNetwork, clip_info, network_from
from ttd_core.clip.sources import Source, resolve_source
from ttd_core.errors import UsageError, WeightsError
from ttd_core.methods.tcl.model import IMAGENET_MEAN, IMAGENET_STD, STAGES, Masker, TclBackbone
from ttd_core.protocols import Backbone, Reporter
from ttd_core.types import ModelSpec

BASE_TAG = "openai"
BASE_MODEL = "ViT-B-16"
_ENCODER = "masker.image_encoder."
# learned or constant tensors of training that inference does without
_LOSSES = ("tcli_loss.", "tclf_loss.")
_IGNORED = (*_LOSSES, "pamr.")
_FROZEN = ("clip_image_encoder.", "clip_text_encoder.")


def key_table(masker: Masker, depth: int) -> dict[str, str]:
    """Names in a TCL checkpoint -> names in `Masker`.

    Args:
        masker: the module to fill.
        depth: blocks of the vision tower; the masker's block keeps the number of the last one.
    """
    table = {"masker.sim2mask.w": "scale", "masker.sim2mask.b": "bias"}
    projection = f"{_ENCODER}decoder.image_proj."
    table |= {f"{projection}proj": "proj", f"{projection}ln.weight": "norm.weight", f"{projection}ln.bias": "norm.bias"}
    block = f"{_ENCODER}backbone.transformer.resblocks.{depth - 1}."
    table |= {f"{block}{name}": f"block.{name}" for name in masker.block.state_dict()}
    for i in range(STAGES):
        for theirs, ours in (("conv", "first"), ("conv2", "second")):
            stage = f"{_ENCODER}decoder.decoder.net.{i}.{theirs}."
            for name in ("norm.weight", "norm.bias", "conv.weight", "conv.bias"):
                table[f"{stage}{name}"] = f"stages.{i}.{ours}.{name}"
            table[f"{stage}gate.gate"] = f"stages.{i}.{ours}.gate"
    return table


def load_tcl_backbone(spec: ModelSpec, device: torch.device, reporter: Reporter) -> Backbone:
    """Load TCL: its checkpoint from `spec.weights`, its CLIP base from `spec.pretrained` or from the same file.

    The base is OpenAI's ViT-B/16 unless the checkpoint carries its own; sizes are read off the weights.

    Raises:
        UsageError: no checkpoint named, or options that do not apply to TCL.
        WeightsError: the checkpoint or the base is missing, malformed, unsafe, or of another architecture.
    """
    if spec.weights is None:
        raise UsageError("no weights named for tcl", hint="--weights tcl.pth --pretrained ViT-B-16.pt")
    if spec.dense not in (None, "tcl"):
        raise UsageError(f"--dense {spec.dense} does not apply to tcl, which has its own decoder")
    checkpoint = _tcl_checkpoint(Path(spec.weights).expanduser())
    if checkpoint.foreign:
        reporter.info(
            f"{spec.weights}: its tensors were read alone; it also holds {summary(checkpoint.foreign)}, which was left "
            "closed: nothing in the file was run"
        )
    base = _base(spec, checkpoint, reporter)
    network = base.network
    masker = Masker(network.visual)
    fill_masker(masker, checkpoint, len(network.visual.transformer.resblocks), reporter)
    digest = hashlib.sha256(f"{base.sha256} {checkpoint.sha256}".encode()).hexdigest()
    info = replace(
        clip_info(base, "tcl"),
        name="tcl",
        weights_name=Path(spec.weights).stem,
        weights_sha256=digest,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        calibration="sigmoid",
        sigmoid_scale=masker.scale.item(),
        sigmoid_bias=masker.bias.item(),
        templates="custom",
        normalise_templates=False,
        cell=base.network.visual.patch_size[0] // 4,
    )
    backbone = TclBackbone(network, masker, info, reporter, _log_scales(checkpoint))
    return backbone.eval().requires_grad_(False).to(device)


def fill_masker(masker: Masker, checkpoint: Checkpoint, depth: int, reporter: Reporter) -> None:
    """Copy the learned tensors of a checkpoint into a masker.

    `clip_*`, `*_loss.*` and `pamr.*` tensors may be there or not; anything else is reported and left out.

    Args:
        masker: filled in place.
        checkpoint: in the layout of `tcl.pth`.
        depth: blocks of the CLIP base's vision tower.
        reporter: told of tensors that belong to nothing.

    Raises:
        WeightsError: one of the masker's tensors is missing, misshapen, or not finite.
    """
    table = key_table(masker, depth)
    shapes = {name: tuple(tensor.shape) for name, tensor in masker.state_dict().items()}
    found = {k: v for k, v in checkpoint.tensors.items() if not k.startswith((*_IGNORED, *_FROZEN))}
    for name in ("masker.sim2mask.w", "masker.sim2mask.b"):
        if name in found and found[name].numel() == 1:
            found[name] = found[name].reshape(())
    wanted = {theirs: shapes[ours] for theirs, ours in table.items()}
    hint = "the base must be the CLIP that the checkpoint was trained on: --pretrained ViT-B-16.pt"
    check_fit(found, wanted, checkpoint.path, "the masker of tcl", hint=hint)
    check_finite({k: found[k] for k in table}, checkpoint.path)
    extra = [k for k in found if k not in table]
    if extra:
        reporter.warning(f"{checkpoint.path}: left out tensors that tcl does not have: {summary(extra)}")
    masker.load_state_dict({ours: found[theirs].to(torch.float32) for theirs, ours in table.items()})


def _log_scales(checkpoint: Checkpoint) -> dict[str, float]:
    """What only further training asks for, so files without them, or with broken ones, are as good."""
    names = {name: f"{name}_loss.logit_scale" for name in ("tclf", "tcli")}
    held = {name: checkpoint.tensors[key] for name, key in names.items() if key in checkpoint.tensors}
    return {name: value.item() for name, value in held.items() if value.numel() == 1 and bool(value.isfinite().all())}


def convert_checkpoint(source: Path, target: Path) -> list[str]:
    """Copy a TCL checkpoint of any readable format into a safetensors file, which holds tensors and nothing else.

    Every number and name stays as it is. What inference and training do without is left behind: the constants of PAMR,
    the state of the optimiser, the configuration.

    Args:
        source: `tcl.pth`, or a checkpoint of one's own training; nothing in it is run.
        target: the file to write, for `--model tcl --weights`.

    Returns:
        Names of the tensors left behind.

    Raises:
        WeightsError: the source is no TCL checkpoint, or the target is not named `.safetensors`.
        RunError: the target cannot be written.
    """
    from safetensors.torch import save

    if target.suffix != ".safetensors":
        raise WeightsError(f"{target}: expected a name that ends in .safetensors")
    tensors = _tcl_checkpoint(source).tensors
    kept = {k: v.contiguous().clone() for k, v in tensors.items() if k.startswith(("masker.", *_LOSSES, *_FROZEN))}
    write_bytes(target, save(kept))
    return [name for name in tensors if name not in kept]


def _tcl_checkpoint(path: Path) -> Checkpoint:
    checkpoint = read_checkpoint(path)
    if "masker.proj.weight" in checkpoint.tensors:  # of a CLIP it has no such module, see `key_table`
        raise WeightsError(f"{path}: the built-in model with a masker", hint=f"--model scenes --weights {path}")
    if not any(k.startswith("masker.") for k in checkpoint.tensors):
        raise WeightsError(f"{path}: no TCL checkpoint, it has no masker.* tensors but {summary(checkpoint.tensors)}")
    return checkpoint


def _base(spec: ModelSpec, checkpoint: Checkpoint, reporter: Reporter) -> LoadedNetwork:
    """The frozen CLIP: named by the user, inside the checkpoint, or OpenAI's published one."""
    inside = clip_inside(checkpoint)
    if spec.pretrained is None and inside:
        held = replace(checkpoint, tensors=inside)
        return network_from(
            held, _openai(Source(checkpoint.path, checkpoint.path.stem)), None, spec.activation, reporter
        )
    given = spec.pretrained or BASE_TAG
    local = Path(given).expanduser().exists()
    try:
        source = resolve_source(given, "auto" if local else BASE_MODEL)
    except WeightsError as error:
        hint = f"--model tcl --weights {spec.weights} --pretrained ViT-B-16.pt"
        raise WeightsError(f"tcl needs its CLIP base: {error.message}", hint=hint) from error
    return network_from(read_checkpoint(source.path), _openai(source), None, spec.activation, reporter)


def _openai(source: Source) -> Source:
    return replace(source, quick_gelu=True, declared_by="TCL, which is trained on OpenAI's CLIP", architecture=None)


def clip_inside(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The frozen CLIP of a full training checkpoint in OpenAI's layout, empty where there is none."""
    visual = {f"visual.{k}": v for k, v in checkpoint.below("clip_image_encoder.clip_visual.").items()}
    projection = checkpoint.below("clip_image_encoder.clip_proj.")
    text = checkpoint.below("clip_text_encoder.")
    if not visual or not projection or not text:
        return {}
    moved = {"proj": "visual.proj", "ln.weight": "visual.ln_post.weight", "ln.bias": "visual.ln_post.bias"}
    visual |= {moved.get(k, f"visual.{k}"): v for k, v in projection.items()}
    # the layout leaves the temperature out; OpenAI's ended at its cap of 100
    scale = {"logit_scale": torch.tensor(100.0).log()}
    return scale | visual | text

"""From a name, a folder or the weights themselves to an open_clip network with those weights in it.

An architecture is open_clip's own configuration dictionary. It is taken from open_clip's table of names, from the
`open_clip_config.json` of a folder, or read off the shapes of the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import nn

from ttd_core.clip.checkpoint import Checkpoint, check_finite, check_fit, summary
from ttd_core.errors import UsageError, WeightsError
from ttd_core.protocols import Reporter
from ttd_core.registry import BACKBONES, unknown_name

# far beyond every published model; keeps a forged file from asking for a petabyte
_LIMITS = {"width": 1 << 14, "layers": 256, "patch": 512, "grid": 4096, "vocab": 1 << 21, "context": 1 << 14}


@dataclass(frozen=True)
class Architecture:
    """A two-tower model without weights.

    Args:
        name: open_clip's name, or one made from the sizes when read off the weights.
        config: open_clip's model configuration (`embed_dim`, `vision_cfg`, `text_cfg`, ...), without `quick_gelu`.
        quick_gelu: what the configuration says; None where it was read off the weights and says nothing.
    """

    name: str
    config: dict[str, Any]
    quick_gelu: bool | None = None


def named_architecture(name: str) -> Architecture:
    """Look an open_clip model up.

    Raises:
        UsageError: the name is unknown, or the model is not a plain vision transformer with the CLIP tokenizer.
    """
    clean = name.replace("/", "-")
    config = open_clip.get_model_config(clean)
    if config is None:
        known = [*BACKBONES.names(), "auto", *(m for m in open_clip.list_models() if _unsupported(_config(m)) is None)]
        raise unknown_name("model", name, known)
    reason = _unsupported(config)
    if reason is not None:
        raise UsageError(f"model {name} is not supported: {reason}", hint="use a plain ViT such as ViT-B-16")
    return Architecture(clean, _clean(config), bool(config.get("quick_gelu", False)))


def configured_architecture(name: str, config: Mapping[str, Any], path: Path) -> Architecture:
    """The architecture that an `open_clip_config.json` describes.

    Raises:
        WeightsError: the configuration is incomplete or describes an unsupported model.
    """
    if not all(isinstance(config.get(k), Mapping) for k in ("vision_cfg", "text_cfg")) or "embed_dim" not in config:
        raise WeightsError(f"{path}: no model configuration of open_clip's form (embed_dim, vision_cfg, text_cfg)")
    reason = _unsupported(config)
    if reason is not None:
        raise WeightsError(f"{path}: this model is not supported: {reason}")
    return Architecture(name, _clean(config), bool(config.get("quick_gelu", False)))


def inferred_architecture(checkpoint: Checkpoint) -> Architecture:
    """Read the sizes off tensors in OpenAI's layout: heads are width / 64 in both towers.

    Raises:
        WeightsError: the tensors are no CLIP with a vision transformer.
    """
    shapes = {k: tuple(v.shape) for k, v in checkpoint.tensors.items()}
    try:
        width, _, patch, _ = shapes["visual.conv1.weight"]
        positions = shapes["visual.positional_embedding"][0]
        context, text_width = shapes["positional_embedding"]
        vocab = shapes["token_embedding.weight"][0]
        embed_dim = shapes["text_projection"][1]
    except (KeyError, ValueError, IndexError) as error:
        raise _no_clip(checkpoint) from error
    layers, text_layers = _depth(shapes, "visual.transformer"), _depth(shapes, "transformer")
    grid = round((positions - 1) ** 0.5)
    sizes = {"width": max(width, text_width), "layers": max(layers, text_layers), "patch": patch, "grid": grid}
    sizes |= {"vocab": vocab, "context": context}
    for what, size in sizes.items():
        if not 0 < size <= _LIMITS[what]:
            raise WeightsError(f"{checkpoint.path}: a {what} of {size} is not plausible")
    if width % 64 or text_width % 64 or grid * grid + 1 != positions:
        raise WeightsError(
            f"{checkpoint.path}: sizes do not follow OpenAI's layout", hint="name the model: --model NAME"
        )
    config = {
        "embed_dim": embed_dim,
        "vision_cfg": {"image_size": grid * patch, "layers": layers, "width": width, "patch_size": patch},
        "text_cfg": {
            "context_length": context,
            "vocab_size": vocab,
            "width": text_width,
            "heads": text_width // 64,
            "layers": text_layers,
        },
    }
    return Architecture(_name_of(config), config)


def fitted_to(architecture: Architecture, checkpoint: Checkpoint) -> Architecture:
    """The architecture with the position grid of the file: the same model fine-tuned at another picture size."""
    table = checkpoint.tensors.get("visual.positional_embedding")
    if table is None or table.ndim != 2:
        return architecture
    grid = round((table.shape[0] - 1) ** 0.5)
    if grid * grid + 1 != table.shape[0] or not 0 < grid <= _LIMITS["grid"]:
        return architecture
    config = deepcopy(architecture.config)
    config["vision_cfg"]["image_size"] = grid * int(config["vision_cfg"]["patch_size"])
    return Architecture(architecture.name, config, architecture.quick_gelu)


def build_network(
    architecture: Architecture, checkpoint: Checkpoint, quick_gelu: bool, reporter: Reporter
) -> nn.Module:
    """An open_clip network with the weights of a file, float32 on the CPU, frozen, in evaluation mode.

    Raises:
        WeightsError: names or shapes do not fit, or a tensor holds NaN or an infinity.
    """
    with torch.device("meta"):
        network = _construct(architecture, quick_gelu)
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    state = _renamed(checkpoint.tensors, wanted)
    inferred = architecture.quick_gelu is None
    hint = (
        "the file is incomplete"
        if inferred
        else "name the right one with --model, or --model auto to read it off the file"
    )
    check_fit(state, wanted, checkpoint.path, architecture.name, hint=hint)
    _check_unknown(state, wanted, checkpoint.path, architecture.name, reporter)
    state = {k: state[k] for k in wanted}
    check_finite(state, checkpoint.path)
    # .contiguous() writes out tensors that a file stores as one value seen many times
    network.load_state_dict({k: v.to(torch.float32).contiguous() for k, v in state.items()}, strict=True, assign=True)
    _restore_masks(network)
    return network.eval().requires_grad_(False)


def random_network(architecture: Architecture, quick_gelu: bool, seed: int = 0) -> nn.Module:
    """An untrained network; the same seed gives the same weights. The caller's random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _construct(architecture, quick_gelu)
    return network.eval().requires_grad_(False)


def _construct(architecture: Architecture, quick_gelu: bool) -> Any:
    config = deepcopy(architecture.config)
    kind = CustomTextCLIP if config.pop("custom_text", False) else CLIP
    network: Any = kind(**config, quick_gelu=quick_gelu)
    visual = network.visual
    blocks = [*visual.transformer.resblocks] if isinstance(visual, VisionTransformer) else []
    if not blocks or not all(type(b) is ResidualAttentionBlock for b in blocks) or visual.attn_pool is not None:
        raise UsageError(f"model {architecture.name} is not supported: its vision tower is no plain transformer")
    return network


def _restore_masks(network: nn.Module) -> None:
    """Causal masks are buffers outside the state dict; they were built on the meta device."""
    for module in network.modules():
        mask = module._buffers.get("attn_mask")
        if mask is not None and mask.is_meta:
            n = mask.shape[0]
            module._buffers["attn_mask"] = torch.full((n, n), float("-inf")).triu_(1)


def _renamed(tensors: Mapping[str, torch.Tensor], wanted: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Bring the older flat layout of the text tower under `text.` where the model wants that; shape the scalars."""
    state = dict(tensors)
    if "text.positional_embedding" in wanted and "positional_embedding" in state:
        moved = r"^(token_embedding|positional_embedding|transformer|ln_final|text_projection)(\.|$)"
        state = {re.sub(moved, r"text.\1\2", k): v for k, v in state.items()}
    for name in ("logit_scale", "logit_bias"):
        if name in state and name in wanted and state[name].numel() == 1:
            state[name] = state[name].reshape(wanted[name])
    return state


def _check_unknown(
    state: Mapping[str, torch.Tensor], wanted: Mapping[str, Any], path: Path, model: str, reporter: Reporter
) -> None:
    """Tensors of a tower that the model lacks mean another architecture; others are left out with a warning."""
    unknown = [k for k in state if k not in wanted]
    tower = [k for k in unknown if k.startswith(("visual.", "transformer.", "text."))]
    if tower:
        raise WeightsError(f"{path} does not fit {model}: not known to the model: {summary(tower)}")
    if unknown:
        reporter.warning(f"{path}: left out tensors that {model} does not have: {summary(unknown)}")


def _depth(shapes: Mapping[str, Any], prefix: str) -> int:
    pattern = re.compile(re.escape(prefix) + r"\.resblocks\.(\d+)\.")
    numbers = {int(m.group(1)) for k in shapes if (m := pattern.match(k))}
    return len(numbers)


def _no_clip(checkpoint: Checkpoint) -> WeightsError:
    if any(k.startswith("visual.layer1.") for k in checkpoint.tensors):
        return WeightsError(f"{checkpoint.path}: a CLIP with a ResNet; only vision transformers are supported")
    if any(k.startswith(("vision_model.", "text_model.")) for k in checkpoint.tensors):
        return WeightsError(
            f"{checkpoint.path}: CLIP in the layout of the transformers library",
            hint="use open_clip's file of the model",
        )
    needed = ["visual.conv1.weight", "visual.positional_embedding", "positional_embedding", "token_embedding.weight"]
    missing = [k for k in [*needed, "text_projection"] if k not in checkpoint.tensors]
    if 0 < len(missing) < len(needed):
        return WeightsError(f"{checkpoint.path}: a CLIP with missing tensors: {summary(missing)}")
    return WeightsError(f"{checkpoint.path}: holds no model known here; its tensors: {summary(checkpoint.tensors)}")


def _name_of(config: dict[str, Any]) -> str:
    """Open_clip's name for these sizes where there is one, else a name made from them."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    for name in ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336"):
        known = _config(name)
        if (
            known["embed_dim"] == config["embed_dim"]
            and all(known["vision_cfg"].get(k) == vision[k] for k in ("image_size", "layers", "width", "patch_size"))
            and known["text_cfg"]["width"] == text["width"]
        ):
            return name
    return f"ViT-{vision['width']}x{vision['layers']}-{vision['patch_size']}-{vision['image_size']}"


def _config(name: str) -> dict[str, Any]:
    config = open_clip.get_model_config(name)
    assert config is not None
    return config


def _clean(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = deepcopy({k: v for k, v in config.items() if k != "quick_gelu"})
    kept["text_cfg"].pop("tokenizer_kwargs", None)
    return kept


def _unsupported(config: Mapping[str, Any]) -> str | None:
    """Why a configuration cannot be used, None if it can."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "multimodal_cfg" in config:
        return "a captioning model"
    if vision.get("timm_model_name") or isinstance(vision.get("layers"), list | tuple):
        return "its vision tower is no plain vision transformer"
    if any(vision.get(k) for k in ("attentional_pool", "block_type", "qk_norm", "scaled_cosine_attn", "scale_heads")):
        return "its vision tower has non-standard attention"
    if text.get("hf_model_name") or text.get("hf_tokenizer_name") or text.get("tokenizer_kwargs"):
        return "its text side needs a tokenizer other than CLIP's"
    if text.get("embed_cls") or any(text.get(k) for k in ("block_type", "qk_norm", "scaled_cosine_attn")):
        return "its text tower is non-standard"
    return None

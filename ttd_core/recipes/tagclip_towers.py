"""What TagCLIP and CLIP-ES run on: picture towers of CLIP and of the built-in model, and the sizes they see.

Of a model with TCL's masker they take the CLIP below, which the masker leaves as it was. Pictures are normalised as the
model's own are, also where that is TCL's way and not CLIP's: an adapter trained on TCL knows no other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from ttd_core.clip.backbone import ClipBackbone
from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.clip.scenes_towers import PictureTower
from ttd_core.errors import UsageError
from ttd_core.methods.clip_es.tower import CamTower, ClipCamTower
from ttd_core.methods.tagclip.scenes import ScenesCamTower, ScenesLocalTower
from ttd_core.methods.tagclip.tower import ClipLocalTower, LocalTower
from ttd_core.methods.tcl.model import TclBackbone
from ttd_core.methods.tcl.scenes import ScenesTcl
from ttd_core.recipes.maps import picture_tensor
from ttd_core.text.rivals import rivals_of
from ttd_core.types import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Session

MAX_ENTRIES = 64 * 2**20
"""Entries of attention and of score matrices held for a group of pictures: 256 MiB each."""

LONGEST = 1024
"""Pixels of the longer side at most, or twice `--image-size`: attention between patches needs memory with its fourth
power. The pictures of the published benchmarks have 640."""

SHORTEST = 2
"""Patches of the shorter side at least: boxes never hold a grid's last row and column."""


def local_tower(session: Session, name: str) -> LocalTower:
    """The tower that shows its attention.

    Raises:
        UsageError: the model has none, or no class token.
    """
    visual = _visual(session, name)
    if isinstance(visual, PictureTower):
        return ScenesLocalTower(visual, session.info.patch, session.info.dense != "attention")
    try:
        return ClipLocalTower(visual)
    except UsageError as error:
        raise _unfit(session, name) from error


def cam_tower(session: Session, name: str) -> CamTower:
    """The tower that can be stopped before its last block.

    Raises:
        UsageError: the model has none.
    """
    visual = _visual(session, name)
    if isinstance(visual, PictureTower):
        return ScenesCamTower(visual, session.info.patch)
    return ClipCamTower(visual)


def seen_size(size: tuple[int, int], patch: int, image_size: int | None) -> tuple[int, int]:
    """The size at which a picture is seen: its own, each side rounded up to whole patches, as published.

    Pictures longer than `LONGEST` are reduced first; where the short side of a strip would vanish it is stretched to
    `SHORTEST` patches.

    Args:
        size: H and W of the picture in pixels.
        patch: side of a patch in pixels.
        image_size: shorter side in pixels, None for the picture's own.
    """
    share = 1.0 if image_size is None else image_size / min(size)
    longest = LONGEST if image_size is None else max(LONGEST, 2 * image_size)
    share = min(share, longest / max(size))
    return whole_patches((size[0] * share, size[1] * share), patch)


def whole_patches(size: tuple[float, float], patch: int) -> tuple[int, int]:
    """Both sides rounded up to whole patches, at least `SHORTEST` of them."""
    rows, columns = (patch * max(SHORTEST, math.ceil(side / patch - 1e-9)) for side in size)
    return rows, columns


def shown_size(session: Session, options: CommonOptions, masks: bool) -> int | None:
    """The shorter side that the options ask for; the built-in model has sizes of its own, CLIP has none.

    Args:
        session: the model.
        options: with `image_size`.
        masks: for maps; tags are found at the model's own size, whatever is made of them afterwards.
    """
    if options.image_size is None and isinstance(session.backbone, ScenesBackbone | ScenesTcl):
        return session.views.image_size if masks else session.info.image_size
    return options.image_size


def pixels_of(session: Session, pictures: Sequence[Picture], size: tuple[int, int]) -> torch.Tensor:
    """B×3×H×W on the model's device, normalised."""
    info = session.info
    return torch.stack([picture_tensor(each, size, info.mean, info.std) for each in pictures]).to(session.device)


def fitting(session: Session, size: tuple[int, int], patch: int, texts: int) -> int:
    """Pictures of one size that go through a tower together; one where the session keeps them apart.

    Args:
        session: the model.
        size: H and W in pixels, multiples of the patch.
        patch: side of a patch in pixels.
        texts: most texts that one of them is compared with.
    """
    if session.apart:
        return 1
    patches = (size[0] // patch) * (size[1] // patch)
    return max(1, MAX_ENTRIES // (2 * patches * patches + 4 * patches * texts))


def words_against(session: Session, names: Iterable[str], rivals: Iterable[str]) -> tuple[str, ...]:
    """Words of background that compete with names: none of them a name, all of them known to the model."""
    return tuple(word for word in rivals_of(names, rivals) if not session.unknown_words(word))


def templates_of(session: Session, options: CommonOptions, own: str) -> str:
    """The templates asked for; a closed vocabulary has the model's own, since templates are made of words, too."""
    return options.templates or (own if session.info.vocabulary is None else session.info.templates)


def logit_scale_of(session: Session, options: CommonOptions) -> float:
    """The factor s of every softmax."""
    return options.logit_scale or session.info.logit_scale


def _visual(session: Session, name: str) -> Any:
    backbone = session.backbone
    if isinstance(backbone, ScenesBackbone | ScenesTcl):
        return backbone.visual
    if not isinstance(backbone, ClipBackbone | TclBackbone):
        raise _unfit(session, name)
    return backbone.vision.visual


def _unfit(session: Session, name: str) -> UsageError:
    return UsageError(
        f"--method {name} needs a vision transformer with a class token, which --model {session.info.name} is not",
        hint="e.g. --model ViT-B-16 --pretrained openai",
    )

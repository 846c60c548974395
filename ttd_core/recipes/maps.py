"""From pictures and texts to similarity maps: the one place where tags, masks and sheets look at a picture.

Pictures of one shape form a batch; each is encoded once per scale (mirror image in the same pass), and all its texts
are compared with it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from PIL import Image

from ttd_core.ops.calibrate import calibrate
from ttd_core.ops.memory import memory_errors
from ttd_core.ops.similarity import cosine_maps, cosine_scores
from ttd_core.ops.tta import average_maps, group_by_shape, plan_sizes
from ttd_core.recipes.session import Reading, Session
from ttd_core.types import Picture

# Cells of similarity maps held at once; 64 Mi float32 cells are 256 MiB, whatever the length of a class list.
MAX_CELLS = 64 * 2**20


@dataclass(frozen=True)
class Looked:
    """What the model sees of one picture's K tags and of its caption, averaged over scales and mirror images.

    Args:
        maps: K×h×w scores of the reading.
        cosines: K×h×w plain similarities in -1..1.
        caption: h×w plain similarity to the caption, None without one.
        caption_map: h×w calibrated map of the caption where a caption can be judged alone (sigmoid), else None.
        image_scores: K scores of the pooled image embedding, read with the same calibration.
        rivals: R scores of words of background on the scale of `image_scores`, None where a method has none.
    """

    maps: torch.Tensor
    cosines: torch.Tensor
    caption: torch.Tensor | None
    caption_map: torch.Tensor | None
    image_scores: torch.Tensor
    rivals: torch.Tensor | None = None


@torch.inference_mode()
def look(
    session: Session,
    reading: Reading,
    pictures: Sequence[Picture],
    tags: Sequence[torch.Tensor],
    rivals: Sequence[torch.Tensor],
    captions: Sequence[torch.Tensor | None],
    owners: Sequence[int] | None = None,
) -> list[Looked]:
    """Compare every picture with its own texts.

    Args:
        session: the model.
        reading: how similarities become scores.
        pictures: B pictures of any sizes.
        tags: B tensors K×D, normalised; K may differ and may be 0.
        rivals: B tensors R×D that compete with the tags and are not answered for; R may differ and may be 0.
        captions: B caption embeddings of D, or None.
        owners: where several tags stand for one class, the class of each, ascending, the same for all pictures; a class
            takes the highest similarity of its tags before anything competes, so that synonyms do not weaken it, and
            K counts classes in the results. None where every tag stands for itself.

    Returns:
        B results in the order of the pictures.
    """
    texts = [torch.cat(pair) for pair in zip(tags, rivals, strict=True)]
    views = session.views
    plans = [tuple(plan_sizes(p.size, session.info.patch, views.image_size, views.scales)) for p in pictures]
    results: list[Looked | None] = [None] * len(pictures)
    for group in group_by_shape(plans):
        for part in _parts(session, group, plans[group[0]], texts):
            padded, valid = _pad([texts[i] for i in part], session)
            asked = [len(tags[i]) if owners is None else owners[-1] + 1 for i in part]
            heads = [captions[i] for i in part]
            height, width = max(plans[part[0]])
            with memory_errors(f"looking at {len(part)} picture(s) of {width}x{height} pixels"):
                shown = [pictures[i] for i in part]
                seen = list(_look_batch(session, reading, shown, plans[part[0]], padded, valid, asked, heads, owners))
            for i, looked in zip(part, seen, strict=True):
                results[i] = looked
    return [looked for looked in results if looked is not None]


def _look_batch(
    session: Session,
    reading: Reading,
    pictures: list[Picture],
    plan: Sequence[tuple[int, int]],
    texts: torch.Tensor,
    valid: torch.Tensor,
    asked: list[int],
    captions: list[torch.Tensor | None],
    owners: Sequence[int] | None,
) -> Iterator[Looked]:
    info = session.info
    if owners is not None:
        valid = torch.cat([valid.new_ones(len(pictures), asked[0]), valid[:, len(owners) :]], dim=1)
    read = partial(
        calibrate,
        logit_scale=reading.logit_scale,
        sigmoid_scale=reading.sigmoid_scale,
        sigmoid_bias=reading.sigmoid_bias,
    )
    heads = torch.stack([c if c is not None else texts.new_zeros(texts.shape[-1]) for c in captions])[:, None]
    scores: list[torch.Tensor] = []
    cosines: list[torch.Tensor] = []
    caption: list[torch.Tensor] = []
    pooled: list[torch.Tensor] = []
    for size in plan:
        pixels = torch.stack([picture_tensor(p, size, info.mean, info.std) for p in pictures]).to(session.device)
        encoded = session.backbone.encode_images(
            torch.cat([pixels, pixels.flip(-1)]) if session.views.hflip else pixels
        )
        for mirrored, dense in enumerate(torch.split(encoded.dense, len(pictures))):
            # B D h w -> B K h w
            dense = dense.flip(-1) if mirrored else dense
            maps = strongest_of(cosine_maps(dense, texts), owners)
            cosines.append(maps)
            scores.append(read(maps, reading.calibration, valid=valid))
            caption.append(cosine_maps(dense, heads))
        for vector in torch.split(encoded.pooled, len(pictures)):
            pooled.append(read(strongest_of(cosine_scores(vector, texts), owners), reading.calibration, valid=valid))
    mean_scores, mean_cosines, mean_caption = average_maps(scores), average_maps(cosines), average_maps(caption)[:, 0]
    mean_pooled = torch.stack(pooled).mean(0)
    judged = reading.calibration == "sigmoid"
    caption_scores = average_maps([read(m, "sigmoid") for m in caption])[:, 0] if judged else None
    for b, (k, head) in enumerate(zip(asked, captions, strict=True)):
        yield Looked(
            maps=mean_scores[b, :k],
            cosines=mean_cosines[b, :k],
            caption=mean_caption[b] if head is not None else None,
            caption_map=caption_scores[b] if head is not None and caption_scores is not None else None,
            image_scores=mean_pooled[b, :k],
        )


def strongest_of(values: torch.Tensor, owners: Sequence[int] | None) -> torch.Tensor:
    """B×T×... values of tags and rivals -> B×K×..., the tags' highest for each class; what follows them stays.

    Args:
        values: the first len(owners) of the T belong to classes.
        owners: ascending class of each tag, or None for no change.
    """
    if owners is None or len(owners) == owners[-1] + 1:
        return values
    own, rest = values[:, : len(owners)], values[:, len(owners) :]
    index = torch.tensor(owners, device=values.device).view(1, -1, *[1] * (values.dim() - 2)).expand_as(own)
    best = own.new_empty(len(own), owners[-1] + 1, *own.shape[2:])
    return torch.cat([best.scatter_reduce(1, index, own, "amax", include_self=False), rest], dim=1)


def owned(looked: Looked, owners: Sequence[int] | None) -> Looked:
    """The maps of texts as those of their classes, each the highest of its texts'; see `strongest_of`."""
    if owners is None:
        return looked
    maps = strongest_of(looked.maps[None], owners)[0]
    return replace(looked, maps=maps, cosines=maps, image_scores=strongest_of(looked.image_scores[None], owners)[0])


def picture_tensor(
    picture: Picture, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> torch.Tensor:
    """Resize a picture and normalise it: 3×H×W float32.

    Bicubic with antialiasing on bytes, as CLIP's own preprocessing does; the aspect ratio is the caller's choice.
    """
    height, width = size
    image = Image.fromarray(picture.pixels)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    return ((pixels - torch.tensor(mean)) / torch.tensor(std)).permute(2, 0, 1).contiguous()


def _pad(tags: list[torch.Tensor], session: Session) -> tuple[torch.Tensor, torch.Tensor]:
    """B tensors K×D -> B×K×D padded with zeros, and B×K bool."""
    longest = max(len(t) for t in tags)
    texts = torch.zeros(len(tags), longest, session.info.width, device=session.device)
    valid = torch.zeros(len(tags), longest, dtype=torch.bool, device=session.device)
    for b, embeddings in enumerate(tags):
        texts[b, : len(embeddings)] = embeddings
        valid[b, : len(embeddings)] = True
    return texts, valid


def _parts(
    session: Session, group: list[int], plan: Sequence[tuple[int, int]], tags: Sequence[torch.Tensor]
) -> Iterator[list[int]]:
    """Split a group so that its maps stay within `MAX_CELLS`."""
    cells = max((h // session.info.cell_side) * (w // session.info.cell_side) for h, w in plan)
    views = len(plan) * (2 if session.views.hflip else 1)
    longest = max(1, max(len(tags[i]) for i in group))
    fit = 1 if session.apart else max(1, MAX_CELLS // max(1, 2 * cells * views * longest))
    for start in range(0, len(group), fit):
        yield group[start : start + fit]

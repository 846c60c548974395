"""Tag scores and maps of a backbone on the generated scenes, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.metrics.maps import pixel_auc, points_inside
from ttd_core.metrics.tagging import TagCounts, count_decisions, tag_metrics
from ttd_core.ops.tta import average_maps
from ttd_core.protocols import Backbone
from ttd_core.scenes.captions import DEFAULT_STYLE, CaptionStyle
from ttd_core.scenes.dataset import generate_split
from ttd_core.scenes.scene import visible_flags, word_masks
from ttd_core.scenes.vocabulary import content_words

CHUNK = 32
THRESHOLD = 0.5


@dataclass(frozen=True)
class JudgedCaption:
    """One caption of the benchmark with the truth about its words.

    Args:
        picture: S×S×3 uint8.
        caption: the sentence.
        words: its distinct words without stop words, in order of appearance.
        visible: K bool.
        masks: K×S×S bool.
    """

    picture: np.ndarray
    caption: str
    words: tuple[str, ...]
    visible: np.ndarray
    masks: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """S×S bool union of the masks of the visible words."""
        union: np.ndarray = self.masks[self.visible].any(axis=0)
        return union


@dataclass(frozen=True)
class Views:
    """How often a picture is looked at.

    Args:
        sizes: picture sides in pixels, multiples of the patch; the first one gives the image scores.
        hflip: also look at the mirrored picture.
    """

    sizes: tuple[int, ...] = (96,)
    hflip: bool = False


@dataclass(frozen=True)
class CaptionMaps:
    """What a backbone says about one caption, averaged over views.

    Args:
        image: K cosines of the words with the pooled picture.
        text: K cosines of the words with the caption.
        words: K×h×w cosines of the words with the cells.
        caption: h×w cosines of the caption with the cells.
    """

    image: np.ndarray
    text: np.ndarray
    words: np.ndarray
    caption: np.ndarray


def judged_captions(split: str, count: int | None = None, style: CaptionStyle = DEFAULT_STYLE) -> list[JudgedCaption]:
    """The first `count` captions of a split (None: its usual length) with their truths."""
    judged = []
    for batch in generate_split(split, stop=count, style=style):
        for position in range(len(batch)):
            scene = batch.scene(position)
            words = content_words(scene.captions[0])
            flags, masks = visible_flags(scene, words), word_masks(scene, words)
            judged.append(JudgedCaption(scene.image, scene.captions[0], words, flags, masks))
    return judged


@torch.inference_mode()
def caption_maps(backbone: Backbone, judged: Sequence[JudgedCaption], views: Views = Views()) -> list[CaptionMaps]:
    """Cosines of every caption's words with the picture; of several views their mean on the finest grid."""
    vocabulary = sorted({word for item in judged for word in item.words})
    rows = {word: row for row, word in enumerate(vocabulary)}
    words = F.normalize(backbone.encode_texts(vocabulary), dim=-1)
    found: list[CaptionMaps] = []
    for start in range(0, len(judged), CHUNK):
        part = judged[start : start + CHUNK]
        captions = F.normalize(backbone.encode_texts([item.caption for item in part]), dim=-1)
        cells, pooled = _average_cells(backbone, _to_input(part, backbone), views)
        for index, item in enumerate(part):
            own = words[[rows[word] for word in item.words]]
            # (K+1)×D, D×h×w -> (K+1)×h×w; cosines are linear in the cells, so mean cells give mean maps
            maps = torch.einsum("kd,dhw->khw", torch.cat([own, captions[index : index + 1]]), cells[index])
            image, text = own @ pooled[index], own @ captions[index]
            found.append(CaptionMaps(image.numpy(), text.numpy(), maps[:-1].numpy(), maps[-1].numpy()))
    return found


def softmax_scores(cosines: np.ndarray, scale: float) -> np.ndarray:
    """K scores in 0..1: softmax over the candidates, at every cell of K×h×w maps (their maximum) or of K cosines."""
    if not len(cosines):
        return np.zeros(0, dtype=np.float32)
    logits = torch.from_numpy(cosines).reshape(len(cosines), -1) * scale
    scores: np.ndarray = logits.softmax(dim=0).amax(dim=1).numpy()
    return scores


def count_selected(judged: Sequence[JudgedCaption], selected: Sequence[np.ndarray]) -> TagCounts:
    """Decisions (K bool for each caption) against what is visible, summed over captions."""
    counts = TagCounts(0, 0, 0, 0)
    for item, kept in zip(judged, selected, strict=True):
        counts += count_decisions(kept.tolist(), item.visible.tolist())
    return counts


def select_tags(
    maps: Sequence[CaptionMaps], scorer: str, scale: float, threshold: float = THRESHOLD
) -> list[np.ndarray]:
    """K bool for each caption by the softmax reading; `scorer` is `image`, `text` or `pixel`."""
    field = {"pixel": "words"}.get(scorer, scorer)
    return [softmax_scores(getattr(found, field), scale) >= threshold for found in maps]


def map_quality(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps]) -> tuple[float, float]:
    """Mean pixel AUC and share of maxima inside the mask, over all visible words; both in 0..1."""
    areas, hits = [], []
    for item, found in zip(judged, maps, strict=True):
        shown = enlarge(found.words[item.visible], item.picture.shape[0])
        for values, mask in zip(shown, item.masks[item.visible], strict=True):
            areas.append(pixel_auc(values, mask))
            hits.append(points_inside(values, mask))
    return float(np.nanmean(areas)), float(np.mean(hits))


def enlarge(maps: np.ndarray, side: int) -> np.ndarray:
    """K×h×w maps, bilinear at K×side×side."""
    if not len(maps):
        return np.zeros((0, side, side), dtype=np.float32)
    large: np.ndarray = F.interpolate(torch.from_numpy(maps)[None], (side, side), mode="bilinear")[0].numpy()
    return large


def scenes_probe(backbone: Backbone, count: int = 200) -> Callable[[int], Mapping[str, float]]:
    """A measurement for the training log: F1 of the three scorings on `scenes:val`, pixel AUC and pointing."""
    judged = judged_captions("val", count)

    def probe(step: int) -> dict[str, float]:
        maps = caption_maps(backbone, judged)
        values = {}
        for scorer in ("image", "text", "pixel"):
            selected = select_tags(maps, scorer, backbone.info.logit_scale)
            values[f"val_f1_{scorer}"] = round(tag_metrics(count_selected(judged, selected)).f1, 4)
        area, hits = map_quality(judged[:60], maps[:60])
        return values | {"val_pixel_auc": round(area, 4), "val_pointing": round(hits, 4)}

    return probe


def _to_input(judged: Sequence[JudgedCaption], backbone: Backbone) -> torch.Tensor:
    # B×S×S×3 -> B×3×S×S
    values = torch.from_numpy(np.stack([item.picture for item in judged])).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(backbone.info.mean), torch.tensor(backbone.info.std)
    return (values - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def _average_cells(backbone: Backbone, pictures: torch.Tensor, views: Views) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cells of all views, B×D×h×w, and the pooled vectors of the first, B×D."""
    cells, pooled = [], []
    for side in views.sizes:
        resized = pictures
        if side != pictures.shape[-1]:
            resized = F.interpolate(pictures, (side, side), mode="bicubic", antialias=True)
        for mirrored in (False, True)[: 1 + views.hflip]:
            encoded = backbone.encode_images(resized.flip(3) if mirrored else resized)
            cells.append(encoded.dense.flip(3) if mirrored else encoded.dense)
            pooled.append(encoded.pooled)
    return average_maps(cells), pooled[0]

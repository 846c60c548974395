"""Tag scores and maps of a backbone on the generated scenes, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ttd_core.metrics.maps import pixel_auc, points_inside
from ttd_core.metrics.tagging import TagCounts, count_decisions, tag_metrics
from ttd_core.protocols import Backbone
from ttd_core.scenes.dataset import generate_split
from ttd_core.scenes.scene import visible_flags, word_masks
from ttd_core.scenes.vocabulary import STOP_WORDS

CHUNK = 32


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
class CaptionMaps:
    """What a backbone says about one caption.

    Args:
        image, text: K cosines of the words with the pooled picture and with the caption.
        words: K×h×w cosines of the words with the cells.
        caption: h×w cosines of the caption with the cells.
    """

    image: np.ndarray
    text: np.ndarray
    words: np.ndarray
    caption: np.ndarray


def judged_captions(split: str, count: int | None = None) -> list[JudgedCaption]:
    """The first `count` captions of a split (None: its usual length) with their truths."""
    judged = []
    for batch in generate_split(split, stop=count):
        for position in range(len(batch)):
            scene = batch.scene(position)
            caption = scene.captions[0]
            words = tuple(word for word in dict.fromkeys(caption.split()) if word not in STOP_WORDS)
            flags, masks = visible_flags(scene, words), word_masks(scene, words)
            judged.append(JudgedCaption(scene.image, caption, words, flags, masks))
    return judged


@torch.inference_mode()
def caption_maps(
    backbone: Backbone, judged: Sequence[JudgedCaption], sizes: Sequence[int] = (96,), hflip: bool = False
) -> list[CaptionMaps]:
    """Cosines of every caption's words, averaged over picture sizes and mirror images on the finest grid.

    Args:
        backbone: the model.
        judged: captions with pictures of one size.
        sizes: picture sides in pixels, multiples of the patch; the first one gives the image scores.
        hflip: also look at the mirrored picture.
    """
    vocabulary = sorted({word for item in judged for word in item.words})
    rows = {word: row for row, word in enumerate(vocabulary)}
    words = F.normalize(backbone.encode_texts(vocabulary), dim=-1)
    found: list[CaptionMaps] = []
    for start in range(0, len(judged), CHUNK):
        part = judged[start : start + CHUNK]
        captions = F.normalize(backbone.encode_texts([item.caption for item in part]), dim=-1)
        pictures = _to_input(np.stack([item.picture for item in part]), backbone)
        dense, pooled = _average_cells(backbone, pictures, sizes, hflip)
        for index, item in enumerate(part):
            own = words[[rows[word] for word in item.words]]
            # K×D with D×h×w, linear in the cells, so averaged cells give averaged maps
            maps = torch.einsum("kd,dhw->khw", torch.cat([own, captions[index : index + 1]]), dense[index])
            found.append(
                CaptionMaps(
                    (own @ pooled[index]).numpy(), (own @ captions[index]).numpy(), maps[:-1].numpy(), maps[-1].numpy()
                )
            )
    return found


def softmax_scores(cosines: np.ndarray, scale: float) -> np.ndarray:
    """K scores in 0..1: softmax over the candidates, at every cell of K×h×w maps (their maximum) or of K cosines."""
    if not len(cosines):
        return np.zeros(0)
    logits = torch.from_numpy(cosines).reshape(len(cosines), -1) * scale
    return logits.softmax(dim=0).amax(dim=1).numpy()


def score_f1(judged: Sequence[JudgedCaption], scores: Sequence[np.ndarray], threshold: float = 0.5) -> TagCounts:
    """Decisions of a threshold on every caption's scores, summed."""
    counts = TagCounts(0, 0, 0, 0)
    for item, values in zip(judged, scores, strict=True):
        counts += count_decisions((values >= threshold).tolist(), item.visible.tolist())
    return counts


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
    return F.interpolate(torch.from_numpy(maps)[None], (side, side), mode="bilinear")[0].numpy()


def scenes_probe(backbone: Backbone, count: int = 200) -> Callable[[int], Mapping[str, float]]:
    """A measurement for the training log: F1 of the three scorings on `scenes:val`, pixel AUC and pointing."""
    judged = judged_captions("val", count)

    def probe(step: int) -> dict[str, float]:
        maps = caption_maps(backbone, judged)
        scale = backbone.info.logit_scale
        values = {}
        for name in ("image", "text", "words"):
            scores = [softmax_scores(getattr(found, name), scale) for found in maps]
            values[f"val_f1_{'pixel' if name == 'words' else name}"] = round(
                tag_metrics(score_f1(judged, scores)).f1, 4
            )
        area, hits = map_quality(judged[:60], maps[:60])
        return values | {"val_pixel_auc": round(area, 4), "val_pointing": round(hits, 4)}

    return probe


def _to_input(pictures: np.ndarray, backbone: Backbone) -> torch.Tensor:
    # B×S×S×3 -> B×3×S×S
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(backbone.info.mean), torch.tensor(backbone.info.std)
    return (values - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def _average_cells(
    backbone: Backbone, pictures: torch.Tensor, sizes: Sequence[int], hflip: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    views = []
    pooled = None
    for side in sizes:
        resized = F.interpolate(pictures, (side, side), mode="bicubic", antialias=True).clamp(-2.5, 2.5)
        for flip in (False, True) if hflip else (False,):
            encoded = backbone.encode_images(resized.flip(3) if flip else resized)
            views.append(encoded.dense.flip(3) if flip else encoded.dense)
            pooled = encoded.pooled if pooled is None else pooled
    assert pooled is not None
    grid = max((view.shape[-2:] for view in views), key=lambda shape: shape[0])
    resized_views = [F.interpolate(view, grid, mode="bilinear") if view.shape[-2:] != grid else view for view in views]
    return torch.stack(resized_views).mean(dim=0), pooled

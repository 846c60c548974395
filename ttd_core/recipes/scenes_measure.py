"""Tag scores and maps of a backbone on the generated scenes, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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

CHUNK = 16
TEXTS = 64
PIXELS = 8 * 128 * 128  # of one forward pass: more fall out of the processor's cache
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


def caption_maps(backbone: Backbone, judged: Sequence[JudgedCaption], views: Views = Views()) -> list[CaptionMaps]:
    """Cosines of every caption's words with the picture; of several views their mean on the finest grid."""
    texts = Texts(backbone, judged)
    cells = picture_cells(backbone, [item.picture for item in judged], views)
    return [texts.compare(item, seen.mean, seen.pooled) for item, seen in zip(judged, cells, strict=True)]


class Texts:
    """The words and captions of a benchmark, embedded once.

    Args:
        backbone: the model.
        judged: every caption that will be asked about.
    """

    @torch.inference_mode()
    def __init__(self, backbone: Backbone, judged: Sequence[JudgedCaption]) -> None:
        vocabulary = sorted({word for item in judged for word in item.words})
        self._rows = {word: row for row, word in enumerate(vocabulary)}
        self._words = F.normalize(backbone.encode_texts(vocabulary), dim=-1)
        captions = list(dict.fromkeys(item.caption for item in judged))
        parts = [
            F.normalize(backbone.encode_texts(captions[i : i + TEXTS]), dim=-1) for i in range(0, len(captions), TEXTS)
        ]
        self._captions = dict(zip(captions, torch.cat(parts) if parts else (), strict=True))

    @torch.inference_mode()
    def compare(self, item: JudgedCaption, cells: torch.Tensor, pooled: torch.Tensor) -> CaptionMaps:
        """Cosines of one caption and its words with D×h×w cells and a pooled picture of D."""
        own = self._words[[self._rows[word] for word in item.words]]
        caption = self._captions[item.caption]
        # (K+1)×D, D×h×w -> (K+1)×h×w; cosines are linear in the cells, so mean cells give mean maps
        maps = torch.einsum("kd,dhw->khw", torch.cat([own, caption[None]]), cells).cpu().numpy()
        image, text = (own @ pooled).cpu().numpy(), (own @ caption).cpu().numpy()
        return CaptionMaps(image, text, maps[:-1], maps[-1])


@dataclass(frozen=True)
class PictureCells:
    """What a backbone makes of one picture.

    Args:
        pooled: D, of the first view.
        first: D×h×w cells of the first view.
        mean: D×h×w mean cells of all views on the finest grid.
    """

    pooled: torch.Tensor
    first: torch.Tensor
    mean: torch.Tensor


def picture_cells(backbone: Backbone, pictures: Sequence[np.ndarray], views: Views) -> Iterator[PictureCells]:
    """Encode S×S×3 uint8 pictures, each once per view, in their order; what is read is all that is kept."""
    for start in range(0, len(pictures), CHUNK):
        part = pictures[start : start + CHUNK]
        with torch.inference_mode():
            cells, pooled = _view_cells(backbone, _to_input(part, backbone), views)
            first, mean = cells[0], average_maps(cells)
        yield from map(PictureCells, pooled, first, mean)


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


@dataclass(frozen=True)
class MapJudgement:
    """The map of one visible word of one caption against its mask.

    Args:
        word: the word.
        auc: pixel AUC in 0..1, NaN where the mask fills the picture.
        inside: whether the highest pixel lies in the mask.
    """

    word: str
    auc: float
    inside: bool


def judge_maps(judged: Sequence[JudgedCaption], maps: Sequence[CaptionMaps]) -> list[MapJudgement]:
    """Compare the map of every visible word, bilinear at the picture's size, with its mask."""
    found = []
    for item, said in zip(judged, maps, strict=True):
        seen = np.flatnonzero(item.visible)
        shown = enlarge(said.words[seen], item.picture.shape[0])
        for k, values in zip(seen, shown, strict=True):
            mask = item.masks[k]
            found.append(MapJudgement(item.words[k], pixel_auc(values, mask), points_inside(values, mask)))
    return found


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
        found = judge_maps(judged[:60], maps[:60])
        area, hits = np.nanmean([one.auc for one in found]), np.mean([one.inside for one in found])
        return values | {"val_pixel_auc": round(float(area), 4), "val_pointing": round(float(hits), 4)}

    return probe


def _to_input(pictures: Sequence[np.ndarray], backbone: Backbone) -> torch.Tensor:
    # B×S×S×3 -> B×3×S×S
    values = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(backbone.info.mean), torch.tensor(backbone.info.std)
    return ((values - mean.view(3, 1, 1)) / std.view(3, 1, 1)).to(_device(backbone))


def _view_cells(backbone: Backbone, pictures: torch.Tensor, views: Views) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The cells of every view, each B×D×h×w and upright, and the pooled vectors of the first, B×D."""
    cells: list[torch.Tensor] = []
    pooled: list[torch.Tensor] = []
    for side in views.sizes:
        resized = pictures
        if side != pictures.shape[-1]:
            resized = F.interpolate(pictures, (side, side), mode="bicubic", antialias=True)
        for mirrored in (False, True)[: 1 + views.hflip]:
            shown = (resized.flip(3) if mirrored else resized).split(max(1, PIXELS // side**2))
            if cells:
                dense = torch.cat([_dense_cells(backbone, part) for part in shown])
            else:
                encoded = [backbone.encode_images(part) for part in shown]
                dense, pooled = torch.cat([e.dense for e in encoded]), [e.pooled for e in encoded]
            cells.append(dense.flip(3) if mirrored else dense)
    return cells, torch.cat(pooled)


def _dense_cells(backbone: Backbone, images: torch.Tensor) -> torch.Tensor:
    """`encode_images(images).dense`; of models that offer it without the pooled vector, which is half of the work."""
    short = getattr(backbone, "encode_dense", None)
    dense: torch.Tensor = backbone.encode_images(images).dense if short is None else short(images)
    return dense


def _device(backbone: Backbone) -> torch.device:
    parameters = backbone.parameters() if isinstance(backbone, torch.nn.Module) else iter(())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))

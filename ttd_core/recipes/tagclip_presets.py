"""What the published settings of TagCLIP and CLIP-ES vary from data set to data set, by name. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ttd_core.methods.clip_es.config import ClipEsConfig
from ttd_core.methods.tagclip.config import TagClipConfig
from ttd_core.registry import unknown_name
from ttd_core.text.rivals import RIVALS

TAG_TEMPLATES = "full+maskclip"
MASK_TEMPLATES = "origami"


@dataclass(frozen=True)
class Preset:
    """One column of the published table; blocks are counted from the end, so that other depths have them, too.

    Args:
        summary: what it is for.
        blocks: blocks whose attention refines tags; None for all but the last.
        threshold: τ of candidates and tags.
        rivals: words of background that compete with the classes.
        map_blocks: blocks whose attention spreads maps.
        box_threshold: share of a map's maximum that its boxes lie around.
        map_rivals: words of background that compete with the tags of a map.
    """

    summary: str
    blocks: tuple[int, ...] | None
    threshold: float
    rivals: tuple[str, ...]
    map_blocks: tuple[int, ...]
    box_threshold: float
    map_rivals: tuple[str, ...]

    def tagging(self, depth: int) -> TagClipConfig:
        """Settings of the tagger over an encoder of `depth` blocks; a shallower one takes those that it has."""
        named = tuple(range(-depth, -1)) or (-1,) if self.blocks is None else _within(self.blocks, depth)
        return TagClipConfig(blocks=named, threshold=self.threshold)

    def mapping(self, depth: int) -> ClipEsConfig:
        """Settings of the maps over an encoder of `depth` blocks."""
        return ClipEsConfig(_within(self.map_blocks, depth), self.box_threshold)


PRESETS = {
    "voc": Preset("VOC: objects", (-4, -3, -2), 0.5, RIVALS, tuple(range(-8, -1)), 0.4, RIVALS),
    "coco": Preset("COCO: objects", (-4, -3, -2), 0.5, RIVALS, tuple(range(-8, 0)), 0.7, RIVALS),
    "stuff": Preset("COCO-Stuff: scenes", None, 0.1, (), tuple(range(-8, 0)), 0.7, ("background",)),
}
"""Name -> settings, in the order of lists."""

DEFAULT = "voc"


def preset(name: str | None) -> Preset:
    """The settings of a name; None is `voc`.

    Raises:
        UsageError: there is none of this name.
    """
    if name is not None and name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name or DEFAULT]


def _within(blocks: tuple[int, ...], depth: int) -> tuple[int, ...]:
    return tuple(block for block in blocks if block >= -depth) or (-1,)

"""Names of interchangeable parts, mapped to `module:attribute` strings.

A name can so be listed, completed and checked without importing torch, and a lower layer can reach a part of a higher
one without importing it at load time.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ttd_core.errors import UsageError


@dataclass(frozen=True)
class Registry:
    """A table of names.

    Args:
        kind: what a name stands for, as messages call it (`model`, `dense strategy`).
        entries: name -> `module:attribute`.
    """

    kind: str
    entries: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a malformed target when the table is written, not when it is used."""
        for name, target in self.entries.items():
            module, _, attribute = target.partition(":")
            if not module or not attribute:
                raise ValueError(f"{self.kind} {name!r}: {target!r} is not of the form 'module:attribute'")

    def names(self) -> list[str]:
        """The names in the order of the table."""
        return list(self.entries)

    def load(self, name: str) -> Any:
        """Import and return what `name` stands for.

        Raises:
            UsageError: the name is unknown; the hint shows near matches.
        """
        if name not in self.entries:
            raise unknown_name(self.kind, name, self.entries)
        module, _, attribute = self.entries[name].partition(":")
        return getattr(importlib.import_module(module), attribute)


def near_matches(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Up to `limit` known names that look like `name`, best first; letter case and `/ _ -` are not told apart."""
    folded: dict[str, list[str]] = {}
    for candidate in known:
        folded.setdefault(_fold(candidate), []).append(candidate)
    close = difflib.get_close_matches(_fold(name), folded, n=limit, cutoff=0.6)
    return [candidate for key in close for candidate in folded[key]][:limit]


def unknown_name(kind: str, name: str, known: Iterable[str], listing: str | None = None) -> UsageError:
    """The error for a name that no table holds.

    Args:
        kind: what the name should have been, e.g. `model`.
        name: as the user typed it.
        known: every valid name.
        listing: how to see all of them, for tables too long to print.
    """
    known = list(known)
    close = near_matches(name, known)
    parts = [f"did you mean {' or '.join(close)}?"] if close else []
    if listing is not None:
        parts.append(listing)
    elif not close or len(known) <= 20:
        parts.append(f"known: {', '.join(known)}")
    return UsageError(f"unknown {kind} {name!r}", hint=" ".join(parts))


def _fold(name: str) -> str:
    return name.casefold().replace("/", "-").replace("_", "-")


BACKBONES = Registry(
    "model",
    {
        "scenes": "ttd_core.clip.scenes_weights:open_scenes",
        "tcl": "ttd_core.methods.tcl.weights:load_tcl_backbone",
    },
)
"""Backbones that are not plain open_clip architectures: name -> loader(spec, device, reporter) -> Backbone."""

SCENES_FILES = Registry(
    "kind of scenes weights", {"ttd-scenes-tcl-1": "ttd_core.methods.tcl.scenes_weights:open_scenes_tcl"}
)
"""Files that `--model scenes` takes besides its own: what they call themselves -> loader as in `BACKBONES`."""

DENSE = Registry(
    "dense strategy",
    {
        "clip": "ttd_core.clip.dense:dense_clip",
        "maskclip": "ttd_core.clip.dense:dense_maskclip",
        "maskclip-full": "ttd_core.clip.dense:dense_maskclip_full",
    },
)
"""Ways to read patch features out of the vision tower: name -> strategy, see `ttd_core.clip.dense`."""

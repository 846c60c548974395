"""The `text` format: small tables for people. Scripts take `tsv`, `json` or `jsonl`.

Columns are aligned by what a terminal shows, so wide and combining letters stay in line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from ttd_core.text.clean import printable

Row = Mapping[str, Any]

_WIDEST_TAG = 32
_WIDEST_CAPTION = 100
_BAR = 10
_SHOWN_DROPPED = 8


def text_lines(row: Row, command: str, many: bool) -> Iterator[str]:
    """One answer as a person reads it.

    Args:
        row: a result row.
        command: `tags`, `masks` or `demo`.
        many: whether the call may have several inputs; then each answer begins with its key.
    """
    candidates: Sequence[Row] = row.get("candidates", ())
    if all(candidate.get("score") is None and not candidate.get("note") for candidate in candidates):
        start = [_plain(row["key"])] if many else []
        yield from ("\t".join([*start, _plain(tag)]) for tag in row.get("tags", ()))
    else:
        if many:
            yield from _heading(row)
        yield from _mask_table(row) if command == "masks" else _tag_table(row)
        yield from _dropped(candidates)
    yield from _products(row)
    if many and (row.get("files") or candidates and candidates[0].get("score") is not None):
        yield ""


def _heading(row: Row) -> Iterator[str]:
    caption = _plain(row.get("text") or "")
    if cell_len(caption) > _WIDEST_CAPTION:
        caption = set_cell_size(caption, _WIDEST_CAPTION - 1).rstrip() + "…"
    yield f"{_plain(row['key'])}: {caption}" if caption else f"{_plain(row['key'])}:"


def _tag_table(row: Row) -> Iterator[str]:
    by_tag = {str(candidate["tag"]): candidate for candidate in row.get("candidates", ())}
    kept = [by_tag[tag] for tag in row.get("tags", ()) if tag in by_tag]
    placed = any(candidate.get("x") is not None for candidate in kept)
    before = {str(each["tag"]): each for each in row.get("before", ())}
    header = ["tag", *(["before"] if before else []), "score", "", *(["at x, y", "runner-up"] if placed else [])]
    rows = []
    for candidate in kept:
        old = [_score(before.get(str(candidate["tag"]), {}).get("score"))] if before else []
        cells = [_plain(candidate["tag"]), *old, _score(candidate.get("score")), _bar(candidate.get("score"))]
        if placed:
            cells += [f"{candidate.get('x')}, {candidate.get('y')}", _plain(candidate.get("runner_up") or "-")]
        rows.append(cells)
    yield from _aligned(header, rows)


def _mask_table(row: Row) -> Iterator[str]:
    rows = []
    for mask in row.get("masks", ()):
        area = float(mask.get("area") or 0.0)
        box = mask.get("box")
        place = "-" if box is None else "{}, {} to {}, {}".format(*box)
        cells = [_plain(mask["tag"]), _score(mask.get("score")), f"{100 * area:.1f}%", _bar(area), place]
        rows.append(cells)
    yield from _aligned(["tag", "score", "area", "", "box x, y"], rows)
    parts = [
        f"{name} {100 * value:.1f}%"
        for name, value in (("union of the tags", row.get("union_area")), ("caption", row.get("caption_area")))
        if value is not None
    ]
    if parts:
        yield "  covered: " + ", ".join(parts)


def _dropped(candidates: Sequence[Row]) -> Iterator[str]:
    dropped = [candidate for candidate in candidates if not candidate.get("selected")]
    if dropped:
        named = [
            f"{_plain(candidate['tag'])} {_score(candidate.get('score')) or _reason(candidate)}"
            for candidate in dropped[:_SHOWN_DROPPED]
        ]
        more = f", and {len(dropped) - _SHOWN_DROPPED} more" if len(dropped) > _SHOWN_DROPPED else ""
        yield "  dropped: " + ", ".join(named) + more


def _reason(candidate: Row) -> str:
    return f"({_plain(candidate.get('note') or 'not scored')})"


def _products(row: Row) -> Iterator[str]:
    """The pictures a person would open, with paths that work from where the command was typed."""
    files: Mapping[str, str] = row.get("files") or {}
    folder = str(row.get("folder", ""))
    for name in ("sheet", "overlay", "caption_overlay", "labels"):
        if name in files:
            yield f"  {name.replace('_', ' ')}: {_plain(os.path.join(folder, files[name]))}"


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        yield "  no tag kept"
        return
    widths = [min(max(cell_len(line[i]) for line in (header, *rows)), _WIDEST_TAG) for i in range(len(header))]
    for line in (header, *rows):
        cells = [set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)]
        yield ("  " + "  ".join(cells)).rstrip()


def _bar(value: float | None) -> str:
    return "" if value is None else "█" * round(_BAR * min(max(value, 0.0), 1.0))


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _plain(value: object) -> str:
    return printable(str(value))

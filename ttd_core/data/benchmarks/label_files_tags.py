"""Predicted (or true) tags by key: the rows of `ttd tags`, or anybody's lists.

Understood are a run of `ttd tags` or its `tags.jsonl`, JSON Lines with `key` (or `id`, `image`) and `tags`, tables
(`.csv`, `.tsv`, `.parquet`) with such columns, and lines `<key><TAB>dog, grass`. A candidate was kept where its entry
has `selected`, or where it is among the row's `tags`; the two may not contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttd_core.data.benchmarks.label_files_rows import Answers, add_once, is_json_lines, json_rows, key_of, text_rows
from ttd_core.data.files import show
from ttd_core.data.inputs import read_samples
from ttd_core.data.rows import BadRow
from ttd_core.errors import DataError
from ttd_core.text.candidates import given_tags, split_tags
from ttd_core.text.clean import printable

_ROW = 'expected lines like {"key": "a.jpg", "tags": ["dog", "grass"]}'
_TABLES = (".csv", ".tsv", ".tab", ".parquet", ".pq")


@dataclass(frozen=True)
class JudgedTag:
    """What a predictor said about one candidate.

    Args:
        tag: folded as candidates are.
        score: in any range, None where there is none.
        selected: it was kept.
    """

    tag: str
    score: float | None
    selected: bool


@dataclass(frozen=True)
class TagPrediction:
    """The tags of one caption or picture.

    Args:
        tags: those that were kept, folded, each once.
        candidates: all that were judged, None where the file does not say.
        text: the caption they belong to, where the file says so.
    """

    tags: tuple[str, ...]
    candidates: tuple[JudgedTag, ...] | None = None
    text: str | None = None


def read_tag_predictions(path: Path) -> Answers[TagPrediction]:
    """Read tags by key; the forms are described above. Rows that say that their input was skipped are passed over.

    Args:
        path: a file, or the folder of a run of `ttd tags`.

    Raises:
        DataError: naming file and line: no key, no list of tags, a key that comes twice; or no rows at all.
    """
    if path.is_dir():
        if not (path / "tags.jsonl").is_file():
            raise DataError(f"{show(path)}: has no tags.jsonl", "give a run folder of `ttd tags`, or a file of tags")
        path = path / "tags.jsonl"
    found: dict[str, TagPrediction] = {}
    for origin, key, prediction in _rows(path):
        add_once(found, key, prediction, origin)
    if not found:
        raise DataError(f"{show(path)}: holds no tags", _ROW)
    return Answers(found)


def _rows(path: Path) -> Iterator[tuple[str, str, TagPrediction]]:
    if is_json_lines(path):
        for origin, row in json_rows(path):
            if "error" not in row or "tags" in row:
                yield origin, key_of(row, origin), _prediction(row, origin)
    elif path.suffix.lower() in _TABLES:
        yield from _table_rows(path)
    else:
        for origin, text in text_rows(path):
            key, tab, tags = text.partition("\t")
            if not tab or not key.strip():
                raise DataError(f"{origin}: has no tab between key and tags", _ROW)
            yield origin, key.strip(), TagPrediction(folded(split_tags(tags)))


def _table_rows(path: Path) -> Iterator[tuple[str, str, TagPrediction]]:
    seen: set[str] = set()
    for row in read_samples(path, need_text=True):
        if isinstance(row, BadRow):
            raise DataError(f"{row.origin}: {row.message}", row.hint)
        base, mark, number = row.key.rpartition("#")
        if mark and number.lstrip("L").isdecimal() and base in seen:  # how the reader tells repeated keys apart
            raise DataError(f"{row.origin}: {printable(base)[:80]} comes twice", "keep one row per picture")
        seen.add(row.key)
        yield row.origin, row.key, TagPrediction(folded(row.tags or ()), None, row.caption)


def _prediction(row: Mapping[str, Any], origin: str) -> TagPrediction:
    tags = row.get("tags")
    if isinstance(tags, str):
        tags = split_tags(tags)
    judged = _judged(row["candidates"], origin) if isinstance(row.get("candidates"), list) else None
    if tags is None and judged is not None and (not judged or any(chosen is not None for _, _, chosen in judged)):
        tags = [tag for tag, _, chosen in judged if chosen]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DataError(f"{origin}: has no list of tags", _ROW)
    kept = folded(tags)
    text = next((row[name] for name in ("text", "caption") if isinstance(row.get(name), str)), None)
    return TagPrediction(kept, None if judged is None else _decided(judged, kept, origin), text)


def _judged(entries: list[Any], origin: str) -> list[tuple[str, float | None, bool | None]]:
    """Tag, score, and whether it was kept, of each candidate; None where its entry does not say."""
    judged: dict[str, tuple[str, float | None, bool | None]] = {}
    for entry in entries:
        known = entry if isinstance(entry, dict) else {"tag": entry}
        tag, score, chosen = known.get("tag"), known.get("score"), known.get("selected")
        if not isinstance(tag, str):
            raise DataError(f"{origin}: a candidate has no tag", 'expected {"tag": "dog", "score": 0.7}')
        if score is not None and (type(score) not in (int, float) or not math.isfinite(score)):
            raise DataError(f"{origin}: the score of {printable(tag)[:60]} is no finite number")
        if chosen is not None and chosen not in (True, False):
            raise DataError(f"{origin}: selected of {printable(tag)[:60]} is neither true nor false")
        for key in folded([tag]):
            judged[key] = (key, score, None if chosen is None else bool(chosen))
    return list(judged.values())


def _decided(
    judged: Iterable[tuple[str, float | None, bool | None]], kept: tuple[str, ...], origin: str
) -> tuple[JudgedTag, ...]:
    """Candidates with their decisions: those that do not say whether they were kept are looked up in the tags."""
    decided = []
    for tag, score, chosen in judged:
        if chosen is not None and chosen != (tag in kept):
            said = "selected but not among its tags" if chosen else "among its tags but not selected"
            raise DataError(
                f"{origin}: {printable(tag)[:60]} is {said}", "a tag was kept, or it was not: drop one of the two"
            )
        decided.append(JudgedTag(tag, score, tag in kept))
    return tuple(decided)


def folded(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags cleaned and folded as candidates are, each once, in order."""
    return tuple(candidate.key for candidate in given_tags(tags))

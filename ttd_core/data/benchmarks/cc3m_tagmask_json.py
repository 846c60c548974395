"""The JSON files of CC3M-TagMask, whose schema nobody has published: tolerant reading with clear refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttd_core.data.benchmarks.label_files_tags import folded
from ttd_core.data.files import open_regular, show
from ttd_core.errors import DataError
from ttd_core.text.candidates import split_tags
from ttd_core.text.clean import printable

_CAPTIONS = ("caption", "text", "sentence", "title")
_TAGS = (
    "tags",
    "true_tags",
    "gt_tags",
    "refined_tags",
    "tag",
    "gt",
    "ground_truth",
    "labels",
    "objects",
    "nouns",
    "words",
)
_NAMES = ("tag", "name", "label", "word", "noun", "text")
_FLAGS = ("true", "selected", "relevant", "visible", "valid", "gt", "value")
_MAX_BYTES = 4 << 20
_EXPECTED = 'expected {"caption": "a dog on grass", "tags": ["dog", "grass"]}'


@dataclass(frozen=True)
class Annotation:
    """What one JSON file says.

    Args:
        caption: its sentence, None where it has none.
        tags: the true tags, folded; None where the file has none of the keys.
        candidates: the words that were judged, folded; None where the file does not judge.
        names: what the values of an index mask stand for, folded.
        without_tags: the message for a use that needs the file's own tags.
    """

    caption: str | None
    tags: tuple[str, ...] | None
    candidates: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    without_tags: str = ""


def read_annotation(path: Path) -> Annotation:
    """Read one file.

    Raises:
        DataError: it is no JSON object, or its tags are in no form that is understood; the keys found are shown.
    """
    row = _load(path)
    caption = next((row[key] for key in _CAPTIONS if isinstance(row.get(key), str)), None)
    key = next((key for key in _TAGS if row.get(key) is not None), None)
    names = _texts(row.get("names"))
    missing = f"{show(path)}: has no list of true tags; keys found: {_listed(row)}"
    if key is None:
        return Annotation(caption, None, None, names, missing)
    judged = _judged(row[key])
    if judged is None:
        raise DataError(f"{show(path)}: cannot read the tags under {key!r}; keys found: {_listed(row)}", _EXPECTED)
    tags = folded(tag for tag, true in judged if true is not False)
    flagged = any(true is not None for _, true in judged)
    candidates = folded(tag for tag, _ in judged) if flagged else None
    further = _texts(row.get("candidates"))
    if further is not None:
        candidates = tuple(dict.fromkeys((*filter(None, further), *(candidates or tags))))
    return Annotation(caption, tags, candidates, names)


def _load(path: Path) -> dict[str, Any]:
    with open_regular(path) as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise DataError(f"{show(path)}: is larger than {_MAX_BYTES >> 20} MiB, expected one picture's annotation")
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{show(path)}: is not JSON", _EXPECTED) from error
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise DataError(f"{show(path)}: is no JSON object", _EXPECTED)
    return {key.strip().casefold().replace(" ", "_").replace("-", "_"): item for key, item in value.items()}


def _judged(value: Any) -> list[tuple[str, bool | None]] | None:
    """Tags with the verdict about each, None for a verdict that is not given; None for a form that is not known."""
    if isinstance(value, str):
        return [(tag, None) for tag in split_tags(value)]
    if isinstance(value, dict):
        verdicts = {tag: _verdict(each) for tag, each in value.items()}
        return None if None in verdicts.values() else list(verdicts.items())
    if not isinstance(value, list):
        return None
    judged: list[tuple[str, bool | None]] = []
    for each in value:
        if isinstance(each, str):
            judged.append((each, None))
            continue
        tag = _first(each, _NAMES) if isinstance(each, dict) else None
        if not isinstance(tag, str):
            return None
        flag = _first(each, _FLAGS)
        if flag is not None and _verdict(flag) is None:
            return None
        judged.append((tag, None if flag is None else _verdict(flag)))
    return judged


def _verdict(value: Any) -> bool | None:
    return bool(value) if isinstance(value, bool) or (type(value) in (int, float) and value in (0, 1)) else None


def _first(row: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _texts(value: Any) -> tuple[str, ...] | None:
    """Folded texts in their places; what is no tag at all becomes an empty text."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(next(iter(folded([each])), "") for each in value)
    return None


def _listed(row: Mapping[str, Any]) -> str:
    return ", ".join(printable(key)[:40] for key in list(row)[:10]) or "none"

"""The texts that stand for the classes of a list: the data set's own names, or names and synonyms from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.benchmarks.class_lists import (
    class_list_names,
    names_for,
    verbatim_names,
)
from ttd_core.data.benchmarks.coco_ids import stuff_to_coarse
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.errors import DataError

_ASKED = {"voc21": "voc20", "coco_object81": "coco80", "cocostuff27": "cocostuff171"}
"""Lists that are asked about by the names of another one."""

_MASKS = "-segmentation"


@dataclass(frozen=True)
class ClassTexts:
    """Texts in groups, one group per class.

    Args:
        texts: all T texts, class by class.
        owners: for each text the index of its class, ascending.
        tagging: what stands for `texts` where a published system tags before it draws masks; None for the same.
        targets: where the classes asked about are merged to those of the data set, the one of each.
    """

    texts: tuple[str, ...]
    owners: tuple[int, ...]
    tagging: tuple[str, ...] | None = None
    targets: tuple[int, ...] | None = None


def class_texts(classes: ClassList, path: str | None, verbatim: bool = False, system: str | None = None) -> ClassTexts:
    """The texts of a class list.

    Args:
        classes: the data set's list; its background is not prompted.
        path: a file with one line per class in the list's order, synonyms separated by commas; None takes the names.
        verbatim: the names of the data set's list keep the blanks at their ends, as the published prompts do.
        system: a published system whose spellings are prompted where no file is given, see `spelled`.

    Raises:
        DataError: the file cannot be read or has another number of lines.
        UsageError: the system has no names for these classes.
    """
    if path is None and system is not None:
        return spelled(classes, system)
    if path is None:
        known = verbatim and classes.name in class_list_names()
        names = verbatim_names(classes.name)[len(classes.names) - len(classes.things) :] if known else classes.things
        groups = [[name if known else name.strip()] for name in names]
    else:
        groups = [[part.strip() for part in line.split(",") if part.strip()] for line in _lines(Path(path))]
        if len(groups) != len(classes.things) or not all(groups):
            raise DataError(
                f"{path}: {len(groups)} classes, but {classes.name} has {len(classes.things)} without the background",
                hint="one line per class in the data set's order, synonyms separated by commas",
            )
    owners = tuple(index for index, group in enumerate(groups) for _ in group)
    return ClassTexts(tuple(text for group in groups for text in group), owners)


def spelled(classes: ClassList, system: str) -> ClassTexts:
    """The texts that a published system prompts, as they stand.

    Lists with a background have the names of those without. The 27 groups of COCO-Stuff are asked about by the names of
    all 171 classes, as published.

    Args:
        classes: the data set's list.
        system: a system of `names_for`; one of two stages is named by its masks (`tagclip-segmentation`).

    Raises:
        UsageError: it has no names for these classes.
    """
    asked = _ASKED.get(classes.name, classes.name)
    names = names_for(system, asked)
    tagging = names_for(system.removesuffix(_MASKS), asked) if system.endswith(_MASKS) else None
    targets = None
    if classes.name == "cocostuff27":
        targets = tuple(stuff_to_coarse()[: len(names)].tolist())
    return ClassTexts(names, tuple(range(len(names))), tagging, targets)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    return [line for line in text.splitlines() if line.strip()]

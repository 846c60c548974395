"""The texts that stand for the classes of a list: the data set's own names, or names and synonyms from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.benchmarks.class_lists import class_list_names, verbatim_names
from ttd_core.data.benchmarks.types import ClassList
from ttd_core.errors import DataError


@dataclass(frozen=True)
class ClassTexts:
    """Texts in groups, one group per class.

    Args:
        texts: all T texts, class by class.
        owners: for each text the index of its class, ascending.
    """

    texts: tuple[str, ...]
    owners: tuple[int, ...]


def class_texts(classes: ClassList, path: str | None, verbatim: bool = False) -> ClassTexts:
    """The texts of a class list.

    Args:
        classes: the data set's list; its background is not prompted.
        path: a file with one line per class in the list's order, synonyms separated by commas; None takes the names.
        verbatim: the names of the data set's list keep the blanks at their ends, as the published prompts do.

    Raises:
        DataError: the file cannot be read or has another number of lines.
    """
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


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    return [line for line in text.splitlines() if line.strip()]

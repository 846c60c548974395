"""What a published row needs, whether that is on this machine, and what to type then. Opens and decodes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.benchmarks.catalogue import find_entry
from ttd_core.data.benchmarks.entries import Entry
from ttd_core.recipes.evaluation.published import ARRIVALS, NeededFile, PublishedRow

_ALL_OF_TTD = ("image", "mask", "xml")
_MOST_FOLDERS = 64
"""Sub-folders of a root that are looked into; people keep a handful of data sets in one place."""


@dataclass(frozen=True)
class Available:
    """What was found.

    Args:
        data: whether the data set's folders were found; None when no root was named.
        weights: whether all weights were found; None when nothing can be said before they are downloaded.
        missing: what to put where, one sentence each; then what to type.
    """

    data: bool | None
    weights: bool | None
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the row can be computed now."""
        return not self.missing


def availability(
    row: PublishedRow,
    root: Path | None = None,
    given: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Available:
    """Look for what a row needs. The data set itself says more when it is opened; this only looks for its folders.

    Args:
        row: the row.
        root: folder of the data set.
        given: option -> path typed for it (`--weights`, `--lora`, `--pred`, ...); the rest is looked for by name.
        folder: where names are looked for; None for the working directory.
    """
    given = given or {}
    folder = folder or Path()
    data = True if row.needs.data is None else None if root is None else data_found(row.data, root)
    missing = []
    if row.arrives is not None:
        missing.append(_waiting(row))
    if not data:
        missing.append(_where_data(row, root))
    there = {needed: _found(needed, given, folder) for needed in (*row.needs.weights, *row.needs.files)}
    missing += [_where_file(needed, given) for needed, found in there.items() if found is False]
    weights = [there[needed] for needed in row.needs.weights]
    if missing:
        missing.append(f"{'then' if row.arrives is None else 'today'}: {command(row, root, given)}")
    return Available(data, False if False in weights else None if None in weights else True, tuple(missing))


def command(row: PublishedRow, root: Path | None = None, given: Mapping[str, str] | None = None) -> str:
    """What to type to compute a row and compare it with its figures.

    Args:
        row: the row.
        root: folder of the data set; None writes `DATA`.
        given: option -> path, in place of the names in the working directory.
    """
    given = given or {}
    words = ["ttd", "evaluate", "--recipe", row.name]
    if row.needs.data is not None:
        words += ["--root", str(root) if root is not None else "DATA"]
    if row.arrives is not None:
        words += ["--pred", given.get("--pred", "MASKS" if row.task == "masks" else "TAGS")]
    else:
        for needed in (*row.needs.weights, *row.needs.files):
            if not needed.fetched:
                words += _option(needed, given.get(_flag(needed), needed.file))
    if row.published:
        words += ["--expect", "published"]
    return shlex.join(words)


def data_found(name: str, root: Path) -> bool:
    """Whether the folders of a data set lie under a root: in an original layout or the one of TTD.

    Args:
        name: of the catalogue, with or without a split.
        root: a folder that holds them, or that holds a folder which does.

    Raises:
        UsageError: there is no such data set.
    """
    stem = name.partition(":")[0]
    if stem == "scenes":
        return True
    original, ttd = layouts(find_entry(stem))
    bases = list(_bases(root))
    return any(
        all(any((base / path).exists() for path in paths) for paths in layout)
        for base in bases
        for layout in (*_shortened(original), ttd)
        if layout
    )


def is_split_of(name: str, data: str) -> bool:
    """Whether a name typed after `--data` means a row's own data set: the same, or a split of one without a split.

    Args:
        name: as typed; an alias of the data set and a path are none of its splits.
        data: of the row.
    """
    return name == data or (":" not in data and name.partition(":")[0] == data)


def layouts(entry: Entry) -> tuple[list[list[str]], list[list[str]]]:
    """The paths of a catalogue entry: those of the original layout, and those of TTD's.

    Returns:
        Two lists of what must all be there; each part a list of paths of which one is enough.
    """
    original, ttd = [], []
    for line in entry.layouts:
        if line.startswith("the ttd layout: "):
            first, *more = line.removeprefix("the ttd layout: ").split(", ")
            parent = first.rpartition("/")[0]
            ttd = [[first], [f"{parent}/{part}" for part in more]]
        else:
            original.append(line.split(" or "))
    return original, ttd


def _shortened(layout: list[list[str]]) -> Iterator[list[list[str]]]:
    """The layout as it is, and as seen from inside the folders that all of its paths begin with."""
    while layout:
        yield layout
        heads = {path.partition("/")[0] for paths in layout for path in paths}
        if len(heads) > 1 or any("/" not in path for paths in layout for path in paths):
            return
        layout = [[path.partition("/")[2] for path in paths] for paths in layout]


def _bases(root: Path) -> Iterator[Path]:
    yield root
    try:
        inside = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return
    yield from inside[:_MOST_FOLDERS]


def _found(needed: NeededFile, given: Mapping[str, str], folder: Path) -> bool | None:
    path = given.get(_flag(needed))
    if path is not None:
        return Path(path).expanduser().exists()
    return None if needed.fetched else (folder / needed.file).exists()


def _flag(needed: NeededFile) -> str:
    return needed.option.partition(" ")[0]


def _option(needed: NeededFile, path: str) -> Iterable[str]:
    flag, _, form = needed.option.partition(" ")
    return flag, form.replace("FILE", path) if form and "FILE" not in path else path


def _where_file(needed: NeededFile, given: Mapping[str, str]) -> str:
    path = given.get(_flag(needed))
    if path is not None:
        return f"{_flag(needed)} {path}: no such file or folder; it is {needed.source}"
    option = needed.option.replace("FILE", "PATH") if " " in needed.option else f"{needed.option} PATH"
    return f"put {needed.file} into the working directory, or name its place with {option}: {needed.source}"


def _where_data(row: PublishedRow, root: Path | None) -> str:
    entry = find_entry(row.data.partition(":")[0])
    wanted = ", ".join(entry.layouts)
    if root is None:
        return f"name the folder of {row.needs.data} with --root; looked for in it: {wanted}"
    return f"put {row.needs.data} under {root}; looked for there, in vain: {wanted}"


def _waiting(row: PublishedRow) -> str:
    assert row.arrives is not None
    finished = "label maps" if row.task == "masks" else "tags and scores"
    return f"{ARRIVALS[row.arrives]} come with a later release; {finished} made elsewhere can be scored today"

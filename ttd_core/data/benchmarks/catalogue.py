"""The data sets that can be named after `--data`, and the way from a name to an opened one.

Openers are named as strings and imported when a set is opened, so that listing them costs nothing. Each is a function
`open_x(name, split, root, truth) -> Benchmark`: `name` as in this table, `split` None for the default one, `root` a
folder, `truth` a file that replaces the set's own annotation or None. Where a path was given instead of a name, `name`
is that path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ttd_core.data.benchmarks.entries import ENTRIES, Entry
from ttd_core.data.benchmarks.types import Benchmark
from ttd_core.errors import UsageError
from ttd_core.registry import Registry, near_matches

Opener = Callable[[str, str | None, Path, Path | None], Benchmark]

OPENERS = Registry("data set", {entry.name: entry.opener for entry in ENTRIES})
"""name -> opener."""

LIST_OPENER = Registry("data set", {"list": "ttd_core.data.benchmarks.caption_list:open_caption_list"})
_LISTING = "show all: ttd evaluate --list"


def entries() -> tuple[Entry, ...]:
    """The whole catalogue, in the order it should be shown in."""
    return ENTRIES


def find_entry(name: str) -> Entry:
    """The entry of a name or alias; letter case and `_` for `-` make no difference.

    Args:
        name: without a split.

    Raises:
        UsageError: there is no such data set; the hint shows near matches.
    """
    entry = _lookup(name)
    if entry is None:
        raise _unknown(name)
    return entry


def open_benchmark(name: str, root: Path | None, truth: Path | None = None) -> Benchmark:
    """Open a data set: look for its files, decode nothing.

    Args:
        name: a name or alias of the catalogue, with a split after a colon where another than the default one is wanted
            (`voc2012:train`), or the path of a folder or list file.
        root: folder of the data set; None for a path.
        truth: a file with the true tags or labels, instead of the set's own annotation. A set whose root is not given
            is looked for beside it.

    Raises:
        UsageError: unknown name, or no root.
        DataError: what the data set needs is not there.
    """
    stem, colon, split = name.partition(":")
    entry = _lookup(stem)
    if entry is None:
        return _open_path(name, root, truth)
    if colon and not split:
        raise UsageError(f"--data {name}: no split after the colon", hint=f"e.g. --data {entry.name}:{entry.split}")
    if colon and entry.split is None:
        raise UsageError(f"--data {name}: {entry.name} has no splits", hint=f"give --data {entry.name}")
    if root is None and truth is None:
        raise UsageError(
            f"--data {name} needs the folder it lies in",
            hint=f"add --root FOLDER, the one holding {' and '.join(entry.layouts[:2])}",
        )
    opener: Opener = OPENERS.load(entry.name)
    folder = root if root is not None else (truth or Path()).parent
    return opener(entry.name, split or None, folder, truth)


def _open_path(name: str, root: Path | None, truth: Path | None) -> Benchmark:
    path = Path(name)
    if path.is_dir():
        folder_opener: Opener = OPENERS.load("folder")
        return folder_opener(name, None, root if root is not None else path, truth)
    if path.is_file():
        list_opener: Opener = LIST_OPENER.load("list")
        return list_opener(name, None, root if root is not None else path.parent, truth)
    if path.suffix or "/" in name or "\\" in name:
        raise UsageError(f"--data {name}: no such folder or file, and no data set of that name", hint=_LISTING)
    raise _unknown(name.partition(":")[0])


def _fold(name: str) -> str:
    return name.casefold().replace("_", "-")


def _names_of(entry: Entry) -> Iterable[str]:
    return (entry.name, *entry.aliases)


def _lookup(name: str) -> Entry | None:
    folded = _fold(name)
    return next((entry for entry in ENTRIES if folded in map(_fold, _names_of(entry))), None)


def _unknown(name: str) -> UsageError:
    # `scenes` is no file-based set and is opened elsewhere, but somebody who mistypes it should see it.
    names = ["scenes", *OPENERS.names()]
    aliases = [alias for entry in ENTRIES for alias in entry.aliases]
    close = near_matches(name, [*names, *aliases])
    known = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names)};"
    return UsageError(f"unknown data set {name!r}", hint=f"{known} {_LISTING}")

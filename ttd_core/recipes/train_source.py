"""What a training reads: its pairs, and digests of whatever they and its weights hold. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from ttd_core.data.files import show
from ttd_core.data.kept import Kept
from ttd_core.data.pair_lists import LISTS
from ttd_core.data.pair_sources import open_pairs
from ttd_core.data.pairs import PairSource
from ttd_core.errors import DataError, WeightsError
from ttd_core.recipes.train_options import TrainOptions
from ttd_core.runs import combined, digest_files


def open_source(options: TrainOptions, kept: Kept | None) -> PairSource:
    """The pairs that the options, or what was pruned, name.

    Raises:
        UsageError: the data is unknown.
        DataError: it is not there, or not what it should be.
    """
    root = None if options.root is None else Path(options.root)
    try:
        return open_pairs(options.data, root, options.columns if kept is None else kept.columns)
    except DataError as error:
        if kept is None or Path(options.data).is_absolute() or Path(options.data).exists():
            raise
        raise DataError(
            f"{error.message}: {show(kept.folder)} was pruned from it",
            "its path starts from the folder in which ttd preprocess was started: go there",
        ) from error


def pairs_digest(options: TrainOptions, kept: Kept | None) -> str | None:
    """What tells other pairs apart: the manifest, which names the scores, else the content of a list.

    Scenes are the same everywhere, and folders and archives have none: they may be large, and may have moved.

    Raises:
        DataError: the list cannot be read.
    """
    if kept is not None:
        return kept.sha256
    path = Path(options.data)
    return digest_files([path]) if path.suffix.lower() in LISTS and path.is_file() else None


def weights_digest(options: TrainOptions) -> str | None:
    """SHA-256 of the weights that are named as files or folders; a pretrained tag that is no path is a name.

    Raises:
        WeightsError: one is missing or cannot be read.
    """
    named = options.pretrained is not None and Path(options.pretrained).exists()
    given = (options.weights, options.pretrained if named else None)
    return combined(digest_files([Path(path)], WeightsError) or "" for path in given if path is not None)

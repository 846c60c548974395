"""Class lists that a call names: what every picture is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ttd_core.data.class_files import read_class_file
from ttd_core.data.files import show
from ttd_core.data.tag_lists import read_tag_list
from ttd_core.errors import UsageError
from ttd_core.recipes.methods import name_of
from ttd_core.recipes.own_tags import holds_own_tags
from ttd_core.types import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttd_core.data.benchmarks.types import Benchmark
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.options import CommonOptions

_NAMED = 5
"""Classes named in a warning."""


def has_classes(options: CommonOptions) -> bool:
    """Whether pictures without tags of their own are asked about one list of classes."""
    return not holds_own_tags(options) and any((options.classes, options.tags_file, options.data))


def tags_for_all(options: CommonOptions) -> tuple[str, ...] | None:
    """What every picture without tags of its own is asked about; None for the words of its caption.

    Raises:
        DataError: a list is missing, malformed or empty.
    """
    if options.classes is not None:
        return read_class_file(options.classes).names
    if options.tags_file is not None and not holds_own_tags(options):
        return read_tag_list(options.tags_file)
    return options.tags


def synonyms_of(options: CommonOptions, report: Reporter) -> Mapping[str, tuple[str, ...]]:
    """Folded class -> texts that stand for it; empty without `--classes`.

    Args:
        options: with `classes`.
        report: warned of classes that come more than once.

    Raises:
        DataError: the list is missing, malformed or empty.
    """
    if options.classes is None:
        return {}
    found = read_class_file(options.classes)
    if found.repeated:
        named = ", ".join(dict.fromkeys(found.repeated[:_NAMED])) + (", ..." if len(found.repeated) > _NAMED else "")
        report.warning(
            f"{show(options.classes)}: {len(found.repeated)} line(s) repeat a class, letter case aside: {named}",
            f"equal classes are one; numbers of classes go from 0 to {len(found.names) - 1}",
        )
    return found.texts_of()


def data_rows(options: CommonOptions) -> Iterator[Sample]:
    """The pictures of a data set, each with its classes as candidates.

    Classes are called as TagCLIP's tagger calls them where that or its second stage is the method, and it has names.

    Raises:
        UsageError: there is no such data set, or it has no picture files or no classes.
        DataError: what it needs is not there.
    """
    from ttd_core.data.benchmarks.catalogue import open_benchmark
    from ttd_core.data.benchmarks.coco import CocoObjects

    assert options.data is not None
    if options.data.partition(":")[0] == "scenes":
        raise UsageError(
            "--data scenes has no picture files: its scenes are drawn by ttd evaluate, preprocess and train",
            hint="ttd evaluate --data scenes:test, or --input with pictures of your own",
        )
    benchmark: Benchmark = open_benchmark(options.data, None if options.root is None else Path(options.root), None)
    if isinstance(benchmark, CocoObjects):
        benchmark = benchmark.for_task("classification")
    tags = tags_for_all(options)
    if tags is None:
        if benchmark.classes is None:
            raise UsageError(f"--data {options.data} has no classes", hint="name them with --classes FILE")
        tags = tuple(name.strip() for name in benchmark.classes.things)
        if name_of(options).startswith("tagclip") or name_of(options) == "clip-es":  # both stages by one name
            tags = _spelled(benchmark.classes.name) or tags
    for each in benchmark.samples:
        if each.image is None:
            raise UsageError(f"--data {options.data} has no picture files", hint="ttd evaluate measures on it")
        yield Sample(each.key, each.image, None, tags, origin=each.key, classes=tags)


def _spelled(classes: str) -> tuple[str, ...] | None:
    from ttd_core.data.benchmarks.class_lists import names_for

    try:
        return names_for("tagclip", {"voc21": "voc20", "coco_object81": "coco80"}.get(classes, classes))
    except UsageError:
        return None

"""From the name of a task to what does it: a model, or finished answers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttd_core.data.benchmarks.label_files import read_label_predictions
from ttd_core.data.benchmarks.label_files_masks import open_predicted_captions, open_predicted_masks
from ttd_core.data.benchmarks.label_files_tags import read_tag_predictions
from ttd_core.data.benchmarks.types import Benchmark
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.bias_task import BiasTask
from ttd_core.recipes.evaluation.class_task import ClassTask
from ttd_core.recipes.evaluation.file_tasks import ClassFileTask, MaskFileTask, TagFileTask, TextFileTask
from ttd_core.recipes.evaluation.mask_task import MaskTask
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.tag_task import TagTask
from ttd_core.recipes.evaluation.task import Setting, Task
from ttd_core.recipes.evaluation.text_task import TextTask

_BY_MODEL: dict[str, Callable[[Setting], Task]] = {
    "tags": TagTask,
    "text": TextTask,
    "masks": MaskTask,
    "classification": ClassTask,
    "bias": BiasTask,
}
_BY_FILES: dict[str, Callable[[Setting, Any], Task]] = {
    "tags": TagFileTask,
    "text": TextFileTask,
    "masks": MaskFileTask,
    "classification": ClassFileTask,
}


@dataclass(frozen=True)
class FileAnswers:
    """Finished answers, opened.

    Args:
        keys: the samples they answer; `in` also finds a picture's plain name.
        answers: what the task reads them from.
        notices: what was assumed.
    """

    keys: Collection[str]
    answers: Any
    notices: tuple[str, ...] = ()


def file_answers(options: EvaluateOptions, task: str, benchmark: Benchmark) -> FileAnswers | None:
    """Open what `--pred` names, None where a model is to be asked.

    Raises:
        UsageError: the task cannot be done from files.
        DataError: they cannot be read, or hold something that is no answer to this task.
    """
    if options.pred is None:
        return None
    path = Path(options.pred)
    if task == "tags":
        tags = read_tag_predictions(path)
        return FileAnswers(tags, tags)
    if task == "bias":
        raise UsageError("--pred does not go with --task bias, which asks a model", hint="drop --pred, name a --model")
    if task == "text":
        masks = open_predicted_captions(path)
        return FileAnswers(masks.files, masks, masks.notices)
    assert benchmark.classes is not None  # data sets without classes offer none of these tasks
    if task == "masks":
        masks = open_predicted_masks(path, benchmark.classes)
        return FileAnswers(masks.files, masks, masks.notices)
    labels = read_label_predictions(path, benchmark.classes)
    return FileAnswers(labels, labels)


def make_task(setting: Setting, task: str, answers: FileAnswers | None) -> Task:
    """The task, ready to read its first sample.

    Raises:
        TtdError: what the task needs besides is not right, e.g. a file of class names.
    """
    if answers is None:
        return _BY_MODEL[task](setting)
    return _BY_FILES[task](setting, answers.answers)

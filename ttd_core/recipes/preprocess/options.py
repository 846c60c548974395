"""Every setting of `ttd preprocess`, with its default and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ttd_core.data.rows import Columns
from ttd_core.errors import UsageError
from ttd_core.recipes.checks import not_both, not_empty, whole
from ttd_core.recipes.model_options import ModelOptions
from ttd_core.recipes.options import TagOptions


def _how(default: Any) -> Any:
    return field(default=default, metadata={"result": False})


@dataclass(frozen=True, kw_only=True)
class PreprocessOptions:
    """Options of `ttd preprocess`; those not explained here mean what they mean in `CommonOptions`.

    Args:
        data: `scenes:train`, or what `ttd_core.data.pair_sources.open_pairs` understands.
        root: folder of the named data sets; for a list the folder that picture paths start from.
        image_column, text_column, id_column: the list's columns or JSON keys; None takes the usual names.
        limit: stop after this many pairs; one process then works through the shards in their order.
        engine: `local` starts processes on this machine, `ray` actors on a Ray cluster.
        workers: processes, each with a model of its own; None takes one per GPU, or one per core (at most 8) on a CPU.
        devices: where they compute, separated by commas, handed out in turn; None follows `--device`.

    Raises:
        UsageError: options contradict each other (both are named) or a value is out of range.
    """

    data: str | None = None
    root: str | None = None
    image_column: str | None = None
    text_column: str | None = None
    id_column: str | None = None
    limit: int | None = None
    model: ModelOptions = field(default_factory=ModelOptions)
    image_size: int | None = None
    scales: tuple[float, ...] = (1.0,)
    hflip: bool = False
    engine: Literal["local", "ray"] = _how("local")
    workers: int | None = _how(None)
    devices: str | None = _how(None)
    batch_size: int = _how(32)
    format: Literal["text", "tsv", "json", "jsonl"] = _how("text")
    out: str | None = _how(None)
    run_root: str = _how("runs")
    overwrite: bool = _how(False)
    keep_going: bool = _how(False)

    def __post_init__(self) -> None:
        """Refuse contradictions and values out of range."""
        if self.data is None or not self.data.strip():
            raise UsageError(
                "nothing to score: --data is missing",
                hint="e.g. ttd preprocess --data scenes:train, or --data '/data/{00000..01242}.tar'",
            )
        for flag, folder in (("--root", self.root), ("--out", self.out), ("--run-root", self.run_root)):
            not_empty(flag, folder, "a folder")
        if self.workers is not None:
            whole("--workers", self.workers, at_least=1)
            if self.limit is not None and self.workers > 1:
                raise UsageError(
                    "--limit and --workers contradict each other: one process counts the pairs",
                    hint="leave one of them out",
                )
        self.device_list()
        self.answers()

    @property
    def columns(self) -> Columns:
        """The list's columns."""
        return Columns(image=self.image_column, text=self.text_column, id=self.id_column)

    def device_list(self) -> tuple[str, ...]:
        """The devices that were named, in their order; empty where none were.

        Raises:
            UsageError: one is unknown, or `--device` says something else.
        """
        if self.devices is None:
            return ()
        not_empty("--devices", self.devices, "devices such as cuda:0,cuda:1")
        not_both("--devices", self.devices, "--device", self.model.device if self.model.device != "auto" else None,
                 "both say where to compute")  # fmt: skip
        named = tuple(part.strip() for part in self.devices.split(","))
        for name in named:
            ModelOptions(device=name)
        return named

    def answers(self) -> TagOptions:
        """The settings of the model and of its views, in the form that opens a session.

        Raises:
            UsageError: a value is out of range.
        """
        return TagOptions(
            input=self.data, limit=self.limit, model=self.model, image_size=self.image_size, scales=self.scales,
            hflip=self.hflip, batch_size=self.batch_size, run_root=self.run_root,
        )  # fmt: skip

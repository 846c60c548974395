"""The training loop: steps, schedule, measurements, log and checkpoints. What a step computes is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ttd_core.protocols import Reporter, SilentReporter, show_status
from ttd_core.training.checkpoint import load_checkpoint, put_weights, remove_halves, save_checkpoint, trained_weights
from ttd_core.training.ema import Ema
from ttd_core.training.gradient_checkpointing import set_gradient_checkpointing
from ttd_core.training.guard import FAILED_BY_GUARD, RememberingGuard, StoppedByGuard
from ttd_core.training.log import append_entry, forget_after
from ttd_core.training.optim import build_adamw, set_rate
from ttd_core.training.pace import Pace
from ttd_core.training.share import LossFunction, Share, StepLosses
from ttd_core.training.stage import Bookkeeping, LoopSettings, Probe, Stage, StageResult
from ttd_core.training.step import StepFigures, take_step

__all__ = ["Bookkeeping", "LoopSettings", "Share", "Stage", "StageResult", "StepLosses", "StoppedByGuard", "run_stage"]


def run_stage(
    model: nn.Module,
    stage: Stage,
    losses: LossFunction,
    books: Bookkeeping,
    report: Reporter,
    probe: Probe | None = None,
    settings: LoopSettings | None = None,
) -> StageResult:
    """Train `model` in place, going on from the stage's checkpoint if there is one.

    On one CPU thread, a training that was interrupted anywhere and taken up again equals an unbroken one bit for bit.
    Several processes call this with the same arguments but their own `settings.processes`.

    Args:
        model: its trainable parameters are optimised; it is left in evaluation mode with its last weights (with
            `settings.ema`, the averaged ones). `model.train()` is called before each step: a model with parts that
            must stay in evaluation mode overrides `train`. It is on the device on which it is to be trained.
        stage: how long and how fast.
        losses: computes a share of a step, within autocast where `settings.precision` says so. It must draw its
            randomness from its own seed, the step's number and the share alone; torch's global generators are seeded
            so before each call. With several shares it sees its share's rows only: contrasts are within a share unless
            it exchanges rows (`ttd_core.training.exchange`), and batch norm takes its statistics from it. It may
            freeze and free parameters by the step's number.
        books: files and intervals.
        report: told about progress.
        probe: measures the model now and then; called in the main process alone.
        settings: how steps are taken; None for the plain way.

    Returns:
        Times and checkpoints.

    Raises:
        StoppedByGuard: the guard ended the training, or a loss was not finite; the best checkpoint is kept.
        RunError: the folder cannot be written, its checkpoint is of another training, or another process went away.
        UsageError: the model has no gradient checkpointing, or the batch cannot be cut into the shares.
    """
    training = _Training(model, stage, books, report, probe, settings or LoopSettings())
    training.take_up()
    training.run(losses)
    return training.leave()


class _Training:
    """One stage under way."""

    def __init__(
        self,
        model: nn.Module,
        stage: Stage,
        books: Bookkeeping,
        report: Reporter,
        probe: Probe | None,
        settings: LoopSettings,
    ) -> None:
        self.model, self.stage, self.books, self.probe, self.settings = model, stage, books, probe, settings
        self.processes = settings.processes
        self.report: Reporter = report if self.processes.main else SilentReporter()
        self.done = 0
        self.best: dict[str, Any] | None = None  # step, value, figures
        self.processes.same_weights(model)
        set_gradient_checkpointing(model, settings.checkpointing)
        self.optimiser = build_adamw(model, stage.lr, stage.decay, stage.betas, stage.eps, stage.decay_scalars)
        self.ema = Ema(model, settings.ema) if settings.ema is not None else None
        self.pace = Pace()

    def take_up(self) -> None:
        """Go back to the last checkpoint, if there is one; the main process reads it for all."""
        path = self.books.last(self.stage)
        state = load_checkpoint(path, self.books.fingerprint) if self.processes.main else None
        state = self.processes.from_main(state)
        if state is not None:
            put_weights(self.model, state["model"], path)
            self.optimiser.load_state_dict(state["optimiser"])
            if self.ema is not None and state["ema"] is not None:
                self.ema.load(state["ema"])
            if isinstance(self.settings.guard, RememberingGuard):
                self.settings.guard.load_state_dict(state["guard"])
            self.done, self.best = state["step"], state["best"]
            self.pace = Pace(state["seconds"], state["cpu_seconds"])
            self._say_how_it_goes_on(state["parts"])
        if self.processes.main:
            for written in (path, self.books.best(self.stage), self.books.log):
                remove_halves(written)
            forget_after(self.books.log, self.stage.name, self.done if state is not None else -1)

    def run(self, losses: LossFunction) -> None:
        """Take the steps that are left."""
        stage = self.stage
        if self.done == 0 and self.settings.validate_first and self.probe is not None:
            self._log({"step": 0}, measured := self._measure())
            self._ask_guard({"step": 0}, measured)
        left = range(self.done, stage.steps)
        for step in self.report.track(left, len(left), f"stage {stage.name}"):
            lr = stage.rate(step)
            set_rate(self.optimiser, lr)
            self.model.train()
            number = stage.first_step + step
            figures = take_step(self.model, self.optimiser, losses, number, stage.clip, self.settings)
            self.pace.count(figures.samples)
            self._after_step(step + 1, lr, figures)

    def leave(self) -> StageResult:
        """Put the model into its final state and say what there is."""
        if self.ema is not None:
            self.ema.copy_to(self.model)
        self.model.eval()
        best = self.best or {}
        return StageResult(
            cpu_seconds=self.pace.cpu_seconds,
            seconds=self.pace.seconds,
            last=self.books.last(self.stage),
            best=self.books.best(self.stage) if best else None,
            best_step=best.get("step"),
            best_figures=best.get("figures", {}),
        )

    def _after_step(self, done: int, lr: float, figures: StepFigures) -> None:
        entry = {
            "step": done,
            "lr": lr,
            "losses": figures.losses,
            "monitors": figures.monitors,
            "grad_norm": figures.grad_norm,
        }
        broken = figures.broken
        if broken is not None:
            self._stop(broken, entry)
        self.done = done
        if self.ema is not None:
            self.ema.update(self.model, done)
        measured: Mapping[str, float] = {}
        if self.probe is not None and self.settings.measured(done, self.stage.steps):
            measured = self._measure()
        if measured or done % self.books.log_every == 0 or done == self.stage.steps:
            self._log(entry, measured)
        show_status(self.report, self.pace.told(figures.losses))
        self._ask_guard(entry, {**figures.losses, **figures.monitors, "grad_norm": figures.grad_norm, **measured})
        if done % self.books.save_every == 0 or done == self.stage.steps:
            self._save()

    def _measure(self) -> Mapping[str, float]:
        """The probe's figures, from the main process for all; the weights are kept where they are the best so far."""
        figures: Mapping[str, float] | None = None
        if self.processes.main and self.probe is not None:
            # In training mode the probe's pictures would move the running statistics of batch norm.
            self.model.eval()
            if self.ema is None:
                figures = self._judged()
            else:
                with self.ema.lent_to(self.model):
                    figures = self._judged()
            self.pace.pause()
        figures, self.best = self.processes.from_main((figures, self.best))
        return figures or {}

    @torch.no_grad()
    def _judged(self) -> Mapping[str, float]:
        assert self.probe is not None
        figures = {name: float(value) for name, value in self.probe(self.done).items()}
        value = self.settings.worth(figures)
        if value is not None and (self.best is None or value > self.best["value"]):
            self.best = {"step": self.done, "value": value, "figures": figures}
            weights = trained_weights(self.model, self.optimiser)
            state = {"fingerprint": self.books.fingerprint, "model": weights, **self.best}
            save_checkpoint(self.books.best(self.stage), state)
        return figures

    def _ask_guard(self, entry: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Every process is given the same figures, but one decides for all."""
        guard = self.settings.guard
        if guard is None:
            return
        reason = self.processes.from_main(guard(self.done, figures) if self.processes.main else None)
        if reason is not None:
            self._stop(reason, entry)

    def _stop(self, reason: str, entry: Mapping[str, Any]) -> None:
        self._log({**entry, "status": FAILED_BY_GUARD, "reason": reason}, {})
        self.model.eval()
        best = self.books.best(self.stage) if self.best is not None else None
        raise StoppedByGuard(reason, int(entry["step"]), best)

    def _log(self, entry: Mapping[str, Any], measured: Mapping[str, float]) -> None:
        if self.processes.main:
            validation = {"validation": dict(measured)} if measured else {}
            append_entry(self.books.log, {"stage": self.stage.name, **entry, **self.pace.entry(), **validation})

    def _save(self) -> None:
        if not self.processes.main:
            return
        guard = self.settings.guard
        save_checkpoint(
            self.books.last(self.stage),
            {
                "fingerprint": self.books.fingerprint,
                "model": trained_weights(self.model, self.optimiser),
                "optimiser": self.optimiser.state_dict(),
                "ema": self.ema.average if self.ema is not None else None,
                "guard": guard.state_dict() if isinstance(guard, RememberingGuard) else None,
                "best": self.best,
                "step": self.done,
                "parts": self.settings.parts,
                "seconds": self.pace.seconds,
                "cpu_seconds": self.pace.cpu_seconds,
            },
        )

    def _say_how_it_goes_on(self, parts: int) -> None:
        if self.done < self.stage.steps:
            self.report.info(f"going on with stage {self.stage.name} at step {self.done} of {self.stage.steps}")
            if parts != self.settings.parts:
                now = self.settings.parts
                self.report.warning(
                    f"its steps were cut into {parts} and are now into {now}: not the same to the last bit"
                )

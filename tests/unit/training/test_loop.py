import json
from pathlib import Path

import pytest
import torch
from torch import nn

from ttd_core.errors import RunError
from ttd_core.protocols import SilentReporter
from ttd_core.training.loop import Bookkeeping, LoopSettings, Share, Stage, StepLosses, run_stage


class Stopped(Exception):
    """Stands for a machine that goes down."""


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, 2)


def losses_of(model: nn.Module, stop_at: int | None = None):  # type: ignore[no-untyped-def]
    def losses(step: int, share: Share) -> StepLosses:
        if step == stop_at:
            raise Stopped
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(8, 4, generator=generator)
        terms = {"fit": (model(x) - x[:, :2]).square().mean(), "size": 0.01 * model.weight.square().sum()}
        return StepLosses(terms, {"mean": float(x.mean())}, samples=len(x))

    return losses


def train(folder: Path, stop_at: int | None = None, fingerprint: str = "a", steps: int = 20) -> nn.Module:
    model = make_model()
    books = Bookkeeping(folder, fingerprint, log_every=5, save_every=5)
    stage = Stage("s", steps, lr=0.05, warmup=3)
    probe = lambda step: {"probe": float(step)}  # noqa: E731
    run_stage(model, stage, losses_of(model, stop_at), books, SilentReporter(), probe, LoopSettings(validate_every=10))
    return model


def test_a_resumed_training_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tmp_path / "broken", stop_at=13)
    resumed = train(tmp_path / "broken")
    assert torch.equal(whole.weight, resumed.weight) and torch.equal(whole.bias, resumed.bias)


def test_training_lowers_the_loss_and_logs_the_named_parts(tmp_path: Path) -> None:
    train(tmp_path, steps=200)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert entries[-1]["losses"]["fit"] < 0.2 * entries[0]["losses"]["fit"]
    assert [entry["step"] for entry in entries if "validation" in entry] == list(range(10, 201, 10))
    assert {"stage", "step", "lr", "grad_norm", "seconds", "cpu_seconds"} <= entries[0].keys()
    assert entries[0]["losses"].keys() == {"fit", "size"} and entries[0]["monitors"].keys() == {"mean"}
    assert entries[0]["samples_per_second"] > 0


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first = train(tmp_path)
    again = train(tmp_path, stop_at=0)
    assert torch.equal(first.weight, again.weight)


def test_a_checkpoint_of_other_options_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(RunError, match="other options"):
        train(tmp_path, fingerprint="b")


def test_no_half_written_file_is_left_behind(tmp_path: Path) -> None:
    train(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "s.pt"]


def test_measuring_on_the_way_leaves_the_running_statistics_alone(tmp_path: Path) -> None:
    def run(folder: Path, measure: bool) -> nn.Module:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))

        def losses(step: int, share: Share) -> StepLosses:
            batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
            return StepLosses({"loss": model(batch).square().mean()})

        def probe(step: int) -> dict[str, float]:
            return {"probe": float(model(torch.full((8, 4), 100.0)).mean().detach())} if measure else {}

        books = Bookkeeping(folder, "a", log_every=5, save_every=5)
        stage = Stage("only", steps=10, lr=1e-2, warmup=2)
        run_stage(model, stage, losses, books, SilentReporter(), probe, LoopSettings(validate_every=5))
        return model

    plain, measured = run(tmp_path / "plain", False), run(tmp_path / "measured", True)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, measured.state_dict()[name]), name

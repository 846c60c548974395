"""Worker processes hand pictures on in order, name what they cannot read, and are missed when they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.models import ListReporter
from tests.support.tiny_evaluation import Awkward, DeadlyBenchmark
from ttd_core.data.benchmarks.types import BenchmarkSample, ClassList, Truth
from ttd_core.errors import DataError, RunError
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation import evaluate as evaluation
from ttd_core.recipes.evaluation.noticed import SAID, Notices
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.reading import WORTH_WORKERS, read_all, worker_count
from ttd_core.recipes.results import Skipped

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = [BenchmarkSample(f"{number:02d}", source=number) for number in range(12)]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_everything_comes_in_order_and_what_cannot_be_read_in_its_place(workers: int) -> None:
    found = list(read_all(Awkward(refused=(3, 11)), SAMPLES, workers))
    assert [sample for sample, _ in found] == SAMPLES
    read = [answer for _, answer in found]
    assert [number for number, answer in enumerate(read) if isinstance(answer, Skipped)] == [3, 11]
    assert read[3] == Skipped("03", "03 cannot be read", "look at it")
    processes = {answer[1] for answer in read if not isinstance(answer, Skipped)}
    assert (os.getpid() in processes) == (workers == 0) and len(processes) <= max(1, workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_is_an_error_and_no_wait(workers: int) -> None:
    with pytest.raises(RunError, match="a worker process died while reading near 0") as caught:
        list(read_all(Awkward(deadly=2), SAMPLES, workers))
    assert caught.value.hint is not None and "--workers 0" in caught.value.hint


def test_workers_do_not_outlive_a_killed_process() -> None:
    code = (
        "import os, signal; from ttd_core.data.benchmarks.types import BenchmarkSample;"
        "from tests.support.tiny_evaluation import Awkward; from ttd_core.recipes.evaluation.reading import read_all;"
        "reads = read_all(Awkward(), [BenchmarkSample(str(n), source=n) for n in range(12)], 2);"
        "print(next(reads)[1][1] != os.getpid(), flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    # standard output is a pipe that the workers hold too: its end is only seen when they are gone
    killed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL and killed.stdout == "True\n"


def test_workers_start_where_there_is_work() -> None:
    assert worker_count(3, 1) == 3 and worker_count(0, 10**6) == 0
    assert worker_count(None, WORTH_WORKERS - 1) == 0
    assert 1 <= worker_count(None, WORTH_WORKERS) <= 4


# a whole evaluation --------------------------------------------------------------------------------------------------


def opened(names: list[str]) -> DeadlyBenchmark:
    samples = tuple(BenchmarkSample(name, caption="a dog", source=place) for place, name in enumerate(names))
    return DeadlyBenchmark("deadly", ("tags",), ClassList("none", ("dog",)), samples)


def answers(folder: Path, names: list[str]) -> str:
    path = folder / "tags.jsonl"
    path.write_text("".join(f'{{"key": "{name}", "tags": ["dog"]}}\n' for name in names))
    return str(path)


def test_an_evaluation_whose_worker_dies_ends_and_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a", "b", "c", "d"]
    monkeypatch.setattr(evaluation, "open_data", lambda options: opened(names))
    options = EvaluateOptions(
        data="deadly", pred=answers(tmp_path, names), workers=1, batch_size=1, report=False, out=str(tmp_path / "run")
    )
    with pytest.raises(RunError, match="a worker process died"):
        evaluation.run_evaluation(options, SilentReporter())
    monkeypatch.setattr(DeadlyBenchmark, "truth", lambda self, sample, size=None: Truth(tags=("dog",)))
    result, _ = evaluation.run_evaluation(replace(options, workers=0), SilentReporter())
    assert result["counts"]["scored"] == 4 and result["metrics"]["f1"]["value"] == 100.0


def test_two_samples_of_one_key_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a", "b", "a"]
    monkeypatch.setattr(evaluation, "open_data", lambda options: opened(names))
    options = EvaluateOptions(data="deadly", pred=answers(tmp_path, names[:2]), workers=0, out=str(tmp_path / "run"))
    with pytest.raises(DataError, match="lists 1 keys more than once, the first is a"):
        evaluation.run_evaluation(options, SilentReporter())


def test_no_samples_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "open_data", lambda options: opened([]))
    options = EvaluateOptions(data="deadly", pred=answers(tmp_path, ["a"]), out=str(tmp_path / "run"))
    with pytest.raises(DataError, match="holds no samples"):
        evaluation.run_evaluation(options, SilentReporter())


def test_oddities_are_said_but_not_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a", "b"]
    monkeypatch.setattr(evaluation, "open_data", lambda options: opened(names))
    options = EvaluateOptions(
        data="deadly", pred=answers(tmp_path, names), workers=0, report=False, out=str(tmp_path / "run")
    )
    report = ListReporter()
    evaluation.run_evaluation(options, report)
    assert report.warnings == ["a looks odd", "b looks odd"]
    many = ListReporter()
    notices = Notices(many)
    for number in range(SAID + 3):
        notices.hear({"key": str(number), "notices": [f"{number} looks odd"]})
    notices.close()
    assert len(many.warnings) == SAID + 1 and many.warnings[-1].startswith("3 more")

"""Signs of life on a terminal, and none anywhere else."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest

from ttd_cli.output import Output
from ttd_cli.progress_lines import ProgressLines
from ttd_cli.render import Renderer


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def a_capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def written(stdout: io.StringIO, stderr: io.StringIO, quiet: bool = False) -> tuple[str, str]:
    output = Output(Renderer("tags", "jsonl", True), quiet, 0, stdout, stderr)
    for row in output.watch(({"key": str(i)} for i in range(3)), "ttd tags"):
        output.warning("odd [/x]")
        output.result(row)
    return stdout.getvalue(), stderr.getvalue()


def test_answers_that_go_to_a_file_are_counted_by_a_bar_and_stay_clean() -> None:
    out, err = written(io.StringIO(), Terminal())
    assert out == '{"key": "0"}\n{"key": "1"}\n{"key": "2"}\n'
    assert "ttd tags" in err and "3/?" in err and err.count("odd [/x]") == 3


def test_answers_on_the_terminal_get_a_spinner_for_the_first_one_only() -> None:
    out, err = written(Terminal(), Terminal())
    assert out.count("\n") == 3
    assert "ttd tags" in err and "/?" not in err


@pytest.mark.parametrize(("stderr", "quiet"), [(io.StringIO(), False), (Terminal(), True)])
def test_nothing_moves_without_a_terminal_or_when_quiet(stderr: io.StringIO, quiet: bool) -> None:
    out, err = written(io.StringIO(), stderr, quiet)
    assert out.count("\n") == 3 and "\x1b" not in err and "ttd tags" not in err


def test_no_answer_at_all_ends_the_wait() -> None:
    output = Output(None, False, 0, Terminal(), Terminal())
    assert list(output.watch(iter(()), "ttd tags")) == []


def test_what_the_work_says_stands_beside_the_bar() -> None:
    err = Terminal()
    output = Output(None, False, 0, io.StringIO(), err)
    for _ in output.track(range(2), 2, "stage"):
        output.status("loss 0.25 [/x]")
    assert "loss 0.25 [/x]" in err.getvalue() and "2/2" in err.getvalue()


def test_without_a_terminal_a_line_a_minute_says_how_far_the_work_is_and_how_long_it_takes() -> None:
    said: list[str] = []
    clock = iter(range(0, 1000, 25))
    lines = ProgressLines(said.append, lambda: float(next(clock)))
    for item in lines.track(range(8), 8, "stage"):
        lines.status = f"loss {item}"
    assert said == ["stage: 3 of 8, 0:02:05 left: loss 2", "stage: 6 of 8, 0:00:50 left: loss 5"]


def test_work_that_says_nothing_about_itself_leaves_no_lines() -> None:
    said: list[str] = []
    clock = iter(range(0, 10_000, 1000))
    assert list(ProgressLines(said.append, lambda: float(next(clock))).track(range(3), None, "x")) == [0, 1, 2]
    assert said == []


def test_what_the_work_says_stands_beside_the_spinner_too(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = Output(None, False, 0, Terminal(), err)

    def waited() -> Iterator[int]:
        output.status("encoding texts: 12 of 36 [/x]")
        time.sleep(0.3)  # the spinner is drawn some twelve times a second
        yield 1

    assert list(output.watch(waited(), "ttd tags")) == [1]
    assert "encoding texts: 12 of 36 [/x]" in err.getvalue()
    output.status("nothing waits for this")

"""The only writer. Data goes to standard output, everything else to standard error.

What standard output looks like depends on the options only. Lines are written and flushed one by one, as plain text:
no wrapping, no markup. Colour and progress bars appear on a terminal only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import typer

from ttd_cli.errors import ClosedPipe
from ttd_cli.progress_lines import ProgressLines
from ttd_core.errors import RunError

if TYPE_CHECKING:
    from rich.console import Console

    from ttd_cli.render import Renderer

T = TypeVar("T")


class Output:
    """Writes results and says what is going on; implements `ttd_core.protocols.Reporter`.

    Args:
        renderer: turns result rows into lines of the chosen format; None where a command has no rows.
        quiet: errors only.
        verbose: 0 normal, 1 adds details.
        stdout, stderr: default to the process's own.
    """

    def __init__(
        self,
        renderer: Renderer | None = None,
        quiet: bool = False,
        verbose: int = 0,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self._renderer = renderer
        self._quiet = quiet
        self._verbose = verbose
        self._stdout = stdout if stdout is not None else sys.stdout
        self._stderr = stderr if stderr is not None else sys.stderr
        self._live: Console | None = None
        self._lines = ProgressLines(self.info)
        self._show_status: Callable[[str], None] | None = None

    # results -------------------------------------------------------------------------------------------------------

    def result(self, row: Mapping[str, Any]) -> None:
        """Print one result row."""
        assert self._renderer is not None
        for line in self._renderer.lines(row):
            self.line(line)

    def skipped(self, row: Mapping[str, Any]) -> None:
        """Print the place of an input that could not be answered, in the formats that have one."""
        assert self._renderer is not None
        if self._renderer.answers_all:
            self.result(row)

    def end(self) -> None:
        """Print what closes the format, e.g. the bracket of a JSON list."""
        assert self._renderer is not None
        for line in self._renderer.closing():
            self.line(line)

    def line(self, text: str) -> None:
        """Print one line of data.

        Raises:
            ClosedPipe: the reader has gone.
            RunError: standard output cannot be written, e.g. redirected to a full disk.
        """
        try:
            self._stdout.write(_encodable(text + "\n", self._stdout))
            self._stdout.flush()
        except BrokenPipeError:
            raise ClosedPipe from None
        except OSError as error:
            abandon_stdout()
            raise RunError(
                f"cannot write standard output: {(error.strerror or 'refused').lower()}",
                hint="what was finished is kept in the run's folder, if the call has one",
            ) from error

    # messages ------------------------------------------------------------------------------------------------------

    def info(self, message: str) -> None:
        """A sentence that a person may want to read."""
        if not self._quiet:
            self._message(None, message, None)

    def detail(self, message: str) -> None:
        """A sentence for `-v`."""
        if self._verbose and not self._quiet:
            self._message(None, message, None)

    def warning(self, message: str, hint: str | None = None) -> None:
        """Something was skipped or assumed; the run goes on."""
        if not self._quiet:
            self._message(("warning:", "yellow"), message, hint)

    def error(self, message: str, hint: str | None = None) -> None:
        """The call ends here."""
        self._message(("error:", "red"), message, hint)

    def track(self, items: Iterable[T], total: int | None, description: str) -> Iterable[T]:
        """Pass the items on, with a progress bar if standard error is a terminal, else with a line now and then."""
        if self._animated():
            return self._with_bar(items, total, description)
        return items if self._quiet else self._lines.track(items, total, description)

    def status(self, message: str) -> None:
        """A few words beside the progress, replaced by the next ones; may be called very often."""
        self._lines.status = message
        if self._show_status is not None:
            self._show_status(message)

    def watch(self, answers: Iterable[T], description: str) -> Iterable[T]:
        """Pass answers on, with a sign of life on a terminal.

        Answers that go to a file or a pipe are counted by a bar. Where they are printed on the terminal themselves,
        only the wait for the first one, in which the model is loaded, is filled by a spinner.
        """
        if not self._animated():
            return answers
        if not self._stdout.isatty():
            return self._with_bar(answers, None, description)
        return self._with_spinner(answers, description)

    def _animated(self) -> bool:
        return not self._quiet and self._stderr.isatty() and os.environ.get("TERM") != "dumb"

    def _with_spinner(self, answers: Iterable[T], description: str) -> Iterator[T]:
        from rich.console import Console
        from rich.markup import escape

        waiting = iter(answers)
        with Console(file=self._stderr).status(description) as spinner:
            self._show_status = lambda message: spinner.update(f"{description} {escape(message)}".strip())
            try:
                first = next(waiting, None)
            finally:
                self._show_status = None
        if first is not None:
            yield first
            yield from waiting

    def _with_bar(self, items: Iterable[T], total: int | None, description: str) -> Iterator[T]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        status = TextColumn("{task.fields[status]}", markup=False)
        console = Console(file=self._stderr)
        with Progress(*columns, TimeRemainingColumn(), status, console=console, transient=True) as progress:
            task = progress.add_task(description, total=total, status="")
            self._live = console
            self._show_status = lambda message: progress.update(task, status=message)
            try:
                yield from progress.track(items, total=total, task_id=task)
            finally:
                self._live = self._show_status = None

    def _message(self, label: tuple[str, str] | None, message: str, hint: str | None) -> None:
        from ttd_core.text.clean import printable

        lines = [printable(message)]
        if label is not None:
            lines[0] = f"{self._styled(*label)} {lines[0]}"
        if hint:
            lines.append(f"{self._styled('hint:', 'cyan')} {printable(hint)}")
        try:
            for line in lines:
                if self._live is not None:  # above the bar, instead of through it
                    self._live.out(line, highlight=False)
                    continue
                self._stderr.write(_encodable(line + "\n", self._stderr))
            self._stderr.flush()
        except OSError:  # nobody listens: the exit code still tells
            return

    def _styled(self, text: str, colour: str) -> str:
        if os.environ.get("NO_COLOR") or not self._stderr.isatty():
            return text
        return typer.style(text, fg=colour, bold=True)


def abandon_stdout() -> None:
    """Keep the interpreter from failing once more when it flushes at exit what could not be written."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


def _encodable(text: str, stream: TextIO) -> str:
    """Escape what the stream's encoding cannot hold: lone surrogates, or most letters under `LANG=C`."""
    encoding = stream.encoding or "utf-8"
    if "█" in text and not _can_encode("█", encoding):
        text = text.replace("█", "#")
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _can_encode(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True

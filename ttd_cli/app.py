"""The program `ttd`: registration, global options, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import ttd_core
from ttd_cli import errors
from ttd_cli.commands.demo import demo
from ttd_cli.commands.evaluate import evaluate
from ttd_cli.commands.masks import masks
from ttd_cli.commands.preprocess import preprocess
from ttd_cli.commands.prune import prune
from ttd_cli.commands.tags import tags
from ttd_cli.commands.train import train
from ttd_cli.errors import ClosedPipe
from ttd_cli.output import Output, abandon_stdout
from ttd_core.errors import TtdError

app = typer.Typer(
    name="ttd",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

USE = "Use a model"
MAKE = "Make a model"

app.command(rich_help_panel=USE)(tags)
app.command(rich_help_panel=USE)(masks)
app.command(rich_help_panel=USE)(demo)
app.command(rich_help_panel=USE)(evaluate)
app.command(rich_help_panel=MAKE)(preprocess)
app.command(rich_help_panel=MAKE)(prune)
app.command(rich_help_panel=MAKE)(train)


def _version(wanted: bool) -> None:
    if wanted:
        Output().line(f"ttd {ttd_core.__version__}")
        raise typer.Exit()


@app.callback()
def _ttd(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="Errors only on stderr.")] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", metavar="", count=True, help="More detail on stderr.", show_default=False)
    ] = 0,
) -> None:
    r"""Tags and masks from captioned images, without annotations.

    ttd demo
    ttd tags --image examples/beach.png \
        --text "a man with a red umbrella and two dogs on the beach"

    Exit codes: 0 done, 1 a bug, 2 wrong usage, 3 data or weights, 4 a package,
    5 a missed expectation, 130 interrupted, 141 closed pipe.
    """
    context.obj = {"quiet": quiet, "verbose": verbose}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `ttd` and return its exit code; every error ends here.

    Args:
        argv: the arguments without the program's name; None takes the process's own.
    """
    output = Output()
    try:
        return _invoke(argv)
    except typer.TyperException as error:
        message = error.format_message().rstrip(".").replace(": Value error, ", ": ")  # pydantic's word, within Typer
        if message:  # empty where no command was named, and help has been printed instead
            output.error(message, _usage_hint(error))
        return errors.USAGE
    except TtdError as error:
        if os.environ.get("TTD_DEBUG"):
            traceback.print_exc()
        output.error(error.message, error.hint)
        return errors.exit_code(error)
    except (KeyboardInterrupt, typer.Abort):
        output.error("interrupted", "what a recorded run has finished is kept: the same command goes on")
        return errors.INTERRUPTED
    except ClosedPipe:
        abandon_stdout()
        return errors.CLOSED_PIPE
    except Exception:
        traceback.print_exc()
        output.error("this is a bug in ttd, not a mistake of yours", "report the command and the lines above")
        return errors.BUG


def _invoke(argv: Sequence[str] | None) -> int:
    try:
        result = app(spelled_out(sys.argv[1:] if argv is None else argv), prog_name="ttd", standalone_mode=False)
    except SystemExit as ended:
        # Typer ends the process itself for completion requests, and with 1 where help meets a closed pipe.
        if isinstance(ended.__context__, BrokenPipeError):
            raise ClosedPipe from None
        return ended.code if isinstance(ended.code, int) else errors.DONE
    if result == errors.INTERRUPTED:  # Typer's word for Ctrl-C
        raise KeyboardInterrupt
    return result if isinstance(result, int) else errors.DONE


def spelled_out(argv: Sequence[str]) -> list[str]:
    """The arguments, with the value that a bare `--expect` stands for; Typer has no options with an optional value."""
    spelled: list[str] = []
    for position, word in enumerate(argv):
        spelled.append(word)
        following = argv[position + 1] if position + 1 < len(argv) else "-"
        if word == "--expect" and following.startswith("-"):
            spelled.append("published")
    return spelled


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ttd"
    return f"{path} --help"

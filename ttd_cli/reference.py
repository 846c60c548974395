"""Writes `docs/cli.md` from the commands themselves: `python -m ttd_cli.reference docs/cli.md`.

With `--check` nothing is written, and a stale page is an error.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from ttd_cli.app import app
from ttd_cli.errors import BUG, DONE


def reference() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    lines = [
        "# `ttd` on the command line",
        "",
        "This page is made from the program itself by `make docs`; edit the help texts instead.",
        "",
        *_help(group),
        *_table("Global options", group.params),
    ]
    for name, command in group.commands.items():
        lines += [f"## `ttd {name}`", "", *_help(command)]
        panels: dict[str, list[Any]] = {}
        for parameter in command.params:
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(parameter)
        for panel, parameters in panels.items():
            lines += _table(panel, parameters)
    return "\n".join(lines).rstrip() + "\n"


def _help(command: Any) -> Iterator[str]:
    """The help text, its examples as a code block."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("ttd "):
            yield from ("```console", paragraph, "```", "")
        else:
            yield from (paragraph, "")


def _table(title: str, parameters: Sequence[Any]) -> Iterator[str]:
    rows = [row for parameter in parameters if (row := _row(parameter))]
    if rows:
        yield from (f"| {title} | | default |", "|---|---|---|", *rows, "")


def _row(parameter: Any) -> str | None:
    if parameter.name in ("help", "install_completion", "show_completion"):
        return None
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    value = _value(parameter)
    cells = (names + (f" `{value}`" if value else ""), parameter.help or "", _default(parameter))
    return "| " + " | ".join(cell.replace("\\[", "[").replace("|", "\\|") for cell in cells) + " |"


def _value(parameter: Any) -> str:
    """What the option expects, empty for switches."""
    if parameter.is_flag or parameter.count or parameter.is_bool_flag:
        return ""
    return str(parameter.metavar or "")


def _default(parameter: Any) -> str:
    shown, default = parameter.show_default, parameter.default
    if isinstance(shown, str):
        return shown
    if default is None or shown is False or (default is False and not parameter.secondary_opts):
        return ""
    if isinstance(default, bool):
        return f"`{(parameter.opts if default else parameter.secondary_opts)[0]}`"
    return f"`{default}`"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it."""
    page = Path(next(argument for argument in arguments if not argument.startswith("-")))
    text = reference()
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return DONE
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"error: {page} is stale\nhint: make docs\n")
        return BUG
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

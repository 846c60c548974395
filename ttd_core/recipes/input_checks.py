"""What a call may name as its inputs, together and apart."""

from __future__ import annotations

from typing import Any

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import not_both, not_empty


def check_inputs(options: Any) -> None:
    """Refuse inputs that contradict each other.

    Raises:
        UsageError: naming both.
    """
    not_both("--input", options.input, "--image", options.image, "an input names its own pictures")
    not_both("--input", options.input, "--text", options.text, "an input holds its own captions")
    not_both("--tags", options.tags, "--classes", options.classes, "both list the candidates")
    not_both("--tags", options.tags, "--tags-file", options.tags_file, "both list the candidates")
    for flag, value in (("--input", options.input), ("--image", options.image), ("--text", options.text)):
        not_both(flag, value, "--data", options.data, "a data set names its own pictures")
    if options.root is not None and options.data is None:
        raise UsageError("--root is the folder of --data, which is missing", hint="add --data NAME, or drop --root")
    for role in ("image", "text", "tags", "id"):
        _check_column(options, f"--{role}-column", getattr(options, f"{role}_column"))
    if options.save is False and options.out is not None:
        raise UsageError("--no-save and --out contradict each other", hint="leave one of them out")
    for flag, value in (("--image", options.image), ("--input", options.input), ("--tags-file", options.tags_file)):
        not_empty(flag, value, "a file")
    not_empty("--classes", options.classes, "a file")
    for flag, value in (("--out", options.out), ("--run-root", options.run_root)):
        not_empty(flag, value, "a folder")
    if options.image == "-":
        raise UsageError("--image - is not supported", hint="pass a path, or JSON Lines with --input -")
    if options.tags is not None and not any(tag.strip() for tag in options.tags):
        raise UsageError("--tags is empty", hint='list words or phrases: --tags "umbrella,red ball"')


def _check_column(options: Any, flag: str, name: str | None) -> None:
    not_empty(flag, name, "a column of the list")
    if name is not None and options.input is None:
        raise UsageError(f"{flag} names a column of --input, which is missing", hint=f"add a list, or drop {flag}")

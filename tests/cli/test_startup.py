"""Help, completion and candidate tags come without loading what is heavy."""

from __future__ import annotations

from typing import Any

import pytest

HEAVY = ("torch", "torchvision", "open_clip", "peft", "numba", "nltk", "transformers", "PIL.Image", "numpy", "textblob")
PROBE = """
import sys
from ttd_cli.app import main
code = main(sys.argv[1:])
print("LOADED", sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["--help"], "Usage"),
        (["--version"], "ttd "),
        (["tags", "--help"], "--scorer"),
        (["masks", "--help"], "--pamr"),
        (["demo", "--help"], "--pamr"),
        (["train", "--help"], "--steps"),
        (["tags", "--text", "a dog on wet grass"], "dog\n"),
        (["tags", "--text", "a dog on wet grass", "--format", "jsonl"], '"dog"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_loads_nothing_heavy(process: Any, arguments: list[str], needle: str) -> None:
    done = process(*arguments, code=PROBE.format(heavy=HEAVY))
    assert done.returncode == 0 and needle in done.stdout
    assert "LOADED []" in done.stderr


@pytest.mark.parametrize(
    ("words", "offered"), [("ttd ", "tags"), ("ttd tags --model s", "scenes"), ("ttd masks --pa", "--pamr")]
)
def test_completion_offers_names_and_loads_nothing_heavy(process: Any, words: str, offered: str) -> None:
    code = PROBE.format(heavy=HEAVY).replace("code = main", "import atexit\natexit.register(lambda: print("
        f"'LOADED', sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr))\ncode = main")  # fmt: skip
    done = process(
        code=code, _TTD_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1)
    )
    assert offered in done.stdout.split()
    assert "LOADED []" in done.stderr


def test_candidates_come_without_nltk_data(process: Any) -> None:
    done = process("tags", "--text", "Two dogs play", "--candidates", "nouns", NLTK_DATA="/nowhere", HOME="/nowhere")
    assert done.returncode == 0 and "dogs" in done.stdout

"""Help and the reference page say what the code does."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import pytest
import typer

from tests.cli.conftest import ROOT, Ttd
from ttd_cli.app import app, spelled_out
from ttd_cli.commands import demo, masks, tags, train
from ttd_cli.reference import reference
from ttd_cli.resolve import parse_scales
from ttd_core.recipes.options import DemoOptions, MaskOptions, ModelOptions, TagOptions
from ttd_core.recipes.train_run import TrainOptions

COMMANDS = ("tags", "masks", "demo", "evaluate", "preprocess", "prune", "train")


def defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in ("context", "config", "quiet", "verbose", "tag")}


@pytest.mark.parametrize(
    ("function", "kind"), [(tags.tags, TagOptions), (masks.masks, MaskOptions), (demo.demo, DemoOptions)]
)
def test_defaults_shown_are_those_of_the_recipes(function: Any, kind: Any) -> None:
    shown = defaults(function)
    shown["scales"] = parse_scales(shown["scales"])
    expected = {f.name: f.default for f in dataclasses.fields(kind) if f.name not in ("model", "save")}
    expected |= {f.name: f.default for f in dataclasses.fields(ModelOptions)}
    shown.pop("save", None)
    assert shown == expected


def test_defaults_of_training_are_those_of_its_recipe() -> None:
    shown = defaults(train.train)
    shown["scales"] = parse_scales(shown["scales"])
    assert shown == {f.name: f.default for f in dataclasses.fields(TrainOptions)}


def test_training_options_default_to_what_rebuilds_the_built_in_model() -> None:
    from ttd_core.recipes.train import TrainConfig

    config, options = TrainConfig(), TrainOptions()
    own = options.resolved()
    names = {"scenes": "scenes", "steps": "steps", "batch_size": "batch", "lr": "lr", "probe_every": "probe_every"}
    assert {n: getattr(own, n) for n in names} == {n: getattr(config, theirs) for n, theirs in names.items()}
    alike = ("data", "gated_steps", "gated_lr", "calibration_scenes", "seed", "workers", "cache")
    assert {n: getattr(options, n) for n in alike} == {n: getattr(config, n) for n in alike}
    assert (options.word_weight, options.align_weight) == (config.losses.word_weight, config.losses.align_weight)


def test_all_seven_commands_are_listed(ttd: Ttd) -> None:
    answer = ttd("--help")
    assert answer.code == 0
    assert [name for name in COMMANDS if not re.search(rf"│ {name} ", answer.out)] == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", ["80", "120"])
def test_help_fits_its_terminal(ttd: Ttd, command: str, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    answer = ttd(command, "--help")
    assert answer.code == 0 and "\x1b" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= int(columns)


@pytest.mark.parametrize("command", ["tags", "masks", "demo", "evaluate", "train"])
def test_switches_show_no_value(ttd: Ttd, command: str) -> None:
    lines = [line for line in ttd(command, "--help").out.splitlines() if re.search(r"<(bool|int)>", line)]
    assert [line for line in lines if "--help" not in line] == []


@pytest.mark.parametrize("command", ["tags", "masks", "demo", "evaluate", "train"])
def test_help_begins_with_a_sentence_and_examples_on_lines_of_their_own(ttd: Ttd, command: str) -> None:
    lines = [line.strip() for line in ttd(command, "--help").out.splitlines()]
    examples = [line for line in lines if line.startswith(f"ttd {command}")]
    assert len(examples) >= 2
    for panel in ("Input", "Output", "Device", "Run"):
        assert any(line.startswith(f"╭─ {panel} ") for line in lines)


def test_examples_in_help_are_accepted_as_they_stand() -> None:
    """Parsed only; what they print is proved where the pictures and the weights are."""
    group: Any = typer.main.get_command(app)
    checked = 0
    for name, command in group.commands.items():
        text = re.sub(r"\\\n\s*", " ", inspect.cleandoc(command.help or ""))
        for line in text.splitlines():
            if line.startswith("ttd "):
                import shlex

                words = shlex.split(line)
                assert words[1] == name
                command.make_context(name, spelled_out(words[2:]))
                files = [word for word in words if word.startswith("examples/")]
                assert [file for file in files if not (ROOT / file).exists()] == []
                checked += 1
    assert checked >= 9


def test_the_reference_page_is_fresh() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), "stale: make docs"


def test_colour_is_off_without_a_terminal(process: Any) -> None:
    done = process("tags", NO_COLOR="")
    assert done.returncode == 2 and "\x1b" not in done.stderr

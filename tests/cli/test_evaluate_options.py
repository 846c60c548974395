"""The options of `ttd evaluate` are those of its recipe, and each says what it does."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
import typer

from ttd_cli.app import app
from ttd_cli.commands.evaluate import evaluate
from ttd_cli.resolve import parse_scales
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.options import TASKS, EvaluateOptions, parse_shard
from ttd_core.recipes.options import ModelOptions

OF_THE_COMMAND = {"context", "list_", "quiet", "verbose", "config"}


def test_defaults_shown_are_those_of_the_recipe() -> None:
    signature = inspect.signature(evaluate).parameters.values()
    shown = {each.name: each.default for each in signature if each.name not in OF_THE_COMMAND}
    shown["scales"] = parse_scales(shown["scales"])
    expected = {field.name: field.default for field in dataclasses.fields(EvaluateOptions) if field.name != "model"}
    expected |= {field.name: field.default for field in dataclasses.fields(ModelOptions)}
    assert shown == expected


def test_every_option_is_explained_in_a_panel() -> None:
    group: Any = typer.main.get_command(app)
    parameters = [each for each in group.commands["evaluate"].params if each.name != "help"]
    assert {each.name for each in parameters} >= {field.name for field in dataclasses.fields(EvaluateOptions)} - {
        "model"
    }
    assert [each.name for each in parameters if not (each.help or "").strip()] == []
    assert [each.name for each in parameters if not each.rich_help_panel] == []
    panels = {each.rich_help_panel for each in parameters}
    assert {"Input", "Scoring", "Output", "Device", "Run"} <= panels


@pytest.mark.parametrize("task", TASKS)
def test_tasks_are_offered(task: Any) -> None:
    assert EvaluateOptions(data="scenes:test", task=task).task == task


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({}, "--data"),
        ({"data": " "}, "--data"),
        ({"data": "scenes", "root": " "}, "--root"),
        ({"data": "scenes", "pred": ""}, "--pred"),
        ({"data": "scenes", "truth": ""}, "--truth"),
        ({"data": "scenes", "class_names": ""}, "--class-names"),
        ({"data": "scenes", "out": ""}, "--out"),
        ({"data": "scenes", "limit": 0}, "--limit"),
        ({"data": "scenes", "workers": -1}, "--workers"),
        ({"data": "scenes", "batch_size": 0}, "--batch-size"),
        ({"data": "scenes", "shard": "3/2"}, "--shard"),
        ({"data": "scenes", "bg": 1.5}, "--bg"),
        ({"data": "scenes", "bg": float("nan")}, "--bg"),
        ({"data": "scenes", "threshold": float("nan")}, "--threshold"),
        ({"data": "scenes", "pamr": True, "crf": True}, "--pamr"),
        ({"merge": ("a",), "shard": "1/2"}, "--merge"),
        ({"merge": ("a",), "pred": "x"}, "--merge"),
    ],
)
def test_contradictions_and_values_out_of_range_are_refused(options: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        EvaluateOptions(**options)
    assert flag in caught.value.message


def test_shards_are_read() -> None:
    assert [parse_shard(text) for text in ("1/1", "3/4", "000002/10")] == [(1, 1), (3, 4), (2, 10)]

"""What the README and the help show is what happens: every example is run with the built-in model."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import ttd_core.recipes.train_tcl
import ttd_core.recipes.train_ttd
from tests.cli.conftest import ROOT, Ttd
from ttd_cli.app import app
from ttd_cli.errors import EXPECTATION
from ttd_core.clip.adapter_card import AdapterCard
from ttd_core.data import pairs
from ttd_core.data.benchmarks.entries import ENTRIES
from ttd_core.data.scores import ScoreRow
from ttd_core.recipes.evaluation.summary import METRICS
from ttd_core.recipes.train_options import TrainOptions

README = (ROOT / "README.md").read_text(encoding="utf-8")
EVALUATION = (ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
TAGGING = (ROOT / "docs" / "tagclip.md").read_text(encoding="utf-8")
NOT_HERE = (
    "photo.jpg", "tcl.pth", "docker", "source ", "make ", "ttd train --method clip", "/data", " my-", "/RUN",
    "photos.jsonl", "pairs.tsv", "photos/", "/cc3m",
)  # fmt: skip
FULL = re.compile(r"--(list|pred|merge|shard)\b")
FEW = {
    "ttd evaluate": " --limit 4",
    "ttd preprocess": " --limit 40",
    "ttd train --method ttd": " --scenes 8 --steps 2 --batch-size 4",
    "ttd train --method tcl": " --scenes 8 --steps 2 --batch-size 4",
}
"""Evaluations and trainings in examples look at a few samples here; what they find on all of them is held elsewhere."""
IN_TURN = ("scores", "kept", "adapters/mine")
"""What one example writes and the next one reads."""
MASKER = "runs/scenes-tcl"
"""The same of the examples of TCL."""


def commands(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = line.split("    #")[0].strip()
        if line.startswith(("ttd ", "cat ", "printf ")) and not any(word in line for word in NOT_HERE):
            few = next((few for start, few in FEW.items() if line.startswith(start)), "")
            yield line if FULL.search(line) else line + few


def page_commands(page: str) -> list[str]:
    return [line for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL) for line in commands(block)]


def readme_commands() -> list[str]:
    return page_commands(README)


def alone() -> list[str]:
    """Examples that need no other one before them."""
    found = [line for line in readme_commands() + help_commands() if not {*IN_TURN} & {*line.split()}]
    return [line for line in found if MASKER not in line]


def codes(line: str) -> set[int]:
    """Exit codes that an example may end with: of a few samples, figures may lie outside what is expected of all."""
    return {0, EXPECTATION} if "--expect" in line else {0}


def help_commands() -> list[str]:
    group: Any = typer.main.get_command(app)
    return [line for command in group.commands.values() for line in commands(inspect.cleandoc(command.help or ""))]


@pytest.fixture
def short_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ttd_core.recipes.train_tcl, "VALIDATION_SCENES", 12)
    monkeypatch.setattr(ttd_core.recipes.train_ttd, "VALIDATION_SCENES", 12)
    monkeypatch.setattr(ttd_core.recipes.train_ttd, "CALIBRATION_SCENES", 8)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_there_are_examples() -> None:
    assert len(readme_commands()) >= 6 and len(help_commands()) >= 9


@pytest.mark.parametrize("line", dict.fromkeys(line for line in alone() if "|" not in line))
@pytest.mark.usefixtures("short_measurements")
def test_an_example_does_what_it_says(ttd: Ttd, checkout: Path, line: str) -> None:
    answer = ttd(*shlex.split(line)[1:])
    assert answer.code in codes(line), answer.err
    assert answer.out
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("line", [line for line in readme_commands() if "|" in line])
def test_an_example_with_a_pipe_does_too(checkout: Path, line: str) -> None:
    function = f'ttd() {{ PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m ttd_cli "$@"; }}\n'
    done = subprocess.run(["bash", "-c", function + line], cwd=checkout, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and len(done.stdout.splitlines()) >= 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_examples_of_the_evaluation_do_what_they_say_one_after_the_other(ttd: Ttd, checkout: Path) -> None:
    lines = page_commands(EVALUATION)
    assert len(lines) >= 15
    for line in lines:
        if line.startswith("printf"):
            subprocess.run(["bash", "-c", line], cwd=checkout, check=True, timeout=60)
            continue
        answer = ttd(*shlex.split(line)[1:])
        assert answer.code in codes(line), f"{line}: {answer.err}"
        assert answer.out and "Traceback" not in answer.err


@pytest.mark.slow
@pytest.mark.usefixtures("short_measurements")
def test_the_examples_of_training_lead_from_pairs_to_figures(ttd: Ttd, checkout: Path) -> None:
    lines = page_commands(TRAINING)
    chain = [line for line in readme_commands() if {*IN_TURN} & {*line.split()}]
    assert lines[:4] == chain and len(lines) >= 7
    for line in lines:
        answer = ttd(*shlex.split(line)[1:])
        assert answer.code == 0, f"{line}: {answer.err}"
        assert answer.out and "Traceback" not in answer.err
    left = re.findall(r"`([\w.]+\.(?:png|jsonl|json|pt|safetensors|yaml))`", TRAINING.partition("### What is left")[2])
    assert len(left) >= 10 and [name for name in left if not (checkout / "adapters" / "mine" / name).exists()] == []


@pytest.mark.usefixtures("short_measurements")
def test_the_examples_of_tcl_lead_from_training_to_figures(ttd: Ttd, checkout: Path) -> None:
    lines = [line for line in readme_commands() if MASKER in line]
    assert len(lines) == 3
    for line in lines:
        answer = ttd(*shlex.split(line)[1:])
        assert answer.code == 0 and answer.out and "Traceback" not in answer.err, f"{line}: {answer.err}"


@pytest.mark.parametrize("line", page_commands(TAGGING))
def test_an_example_of_tagging_does_what_it_says(ttd: Ttd, checkout: Path, line: str) -> None:
    answer = ttd(*shlex.split(line)[1:])
    assert answer.code == 0 and answer.out and "Traceback" not in answer.err, answer.err


def test_every_training_option_is_described() -> None:
    group: Any = typer.main.get_command(app)
    flags = {
        flag for command in ("preprocess", "prune") for each in group.commands[command].params for flag in each.opts
    }
    own = flags - {flag for each in group.commands["tags"].params for flag in each.opts}
    distillation = {
        f"--{name.replace('_', '-')}"
        for name in ("distance", "tag_weight", "distill_weight", "select_threshold", "calibration", "maps", "rank",
                     "lora_scale", "lora_targets", "towers", "affine_scale", "affine_bias", "recalibrate", "guard")
    }  # fmt: skip
    said = {f"--{flag}" for flag in re.findall(r"--(?:no-)?([a-z][a-z-]+)", TRAINING)}
    assert own | distillation <= said, sorted((own | distillation) - said)


def test_every_default_of_training_is_the_one_described() -> None:
    options = TrainOptions(method="ttd")
    found = {**vars(options), **vars(options.resolved())}
    words: dict[str, tuple[object, ...]] = {"off": (None, False), "dropped": (True,), "the model's": (None,)}
    settings = TRAINING.partition("### Settings")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \|", settings, re.MULTILINE)
    assert len(rows) >= 10
    for flags, cell in rows:
        names = [flag.replace("-", "_") for flag in re.findall(r"`--([a-z-]+)`", flags)]
        for name, said in zip(names, cell.replace("`", "").split(", "), strict=True):
            value = found[name][0] if isinstance(found[name], tuple) else found[name]
            assert value in words[said] if said in words else str(value) == said or float(said) == value, name


def test_every_key_of_a_training_log_and_of_a_manifest_is_described() -> None:
    described = set(re.findall(r"`(\w+)`", TRAINING))
    statuses = {value for name, value in vars(pairs).items() if name.isupper() and isinstance(value, str)}
    assert {f"`{status}`" for status in statuses} <= set(re.findall(r"`[a-z ]+`", TRAINING))
    assert {field.name for field in fields(ScoreRow)} | {"caption_sha256"} <= described
    assert {field.name for field in fields(AdapterCard)} <= described


def test_every_figure_is_defined() -> None:
    named = {
        key for row in re.findall(r"^\| (`.*?) \|", EVALUATION, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
    }
    named |= {f"{kind}_{key}" for kind in ("category", "sample") for key in ("precision", "recall", "f1")}
    named |= {"bias_image", "bias_text", "reference_tags"}
    assert set(METRICS) <= named, sorted(set(METRICS) - named)


def test_every_key_of_the_result_is_described(ttd: Ttd, checkout: Path) -> None:
    result = json.loads(ttd(*["evaluate", "--data", "scenes:test", "--limit", "2", "--format", "json", "-q"]).out)
    described = set(re.findall(r"`(\w+)`", EVALUATION))
    keys = {*result, *result["counts"], *result["hashes"], *result["environment"], *result["per_class"][0]}
    assert keys <= described, sorted(keys - described)


def test_every_data_set_is_in_the_table() -> None:
    assert [entry.name for entry in ENTRIES if f"| `{entry.name}`" not in EVALUATION] == ["folder"]


def test_the_python_example_runs(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "umbrella" in capsys.readouterr().out


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_every_file_linked_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text)
    assert page.name != "README.md" or len(links) >= 7
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_exit_code_is_documented() -> None:
    from ttd_cli import errors

    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    documented = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for n in row.split(",")}
    assert codes == documented

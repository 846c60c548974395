"""`ttd prune` as it is typed: what it prints in each format, and how it ends."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_scores import numbered, scores_run
from ttd_cli.commands.prune import prune
from ttd_core.recipes.prune.options import PruneOptions

VALUES = [0.1, 0.5, None, 0.3, 0.3, 0.2, 0.4]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    return scores_run(tmp_path / "scored", {"s-0": numbered("a", VALUES[:4]), "s-1": numbered("b", VALUES[4:])})


def test_defaults_shown_are_those_of_the_recipe() -> None:
    shown = {name: each.default for name, each in inspect.signature(prune).parameters.items()}
    expected = {field.name: field.default for field in dataclasses.fields(PruneOptions)} | {"scores": None}
    left_out = {"context", "quiet", "verbose", "config"}
    assert {name: value for name, value in shown.items() if name not in left_out} == expected


def test_text_is_a_table_and_the_folder_goes_to_standard_error(ttd: Ttd, scores: Path) -> None:
    answer = ttd("prune", "--scores", scores, "--keep", "0.5")
    assert answer.code == 0
    rows = {
        line[: line.rindex("  ")].strip(): line[line.rindex("  ") :].strip()
        for line in answer.out.splitlines()
        if "  " in line
    }
    assert rows["in the score files"] == "7" and rows["with a score"] == "6" and rows["kept"] == "3 (42.9%)"
    assert rows["below the cut"] == "3" and rows["no picture"] == "1" and rows["captions kept"] == "3"
    assert rows["lowest kept"] == "0.3000 (1 of this very score dropped)" and rows["median"] == "0.3000"
    assert "3 samples kept: runs/prune/tiny@pictures+keep-0.5@1.0@" in answer.err


def test_json_is_the_manifest_without_its_long_lists(ttd: Ttd, scores: Path, tmp_path: Path) -> None:
    answer = ttd("prune", "--scores", scores, "--min-score", "0.3", "--format", "json")
    found = json.loads(answer.out)
    assert found["counts"]["kept"] == 4 and found["threshold"] == 0.3
    assert found["rule"] == {"name": "min_score", "value": 0.3, "per_caption": "all"}
    assert not {"shards", "near_cut"} & set(found)
    assert json.loads((tmp_path / found["folder"] / "prune.json").read_text())["counts"] == found["counts"]


def test_tsv_is_names_and_values(ttd: Ttd, scores: Path) -> None:
    answer = ttd("prune", "--scores", scores, "--top-k", "2", "--format", "tsv")
    rows = dict(line.split("\t") for line in answer.out.splitlines())
    assert rows["folder"].startswith("runs/prune/tiny@pictures+top-k-2@")
    assert rows["kept"] == "2" and rows["dropped: no picture"] == "1" and rows["threshold"] == "0.4"


def test_the_same_again_prints_the_same_and_says_so(ttd: Ttd, scores: Path) -> None:
    first = ttd("prune", "--scores", scores, "--keep", "0.5")
    again = ttd("prune", "--scores", scores, "--keep", "0.5")
    assert (again.code, again.out) == (0, first.out) and "already done" in again.err


def test_a_config_repeats_a_run_and_a_typed_rule_replaces_its_rule(ttd: Ttd, scores: Path, tmp_path: Path) -> None:
    ttd("prune", "--scores", scores, "--keep", "0.5", "--per-caption", "best")
    (folder,) = (tmp_path / "runs" / "prune").iterdir()
    assert "already done" in ttd("prune", "--config", folder / "run.yaml").err
    other = json.loads(ttd("prune", "--config", folder / "run.yaml", "--top-k", "1", "--format", "json").out)
    assert other["rule"] == {"name": "top_k", "value": 1, "per_caption": "best"}


def test_more_than_there_are_is_a_warning(ttd: Ttd, scores: Path) -> None:
    answer = ttd("prune", "--scores", scores, "--top-k", "2000000")
    assert answer.code == 0 and "warning: --top-k 2000000 is more than the 6 samples" in answer.err
    assert ttd("prune", "--scores", scores, "--top-k", "2000000", "--quiet").err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        ([], 2, ["error: --scores is missing", "hint: name the folder of a run of ttd preprocess"]),
        (["--scores", "scored"], 2, ["no rule says what to keep", "exactly one of --keep 0.7, --min-score 0.25"]),
        (["--scores", "scored", "--keep", "70"], 2, ["--keep 70 is out of range", "--top-k takes a number"]),
        (["--scores", "scored", "--keep", "0.5", "--top-k", "1"], 2, ["--keep and --top-k contradict"]),
        (["--scores", "scored", "--keep", "half"], 2, ["--keep"]),
        (["--scores", "scored", "--keep", "0.5", "--per-caption", "mean"], 2, ["--per-caption", "mean"]),
        (["--scores", "nowhere", "--keep", "0.5"], 3, ["nowhere: no such folder", "runs/preprocess/RUN"]),
        (["--scores", "scored", "--min-score", "2"], 3, ["keeps none of the 6 samples", "--min-score 0.5"]),
        (["--config", "none.yaml"], 2, ["none.yaml"]),
    ],
)
def test_mistakes_end_with_their_code(
    ttd: Ttd, scores: Path, arguments: list[str], code: int, parts: list[str]
) -> None:
    answer = ttd("prune", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert [part for part in parts if part not in answer.err] == []


def test_an_unfinished_run_is_refused_with_3(ttd: Ttd, tmp_path: Path) -> None:
    scores_run(tmp_path / "half", {"s": numbered("s", [0.5])}, done=False)
    answer = ttd("prune", "--scores", "half", "--keep", "0.5")
    assert answer.code == 3 and "ttd preprocess --config half/run.yaml" in answer.err
    assert ttd("prune", "--scores", "half", "--keep", "0.5", "--allow-incomplete").code == 0


def test_help_names_every_rule_with_an_example(ttd: Ttd) -> None:
    answer = ttd("prune", "--help")
    assert answer.code == 0 and "ttd prune --scores runs/preprocess/RUN --keep 0.7" in answer.out
    assert all(option in answer.out for option in ("--min-score", "--top-k", "--per-caption", "--allow-incomplete"))


def test_pruning_needs_no_torch(process: Callable[..., CompletedProcess[str]], scores: Path) -> None:
    code = (
        "import sys; from ttd_cli.app import main; "
        "assert main(['prune', '--scores', 'scored', '--keep', '0.5']) == 0; "
        "print([name for name in ('torch', 'open_clip', 'peft', 'nltk') if name in sys.modules])"
    )
    assert process(code=code).stdout.splitlines()[-1] == "[]"

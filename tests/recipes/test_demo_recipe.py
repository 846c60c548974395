"""The sheets of `run_demo`, and the bundled pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttd_core.protocols import SilentReporter
from ttd_core.recipes.demo import bundled_samples, run_demo
from ttd_core.recipes.options import DemoOptions, ModelOptions, TagOptions
from ttd_core.recipes.recorded import start_run
from ttd_core.recipes.results import DemoResult, TagResult
from ttd_core.recipes.tags import run_tags
from ttd_core.scenes.demo import DEMO_NAMES, demo_scenes
from ttd_core.types import Sample

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_bundled_pictures_come_out_as_sheets_with_scores(model: ModelOptions, tmp_path: Path) -> None:
    chosen = DemoOptions(model=model, run_root=str(tmp_path), limit=2)
    samples = [row for row in bundled_samples(chosen) if isinstance(row, Sample)]
    run = start_run("demo", chosen, "")
    assert run is not None
    with run:
        results = list(run_demo(chosen, samples[:2], SilentReporter(), run))
    assert len(samples) == len(demo_scenes(32))
    for result in results:
        assert isinstance(result, DemoResult)
        sheet = np.asarray(Image.open(run.path / result.sheet))
        assert sheet.shape[1] > 600 and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 1000
        assert any(score.score is not None for score in result.tags.scores)


def test_listed_tags_make_one_panel_each(model: ModelOptions, tmp_path: Path) -> None:
    chosen = DemoOptions(
        image=str(EXAMPLES / "beach.png"), tags=("umbrella", "dog"), model=model, run_root=str(tmp_path)
    )
    sample = Sample("beach", EXAMPLES / "beach.png", None, ("umbrella", "dog"))
    run = start_run("demo", chosen, "")
    assert run is not None
    with run:
        (result,) = run_demo(replace(chosen), [sample], SilentReporter(), run)
    assert isinstance(result, DemoResult)
    assert [score.tag for score in result.tags.scores] == ["umbrella", "dog"]


def test_before_and_after_an_adapter_stand_on_one_sheet(tmp_path: Path) -> None:
    adapted = ModelOptions(lora="scenes-ttd")
    sample = Sample("beach", EXAMPLES / "beach.png", "a man with a red umbrella and two dogs on the beach")
    found: dict[bool, DemoResult] = {}
    for before in (False, True):
        chosen = DemoOptions(
            image=str(sample.image), text=sample.caption, model=adapted, before=before, run_root=str(tmp_path)
        )
        run = start_run("demo", chosen, "")
        assert run is not None
        with run:
            (result,) = run_demo(chosen, [sample], SilentReporter(), run)
        assert isinstance(result, DemoResult)
        found[before] = result
        assert DemoResult.from_json(result.to_json()).to_json() == result.to_json()
        height, width = np.asarray(Image.open(run.path / result.sheet)).shape[:2]
        assert (height < 650 and width > 1300) == before
    (plain,) = run_tags(TagOptions(image=str(sample.image), text=sample.caption), [sample], SilentReporter())
    assert isinstance(plain, TagResult)
    assert found[True].tags == found[False].tags and found[False].before == ()
    assert [each.score for each in found[True].before] == pytest.approx([each.score for each in plain.scores], abs=1e-5)
    assert found[True].before != found[True].tags.scores


def test_the_committed_examples_are_the_pictures_that_the_code_draws() -> None:
    for name, scene in demo_scenes().items():
        assert np.array_equal(np.asarray(Image.open(EXAMPLES / f"{name}.png")), scene.image), name


def test_a_missing_bundled_picture_is_drawn_again(tmp_path: Path) -> None:
    chosen = DemoOptions(run_root=str(tmp_path))
    list(bundled_samples(chosen))
    lake = tmp_path / "demo" / "pictures" / "lake.png"
    lake.unlink()
    list(bundled_samples(chosen))
    assert lake.is_file() and tuple(demo_scenes(32)) == DEMO_NAMES


def test_pamr_changes_the_heat_maps_and_not_the_scores(model: ModelOptions, tmp_path: Path) -> None:
    sheets, scores = [], []
    for pamr in (False, True):
        chosen = DemoOptions(model=model, run_root=str(tmp_path / str(pamr)), pamr=pamr)
        run = start_run("demo", chosen, "")
        assert run is not None
        with run:
            sample = Sample("beach", EXAMPLES / "beach.png", "an umbrella and a dog")
            (result,) = run_demo(chosen, [sample], SilentReporter(), run)
        assert isinstance(result, DemoResult)
        sheets.append(np.asarray(Image.open(run.path / result.sheet)))
        scores.append([score.score for score in result.tags.scores])
    assert scores[0] == scores[1] and not np.array_equal(sheets[0], sheets[1])


def test_a_sheet_shows_the_scores_that_tags_prints(model: ModelOptions, tmp_path: Path) -> None:
    sample = Sample("beach", EXAMPLES / "beach.png", "an umbrella and a dog")
    chosen = DemoOptions(model=model, run_root=str(tmp_path))
    run = start_run("demo", chosen, "")
    assert run is not None
    with run:
        (drawn,) = run_demo(chosen, [sample], SilentReporter(), run)
    (scored,) = run_tags(TagOptions(input="list.jsonl", model=model), [sample], SilentReporter())
    assert isinstance(drawn, DemoResult) and isinstance(scored, TagResult)
    assert drawn.tags.scores == scored.scores

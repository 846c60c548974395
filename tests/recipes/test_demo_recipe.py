"""The sheets of `run_demo`, and the bundled pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttd_core.protocols import SilentReporter
from ttd_core.recipes.demo import Shown, bundled_samples, run_demo
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


def test_white_is_where_the_tags_of_the_picture_are_kept() -> None:
    fixed = Shown.of(DemoOptions(threshold=0.3), 0.3)
    assert (fixed.white, fixed.meaning, fixed.notes) == (0.3, "", ())
    for options in (
        DemoOptions(select="range"),
        DemoOptions(select="relative"),
        DemoOptions(select="top", threshold=3),
    ):
        shown = Shown.of(options, 0.04)
        assert (shown.white, shown.meaning) == (0.04, "this picture's threshold")
    assert Shown.of(DemoOptions(method="tagclip"), 0.04).white == 0.04
    assert Shown.of(DemoOptions(select="range"), None).white == 0.5


def test_maps_that_the_numbers_are_not_read_from_are_said_to_be_others() -> None:
    for options, maps in (
        (DemoOptions(scorer="tagclip"), "similarity"),
        (DemoOptions(method="tagclip+ttd"), "similarity"),
        (DemoOptions(method="tagclip+clip-es"), "CLIP-ES"),
    ):
        shown = Shown.of(options, 0.04)
        assert shown.white == 0.5 and shown.meaning == ""
        assert "TagCLIP" in shown.notes[0] and "0.04" in shown.notes[0] and maps in shown.notes[1]
    assert "0.03 and 0.04" in Shown.of(DemoOptions(scorer="tagclip"), 0.04, 0.03).notes[0]


def test_a_sheet_of_low_scores_is_white_at_their_own_threshold(tmp_path: Path) -> None:
    sample = Sample("beach", EXAMPLES / "beach.png", None, ("car", "cat", "bus"))
    sheets = []
    for select, threshold in (("range", 0.5), ("fixed", 0.5)):
        chosen = DemoOptions(
            image=str(sample.image), tags=sample.tags, method="tagclip", select=select, threshold=threshold,
            run_root=str(tmp_path),
        )  # fmt: skip
        run = start_run("demo", chosen, "")
        assert run is not None
        with run:
            (result,) = run_demo(chosen, [sample], SilentReporter(), run)
        assert isinstance(result, DemoResult)
        sheets.append(np.asarray(Image.open(run.path / result.sheet)).astype(int))
    red = [int((page[:360, 390:, 0] - page[:360, 390:, 2] > 30).sum()) for page in sheets]
    assert max(score.score or 0 for score in result.tags.scores) < 0.5
    assert red[0] > 1000 and red[0] > red[1]

"""The pictures of a pruning: which samples stand around the cut, and that histogram and sheet show them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ttd_core.recipes.prune.near_cut
from tests.support.tiny_scores import METADATA, numbered, scored, scores_run
from ttd_core.drawing.cut_sheet import Neighbour, cut_sheet, wrapped
from ttd_core.drawing.lettering import text_width
from ttd_core.drawing.report.prune_charts import score_bins
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.prune.near_cut import NearSample, pictures_of
from ttd_core.recipes.prune.options import PruneOptions
from ttd_core.recipes.prune.prune import run_prune
from ttd_core.scenes.dataset import make_scene


class Heard(SilentReporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        self.said.append(message)


def near(scores: Path, out: Path, **rule: float) -> list[tuple[str, bool]]:
    run_prune(PruneOptions(scores=str(scores), out=str(out), **rule), "", SilentReporter())  # type: ignore[arg-type]
    found = json.loads((out / "prune.json").read_text())
    return [(row["key"], row["kept"]) for row in found["near_cut"]]


def test_the_samples_on_either_side_of_the_cut_are_listed_best_first(tmp_path: Path) -> None:
    values = np.random.default_rng(0).permutation(60) / 100
    shards = {f"s-{n}": numbered(f"s-{n}", values[20 * n : 20 * n + 20].tolist()) for n in range(3)}
    by_key = {row.key: row.score for rows in shards.values() for row in rows}
    order = sorted(by_key, key=lambda key: -(by_key[key] or 0))
    found = near(scores_run(tmp_path / "scored", shards), tmp_path / "kept", keep=0.5)
    assert found == [(key, True) for key in order[18:30]] + [(key, False) for key in order[30:42]]


def test_rows_around_the_cut_carry_their_captions(tmp_path: Path) -> None:
    shards = {"s": [scored("b", 0.3, "a cat"), scored("a", 0.3, "a dog"), scored("c", 0.1, "a bird")]}
    run_prune(PruneOptions(scores=str(scores_run(tmp_path / "r", shards)), out=str(tmp_path / "k"), top_k=1), "",
              SilentReporter())  # fmt: skip
    rows = json.loads((tmp_path / "k" / "prune.json").read_text())["near_cut"]
    assert [(row["key"], row["caption"], row["kept"]) for row in rows] == [
        ("a", "a dog", True), ("b", "a cat", False), ("c", "a bird", False)
    ]  # fmt: skip


def test_where_all_are_kept_there_is_nothing_below(tmp_path: Path) -> None:
    scores = scores_run(tmp_path / "scored", {"s": numbered("s", [0.5, 0.4])})
    assert near(scores, tmp_path / "kept", keep=1.0) == [("s-0", True), ("s-1", True)]


def folder_of_pictures(folder: Path, colours: Sequence[tuple[int, int, int]]) -> Path:
    folder.mkdir()
    for number, colour in enumerate(colours):
        Image.new("RGB", (8, 6), colour).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"picture {number}")
    return folder


def shows(path: Path, colour: tuple[int, int, int]) -> bool:
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return bool((pixels == colour).all(axis=-1).sum() > 1000)


def test_pictures_are_read_again_from_where_the_data_lies(tmp_path: Path) -> None:
    from ttd_core.data.pair_sources import open_pairs

    pictures = folder_of_pictures(tmp_path / "mine", [(250, 10, 20), (10, 250, 30)])
    source = open_pairs(str(pictures))
    shards = {
        shard.name: [scored(pair.key, 0.5 - 0.1 * number) for number, pair in enumerate(source.read(shard))]
        for shard in source.shards
    }
    scores = scores_run(tmp_path / "scored", shards, dataclasses.replace(METADATA, data=str(pictures)))
    near(scores, tmp_path / "kept", top_k=1)
    assert shows(tmp_path / "kept" / "cut.png", (250, 10, 20)) and shows(tmp_path / "kept" / "cut.png", (10, 250, 30))
    (pictures / "1.png").unlink()
    near(scores, tmp_path / "again", top_k=1)
    assert not shows(tmp_path / "again" / "cut.png", (10, 250, 30))


def test_without_the_data_the_captions_remain(tmp_path: Path) -> None:
    heard = Heard()
    sample = NearSample("s", "k", "a cat", 0.5, True)
    from ttd_core.data.rows import Columns

    assert pictures_of([sample], str(tmp_path / "gone"), None, Columns(), heard) == {}
    assert "shown without pictures" in heard.said[0]
    sheet = cut_sheet([Neighbour("a cat", 0.5, True), Neighbour("a dog", 0.4, False)], 0.5)
    assert sheet.width == 1610 and sheet.height > 400


def test_scenes_are_drawn_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from ttd_core.data.rows import Columns

    drawn: list[int] = []

    def counted(split: str, index: int) -> object:
        drawn.append(index)
        return make_scene(split, index)

    monkeypatch.setattr(ttd_core.recipes.prune.near_cut, "make_scene", counted)
    samples = [
        NearSample("scenes-train-00000", key, "", 0.5, True) for key in ("train-000007", "train-x", "mars-000001")
    ]
    found = pictures_of(samples, "scenes:train", None, Columns(), SilentReporter())
    assert list(found) == [("scenes-train-00000", "train-000007")] and drawn == [7]
    assert (found["scenes-train-00000", "train-000007"] == make_scene("train", 7).image).all()


def test_the_cut_lies_between_two_bins_and_every_sample_in_one() -> None:
    scores = np.random.default_rng(0).normal(0.25, 0.05, 5000).astype(np.float32)
    scores[::50] = np.nan
    ranked = np.isfinite(scores)
    ranked[::7] = False
    cut = np.float32(0.2345)
    bins = score_bins(scores, ranked, ranked & (scores >= cut), float(cut))
    middle = int(np.flatnonzero(bins.edges == cut)[0])
    assert bins.kept[:middle].sum() == 0 and bins.dropped[middle:].sum() == 0
    assert bins.kept.sum() + bins.dropped.sum() == ranked.sum()
    assert bins.merged.sum() == (np.isfinite(scores) & ~ranked).sum()
    assert 60 <= len(bins.kept) <= 90


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5, 0.5], [0.1, 0.9]])
def test_few_or_equal_scores_have_bins_too(scores: list[float]) -> None:
    values = np.array(scores, dtype=np.float32)
    ranked = np.ones(len(values), dtype=bool)
    bins = score_bins(values, ranked, ranked, float(values.min()))
    assert bins.kept.sum() == len(values) and (np.diff(bins.edges) > 0).all()


def test_captions_are_cut_to_their_lines() -> None:
    text = "a very long caption about " + "many different things " * 20
    lines = wrapped(text, 15, 244, 3)
    assert len(lines) == 3 and lines[-1].endswith("...") and max(text_width(line, 15) for line in lines) <= 244
    assert wrapped("x" * 300, 15, 244, 3)[0].endswith("...")
    assert wrapped("", 15, 244, 3) == [] and wrapped("a cat", 15, 244, 3) == ["a cat"]

"""The tables of `ttd evaluate --data scenes`, on a handful of scenes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ttd_core.clip.scenes_model import ScenesBackbone
from ttd_core.clip.scenes_weights import load_scenes_backbone
from ttd_core.metrics.captions import mask_shares
from ttd_core.metrics.tagging import count_decisions, tag_metrics
from ttd_core.ops.masks import label_map
from ttd_core.protocols import SilentReporter
from ttd_core.recipes import scenes_measure
from ttd_core.recipes.evaluation import scenes_tables as module
from ttd_core.recipes.evaluation.scenes_data import open_scenes
from ttd_core.recipes.evaluation.scenes_map_rows import kind_rows, map_row, word_rows
from ttd_core.recipes.evaluation.scenes_mask_rows import CUTS, REFINERS, ROWS, count_masks, mask_rows
from ttd_core.recipes.evaluation.scenes_printed import as_markdown, printed_tables
from ttd_core.recipes.evaluation.scenes_tables import ScenesTables, scenes_tables
from ttd_core.recipes.evaluation.scenes_tag_rows import COSINE_CUTS, calibrate_cosines, ranking_rows, tag_rows
from ttd_core.recipes.evaluation.summary import METRICS
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.scenes_measure import (
    CaptionMaps,
    JudgedCaption,
    MapJudgement,
    Views,
    caption_maps,
    judge_maps,
    judged_captions,
    select_tags,
)
from ttd_core.recipes.scoring import Scorer
from ttd_core.types import Sample

COUNT = 5
TAG_ROWS = (
    "keep all non-stop words", "keep all nouns", "dictionary of visible words", "image", "text", "pixel",
    "image, calibrated cosine", "text, calibrated cosine", "pixel, calibrated cosine",
)  # fmt: skip


@pytest.fixture(scope="module")
def backbone() -> ScenesBackbone:
    return load_scenes_backbone()


@pytest.fixture(scope="module")
def tables(backbone: ScenesBackbone) -> ScenesTables:
    return scenes_tables(backbone, COUNT, SilentReporter())


def said(item: JudgedCaption, image: Sequence[float]) -> CaptionMaps:
    """What a model would say that has these cosines for the pooled picture, and none for anything else."""
    words = np.zeros((len(item.words), 2, 2), dtype=np.float32)
    zeros = np.zeros(len(item.words), dtype=np.float32)
    return CaptionMaps(np.asarray(image, dtype=np.float32), zeros, words, words[0])


def test_every_figure_stands_beside_its_trivial_baselines(tables: ScenesTables) -> None:
    assert [(row.split, row.row) for row in tables.tags] == [(s, r) for s in ("test", "hard") for r in TAG_ROWS]
    for name in ("all", "small"):
        rows = [row for row in tables.masks if row.captions == name]
        assert rows[0].row == "whole picture" and rows[0].fnr == 0
        assert {(row.row, row.refine) for row in rows[1:]} == {(row, refine) for row in ROWS for refine in REFINERS}
        assert {row.count for row in rows} == {rows[0].count}
    assert {row.scorer for row in tables.ranking if row.split == "hard"} == {"image", "text", "pixel"}
    assert [row.views for row in tables.maps] == ["96 px", "96+128+192 px, mirrored too"]


def test_json_has_plain_keys_in_the_units_of_the_metrics(tables: ScenesTables) -> None:
    found: dict[str, Any] = json.loads(json.dumps(tables.to_json()))
    row = found["tags"][0]
    assert (row["split"], row["recall"]) == ("test", 100.0)
    assert row["f1"] == pytest.approx(2 / (1 / row["precision"] + 1 / row["recall"]), abs=1e-3)
    for mask in found["masks"]:
        assert mask["caption_iou"] / 100 + mask["mfpr"] + mask["mfnr"] == pytest.approx(1, abs=1e-5)
    summary = tables.summary()
    assert set(summary.metrics) <= set(METRICS)
    assert summary.metrics["f1"] == next(row["f1"] for row in found["tags"] if row["row"] == "pixel")
    assert summary.baselines["whole picture"]["mfnr"] == 0
    assert summary.baselines["keep all non-stop words"]["recall"] == 100


def test_figures_do_not_depend_on_how_pictures_are_batched(
    tables: ScenesTables, backbone: ScenesBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes_measure, "CHUNK", 2)
    monkeypatch.setattr(scenes_measure, "PIXELS", 1)
    again = scenes_tables(backbone, COUNT, SilentReporter()).to_json()
    printed = printed_tables(tables.to_json(), words=True)
    assert printed_tables(again, words=True) == printed


def test_no_threshold_is_chosen_on_test(
    tables: ScenesTables, backbone: ScenesBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_tests(split: str, count: int | None) -> list[JudgedCaption]:
        return judged_captions(split, count) if split == "val" else judged_captions("train", count)

    monkeypatch.setattr(module, "judged_captions", other_tests)
    other = scenes_tables(backbone, COUNT, SilentReporter())
    assert [row.threshold for row in other.tags] == [row.threshold for row in tables.tags]
    assert [row.metrics for row in other.tags] != [row.metrics for row in tables.tags]
    assert [row.threshold for row in other.masks] == [row.threshold for row in tables.masks]


def test_every_picture_is_encoded_once_per_view(backbone: ScenesBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    whole, dense = backbone.encode_images, scenes_measure._dense_cells

    def counted(images: torch.Tensor) -> Any:
        seen.append(len(images))
        return whole(images)

    def counted_dense(model: ScenesBackbone, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return dense(model, images)

    monkeypatch.setattr(backbone, "encode_images", counted)
    monkeypatch.setattr(scenes_measure, "_dense_cells", counted_dense)
    scenes_tables(backbone, 2, SilentReporter())
    assert sum(seen) == 2 * 2 * 6  # val and test, hard has the pictures of test; three sizes and mirror images


def test_the_short_way_to_the_cells_gives_the_same_cells(backbone: ScenesBackbone) -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(scenes_measure._dense_cells(backbone, images), backbone.encode_images(images).dense)


def test_masks_count_as_if_each_were_cut_alone(backbone: ScenesBackbone) -> None:
    info, judged = backbone.info, judged_captions("test", 2)
    maps = caption_maps(backbone, judged, Views((64,)))
    counts = count_masks(info, judged, maps)
    assert info.sigmoid_scale is not None and info.sigmoid_bias is not None
    for n, (item, found) in enumerate(zip(judged, maps, strict=True)):
        chosen = {
            "caption": found.caption[None],
            "union of selected": found.words[select_tags([found], "pixel", info.logit_scale)[0]],
            "union of visible": found.words[item.visible],
        }
        for r, refine in enumerate((None, "pamr")):
            for c, row in enumerate(ROWS):
                read = torch.sigmoid(info.sigmoid_scale * torch.from_numpy(chosen[row]) + info.sigmoid_bias)
                for t in (0, CUTS.index(0.4), 12):
                    mask = label_map(read, item.picture, background=CUTS[t], refine=refine).labels > 0
                    true, false = counts.true[n, r, c, t], counts.false[n, r, c, t]
                    # the last bits of an interpolation decide about a pixel or two
                    assert abs(int((mask & item.truth).sum()) - true) <= 2
                    assert abs(int((mask & ~item.truth).sum()) - false) <= 2


def test_mask_rows_are_means_over_captions_and_small_ones_are_apart(backbone: ScenesBackbone) -> None:
    judged = judged_captions("test", COUNT)
    counts = count_masks(backbone.info, judged, caption_maps(backbone, judged, Views((64,))))
    whole = {row.captions: row for row in mask_rows(counts, counts, 0.4) if row.row == "whole picture"}
    shares = [mask_shares(np.ones_like(item.truth), item.truth).iou for item in judged]
    small = [share for share in shares if share < 0.4]
    assert 0 < len(small) < COUNT
    assert whole["all"].iou == pytest.approx(np.mean(shares)) and whole["small"].iou == pytest.approx(np.mean(small))
    assert whole["all"].pooled == pytest.approx(np.mean([item.truth.mean() for item in judged]))


def test_captions_whose_words_cannot_be_seen_have_no_mask(backbone: ScenesBackbone) -> None:
    item = judged_captions("test", 1)[0]
    blind = replace(item, visible=np.zeros_like(item.visible))
    counts = count_masks(backbone.info, [blind], [said(blind, item.visible)])
    assert len(counts.truth) == 0
    assert all(math.isnan(row.iou) and row.count == 0 for row in mask_rows(counts, counts, 0.4))


def test_a_cosine_is_calibrated_to_the_best_f1() -> None:
    judged = judged_captions("val", 8)
    generator = np.random.default_rng(0)
    maps = [said(item, 0.2 * item.visible + generator.normal(0, 0.1, len(item.words))) for item in judged]

    def f1(cut: float) -> float:
        kept = [bool(value >= cut) for found in maps for value in found.image]
        return tag_metrics(count_decisions(kept, [flag for item in judged for flag in item.visible])).f1

    cuts = calibrate_cosines(judged, maps)
    assert f1(cuts["image"]) == max(f1(cut) for cut in COSINE_CUTS)
    # nothing can be learnt from cosines that are all the same: keep every word
    assert cuts["text"] == COSINE_CUTS[0]
    row = next(row for row in tag_rows("val", judged, maps, 50.0, 0.5, cuts) if row.row == "image, calibrated cosine")
    assert row.metrics.f1 == f1(cuts["image"])


def test_ranking_leaves_out_what_a_dictionary_knows() -> None:
    judged = judged_captions("hard", 8)
    perfect = [said(item, item.visible) for item in judged]
    row = next(row for row in ranking_rows("hard", judged, perfect) if row.scorer == "image")
    assert row.auc == 1
    assert row.visible == sum(int(item.visible.sum()) for item in judged)
    assert 0 < row.absent < sum(int((~item.visible).sum()) for item in judged)
    assert next(row for row in ranking_rows("hard", judged, perfect) if row.scorer == "text").auc == 0.5


def test_words_and_kinds_are_means_of_their_judgements() -> None:
    found = [
        MapJudgement("dog", 0.9, True), MapJudgement("dog", 0.5, False), MapJudgement("cat", 1.0, True),
        MapJudgement("sea", math.nan, True), MapJudgement("red", 0.6, False),
    ]  # fmt: skip
    words = word_rows(found)
    assert [(row.word, row.kind, row.count) for row in words] == [
        ("dog", "thing", 2), ("cat", "thing", 1), ("sea", "ground", 1), ("red", "attribute", 1),
    ]  # fmt: skip
    assert (words[0].auc, words[0].pointing) == (0.7, 0.5)
    things, grounds, _ = kind_rows(words)
    assert (things.auc, things.count) == (pytest.approx(0.85), 2) and math.isnan(grounds.auc) and grounds.pointing == 1
    total = map_row("test", Views(), found)
    assert (total.auc, total.pointing) == (pytest.approx(0.75), 0.6)


def test_a_map_equal_to_its_mask_is_perfect() -> None:
    item = judged_captions("test", 1)[0]
    masks = item.masks.astype(np.float32)
    found = judge_maps([item], [CaptionMaps(np.zeros(0), np.zeros(0), masks, masks[0])])
    assert [one.word for one in found] == [word for word, seen in zip(item.words, item.visible, strict=True) if seen]
    assert all(one.auc == 1 and one.inside for one in found)


def test_the_table_and_the_scorer_of_ttd_tags_agree(tables: ScenesTables) -> None:
    opened = open_scenes("scenes:hard", "hard", COUNT)
    for scorer in ("image", "text", "pixel"):
        options = CommonOptions(text="unused", scorer=scorer)
        asked = Scorer(options, SilentReporter())
        truths = [opened.truth(sample) for sample in opened.samples]
        samples = [
            Sample(sample.key, caption=sample.caption, candidates=truth.candidates)
            for sample, truth in zip(opened.samples, truths, strict=True)
        ]
        questions = asked.questions(samples, [opened.picture(sample) for sample in opened.samples])
        answers = [asked.decide(*pair) for pair in zip(questions, asked.look(questions), strict=True)]
        kept = [score.selected for answer in answers for score in answer.scores]
        true = [s.tag in (t.tags or ()) for answer, t in zip(answers, truths, strict=True) for s in answer.scores]
        row = next(row for row in tables.tags if (row.split, row.row) == ("hard", scorer))
        assert tag_metrics(count_decisions(kept, true)) == row.metrics


def test_printed_tables_show_every_row_and_no_nan(tables: ScenesTables) -> None:
    nothing = float("nan")
    rows = [replace(row, iou=nothing, fpr=nothing, fnr=nothing, pooled=nothing) for row in tables.masks]
    words = [replace(tables.words[0], auc=nothing), *tables.words[1:]]
    values = json.loads(json.dumps(replace(tables, masks=rows, words=words).to_json(), allow_nan=False))
    printed = {table.title: table for table in printed_tables(values, words=True)}
    assert len(printed["Tags, percent"].rows) == 18
    assert len(printed["Masks of captions on test, percent"].rows) == len(tables.masks)
    assert printed["Masks of captions on test, percent"].rows[0][4:] == ("-", "-", "-")
    assert printed["The same, word by word"].rows[0][3] == "-"
    assert all(len(row) == len(table.columns) for table in printed.values() for row in table.rows)
    text = as_markdown(list(printed.values()))
    assert "nan" not in text and "| hard | dictionary of visible words |" in text

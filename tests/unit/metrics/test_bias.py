import json
import math
from typing import Any

import numpy as np
import pytest

from ttd_core.metrics.bias import bias_baselines, bias_by_reference_tags, bias_row, bias_summary, coverage_row

TAGS = 4


def tag_vectors(count: int = TAGS, width: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(count, width))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def maps_of(vectors: np.ndarray) -> np.ndarray:
    """K×12×12 cosines with a picture whose quarters show one tag each."""
    rng = np.random.default_rng(1)
    places = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 6, axis=0), 6, axis=1)
    pixels = tag_vectors()[places] + 0.2 * rng.normal(size=(12, 12, 16))
    pixels /= np.linalg.norm(pixels, axis=2, keepdims=True)
    return np.einsum("hwd,kd->khw", pixels, vectors)


def row_of(caption: np.ndarray, **changes: Any) -> dict[str, Any]:
    everything = [True] * TAGS
    parts: dict[str, Any] = {
        "kept": {"pixel": everything, "image": everything, "text": everything},
        "text_scores": [1 / TAGS] * TAGS,
        "caption_map": maps_of(caption[None])[0],
        "tag_maps": maps_of(tag_vectors()),
    }
    return bias_row(**(parts | changes))


@pytest.mark.parametrize("tag", range(TAGS))
def test_a_caption_that_is_one_of_its_tags_has_full_bias(tag: int) -> None:
    row = row_of(tag_vectors()[tag], text_scores=np.eye(TAGS)[tag])
    assert row["bias"] == pytest.approx(100, abs=1e-3)
    assert row["follow"][0] == pytest.approx(1, abs=1e-6)
    assert row["effective"] == 1.0


def test_a_caption_that_follows_all_of_its_tags_alike_has_none() -> None:
    maps = maps_of(tag_vectors())
    flat = (maps - maps.mean(axis=(1, 2), keepdims=True)).reshape(TAGS, -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    # the map whose correlation with each of the tags' maps is the same
    alike = (np.linalg.solve(flat @ flat.T, np.ones(TAGS)) @ flat).reshape(12, 12)
    row = row_of(tag_vectors()[0], caption_map=alike)
    assert row["bias"] == pytest.approx(0, abs=1e-3)
    assert row["follow"][0] == pytest.approx(row["follow"][-1], abs=1e-5)
    assert row["effective"] == pytest.approx(TAGS)


def test_a_caption_that_is_the_mean_of_its_tags_has_none_either_however_much_their_maps_differ() -> None:
    vectors = tag_vectors() + 0.7 * tag_vectors()[0]  # maps of unequal strength, one like all the others
    row = row_of(vectors.mean(axis=0), tag_maps=maps_of(vectors))
    assert row["follow"][0] - row["follow"][-1] > 0.1
    assert row["bias"] == pytest.approx(0, abs=1e-3)
    assert row["follow"] == pytest.approx(row["even"], abs=1e-5)


def test_the_union_of_all_tags_has_little_bias() -> None:
    assert row_of(tag_vectors()[0], caption_map=maps_of(tag_vectors()).max(axis=0))["bias"] < 25


def test_bias_grows_as_the_caption_moves_from_all_tags_to_one() -> None:
    vectors = tag_vectors()
    biases = [row_of(share * vectors[2] + (1 - share) * vectors.mean(axis=0))["bias"] for share in (0, 0.3, 0.6, 1)]
    assert biases == sorted(biases)
    assert biases[-1] > biases[0] + 50


def test_bias_knows_neither_scale_nor_offset_nor_order() -> None:
    vectors = tag_vectors()
    caption = 0.6 * vectors[1] + 0.4 * vectors[3]
    plain = row_of(caption)
    other = row_of(caption, caption_map=5 * maps_of(caption[None])[0] - 2)
    moved = row_of(caption, tag_maps=maps_of(vectors)[::-1])
    assert plain["bias"] == pytest.approx(other["bias"], abs=1e-3)
    assert plain["bias"] == pytest.approx(moved["bias"], abs=1e-3)
    assert 0 <= plain["bias"] <= 100


def test_the_bias_stays_bounded_when_the_caption_shuns_a_tag() -> None:
    vectors = tag_vectors()
    row = row_of(vectors[0] - 2 * vectors[1], visible=[True, True, False, False])
    assert row["follow"][-1] < -0.5
    assert row["bias"] == 100.0


def test_reference_tags_are_what_pixel_scoring_keeps_unless_the_truth_is_known() -> None:
    kept = {"pixel": [True, True, False, False], "image": [False] * 4, "text": [True, False, True, False]}
    row = row_of(tag_vectors()[0], kept=kept)
    assert (row["reference"], row["pixel"], row["image"], row["text"]) == (2, 2, 0, 1)
    row = row_of(tag_vectors()[0], kept=kept, visible=[False, True, True, True])
    assert (row["reference"], row["pixel"], row["image"], row["text"]) == (3, 1, 0, 1)


def test_captions_with_fewer_than_two_reference_tags_are_counted_and_not_measured() -> None:
    lonely = row_of(tag_vectors()[0], visible=[True, False, False, False])
    assert lonely == {"reference": 1}
    summary = bias_summary([lonely, row_of(tag_vectors()[0])])
    assert (summary["captions"], summary["measured"]) == (2, 1)
    nothing = bias_summary([lonely])
    assert all(math.isnan(nothing[name]) for name in ("bias", "share_text", "effective_tags", "follow_best"))


def test_flat_or_equal_maps_have_no_headline() -> None:
    maps = maps_of(tag_vectors())
    flat = row_of(tag_vectors()[0], caption_map=np.full((12, 12), 0.3, dtype=np.float32))
    equal = row_of(tag_vectors()[0], tag_maps=np.stack([maps[0]] * TAGS))
    assert flat["bias"] is None
    assert flat["follow"] == []
    assert equal["bias"] is None
    summary = bias_summary([flat, equal, row_of(tag_vectors()[0])])
    assert summary["undefined"] == 2
    assert bias_baselines([flat, equal])["single"]["follow_best"] == 1
    assert summary["bias"] == pytest.approx(100, abs=1e-3)


def test_opposite_maps_whose_mean_is_flat_are_measured() -> None:
    map_ = maps_of(tag_vectors())[0]
    opposite = np.stack([map_, -map_])
    kept = {name: [True, True] for name in ("pixel", "image", "text")}
    row = bias_row(kept, [0.5, 0.5], map_, opposite)
    assert row["even"] == [0.0, 0.0]
    assert row["bias"] == 100


def test_the_headline_pools_captions_and_its_baselines_stand_beside_it() -> None:
    vectors = tag_vectors()
    rows = [row_of(vectors[0]), row_of(vectors.mean(axis=0))]
    summary, baselines = bias_summary(rows), bias_baselines([*rows, {"reference": 1}])
    assert 0 < summary["bias"] < 100
    assert bias_summary(rows[:1])["bias"] == pytest.approx(100, abs=1e-3)
    assert bias_summary(rows[1:])["bias"] == pytest.approx(0, abs=1e-3)
    assert baselines["even"]["bias"] == 0
    assert baselines["single"]["bias"] == 100
    assert baselines["single"]["follow_best"] == 1
    assert baselines["even"]["follow_worst"] > summary["follow_worst"] > baselines["single"]["follow_worst"]


def test_shares_are_pooled_over_captions() -> None:
    some = {"pixel": [True] * 4, "image": [True, True, True, False], "text": [True, False, False, False]}
    two = {"pixel": [True, True, False, False], "image": [True] * 4, "text": [False] * 4}
    summary = bias_summary([row_of(tag_vectors()[0], kept=kept) for kept in (some, two)])
    assert summary["share_image"] == pytest.approx(100 * 5 / 6)
    assert summary["share_text"] == pytest.approx(100 * 1 / 6)
    assert summary["bias_text"] == pytest.approx(100 * 5 / 6)
    assert summary["share_pixel"] == 100
    assert summary["reference_tags"] == 3


def test_the_effective_number_reads_the_reference_tags_only() -> None:
    scores = [0.1, 0.1, 0.8, math.nan]
    visible = [True, True, False, True]
    assert row_of(tag_vectors()[0], text_scores=scores, visible=visible)["effective"] == pytest.approx(2)
    assert row_of(tag_vectors()[0], text_scores=[0, 0, 1, 0], visible=visible)["effective"] is None


def test_coverage_of_the_best_and_the_worst_tag_beside_the_whole_mask() -> None:
    caption = np.zeros((4, 4), dtype=bool)
    caption[:2] = True
    masks = np.zeros((3, 4, 4), dtype=bool)
    masks[0, 0], masks[1, 1:3] = True, True  # covered, half covered, empty
    assert coverage_row(caption, masks) == {"cover_best": 1.0, "cover_worst": 0.5, "cover_all": 0.5}
    assert coverage_row(caption, masks[:1]) == {}
    row = row_of(tag_vectors()[0]) | coverage_row(caption, masks)
    summary = bias_summary([row, row_of(tag_vectors()[1])])
    assert (summary["cover_best"], summary["cover_worst"], summary["cover_all"]) == (100, 50, 50)
    with pytest.raises(ValueError, match="a caption mask of"):
        coverage_row(caption[:3], masks)


def test_rows_survive_json_and_their_order_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    rows = [row_of(vector, text_scores=rng.random(TAGS)) for vector in rng.normal(size=(9, 16))]
    again = json.loads(json.dumps(rows, allow_nan=False))
    assert bias_summary(again[::-1]) == bias_summary(rows)


def test_the_plot_has_a_point_for_every_number_of_reference_tags() -> None:
    visible = ([True] * 4, [True, True, False, False], [True, True, True, True], [True, False, False, False])
    points = bias_by_reference_tags(row_of(tag_vectors()[0], visible=list(chosen)) for chosen in visible)
    assert [(point["reference"], point["captions"]) for point in points] == [(2, 1), (4, 2)]
    assert points[1]["text"] == 4
    assert points[1]["bias"] == pytest.approx(100, abs=1e-3)


def test_parts_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        row_of(tag_vectors()[0], text_scores=[0.1])
    with pytest.raises(ValueError, match="or size"):
        row_of(tag_vectors()[0], caption_map=np.zeros((3, 3)))

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.ops import masks as masks_module
from ttd_core.ops.crf import CrfConfig, dense_crf
from ttd_core.ops.masks import argmax_at, label_map, pamr_size


def example(height: int = 40, width: int = 52) -> tuple[torch.Tensor, np.ndarray]:
    """Two maps, each high on its half of the picture, whose halves differ in colour."""
    picture = np.full((height, width, 3), 30, dtype=np.uint8)
    picture[:, width // 2 :] = 220
    maps = torch.full((2, 5, 6), 0.2)
    maps[0, 1:4, :3] = 0.8
    maps[1, 1:4, 3:] = 0.7
    return maps, picture


def exceeding(score_map: torch.Tensor, picture: np.ndarray, threshold: float) -> np.ndarray:
    """H×W bool, where one map exceeds a threshold at the picture's size."""
    whole = F.interpolate(score_map[None, None], size=picture.shape[:2], mode="bilinear", align_corners=False)
    return whole[0, 0].numpy() > threshold


def test_labels_are_the_arg_max_over_background_and_tags_at_the_pictures_size() -> None:
    maps, picture = example()
    whole = F.interpolate(maps[None], size=picture.shape[:2], mode="bilinear", align_corners=False)[0]
    expected = torch.cat([torch.full_like(whole[:1], 0.4), whole]).argmax(0)
    labels = label_map(maps, picture, background=0.4).labels
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, expected.numpy())
    assert set(np.unique(labels)) == {0, 1, 2}


def test_strips_of_rows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, picture = example()
    expected = label_map(maps, picture).labels
    monkeypatch.setattr(masks_module, "_STRIP", 3 * 52 * 7)
    np.testing.assert_array_equal(label_map(maps, picture).labels, expected)


@pytest.mark.parametrize("refine", [None, "pamr", "crf"])
def test_permuting_tags_permutes_labels(refine: str | None) -> None:
    maps, picture = example()
    labels = label_map(maps, picture, refine=refine).labels
    swapped = label_map(maps[[1, 0]], picture, refine=refine).labels
    np.testing.assert_array_equal(swapped, np.array([0, 2, 1])[labels])


@pytest.mark.parametrize("refine", [None, "pamr"])
def test_a_mirrored_picture_gives_mirrored_labels(refine: str | None) -> None:
    maps, picture = example()
    labels = label_map(maps, picture, refine=refine).labels
    mirrored = label_map(maps.flip(-1), np.ascontiguousarray(picture[:, ::-1]), refine=refine).labels
    assert (mirrored[:, ::-1] == labels).mean() > 0.995  # ties and rounding aside


def test_the_background_wins_equal_scores_and_everything_above_the_maps() -> None:
    maps, picture = example()
    assert not label_map(torch.full((1, 3, 3), 0.5), picture, background=0.5).labels.any()
    assert not label_map(maps, picture, background=1.0).labels.any()
    assert label_map(maps, picture, background=0.0).labels.all()


def test_a_single_map_gives_the_mask_of_a_caption() -> None:
    maps, picture = example()
    foreground = label_map(maps[:1], picture, background=0.4).labels > 0
    np.testing.assert_array_equal(foreground, exceeding(maps[0], picture, 0.4))
    assert 0 < foreground.mean() < 0.5


def test_the_union_of_tags_is_where_the_strongest_exceeds_the_background() -> None:
    maps, picture = example()
    union = label_map(maps, picture, background=0.4).labels > 0
    either = exceeding(maps[0], picture, 0.4) | exceeding(maps[1], picture, 0.4)
    np.testing.assert_array_equal(union, either)


def test_no_tags_are_background_everywhere() -> None:
    result = label_map(torch.zeros(0, 3, 3), example()[1], refine="pamr")
    assert result.labels.shape == (40, 52) and not result.labels.any()


@pytest.mark.parametrize("refine", ["pamr", "crf"])
def test_refinement_moves_borders_to_the_edge_of_the_picture(refine: str) -> None:
    maps, picture = example(64, 64)
    maps[0, 1:4, 3] = 0.45  # spills over the edge
    maps[1, 1:4, 3] = 0.42
    plain = label_map(maps, picture).labels
    refined = label_map(maps, picture, refine=refine).labels
    assert (plain[:, 32:] == 1).sum() > 3 * (refined[:, 32:] == 1).sum()


def test_the_scores_lie_where_the_refinement_took_place() -> None:
    maps, picture = example(600, 900)
    assert label_map(maps, picture).scores.shape == (2, 5, 6)
    assert label_map(maps, picture, refine="pamr", image_size=60).scores.shape == (2, 60, 90)
    small = label_map(maps, picture, refine="crf", crf=CrfConfig(max_pixels=600, iterations=2))
    assert small.scores.shape == (2, 20, 30) and small.labels.shape == (600, 900)


@pytest.mark.parametrize("config", [CrfConfig(), CrfConfig(every_label=True), CrfConfig(max_pixels=900)])
def test_the_crf_decides_as_if_every_channel_had_been_enlarged(config: CrfConfig) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 52, 3), dtype=np.uint8)
    maps = torch.rand(9, 5, 6, generator=torch.Generator().manual_seed(4))
    maps[[2, 5, 8]] = 0.05  # win nowhere
    grid = (40, 52) if config.max_pixels > 2080 else (26, 34)
    stack = torch.cat([torch.full_like(maps[:1], 0.4), maps])
    whole = F.interpolate(stack[None], size=grid, mode="bilinear", align_corners=False)[0].numpy()
    colours = masks_module.resize_picture(picture, grid)[0].permute(1, 2, 0).contiguous().numpy()
    marginals = torch.from_numpy(dense_crf(colours, whole, config))
    found = label_map(maps, picture, refine="crf", crf=config)
    np.testing.assert_array_equal(found.labels, argmax_at(marginals, (40, 52)))
    torch.testing.assert_close(found.scores, marginals[1:], rtol=0, atol=1e-3)  # enlarging rounds by batch
    assert found.labels.dtype == np.uint8


def test_the_crf_enlarges_only_what_wins_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[int] = []

    def count(picture: np.ndarray, probabilities: np.ndarray, config: CrfConfig) -> np.ndarray:
        handed.append(len(probabilities))
        return dense_crf(picture, probabilities, config)

    monkeypatch.setattr(masks_module, "dense_crf", count)
    maps, picture = example()
    many = torch.cat([maps, torch.zeros(300, 5, 6)])
    labels = label_map(many, picture, refine="crf").labels
    assert handed == [3]
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, label_map(maps, picture, refine="crf").labels)


def test_scores_after_the_crf_are_averages_on_a_bounded_grid() -> None:
    maps, picture = example(60, 80)
    fine = label_map(maps, picture, refine="crf").scores
    coarse = label_map(maps, picture, refine="crf", image_size=30).scores
    assert fine.shape == (2, 60, 80) and coarse.shape == (2, 30, 40)
    torch.testing.assert_close(coarse, F.avg_pool2d(fine, 2))


def test_pamr_runs_at_the_models_size_and_never_enlarges() -> None:
    assert pamr_size((300, 400), 448) == (300, 400)
    assert pamr_size((8000, 8000), 448) == (448, 448)
    rows, columns = pamr_size((500, 30000), 448)
    assert rows * columns <= 4 * 448**2 * 1.05
    assert pamr_size((1, 30000), 448) == (1, 30000)


def test_more_than_a_byte_of_channels_needs_two() -> None:
    stack = torch.zeros(300, 2, 2)
    stack[299] = 1.0
    labels = argmax_at(stack, (3, 3))
    assert labels.dtype == np.uint16 and (labels == 299).all()


def test_read_only_pictures_are_taken_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    maps, picture = example()
    picture.setflags(write=False)
    label_map(maps, picture, refine="pamr")
    assert not recwarn.list


def test_unknown_refinements_and_backgrounds_are_refused() -> None:
    maps, picture = example()
    with pytest.raises(UsageError, match="'blur', expected pamr or crf"):
        label_map(maps, picture, refine="blur")
    with pytest.raises(UsageError, match="1.5"):
        label_map(maps, picture, background=1.5)


def test_without_a_background_every_pixel_belongs_to_the_strongest_tag() -> None:
    maps = torch.tensor([[[0.0, 0.1]], [[0.0, 0.05]]])
    labels = label_map(maps, np.zeros((1, 2, 3), dtype=np.uint8), background=None).labels
    assert labels.tolist() == [[1, 1]]
    crossed = label_map(maps.flip(0), np.zeros((1, 2, 3), dtype=np.uint8), background=None).labels
    assert crossed.tolist() == [[1, 2]]

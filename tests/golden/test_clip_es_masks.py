"""From stored maps to labels: ours equal the stored predictions, with and without the dense CRF."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support import tiny_clip
from tests.support.golden import load_case
from ttd_core.data.benchmarks.coco_ids import stuff_to_coarse
from ttd_core.methods.clip_es import masks
from ttd_core.methods.clip_es.maps import enlarged
from ttd_core.methods.clip_es.masks import decide, decide_crf, with_background

PICTURES = {"crf_k1": (1, 37, 40), "crf_k2": (0, 48, 64)}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("data", ["voc", "coco", "cocostuff"])
def test_labels_are_the_stored_ones(data: str, number: int) -> None:
    case = load_case("tagclip", "miou")
    maps, keys = case.arrays[f"{data}_{number}_cams"], case.arrays[f"{data}_{number}_keys"]
    assert maps.dtype == np.float16
    plain = data == "cocostuff"
    found = decide(torch.from_numpy(maps), (maps.shape[1], maps.shape[2]), None if plain else 1.0)
    named = np.array([255, *stuff_to_coarse()[keys]]) if plain else np.append(0, keys + 1)
    np.testing.assert_array_equal(named[found], case.arrays[f"{data}_{number}_pred"])


@pytest.mark.parametrize("background", [1.0, 2.0, 0.3, None])
def test_map_after_map_gives_the_labels_of_all_maps_at_once(background: float | None) -> None:
    maps = torch.rand(30, 6, 9, generator=torch.Generator().manual_seed(0))
    maps = maps.repeat(2, 1, 1)  # equal maps: the first of them has the place
    for size in ((71, 90), (6, 9), (5, 200)):
        large = enlarged(maps, size).half().numpy()
        expected = with_background(large, background).argmax(axis=0) + (background is None)
        np.testing.assert_array_equal(decide(maps, size, background), expected)


def test_strips_of_rows_give_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.rand(5, 6, 9, generator=torch.Generator().manual_seed(0))
    whole = decide(maps, (71, 90), 1.0)
    monkeypatch.setattr(masks, "MAX_PIXELS", 90 * 7)
    assert (decide(maps, (71, 90), 1.0) != whole).mean() < 0.001 and len(np.unique(whole)) == 6


@pytest.mark.parametrize("name", ["crf_k1", "crf_k2"])
def test_labels_after_the_crf_are_the_stored_ones(name: str) -> None:
    case = load_case("tagclip", name)
    maps, keys = torch.from_numpy(case.arrays["fgonly_prob"]), case.arrays["keys"]
    found = decide_crf(maps, tiny_clip.test_image(*PICTURES[name]), 1.0)
    np.testing.assert_array_equal(np.append(0, keys + 1)[found], case.arrays["fgbg_label"])


def test_the_background_is_a_score_below_one_and_a_power_from_one_on() -> None:
    maps = torch.tensor([[[0.1, 0.45, 0.7]]])
    assert decide(maps, (1, 3), 0.3).tolist() == [[0, 1, 1]] and decide(maps, (1, 3), 0.5).tolist() == [[0, 0, 1]]
    # 1 - 0.45 = 0.55 is more, its square is less
    assert decide(maps, (1, 3), 1.0).tolist() == [[0, 0, 1]] and decide(maps, (1, 3), 2.0).tolist() == [[0, 1, 1]]
    assert decide(maps, (1, 3), None).tolist() == [[1, 1, 1]] and decide(maps[:0], (1, 3), 1.0).tolist() == [[0, 0, 0]]

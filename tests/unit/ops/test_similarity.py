from __future__ import annotations

import pytest
import torch

from ttd_core.ops import similarity
from ttd_core.ops.similarity import cell_to_pixel, cosine_maps, cosine_scores, peaks


def test_maps_are_cosines_whatever_the_lengths() -> None:
    generator = torch.Generator().manual_seed(0)
    dense, texts = torch.randn(2, 8, 3, 4, generator=generator), torch.randn(5, 8, generator=generator)
    maps = cosine_maps(7 * dense, 0.1 * texts)
    assert maps.shape == (2, 5, 3, 4)
    torch.testing.assert_close(maps[1, 3, 2, 0], torch.cosine_similarity(dense[1, :, 2, 0], texts[3], dim=0))
    torch.testing.assert_close(cosine_maps(dense, texts.expand(2, 5, 8)), cosine_maps(dense, texts))


def test_own_texts_per_image_equal_one_image_at_a_time() -> None:
    generator = torch.Generator().manual_seed(1)
    dense, texts = torch.randn(3, 8, 2, 2, generator=generator), torch.randn(3, 4, 8, generator=generator)
    maps = cosine_maps(dense, texts)
    single = torch.cat([cosine_maps(dense[b : b + 1], texts[b]) for b in range(3)])
    torch.testing.assert_close(maps, single)
    torch.testing.assert_close(cosine_scores(dense[:, :, 0, 0], texts), maps[:, :, 0, 0])


def test_widths_that_differ_are_a_bug_and_say_so() -> None:
    with pytest.raises(ValueError, match="B×D×h×w"):
        cosine_maps(torch.zeros(1, 8, 2, 2), torch.zeros(3, 9))


def test_peaks_name_the_place_and_the_runner_up_there() -> None:
    maps = torch.zeros(1, 3, 2, 3)
    maps[0, 0, 1, 2], maps[0, 1, 1, 2], maps[0, 2, 1, 2] = 0.9, 0.3, 0.5
    maps[0, 1, 0, 1] = 0.8
    found = peaks(maps)
    torch.testing.assert_close(found.score, torch.tensor([[0.9, 0.8, 0.5]]))
    assert found.row.tolist() == [[1, 0, 1]] and found.column.tolist() == [[2, 1, 2]]
    assert found.runner_up.tolist() == [[2, 0, 0]]


def test_the_first_of_equal_places_wins() -> None:
    found = peaks(torch.full((1, 1, 3, 3), 0.5))
    assert (found.row.item(), found.column.item()) == (0, 0)


def test_padding_is_nobodys_runner_up() -> None:
    maps = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    maps[0, 2] = 5.0
    found = peaks(maps, torch.tensor([[True, True, False], [True, False, False]]))
    assert found.score[0, 2] == 0 and found.runner_up[0, 0] == 1 and found.runner_up[1, 0] == -1
    assert peaks(maps[:, :0]).score.shape == (2, 0)


@pytest.mark.parametrize("pairs", [1, 2 * 7, 3 * 2 * 7])
def test_comparing_a_few_candidates_at_a_time_changes_nothing(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.rand(2, 7, 3, 4, generator=torch.Generator().manual_seed(3)).mul(5).round()  # with equals
    valid = torch.tensor([[True] * 7, [True, False, True, True, False, True, False]])
    whole = peaks(maps, valid)
    monkeypatch.setattr(similarity, "_PAIRS", pairs)
    parts = peaks(maps, valid)
    for name in ("score", "row", "column", "runner_up"):
        assert torch.equal(getattr(parts, name), getattr(whole, name)), name


def test_no_comparison_of_candidates_exceeds_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[int] = []
    gather = torch.Tensor.gather
    monkeypatch.setattr(similarity, "_PAIRS", 500)

    def noted(tensor: torch.Tensor, dim: int, index: torch.Tensor) -> torch.Tensor:
        shapes.append(index.numel())
        return gather(tensor, dim, index)

    monkeypatch.setattr(torch.Tensor, "gather", noted)
    found = peaks(torch.rand(1, 100, 3, 4, generator=torch.Generator().manual_seed(3)))
    assert max(shapes) <= 500
    assert (found.runner_up != torch.arange(100)).all()


def test_a_cell_points_to_its_middle_inside_the_picture() -> None:
    assert cell_to_pixel(0, 0, (4, 4), (64, 128)) == (16, 8)
    assert cell_to_pixel(3, 3, (4, 4), (64, 128)) == (112, 56)
    assert cell_to_pixel(27, 27, (28, 28), (1, 1)) == (0, 0)

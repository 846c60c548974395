from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from benchmarks.pamr import pamr_reference
from ttd_core.errors import UsageError
from ttd_core.ops.pamr import _compiled_loops, neighbour_offsets, pamr, pamr_torch


def example(batch: int = 1, masks: int = 3, height: int = 20, width: int = 26) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    image = torch.randn(batch, 3, height, width, generator=generator)
    return image, torch.rand(batch, masks, height, width, generator=generator)


def test_both_forms_equal_the_plain_unfold_form() -> None:
    image, masks = example(batch=2)
    expected = pamr_reference(image, masks)
    torch.testing.assert_close(pamr(image, masks), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(pamr_torch(image, masks), expected, rtol=0, atol=1e-5)


def test_more_masks_than_one_group_are_all_refined() -> None:
    image, masks = example(masks=37)
    torch.testing.assert_close(pamr(image, masks), pamr_torch(image, masks), rtol=0, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3, 64])
def test_the_number_of_threads_does_not_change_the_result(threads: int) -> None:
    image, masks = example()
    before = torch.get_num_threads()
    expected = pamr(image, masks)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(pamr(image, masks), expected)
    finally:
        torch.set_num_threads(before)


def test_permuting_masks_permutes_results_and_a_batch_equals_its_pictures() -> None:
    image, masks = example(batch=3)
    refined = pamr(image, masks)
    assert torch.equal(pamr(image, masks[:, [2, 0, 1]]), refined[:, [2, 0, 1]])
    assert torch.equal(torch.cat([pamr(image[b : b + 1], masks[b : b + 1]) for b in range(3)]), refined)


def test_a_mirrored_picture_gives_mirrored_masks() -> None:
    image, masks = example()
    torch.testing.assert_close(pamr(image.flip(-1), masks.flip(-1)).flip(-1), pamr(image, masks), rtol=0, atol=1e-5)


def test_values_stay_in_range_and_constants_stay_constant() -> None:
    image, masks = example()
    refined = pamr(image, masks)
    assert refined.min() >= masks.min() - 1e-6 and refined.max() <= masks.max() + 1e-6
    torch.testing.assert_close(pamr(image, torch.full_like(masks, 0.3)), torch.full_like(masks, 0.3))


def test_values_do_not_cross_an_edge_of_the_picture() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 1.0
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:8, 4:8] = 1.0
    refined = pamr(image, mask)[0, 0]
    assert refined[:, :8].mean() > 50 * refined[:, 8:].mean()


def test_a_flat_picture_a_single_pixel_and_no_masks_are_fine() -> None:
    image, masks = example()
    assert pamr(torch.zeros_like(image), masks).isfinite().all()
    torch.testing.assert_close(pamr(image[..., :1, :1], masks[..., :1, :1]), masks[..., :1, :1])
    assert pamr(image, masks[:, :0]).shape == (1, 0, 20, 26)


def test_other_types_come_back_as_they_went_in() -> None:
    image, masks = example()
    expected = pamr(image, masks)
    assert pamr(image.double(), masks.double()).dtype == torch.float64
    half = pamr(image.half(), masks.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), expected, rtol=0, atol=5e-3)


def test_neighbours_come_dilation_by_dilation_without_the_centre() -> None:
    offsets = neighbour_offsets((1, 4))
    assert len(offsets) == 16 and (0, 0) not in offsets
    assert offsets[0] == (-1, -1) and offsets[8] == (-4, -4) and offsets[-1] == (4, 4)


@pytest.mark.parametrize(
    "arguments", [{"iterations": -1}, {"dilations": ()}, {"dilations": (1, 0)}], ids=["iterations", "none", "zero"]
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="PAMR"):
        pamr(*example(), **arguments)


def test_shapes_that_do_not_fit_are_a_bug_and_say_so() -> None:
    image, masks = example()
    with pytest.raises(ValueError, match="B×K×h×w"):
        pamr(image, masks[0])


def test_without_numba_the_torch_form_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    image, masks = example()
    monkeypatch.setitem(sys.modules, "ttd_core.ops.pamr_loops", None)  # an import of it now fails
    monkeypatch.delattr("ttd_core.ops.pamr_loops", raising=False)
    _compiled_loops.cache_clear()
    try:
        assert _compiled_loops() is None
        assert torch.equal(pamr(image, masks), pamr_torch(image, masks))
    finally:
        _compiled_loops.cache_clear()


def test_numba_is_imported_only_when_masks_are_refined() -> None:
    code = "import sys, ttd_core.ops.pamr, ttd_core.ops.masks; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("refusal", [RuntimeError("no locator available"), OSError(28, "No space left on device")])
def test_loops_compile_where_no_folder_takes_the_cache(refusal: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    from ttd_core.ops.pamr_loops import _compiled

    def njit(signature: str, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise refusal
        return lambda function: ("compiled", signature, function)

    monkeypatch.setattr(numba, "njit", njit)
    assert _compiled("void(i8)")(len) == ("compiled", "void(i8)", len)

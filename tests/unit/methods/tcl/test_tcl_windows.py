"""How large a picture is read, and which windows cover it."""

from __future__ import annotations

import pytest
import torch

from ttd_core.methods.tcl.windows import Window, coverage, pad, padding, resized_size, sliding_windows


@pytest.mark.parametrize(
    ("size", "want"),
    [
        ((333, 500), (448, 673)),  # enlarged
        ((1024, 2048), (448, 896)),
        ((448, 448), (448, 448)),
        ((100, 2000), (102, 2048)),  # the longer side decides: 100·1.024 + 0.5
        ((1, 5000), (1, 2048)),
        ((1, 1), (448, 448)),
    ],
)
def test_the_shorter_side_is_448_unless_the_longer_would_exceed_2048(
    size: tuple[int, int], want: tuple[int, int]
) -> None:
    assert resized_size(size) == want
    assert resized_size(size[::-1]) == want[::-1]


@pytest.mark.parametrize(
    ("length", "starts"),
    [(448, [0]), (449, [0, 1]), (672, [0, 224]), (673, [0, 224, 225]), (896, [0, 224, 448]), (300, [0])],
)
def test_the_last_window_ends_at_the_border(length: int, starts: list[int]) -> None:
    windows = sliding_windows((448, length))
    assert [w.left for w in windows] == starts
    assert {w.right - w.left for w in windows} == {min(448, length)}
    assert {(w.top, w.bottom) for w in windows} == {(0, 448)}
    assert windows[-1].right == length


@pytest.mark.parametrize(
    ("size", "side", "stride"), [((448, 2048), 448, 224), ((75, 64), 48, 24), ((5, 3), 7, 7), ((31, 29), 7, 1)]
)
def test_every_pixel_is_covered(size: tuple[int, int], side: int, stride: int) -> None:
    windows = sliding_windows(size, side, stride)
    count = coverage(size, windows)
    assert count.min() == 1
    assert count.sum() == sum((w.bottom - w.top) * (w.right - w.left) for w in windows)


@pytest.mark.parametrize("stride", [0, 449])
def test_a_stride_that_leaves_pixels_out_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match="stride"):
        sliding_windows((600, 600), 448, stride)


def test_padding_is_split_with_the_smaller_half_first() -> None:
    assert padding((75, 100), 16) == (6, 6, 2, 3)
    assert padding((64, 48), 16) == (0, 0, 0, 0)
    assert padding((1, 17), 16) == (7, 8, 7, 8)
    images = torch.ones(1, 3, 75, 100)
    padded, inner = pad(images, 16)
    assert padded.shape == (1, 3, 80, 112)
    assert inner == Window(2, 77, 6, 106)
    assert torch.equal(inner.of(padded), images)
    assert padded.sum() == images.sum()  # zeros around: the mean colour after normalising

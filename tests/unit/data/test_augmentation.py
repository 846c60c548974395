"""Views of training pictures: as published, and a matter of their draw alone."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttd_core.data.augmentation import views
from ttd_core.data.augmentation.draws import draw_of, seeded
from ttd_core.data.augmentation.timm_ops import rand_augment
from ttd_core.data.augmentation.views import CROP, IMAGENET_MEAN, KINDS, NONE, PUBLISHED, Augmentation, View
from ttd_core.errors import UsageError

# what timm 0.6.7 passes to each operation at magnitudes 0, 4.5, 9 and 10, nothing negated, in its order
PUBLISHED_LEVELS: dict[str, tuple[float, ...]] = {
    "AutoContrast": (),
    "Equalize": (),
    "Invert": (),
    "Rotate": (0.0, 13.5, 27.0, 30.0),
    "PosterizeIncreasing": (4, 3, 1, 0),
    "SolarizeIncreasing": (256, 141, 26, 0),
    "SolarizeAdd": (0, 49, 99, 110),
    "ColorIncreasing": (1.0, 1.405, 1.81, 1.9),
    "ContrastIncreasing": (1.0, 1.405, 1.81, 1.9),
    "BrightnessIncreasing": (1.0, 1.405, 1.81, 1.9),
    "SharpnessIncreasing": (1.0, 1.405, 1.81, 1.9),
    "ShearX": (0.0, 0.135, 0.27, 0.3),
    "ShearY": (0.0, 0.135, 0.27, 0.3),
    "TranslateXRel": (0.0, 0.2025, 0.405, 0.45),
    "TranslateYRel": (0.0, 0.2025, 0.405, 0.45),
}
NEGATED = {"Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"}


def picture(height: int = 60, width: int = 90) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 3 % 256, columns * 2 % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)


def same(first: View, second: View) -> bool:
    if (first.erased is None) != (second.erased is None) or not np.array_equal(first.pixels, second.pixels):
        return False
    if first.erased is None or second.erased is None:
        return True
    boxes = [(box.top, box.left) for box in (first.erased, second.erased)]
    return boxes[0] == boxes[1] and np.array_equal(first.erased.noise, second.erased.noise)


def test_randaugment_is_the_published_one(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = rand_augment(224, IMAGENET_MEAN)
    assert [operation.name for operation in policy.ops] == list(PUBLISHED_LEVELS)
    assert (policy.num_layers, policy.choice_weights) == (2, None)  # two of them, each time of all
    for operation in policy.ops:
        assert (operation.prob, operation.magnitude, operation.magnitude_std) == (0.5, 9, 0.5)
        assert (operation.magnitude_max or 10) == 10
        assert operation.kwargs == {"fillcolor": (124, 116, 104), "resample": Image.Resampling.BILINEAR}


@pytest.mark.parametrize("coin", [0.1, 0.9])
def test_magnitudes_mean_what_they_meant(coin: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: coin)
    for operation in rand_augment(224, IMAGENET_MEAN).ops:
        published = PUBLISHED_LEVELS[operation.name]
        if not published:
            assert operation.level_fn is None
            continue
        found = [operation.level_fn(magnitude, operation.hparams)[0] for magnitude in (0, 4.5, 9, 10)]
        if coin > 0.5 and operation.name in NEGATED:
            published = tuple(-value for value in published)
        elif coin > 0.5 and operation.name.endswith("Increasing") and isinstance(published[1], float):
            published = tuple(2 - value for value in published)
        assert found == pytest.approx(list(published), abs=1e-12), operation.name


def test_the_highest_magnitude_is_survived_by_every_operation() -> None:
    image = Image.fromarray(picture())
    for operation in rand_augment(64, IMAGENET_MEAN).ops:
        operation.magnitude, operation.magnitude_std, operation.prob = 10, 0, 1.0
        found = np.asarray(operation(image))
        assert found.shape == (60, 90, 3)
        if operation.name == "PosterizeIncreasing":
            assert not found.any()  # no bit is kept


def test_crops_and_boxes_are_drawn_as_timm_draws_them() -> None:
    import torch
    from timm.data.random_erasing import RandomErasing
    from timm.data.transforms import RandomResizedCropAndInterpolation

    crop = RandomResizedCropAndInterpolation(32, interpolation="bilinear")
    erase = RandomErasing(0.25, mode="pixel", max_count=1, device="cpu")
    erased = 0
    for draw in range(60):
        image = Image.fromarray(picture(*((60, 90), (20, 200), (150, 11))[draw % 3]))
        with seeded(draw):
            theirs, blank = np.asarray(crop(image)), torch.zeros(3, 32, 32)
            erase(blank)
        with seeded(draw):
            ours, box = np.asarray(views._random_crop(image, 32)), views._erased_box(32)
        assert np.array_equal(theirs, ours)
        filled = (blank != 0).all(0).numpy()
        expected = np.zeros((32, 32), bool)
        if box is not None:
            expected[box[0] : box[0] + box[2], box[1] : box[1] + box[3]] = True
            erased += 1
        assert np.array_equal(filled, expected)
    assert erased


def test_a_view_depends_on_its_draw_alone() -> None:
    augment = Augmentation(PUBLISHED, 48)
    draws = [draw_of(0, 1, "00000", f"{key:09d}") for key in range(24)]
    first = [augment(picture(), draw) for draw in draws]
    random.seed(5)
    np.random.seed(5)
    again = [augment(picture(), draw) for draw in reversed(draws)][::-1]
    assert all(map(same, first, again))
    assert len({view.pixels.tobytes() for view in first}) == len(draws)


def test_threads_do_not_take_numbers_from_each_other() -> None:
    augment, draws = Augmentation(PUBLISHED, 48), range(40)
    alone = [augment(picture(), draw) for draw in draws]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(augment, repeat(picture()), draws))
    assert all(map(same, alone, together))


def test_the_generators_of_everybody_else_are_left_as_they_were() -> None:
    random.seed(3)
    np.random.seed(3)
    expected = [random.random(), np.random.random()]
    random.seed(3)
    np.random.seed(3)
    Augmentation(PUBLISHED, 48)(picture(), 7)
    with pytest.raises(ZeroDivisionError), seeded(1):
        raise ZeroDivisionError
    assert [random.random(), np.random.random()] == expected


def test_draws_tell_passes_shards_and_keys_apart() -> None:
    names: list[tuple[Any, ...]] = [
        (0, 0, "a", "b"),
        (0, 1, "a", "b"),
        (1, 0, "a", "b"),
        (0, 0, "ab", ""),
        (0, 0, "a/b"),
    ]
    assert len({draw_of(*several) for several in names}) == len(names)
    assert draw_of(0, 2, "00000", "000000012") == 5012961933601171875  # trainings taken up again rely on it


def test_a_quarter_is_erased_with_normal_noise() -> None:
    augment = Augmentation(PUBLISHED, 32)
    boxes = [view.erased for view in (augment(picture(), draw) for draw in range(400)) if view.erased is not None]
    assert 75 <= len(boxes) <= 125
    noise = np.concatenate([box.noise.ravel() for box in boxes])
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02 and noise.dtype == np.float32
    for box in boxes:
        high, wide = box.noise.shape[1:]
        assert 0 <= box.top <= 32 - high and 0 <= box.left <= 32 - wide and high * wide <= 1.1 * 32 * 32 / 3


def test_crops_alone_change_no_colours() -> None:
    image = np.full((40, 50, 3), (10, 200, 30), np.uint8)
    for draw in range(30):
        view = Augmentation(CROP, 16)(image, draw)
        assert view.erased is None and (view.pixels == np.array((10, 200, 30))[:, None, None]).all()
    left = [Augmentation(CROP, 16)(picture(), draw).pixels[1, :, 0].mean() for draw in range(30)]
    right = [Augmentation(CROP, 16)(picture(), draw).pixels[1, :, -1].mean() for draw in range(30)]
    mirrored = sum(a > b for a, b in zip(left, right, strict=True))
    assert 5 < mirrored < 25


def test_none_is_the_middle_square_whatever_is_drawn() -> None:
    augment = Augmentation(NONE, 30)
    assert same(augment(picture(), 1), augment(picture(), 2))
    expected = Image.fromarray(picture()[:, 15:75]).resize((30, 30), Image.Resampling.BICUBIC)
    assert np.array_equal(augment(picture(), 1).pixels, np.asarray(expected).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 700), (700, 1), (3, 3), (224, 224)])
def test_pictures_of_every_shape_have_views(kind: str, size: tuple[int, int]) -> None:
    for draw in chain(range(8), [2**64 - 1]):
        view = Augmentation(kind, 32)(picture(*size), draw)
        assert view.pixels.shape == (3, 32, 32) and view.pixels.dtype == np.uint8


def test_unknown_kinds_are_refused_with_the_list() -> None:
    with pytest.raises(UsageError, match="augmentation 'strong' is unknown") as caught:
        Augmentation("strong")
    assert caught.value.hint == "one of published, crop, none"


def test_drawing_views_needs_no_torch() -> None:
    code = (
        "import sys, numpy; from ttd_core.data.augmentation.views import Augmentation;"
        "Augmentation()(numpy.zeros((9, 9, 3), numpy.uint8), 1);"
        "sys.exit(sum(name in sys.modules for name in ('torch', 'torchvision', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

import numpy as np
import torch

from ttd_core.training.pairs import PairSet, count_words, draw_batch


def make_pairs(count: int = 12) -> PairSet:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
    return PairSet(pictures, [[rng.integers(4, 30, 6) for _ in range(4)] for _ in range(count)])


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    pairs = make_pairs()
    first, again = draw_batch(pairs, 5, 4, 0), draw_batch(pairs, 5, 4, 0)
    assert torch.equal(first.pictures, again.pictures) and torch.equal(first.counts, again.counts)
    assert all(np.array_equal(a, b) for a, b in zip(first.captions, again.captions, strict=True))
    assert not torch.equal(first.pictures, draw_batch(pairs, 6, 4, 0).pictures)
    assert not torch.equal(first.pictures, draw_batch(pairs, 5, 4, 1).pictures)


def test_every_pass_shows_every_picture_once() -> None:
    count = 12
    pictures = np.repeat(np.arange(count, dtype=np.uint8)[:, None] * 20, 3 * 16 * 16, axis=1).reshape(count, 3, 16, 16)
    captions = [[np.array([4 + index])] for index in range(count)]
    pairs = PairSet(pictures, captions)
    for epoch in range(2):
        seen = [int(row[0]) for step in range(3) for row in draw_batch(pairs, 3 * epoch + step, 4, 0).captions]
        assert sorted(seen) == list(range(4, 4 + count))


def test_words_are_counted_over_captions_and_common_ones_dropped() -> None:
    captions = [
        [np.array([7, 8, 8]), np.array([8, 9])],
        [np.array([7]), np.array([7, 10])],
        [np.array([7]), np.array([11])],
        [np.array([9]), np.array([9])],
    ]
    words, counts = count_words(captions)
    assert words.tolist() == [8, 10, 11]  # 7 is in three of four pictures, 9 in two: half or more
    assert counts.tolist() == [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


def test_pictures_stay_about_in_range_and_captions_shorten_at_times() -> None:
    pairs = make_pairs(64)
    lengths = set()
    for step in range(10):
        batch = draw_batch(pairs, step, 64, 0)
        assert batch.pictures.shape == (64, 3, 16, 16)
        assert batch.pictures.min() > -0.1 and batch.pictures.max() < 1.2
        lengths |= {len(caption) for caption in batch.captions}
    assert {1, 2, 3, 4, 6} == lengths

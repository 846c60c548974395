"""The scenes as a data set: drawn on demand, truths from the drawing, candidates judged as the caption's own."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from ttd_core.data.benchmarks.types import BenchmarkSample
from ttd_core.errors import DataError, UsageError
from ttd_core.recipes.candidates import sample_candidates
from ttd_core.recipes.evaluation.scenes_data import CLASSES, ScenesBenchmark, open_scenes
from ttd_core.recipes.options import CommonOptions
from ttd_core.scenes.dataset import make_batch
from ttd_core.scenes.scene import caption_mask, visible, word_mask
from ttd_core.scenes.vocabulary import WORDS, content_words
from ttd_core.text.candidates import candidates
from ttd_core.types import Sample

COUNT = 6


@pytest.fixture(scope="module", params=["test", "hard"])
def opened(request: pytest.FixtureRequest) -> ScenesBenchmark:
    return open_scenes(f"scenes:{request.param}", request.param, COUNT)


def test_one_picture_at_a_time_is_what_the_generator_draws_in_batches(opened: ScenesBenchmark) -> None:
    batch = make_batch(opened.split, 0, COUNT)
    # backwards, so that no order is relied upon
    for position in reversed(range(COUNT)):
        sample = opened.samples[position]
        assert sample.key == f"{opened.split}-{position:05d}"
        assert sample.caption == batch.captions[position][0]
        assert np.array_equal(opened.picture(sample).pixels, batch.images[position])


def test_truths_are_those_of_the_drawing(opened: ScenesBenchmark) -> None:
    batch = make_batch(opened.split, 0, COUNT)
    for position, sample in enumerate(opened.samples):
        scene, truth = batch.scene(position), opened.truth(sample, (96, 96))
        assert sample.caption is not None and truth.tags is not None and truth.candidates is not None
        assert truth.candidates == content_words(sample.caption)
        assert set(truth.tags) == {word for word in sample.caption.split() if visible(scene, word)}
        assert truth.tag_masks is not None and tuple(truth.tag_masks) == truth.tags
        assert all(np.array_equal(mask, word_mask(scene, word)) for word, mask in truth.tag_masks.items())
        assert truth.caption_mask is not None
        assert np.array_equal(truth.caption_mask, caption_mask(scene, sample.caption))


def test_label_maps_name_the_class_of_every_pixel(opened: ScenesBenchmark) -> None:
    scene, truth = make_batch(opened.split, 1, 2).scene(0), opened.truth(opened.samples[1])
    assert truth.label_map is not None and truth.label_map.dtype == np.uint16
    names = np.array(CLASSES.names)[truth.label_map]
    assert names.tolist() == np.array([entity.name for entity in scene.entities])[scene.ids].tolist()
    assert truth.present == tuple(i for i, name in enumerate(CLASSES.names) if visible(scene, name))
    assert not CLASSES.background and set(CLASSES.names) <= set(WORDS) and len(CLASSES.names) == 36


def test_hard_captions_hold_absent_words_over_the_same_picture() -> None:
    test, hard = open_scenes("scenes:test", "test", COUNT), open_scenes("scenes:hard", "hard", COUNT)
    for plain, lying in zip(test.samples, hard.samples, strict=True):
        one, other = test.truth(plain), hard.truth(lying)
        assert np.array_equal(test.picture(plain).pixels, hard.picture(lying).pixels)
        assert one.tags is not None and set(one.tags) == set(other.tags or ())
        assert set(one.candidates or ()) < set(other.candidates or ())


def test_the_general_stop_words_would_judge_other_words() -> None:
    """Why truths bring their own candidates, and that these reach the scorers as a caption's words, not as given."""
    samples = open_scenes("scenes:val", "val", 40)
    general = [[found.tag for found in candidates(sample.caption or "")] for sample in samples.samples]
    judged = [samples.truth(sample).candidates or () for sample in samples.samples]
    assert any(list(one) != list(other) for one, other in zip(general, judged, strict=True))
    options = CommonOptions(text="unused")
    for sample, words in zip(samples.samples, judged, strict=True):
        asked = Sample(sample.key, caption=sample.caption, candidates=words)
        assert [found.tag for found in sample_candidates(asked, options)] == list(words)
        assert asked.tags is None


def test_a_benchmark_travels_to_a_worker_without_pictures() -> None:
    opened = open_scenes("scenes:test", "test", 20)
    opened.picture(opened.samples[3])
    sent = pickle.dumps(opened)
    assert len(sent) < 20 * 400
    again: ScenesBenchmark = pickle.loads(sent)
    assert again == opened
    assert np.array_equal(again.picture(again.samples[3]).pixels, opened.picture(opened.samples[3]).pixels)


def test_workers_read_scenes_without_torch() -> None:
    code = (
        "import sys; from ttd_core.recipes.evaluation.scenes_data import open_scenes;"
        "b = open_scenes('scenes:val', 'val', 1); b.truth(b.samples[0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_limits_and_unknown_splits() -> None:
    assert len(open_scenes("scenes:train", "train", 2).samples) == 2
    assert len(open_scenes("scenes:val", "val", 0).samples) == 0
    with pytest.raises(UsageError, match="no scenes split 'tset'"):
        open_scenes("scenes:tset", "tset")


def test_a_picture_of_another_size_is_refused() -> None:
    opened = open_scenes("scenes:test", "test", 1)
    with pytest.raises(DataError, match="test-00000: a picture of 64x48 pixels, the scene has 96x96"):
        opened.truth(opened.samples[0], (48, 64))


def test_a_caption_without_words_has_an_empty_truth() -> None:
    truth = open_scenes("scenes:test", "test", 1).truth(BenchmarkSample("test-00000", caption="of the", source=0))
    assert truth.tags == () and truth.candidates == () and truth.tag_masks == {}
    assert truth.caption_mask is not None and not truth.caption_mask.any()

"""Splits are deterministic, independent of how they are made, and survive the disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ttd_core.errors import DataError, UsageError
from ttd_core.scenes.cache import open_split, read_cache, write_cache
from ttd_core.scenes.captions import CaptionStyle
from ttd_core.scenes.dataset import generate_split, make_batch, make_scene
from ttd_core.scenes.scene import true_entities, visible
from ttd_core.scenes.vocabulary import THINGS, VISUAL_WORDS, WORDS, name_forms


def test_same_scene_has_the_same_bytes() -> None:
    first, again = make_scene("train", 17), make_scene("scenes:train", 17)
    assert first.image.tobytes() == again.image.tobytes() and first.ids.tobytes() == again.ids.tobytes()
    assert first.captions == again.captions and first.entities == again.entities


def test_scenes_and_splits_differ() -> None:
    pictures = {make_scene(split, index).image.tobytes() for split in ("train", "val", "test") for index in range(4)}
    assert len(pictures) == 12


def test_captions_do_not_depend_on_the_size() -> None:
    for index in range(10):
        assert make_scene("train", index, 64).captions == make_scene("train", index, 96).captions


def test_captions_use_known_words_and_at_most_thirty() -> None:
    known = set(WORDS)
    for index in range(150):
        scene = make_scene("train", index)
        assert len(scene.captions) == 4
        for caption in scene.captions:
            assert set(caption.split()) <= known
            assert 1 <= len(caption.split()) <= 30


def test_hard_shows_test_scenes_with_one_to_three_absent_words_more() -> None:
    things = frozenset().union(*(name_forms(name) for name in THINGS))
    for index in range(100):
        easy, hard = make_scene("test", index), make_scene("hard", index)
        assert easy.image.tobytes() == hard.image.tobytes()
        rest, added = easy.captions[0].split(), []
        for word in hard.captions[0].split():
            if rest and word == rest[0]:
                rest.pop(0)
            else:
                added.append(word)
        assert not rest and 1 <= len(added) <= 3
        assert all(word in things and not true_entities(word, hard) for word in added)


def test_without_lies_every_visual_word_of_a_caption_is_true() -> None:
    honest = CaptionStyle(absent_as_present=0, absent_in_phrase=0, absent_in_tail=0)
    for index in range(100):
        scene = make_scene("train", index, style=honest)
        for caption in scene.captions:
            assert all(true_entities(word, scene) for word in caption.split() if word in VISUAL_WORDS)


def test_more_lies_lower_the_share_of_visible_words() -> None:
    def share(style: CaptionStyle) -> float:
        scenes = [make_scene("test", index, style=style) for index in range(60)]
        flags = [visible(scene, word) for scene in scenes for word in scene.captions[0].split() if word in VISUAL_WORDS]
        return sum(flags) / len(flags)

    assert share(CaptionStyle(inserted=(2, 2))) < share(CaptionStyle()) - 0.15


def test_batches_hold_the_same_scenes_wherever_they_start() -> None:
    batches = list(generate_split("val", start=3, stop=70))
    assert [len(batch) for batch in batches] == [64, 3] and batches[1].start == 67
    single = make_scene("val", 68)
    np.testing.assert_array_equal(batches[1].images[1], single.image)
    assert batches[1].scene(1).captions == single.captions


def test_workers_do_not_change_the_result() -> None:
    alone = list(generate_split("val", size=32, stop=80))
    shared = list(generate_split("val", size=32, stop=80, workers=2))
    assert [batch.images.tobytes() for batch in alone] == [batch.images.tobytes() for batch in shared]
    assert [batch.captions for batch in alone] == [batch.captions for batch in shared]


def test_cache_round_trip(tmp_path: Path) -> None:
    write_cache(tmp_path / "c", "test", size=32, start=5, stop=9)
    read, made = read_cache(tmp_path / "c"), make_batch("test", 5, 9, 32)
    np.testing.assert_array_equal(read.images, made.images)
    np.testing.assert_array_equal(read.ids, made.ids)
    assert (read.entities, read.captions) == (made.entities, made.captions)
    assert (read.layouts, read.modes, read.start) == (made.layouts, made.modes, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_open_split_writes_once_and_refuses_other_lies(tmp_path: Path) -> None:
    open_split(tmp_path, "scenes:val", size=32, stop=2)
    (folder,) = tmp_path.iterdir()
    before = (folder / "meta.json").stat().st_mtime_ns
    assert len(open_split(tmp_path, "val", size=32, stop=2)) == 2
    assert (folder / "meta.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="other scenes"):
        open_split(tmp_path, "val", size=32, stop=2, style=CaptionStyle(inserted=(1, 2)))


def test_broken_or_stale_caches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a cache"):
        read_cache(tmp_path)
    write_cache(tmp_path / "c", "test", size=32, stop=2)
    with pytest.raises(UsageError, match="exists already"):
        write_cache(tmp_path / "c", "test", size=32, stop=2)
    meta = json.loads((tmp_path / "c" / "meta.json").read_text())
    (tmp_path / "c" / "meta.json").write_text(json.dumps(meta | {"format": 0}))
    with pytest.raises(DataError, match="another version"):
        read_cache(tmp_path / "c")


def test_unknown_split_and_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="no scenes split 'tset'"):
        make_scene("tset", 0)
    with pytest.raises(UsageError):
        make_scene("test", -1)
    with pytest.raises(UsageError):
        make_scene("test", 0, size=4)


@pytest.mark.parametrize(
    ("split", "index", "caption", "colour"),
    [
        (
            "test",
            0,
            "a dotted lady waiting for the blue bird and the ball against sky by ocean",
            (150.4, 173.7, 187.0),
        ),
        ("train", 2, "illustration of white table plane sea beach famous artist review", (138.2, 179.9, 191.6)),
    ],
)
def test_scenes_stay_those_the_embedded_model_was_made_for(
    split: str, index: int, caption: str, colour: tuple[float, float, float]
) -> None:
    scene = make_scene(split, index)
    assert scene.captions[0] == caption
    np.testing.assert_allclose(scene.image.mean(axis=(0, 1)), colour, atol=0.5)

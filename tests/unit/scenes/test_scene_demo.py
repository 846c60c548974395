"""Hand-made scenes show what their captions say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ttd_core.errors import UsageError
from ttd_core.scenes.demo import Put, compose_scene, demo_scenes, write_demo
from ttd_core.scenes.scene import visible, word_mask
from ttd_core.scenes.sheet import make_sheet
from ttd_core.scenes.vocabulary import VISUAL_WORDS, WORDS

ABSENT = {"street": {"parasol"}, "snow": {"ship"}, "lake": {"car"}, "room": {"dog"}, "meadow": {"lamp"}}


def test_beach_shows_the_man_the_umbrella_and_both_dogs() -> None:
    scene = demo_scenes(96)["beach"]
    assert scene.captions == ("a man with a red umbrella and two dogs on the beach",)
    assert all(visible(scene, word) for word in ("man", "red", "umbrella", "dogs", "beach"))
    assert sum(entity.name == "dog" for entity in scene.entities) == 2
    np.testing.assert_array_equal(word_mask(scene, "red"), word_mask(scene, "umbrella"))


def test_captions_hold_known_words_and_exactly_the_intended_lies() -> None:
    for name, scene in demo_scenes(96).items():
        text = set(scene.captions[0].split())
        assert text <= set(WORDS)
        assert {word for word in text & VISUAL_WORDS if not visible(scene, word)} == ABSENT.get(name, set())


def test_written_pictures_are_the_scenes(tmp_path: Path) -> None:
    paths = write_demo(tmp_path, size=64)
    scenes = demo_scenes(64)
    assert [path.stem for path in paths] == list(scenes)
    np.testing.assert_array_equal(np.asarray(Image.open(paths[0])), scenes["beach"].image)
    rows = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    assert [row["caption"] for row in rows] == [scene.captions[0] for scene in scenes.values()]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no layout 'desert'"):
        compose_scene("desert", [])
    with pytest.raises(UsageError, match="teal dog"):
        compose_scene("beach", [Put("dog", 0.5, 0.9, 0.2, "teal")])


def test_sheet_has_a_tile_for_every_scene() -> None:
    sheet = make_sheet(list(demo_scenes(32).values()), columns=3, tile=64)
    assert sheet.size == (8 + 3 * (136 + 8), 8 + 2 * (132 + 8))

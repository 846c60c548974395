"""A training is told apart by what its list and its weights hold, however they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ttd_core.errors import RunError, WeightsError
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.train_options import TrainOptions
from ttd_core.recipes.train_run import run_training
from ttd_core.recipes.train_source import pairs_digest, weights_digest


def list_in(folder: Path, caption: str) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(4):
        Image.new("RGB", (64, 64), (60 * number, 90, 30)).save(folder / f"{number}.png")
    path = folder / "pairs.csv"
    path.write_text("image,text\n" + "".join(f"{number}.png,{caption}\n" for number in range(4)))
    return path


def options(data: Path, **changes: Any) -> TrainOptions:
    return TrainOptions(method="ttd", data=str(data), batch_size=2, steps=1, guard=False, **changes)


def test_equal_lists_have_one_digest_wherever_they_lie_and_edited_ones_another(tmp_path: Path) -> None:
    one, other = list_in(tmp_path / "a", "a red dog"), list_in(tmp_path / "b", "a red dog")
    digest = pairs_digest(options(one), None)
    assert digest is not None and digest == pairs_digest(options(other), None)
    list_in(tmp_path / "b", "a blue dog")
    assert digest != pairs_digest(options(other), None)


def test_folders_archives_and_scenes_have_no_digest(tmp_path: Path) -> None:
    assert pairs_digest(options(tmp_path), None) is None
    assert pairs_digest(TrainOptions(method="ttd"), None) is None


def test_weights_files_count_by_content_and_tags_do_not(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    data = list_in(tmp_path / "a", "a red dog")
    before = weights_digest(options(data, model="ViT-B-16", pretrained=str(path)))
    path.write_bytes(b"two")
    after = weights_digest(options(data, model="ViT-B-16", pretrained=str(path)))
    assert None not in (before, after) and before != after
    assert weights_digest(options(data, model="ViT-B-16", pretrained="openai")) is None
    with pytest.raises(WeightsError, match="absent"):
        weights_digest(options(data, model="tcl", weights=str(tmp_path / "absent.pth")))


def test_a_finished_training_on_a_list_that_was_edited_is_not_taken_for_this_one(tmp_path: Path) -> None:
    chosen = options(list_in(tmp_path / "a", "a red dog"), out=str(tmp_path / "run"))
    run_training(chosen, "ttd train", SilentReporter())
    assert run_training(chosen, "ttd train", SilentReporter()) == tmp_path / "run"
    list_in(tmp_path / "a", "a blue dog")
    with pytest.raises(RunError, match="inputs: sha256"):
        run_training(chosen, "ttd train", SilentReporter())

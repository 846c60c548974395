"""Class lists that a model is asked about: synonyms, and what stays below a background score."""

from pathlib import Path

import numpy as np
import torch

from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation.class_texts import class_texts
from ttd_core.recipes.evaluation.model_answers import ModelAnswers
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.evaluation.scenes_data import CLASSES, open_scenes
from ttd_core.recipes.maps import strongest_of


def answers(**options: object) -> ModelAnswers:
    chosen = EvaluateOptions(data="scenes:test", **options)  # type: ignore[arg-type]
    return ModelAnswers(chosen, SilentReporter(), None, None, masks=True)


def test_a_name_given_twice_changes_nothing_under_softmax(tmp_path: Path) -> None:
    benchmark = open_scenes("scenes:test", "test", 1)
    picture = benchmark.picture(benchmark.samples[0])
    twice = tmp_path / "names.txt"
    twice.write_text("\n".join(f"{name}, {name}" if name == "sky" else name for name in CLASSES.names))
    model = answers(calibration="softmax")
    plain = model.class_maps([picture], class_texts(CLASSES, None))[0]
    doubled = answers(calibration="softmax").class_maps([picture], class_texts(CLASSES, str(twice)))[0]
    assert torch.allclose(plain.maps, doubled.maps, atol=1e-6) and plain.maps.shape[0] == len(CLASSES.names)
    assert torch.allclose(plain.image_scores, doubled.image_scores, atol=1e-6)


def test_the_strongest_text_stands_for_its_class_and_rivals_stay() -> None:
    values = torch.tensor([[0.1, 0.7, 0.3, 0.9]])
    assert strongest_of(values, [0, 0, 1]).tolist() == values[:, [1, 2, 3]].tolist()
    maps = values[..., None, None].expand(1, 4, 2, 2)
    assert strongest_of(maps, [0, 0, 1])[0, :, 0, 0].tolist() == values[0, [1, 2, 3]].tolist()


def test_without_a_background_only_a_given_score_leaves_pixels_to_no_class() -> None:
    benchmark = open_scenes("scenes:test", "test", 1)
    picture = benchmark.picture(benchmark.samples[0])
    texts = class_texts(CLASSES, None)
    none = len(CLASSES.names)
    labels = {}
    for bg in (None, 0.0, 0.5, 1.0):
        model = answers() if bg is None else answers(bg=bg)
        labels[bg] = model.label_map(picture, model.class_maps([picture], texts)[0], CLASSES)
    assert (labels[None] < none).all() and np.array_equal(labels[None], labels[0.0])
    assert (labels[1.0] == none).all()
    kept = labels[0.5] < none
    assert 0 < kept.sum() < kept.size and np.array_equal(labels[0.5][kept], labels[None][kept])

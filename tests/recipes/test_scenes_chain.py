import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ttd_core.recipes.scenes_measure import CaptionMaps, judged_captions
from ttd_core.scenes.vocabulary import STUFF

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "scenes_chain.py"


@pytest.fixture(scope="module")
def chain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scenes_chain", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scenes_chain"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_thresholds_of_masks_come_from_validation(chain: ModuleType) -> None:
    val, test = np.zeros((2, 18)), np.zeros((2, 18))
    val[0, 3], val[1, 5] = 0.9, 0.9
    test[0, 3], test[1, 5] = 0.2, 0.3
    test[:, 9] = 1.0
    found = chain._masks([(True, val)], [(True, test), (False, 3 * test)])
    assert found == pytest.approx({"cap": 0.4, "union": 0.6, "s-cap": 0.2, "s-union": 0.3})


def test_perfect_maps_have_perfect_masks(chain: ModuleType) -> None:
    judged = [item for item in judged_captions("val", 4) if item.visible.any()]
    maps = []
    for item in judged:
        words = np.where(item.masks, 1.0, -1.0).astype(np.float32)
        words[~item.visible] = -2.0
        caption = np.where(item.truth, 1.0, 0.0).astype(np.float32)
        maps.append(CaptionMaps(words[:, 0, 0], words[:, 0, 0], words, caption))
    for _, ious in chain._shares(judged, maps, 50.0):
        assert ious[0].max() == 1.0


def test_label_maps_name_every_pixel(chain: ModuleType) -> None:
    (labels,) = chain._label_maps("val", 1)
    assert labels.shape == (96, 96) and labels.min() >= 0 and labels.max() < len(chain.CLASSES)
    assert {chain.CLASSES[k] for k in np.unique(labels)} & set(STUFF)


def test_the_table_goes_along_the_chain_with_means_over_seeds(chain: ModuleType) -> None:
    results = {
        "shipped: TCL": {"0": {"figures": {"fix": 80.0}}, "1": {"figures": {"fix": 82.0, "AUC": 70.0}}},
        "dictionary": {"0": {"figures": {"fix": 91.0}}},
        "plain: TCL+TTD": {"0": {"figures": {"fix": 70.0}}},
        "plain: CLIP": {"0": {"figures": {"fix": 60.0}}},
        "other: CLIP": {"0": {"figures": {"fix": 50.0}}},
    }
    lines = chain.table(results).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| plain: CLIP", "| plain: TCL+TTD", "| shipped: TCL", "| dictionary", "| other: CLIP",
    ]  # fmt: skip
    assert lines[4].startswith("| shipped: TCL | 2 | 81.0 ±1.0 |") and "| 70.0 |" in lines[4]

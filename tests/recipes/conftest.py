from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_scenes import scene_pictures, tiny_scenes_weights
from ttd_core.recipes.options import ModelOptions


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelOptions:
    """The tiny scenes model as the recipes take it."""
    return ModelOptions(weights=str(tiny_scenes_weights(tmp_path_factory.mktemp("weights"))))


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Three small pictures with captions."""
    return scene_pictures(tmp_path_factory.mktemp("pictures"))

"""The names that options accept are those that the model has."""

from __future__ import annotations

from ttd_core.clip.scenes_model import DENSE_STRATEGIES
from ttd_core.recipes.checks import OWN_DENSE


def test_the_options_know_the_strategies_of_the_built_in_model() -> None:
    assert OWN_DENSE["scenes"] == DENSE_STRATEGIES

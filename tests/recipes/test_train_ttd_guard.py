"""What ends a distillation, sign by sign, and what does not."""

from __future__ import annotations

import math

import pytest

from ttd_core.recipes.train_ttd_guard import WARM, CollapseGuard

START = {
    "held_spread": 0.04, "held_selected": 0.45, "held_likeness": 0.15, "held_retrieval": 0.5, "held_loss": 0.7,
    "val_score": 0.8,
}  # fmt: skip
HEALTHY = {"match": 0.95, "variety": 0.4, "spread": 0.035, "selected": 0.42, "likeness": 0.2, "tag": 0.5}


def started(held_out: int = 200, check_pairs: bool = True) -> CollapseGuard:
    guard = CollapseGuard(held_out, check_pairs)
    assert guard(0, START) is None
    return guard


def reasons(guard: CollapseGuard, changes: dict[str, float], steps: int = 40) -> tuple[int, str] | None:
    for step in range(1, steps + 1):
        reason = guard(step, HEALTHY | changes)
        if reason is not None:
            return step, reason
    return None


def test_a_healthy_run_goes_on() -> None:
    assert reasons(started(), {}) is None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"match": 0.5}, "captions do not belong to their pictures"),
        ({"match": 0.5, "variety": 0.0}, "pictures of a batch are all alike"),
        ({"spread": 0.001}, "maps lose their places"),
        ({"selected": 0.1}, "hardly a word is selected"),
        ({"selected": 1.0}, "nearly every word is selected"),
        ({"likeness": 0.97}, "all selected words share one map"),
    ],
)
def test_each_sign_ends_it_once_ten_steps_are_seen(changes: dict[str, float], part: str) -> None:
    found = reasons(started(), changes)
    assert found is not None and found[0] == WARM and part in found[1]


def test_a_drift_is_seen_after_a_healthy_beginning() -> None:
    guard = started()
    assert reasons(guard, {}, steps=30) is None
    found = reasons(guard, {"selected": 0.12})
    assert found is not None and found[0] < 20 and "0.45 before the first step" in found[1]


def test_a_single_bad_batch_ends_nothing() -> None:
    guard = started()
    assert reasons(guard, {}, steps=20) is None
    assert guard(21, HEALTHY | {"selected": 0.05, "spread": 0.001, "match": 0.5}) is None


@pytest.mark.parametrize(
    ("held", "part"),
    [
        ({"held_retrieval": 0.2}, "no longer find their captions: 20.0% of 200 held-out pairs, 50.0% before"),
        ({"held_selected": 0.2}, "hardly a word is selected any more: a share of 0.2 on held-out pairs"),
        ({"held_spread": 0.01}, "maps lose their places"),
    ],
)
def test_held_out_pairs_end_it_at_once(held: dict[str, float], part: str) -> None:
    reason = started()(1, HEALTHY | START | held)
    assert reason is not None and part in reason


def test_retrieval_at_chance_from_the_start_is_not_judged() -> None:
    guard = CollapseGuard(200)
    assert guard(0, START | {"held_retrieval": 0.01}) is None
    assert guard(1, HEALTHY | START | {"held_retrieval": 0.0}) is None


def test_random_weights_are_not_asked_whether_captions_fit() -> None:
    assert reasons(started(check_pairs=False), {"match": 0.5}) is None


def test_lone_pairs_say_nothing_about_matching() -> None:
    assert reasons(started(), {"match": math.nan, "variety": math.nan}) is None


def test_the_memory_of_a_guard_travels() -> None:
    first, second = started(), CollapseGuard(200)
    assert reasons(first, {}, steps=15) is None
    second.load_state_dict(first.state_dict())
    drifting = {"selected": 0.2}
    assert reasons(first, drifting) == reasons(second, drifting)

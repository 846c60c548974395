"""What torchrun says is handed to the core."""

from __future__ import annotations

import pytest

from ttd_cli.processes import place_of, started_together
from ttd_core.errors import UsageError

TOLD = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node-0", "MASTER_PORT": "29500"
}  # fmt: skip


def test_the_place_of_a_process_is_read_from_what_torchrun_sets() -> None:
    place = place_of(TOLD)
    assert (place.rank, place.count, place.local_rank, place.address) == (3, 4, 1, "node-0:29500")


def test_a_process_started_alone_is_alone() -> None:
    assert not started_together({}) and place_of({}).count == 1
    assert place_of({"WORLD_SIZE": "1", "RANK": "0"}).count == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MASTER_ADDR": None}, "MASTER_ADDR is not"),
        ({"RANK": "first"}, "must be numbers"),
        ({"RANK": "4"}, "process 4 of 4"),
    ],
)
def test_half_an_environment_is_refused(change: dict[str, str | None], message: str) -> None:
    told = {name: value for name, value in {**TOLD, **change}.items() if value is not None}
    with pytest.raises(UsageError, match=message):
        place_of(told)

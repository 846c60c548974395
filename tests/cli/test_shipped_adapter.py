import json

from tests.cli.conftest import Ttd


def test_the_adapter_that_ships_is_known_to_every_command_by_its_name(ttd: Ttd) -> None:
    call = ("evaluate", "--task", "tags", "--data", "scenes:test", "--limit", 2, "--no-report", "--format", "json")
    plain, adapted = ttd(*call), ttd(*call, "--lora", "scenes-ttd")
    assert (plain.code, adapted.code) == (0, 0), adapted.err
    one, other = json.loads(plain.out), json.loads(adapted.out)
    assert one["run_id"] != other["run_id"] and one["hashes"]["model"] != other["hashes"]["model"]
    assert ttd(*call, "--lora", "scenes-tdt").code == 3

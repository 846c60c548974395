"""A run that failed: in the way of another one only where it has something to show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ttd_core.errors import RunError
from ttd_core.runs import RunDirectory, open_run


def begin(root: Path, seed: int = 3) -> RunDirectory:
    return open_run(root, "tags", "scenes@x@1.0", {"seed": seed, "text": "a"})


def options(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "tags" / "scenes@x@1.0" / "manifest.json").read_text())["options"]
    return found


@pytest.mark.parametrize("left", ["nothing", "product", "row"])
def test_a_run_that_failed_with_nothing_to_show_makes_way_for_another(tmp_path: Path, left: str) -> None:
    with pytest.raises(RunError, match="wrong option"), begin(tmp_path) as run:
        if left == "product":
            run.product("masks/a.png").write_bytes(b"png")
        elif left == "row":
            run.record("a", {})
        else:
            run.product("masks/a.png")
        raise RunError("wrong option")
    if left == "nothing":
        begin(tmp_path, seed=4).__exit__(None, None, None)
        assert options(tmp_path)["seed"] == 4
        return
    with pytest.raises(RunError, match="seed: 3 there, 4 now"):
        begin(tmp_path, seed=4)

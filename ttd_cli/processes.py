"""What `torchrun` tells each of the processes it starts, for the core, which reads no environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ttd_core.errors import UsageError

if TYPE_CHECKING:
    from ttd_core.training.distributed import Place


def started_together(environ: Mapping[str, str]) -> bool:
    """Whether this process is one of several that `torchrun` started."""
    return environ.get("WORLD_SIZE", "1") != "1"


def place_of(environ: Mapping[str, str]) -> Place:
    """The place of this process among those that train together; alone where nothing was said.

    Args:
        environ: `os.environ`.

    Raises:
        UsageError: a variable is missing or no number.
    """
    from ttd_core.training.distributed import Place

    if not started_together(environ):
        return Place()
    try:
        return Place(
            rank=int(environ["RANK"]),
            count=int(environ["WORLD_SIZE"]),
            local_rank=int(environ.get("LOCAL_RANK", "0")),
            address=f"{environ['MASTER_ADDR']}:{int(environ['MASTER_PORT'])}",
        )
    except KeyError as error:
        raise UsageError(f"WORLD_SIZE is set, but {error.args[0]} is not", hint="start with torchrun") from error
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE, LOCAL_RANK and MASTER_PORT must be numbers: {error}") from error

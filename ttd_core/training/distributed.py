"""Several processes that train one model: each computes shares of a step, gradients are summed over all.

The weights are the same everywhere, and only the main process measures and writes. There is no wrapper around the
model: after the backward pass of a step the gradients of whatever is trainable then are summed, so parameters may be
frozen and freed as the training goes.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from torch import nn

from ttd_core.errors import RunError, UsageError

T = TypeVar("T")

BUCKET = 8_000_000
"""Values that are summed at once."""
PATIENCE = datetime.timedelta(minutes=60)
"""How long the others wait while the main process measures."""


@dataclass(frozen=True)
class Place:
    """The place of this process among those started together, as `torchrun` tells it by environment variables.

    Args:
        rank: 0-based among all processes.
        count: number of all processes.
        local_rank: 0-based among the processes of this machine: the number of its GPU.
        address: `host:port` where they meet.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    address: str = ""

    def __post_init__(self) -> None:
        """Refuse a place that cannot be."""
        if self.count < 1 or not 0 <= self.rank < self.count or self.local_rank < 0:
            raise UsageError(f"process {self.rank} of {self.count} (local {self.local_rank}) cannot be")
        if self.count > 1 and not self.address.rpartition(":")[2].isdigit():
            raise UsageError(
                f"processes cannot meet at {self.address!r}, expected host:port", hint="start with torchrun"
            )


@dataclass(frozen=True)
class Processes:
    """Those that train together; a single one by default, for which nothing is ever sent.

    Args:
        rank: of this process.
        count: of all.
        device: on which tensors are exchanged.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def main(self) -> bool:
        """Whether this process measures, writes and talks."""
        return self.rank == 0

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Sum the gradients of `parameters` over all processes; one that has none anywhere is left without."""
        if self.count == 1:
            return
        have = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=self.device)
        with _exchange():
            torch.distributed.all_reduce(have)
        gradients = []
        for parameter, somewhere in zip(parameters, have.tolist(), strict=True):
            if somewhere and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if parameter.grad is not None:
                gradients.append(parameter.grad)
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            with _exchange():
                torch.distributed.all_reduce(flat)
            for gradient, total in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                gradient.copy_(total.view_as(gradient))

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum a float64 vector over all processes."""
        if self.count == 1:
            return values
        total = values.to(self.device)
        with _exchange():
            torch.distributed.all_reduce(total)
        return total.to(values.device)

    def gather_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows of all processes below each other, by rank; as many of each. Without gradient."""
        rows = rows.detach().contiguous()
        if self.count == 1:
            return rows
        found = [torch.empty_like(rows) for _ in range(self.count)]
        with _exchange():
            torch.distributed.all_gather(found, rows)
        return torch.cat(found)

    def from_main(self, value: T | None) -> T:
        """What the main process has, everywhere. It is pickled: plain values and tensors only."""
        if self.count == 1:
            return cast(T, value)
        box = [value]
        with _exchange():
            torch.distributed.broadcast_object_list(box, src=0, device=self.device)
        return cast(T, box[0])

    def same_weights(self, model: nn.Module) -> None:
        """Give all processes the parameters and buffers of the main one."""
        if self.count == 1:
            return
        for tensor in (*model.parameters(), *model.buffers()):
            sent = tensor.detach().contiguous()  # a filter may lie channels last, which cannot be sent
            with _exchange():
                torch.distributed.broadcast(sent, src=0)
            tensor.detach().copy_(sent)


@contextmanager
def join(place: Place, device: torch.device | str = "cpu") -> Iterator[Processes]:
    """Meet the other processes, and part from them at the end; a process alone meets nobody.

    Args:
        place: of this process.
        device: on which the model is: nccl on `cuda`, gloo elsewhere.

    Raises:
        RunError: the others cannot be met, or one of them went away during the training.
    """
    if place.count == 1:
        yield Processes()
        return
    device = torch.device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _exchange("the processes cannot meet at " + place.address):
        torch.distributed.init_process_group(
            backend, init_method=f"tcp://{place.address}", rank=place.rank, world_size=place.count, timeout=PATIENCE
        )
    try:
        yield Processes(place.rank, place.count, device if device.type == "cuda" else torch.device("cpu"))
    finally:
        with suppress(RuntimeError):  # the others may be gone
            torch.distributed.destroy_process_group()


@contextmanager
def _exchange(failure: str = "another process of this training has ended") -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the family of torch.distributed's own errors
        said = re.sub(r"^\[[^]]*\] ", "", str(error).strip().splitlines()[0])  # without the line of its source
        raise RunError(
            f"{failure}: {said.split('. ')[0]}",
            hint="see what that process said; the same command with all processes goes on from the last checkpoint",
        ) from error


def _buckets(gradients: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Gradients of one type together, so many that a message is worth its way; the same in every process."""
    for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
        bucket: list[torch.Tensor] = []
        for gradient in gradients:
            if gradient.dtype != dtype:
                continue
            bucket.append(gradient)
            if sum(g.numel() for g in bucket) >= BUCKET:
                yield bucket
                bucket = []
        if bucket:
            yield bucket

"""How long a stage takes, and how many samples it sees in a second."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Pace:
    """Clocks of a stage; measurements in between are not counted as time of the samples.

    Args:
        seconds: wall clock that was spent before an interruption.
        cpu_seconds: processor time that was spent before it.
    """

    def __init__(self, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self._begun = time.perf_counter() - seconds
        self._cpu_begun = time.process_time() - cpu_seconds
        self._since = time.perf_counter()
        self._last = self._since
        self._samples = 0

    @property
    def seconds(self) -> float:
        """Wall clock of the stage."""
        return time.perf_counter() - self._begun

    @property
    def cpu_seconds(self) -> float:
        """Processor time of this process in the stage."""
        return time.process_time() - self._cpu_begun

    def count(self, samples: int) -> None:
        """A step with so many samples is done."""
        self._samples += samples
        self._last = time.perf_counter()

    def pause(self) -> None:
        """What happened since the last step was no step."""
        now = time.perf_counter()
        self._since, self._last = self._since + now - self._last, now

    @property
    def samples_per_second(self) -> float | None:
        """Since the last entry; None where nobody counts samples."""
        spent = self._last - self._since
        return self._samples / spent if self._samples and spent > 0 else None

    def entry(self) -> dict[str, float | None]:
        """What a line of the log says, and a new count from here."""
        throughput = self.samples_per_second
        self._samples, self._since = 0, time.perf_counter()
        return {
            "samples_per_second": throughput,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
        }

    def told(self, losses: Mapping[str, float]) -> str:
        """The losses and the throughput as a few words."""
        words = [f"{name} {value:.4g}" for name, value in losses.items()]
        throughput = self.samples_per_second
        return ", ".join(words + ([f"{throughput:.3g} samples/s"] if throughput is not None else []))

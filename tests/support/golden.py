"""Stored cases: inputs and outputs of the published codes, computed once, compared stage by stage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.support.tiny_clip import test_image
from tests.support.tiny_sets import write_mask
from ttd_core.data.benchmarks.raw_labels import zero_ignored

ROOT = Path(__file__).resolve().parents[1] / "golden"


@dataclass(frozen=True)
class Case:
    """One case: its arrays, and the JSON that says what they are and how closely they must be met."""

    name: str
    info: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def check(self, stage: str, got: torch.Tensor, rtol: float | None = None, atol: float | None = None) -> None:
        """Compare a stage with the stored array within the case's tolerance; integers and shapes exactly."""
        want = self.arrays[stage]
        assert tuple(got.shape) == want.shape, f"{self.name} {stage}: shape {tuple(got.shape)}, expected {want.shape}"
        values = got.detach().cpu().numpy()
        if want.dtype.kind in "iub":
            np.testing.assert_array_equal(values, want, err_msg=f"{self.name} {stage}")
            return
        tolerance = self.info["tolerance"] if isinstance(self.info["tolerance"], dict) else {}
        rtol = tolerance["rtol"] if rtol is None else rtol
        atol = tolerance["atol"] if atol is None else atol
        np.testing.assert_allclose(values, want, rtol=rtol, atol=atol, err_msg=f"{self.name} {stage}")

    def __contains__(self, stage: str) -> bool:
        return stage in self.arrays


def load_case(system: str, name: str) -> Case:
    """Read a case; a missing file is an error, never a skip."""
    info = json.loads((ROOT / system / f"{name}.json").read_text(encoding="utf-8"))
    with np.load(ROOT / system / f"{name}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    assert set(arrays) == set(info["arrays"]), f"{system}/{name}: arrays and their description differ"
    return Case(name, info, arrays)


def without_zero(truth: np.ndarray, classes: int, folder: Path) -> np.ndarray:
    """A stored truth as a data set without background reads it from its file: 0 counts nowhere, k is class k-1."""
    return zero_ignored(classes).read(write_mask(folder / "truth.png", truth.astype(np.uint8)))[0]


def normalised(seed: int, height: int, width: int, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """The test picture of that seed as 1×3×H×W, normalised without a resize."""
    pixels = torch.from_numpy(test_image(seed, height, width)).permute(2, 0, 1).float() / 255
    return ((pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1))[None]

"""`ttd.json`, beside an adapter: which weights it was trained on, and how its maps are read.

PEFT's own two files hold the matrices alone. Training moves the cosines, so that the numbers a model was calibrated
with (scale of the softmax, scale and bias of the sigmoid) may fit no longer; those found with the adapter lie here. An
adapter without the file is used with the numbers of its model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ttd_core.atomic import write_text
from ttd_core.errors import WeightsError
from ttd_core.protocols import Reporter
from ttd_core.types import ModelInfo

CARD = "ttd.json"
SCHEMA, VERSION = "ttd-adapter", 1
READINGS = ("logit_scale", "sigmoid_scale", "sigmoid_bias")


@dataclass(frozen=True)
class AdapterCard:
    """What is known of an adapter besides its matrices.

    Args:
        model: name of the model it was trained on.
        weights_sha256: digest of that model's weights.
        reading: those of `READINGS` that replace the model's own.
        training: how it was made, for people; nothing reads it.
    """

    model: str
    weights_sha256: str
    reading: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


def write_card(folder: Path, card: AdapterCard) -> None:
    """Write the card into an adapter's folder.

    Raises:
        RunError: it cannot be written.
    """
    record = {
        "schema": SCHEMA, "version": VERSION, "model": card.model, "weights_sha256": card.weights_sha256,
        "reading": dict(card.reading), "training": dict(card.training),
    }  # fmt: skip
    write_text(folder / CARD, json.dumps(record, indent=1) + "\n")


def read_card(folder: Path) -> AdapterCard | None:
    """Read the card of an adapter's folder, None where there is none.

    Raises:
        WeightsError: it is no such card, of a later version, or holds a reading that is no finite number.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON ({error})", hint="incomplete download?") from error
    if not isinstance(given, dict) or given.get("schema") != SCHEMA:
        raise WeightsError(f"{path}: not the card of an adapter, its schema is not {SCHEMA!r}")
    if given.get("version") != VERSION:
        raise WeightsError(f"{path}: version {given.get('version')!r}, this release reads {VERSION}")
    reading = given.get("reading")
    if not isinstance(reading, dict) or not all(_is_number(value) for value in reading.values()):
        raise WeightsError(f"{path}: 'reading' must hold finite numbers, it is {reading!r}")
    if unknown := sorted(set(reading) - set(READINGS)):
        raise WeightsError(f"{path}: unknown reading {unknown[0]!r}", hint=f"known: {', '.join(READINGS)}")
    training = given.get("training")
    return AdapterCard(
        str(given.get("model")), str(given.get("weights_sha256")), {k: float(v) for k, v in reading.items()},
        training if isinstance(training, dict) else {},
    )  # fmt: skip


def adapted_info(info: ModelInfo, card: AdapterCard, folder: Path, reporter: Reporter) -> ModelInfo:
    """What a model says about itself with the adapter on.

    Args:
        info: of the model without it.
        card: of the adapter.
        folder: where the adapter lies, for messages.
        reporter: told where the adapter was trained on other weights than these.
    """
    if card.weights_sha256 != info.weights_sha256:
        reporter.warning(
            f"{folder} was trained on other weights of {card.model} than those of {info.name} here",
            hint="its results may mean little; load the weights it was trained on",
        )
    changes: dict[str, Any] = dict(card.reading)
    return replace(info, **changes)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

"""What each method of `ttd train` is told, and what it takes where it is not. Importing this module loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ttd_core.errors import UsageError
from ttd_core.methods.tcl.schedule import FROZEN_STEPS, STEPS, WARMUP, peak_rate, share_of_steps

METHODS = ("clip", "ttd", "tcl", "reclip", "trusty")
"""What `--method` understands; this release trains the first three."""

MOST_SCENES = 30_000
_DEFAULTS: dict[str, dict[str, Any]] = {
    "clip": {
        "scenes": MOST_SCENES, "steps": 5800, "batch_size": 64, "lr": 2e-3, "probe_every": 1000, "warmup": 60,
        "save_every": 500, "precision": "bf16",
    },
    "ttd": {"steps": 100, "batch_size": 32, "lr": 3e-4, "probe_every": 50, "warmup": 10, "save_every": 50},
    "tcl": {"steps": STEPS, "batch_size": 1024},
}  # fmt: skip
"""Settings that every method has, each with its own default; those of TCL depend on steps and batch, see `resolve`."""

_SCENES_TCL = {"steps": 300, "batch_size": 32, "lr": 1e-3}
"""TCL on the built-in model, which is small and learns fast."""

_EVERY = frozenset({
    "method", "data", "scenes", "steps", "batch_size", "lr", "warmup", "accumulate", "precision", "ema", "seed",
    "probe_every", "save_every", "threads", "workers", "cache", "out", "run_root", "overwrite", "resume",
})  # fmt: skip
_OWNERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gated_steps", "gated_lr", "word_weight", "align_weight", "calibration_scenes"), ("clip",)),
    **dict.fromkeys(("frozen_steps", "augment"), ("tcl",)),
    **dict.fromkeys(
        (
            "root", "manifest", "image_column", "text_column", "id_column", "model", "pretrained", "weights",
            "activation", "image_size", "checkpointing", "device",
        ),
        ("ttd", "tcl"),
    ),
}  # fmt: skip


def owners(option: str) -> tuple[str, ...]:
    """The methods that an option is for."""
    return METHODS if option in _EVERY else _OWNERS.get(option, ("ttd",))


def check_method(method: str) -> None:
    """Refuse what cannot be trained.

    Raises:
        UsageError: no such method, or not there yet.
    """
    if method not in METHODS:
        raise UsageError(f"--method {method!r} is unknown", hint=f"one of {', '.join(METHODS)}")
    if method not in _DEFAULTS:
        raise UsageError(
            f"--method {method} is not there yet: this release trains with --method clip, ttd or tcl",
            hint="CHANGELOG.md tells what each release brings",
        )


@dataclass(frozen=True)
class Resolved:
    """Settings that were left to the method; see `TrainOptions`."""

    scenes: int
    steps: int
    batch_size: int
    lr: float
    probe_every: int
    warmup: int
    precision: Literal["fp32", "bf16"]
    save_every: int
    frozen_steps: int


def resolve(options: Any) -> Resolved:
    """The settings of `TrainOptions`, those that were left to the method filled in.

    TCL's lengths are shares of its steps, and its rate follows the batch, as published; on the built-in model it starts
    from fewer steps, smaller batches and a rate of its own.
    """
    default = dict(_DEFAULTS[options.method])
    if options.method == "tcl" and options.model == "scenes":
        default |= _SCENES_TCL

    def own(name: str, otherwise: Any = None) -> Any:
        given = getattr(options, name)
        return default.get(name, otherwise) if given is None else given

    steps, batch = own("steps"), own("batch_size")
    return Resolved(
        scenes=own("scenes") or min(MOST_SCENES, max(steps * batch, batch)),
        steps=steps,
        batch_size=batch,
        lr=own("lr", peak_rate(batch)),
        probe_every=own("probe_every", max(1, steps // 10)),
        warmup=own("warmup", share_of_steps(WARMUP, steps)),
        precision=own("precision", "fp32"),
        save_every=own("save_every", min(1000, max(50, steps // 50))),
        frozen_steps=own("frozen_steps", share_of_steps(FROZEN_STEPS, steps)),
    )

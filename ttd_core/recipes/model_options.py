"""Which model, and where it computes: the settings that every command with a model shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import known_dense, not_both, not_empty, whole
from ttd_core.types import ModelSpec


@dataclass(frozen=True)
class ModelOptions:
    """Which model, and where it computes.

    Args:
        model: `scenes` (built in), `tcl`, or an open_clip architecture such as `ViT-B-16`.
        pretrained: an open_clip pretrained tag, a weights file, or a folder holding one.
        weights: a weights file of the model's own format (`tcl.pth`, safetensors, an OpenAI archive).
        lora: a PEFT adapter folder or file applied on top.
        dense: name of the dense strategy; None takes the model's own.
        activation: `quickgelu` or `gelu`; None decides from the weights.
        precision: of the image encoder's products: `fp32`, or `bf16` for bfloat16, faster where the hardware has it.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        UsageError: `--pretrained` and `--weights` together, `--pretrained` with the built-in model, a dense strategy
            that the model does not have, or a value that names nothing.
    """

    model: str = "scenes"
    pretrained: str | None = None
    weights: str | None = None
    lora: str | None = None
    dense: str | None = None
    activation: Literal["quickgelu", "gelu"] | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = field(default="auto", metadata={"result": False})
    threads: int | None = field(default=None, metadata={"result": False})

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        if self.model != "tcl":  # TCL's file holds its own parts only; the CLIP below comes from another one
            not_both("--pretrained", self.pretrained, "--weights", self.weights, "both name weights")
        if self.model == "scenes" and self.pretrained is not None:
            raise UsageError(
                "--pretrained does not go with --model scenes, whose weights are built in",
                hint=f"name an architecture, e.g. --model ViT-B-16 --pretrained {self.pretrained}",
            )
        not_empty("--model", self.model, "a model such as scenes or ViT-B-16")
        for flag, value in (("--pretrained", self.pretrained), ("--weights", self.weights), ("--lora", self.lora)):
            not_empty(flag, value, "a file")
        if self.dense is not None:
            known_dense(self.model, self.dense)
        if self.device not in ("auto", "cpu", "cuda", "mps") and not (
            self.device.startswith("cuda:") and self.device[5:].isdecimal()
        ):
            raise UsageError(f"--device {self.device!r} is unknown", hint="one of auto, cpu, cuda, cuda:N, mps")
        if self.threads is not None:
            whole("--threads", self.threads, at_least=1)

    def spec(self) -> ModelSpec:
        """The part that says what to load."""
        return ModelSpec(
            self.model, self.pretrained, self.weights, self.lora, self.dense, self.activation, self.precision
        )

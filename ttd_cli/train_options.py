"""The options of `ttd train` that no other command has; their defaults are those of `TrainOptions`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ttd_cli import options as o

TRAINING = "Training"
DISTILLATION = "Distillation"
BY_METHOD = "by method"
MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="NAME",
        help="clip: the built-in model from nothing; tcl: masks; ttd: distillation.",
        rich_help_panel=o.METHOD,
    ),
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME|FILE|FOLDER",
        help="scenes:train, a list, a folder or archives of pairs, cc3m, cc12m.",
        rich_help_panel=o.INPUT,
    ),
]
RootOption = Annotated[
    str | None, typer.Option("--root", metavar="FOLDER", help="Folder of cc3m and cc12m.", rich_help_panel=o.INPUT)
]
ManifestOption = Annotated[
    str | None,
    typer.Option("--manifest", metavar="FOLDER", help="Run of ttd prune: its pairs only.", rich_help_panel=o.INPUT),
]
ImageColumnOption = Annotated[
    str | None,
    typer.Option("--image-column", metavar="NAME", help="A list's column of paths.", rich_help_panel=o.INPUT),
]
ScenesOption = Annotated[
    int | None,
    typer.Option("--scenes", metavar="N", help="Pictures to draw.", show_default=BY_METHOD, rich_help_panel=o.INPUT),
]
StepsOption = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="N",
        help="Of the (first) stage.",
        show_default="5800 clip, 100 ttd, 50000 tcl",
        rich_help_panel=TRAINING,
    ),
]
BatchOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        help="Pairs per step, all processes together.",
        show_default="64 clip, 32 ttd, 1024 tcl",
        rich_help_panel=TRAINING,
    ),
]
LrOption = Annotated[
    float | None,
    typer.Option("--lr", metavar="X", help="Peak learning rate.", show_default=BY_METHOD, rich_help_panel=TRAINING),
]
WarmupOption = Annotated[
    int | None,
    typer.Option("--warmup", metavar="N", help="Warm-up steps.", show_default=BY_METHOD, rich_help_panel=TRAINING),
]
AccumulateOption = Annotated[
    int,
    typer.Option("--accumulate", metavar="N", help="Parts of a batch, one after the other.", rich_help_panel=TRAINING),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16"] | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Of products: fp32 or bf16.",
        show_default="bf16 clip, else fp32",
        rich_help_panel=TRAINING,
    ),
]
EmaOption = Annotated[
    float | None,
    typer.Option(
        "--ema", metavar="X", help="Decay of averaged weights, e.g. 0.99.", show_default="off", rich_help_panel=TRAINING
    ),
]
CheckpointingOption = Annotated[
    bool, typer.Option("--checkpointing", metavar="", help="Less memory, more time.", rich_help_panel=TRAINING)
]
GuardOption = Annotated[
    bool, typer.Option("--guard/--no-guard", metavar="", help="Stop a run that collapses.", rich_help_panel=TRAINING)
]
ProbeOption = Annotated[
    int | None,
    typer.Option(
        "--probe-every",
        "--validate-every",
        metavar="STEPS",
        help="Measure on held-out pairs; 0 at the end.",
        show_default="1000 clip, 50 ttd, a tenth tcl",
        rich_help_panel=TRAINING,
    ),
]
SaveEveryOption = Annotated[
    int | None,
    typer.Option(
        "--save-every", metavar="STEPS", help="Between checkpoints.", show_default=BY_METHOD, rich_help_panel=TRAINING
    ),
]
FrozenStepsOption = Annotated[
    int | None,
    typer.Option(
        "--frozen-steps",
        metavar="N",
        help="Steps in which tcl's copy of the last block stays.",
        show_default="3 of 5",
        rich_help_panel=TRAINING,
    ),
]
AugmentOption = Annotated[
    Literal["published", "crop", "none"] | None,
    typer.Option(
        "--augment",
        metavar="NAME",
        help="Views of tcl's pictures: published, crop, none.",
        show_default="published; none for scenes",
        rich_help_panel=TRAINING,
    ),
]
GatedStepsOption = Annotated[
    int,
    typer.Option(
        "--gated-steps", metavar="N", help="Steps of the TCL-like second stage of clip.", rich_help_panel=TRAINING
    ),
]
GatedLrOption = Annotated[
    float, typer.Option("--gated-lr", metavar="X", help="The same for that stage.", rich_help_panel=TRAINING)
]
WordWeightOption = Annotated[
    float, typer.Option("--word-weight", metavar="X", help="Of clip's loss on single words.", rich_help_panel=TRAINING)
]
AlignWeightOption = Annotated[
    float, typer.Option("--align-weight", metavar="X", help="Of clip's loss on patches.", rich_help_panel=TRAINING)
]
CalibrationScenesOption = Annotated[
    int,
    typer.Option(
        "--calibration-scenes", metavar="N", help="Scenes on which clip chooses thresholds.", rich_help_panel=TRAINING
    ),
]
ScalesOption = Annotated[
    str,
    typer.Option(
        "--scales", metavar="A,B", help="Sizes whose mean maps select words and make targets.", rich_help_panel=o.METHOD
    ),
]
HflipOption = Annotated[
    bool,
    typer.Option("--hflip/--no-hflip", metavar="", help="Mirror images in that mean, too.", rich_help_panel=o.METHOD),
]
DistanceOption = Annotated[
    Literal["mse", "l1", "bce", "bce-affine"],
    typer.Option(
        "--distance",
        metavar="NAME",
        help="Of maps and targets: mse, l1, bce, bce-affine.",
        rich_help_panel=DISTILLATION,
    ),
]
AffineScaleOption = Annotated[
    float,
    typer.Option("--affine-scale", metavar="X", help="Start of a in sigmoid(a cos + b).", rich_help_panel=DISTILLATION),
]
AffineBiasOption = Annotated[
    float, typer.Option("--affine-bias", metavar="X", help="Start of b.", rich_help_panel=DISTILLATION)
]
TagWeightOption = Annotated[
    float, typer.Option("--tag-weight", metavar="X", help="Weight of the loss on words.", rich_help_panel=DISTILLATION)
]
DistillWeightOption = Annotated[
    float,
    typer.Option("--distill-weight", metavar="X", help="Weight of the loss on captions.", rich_help_panel=DISTILLATION),
]
SelectThresholdOption = Annotated[
    float,
    typer.Option(
        "--select-threshold", metavar="X", help="Least score of a selected word.", rich_help_panel=DISTILLATION
    ),
]
CalibrationOption = Annotated[
    Literal["sigmoid", "softmax"] | None,
    typer.Option(
        "--calibration",
        metavar="NAME",
        help="Scoring of words: sigmoid, softmax.",
        show_default="as the maps",
        rich_help_panel=DISTILLATION,
    ),
]
MapsOption = Annotated[
    Literal["cosine", "sigmoid"] | None,
    typer.Option(
        "--maps",
        metavar="NAME",
        help="What is distilled: cosine, sigmoid.",
        show_default="sigmoid where the model has one",
        rich_help_panel=DISTILLATION,
    ),
]
RankOption = Annotated[int, typer.Option("--rank", metavar="N", help="Of the adapters.", rich_help_panel=DISTILLATION)]
LoraScaleOption = Annotated[
    float, typer.Option("--lora-scale", metavar="X", help="Factor of the adapters.", rich_help_panel=DISTILLATION)
]
LoraTargetsOption = Annotated[
    str, typer.Option("--lora-targets", metavar="A,B", help="Layers that get adapters.", rich_help_panel=DISTILLATION)
]
TowersOption = Annotated[
    Literal["both", "image", "text"],
    typer.Option(
        "--towers", metavar="NAME", help="Encoders that get adapters: both, image, text.", rich_help_panel=DISTILLATION
    ),
]
RecalibrateOption = Annotated[
    bool,
    typer.Option(
        "--recalibrate/--no-recalibrate",
        metavar="",
        help="Choose thresholds anew on scenes:val.",
        rich_help_panel=DISTILLATION,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", help="CPU threads.", show_default="1 for scenes", rich_help_panel=o.DEVICE),
]
WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", help="That draw or decode pictures.", rich_help_panel=o.DEVICE)
]
CacheOption = Annotated[
    str | None,
    typer.Option("--cache", metavar="FOLDER", help="Keeps drawn pictures for later.", rich_help_panel=o.DEVICE),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume", metavar="", help="Go on with an interrupted training, as happens anyway.", rich_help_panel=o.RUN
    ),
]

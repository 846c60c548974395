"""`ttd train`: train a model."""

from __future__ import annotations

from typing import Annotated

import typer

from ttd_cli import options as o

MethodOption = Annotated[
    str,
    typer.Option("--method", metavar="NAME", help="clip: the built-in model from nothing.", rich_help_panel=o.METHOD),
]
DataOption = Annotated[str, typer.Option("--data", metavar="NAME", help="Training data.", rich_help_panel=o.INPUT)]
ScenesOption = Annotated[
    int, typer.Option("--scenes", metavar="N", help="Pictures to generate.", rich_help_panel=o.INPUT)
]
StepsOption = Annotated[
    int, typer.Option("--steps", metavar="N", help="Steps of the contrastive stage.", rich_help_panel=o.METHOD)
]
GatedStepsOption = Annotated[
    int,
    typer.Option("--gated-steps", metavar="N", help="Steps of the TCL-like stage after it.", rich_help_panel=o.METHOD),
]
BatchOption = Annotated[
    int, typer.Option("--batch-size", metavar="N", help="Pictures per step.", rich_help_panel=o.METHOD)
]
LrOption = Annotated[float, typer.Option("--lr", metavar="X", help="Peak learning rate.", rich_help_panel=o.METHOD)]
GatedLrOption = Annotated[
    float, typer.Option("--gated-lr", metavar="X", help="The same for the second stage.", rich_help_panel=o.METHOD)
]
CalibrationOption = Annotated[
    int,
    typer.Option(
        "--calibration-scenes",
        metavar="N",
        help="Pictures of scenes:val to choose scale and thresholds on.",
        rich_help_panel=o.METHOD,
    ),
]
ProbeOption = Annotated[
    int,
    typer.Option("--probe-every", metavar="STEPS", help="Measure on scenes:val; 0 never.", rich_help_panel=o.OUTPUT),
]
ThreadsOption = Annotated[int, typer.Option("--threads", metavar="N", help="CPU threads.", rich_help_panel=o.DEVICE)]
WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", help="Processes that draw pictures.", rich_help_panel=o.DEVICE)
]
CacheOption = Annotated[
    str | None,
    typer.Option("--cache", metavar="FOLDER", help="Keeps generated pictures for later.", rich_help_panel=o.DEVICE),
]


def train(
    context: typer.Context,
    data: DataOption = "scenes:train",
    scenes: ScenesOption = 30_000,
    method: MethodOption = "clip",
    steps: StepsOption = 5800,
    gated_steps: GatedStepsOption = 0,
    batch_size: BatchOption = 64,
    lr: LrOption = 2e-3,
    gated_lr: GatedLrOption = 7e-4,
    calibration_scenes: CalibrationOption = 400,
    seed: o.SeedOption = 0,
    probe_every: ProbeOption = 1000,
    quiet: o.QuietOption = False,
    verbose: o.VerboseOption = 0,
    threads: ThreadsOption = 1,
    workers: WorkersOption = 1,
    cache: CacheOption = None,
    out: o.OutOption = None,
    run_root: o.RunRootOption = "runs",
    overwrite: o.OverwriteOption = False,
    config: o.ConfigOption = None,
) -> None:
    r"""Train a model from captioned pictures; an interrupted training goes on.

    ttd train --method clip --data scenes:train
    ttd train --scenes 32 --batch-size 8 --steps 2 --gated-steps 1 \
        --probe-every 0 --calibration-scenes 8 --out try

    The defaults rebuild the built-in model in about 45 CPU-minutes; the second
    example ends in seconds. Standard output is the path of the weights, which
    `ttd tags --weights` takes. `--config run.yaml` repeats a training.
    """
    from ttd_cli.execute import command_line
    from ttd_cli.output import Output
    from ttd_cli.resolve import resolve
    from ttd_cli.verbosity import verbosity
    from ttd_core.recipes.train_run import TrainOptions, run_training

    options = resolve(context, TrainOptions, "train")
    output = Output(None, *verbosity(context))
    output.line(str(run_training(options, command_line(), output)))

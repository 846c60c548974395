"""`ttd preprocess`: similarity of every picture and its caption."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ttd_cli import options as o

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="scenes:train; cc3m, cc12m or cc3m+cc12m with --root; 'DIR/{00000..01242}.tar'; a list; a folder.",
        rich_help_panel=o.INPUT,
    ),
]
RootOption = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="Holds cc3m/ and cc12m/; for a list, where its paths start.",
        show_default="a list's folder",
        rich_help_panel=o.INPUT,
    ),
]
ImageColumnOption = Annotated[
    str | None,
    typer.Option("--image-column", metavar="NAME", help="A list's column of paths.", rich_help_panel=o.INPUT),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", help="Stop after N pairs.", show_default="all", rich_help_panel=o.INPUT),
]
EngineOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--engine",
        metavar="NAME",
        help="local: processes here; ray: a cluster (extra ttd\\[ray]).",
        rich_help_panel=o.DEVICE,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Processes, each with its own model.",
        show_default="one per GPU, else per core, at most 8",
        rich_help_panel=o.DEVICE,
    ),
]
DevicesOption = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="A,B",
        help="For the workers in turn, e.g. cuda:0,cuda:2.",
        show_default="all GPUs",
        rich_help_panel=o.DEVICE,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", help="CPU threads of each worker.", show_default="1", rich_help_panel=o.DEVICE
    ),
]
BatchSizeOption = Annotated[
    int, typer.Option("--batch-size", metavar="N", help="Pictures per forward pass on a GPU.", rich_help_panel=o.DEVICE)
]


def preprocess(
    context: typer.Context,
    data: DataOption = None,
    root: RootOption = None,
    image_column: ImageColumnOption = None,
    text_column: o.TextColumnOption = None,
    id_column: o.IdColumnOption = None,
    limit: LimitOption = None,
    model: o.ModelOption = "scenes",
    pretrained: o.PretrainedOption = None,
    weights: o.WeightsOption = None,
    lora: o.LoraOption = None,
    dense: o.DenseOption = None,
    activation: o.ActivationOption = None,
    precision: o.PrecisionOption = "fp32",
    image_size: o.ImageSizeOption = None,
    scales: o.ScalesOption = "1.0",
    hflip: o.HflipOption = False,
    format: o.FormatOption = "text",
    quiet: o.QuietOption = False,
    verbose: o.VerboseOption = 0,
    device: o.DeviceOption = "auto",
    devices: DevicesOption = None,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    batch_size: BatchSizeOption = 32,
    out: o.OutOption = None,
    run_root: o.RunRootOption = "runs",
    overwrite: o.OverwriteOption = False,
    keep_going: o.KeepGoingOption = False,
    config: o.ConfigOption = None,
) -> None:
    r"""Score every picture-caption pair of a training set.

    ttd preprocess --data scenes:train --limit 500
    ttd preprocess --data photos.jsonl --model ViT-B-16 --pretrained openai
    ttd preprocess --data cc3m --root /data --model tcl --weights tcl.pth \
        --image-size 224 --hflip
    ttd preprocess --data "/data/cc12m/{00000..01242}.tar" \
        --engine ray --workers 64

    Scores go to scores/SHARD.parquet in the run's folder; ttd prune reads them.
    A killed run loses the shards under work at most: the same command goes on.
    """
    from ttd_cli.preprocessing import run

    run(context)

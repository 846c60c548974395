"""`ttd prune`: choose the samples to train on."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ttd_cli import options as o

RULE = "Which samples to keep (exactly one)"

ScoresOption = Annotated[
    str | None,
    typer.Option("--scores", metavar="RUN", help="Folder of a run of ttd preprocess.", rich_help_panel=o.INPUT),
]
RootOption = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        help="Where the data lies now.",
        show_default="where it was scored",
        rich_help_panel=o.INPUT,
    ),
]
IncompleteOption = Annotated[
    bool,
    typer.Option(
        "--allow-incomplete", metavar="", help="Take what an unfinished run has scored.", rich_help_panel=o.INPUT
    ),
]
KeepOption = Annotated[
    float | None,
    typer.Option("--keep", metavar="SHARE", help="The best-scored share, above 0 up to 1.", rich_help_panel=RULE),
]
MinScoreOption = Annotated[
    float | None, typer.Option("--min-score", metavar="X", help="Scores of at least X.", rich_help_panel=RULE)
]
TopOption = Annotated[
    int | None, typer.Option("--top-k", metavar="N", help="The N best-scored samples.", rich_help_panel=RULE)
]
PerCaptionOption = Annotated[
    Literal["all", "best"],
    typer.Option(
        "--per-caption",
        metavar="NAME",
        help="all ranks every sample; best only the best picture of each caption.",
        rich_help_panel=o.METHOD,
    ),
]
PicturesOption = Annotated[
    bool,
    typer.Option(
        "--pictures/--no-pictures",
        metavar="",
        help="Read the pictures around the cut again for cut.png.",
        rich_help_panel=o.OUTPUT,
    ),
]
FormatOption = Annotated[
    Literal["text", "tsv", "json"],
    typer.Option("--format", metavar="NAME", help="Of stdout: text, tsv, json.", rich_help_panel=o.OUTPUT),
]


def prune(
    context: typer.Context,
    scores: ScoresOption = None,
    root: RootOption = None,
    allow_incomplete: IncompleteOption = False,
    keep: KeepOption = None,
    min_score: MinScoreOption = None,
    top_k: TopOption = None,
    per_caption: PerCaptionOption = "all",
    format: FormatOption = "text",
    pictures: PicturesOption = True,
    quiet: o.QuietOption = False,
    verbose: o.VerboseOption = 0,
    out: o.OutOption = None,
    run_root: o.RunRootOption = "runs",
    overwrite: o.OverwriteOption = False,
    config: o.ConfigOption = None,
) -> None:
    r"""Drop the picture-caption pairs that fit badly.

    ttd prune --scores runs/preprocess/RUN --keep 0.7
    ttd prune --scores runs/preprocess/RUN --min-score 0.25
    ttd prune --scores runs/preprocess/RUN --top-k 2000000 --per-caption best

    The run's folder holds the keys to keep, which ttd train --manifest reads
    beside the data, a histogram of the scores, and the samples around the cut.
    Equal scores are cut by the names of their shards and keys.
    """
    from ttd_cli.pruning import run

    run(context)

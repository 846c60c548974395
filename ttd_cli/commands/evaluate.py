"""`ttd evaluate`: figures on annotated data."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ttd_cli import method_options as m
from ttd_cli import options as o

SCORE = "Scoring"

TaskOption = Annotated[
    Literal["tags", "text", "masks", "classification", "bias"] | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="What to measure: tags, text (the caption's mask), masks, classification, bias.",
        show_default="the data's first",
        rich_help_panel=o.INPUT,
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="scenes, scenes:test, voc2012:val, ... (see --list), or your own folder or list.",
        rich_help_panel=o.INPUT,
    ),
]
RootOption = Annotated[
    str | None,
    typer.Option(
        "--root", metavar="FOLDER", help="Folder the data set lies in, or one above it.", rich_help_panel=o.INPUT
    ),
]
PredOption = Annotated[
    str | None,
    typer.Option(
        "--pred",
        metavar="PATH",
        help="Score finished answers instead of a model: a run, a folder of label maps, a list of tags or labels.",
        rich_help_panel=o.INPUT,
    ),
]
TruthOption = Annotated[
    str | None,
    typer.Option(
        "--truth",
        metavar="FILE",
        help="File of true tags or labels, in place of the data set's own.",
        rich_help_panel=o.INPUT,
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", help="Only the first N samples.", show_default="all", rich_help_panel=o.INPUT),
]
AllowMissingOption = Annotated[
    bool,
    typer.Option(
        "--allow-missing",
        metavar="",
        help="Leave out samples or answers that are missing, and count them.",
        rich_help_panel=o.INPUT,
    ),
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="Settings of a published row, e.g. ttd/voc2012; options typed here win.",
        rich_help_panel=SCORE,
    ),
]
ListOption = Annotated[
    bool,
    typer.Option(
        "--list",
        metavar="",
        help="Show data sets and published rows; with --recipe what that row needs.",
        rich_help_panel=SCORE,
    ),
]
ExpectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="[METRIC=VALUE:TOLERANCE]",
        help="Exit with 5 if a figure lies outside, e.g. f1=82.8:0.3; alone: the recipe's figures.",
        rich_help_panel=SCORE,
    ),
]
ClassNamesOption = Annotated[
    str | None,
    typer.Option(
        "--class-names",
        metavar="FILE",
        help="One line per class without background: its text, synonyms after commas.",
        show_default="the data's names",
        rich_help_panel=SCORE,
    ),
]
NamesOption = Annotated[
    str | None,
    typer.Option(
        "--names",
        metavar="SYSTEM",
        help="Prompt the spellings of a published system: tagclip, tagclip-segmentation, reclip, trusty.",
        rich_help_panel=SCORE,
    ),
]
UnseenOption = Annotated[
    str | None,
    typer.Option(
        "--unseen", metavar="A,B", help="Classes not seen in training, for zero-shot figures.", rich_help_panel=SCORE
    ),
]
DifficultOption = Annotated[
    Literal["positive", "negative", "ignore"],
    typer.Option(
        "--difficult",
        metavar="NAME",
        help="Count VOC's difficult objects as positive, negative, or not at all (ignore).",
        rich_help_panel=SCORE,
    ),
]
AveragingOption = Annotated[
    Literal["present", "truth", "zero"],
    typer.Option(
        "--averaging",
        metavar="NAME",
        help="Classes in the mean IoU: present in truth or answer, truth, or zero (all, absent ones as 0).",
        rich_help_panel=SCORE,
    ),
]
BgOption = Annotated[
    float | None,
    typer.Option(
        "--bg",
        metavar="X",
        help="Score a class has to exceed, 0 to 1.",
        show_default="0.4 where there is a background",
        rich_help_panel=o.METHOD,
    ),
]
PerSampleOption = Annotated[
    bool,
    typer.Option(
        "--per-sample", metavar="", help="Also write samples.jsonl, figures of every sample.", rich_help_panel=o.OUTPUT
    ),
]
ReportOption = Annotated[
    bool,
    typer.Option("--report/--no-report", metavar="", help="Write report.html.", rich_help_panel=o.OUTPUT),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Processes that decode pictures and truths; 0 for none.",
        show_default="by the amount of work",
        rich_help_panel=o.DEVICE,
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Score the I-th of N parts only.", rich_help_panel=o.RUN),
]
MergeOption = Annotated[
    list[str] | None,
    typer.Option("--merge", metavar="RUN", help="Run of a shard; once for each, in any order.", rich_help_panel=o.RUN),
]


def evaluate(
    context: typer.Context,
    task: TaskOption = None,
    data: DataOption = None,
    root: RootOption = None,
    pred: PredOption = None,
    truth: TruthOption = None,
    limit: LimitOption = None,
    allow_missing: AllowMissingOption = False,
    recipe: RecipeOption = None,
    list_: ListOption = False,
    expect: ExpectOption = None,
    class_names: ClassNamesOption = None,
    names: NamesOption = None,
    unseen: UnseenOption = None,
    difficult: DifficultOption = "positive",
    averaging: AveragingOption = "present",
    model: o.ModelOption = "scenes",
    pretrained: o.PretrainedOption = None,
    weights: o.WeightsOption = None,
    lora: o.LoraOption = None,
    before: o.BeforeOption = False,
    dense: o.DenseOption = None,
    activation: o.ActivationOption = None,
    precision: o.PrecisionOption = "fp32",
    method: m.MethodOption = "ttd",
    image_size: o.ImageSizeOption = None,
    scales: o.ScalesOption = "1.0",
    hflip: o.HflipOption = False,
    templates: o.TemplatesOption = None,
    calibration: o.CalibrationOption = None,
    logit_scale: o.LogitScaleOption = None,
    kp_weight: m.KpWeightOption = None,
    window: m.WindowOption = None,
    stride: m.StrideOption = None,
    preset: m.PresetOption = None,
    candidates: o.CandidatesOption = "words",
    stopwords: o.StopwordsOption = True,
    tagger: o.TaggerOption = "builtin",
    scorer: o.ScorerOption = "pixel",
    select: o.SelectOption = None,
    threshold: o.ThresholdOption = None,
    pamr: m.PamrOption = None,
    crf: m.CrfOption = False,
    bg: BgOption = None,
    seed: o.SeedOption = 0,
    format: o.FormatOption = "text",
    per_sample: PerSampleOption = False,
    report: ReportOption = True,
    quiet: o.QuietOption = False,
    verbose: o.VerboseOption = 0,
    device: o.DeviceOption = "auto",
    threads: o.ThreadsOption = None,
    batch_size: o.BatchSizeOption = 8,
    workers: WorkersOption = None,
    shard: ShardOption = None,
    merge: MergeOption = None,
    out: o.OutOption = None,
    run_root: o.RunRootOption = "runs",
    overwrite: o.OverwriteOption = False,
    keep_going: o.KeepGoingOption = False,
    config: o.ConfigOption = None,
) -> None:
    r"""Measure tags and masks against the truth.

    ttd evaluate --data scenes
    ttd evaluate --task tags --data scenes:test --scorer pixel --format json
    ttd evaluate --task text --data scenes:test --limit 50 --pamr
    ttd evaluate --recipe scenes/hard-tags --expect
    ttd evaluate --list

    With data and weights at hand:

    ttd evaluate --recipe ttd/voc2012 --root /data --expect
    ttd evaluate --task masks --data voc2012 --root /data \
        --pred runs/masks/RUN

    Every figure is written to metrics.json in the run's folder, with report.html
    beside it. An interrupted evaluation goes on; shards add up to the same figures.
    """
    from ttd_cli.evaluation import list_everything, run

    if list_:
        list_everything(context)
    else:
        run(context)

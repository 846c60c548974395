"""`ttd tags`: the tags of a caption that its picture shows."""

from __future__ import annotations

from typing import Any

import typer

from ttd_cli import method_options as m
from ttd_cli import options as o


def tags(
    context: typer.Context,
    image: o.ImageOption = None,
    text: o.TextOption = None,
    tags: o.TagsOption = None,
    tag: o.TagOption = None,
    tags_file: o.TagsFileOption = None,
    classes: o.ClassesOption = None,
    data: o.DataOption = None,
    root: o.RootOption = None,
    input: o.InputOption = None,
    image_column: o.ImageColumnOption = None,
    text_column: o.TextColumnOption = None,
    tags_column: o.TagsColumnOption = None,
    id_column: o.IdColumnOption = None,
    limit: o.LimitOption = None,
    model: o.ModelOption = "scenes",
    pretrained: o.PretrainedOption = None,
    weights: o.WeightsOption = None,
    lora: o.LoraOption = None,
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
    seed: o.SeedOption = 0,
    format: o.FormatOption = "text",
    quiet: o.QuietOption = False,
    verbose: o.VerboseOption = 0,
    device: o.DeviceOption = "auto",
    threads: o.ThreadsOption = None,
    batch_size: o.BatchSizeOption = 8,
    save: o.SaveOption = None,
    out: o.TagOutOption = None,
    run_root: o.RunRootOption = "runs",
    overwrite: o.OverwriteOption = False,
    keep_going: o.KeepGoingOption = False,
    config: o.ConfigOption = None,
) -> None:
    r"""Print the tags of a caption that its picture shows, with their scores.

    ttd tags --image examples/beach.png \
        --text "a man with a red umbrella and two dogs on the beach"
    ttd tags --text "a man with a red umbrella and two dogs on the beach"
    ttd tags --image examples/beach.png --tags "umbrella,dog,cat" --format tsv
    ttd tags --input examples/captions.jsonl --format jsonl

    Without a picture the candidate tags of the caption are printed, and no model
    is loaded.
    """
    from ttd_cli.execute import answer
    from ttd_core.recipes.options import TagOptions

    answer(context, "tags", TagOptions, _recipe)


def _recipe() -> Any:
    from ttd_core.recipes.tags import run_tags

    return run_tags

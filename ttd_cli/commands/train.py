"""`ttd train`: train a model."""

from __future__ import annotations

import typer

from ttd_cli import options as o
from ttd_cli import train_options as t


def train(
    context: typer.Context,
    data: t.DataOption = "scenes:train",
    root: t.RootOption = None,
    manifest: t.ManifestOption = None,
    image_column: t.ImageColumnOption = None,
    text_column: o.TextColumnOption = None,
    id_column: o.IdColumnOption = None,
    scenes: t.ScenesOption = None,
    model: o.ModelOption = "scenes",
    pretrained: o.PretrainedOption = None,
    weights: o.WeightsOption = None,
    dense: o.DenseOption = None,
    activation: o.ActivationOption = None,
    method: t.MethodOption = "clip",
    image_size: o.ImageSizeOption = None,
    scales: t.ScalesOption = "1.0",
    hflip: t.HflipOption = False,
    candidates: o.CandidatesOption = "words",
    stopwords: o.StopwordsOption = True,
    logit_scale: o.LogitScaleOption = None,
    seed: o.SeedOption = 0,
    steps: t.StepsOption = None,
    batch_size: t.BatchOption = None,
    lr: t.LrOption = None,
    warmup: t.WarmupOption = None,
    frozen_steps: t.FrozenStepsOption = None,
    augment: t.AugmentOption = None,
    accumulate: t.AccumulateOption = 1,
    precision: t.PrecisionOption = None,
    ema: t.EmaOption = None,
    checkpointing: t.CheckpointingOption = False,
    guard: t.GuardOption = True,
    probe_every: t.ProbeOption = None,
    save_every: t.SaveEveryOption = None,
    gated_steps: t.GatedStepsOption = 0,
    gated_lr: t.GatedLrOption = 7e-4,
    word_weight: t.WordWeightOption = 1.0,
    align_weight: t.AlignWeightOption = 1.0,
    calibration_scenes: t.CalibrationScenesOption = 400,
    distance: t.DistanceOption = "bce-affine",
    affine_scale: t.AffineScaleOption = 10.0,
    affine_bias: t.AffineBiasOption = -3.0,
    tag_weight: t.TagWeightOption = 1.0,
    distill_weight: t.DistillWeightOption = 0.2,
    select_threshold: t.SelectThresholdOption = 0.5,
    calibration: t.CalibrationOption = None,
    maps: t.MapsOption = None,
    rank: t.RankOption = 8,
    lora_scale: t.LoraScaleOption = 1.0,
    lora_targets: t.LoraTargetsOption = "in_proj,out_proj,c_fc,c_proj",
    towers: t.TowersOption = "both",
    recalibrate: t.RecalibrateOption = False,
    quiet: o.QuietOption = False,
    verbose: o.VerboseOption = 0,
    device: o.DeviceOption = "auto",
    threads: t.ThreadsOption = None,
    workers: t.WorkersOption = 1,
    cache: t.CacheOption = None,
    out: o.OutOption = None,
    run_root: o.RunRootOption = "runs",
    overwrite: o.OverwriteOption = False,
    resume: t.ResumeOption = False,
    config: o.ConfigOption = None,
) -> None:
    r"""Train a model from captioned pictures; an interrupted training goes on.

    ttd train --method ttd --data scenes:train --out adapters/scenes-ttd
    ttd train --method ttd --data pairs.tsv --model ViT-B-16 --pretrained openai
    ttd train --method tcl --data scenes:train --out runs/scenes-tcl
    ttd train --method clip --data scenes:train
    ttd train --scenes 32 --batch-size 8 --steps 2 --gated-steps 1 \
        --probe-every 0 --calibration-scenes 8 --out try

    `ttd` adapts a model to its own tag maps in minutes; standard output is the
    adapter's folder, for `--lora`. `tcl` trains a masker beside a frozen model and
    `clip` rebuilds the built-in model in about 45 CPU-minutes; both print the
    weights, for `--weights`. `torchrun -m ttd_cli train` uses several GPUs for
    `ttd` and `tcl`. `--config run.yaml` repeats a training.
    """
    import os

    from ttd_cli.execute import command_line
    from ttd_cli.output import Output
    from ttd_cli.processes import place_of, started_together
    from ttd_cli.resolve import resolve
    from ttd_cli.resuming import where_it_began
    from ttd_cli.verbosity import verbosity
    from ttd_core.recipes.train_run import TrainOptions, run_training

    options = resolve(context, TrainOptions, "train")
    output = Output(None, *verbosity(context))
    place = place_of(os.environ) if started_together(os.environ) else None
    with where_it_began(context, options) as home:
        product = run_training(options, command_line(), output, place)
    if home is not None:
        product = home / product
    if place is None or place.rank == 0:
        from ttd_cli.evaluation import table_lines
        from ttd_core.recipes.train_figures import figures_table

        table = figures_table(product)
        for line in () if table is None else table_lines(table):
            output.info(line)
        output.line(str(product))

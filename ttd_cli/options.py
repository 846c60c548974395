"""Option types used by several commands.

Defaults stand in the commands' signatures and equal those of `ttd_core.recipes.options`; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from ttd_core.recipes.checks import OWN_DENSE
from ttd_core.registry import BACKBONES, DENSE

INPUT = "Input"
MODEL = "Model"
METHOD = "Method"
OUTPUT = "Output"
DEVICE = "Device"
RUN = "Run"


def complete(names: list[str]) -> Callable[[str], list[str]]:
    """What a shell is told when one of these names is half typed."""

    def matching(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return matching


_MODELS = [*BACKBONES.names(), "ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336"]
_DENSE_HELP = f"{', '.join(OWN_DENSE['scenes'])} (scenes); {', '.join(DENSE.names())} (open_clip)"

# Input ---------------------------------------------------------------------------------------------------------------
ImageOption = Annotated[str | None, typer.Option("--image", metavar="FILE", help="One picture.", rich_help_panel=INPUT)]
TextOption = Annotated[
    str | None,
    typer.Option(
        "--text", metavar="CAPTION", help="Its caption; - reads one per line from stdin.", rich_help_panel=INPUT
    ),
]
TagsOption = Annotated[
    str | None,
    typer.Option(
        "--tags", metavar="A,B", help="Your own candidates instead of the caption's words.", rich_help_panel=INPUT
    ),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="A", help="One candidate; repeat it for more.", rich_help_panel=INPUT),
]
TagsFileOption = Annotated[
    str | None,
    typer.Option(
        "--tags-file",
        metavar="FILE",
        help="Candidates for all inputs, one per line; or each picture's tags, as ttd tags --format jsonl prints them "
        "or as numbers of --classes.",
        rich_help_panel=INPUT,
    ),
]
ClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="FILE",
        help="Classes for all inputs, one per line, with synonyms as dog: dog, puppy.",
        rich_help_panel=INPUT,
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="NAME", help="The pictures and classes of a data set of ttd evaluate.", rich_help_panel=INPUT
    ),
]
RootOption = Annotated[
    str | None,
    typer.Option("--root", metavar="FOLDER", help="Folder of the data set.", rich_help_panel=INPUT),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="FILE|FOLDER|-",
        help="Many inputs: .jsonl .tsv .csv .parquet, a folder of pictures, or JSON Lines on stdin.",
        rich_help_panel=INPUT,
    ),
]
ImageColumnOption = Annotated[
    str | None,
    typer.Option(
        "--image-column", metavar="NAME", help="Column of the pictures' paths in --input.", rich_help_panel=INPUT
    ),
]
TextColumnOption = Annotated[
    str | None,
    typer.Option("--text-column", metavar="NAME", help="Column of the captions.", rich_help_panel=INPUT),
]
TagsColumnOption = Annotated[
    str | None,
    typer.Option("--tags-column", metavar="NAME", help="Column of the rows' own tags.", rich_help_panel=INPUT),
]
IdColumnOption = Annotated[
    str | None,
    typer.Option("--id-column", metavar="NAME", help="Column of the keys in all answers.", rich_help_panel=INPUT),
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", help="Stop after N inputs.", show_default="all", rich_help_panel=INPUT),
]

# Model ---------------------------------------------------------------------------------------------------------------
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME",
        help="scenes (built in), tcl, or an open_clip architecture such as ViT-B-16.",
        autocompletion=complete(_MODELS),
        rich_help_panel=MODEL,
    ),
]
PretrainedOption = Annotated[
    str | None,
    typer.Option(
        "--pretrained",
        metavar="TAG|FILE",
        help="open_clip weights: a tag such as openai, a file, or a folder.",
        rich_help_panel=MODEL,
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="FILE", help="Weights in the model's own format, e.g. tcl.pth.", rich_help_panel=MODEL
    ),
]
LoraOption = Annotated[
    str | None,
    typer.Option("--lora", metavar="FILE|FOLDER", help="PEFT adapter applied on top.", rich_help_panel=MODEL),
]
BeforeOption = Annotated[
    bool,
    typer.Option("--before", metavar="", help="Show the model without --lora beside it.", rich_help_panel=MODEL),
]
DenseOption = Annotated[
    str | None,
    typer.Option(
        "--dense",
        metavar="NAME",
        help=f"How patch features are read: {_DENSE_HELP}.",
        show_default="the model's",
        autocompletion=complete([*OWN_DENSE["scenes"], *DENSE.names()]),
        rich_help_panel=MODEL,
    ),
]
ActivationOption = Annotated[
    Literal["quickgelu", "gelu"] | None,
    typer.Option(
        "--activation",
        metavar="NAME",
        help="quickgelu or gelu, in both towers.",
        show_default="by weights",
        rich_help_panel=MODEL,
    ),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Of the image encoder's products: fp32, or bf16 (bfloat16), faster where the hardware has it.",
        rich_help_panel=MODEL,
    ),
]

# Method --------------------------------------------------------------------------------------------------------------
ImageSizeOption = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        metavar="PIXELS",
        help="Shorter side the model sees.",
        show_default="the model's",
        rich_help_panel=METHOD,
    ),
]
ScalesOption = Annotated[
    str,
    typer.Option("--scales", metavar="A,B", help="Factors on the size; maps are averaged.", rich_help_panel=METHOD),
]
HflipOption = Annotated[
    bool,
    typer.Option("--hflip/--no-hflip", metavar="", help="Average with the mirrored picture.", rich_help_panel=METHOD),
]
TemplatesOption = Annotated[
    str | None,
    typer.Option(
        "--templates",
        metavar="NAME",
        help="Prompt template set, e.g. openai.",
        show_default="the model's",
        rich_help_panel=METHOD,
    ),
]
CalibrationOption = Annotated[
    Literal["sigmoid", "softmax", "minmax", "none"] | None,
    typer.Option(
        "--calibration",
        metavar="NAME",
        help="From similarity to score: sigmoid, softmax, minmax, none.",
        show_default="the model's",
        rich_help_panel=METHOD,
    ),
]
LogitScaleOption = Annotated[
    float | None,
    typer.Option(
        "--logit-scale",
        metavar="X",
        help="Factor of the softmax calibration.",
        show_default="the model's",
        rich_help_panel=METHOD,
    ),
]
CandidatesOption = Annotated[
    Literal["words", "nouns", "phrases"],
    typer.Option(
        "--candidates", metavar="NAME", help="Candidates of a caption: words, nouns, phrases.", rich_help_panel=METHOD
    ),
]
StopwordsOption = Annotated[
    bool,
    typer.Option(
        "--stopwords/--no-stopwords",
        metavar="",
        help="Drop stop words beforehand, or keep them.",
        rich_help_panel=METHOD,
    ),
]
TaggerOption = Annotated[
    Literal["builtin", "nltk"],
    typer.Option(
        "--tagger",
        metavar="NAME",
        help="Finds nouns: builtin, or nltk with its data installed.",
        rich_help_panel=METHOD,
    ),
]
ScorerOption = Annotated[
    str,
    typer.Option(
        "--scorer",
        metavar="NAME",
        help="pixel (best place in the picture), image, text, tagclip, nouns, or list:FILE.",
        autocompletion=complete(["pixel", "image", "text", "tagclip", "nouns", "list:"]),
        rich_help_panel=METHOD,
    ),
]
SelectOption = Annotated[
    Literal["fixed", "relative", "range", "auto", "top"] | None,
    typer.Option(
        "--select",
        metavar="NAME",
        help="Keep scores by threshold: fixed, relative to the best, in their range, auto, or top N.",
        show_default="fixed; tagclip: range",
        rich_help_panel=METHOD,
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold", metavar="X", help="0 to 1; N for --select top.", show_default="0.5", rich_help_panel=METHOD
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Of every random choice.", rich_help_panel=METHOD)]

# Output --------------------------------------------------------------------------------------------------------------
FormatOption = Annotated[
    Literal["text", "tsv", "json", "jsonl"],
    typer.Option(
        "--format", metavar="NAME", help="Of the answers on stdout: text, tsv, json, jsonl.", rich_help_panel=OUTPUT
    ),
]
BinaryOption = Annotated[
    bool, typer.Option("--binary", metavar="", help="Also a black-and-white PNG per tag.", rich_help_panel=OUTPUT)
]
NpzOption = Annotated[
    bool, typer.Option("--npz", metavar="", help="Also the maps before the decision, as .npz.", rich_help_panel=OUTPUT)
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", metavar="", help="Errors only on stderr.", rich_help_panel=OUTPUT)
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        metavar="",
        count=True,
        help="More detail on stderr.",
        rich_help_panel=OUTPUT,
        show_default=False,
    ),
]

# Device --------------------------------------------------------------------------------------------------------------
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:N, or mps.",
        autocompletion=complete(["auto", "cpu", "cuda", "mps"]),
        rich_help_panel=DEVICE,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", help="CPU threads.", show_default="torch's choice", rich_help_panel=DEVICE),
]
BatchSizeOption = Annotated[
    int, typer.Option("--batch-size", metavar="N", help="Pictures per forward pass.", rich_help_panel=DEVICE)
]

# Run -----------------------------------------------------------------------------------------------------------------
SaveOption = Annotated[
    bool | None,
    typer.Option(
        "--save/--no-save",
        metavar="",
        help="Record the run in a folder.",
        show_default="with --input FILE or FOLDER",
        rich_help_panel=RUN,
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Folder of this run.",
        show_default="RUN_ROOT/COMMAND/RUN_ID",
        rich_help_panel=RUN,
    ),
]
TagOutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FOLDER|FILE.txt",
        help="Folder of this run; or a file ending in .txt for the tags as TagCLIP publishes them: a picture a line, "
        "its name and the numbers of its classes.",
        show_default="RUN_ROOT/COMMAND/RUN_ID",
        rich_help_panel=RUN,
    ),
]
RunRootOption = Annotated[
    str, typer.Option("--run-root", metavar="FOLDER", help="Where runs are kept.", rich_help_panel=RUN)
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Start anew where this run exists.", rich_help_panel=RUN)
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", metavar="", help="Exit with 0 even if inputs were skipped.", rich_help_panel=RUN)
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Options from a run.yaml; those typed here win.",
        rich_help_panel=RUN,
    ),
]

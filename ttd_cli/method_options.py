"""Option types of `--method`, and of what only some methods listen to."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ttd_cli.options import METHOD, complete
from ttd_core.recipes.methods import METHODS, names_for

_PAMR = ", ".join(f"{name}: {'yes' if entry.defaults.get('pamr') else 'no'}" for name, entry in METHODS.items())

MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="NAME",
        help=f"{', '.join(METHODS)}: how maps are made; options that a method has no use for are refused.",
        autocompletion=complete(list(METHODS)),
        rich_help_panel=METHOD,
    ),
]
KpWeightOption = Annotated[
    float | None,
    typer.Option(
        "--kp-weight",
        metavar="X",
        help=f"Share of the frozen CLIP's map, 0 to 1 ({names_for(['kp_weight'])}).",
        show_default="0.3",
        rich_help_panel=METHOD,
    ),
]
WindowOption = Annotated[
    int | None,
    typer.Option(
        "--window",
        metavar="PIXELS",
        help=f"Side of the sliding windows ({names_for(['window'])}).",
        show_default="the shorter side",
        rich_help_panel=METHOD,
    ),
]
StrideOption = Annotated[
    int | None,
    typer.Option(
        "--stride",
        metavar="PIXELS",
        help=f"Distance between windows ({names_for(['stride'])}).",
        show_default="half a window",
        rich_help_panel=METHOD,
    ),
]
PresetOption = Annotated[
    Literal["voc", "coco", "stuff"] | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Published settings of TagCLIP and CLIP-ES: voc, coco (objects), or stuff (whole scenes).",
        show_default="voc",
        rich_help_panel=METHOD,
    ),
]
PamrOption = Annotated[
    bool | None,
    typer.Option(
        "--pamr/--no-pamr",
        metavar="",
        help="Refine maps along the picture's edges (PAMR).",
        show_default=", ".join(
            f"{name}: {'yes' if each.defaults.get('pamr') else 'no'}" for name, each in METHODS.items()
        ),
        rich_help_panel=METHOD,
    ),
]
CrfOption = Annotated[
    bool,
    typer.Option(
        "--crf", metavar="", help="Refine maps with a dense CRF; needs the extra ttd\\[crf].", rich_help_panel=METHOD
    ),
]
BgOption = Annotated[
    float | None,
    typer.Option(
        "--bg",
        metavar="X",
        help="Background score, 0 to 1; of CLIP-ES also a power of 1 - the best, from 1 on.",
        show_default="0.4; tcl without PAMR: 0.5; clip-es: 1",
        rich_help_panel=METHOD,
    ),
]

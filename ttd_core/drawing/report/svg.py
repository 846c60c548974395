"""Figures of matplotlib as text and bytes that depend on what is drawn alone: not on the date, settings or process."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from matplotlib import rc_context, rcdefaults
from matplotlib.figure import Figure

# Colours as they are on paper. On the page each becomes the style sheet's variable of that name, so that one drawing
# serves light and dark.
INK, FAINT, LINE, PAPER = "#1f2328", "#5c6570", "#d5dae0", "#ffffff"
FIRST, SECOND, THIRD = "#1f63b5", "#c2571a", "#75409b"
_VARIABLES = {
    INK: "ink", FAINT: "faint", LINE: "line", PAPER: "paper", FIRST: "first", SECOND: "second", THIRD: "third"
}  # fmt: skip
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_STYLE: Any = {
    "svg.hashsalt": "ttd",
    "text.parse_math": False,  # a dollar in a caption is no formula
    "axes.unicode_minus": False,
    "font.family": ["sans-serif"],
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with this project's settings whatever the user's matplotlibrc says; figures are made and saved inside."""
    with rc_context():
        rcdefaults()
        with rc_context(_STYLE):
            yield


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """A figure as an `<svg>` element for a page that has several.

    Letters stay letters in the page's font, colours become variables of the page, and nothing refers to the outside.

    Args:
        figure: drawn inside `drawing`.
        name: unique in the page, letters only; keeps the element's ids apart from those of other charts.
        description: what a reader who does not see the chart should know.
    """
    figure.patch.set_visible(False)
    with rc_context({"svg.fonttype": "none"}):
        text = _saved(figure, "svg").decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    body = body.replace("xlink:href=", "href=")
    body = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", body)
    # Depending on its version, matplotlib says which fonts it measured with in either way.
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r" ?font-family: [^;\"]*;?", "", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    body = re.sub(r"\n\s*", "\n", body)
    label = escape(description, quote=True)
    return f'<svg class="chart" {box[0]} role="img" aria-label="{label}">{body.strip()}'


def saved_figure(figure: Figure, suffix: str) -> bytes:
    """A figure as a file of its own: `.svg` with letters as outlines, or `.png` at 160 dots per inch."""
    with rc_context({"svg.fonttype": "path"}):
        return _saved(figure, suffix.lstrip("."))


def _saved(figure: Figure, form: str) -> bytes:
    buffer = io.BytesIO()
    metadata: Any = _NO_METADATA if form == "svg" else {"Software": None}
    figure.savefig(buffer, format=form, dpi=160 if form == "png" else 72, metadata=metadata)
    return buffer.getvalue()

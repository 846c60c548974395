"""Put the page together and write it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ttd_core.atomic import write_bytes
from ttd_core.drawing.report.bias import bias_panels
from ttd_core.drawing.report.charts import curve_chart, histogram_chart
from ttd_core.drawing.report.contents import ReportPage
from ttd_core.drawing.report.examples import cards
from ttd_core.drawing.report.tables import baseline_names, class_table, confusion_table, ready_table, shown

LARGEST = 2_000_000
"""Bytes; pictures are reduced, and in the end left out, before a page gets larger than this."""

_PICTURES = ((320, 82), (320, 62), (224, 60), (128, 55), (0, 0))  # width in pixels, quality
_LONGEST = 2000
_MOST_NOTES = 40
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def write_report(path: Path, page: ReportPage) -> None:
    """Write a page as one HTML file that needs neither network nor script; whole or not at all.

    Args:
        path: where to, usually `report.html` of a run.
        page: what to show.

    Raises:
        RunError: it cannot be written.
    """
    write_bytes(path, render_report(page).encode("utf-8"))


def render_report(page: ReportPage) -> str:
    """The page as text: a function of its contents and of the versions of the packages that draw."""
    template = _environment().get_template("report.html.jinja")
    parts = _parts(page)
    html = ""
    for width, quality in _PICTURES:
        samples = [
            ("worst", "Worst samples", page.worst_note, cards(page.worst, width, quality)),
            ("best", "Best samples", page.best_note, cards(page.best, width, quality)),
        ]
        html = template.render(parts, samples=[part for part in samples if part[3]], pictured=width > 0)
        if len(html.encode("utf-8")) <= LARGEST:
            break
    return html


def _parts(page: ReportPage) -> dict[str, Any]:
    """Names of the template and what they stand for."""
    notes = list(page.notes[:_MOST_NOTES])
    if len(page.notes) > _MOST_NOTES:
        notes.append(f"... and {len(page.notes) - _MOST_NOTES} more")
    histogram, curve = page.histogram, page.curve
    scored = histogram is not None and bool(np.any(histogram.true_counts) or np.any(histogram.false_counts))
    curved = curve is not None and bool(np.isfinite(np.asarray(curve.recall) + np.asarray(curve.precision)).any())
    return {
        "page": page,
        "notes": notes,
        "baselines": baseline_names(page.figures),
        "published": any(row.published is not None for row in page.figures),
        "classes": class_table(page.classes),
        "tables": [ready_table(table) for table in page.tables if table.rows and table.columns],
        "confusion": confusion_table(page.confusion) if page.confusion else None,
        "histogram": Markup(histogram_chart(histogram)) if histogram is not None and scored else None,
        "curve": Markup(curve_chart(curve)) if curve is not None and curved else None,
        "bias": [(heading, Markup(chart)) for heading, chart in bias_panels(page.bias)],
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finished,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    return environment


def _finished(value: Any) -> Any:
    """What a template expression becomes: markup made here stays, any other text is cleaned before it is escaped."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else clean(value)


def clean(text: str) -> str:
    """A text that can stand in a page: no control characters, forced directions or lone surrogates; not endless."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " …"
    return _UNFIT.sub("\ufffd", text)

"""Writes `docs/benchmarks.md` from the published rows: `python -m ttd_cli.benchmark_table docs/benchmarks.md`.

With `--check` nothing is written, and a stale page is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ttd_cli.errors import BUG, DONE
from ttd_core.recipes.evaluation.availability import command
from ttd_core.recipes.evaluation.published import (
    ARRIVALS,
    SYSTEMS,
    Figure,
    NeededFile,
    PublishedRow,
    published_names,
    published_row,
)
from ttd_core.recipes.evaluation.summary import METRICS

_INTRODUCTION = """\
# Published figures

This page is made from the files under `ttd_core/published` by `make docs`; edit those instead. Each row is a file that
states the whole protocol: data set, class names, sizes, windows, scales, refinement, background, value, tolerance and
source. `ttd evaluate --list` prints the rows with what is missing on your machine, and `ttd evaluate --recipe ROW
--expect published` computes one, compares, and ends with exit code 5 when a figure lies outside its tolerance. Options
typed beside `--recipe` replace the row's own.

A tolerance holds for the weights that the row names. It is 0.1 where the published weights and the whole protocol are
known, 0.3 where steps of the protocol had to be decided or the figure is from memory, 0.5 where the only weights are
those that one trains oneself; for fractions a hundredth of that. Figures counted from finished files are exact. A
second value in brackets is in print elsewhere, and the tolerance is not about it.

In the column *state*, `runs` means that this release computes the row once data and weights are there. Other rows wait
for a method; finished label maps or tags can be scored for them already with `--pred`:"""


def page() -> str:
    """The whole page."""
    rows = [published_row(name) for name in published_names()]
    lines = [_INTRODUCTION, "", "| waits for | which brings |", "|---|---|"]
    lines += [f"| {word} | {what} |" for word, what in ARRIVALS.items()]
    lines += ["", "| metric | unit | better | |", "|---|---|---|---|"]
    used = {metric for row in rows for metric in row.published}
    for metric, (unit, higher, what) in METRICS.items():
        if metric in used:
            lines.append(f"| `{metric}` | {unit} | {'higher' if higher else 'lower'} | {what} |")
    for system, what in SYSTEMS.items():
        lines += ["", f"## {what[0].upper()}{what[1:]}", "", *_section([row for row in rows if row.system == system])]
    return "\n".join(lines) + "\n"


def _section(rows: Sequence[PublishedRow]) -> Iterator[str]:
    yield "| row | published | needs | state | source |"
    yield "|---|---|---|---|---|"
    for row in rows:
        figures = "; ".join(_shown(metric, figure) for metric, figure in row.published.items()) or "no figure"
        state = "runs" if row.arrives is None else f"waits for {row.arrives}"
        cells = (f"`{row.name}`<br>{row.title}", figures, _needs(row), state, row.source)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield from _remarks(rows)
    yield from _files(rows)
    yield from ("", "```console", *(command(row) for row in rows), "```")


def _shown(metric: str, figure: Figure) -> str:
    digits = 4 if figure.tolerance < 0.001 else 3 if figure.unit == "fraction" else 1
    others = ", ".join(f"{each.where}: {each.value:.{digits}f}" for each in figure.also)
    return f"`{metric}` {figure.value:.{digits}f} ± {figure.tolerance:.{digits}f}" + (f" ({others})" if others else "")


def _needs(row: PublishedRow) -> str:
    data = [row.data] if row.needs.data is not None else []
    files = [f"`{needed.file}`" for needed in (*row.needs.weights, *row.needs.files)]
    return ", ".join([*data, *files]) or "nothing"


def _remarks(rows: Sequence[PublishedRow]) -> Iterator[str]:
    """What is worth knowing, once per remark, with the rows it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row.remarks:
            about.setdefault(row.remarks, []).append(f"`{row.name.partition('/')[2]}`")
    if about:
        yield ""
    for remark, names in about.items():
        yield f"- {', '.join(names)}: {remark}"


def _files(rows: Sequence[PublishedRow]) -> Iterator[str]:
    """Where the files come from, once per source."""
    sources: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for needed in (*row.needs.weights, *row.needs.files):
            names = sources.setdefault((needed.source, _how(needed)), [])
            if needed.file not in names:
                names.append(needed.file)
    if sources:
        yield from ("", "| file | named with | comes from |", "|---|---|---|")
    for (source, how), names in sources.items():
        yield f"| {', '.join(f'`{name}`' for name in names)} | {how} | {source} |"


def _how(needed: NeededFile) -> str:
    return "nothing, fetched" if needed.fetched else f"`{needed.option}`"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it."""
    target = Path(next(argument for argument in arguments if not argument.startswith("-")))
    text = page()
    if "--check" not in arguments:
        target.write_text(text, encoding="utf-8")
        return DONE
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"error: {target} is stale\nhint: make docs\n")
        return BUG
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

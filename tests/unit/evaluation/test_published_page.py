"""`docs/benchmarks.md` says what the published rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttd_cli.benchmark_table import main, page
from ttd_cli.errors import BUG, DONE
from ttd_core.recipes.evaluation.availability import command
from ttd_core.recipes.evaluation.published import published_names, published_row

PAGE = Path(__file__).resolve().parents[3] / "docs" / "benchmarks.md"


def test_the_page_is_not_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(PAGE)]) == DONE, "make docs"
    assert capsys.readouterr().err == ""


def test_a_stale_or_missing_page_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / "page.md"
    assert main(["--check", str(stale)]) == BUG
    stale.write_text(page().replace("61.1", "61.2"), encoding="utf-8")
    assert main(["--check", str(stale)]) == BUG
    assert capsys.readouterr().err.count("is stale") == 2
    assert main([str(stale)]) == DONE
    assert main(["--check", str(stale)]) == DONE


def test_every_row_is_on_the_page_with_its_figures_and_its_command() -> None:
    lines = page().splitlines()
    for name in published_names():
        row = published_row(name)
        (line,) = [line for line in lines if line.startswith(f"| `{name}`<br>")]
        assert line.count("|") == 6
        assert all(f"`{metric}` " in line for metric in row.published)
        assert ("runs" if row.arrives is None else f"waits for {row.arrives}") in line
        assert command(row) in lines


def test_numbers_keep_the_digits_they_were_printed_with() -> None:
    text = page()
    assert "`miou` 61.1 ± 0.3; `mfpr` 0.185 ± 0.003; `mfnr` 0.204 ± 0.003" in text
    assert "`miou` 17.0 ± 0.3" in text
    assert "`precision` 92.5140 ± 0.0001" in text
    assert "`miou` 31.1 ± 0.1 (paper: 31.0)" in text

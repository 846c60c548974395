"""The table of what a training changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ttd_core.errors import RunError
from ttd_core.recipes.train_figures import figures_table


def write(folder: Path, before: dict[str, float], after: dict[str, float], best: int | None = 50) -> None:
    (folder / "validation.json").write_text(json.dumps({"before": before, "after": after, "best_step": best}))


def test_every_figure_has_a_row_and_each_row_adds_up(tmp_path: Path) -> None:
    write(tmp_path, {"held_loss": 0.51749, "val_f1": 0.88449}, {"held_loss": 0.34151, "val_f1": 0.88551, "x": 1.0})
    table = figures_table(tmp_path)
    assert table is not None and "step 50" in table.title
    assert table.rows == (
        ("val_f1", "0.884", "0.886", "+0.002", "tag F1"),
        ("held_loss", "0.517", "0.342", "-0.175", "sum of the losses"),
    )


def test_a_figure_without_a_description_is_shown_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, {"later": 1.0}, {"later": 2.0}, None)
    table = figures_table(tmp_path)
    assert table is not None and table.rows == (("later", "1.000", "2.000", "+1.000", ""),)
    assert "step" not in table.title


def test_nothing_measured_leaves_no_table(tmp_path: Path) -> None:
    assert figures_table(tmp_path) is None
    write(tmp_path, {}, {})
    assert figures_table(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"before": {}}', '{"before": {"a": "x"}, "after": {"a": 1}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "validation.json").write_text(text)
    with pytest.raises(RunError, match=r"validation\.json: damaged"):
        figures_table(tmp_path)

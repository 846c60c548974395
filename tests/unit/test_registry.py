"""Names of interchangeable parts: listed without imports, near matches for typing errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ttd_core.errors import UsageError
from ttd_core.registry import BACKBONES, DENSE, Registry, near_matches


def test_an_entry_is_imported_only_when_asked_for() -> None:
    code = "import sys, ttd_core.registry as r; r.BACKBONES.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("table", [BACKBONES, DENSE], ids=lambda t: t.kind)
def test_every_entry_of_the_tables_exists(table: Registry) -> None:
    assert all(table.load(name) is not None for name in table.names())


def test_an_unknown_name_answers_with_near_matches_and_the_list() -> None:
    with pytest.raises(UsageError, match="unknown dense strategy 'mask_clip'") as caught:
        DENSE.load("mask_clip")
    assert "did you mean maskclip" in (caught.value.hint or "")
    with pytest.raises(UsageError) as caught:
        DENSE.load("zzz")
    assert "known: clip, maskclip" in (caught.value.hint or "")


def test_case_and_separators_are_not_told_apart() -> None:
    assert near_matches("vit_b/16", ["RN50", "ViT-B-16"]) == ["ViT-B-16"]


def test_a_malformed_target_is_refused_when_the_table_is_written() -> None:
    with pytest.raises(ValueError, match="module:attribute"):
        Registry("thing", {"a": "no_colon"})

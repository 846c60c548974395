"""What every test may rely on: a clean environment and quiet, repeatable arithmetic."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Take away what would change messages, help or caches on some machines only."""
    for name in ("TTD_DEBUG", "FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "_TTD_COMPLETE", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTD_CACHE", "off")

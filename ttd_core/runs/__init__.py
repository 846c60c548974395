"""Runs: their names, their folders, and what is written down about them."""

from __future__ import annotations

from ttd_core.runs.directory import RunDirectory, open_run
from ttd_core.runs.identity import RunName, input_name, run_id
from ttd_core.runs.manifest import combined, digest_files

__all__ = ["RunDirectory", "RunName", "combined", "digest_files", "input_name", "open_run", "run_id"]

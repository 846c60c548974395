"""Atomic writing, under the name that readers and writers of data use (see `ttd_core.atomic`)."""

from __future__ import annotations

from ttd_core.atomic import atomic_path, make_folder, write_bytes, write_error, write_text

__all__ = ["atomic_path", "make_folder", "write_bytes", "write_error", "write_text"]

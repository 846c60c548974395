"""Where a result comes from: versions, commit, digests of weights and inputs."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import ttd_core
from ttd_core.errors import DataError, TtdError

PACKAGES = (
    "torch", "torchvision", "open_clip_torch", "peft", "nltk", "numpy", "pillow", "safetensors", "numba", "pydensecrf2",
    "pycocotools", "pyarrow", "ray", "matplotlib", "pyyaml", "typer",
)  # fmt: skip
"""Packages whose version a manifest records; absent ones are left out."""


def provenance() -> dict[str, Any]:
    """Versions of ttd, Python and packages, the platform, and ttd's own commit where it runs from a checkout."""
    return {
        "ttd": ttd_core.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def now() -> str:
    """The time in UTC, to the second, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def digest_files(paths: Iterable[Path], error: type[TtdError] = DataError) -> str | None:
    """SHA-256 over the contents of files and of all files in folders, in sorted order; None for no path at all.

    Args:
        paths: files or folders.
        error: what to raise for a path that cannot be read.

    Raises:
        TtdError: of the type asked for.
    """
    return combined(_digest(path, error) for path in paths)


def combined(digests: Iterable[str]) -> str | None:
    """One digest for several, in their order; a single one stands for itself, None for no digest at all."""
    kept = list(digests)
    if not kept:
        return None
    return kept[0] if len(kept) == 1 else hashlib.sha256("\n".join(kept).encode()).hexdigest()


def _digest(path: Path, error: type[TtdError]) -> str:
    try:
        if path.is_dir():
            inner = [f"{file.name}\t{_digest(file, error)}" for file in sorted(path.iterdir()) if file.is_file()]
            return hashlib.sha256("\n".join(inner).encode("utf-8", "surrogateescape")).hexdigest()
        if path.exists() and not path.is_file():
            raise error(f"{path}: expected a regular file or a folder")
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or "unreadable"
        raise error(f"cannot read {path}: {reason.lower()}") from failure


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> dict[str, Any] | None:
    """Commit and dirty flag of the checkout ttd runs from; None when installed or without git."""
    root = Path(ttd_core.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        return {"id": head.strip(), "dirty": bool(_git(root, "status", "--porcelain", "--untracked-files=no").strip())}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, stdin=subprocess.DEVNULL)
    return done.stdout

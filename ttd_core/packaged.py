"""What ships beside the code: adapters that are found by their name alone."""

from __future__ import annotations

from pathlib import Path

ADAPTERS = Path(__file__).resolve().parent / "weights" / "adapters"
_CONFIG = "adapter_config.json"


def adapter_names() -> tuple[str, ...]:
    """The names of the adapters that ship."""
    return tuple(sorted(path.parent.name for path in ADAPTERS.glob(f"*/{_CONFIG}")))


def shipped_adapter(path: Path) -> Path:
    """The folder of an adapter that ships, where `path` is its name and no file of the user's; else `path` itself."""
    shipped = ADAPTERS / path
    return shipped if len(path.parts) == 1 and not path.exists() and (shipped / _CONFIG).is_file() else path

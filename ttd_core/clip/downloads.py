"""Published weights: from the cache where they are, else over the network, without the chatter of those who fetch.

The hub's client tries every file name six times over half a minute before it says that there is no network, and
prints each attempt. So the cache is looked at first, and one short request tells whether the hub answers at all.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
from huggingface_hub.utils import get_session
from open_clip.pretrained import download_pretrained

from ttd_core.errors import WeightsError

SECONDS = 10.0
_LOGGERS = ("huggingface_hub", "urllib3", "requests", "httpx", "httpcore", "filelock")
# what a hub entry without a file name stands for, safe formats first
_UNNAMED = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")


def published_weights(config: Mapping[str, Any]) -> Path:
    """The file of an entry of open_clip's table of weights, downloaded where it is not cached.

    Args:
        config: the entry; `hf_hub` (repository and file, or repository and a slash) goes before `url`.

    Raises:
        WeightsError: neither cached nor to be had; the message is the reason alone, for the caller to say of what.
    """
    hub = str(config.get("hf_hub", ""))
    cached = _cached(hub) if hub else None
    if cached is not None:
        return cached
    with _quiet():
        if hub:
            _reach(huggingface_hub.constants.ENDPOINT)
        try:
            return Path(download_pretrained(dict(config)))
        except (OSError, RuntimeError, ValueError) as error:
            raise WeightsError(_reason(error)) from error


def _cached(hub: str) -> Path | None:
    repository, _, name = hub.rpartition("/")
    names = dict.fromkeys([str(PurePosixPath(name).with_suffix(".safetensors")), name]) if name else _UNNAMED
    for candidate in names:
        found = huggingface_hub.try_to_load_from_cache(repository, candidate)
        if isinstance(found, str) and Path(found).is_file():
            return Path(found)
    return None


def _reach(endpoint: str) -> None:
    try:
        # any answer will do, also a refusal: what it means is for the download to say
        get_session().head(endpoint, timeout=SECONDS)
    except Exception as error:  # the client is requests or httpx by version, and their errors share no base
        raise WeightsError(f"no connection to {urlsplit(endpoint).hostname or endpoint}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings of the libraries that download are not printed, and no connection waits for ever."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    timeout = socket.getdefaulttimeout()
    try:
        for name in levels:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        socket.setdefaulttimeout(SECONDS if timeout is None else timeout)
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

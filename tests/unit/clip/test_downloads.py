"""Weights that are not here: one line, at once, and nothing from the libraries that fetch them."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from ttd_core.clip import downloads, sources
from ttd_core.clip.downloads import published_weights
from ttd_core.errors import WeightsError

ENTRY = {"url": "https://example.invalid/x.pt", "hf_hub": "somebody/model/"}


class Session:
    """A hub client; without an answer it fails as one without a network does."""

    def __init__(self, answers: bool) -> None:
        self.answers = answers
        self.asked = 0

    def head(self, url: str, timeout: float) -> None:
        self.asked += 1
        assert timeout <= 30
        if not self.answers:
            raise Exception("[Errno -2] Name or service not known\nand more")  # noqa: TRY002 - of no common base


@pytest.fixture
def nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads.huggingface_hub, "try_to_load_from_cache", lambda repository, name: None)


def test_without_a_network_there_is_one_attempt_and_one_line(
    nothing_cached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, started = Session(answers=False), []
    monkeypatch.setattr(downloads, "get_session", lambda: session)
    monkeypatch.setattr(downloads.huggingface_hub.constants, "ENDPOINT", "https://huggingface.co")
    monkeypatch.setattr(downloads, "download_pretrained", lambda config: started.append(config))
    monkeypatch.setattr(sources, "get_pretrained_cfg", lambda model, tag: ENTRY)
    with pytest.raises(WeightsError) as caught:
        sources.resolve_source("openai", "ViT-B-16")
    assert caught.value.message == (
        "weights openai of ViT-B-16 are not on this machine and cannot be downloaded "
        "(no connection to huggingface.co: [Errno -2] Name or service not known)"
    )
    assert "--pretrained FILE" in (caught.value.hint or "")
    assert session.asked == 1 and not started


@pytest.mark.parametrize(
    ("hub", "cached"),
    [
        ("somebody/model/", "open_clip_pytorch_model.bin"),
        ("somebody/model/", "open_clip_model.safetensors"),
        ("somebody/model/ViT.pt", "ViT.safetensors"),
        ("somebody/model/ViT.pt", "ViT.pt"),
    ],
)
def test_cached_weights_need_no_network(hub: str, cached: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / cached).write_bytes(b"weights")

    def look(repository: str, name: str) -> Any:
        assert repository == "somebody/model"
        return str(tmp_path / name) if name == cached else None

    def connect() -> Session:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(downloads.huggingface_hub, "try_to_load_from_cache", look)
    monkeypatch.setattr(downloads, "get_session", connect)
    assert published_weights({"hf_hub": hub}) == tmp_path / cached


def test_the_downloaders_are_quiet_and_time_limited_and_all_is_put_back(
    nothing_cached: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    loggers = [logging.getLogger(name) for name in ("huggingface_hub.utils._http", "urllib3.connectionpool")]
    levels = [logging.getLogger(name).level for name in ("huggingface_hub", "urllib3")]
    limits: list[float | None] = []

    def chatter(config: dict[str, Any]) -> str:
        for logger in loggers:
            logger.warning("Retrying in 1s")
        limits.append(socket.getdefaulttimeout())
        return str(tmp_path / "x.pt")

    monkeypatch.setattr(downloads, "get_session", lambda: Session(answers=True))
    monkeypatch.setattr(downloads, "download_pretrained", chatter)
    assert published_weights(ENTRY) == tmp_path / "x.pt"
    assert "Retrying" not in "".join(capfd.readouterr())
    assert limits[0] is not None and socket.getdefaulttimeout() is None
    assert [logging.getLogger(name).level for name in ("huggingface_hub", "urllib3")] == levels

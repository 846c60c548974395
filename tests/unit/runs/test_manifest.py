from __future__ import annotations

import os
from pathlib import Path

import pytest

from ttd_core.errors import DataError, WeightsError
from ttd_core.runs import digest_files
from ttd_core.runs.manifest import provenance


def test_provenance_names_versions_without_loading_packages() -> None:
    found = provenance()
    assert found["packages"]["pyyaml"] and found["ttd"] and found["python"].count(".") == 2


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    (tmp_path / "c").write_bytes(b"2")
    a, b, c = (digest_files([tmp_path / name]) for name in "abc")
    assert a == b != c and len(a or "") == 64
    assert digest_files([]) is None
    assert digest_files([tmp_path / "a", tmp_path / "c"]) != digest_files([tmp_path / "c", tmp_path / "a"])


def test_missing_files_are_named() -> None:
    with pytest.raises(DataError, match="absent.tsv: no such file"):
        digest_files([Path("absent.tsv")])
    with pytest.raises(WeightsError, match=r"absent.pt: no such file"):
        digest_files([Path("absent.pt")], WeightsError)


def test_a_pipe_instead_of_weights_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="regular file"):
        digest_files([tmp_path / "w.pt"], WeightsError)

"""File stems of samples: unique, relative and safe."""

from __future__ import annotations

import pytest

from ttd_core.recipes.products import Stems, safe_name


def test_stems_lose_the_picture_suffix_and_stay_unique() -> None:
    stems = Stems()
    assert [stems.stem(key) for key in ("a/b.jpg", "a/b.png", "a/b.png")][:2] == ["a/b", "a/b.png"]
    assert len({Stems(["x"]).stem("x.jpg"), "x"}) == 2


@pytest.mark.parametrize(
    "key", ["..", "../../etc/passwd", "/root/x", "a\nb", "\udcff", "-rf", "", "x" * 5000, "ä" * 300]
)
def test_no_key_leaves_the_folder_or_breaks_a_file_system(key: str) -> None:
    stem = Stems().stem(key)
    assert not stem.startswith(("/", "-"))
    for part in stem.split("/"):
        assert part not in ("", ".", "..")
        assert len(part.encode("utf-8")) <= 200
        assert "\n" not in part


def test_long_names_that_differ_at_the_end_stay_different() -> None:
    assert safe_name("x" * 400 + "a") != safe_name("x" * 400 + "b")

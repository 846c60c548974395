"""Every awkward picture is decoded right or refused in one clear line, and never padded, guessed or waited for."""

from __future__ import annotations

import os
import socket
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.support.make_bad_images import CORNERS, ImageCase, drawing, encode, image_cases, orientations
from ttd_core.data.images import load_picture
from ttd_core.errors import ImageError

CASES = [case for seed in (0, 5) for case in image_cases(seed)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_picture_is_accepted_or_refused_as_it_should(case: ImageCase, tmp_path: Path) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a library's warning is noise that the user cannot act on
        if case.skip is not None:
            with pytest.raises(ImageError) as caught:
                load_picture(path)
            assert case.skip in caught.value.message
            assert case.name in caught.value.message
            assert "\n" not in caught.value.message
            return
        picture = load_picture(path)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape[2] == 3
    assert picture.size == case.size
    if case.mean is not None:
        np.testing.assert_allclose(picture.pixels.reshape(-1, 3).mean(0), case.mean, atol=case.tolerance)


@pytest.mark.parametrize("case", [c for c in orientations() if "broken" not in c.name], ids=lambda case: case.name)
def test_picture_is_turned_upright(case: ImageCase) -> None:
    pixels = load_picture(case.data).pixels.astype(int)
    for (row, column), colour in CORNERS.items():
        corner = pixels[2 if row == 0 else -3, 2 if column == 0 else -3]
        assert np.abs(corner - colour).max() <= 24


def test_first_and_last_column_of_16_bit_grey_are_black_and_white() -> None:
    case = next(case for case in CASES if case.name == "grey16.png")
    pixels = load_picture(case.data).pixels
    assert (pixels[:, 0] == 0).all()
    assert (pixels[:, -1] == 255).all()


def test_a_lower_limit_refuses_from_the_header() -> None:
    data = encode(drawing(0, 40, 50), "PNG")
    assert load_picture(data, max_pixels=2000).size == (40, 50)
    with pytest.raises(ImageError, match="50 x 40"):
        load_picture(data, max_pixels=1999)


def test_pixels_can_be_written_to() -> None:
    pixels = load_picture(encode(drawing(0), "PNG")).pixels
    pixels[0, 0] = 7
    assert pixels.flags.owndata


def test_damaged_pictures_do_not_disturb_others_in_other_threads() -> None:
    good = encode(drawing(3), "PNG")
    pile = [good, b"", good, good[:200], *[case.data for case in CASES[:20]]] * 4

    def load(data: bytes) -> np.ndarray | None:
        try:
            return load_picture(data).pixels
        except ImageError:
            return None

    expected = load_picture(good).pixels
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(load, pile))
    assert warnings.filters == before
    for data, pixels in zip(pile, results, strict=True):
        if data == good:
            np.testing.assert_array_equal(pixels, expected)


NAMES = [
    b"with space.jpg", b" ends .jpg", b"it's \"quoted\".jpg", b"[a].jpg", b"[/red].jpg", b"new\nline.jpg", b"tab\t.jpg",
    b"-rf.jpg", b"--help", b"bytes_\xff\xfe.jpg", "dog_\U0001f436.jpg".encode(), b"n" * 246 + b".jpg",
    "cafe\u0301.jpg".encode(), b"glob*?.jpg", b"%s{0}$HOME`x`.jpg", b"back\\slash.jpg", b"esc\x1b[31m.jpg", b".dot.jpg",
    "\u202egpj.exe".encode(), b"http:colon.jpg", b"a,b.jpg",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_file_name_works_and_prints_on_one_safe_line(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)  # `[/red]` holds a slash
    path.write_bytes(encode(drawing(1), "JPEG"))
    assert load_picture(path).size == (62, 97)
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError) as caught:
        load_picture(path)
    caught.value.message.encode("utf-8")
    assert caught.value.message.isprintable()


def special_files(folder: Path) -> dict[str, str]:
    """Names of things that are no picture files -> a word of the message."""
    (folder / "folder.jpg").mkdir()
    (folder / "loop_a.jpg").symlink_to("loop_b.jpg")
    (folder / "loop_b.jpg").symlink_to("loop_a.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "endless.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.jpg")
    with (folder / "sparse.jpg").open("wb") as sparse:
        sparse.truncate(8 << 30)
    return {
        "folder.jpg": "folder", "loop_a.jpg": "cannot be opened", "loop_b.jpg": "cannot be opened",
        "dangling.jpg": "link", "endless.jpg": "device", "pipe.jpg": "pipe", "sparse.jpg": "bytes",
        "none.jpg": "no such",
    }  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
def test_special_files_are_refused_without_waiting(tmp_path: Path) -> None:
    for name, word in special_files(tmp_path).items():
        with pytest.raises(ImageError, match=word):
            load_picture(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # addresses of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock.jpg")
        with pytest.raises(ImageError, match=r"sock\.jpg"):
            load_picture("sock.jpg")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "locked.jpg"
    path.write_bytes(encode(drawing(1), "JPEG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="no permission"):
        load_picture(path)


def test_a_link_to_a_good_picture_is_followed(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encode(drawing(1), "PNG"))
    (tmp_path / "link.png").symlink_to("good.png")
    assert load_picture(tmp_path / "link.png").size == (62, 97)

"""Archives: what is read of them, what is refused, and that nothing is lost in silence."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.support.tiny_pairs import picture_bytes, sample_members, write_tar
from ttd_core.data import webdataset, webdataset_tar
from ttd_core.data.pairs import BadPair, Pair, PairShard
from ttd_core.data.placed_pairs import PlacedPair
from ttd_core.data.webdataset import TarPairs, json_caption
from ttd_core.errors import DataError

BLOCK = 512


def read(path: Path) -> list[Pair | BadPair]:
    """What is in an archive; asked for places only, it says the same of everything, damage included."""
    shard = PairShard(path.stem, str(path))
    source = TarPairs("test", (shard,))
    try:
        found = list(source.read(shard))
    except DataError as error:
        with pytest.raises(DataError, match=re.escape(error.message)):
            list(source.places(shard))
        raise
    assert [pair.load() if isinstance(pair, PlacedPair) else pair for pair in source.places(shard)] == found
    return found


def keys(pairs: list[Pair | BadPair]) -> list[str]:
    return [pair.key for pair in pairs if isinstance(pair, Pair)]


def bad(pairs: list[Pair | BadPair]) -> list[tuple[str, str]]:
    return [(pair.key, pair.status) for pair in pairs if isinstance(pair, BadPair)]


def test_samples_come_with_key_caption_and_encoded_picture(tmp_path: Path) -> None:
    pairs = read(write_tar(tmp_path / "a.tar", sample_members([3, 1])))
    assert keys(pairs) == ["000000003", "000000001"] and bad(pairs) == []
    first = pairs[0]
    assert isinstance(first, Pair)
    assert (first.caption, first.image) == ("a red vase and a yellow cake 3", picture_bytes(3, kind="JPEG"))
    assert first.origin == "a.tar:000000003"


def test_a_damaged_header_ends_the_archive_with_a_word(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", sample_members(range(4)))
    with tarfile.open(path) as archive:
        offset = archive.getmembers()[6].offset  # of the third sample
    data = bytearray(path.read_bytes())
    data[offset + 150] ^= 1  # within the checksum
    path.write_bytes(data)
    with tarfile.open(path) as archive:
        assert len(archive.getmembers()) == 6, "tarfile itself ends there without an error"
    pairs = read(path)
    assert keys(pairs) == ["000000000", "000000001"]
    assert bad(pairs) == [("", "archive damaged")]
    assert isinstance(pairs[-1], BadPair) and "after 6 members" in pairs[-1].message


@pytest.mark.parametrize("cut", [BLOCK // 2, BLOCK + 100])
def test_what_is_whole_before_a_cut_is_used(tmp_path: Path, cut: int) -> None:
    path = write_tar(tmp_path / "a.tar", sample_members(range(4)))
    with tarfile.open(path) as archive:
        offset = archive.getmembers()[6].offset
    path.write_bytes(path.read_bytes()[: offset + cut])
    pairs = read(path)
    assert keys(pairs) == ["000000000", "000000001"] and bad(pairs) == [("", "archive damaged")]


def test_a_sample_whose_caption_is_cut_off_is_not_used(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", sample_members(range(2)))
    with tarfile.open(path) as archive:
        offset = archive.getmembers()[5].offset  # the caption of the second
    path.write_bytes(path.read_bytes()[: offset + 100])
    assert keys(read(path)) == ["000000000"]


def test_missing_end_blocks_are_no_damage(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", sample_members(range(2)))
    path.write_bytes(path.read_bytes().rstrip(b"\0").ljust(BLOCK * 40, b"\0")[: 2 * 3 * 2 * BLOCK])
    pairs = read(path)
    assert len(keys(pairs)) == 2 and bad(pairs) == []


def test_joined_archives_do_not_lose_the_second_in_silence(tmp_path: Path) -> None:
    one, two = (write_tar(tmp_path / f"{n}.tar", sample_members([n])).read_bytes() for n in (1, 2))
    path = tmp_path / "both.tar"
    path.write_bytes(one + two)
    pairs = read(path)
    assert keys(pairs) == ["000000001"] and bad(pairs) == [("", "archive damaged")]


def test_gzip_is_recognised_by_content_and_its_cut_is_noticed(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", sample_members(range(30)), "w:gz")
    assert len(keys(read(whole))) == 30
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    pairs = read(whole)
    assert 0 < len(keys(pairs)) < 30 and bad(pairs) == [("", "archive damaged")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"just text " * 100, "no tar archive"),
        (b"\xfd7zXZ\0" + b"x" * 600, "compressed with xz"),
        (b"\0" * 10240, "no samples in it"),
    ],
)
def test_what_is_no_archive_is_one_error(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read(path)


def test_names_that_lead_out_are_refused_one_by_one(tmp_path: Path) -> None:
    picture = picture_bytes(1)
    members = [
        (name + end, data) for name in ("../up", "/abs", "ok") for end, data in ((".png", picture), (".txt", b"a dog"))
    ]
    pairs = read(write_tar(tmp_path / "a.tar", members))
    assert keys(pairs) == ["ok"]
    assert bad(pairs) == [("../up", "unsafe name"), ("/abs", "unsafe name")]


def test_links_and_devices_are_never_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("a.jpg", tarfile.SYMTYPE), ("b.jpg", tarfile.LNKTYPE), ("c.jpg", tarfile.CHRTYPE)):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, "/etc/hostname"
            archive.addfile(header)
            text = tarfile.TarInfo(name.replace("jpg", "txt"))
            text.size = 5
            archive.addfile(text, io.BytesIO(b"a dog"))
    assert bad(read(path)) == [(name, "link or device") for name in "abc"]


def test_a_key_that_comes_again_never_takes_parts_of_the_other(tmp_path: Path) -> None:
    again = [
        *sample_members([1]),
        *sample_members([2]),
        ("000000001.jpg", picture_bytes(9)),
        ("000000001.txt", b"other"),
    ]
    pairs = read(write_tar(tmp_path / "a.tar", again))
    assert keys(pairs) == ["000000001", "000000002"] and bad(pairs) == [("000000001", "key repeated")]
    first = pairs[0]
    assert isinstance(first, Pair) and first.caption.endswith("cake 1")


def test_an_archive_that_is_not_grouped_gives_nothing_wrong(tmp_path: Path) -> None:
    members = sorted(sample_members(range(3)), key=lambda member: member[0].rpartition(".")[2])
    pairs = read(write_tar(tmp_path / "a.tar", members))
    assert keys(pairs) == [] and ("000000000", "key repeated") in bad(pairs)


def test_the_same_ending_twice_is_a_second_sample(tmp_path: Path) -> None:
    pairs = read(write_tar(tmp_path / "a.tar", [*sample_members([1]), *sample_members([1])]))
    assert keys(pairs) == ["000000001"] and bad(pairs) == [("000000001", "key repeated")]


def test_keys_end_at_the_last_dot_and_lose_a_leading_folder_mark(tmp_path: Path) -> None:
    picture = picture_bytes(1)
    members = [
        (f"{name}{end}", data)
        for name in ("./v1.2_a.final", "part/b_c")
        for end, data in ((".PNG", picture), (".TXT", b"a dog"))
    ]
    members += [("._b_c.png", b"mac"), ("__MACOSX/x.png", b"mac"), ("README.md", b"?"), ("x.npy", b"?")]
    pairs = read(write_tar(tmp_path / "a.tar", members))
    assert keys(pairs) == ["v1.2_a.final", "part/b_c"] and bad(pairs) == []


def test_of_two_pictures_the_first_ending_of_the_list_counts(tmp_path: Path) -> None:
    members = [("a.png", picture_bytes(1)), ("a.jpg", picture_bytes(2, kind="JPEG")), ("a.txt", b"a dog")]
    (pair,) = read(write_tar(tmp_path / "a.tar", members))
    assert isinstance(pair, Pair) and pair.image == members[1][1]


def test_missing_parts_are_named_by_key(tmp_path: Path) -> None:
    picture = picture_bytes(1)
    members = [
        ("a.png", picture), ("b.txt", b"a dog"), ("c.png", picture), ("c.txt", b"  \n"), ("d.png", picture),
        ("d.txt", b"caf\xe9"), ("e.png", picture), ("e.json", b"{"), ("f.png", picture),
        ("f.json", b'{"caption": "a cat"}'),
    ]  # fmt: skip
    pairs = read(write_tar(tmp_path / "a.tar", members))
    assert keys(pairs) == ["f"]
    assert bad(pairs) == [
        ("a", "no caption"), ("b", "no picture"), ("c", "no caption"), ("d", "caption unreadable"),
        ("e", "caption unreadable"),
    ]  # fmt: skip


def test_oversized_members_are_passed_over_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(webdataset._MOST, "txt", 100)
    members = [*sample_members([1]), ("big.png", picture_bytes(1)), ("big.txt", b"a" * 101), *sample_members([2])]
    pairs = read(write_tar(tmp_path / "a.tar", members))
    assert len(keys(pairs)) == 2 and bad(pairs) == [("big", "member too large")]


def test_a_giant_extended_header_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset_tar, "MAX_HEADER", 1000)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("a.png", "b" * 2000 + ".png"):
            header = tarfile.TarInfo(name)
            archive.addfile(header)
    assert bad(read(path)) == [("", "archive damaged")]


def test_long_names_of_both_formats_are_read(tmp_path: Path) -> None:
    for style in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / "a.tar"
        key = "k" * 150 + "é"
        with tarfile.open(path, "w", format=style) as archive:
            for name, data in ((f"{key}.png", picture_bytes(1)), (f"{key}.txt", b"a dog")):
                header = tarfile.TarInfo(name)
                header.size = len(data)
                archive.addfile(header, io.BytesIO(data))
        assert keys(read(path)) == [key]


def test_captions_of_records_are_found_or_refused() -> None:
    assert json_caption(json.dumps({"text": "b", "caption": " a "}).encode()) == "a"
    assert json_caption(b'"plain"') == "plain" and json_caption(b'{"caption": 3}') == ""
    for broken in (b"{", b"\xff\xff", b"[" * 100_000):
        with pytest.raises(ValueError):
            json_caption(broken)

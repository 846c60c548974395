"""What `--data` may name, and that its shards are the same pairs whichever way they are read."""

from __future__ import annotations

import csv
import json
import os
import pickle
from pathlib import Path

import pytest

from tests.support.tiny_pairs import picture_bytes, sample_members, write_folder, write_layout, write_tar
from ttd_core.data import pair_folders, pair_lists
from ttd_core.data.pair_patterns import archive_paths, shard_names
from ttd_core.data.pair_sources import open_pairs, source_digest
from ttd_core.data.pairs import BadPair, Pair, PairSource
from ttd_core.data.rows import BadRow, Columns
from ttd_core.errors import DataError, UsageError

CAPTIONS = ["a dog", 'a "red"\nball', "x, y", 'a 6" pipe', "zwei Bäume"]


def everything(source: PairSource) -> list[Pair | BadRow]:
    travelled: PairSource = pickle.loads(pickle.dumps(source))
    return [pair for shard in travelled.shards for pair in travelled.read(shard)]


def captions(source: PairSource) -> list[str]:
    return [pair.caption for pair in everything(source) if isinstance(pair, Pair)]


@pytest.fixture
def rows() -> list[tuple[str, str]]:
    return [(f"img/{number}.jpg", f"{CAPTIONS[number % 5]} {number}") for number in range(23)]


def write_list(path: Path, rows: list[tuple[str, str]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"image": a, "caption": b}) + "\n" for a, b in rows))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(
            pa.table({"image": [a for a, _ in rows], "caption": [b for _, b in rows]}), path, row_group_size=7
        )
    else:
        with path.open("w", newline="") as stream:
            if path.suffix == ".csv":
                csv.writer(stream).writerows([("image", "caption"), *rows])
            else:
                stream.write("\nimage\tcaption\n" + "".join(f"{a}\t{b}\n" for a, b in rows).replace('"\n', '" '))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_list_has_the_same_rows_however_it_is_cut(
    tmp_path: Path, rows: list[tuple[str, str]], kind: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_lists, "ROWS", size)
    source = open_pairs(str(write_list(tmp_path / f"my list.{kind}", rows)))
    assert len(source.shards) == -(-23 // size) and getattr(source, "rows", 0) == 23
    assert len({shard.name for shard in source.shards}) == len(source.shards)
    expected = [text.replace('"\n', '" ') if kind == "tsv" else text for _, text in rows]
    found = everything(source)
    assert [pair.caption for pair in found if isinstance(pair, Pair)] == expected
    assert [pair.key for pair in found if isinstance(pair, Pair)] == [name for name, _ in rows]
    assert [pair.image for pair in found if isinstance(pair, Pair)] == [tmp_path / name for name, _ in rows]
    if kind == "jsonl":
        assert [pair.origin.rpartition(":")[2] for pair in found] == [str(number) for number in range(1, 24)]


def test_bad_rows_are_named_by_their_line_in_the_whole_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_lists, "ROWS", 2)
    path = tmp_path / "list.tsv"
    path.write_text("image\tcaption\na.jpg\tone\nb.jpg\ttwo\nc.jpg\tthree\nd.jpg\n\t\n../e.jpg\tfive\nf.jpg\t \n")
    found = everything(open_pairs(str(path)))
    bad = [
        (pair.origin.rpartition(":")[2], pair.key, pair.status, pair.message.split()[0])
        for pair in found
        if isinstance(pair, BadPair)
    ]
    assert bad == [
        ("5", "line 5", "row unusable", "has"),
        ("7", "line 7", "row unusable", "image"),
        ("8", "f.jpg", "no caption", "has"),
    ]


def test_a_broken_line_at_the_start_of_a_shard_spoils_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_lists, "ROWS", 2)
    path = tmp_path / "list.jsonl"
    good = [json.dumps({"image": f"{n}.jpg", "text": f"t{n}"}) for n in range(3)]
    path.write_text("\n".join([good[0], good[1], '[{"image": 1}]', good[2], "[", ""]))
    found = everything(open_pairs(str(path)))
    assert [pair.caption for pair in found if isinstance(pair, Pair)] == ["t0", "t1", "t2"]
    assert [pair.key for pair in found if isinstance(pair, BadPair)] == ["line 3", "line 5"]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.csv", "image,caption\n", "no rows"),
        ("b.jsonl", "", "no rows"),
        ("c.tsv", "URL\tTEXT\nx\ty\n", "no image column"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_when_it_is_opened(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=complaint):
        open_pairs(str(tmp_path / name))


def test_columns_and_root_of_a_list_are_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("URL,TEXT,no\na/b.jpg,a dog,7\n")
    source = open_pairs(str(path), tmp_path / "pics", Columns(image="url", text="text", id="no"))
    (pair,) = everything(source)
    assert pair == Pair("7", "a dog", tmp_path / "pics" / "a/b.jpg", f"{path}:2")


def test_braces_name_archives_whether_they_are_there_or_not(tmp_path: Path) -> None:
    write_tar(tmp_path / "00008.tar", sample_members([1]))
    write_tar(tmp_path / "00010.tar", sample_members([2]))
    source = open_pairs(f"{tmp_path}/{{00008..00010}}.tar")
    assert [shard.name for shard in source.shards] == ["00008", "00009", "00010"]
    assert len(list(source.read(source.shards[0]))) == 1
    with pytest.raises(DataError, match=r"00009\.tar: no such file"):
        list(source.read(source.shards[1]))


def test_wildcards_alternatives_and_folders_name_archives(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_tar(tmp_path / folder / "0.tar", sample_members([1]))
    write_tar(tmp_path / "b" / "1.tar.gz", sample_members([2]), "w:gz")
    assert [s.name for s in open_pairs(f"{tmp_path}/*/0.tar").shards] == ["a-0", "b-0"]
    assert [s.name for s in open_pairs(f"{tmp_path}/{{b,a}}/0.tar").shards] == ["b-0", "a-0"]
    assert [s.name for s in open_pairs(str(tmp_path / "b")).shards] == ["0", "1"]


def test_counts_that_img2dataset_leaves_are_taken_for_the_bar(tmp_path: Path) -> None:
    for number in range(2):
        write_tar(tmp_path / f"{number}.tar", sample_members([number]))
        (tmp_path / f"{number}_stats.json").write_text(json.dumps({"count": 9, "successes": 7 + number}))
    assert getattr(open_pairs(f"{tmp_path}/{{0..2}}.tar"), "rows", None) == 15
    (tmp_path / "1_stats.json").write_text("[")
    assert getattr(open_pairs(f"{tmp_path}/{{0..2}}.tar"), "rows", 0) is None


def test_numbers_count_with_and_without_zeros(tmp_path: Path) -> None:
    (tmp_path / "s8.tar").write_bytes(b"")
    (tmp_path / "s010.tar").write_bytes(b"")
    assert [p.name for p in archive_paths(f"{tmp_path}/s{{8..11}}.tar")] == ["s8.tar", "s9.tar", "s10.tar", "s11.tar"]
    assert [p.name for p in archive_paths(f"{tmp_path}/s{{009..010}}.tar")] == ["s009.tar", "s010.tar"]


@pytest.mark.parametrize(
    ("data", "error", "complaint"),
    [
        ("nowhere/{0..3}.tar", DataError, "no such archive"),
        ("nowhere/*.tar", DataError, "no such archive"),
        ("{5..1}.tar", UsageError, "expected upwards"),
        ("s3://bucket/{0..3}.tar", UsageError, "is an address"),
        ("cc3m", UsageError, "needs --root"),
        ("coco", UsageError, "is unknown"),
        ("nowhere/list.csv", DataError, "no such file"),
    ],
)
def test_data_that_is_not_there_is_one_clear_error(data: str, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        open_pairs(data)


def test_shard_names_are_unique_and_safe() -> None:
    paths = [Path(name) for name in ("x/a b.tar", "y/a b.tar", "y/ä.tar", "z/ö.tar", "A B.tar")]
    names = shard_names(paths)
    assert len({name.lower() for name in names}) == 5
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") for name in names)


def test_a_folder_takes_captions_beside_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_folders, "ROWS", 2)
    folder = write_folder(tmp_path / "my pics", 3)
    (folder / "alone.png").write_bytes(picture_bytes(7))
    source = open_pairs(str(folder))
    assert [shard.name for shard in source.shards] == ["my-pics-00000", "my-pics-00001"]
    found = everything(source)
    assert [pair.key for pair in found if isinstance(pair, Pair)] == ["0000.png", "0001.png", "0002.png"]
    assert captions(source)[0] == "picture 0 of a dog"
    assert [(pair.key, pair.status) for pair in found if isinstance(pair, BadPair)] == [("alone.png", "no caption")]


def test_the_published_layout_is_read_by_name(tmp_path: Path) -> None:
    for name, split in (("cc3m", "train"), ("cc3m", "validation"), ("cc12m", "train")):
        write_layout(tmp_path, name, split, 2)
    assert captions(open_pairs("cc3m", tmp_path)) == ["cc3m train 0", "cc3m train 1"]
    assert captions(open_pairs("cc3m:validation", tmp_path)) == ["cc3m validation 0", "cc3m validation 1"]
    both = open_pairs("cc3m+cc12m", tmp_path)
    assert [shard.name for shard in both.shards] == ["cc3m-train-00000", "cc12m-train-00000"]
    assert captions(both) == ["cc3m train 0", "cc3m train 1", "cc12m train 0", "cc12m train 1"]
    assert captions(open_pairs(str(tmp_path / "cc12m" / "train"))) == ["cc12m train 0", "cc12m train 1"]
    with pytest.raises(DataError, match="no such folder"):
        open_pairs("cc12m", tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="no split"):
        open_pairs("cc12m:validation", tmp_path)


def test_records_without_a_caption_are_named(tmp_path: Path) -> None:
    base = write_layout(tmp_path, "cc3m", "train", 4) / "cc3m" / "train" / "json"
    (base / "00001.json").write_text("{}")
    (base / "00002.json").write_text("{")
    (base / "00003.json").unlink()
    found = everything(open_pairs("cc3m", tmp_path))
    assert [pair.status for pair in found if isinstance(pair, BadPair)] == [
        "no caption",
        "caption unreadable",
        "no caption",
    ]


def test_digests_tell_data_apart(tmp_path: Path) -> None:
    one, two = write_folder(tmp_path / "a", 2), write_folder(tmp_path / "b", 2)
    before = source_digest(open_pairs(str(one)))
    assert before != source_digest(open_pairs(str(two)))
    write_folder(one, 1, start=2)
    assert before != source_digest(open_pairs(str(one)))


def test_names_that_are_no_text_are_refused_everywhere(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pics", 1)
    picture = os.fsencode(folder / "caf") + b"\xe9"
    for ending, data in ((b".png", picture_bytes(1)), (b".txt", b"a dog")):
        with open(picture + ending, "wb") as stream:
            stream.write(data)
    write_tar(tmp_path / "a.tar", [(f"caf\udce9{end}", b"a dog") for end in (".png", ".txt")])
    (tmp_path / "a.jsonl").write_text('{"image": "caf\\udce9.png", "text": "a dog"}\n')
    for data in ("pics", "a.tar", "a.jsonl"):
        found = everything(open_pairs(str(tmp_path / data)))
        assert [pair.status for pair in found if isinstance(pair, BadPair)] == ["unsafe name"], data

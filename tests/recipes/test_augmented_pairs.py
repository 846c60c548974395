"""Shards as a training reads them: the same pairs and views however they are cut and read, whatever is broken."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.models import ListReporter
from tests.support.tiny_pairs import picture_bytes, sample_members, write_folder, write_tar
from ttd_core.data.augmentation.views import CROP, NONE, PUBLISHED, Augmentation, View
from ttd_core.data.pair_sources import open_pairs
from ttd_core.errors import DataError
from ttd_core.recipes.augmented_pairs import NAMED_PICTURES, AugmentedPairs, ViewBatch
from ttd_core.recipes.train_ttd_data import Ahead
from ttd_core.training.share import Share


def pairs(
    data: Path | str, batch: int = 6, kind: str = PUBLISHED, reporter: ListReporter | None = None, workers: int = 0
) -> AugmentedPairs:
    source = open_pairs(str(data))
    return AugmentedPairs(source, None, Augmentation(kind, 16), batch, 0, reporter or ListReporter(), workers)


def four_archives(folder: Path, each: int = 7) -> str:
    for number in range(4):
        write_tar(folder / f"{number:05d}.tar", sample_members(range(number * each, (number + 1) * each)))
    return str(folder / "{00000..00003}.tar")


def flat(batches: Sequence[ViewBatch]) -> list[tuple[str, bytes, bytes]]:
    def noise(view: View) -> bytes:
        return b"" if view.erased is None else bytes((view.erased.top, view.erased.left)) + view.erased.noise.tobytes()

    return [
        (caption, view.pixels.tobytes(), noise(view))
        for batch in batches
        for caption, view in zip(batch.captions, batch.views, strict=True)
    ]


def read(found: AugmentedPairs, steps: Sequence[int], parts: int = 1) -> list[tuple[str, bytes, bytes]]:
    return flat([found.share(step, Share(part, parts)) for step in steps for part in range(parts)])


def test_processes_and_parts_and_a_new_start_see_what_one_walk_sees(tmp_path: Path) -> None:
    data = four_archives(tmp_path)
    walked = read(pairs(data), range(9))  # into the third pass
    assert read(pairs(data), range(9), parts=2) == walked
    assert read(pairs(data), range(6, 9)) == walked[36:]  # taken up at step 6
    first, second = pairs(data), pairs(data)  # two processes, each with its half of every step
    halves = [flat([one.share(7, Share(part, 2))]) for part, one in enumerate((first, second))]
    assert halves[0] + halves[1] == walked[42:48]


def test_workers_make_no_difference(tmp_path: Path) -> None:
    data = four_archives(tmp_path)
    expected = read(pairs(data, batch=20), range(4))
    with pairs(data, batch=20, workers=2) as found:
        ahead = Ahead(found.share, [Share(0, 2), Share(1, 2)], 4)
        assert flat([ahead(step, Share(part, 2)) for step in range(4) for part in range(2)]) == expected
    with pairs(data, batch=20, workers=1) as found:
        assert read(found, [3]) == expected[60:]


def test_a_pass_shows_every_pair_once_and_its_views_are_new_in_the_next(tmp_path: Path) -> None:
    found = pairs(four_archives(tmp_path), batch=2)
    apart = set(found.held_out.captions)
    assert len(apart) == len(found.held_out.pictures) == 2 and found.total is None
    first, second = read(found, range(13)), read(found, range(13, 26))
    assert found.total == 26
    captions = [caption for caption, _, _ in first]
    assert len(set(captions)) == 26 and not apart & set(captions)
    assert sorted(captions) == sorted(caption for caption, _, _ in second)
    again = {caption: view for caption, view, _ in second}
    assert sum(again[caption] != view for caption, view, _ in first) >= 20  # pictures are small and of two colours


def test_missing_archives_of_a_pattern_are_left_out_with_one_line(tmp_path: Path) -> None:
    four_archives(tmp_path)
    reporter = ListReporter()
    found = pairs(tmp_path / "{00000..00347}.tar", batch=2, reporter=reporter)
    assert reporter.warnings == ["344 of 348 archives are missing and left out"]
    assert len({caption for caption, _, _ in read(found, range(13))}) == 26
    assert found.digest() == pairs(tmp_path / "{00000..00003}.tar").digest()


def test_patterns_joined_by_a_plus_are_one_set(tmp_path: Path) -> None:
    for name, first in (("cc3m", 0), ("cc12m", 10)):
        (tmp_path / name).mkdir()
        write_tar(tmp_path / name / "00000.tar", sample_members(range(first, first + 4)))
    source = open_pairs("+".join(f"{tmp_path}/{name}/{{00000..00001}}.tar" for name in ("cc3m", "cc12m")))
    assert source.name == "cc3m+cc12m"
    assert [shard.name for shard in source.shards] == ["cc3m-00000", "cc3m-00001", "cc12m-00000", "cc12m-00001"]
    reporter = ListReporter()
    found = AugmentedPairs(source, None, Augmentation(NONE, 16), 4, 0, reporter)
    assert len({caption for caption, _, _ in read(found, range(2))}) == 8
    assert reporter.warnings == ["2 of 4 archives are missing and left out"]


def test_member_names_and_captions_of_other_tools_are_read(tmp_path: Path) -> None:
    members = []
    for number, (picture, text) in enumerate([("jpg", "txt"), ("jpeg", "text"), ("png", "TXT"), ("JPG", "txt")]):
        members += [(f"{number}.{picture}", picture_bytes(number)), (f"{number}.{text}", f"number {number}".encode())]
    members += [("4.bmp", picture_bytes(4)), ("4.txt", b"wrong picture"), ("5.jpg", picture_bytes(5)), ("5.cls", b"3")]
    write_tar(tmp_path / "a.tar", members)
    reporter = ListReporter()
    seen = {caption for caption, _, _ in read(pairs(tmp_path / "a.tar", 4, reporter=reporter), [0])}
    assert seen == {f"number {number}" for number in range(4)}
    said = "\n".join(reporter.warnings)
    assert "a.tar:4: has no picture" in said and "a.tar:5: has no caption" in said and len(reporter.warnings) == 2


def test_many_unusable_samples_of_a_shard_are_counted(tmp_path: Path) -> None:
    members = sample_members(range(4)) + [(f"x{number}.jpg", b"") for number in range(9)]
    write_tar(tmp_path / "a.tar", members)
    reporter = ListReporter()
    read(found := pairs(tmp_path / "a.tar", 4, reporter=reporter), range(3))
    assert len(reporter.warnings) == 4 and reporter.warnings[-1] == "left out 6 more pairs of a (no caption: 9)"
    assert found.total == 4


def test_truncated_and_foreign_archives_cost_their_pairs_and_not_the_training(tmp_path: Path) -> None:
    four_archives(tmp_path)
    whole = (tmp_path / "00001.tar").read_bytes()
    (tmp_path / "00001.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "00002.tar").write_bytes(b"no archive")
    reporter = ListReporter()
    found = pairs(tmp_path, batch=2, reporter=reporter)
    seen = {caption for caption, _, _ in read(found, range(20))} | set(found.held_out.captions)
    assert found.total is not None and 14 < len(seen) < 21 and len(seen) == found.total + len(found.held_out)
    assert len(reporter.warnings) == 2 and "00001.tar: damaged or cut short" in "\n".join(reporter.warnings)
    assert any(warning.startswith("left out shard 00002: ") for warning in reporter.warnings)
    for name in ("00000", "00001", "00003"):
        (tmp_path / f"{name}.tar").unlink()
    with pytest.raises(DataError, match="00002.tar: no tar archive"):
        pairs(tmp_path)


def test_a_single_archive_without_one_usable_pair_is_an_error_and_each_reason_a_warning(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [(f"x{number}.jpg", b"") for number in range(2)])
    found = pairs(tmp_path / "a.tar", reporter=(reporter := ListReporter()))
    with pytest.raises(DataError, match="there is no pair to train on"):
        found.share(0, Share())
    assert [warning for warning in reporter.warnings if "has no caption" in warning] == reporter.warnings
    assert len(reporter.warnings) == 2


def test_fewer_pairs_than_a_batch_are_shown_twice_and_said_so_once(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", sample_members(range(4)))
    reporter = ListReporter()
    assert len({caption for caption, _, _ in read(pairs(tmp_path / "a.tar", 6, reporter=reporter), range(3))}) == 4
    assert reporter.warnings == ["4 pairs to train on are fewer than the batch of 6: it shows some twice"]
    assert reporter.hints == ["--batch-size 4 or less"]
    read(pairs(tmp_path / "a.tar", 4, reporter=(quiet := ListReporter())), range(3))
    assert not quiet.warnings


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_that_cannot_be_decoded_are_named_once_and_replaced(tmp_path: Path, workers: int) -> None:
    members = sample_members(range(12))
    members[9] = (members[9][0], b"no picture")  # sample 3
    members[12] = (members[12][0], members[12][1][:-30])  # sample 4
    write_tar(tmp_path / "a.tar", members)
    reporter = ListReporter()
    with pairs(tmp_path / "a.tar", batch=11, reporter=reporter, workers=workers) as found:
        captions = [caption for caption, _, _ in read(found, range(5))]
    assert len(captions) == 55 and not {caption[-2:] for caption in captions} & {" 3", " 4"}
    assert len(reporter.warnings) == 2 and all("left out a.tar:00000000" in warning for warning in reporter.warnings)


def test_pictures_that_cannot_be_decoded_are_not_named_without_end(tmp_path: Path) -> None:
    members = [
        (name, data if name < "000000004" or not name.endswith("jpg") else b"x")
        for name, data in sample_members(range(60))
    ]
    write_tar(tmp_path / "a.tar", members)
    reporter = ListReporter()
    found = read(pairs(tmp_path / "a.tar", batch=10, reporter=reporter), range(12))
    assert len(found) == 120
    assert len(reporter.warnings) == NAMED_PICTURES + 1 and "not named any more" in reporter.warnings[-1]


def test_no_picture_that_can_be_used_is_an_error(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "a.tar", [(name, b"x" if name.endswith("jpg") else data) for name, data in sample_members(range(4))]
    )
    with pytest.raises(DataError, match="none of 4 pairs of the same shards has a picture"):
        pairs(tmp_path / "a.tar", batch=2).share(0, Share())


def test_an_archive_that_is_replaced_meanwhile_is_noticed(tmp_path: Path) -> None:
    data = four_archives(tmp_path)
    reporter = ListReporter()
    found = pairs(data, batch=2, reporter=reporter)
    found.share(0, Share())
    write_tar(tmp_path / "00000.tar", sample_members(range(300, 303)))
    with pytest.raises(DataError, match="pairs can be read, expected"):
        read(found, range(1, 40))
    assert any("changed while it was read" in warning for warning in reporter.warnings)


@pytest.mark.parametrize("kind", ["compressed", "folder"])
def test_compressed_archives_and_folders_are_read_the_same_way(tmp_path: Path, kind: str) -> None:
    if kind == "compressed":
        data = write_tar(tmp_path / "a.tar.gz", sample_members(range(9)), mode="w:gz")
    else:
        data = write_folder(tmp_path / "pictures", 9)
    expected = read(pairs(data, batch=3), range(4))
    assert len({caption for caption, _, _ in expected[:9]}) == 9
    with pairs(data, batch=3, workers=1) as found:
        assert read(found, range(4)) == expected


def test_crops_and_squares_reach_the_pixels(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 120, 200)).save(stream, "PNG")
    write_tar(tmp_path / "a.tar", [("0.png", stream.getvalue()), ("0.txt", b"a wall")])
    for kind in (CROP, NONE):
        (view,) = pairs(tmp_path / "a.tar", 1, kind).share(0, Share()).views
        assert np.array_equal(
            view.pixels, np.broadcast_to(np.array((9, 120, 200), np.uint8)[:, None, None], (3, 16, 16))
        )

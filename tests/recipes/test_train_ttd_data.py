"""Batches of a distillation: the same however they are cut, each pair once a pass, those kept apart never."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.models import ListReporter
from tests.support.tiny_pairs import sample_members, write_tar
from ttd_core.data.kept import Kept
from ttd_core.data.pair_sources import open_pairs
from ttd_core.data.rows import Columns
from ttd_core.errors import DataError
from ttd_core.recipes.scenes_pairs import CaptionedPictures
from ttd_core.recipes.train_ttd_data import Ahead, PairBatch, ScenePairs
from ttd_core.recipes.train_ttd_shards import NAMED, NAMED_PICTURES, ShardPairs
from ttd_core.training.share import Share

NOTHING = PairBatch(np.empty((0, 3, 8, 8), dtype=np.uint8), ())


def scenes(total: int = 10, batch: int = 4, seed: int = 0) -> ScenePairs:
    pictures = np.arange(total, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 8, 8), dtype=np.uint8)
    captions = [(f"first {number}", f"second {number}") for number in range(total)]
    return ScenePairs(CaptionedPictures(pictures, captions), NOTHING, batch, seed)


def list_of_pairs(folder: Path, total: int, broken: tuple[int, ...] = ()) -> Path:
    lines = ["image\tcaption"]
    for number in range(total):
        path = folder / f"{number}.png"
        Image.new("RGB", (20, 12), (number, 0, 0)).save(path)
        if number in broken:
            path.write_bytes(b"nothing")
        lines.append(f"{path.name}\tpicture {number}")
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return folder / "pairs.tsv"


def shards(path: Path, batch: int = 4, reporter: ListReporter | None = None, seed: int = 0) -> ShardPairs:
    return ShardPairs(open_pairs(str(path)), None, 8, batch, seed, reporter or ListReporter())


@pytest.mark.parametrize("kind", ["scenes", "list"])
def test_shares_of_a_step_make_up_its_batch(kind: str, tmp_path: Path) -> None:
    pairs = scenes() if kind == "scenes" else shards(list_of_pairs(tmp_path, 12))
    for step in (0, 2, 5):
        whole = pairs.share(step, Share())
        parts = [pairs.share(step, Share(part, 2)) for part in range(2)]
        assert whole.captions == parts[0].captions + parts[1].captions
        assert np.array_equal(whole.pictures, np.concatenate([part.pictures for part in parts]))


@pytest.mark.parametrize("kind", ["scenes", "list"])
def test_a_pass_shows_every_pair_once_in_an_order_of_its_own(kind: str, tmp_path: Path) -> None:
    pairs = scenes() if kind == "scenes" else shards(list_of_pairs(tmp_path, 11))
    assert pairs.total == 10
    seen = [int(picture[0, 0, 0]) for step in range(5) for picture in pairs.share(step, Share()).pictures]
    assert sorted(seen[:10]) == sorted(seen[10:]) == sorted(set(seen)) and seen[:10] != seen[10:]


def test_passes_over_archives_show_every_pair_once_with_its_own_picture(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    for name, keys in enumerate((range(3), range(3, 4), range(4, 9))):
        write_tar(tmp_path / f"{name}.tar", sample_members(keys))
        write_tar(tmp_path / "packed" / f"{name}.tar.gz", sample_members(keys), "w:gz")
    plain, packed = shards(tmp_path / "{0..2}.tar", batch=3), shards(tmp_path / "packed", batch=3)
    orders = set()
    for turn in range(4):
        batches = [plain.share(3 * turn + step, Share()) for step in range(3)]
        said = [caption for batch in batches for caption in batch.captions]
        assert len(set(said)) == 9
        orders.add(tuple(said))
        for step, batch in enumerate(batches):
            assert np.array_equal(batch.pictures, packed.share(3 * turn + step, Share()).pictures)
    assert len(orders) == 4


def test_another_seed_gives_other_batches_and_the_same_seed_the_same(tmp_path: Path) -> None:
    path = list_of_pairs(tmp_path, 12)
    first, again, other = (shards(path, seed=seed).share(1, Share()).captions for seed in (0, 0, 1))
    assert first == again != other
    assert scenes(seed=0).share(1, Share()).captions == scenes(seed=0).share(1, Share()).captions


def test_captions_of_a_scene_are_all_drawn_sooner_or_later() -> None:
    pairs = scenes(total=4)
    said = Counter(caption.split()[0] for step in range(20) for caption in pairs.share(step, Share()).captions)
    assert min(said["first"], said["second"]) > 20


def test_pairs_kept_apart_are_never_trained_on(tmp_path: Path) -> None:
    pairs = shards(list_of_pairs(tmp_path, 40))
    apart = set(pairs.held_out.captions)
    assert len(apart) == 4 and pairs.total == 36
    seen = {caption for step in range(20) for caption in pairs.share(step, Share()).captions}
    assert len(seen) == 36 and not seen & apart


def test_a_picture_that_cannot_be_read_is_named_once_and_another_takes_its_place(tmp_path: Path) -> None:
    reporter = ListReporter()
    pairs = shards(list_of_pairs(tmp_path, 10, broken=(3, 4)), reporter=reporter)
    for step in range(6):
        assert len(pairs.share(step, Share())) == 4
    left_out = [warning for warning in reporter.warnings if "left out" in warning]
    assert 1 <= len(left_out) <= 2 and len(set(left_out)) == len(left_out)


def test_pictures_that_cannot_be_read_are_not_named_without_end(tmp_path: Path) -> None:
    reporter = ListReporter()
    path = list_of_pairs(tmp_path, NAMED_PICTURES + 10, broken=tuple(range(NAMED_PICTURES + 5)))
    pairs = shards(path, reporter=reporter)
    for step in range(12):
        pairs.share(step, Share())
    assert len(reporter.warnings) == NAMED_PICTURES + 1
    assert "further pictures" in reporter.warnings[-1] and "ttd preprocess" in str(reporter.hints[-1])


def test_rows_that_cannot_be_used_are_named_and_the_rest_of_them_counted(tmp_path: Path) -> None:
    path = list_of_pairs(tmp_path, 12)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "3.png", *lines[4:], "3.png\t", "0.png", "a\tb\tc", "../x.png\tout"]) + "\n")
    reporter = ListReporter()
    assert shards(path, reporter=reporter).total == 11  # and one kept apart
    assert [warning for warning in reporter.warnings if not warning.startswith("left out")] == []
    assert len(reporter.warnings) == NAMED + 1 and f"{path}:5: has 1 value" in reporter.warnings[0]
    assert "left out 2 more pairs of pairs-00000 (" in reporter.warnings[-1]
    assert "no caption: 1" in reporter.warnings[-1] and "row unusable: 4" in reporter.warnings[-1]


def test_an_archive_that_cannot_be_read_is_left_out_beside_others_and_refused_alone(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", sample_members(range(4)))
    (tmp_path / "1.tar").write_bytes(b"")
    whole = write_tar(tmp_path / "2.tar", sample_members(range(4)))
    (tmp_path / "2.tar").write_bytes(whole.read_bytes()[:-12000])
    reporter = ListReporter()
    pairs = shards(tmp_path / "{0..2}.tar", reporter=reporter)
    said = "\n".join(reporter.warnings)
    assert "left out shard 1: " in said and "1.tar: is empty" in said and "2.tar: damaged or cut short" in said
    assert 4 < pairs.total < 8
    seen = {caption for step in range(6) for caption in pairs.share(step, Share()).captions}
    assert len(seen) == 4
    with pytest.raises(DataError, match="is empty"):
        shards(tmp_path / "1.tar")


def test_a_pruning_of_other_data_is_refused(tmp_path: Path) -> None:
    source = open_pairs(str(list_of_pairs(tmp_path, 4)))
    kept = Kept(tmp_path, "other.tsv", None, Columns(), 3, {"pairs-00000": 0, "other-00000": 3}, "")
    with pytest.raises(DataError, match="has no shard other-00000, of which .* keeps 3 pairs"):
        ShardPairs(source, kept, 8, 2, 0, ListReporter())


def test_pictures_are_cut_to_their_middle_square(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), dtype=np.uint8)
    pixels[:, 10:20] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    (tmp_path / "pairs.tsv").write_text("image\tcaption\nwide.png\ta square\n")
    batch = shards(tmp_path / "pairs.tsv", batch=2).share(0, Share())
    assert batch.pictures.shape == (2, 3, 8, 8) and (batch.pictures == 200).all()


def test_data_without_a_pair_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("image\tcaption\n")
    with pytest.raises(DataError, match="no rows"):
        shards(tmp_path / "pairs.tsv")


def test_what_comes_next_is_loaded_while_the_present_is_used() -> None:
    asked: list[tuple[int, int]] = []

    def load(step: int, share: Share) -> PairBatch:
        asked.append((step, share.part))
        return PairBatch(np.full((1, 3, 8, 8), step, dtype=np.uint8), (f"{step}/{share.part}",))

    ahead = Ahead(load, [Share(0, 2), Share(1, 2)], 2)
    order = [(step, part) for step in range(2) for part in range(2)]
    found = [ahead(step, Share(part, 2)).captions[0] for step, part in order]
    assert found == [f"{step}/{part}" for step, part in order]
    assert sorted(asked) == order

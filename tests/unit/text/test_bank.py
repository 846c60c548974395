"""The text bank: each text encoded once, kept on disk, never wrong because of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.support.models import ListReporter, tiny_backbone
from ttd_core.text.bank import TextBank
from ttd_core.text.prompts import template_set

TAGS = ["cat", "traffic light", "a photo"]


class Counting:
    """Forwards to a backbone and counts the prompts it is given."""

    def __init__(self, **info: Any) -> None:
        self._backbone = tiny_backbone()
        self.info = replace(self._backbone.info, **info)
        self.seen: list[str] = []

    def encode_images(self, images: torch.Tensor) -> Any:
        raise NotImplementedError

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        self.seen += texts
        return self._backbone.encode_texts(texts)


@pytest.mark.parametrize("each", [True, False])
def test_both_conventions_are_what_they_say(each: bool) -> None:
    backbone = Counting()
    got = TextBank(backbone).embed(TAGS, "custom", normalise_each=each)
    for row, tag in zip(got, TAGS, strict=True):
        raw = backbone.encode_texts([t.replace("{}", tag) for t in template_set("custom")])
        mean = (F.normalize(raw, dim=-1) if each else raw).mean(dim=0)
        torch.testing.assert_close(row, F.normalize(mean, dim=-1), rtol=1e-5, atol=1e-5)


def test_the_default_convention_is_the_models_own() -> None:
    for each in (True, False):
        bank = TextBank(Counting(normalise_templates=each))
        assert torch.equal(bank.embed(TAGS, "custom"), bank.embed(TAGS, "custom", normalise_each=each))


def test_a_long_list_is_encoded_in_parts_and_says_how_far_it_is() -> None:
    class Told(ListReporter):
        def status(self, message: str) -> None:
            said.append(message)

    said: list[str] = []
    names = [f"cat {number}" for number in range(40)]
    backbone = Counting()
    bank = TextBank(backbone, reporter=Told())
    found = bank.embed(names, "imagenet80")
    assert said == [f"encoding texts: {start} of 40" for start in (0, 12, 24, 36)] + [""]
    torch.testing.assert_close(found, TextBank(backbone).embed(names, "imagenet80"), rtol=0, atol=0)
    bank.embed(names, "imagenet80")
    bank.embed(["dog"], "imagenet80")
    assert len(said) == 5  # nothing to wait for


def test_each_prompt_is_encoded_once_per_process() -> None:
    backbone = Counting()
    bank = TextBank(backbone)
    first = bank.embed(["cat", "dog", "cat"], "subset")
    assert len(backbone.seen) == 2 * 7 and len(set(backbone.seen)) == 14
    again = bank.embed(["dog", "cat"], "subset")
    assert len(backbone.seen) == 14
    assert torch.equal(first[0], first[2]) and torch.equal(again[1], first[0])


def test_the_disk_serves_the_next_process(tmp_path: Path) -> None:
    first = TextBank(Counting(), tmp_path).embed(TAGS, "simple")
    later = Counting()
    assert torch.equal(TextBank(later, tmp_path).embed(TAGS, "simple"), first)
    assert later.seen == []


@pytest.mark.parametrize(
    "other", [{"weights_sha256": "0" * 64}, {"activation": "gelu"}], ids=["other weights", "other activation"]
)
def test_another_model_does_not_use_the_same_files(other: dict[str, str], tmp_path: Path) -> None:
    TextBank(Counting(), tmp_path).embed(TAGS, "simple")
    later = Counting(**other)
    TextBank(later, tmp_path).embed(TAGS, "simple")
    assert len(later.seen) == len(TAGS)


def test_template_sets_and_conventions_are_kept_apart_on_disk(tmp_path: Path) -> None:
    bank = TextBank(Counting(), tmp_path)
    kept = {(s, e): bank.embed(["cat"], s, normalise_each=e) for s in ("custom", "subset") for e in (True, False)}
    later = TextBank(Counting(), tmp_path)
    for (name, each), want in kept.items():
        assert torch.equal(later.embed(["cat"], name, normalise_each=each), want)
    assert len({tuple(v[0].tolist()) for v in kept.values()}) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "swapped"])
def test_a_damaged_file_is_computed_anew_and_mended(damage: str, tmp_path: Path) -> None:
    want = TextBank(Counting(), tmp_path).embed(["cat", "dog"], "simple")
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert len(files) == 2
    content = files[0].read_bytes()
    spoiled = {
        "cut": content[:-4],
        "flipped": content[:40] + b"\xff" + content[41:],
        "empty": b"",
        "swapped": b"x" * 99,
    }
    files[0].write_bytes(spoiled[damage])
    later = Counting()
    torch.testing.assert_close(TextBank(later, tmp_path).embed(["cat", "dog"], "simple"), want, rtol=1e-5, atol=1e-5)
    assert len(later.seen) == 1
    mended = Counting()
    TextBank(mended, tmp_path).embed(["cat", "dog"], "simple")
    assert mended.seen == []


def test_a_folder_that_cannot_be_written_is_reported_once_and_does_not_stop_the_work(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a file where the folder should be")
    reporter = ListReporter()
    got = TextBank(Counting(), tmp_path, reporter).embed(TAGS, "simple")
    assert got.shape == (3, 64)
    assert len(reporter.warnings) == 1


def test_captions_stay_in_memory_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    bank = TextBank(Counting(), tmp_path)
    bank.embed(["a very long caption that nobody will ever write a second time in this form", "cat"], "identity")
    names = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert len(names) == 1 and not names[0].endswith(".part")


def test_order_follows_the_request_and_odd_texts_are_no_obstacle() -> None:
    bank = TextBank(Counting())
    odd = ["{}", "", "naïve 犬", "\udcff"]
    rows = bank.embed([*odd, *reversed(odd)], "identity")
    assert torch.equal(rows[:4], rows[4:].flip(0))
    assert bank.embed([], "simple").shape == (0, 64)


def test_embeddings_may_enter_a_training_graph() -> None:
    rows = TextBank(Counting()).embed(TAGS, "simple")
    assert not rows.requires_grad and not rows.is_inference()
    weight = torch.ones(64, requires_grad=True)
    (rows * weight).sum().backward()
    assert weight.grad is not None

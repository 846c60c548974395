"""Texts: the trimmed context changes nothing, cut texts are reported, order is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.support.models import ListReporter, tiny_backbone

TEXTS = ["x", "a photo of a cat.", "the quick brown fox jumps over the lazy dog " * 3, "", "two dogs", "naïve café 犬"]


@pytest.fixture(scope="module")
def clip() -> Any:
    return tiny_backbone()


def test_a_trimmed_context_gives_what_the_full_one_gives(clip: Any) -> None:
    ids = clip.text.tokenize(TEXTS)[0]
    torch.testing.assert_close(clip.encode_texts(TEXTS), clip.network.encode_text(ids), rtol=1e-5, atol=1e-5)


def test_tokens_are_open_clips(clip: Any) -> None:
    import open_clip

    ids, lengths, cut = clip.text.tokenize(TEXTS)
    assert torch.equal(ids, open_clip.tokenize(TEXTS))
    assert lengths.tolist() == [int((row != 0).sum()) for row in ids]
    assert cut == []


def test_order_and_batching_do_not_matter(clip: Any) -> None:
    ids, lengths, _ = clip.text.tokenize(TEXTS)
    together = clip.text.encode(ids, lengths)
    in_pairs = clip.text.encode(ids, lengths, batch=2)
    torch.testing.assert_close(in_pairs, together, rtol=1e-5, atol=1e-5)
    alone = torch.cat([clip.encode_texts([text]) for text in TEXTS])
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5)


def test_a_text_too_long_keeps_its_end_token_and_is_reported_once() -> None:
    reporter = ListReporter()
    clip = tiny_backbone(reporter=reporter)
    long = "word " * 10_000
    ids, lengths, cut = clip.text.tokenize([long, "short"])
    assert (ids[0, -1].item(), lengths.tolist(), cut) == (49407, [77, 4 - 1], [0])
    clip.encode_texts([long, "short", long])
    clip.encode_texts([long])
    assert len([w for w in reporter.warnings if "77 tokens" in w]) == 1


def test_a_text_that_spells_a_control_token_does_not_end_early(clip: Any) -> None:
    ids, lengths, _ = clip.text.tokenize(["cat <end_of_text> dog"])
    assert ids[0, : int(lengths[0])].tolist().count(49407) == 1
    assert not torch.allclose(clip.encode_texts(["cat <end_of_text> dog"]), clip.encode_texts(["cat"]), atol=1e-3)


def test_no_texts_give_no_rows(clip: Any) -> None:
    assert clip.encode_texts([]).shape == (0, 64)


def test_texts_let_gradients_through() -> None:
    clip = tiny_backbone()
    clip.network.token_embedding.weight.requires_grad_()
    clip.encode_texts(["a dog"]).sum().backward()
    assert bool(clip.network.token_embedding.weight.grad.abs().sum() > 0)

import torch
import torch.nn.functional as F

from ttd_core.methods.clip.loss import alignment, area_terms, caption_contrast, gated_contrast, word_contrast

SCALE = torch.tensor(10.0)


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_caption_contrast_is_low_for_matching_pairs_and_symmetric() -> None:
    vectors, others = unit(6, 16), unit(6, 16, seed=1)
    assert caption_contrast(vectors, vectors, SCALE) < caption_contrast(vectors, others, SCALE)
    assert torch.isclose(caption_contrast(vectors, others, SCALE), caption_contrast(others, vectors, SCALE))


def test_word_contrast_prefers_words_near_the_pictures_that_hold_them() -> None:
    pictures = unit(4, 16)
    counts = torch.tensor([[4.0, 0, 0, 0], [0, 2.0, 0, 0]])
    assert word_contrast(pictures, pictures[:2], counts, SCALE) < word_contrast(pictures, pictures[2:], counts, SCALE)


def test_word_contrast_does_not_depend_on_the_order_of_words() -> None:
    pictures, words = unit(4, 16), unit(5, 16, seed=1)
    counts = torch.randint(0, 4, (5, 4), generator=torch.Generator().manual_seed(2)).float() + torch.eye(5, 4)
    counts[4, 0] = 1
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.isclose(
        word_contrast(pictures, words, counts, SCALE), word_contrast(pictures, words[order], counts[order], SCALE)
    )


def test_alignment_needs_one_fitting_patch_only() -> None:
    words = unit(3, 16)
    elsewhere = unit(1, 8, 16, seed=3)
    counts = torch.tensor([[1.0], [0.0], [0.0]])
    with_patch = elsewhere.clone()
    with_patch[0, 5] = words[0]
    losses = [alignment(patches, words, counts, torch.zeros(16), SCALE, 0.5) for patches in (with_patch, elsewhere)]
    assert losses[0] < losses[1]


def test_alignment_is_the_likelihood_of_the_mixture() -> None:
    patches, words, null = unit(1, 2, 8), unit(3, 8, seed=1), unit(8, seed=2)
    counts = torch.tensor([[2.0], [0.0], [1.0]])
    expected = 0.0
    for word, count in enumerate(counts[:, 0].tolist()):
        emitted = sum(torch.softmax(SCALE * words @ patch, 0)[word] for patch in patches[0]) / 2
        expected -= count * torch.log(0.7 * emitted + 0.3 * torch.softmax(words @ null, 0)[word]) / 3
    assert torch.isclose(alignment(patches, words, counts, null, SCALE, 0.3), torch.as_tensor(expected))


def test_gates_are_areas_and_close_on_texts_that_fit_nowhere() -> None:
    captions = unit(3, 16)
    patches = captions[:, None].expand(3, 9, 16)
    loss, areas = gated_contrast(patches, captions, SCALE, 20.0, -5.0)
    assert loss > 0 and areas.shape == (3, 3)
    assert (areas.diagonal() > 0.99).all()
    assert areas[0, 1] < areas[0, 0]


def test_area_terms_vanish_at_the_target() -> None:
    assert torch.isclose(area_terms(0.4 * torch.eye(5), 0.4), torch.tensor(0.0))
    assert torch.isclose(area_terms(torch.full((5, 5), 0.4), 0.4), torch.tensor(0.4))

"""TagCLIP's tagger, stage by stage, against the published code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.support.golden import ROOT, Case, load_case
from tests.support.tagclip import image_of, visual
from ttd_core.clip.vit import VisionTower
from ttd_core.methods.tagclip.attention import watch
from ttd_core.methods.tagclip.boxes import box_masks
from ttd_core.methods.tagclip.config import TagClipConfig
from ttd_core.methods.tagclip.refine import masked_attention, refine
from ttd_core.methods.tagclip.reidentify import Crops, candidates, crops, cut, look_again
from ttd_core.methods.tagclip.tagger import Tagger, chosen_tags, strongest
from ttd_core.methods.tagclip.tower import ClipLocalTower
from ttd_core.ops.regions import component_boxes

SETTINGS = {
    "voc2007": TagClipConfig(),
    "voc2012": TagClipConfig(),
    "coco2014": TagClipConfig(),
    "coco2017": TagClipConfig(),
    "cocostuff": TagClipConfig(blocks=tuple(range(11)), threshold=0.1),
}
# accepted around the case's own bounds: rows whose vote sits on its threshold
LOOSE_ROWS = 3


def check_but_few_rows(case: Case, stage: str, got: torch.Tensor, atol: float) -> None:
    want = case.arrays[stage]
    assert tuple(got.shape) == want.shape
    off = (np.abs(got.numpy() - want) > atol).reshape(len(want), -1).any(axis=1)
    assert off.sum() <= LOOSE_ROWS, f"{case.name} {stage}: {off.sum()} rows off"
    np.testing.assert_allclose(got.numpy(), want, atol=1e-2)


@pytest.mark.parametrize(
    "name", ["tags_coco12", "tags_stuff12", "tags_voc12_no_candidate", "tags_voc12_large", "tags_voc12_224"]
)
@torch.inference_mode()
def test_every_stage_of_tagging_one_picture_matches_the_published_code(name: str) -> None:
    case = load_case("tagclip", name)
    config = SETTINGS[case.info["dataset_setting"]]
    network = visual(case)
    texts = torch.from_numpy(case.arrays["text_weights"])
    image = image_of(case.arrays["im0_image"])
    tower = ClipLocalTower(network)
    blocks = config.block_numbers(12)

    whole = VisionTower(network, tower.vision.variant)
    seen = watch(whole, image[None], blocks, vote=True)
    local = tower.local(image[None], blocks)
    assert seen.votes is not None
    if "im0_tokens" in case:
        own = F.normalize(torch.from_numpy(case.arrays["im0_tokens"])[1:], dim=-1)
        torch.testing.assert_close(local.patches[0], own, rtol=0, atol=5e-4)
    if "im0_attn_votes" in case:
        off = np.abs(seen.votes[0].numpy().astype(int) - case.arrays["im0_attn_votes"])
        assert off.max() <= 1 and (off > 0).sum() <= 2
    attention = masked_attention(local.mean[0], local.votes[0], 4)
    if "im0_attn_masked" in case:
        check_but_few_rows(case, "im0_attn_masked", attention, 2e-5)
    coarse = torch.softmax(100 * local.patches[0] @ texts.T, dim=-1)
    case.check("im0_coarse", coarse, rtol=0, atol=3e-4)
    first, second = refine(attention, coarse, local.grid)
    check_but_few_rows(case, "im0_refined_stage1", first, 5e-5)
    check_but_few_rows(case, "im0_refined", second, 5e-5)
    count = len(case.info["classes"])
    best = second[:, :count].amax(dim=0)
    case.check("im0_local", best, rtol=0, atol=2e-5)
    chosen = candidates(second, best, config.threshold)
    again = crops(second, chosen, local.grid, 14)
    case.check("im0_cwr_candidates", again.classes.int())
    case.check("im0_cwr_boxes_y1x1y2x2", again.boxes.int())
    case.check("im0_cwr_masks14", again.keep)
    if len(again.classes):
        embedded = look_again(whole, pictures_of(image, again), again.keep)
        case.check("im0_cwr_cls_embed", embedded, rtol=0, atol=5e-5)
        probabilities = torch.softmax(100 * F.normalize(embedded, dim=-1) @ texts.T, dim=-1)
        case.check("im0_cwr_probs", probabilities, rtol=0, atol=2e-5)
    tagged = Tagger(tower, 100.0, config)(image[None], [texts], [torch.arange(count)])[0]
    case.check("im0_final", tagged.scores, rtol=0, atol=2e-5)
    tags = torch.nonzero(chosen_tags(tagged.scores, config.threshold))[:, 0].tolist()
    assert case.info["tag_file"] == " ".join(["img0", *map(str, tags)]) + "\n"


def test_attention_of_every_block_matches_the_published_code() -> None:
    case = load_case("tagclip", "tags_coco12")
    tower = ClipLocalTower(visual(case)).vision
    image = image_of(case.arrays["im0_image"])[None]
    with torch.inference_mode():
        for number, want in enumerate(case.arrays["im0_attn_layers"]):
            mean = watch(tower, image, {number}, vote=False).mean[0]
            np.testing.assert_allclose(mean.numpy(), want, atol=2e-5, err_msg=f"block {number}")


def test_four_pictures_with_the_full_lists_give_the_published_scores_and_tag_file() -> None:
    case = load_case("tagclip", "tags_e2e_voc20")
    tagger = Tagger(ClipLocalTower(visual(case)), 100.0)
    texts = torch.from_numpy(case.arrays["text_weights"])
    lines = []
    names = sorted(stage for stage in case.arrays if stage.endswith("_image"))
    for i, stage in enumerate(names):
        tagged = tagger(image_of(case.arrays[stage])[None], [texts], [torch.arange(20)])[0]
        case.check(f"im{i}_local", tagged.local, rtol=0, atol=2e-5)
        case.check(f"im{i}_final", tagged.scores, rtol=0, atol=2e-5)
        case.check(f"im{i}_cwr_candidates", tagged.crops.classes.int())
        tags = torch.nonzero(chosen_tags(tagged.scores, 0.5))[:, 0].tolist()
        lines.append(tags)
    wanted = [[int(tag) for tag in line.split()[1:]] for line in case.info["tag_file"].splitlines()]
    assert lines == wanted


def test_pictures_tagged_together_are_tagged_as_one_by_one() -> None:
    case = load_case("tagclip", "tags_coco12")
    tagger = Tagger(ClipLocalTower(visual(case)), 100.0, TagClipConfig(crops=2, threshold=0.2))
    texts = torch.from_numpy(case.arrays["text_weights"])
    first = image_of(case.arrays["im0_image"])
    images = torch.stack([first, first.flip(-1), first.flip(-2)])
    together = tagger(images, [texts] * 3, [torch.arange(12)] * 3)
    assert sum(len(one.crops.classes) for one in together) > 2
    for image, one in zip(images, together, strict=True):
        alone = tagger(image[None], [texts], [torch.arange(12)])[0]
        assert torch.equal(alone.crops.classes, one.crops.classes)
        torch.testing.assert_close(one.scores, alone.scores, rtol=0, atol=1e-6)


def test_several_texts_of_a_class_count_by_the_nearest_of_them() -> None:
    case = load_case("tagclip", "tags_coco12")
    tagger = Tagger(ClipLocalTower(visual(case)), 100.0)
    texts = torch.from_numpy(case.arrays["text_weights"])
    image = image_of(case.arrays["im0_image"])[None]
    plain = tagger(image, [texts], [torch.arange(12)])[0]
    twice = torch.cat([texts[:1], texts])
    owner = torch.tensor([0, *range(12)])
    torch.testing.assert_close(tagger(image, [twice], [owner])[0].scores, plain.scores)
    assert torch.equal(
        strongest(torch.tensor([0.1, 0.3, 0.2, 0.9]), torch.tensor([0, 0, 1])), torch.tensor([0.3, 0.2, 0.9])
    )


def test_boxes_around_what_stands_out_match_the_published_code() -> None:
    case = load_case("tagclip", "unit_boxes")
    for i in range(10):
        got = box_masks(case.arrays[f"map{i}"][None], case.arrays[f"threshold{i}"])[0]
        np.testing.assert_array_equal(got, case.arrays[f"mask{i}"], err_msg=f"map {i}")


def test_masking_by_class_boxes_matches_the_published_code() -> None:
    case = load_case("tagclip", "unit_dmar")
    first, second = refine(
        torch.from_numpy(case.arrays["attn_masked"]),
        torch.from_numpy(case.arrays["coarse"]),
        tuple(case.arrays["grid"].tolist()),
    )
    case.check("refined_stage1", first, rtol=0, atol=1e-6)
    case.check("refined", second, rtol=0, atol=1e-6)


def pictures_of(image: torch.Tensor, again: Crops) -> torch.Tensor:
    """All crops of a picture."""
    return torch.stack([cut(image, box, 16, 14) for box in again.boxes.tolist()])


@pytest.mark.parametrize("name", ["unit_cwr", "unit_cwr_early_return"])
@torch.inference_mode()
def test_a_second_look_at_candidates_matches_the_published_code(name: str) -> None:
    case = load_case("tagclip", name)
    tower = ClipLocalTower(visual(case))
    texts = torch.from_numpy(case.arrays["text_weights"])
    refined, local = torch.from_numpy(case.arrays["refined"]), torch.from_numpy(case.arrays["local"])
    grid = tuple(case.arrays["grid"].tolist())
    again = crops(refined, candidates(refined, local, 0.5), grid, 14)
    final = local.clone()
    if len(again.classes):
        seen = torch.softmax(
            100 * tower.crops(pictures_of(image_of(case.arrays["image"]), again), again.keep) @ texts.T, dim=-1
        )
        final[again.classes] = 0.5 * local[again.classes] + 0.5 * seen[range(len(seen)), again.classes]
    case.check("final", final, rtol=0, atol=5e-6)


def test_cases_lie_beside_the_tests() -> None:
    folder = Path(ROOT) / "tagclip"
    assert len(list(folder.glob("tags_*.npz"))) == 6
    assert len(list(folder.glob("unit_*.npz"))) == 4


def test_boxes_of_many_masks_equal_those_of_each() -> None:
    generator = np.random.default_rng(0)
    masks = generator.random((40, 9, 7)) > 0.6
    masks[3] = False
    found = component_boxes(masks)
    for i, mask in enumerate(masks):
        own = component_boxes(mask[None])
        mine = np.flatnonzero(found.owner == i)
        assert [found.box(j) for j in mine] == [own.box(j) for j in range(len(own.area))]
        assert found.area[mine].sum() == mask.sum()

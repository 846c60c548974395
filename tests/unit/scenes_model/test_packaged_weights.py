import torch

from ttd_core.clip.scenes_weights import PACKAGED, load_scenes_backbone
from ttd_core.metrics.tagging import tag_metrics
from ttd_core.recipes.scenes_measure import Views, caption_maps, count_selected, judged_captions, select_tags
from ttd_core.scenes.vocabulary import WORDS

COUNT = 100


def f1_of_scorers(split: str) -> dict[str, float]:
    backbone = load_scenes_backbone()
    judged = judged_captions(split, COUNT)
    maps = caption_maps(backbone, judged, Views((backbone.info.image_size,)))
    scale = backbone.info.logit_scale
    return {
        scorer: tag_metrics(count_selected(judged, select_tags(maps, scorer, scale))).f1
        for scorer in ("image", "text", "pixel")
    }


def test_the_packaged_file_is_small_and_knows_every_caption_word() -> None:
    assert PACKAGED.stat().st_size < 8_000_000
    info = load_scenes_backbone().info
    assert info.name == "scenes" and info.weights_name == "builtin"
    assert info.vocabulary == frozenset(WORDS)
    assert info.sigmoid_scale is not None and info.sigmoid_bias is not None


def test_pixel_scoring_beats_image_and_text_scoring_by_thirty_points() -> None:
    f1 = f1_of_scorers("test")
    assert f1["pixel"] >= 0.78
    assert f1["pixel"] - f1["image"] >= 0.30
    assert f1["pixel"] - f1["text"] >= 0.30


def test_pixel_scoring_holds_when_absent_words_are_inserted() -> None:
    assert f1_of_scorers("hard")["pixel"] >= 0.72


def test_a_mirrored_picture_gives_nearly_mirrored_maps() -> None:
    backbone = load_scenes_backbone()
    judged = judged_captions("test", 4)
    pictures = torch.stack([torch.from_numpy(item.picture).permute(2, 0, 1) for item in judged]).float() / 127.5 - 1
    dense, mirrored = backbone.encode_images(pictures).dense, backbone.encode_images(pictures.flip(3)).dense.flip(3)
    assert (dense * mirrored).sum(dim=1).mean() > 0.8

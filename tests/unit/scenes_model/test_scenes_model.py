from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ttd_core.clip.neighbours import neighbourhood_mask
from ttd_core.clip.scenes_model import ScenesBackbone, scenes_info
from ttd_core.clip.scenes_towers import ScenesArchitecture
from ttd_core.clip.scenes_weights import load_scenes_backbone, save_scenes_weights
from ttd_core.errors import UsageError, WeightsError
from ttd_core.protocols import Backbone

WORDS = ("cat", "dog", "grass")
SMALL = ScenesArchitecture(stem=(4, 8, 8), width=8, heads=2, embed=12, text_width=8)


def tiny(dense: str = "value", arch: ScenesArchitecture = SMALL) -> ScenesBackbone:
    torch.manual_seed(0)
    return ScenesBackbone(arch, WORDS, scenes_info(arch, "test", "", 50.0, dense)).eval()


@pytest.mark.parametrize(("fine", "cells"), [(True, 4), (False, 8)])
def test_any_multiple_of_the_patch_gives_unit_vectors_on_its_grid(fine: bool, cells: int) -> None:
    model = tiny(arch=replace(SMALL, fine=fine))
    encoded = model.encode_images(torch.randn(2, 3, 40, 104))
    assert encoded.dense.shape == (2, 12, 40 // cells, 104 // cells)
    assert torch.allclose(encoded.dense.norm(dim=1), torch.ones(2, 40 // cells, 104 // cells), atol=1e-5)
    assert torch.allclose(encoded.pooled.norm(dim=1), torch.ones(2), atol=1e-5)


def test_a_side_that_is_no_multiple_of_the_patch_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        tiny().encode_images(torch.randn(1, 3, 40, 41))


def test_a_batch_says_what_its_pictures_say_alone() -> None:
    model, pictures = tiny(), torch.randn(3, 3, 48, 48)
    together = model.encode_images(pictures)
    alone = [model.encode_images(pictures[i : i + 1]) for i in range(3)]
    assert torch.allclose(together.dense, torch.cat([e.dense for e in alone]), atol=1e-5)
    texts = model.encode_texts(["dog", "a cat on grass", ""])
    assert torch.allclose(texts[:1], model.encode_texts(["dog"]), atol=1e-5)


@pytest.mark.parametrize("dense", ["value", "attention"])
def test_cells_far_from_a_change_do_not_notice_it(dense: str) -> None:
    model, picture = tiny(dense), torch.randn(1, 3, 96, 96)
    changed = picture.clone()
    changed[..., :4, :4] += 1
    difference = (model.encode_images(picture).dense - model.encode_images(changed).dense).abs().amax(dim=1)[0]
    assert difference[0, 0] > 1e-4
    assert difference[16:, 16:].max() < 1e-6


def test_neighbours_are_the_eight_around_and_the_cell_itself() -> None:
    mask = neighbourhood_mask(3, 4, torch.device("cpu"))
    assert mask[5].nonzero().flatten().tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert mask[0].nonzero().flatten().tolist() == [0, 1, 4, 5]


def test_the_dense_strategies_differ_in_maps_and_agree_in_the_pooled_vector() -> None:
    picture = torch.randn(1, 3, 48, 48)
    value, attention = tiny("value").encode_images(picture), tiny("attention").encode_images(picture)
    assert not torch.allclose(value.dense, attention.dense, atol=1e-4)
    assert torch.allclose(value.pooled, attention.pooled, atol=1e-6)


def test_it_is_a_backbone_with_a_closed_vocabulary() -> None:
    model = tiny()
    assert isinstance(model, Backbone)
    assert model.info.vocabulary == frozenset(WORDS)
    assert model.unknown_words("a dog and a zebra") == ["a", "and", "zebra"]


def test_an_unknown_dense_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="value, attention"):
        tiny("maskclip")


def test_saved_weights_come_back_with_words_sizes_and_calibration(tmp_path: Path) -> None:
    model = tiny()
    model.info = replace(model.info, logit_scale=35.0, sigmoid_scale=9.5, sigmoid_bias=-3.0)
    save_scenes_weights(model, tmp_path / "m.safetensors")
    again = load_scenes_backbone(tmp_path / "m.safetensors")
    assert again.arch == model.arch
    assert again.tokenizer.words == WORDS
    assert (again.info.logit_scale, again.info.sigmoid_scale, again.info.sigmoid_bias) == (35.0, 9.5, -3.0)
    assert again.info.weights_name == "m" and len(again.info.weights_sha256) == 64
    assert not again.training
    for name, value in again.state_dict().items():
        assert torch.allclose(value.float(), model.state_dict()[name].float(), atol=2e-3), name
    assert load_scenes_backbone(tmp_path / "m.safetensors", "attention").info.dense == "attention"


def test_missing_weights_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at") as caught:
        load_scenes_backbone(tmp_path / "none.safetensors")
    assert "ttd train" in (caught.value.hint or "")


def test_what_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_scenes_backbone(tmp_path / "bad.safetensors")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_file({"visual.proj": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="another model"):
        load_scenes_backbone(tmp_path / "other.safetensors")


def test_tensors_that_do_not_fit_their_description_are_refused(tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "m.safetensors"
    save_scenes_weights(tiny(), path)
    with safe_open(path, "pt") as stream:
        metadata = stream.metadata()
    tensors = load_file(path)
    tensors["visual.proj.weight"] = torch.zeros(3, 3)
    save_file(tensors, path, metadata)
    with pytest.raises(WeightsError, match="not those of the scenes model"):
        load_scenes_backbone(path)

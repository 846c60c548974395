"""One door to every model: names, tags, files, folders, and the activation nobody tells us."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.models import ListReporter, tiny_backbone, tiny_clip_file, tiny_state
from ttd_core.clip import architecture, downloads, sources
from ttd_core.clip.load import load_backbone
from ttd_core.errors import UsageError, WeightsError
from ttd_core.types import ModelSpec

TEXTS = ["a dog", "two cats on a mat"]
TINY_CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 128, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 3},
}


def load(reporter: ListReporter | None = None, **spec: Any) -> Any:
    return load_backbone(ModelSpec(**spec), torch.device("cpu"), reporter or ListReporter())


@pytest.fixture
def named_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny sizes known to open_clip under two names that differ in the activation only."""
    configs = {"ViT-tiny": TINY_CONFIG, "ViT-tiny-quickgelu": TINY_CONFIG | {"quick_gelu": True}}
    found = architecture.open_clip.get_model_config

    def config(name: str) -> Any:
        return json.loads(json.dumps(configs[name])) if name in configs else found(name)

    monkeypatch.setattr(architecture.open_clip, "get_model_config", config)


def test_an_unknown_model_names_its_near_matches() -> None:
    with pytest.raises(UsageError) as caught:
        load(model="ViT-B-61")
    assert "ViT-B-61" in caught.value.message
    assert "ViT-B-16" in (caught.value.hint or "")


@pytest.mark.parametrize(("model", "why"), [("RN50", "vision transformer"), ("ViT-B-16-SigLIP", "vision transformer")])
def test_a_model_without_a_plain_vision_transformer_is_refused_before_weights_are_sought(model: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        load(model=model, pretrained="openai")


def test_a_model_without_weights_says_which_tags_there_are() -> None:
    with pytest.raises(UsageError, match="no weights named for ViT-B-16") as caught:
        load(model="ViT-B-16")
    assert "openai" in (caught.value.hint or "")


def test_an_unknown_tag_names_the_near_one_and_a_missing_path_is_called_a_path() -> None:
    with pytest.raises(UsageError) as caught:
        load(model="ViT-B-16", pretrained="openia")
    assert "openai" in (caught.value.hint or "")
    with pytest.raises(WeightsError, match="no such weights file"):
        load(model="ViT-B-16", pretrained="somewhere/ViT-B-16.pt")


def test_unknown_strategy_activation_and_doubled_weights_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="dense strategy") as caught:
        tiny_backbone(dense="maskclp")
    assert "maskclip" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="activation"):
        tiny_backbone(activation="relu")
    with pytest.raises(UsageError, match="--pretrained"):
        tiny_backbone(pretrained="openai")


def test_weights_of_another_architecture_name_the_first_tensors_that_differ() -> None:
    with pytest.raises(WeightsError) as caught:
        load(model="ViT-B-16", pretrained=tiny_clip_file())
    message = caught.value.message
    assert "does not fit ViT-B-16" in message
    assert "visual.class_embedding is 128 in the file and 768 in the model" in message


def test_sizes_are_read_off_the_weights() -> None:
    info = tiny_backbone().info
    assert (info.patch, info.width, info.image_size) == (16, 64, 64)
    assert info.logit_scale == pytest.approx(100.0, rel=1e-5)
    assert (info.calibration, info.vocabulary, info.weights_name) == ("softmax", None, "clip-0-64-4")


def test_random_weights_are_the_same_every_time_and_warned_of(named_tiny: None) -> None:
    reporter = ListReporter()
    first = load(reporter, model="ViT-tiny", pretrained="random")
    state = torch.get_rng_state()
    again = load(model="ViT-tiny", pretrained="random")
    assert torch.equal(state, torch.get_rng_state())
    assert first.info.weights_sha256 == again.info.weights_sha256
    assert any("random" in w for w in reporter.warnings)


def test_a_loaded_model_is_frozen_and_in_evaluation_mode() -> None:
    backbone = tiny_backbone()
    assert not backbone.training
    assert not any(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize(
    ("model", "explicit", "nested", "expected", "warned"),
    [
        ("ViT-tiny", "gelu", False, "gelu", False),
        ("ViT-tiny", "quickgelu", True, "quickgelu", False),
        ("ViT-tiny-quickgelu", None, False, "quickgelu", False),
        ("ViT-tiny-quickgelu", None, True, "quickgelu", False),
        ("ViT-tiny", None, False, "quickgelu", True),
        ("ViT-tiny", None, True, "gelu", True),
        ("auto", None, False, "quickgelu", True),
    ],
)
def test_activation_of_a_file_is_decided_in_the_documented_order(
    model: str, explicit: str | None, nested: bool, expected: str, warned: bool, named_tiny: None, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"epoch": 1, "state_dict": tiny_state()} if nested else tiny_state(), path)
    reporter = ListReporter()
    backbone = load(reporter, model=model, pretrained=str(path), activation=explicit)
    assert backbone.info.activation == expected
    spoken = reporter.warnings if warned else reporter.infos
    assert any(expected in line for line in spoken)
    assert bool(reporter.warnings) == warned


def test_the_activation_that_is_reported_is_the_one_computed_with() -> None:
    quick, exact = tiny_backbone(activation="quickgelu"), tiny_backbone(activation="gelu")
    assert quick.info.activation == "quickgelu" and exact.info.activation == "gelu"
    assert type(quick.network.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert type(exact.network.transformer.resblocks[0].mlp.gelu) is nn.GELU
    assert not torch.allclose(quick.encode_texts(TEXTS), exact.encode_texts(TEXTS), atol=1e-3)


@pytest.mark.parametrize("quick", [True, False])
def test_a_folder_brings_its_own_configuration_normalisation_and_activation(quick: bool, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = tmp_path / "my-clip"
    folder.mkdir()
    save_file(dict(tiny_state()), str(folder / "open_clip_model.safetensors"))
    config = {"model_cfg": TINY_CONFIG | {"quick_gelu": quick}, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3]}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    info = load(model="auto", pretrained=str(folder)).info
    assert info.activation == ("quickgelu" if quick else "gelu")
    assert info.mean == (0.1, 0.2, 0.3)
    assert (info.name, info.weights_name) == ("my-clip", "my-clip")


def test_a_folder_with_several_weights_files_asks_for_one(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        torch.save({"x": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(UsageError, match="2 weights files") as caught:
        load(model="auto", pretrained=str(tmp_path))
    assert "a.pt, b.pt" in (caught.value.hint or "")


def test_a_published_tag_decides_the_activation_and_an_unreachable_one_is_a_clear_error(
    named_tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = {"url": "https://example.invalid/x.pt", "quick_gelu": True, "mean": (0.5, 0.5, 0.5)}
    monkeypatch.setattr(sources, "get_pretrained_cfg", lambda model, name: tag if name == "openai" else {})
    monkeypatch.setattr(downloads, "download_pretrained", lambda config: tiny_clip_file())
    info = load(model="ViT-tiny", pretrained="openai").info
    assert (info.activation, info.weights_name, info.mean) == ("quickgelu", "openai", (0.5, 0.5, 0.5))

    def offline(config: Any) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(downloads, "download_pretrained", offline)
    with pytest.raises(WeightsError, match="no route to host") as caught:
        load(model="ViT-tiny", pretrained="openai")
    assert "--pretrained FILE" in (caught.value.hint or "")


class Holder(nn.Module):
    """A module tree that carries tensors under given names, as OpenAI's scripted CLIP does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def openai_archive(path: Path) -> None:
    """A TorchScript archive like OpenAI's: half-precision matrices, constants, a causal mask among the attributes."""
    root = Holder()
    for name, tensor in tiny_state().items():
        *parents, leaf = name.split(".")
        module: nn.Module = root
        for part in parents:
            if not hasattr(module, part):
                module.add_module(part, Holder())
            module = getattr(module, part)
        half = tensor.ndim >= 2 and "embedding" not in name
        module.register_parameter(leaf, nn.Parameter(tensor.half() if half else tensor.clone()))
    for name, value in (("input_resolution", 64), ("context_length", 77), ("vocab_size", 49408)):
        root.register_buffer(name, torch.tensor(value))
    root.transformer.resblocks.get_submodule("0").attn_mask = torch.zeros(77, 77)  # type: ignore[union-attr]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(root), buffer)
    # the code inside is replaced by nonsense: it must never be looked at
    with zipfile.ZipFile(buffer) as given, zipfile.ZipFile(path, "w") as written:
        for record in given.infolist():
            content = b"import os" if record.filename.endswith(".py") else given.read(record)
            written.writestr(zipfile.ZipInfo(record.filename), content)


def test_a_torchscript_archive_is_read_as_tensors_and_taken_as_openais(tmp_path: Path) -> None:
    openai_archive(tmp_path / "ViT.pt")
    reporter = ListReporter()
    backbone = load(reporter, model="auto", weights=str(tmp_path / "ViT.pt"))
    assert backbone.info.activation == "quickgelu"
    assert reporter.warnings == []
    reference = tiny_backbone().encode_texts(TEXTS)
    torch.testing.assert_close(backbone.encode_texts(TEXTS), reference, rtol=0.02, atol=0.02)


def test_a_tcl_checkpoint_given_as_a_clip_names_the_right_option(tmp_path: Path) -> None:
    torch.save({"model": {"masker.sim2mask.w": torch.tensor(1.0)}}, tmp_path / "tcl.pth")
    with pytest.raises(UsageError, match="TCL checkpoint") as caught:
        load(model="auto", weights=str(tmp_path / "tcl.pth"))
    assert "--model tcl" in (caught.value.hint or "")

"""Weights files from hostile and careless places: one clear error each, or the right model; nothing ever runs."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest
import torch

from tests.support import bad_checkpoints as bad
from tests.support.models import ListReporter
from ttd_core.clip.checkpoint import read_checkpoint
from ttd_core.clip.load import load_backbone
from ttd_core.errors import WeightsError
from ttd_core.types import ModelSpec

refused = functools.lru_cache(bad.refused_files)
accepted = functools.lru_cache(bad.accepted_files)


def load(path: Path, lora: Path | None = None, reporter: ListReporter | None = None):
    spec = ModelSpec(model="auto", weights=str(path), lora=None if lora is None else str(lora))
    return load_backbone(spec, torch.device("cpu"), reporter or ListReporter())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(bad.refused_files()))
def test_a_bad_file_is_one_clear_error_and_runs_nothing(name: str, folder: Path) -> None:
    content, word = refused()[name]
    (folder / name).write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load(folder / name)
    message = caught.value.message
    assert word in message
    assert name in message
    assert "\n" not in message and message.replace("×", "x").isascii() and message.isprintable()
    assert [p.name for p in folder.iterdir()] == [name]


@pytest.mark.parametrize("name", sorted(bad.accepted_files()))
def test_an_unusual_but_good_file_gives_the_same_model(name: str, folder: Path) -> None:
    (folder / "plain.pt").write_bytes(accepted()["good.pt"])
    (folder / name).write_bytes(accepted()[name])
    reporter = ListReporter()
    got = load(folder / name, reporter=reporter).encode_texts(["a dog"])
    torch.testing.assert_close(got, load(folder / "plain.pt").encode_texts(["a dog"]), rtol=0, atol=0)
    assert ("extra.weight, head.bias" in " ".join(reporter.warnings)) == (name == "extra.pt")


@pytest.mark.parametrize(("dtype", "close"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_half_precision_weights_compute_in_single_precision(dtype: torch.dtype, close: float, folder: Path) -> None:
    (folder / "half.pt").write_bytes(bad.saved(bad.cast(bad.clip_state(), dtype)))
    (folder / "good.pt").write_bytes(accepted()["good.pt"])
    got = load(folder / "half.pt").encode_texts(["a dog"])
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, load(folder / "good.pt").encode_texts(["a dog"]), rtol=0.05, atol=close)


@pytest.mark.parametrize("name", ["good.pt", "legacy.pt", "namespace.pt"])
def test_damaged_bytes_are_an_error_of_ours_or_harmless(name: str, folder: Path) -> None:
    rng = random.Random(7)
    outcomes = set()
    for _ in range(60):
        content = bytearray(accepted()[name])
        for _ in range(rng.choice([1, 3, 20])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        (folder / "damaged.pt").write_bytes(content[: rng.choice([len(content), rng.randrange(len(content))])])
        try:
            read_checkpoint(folder / "damaged.pt")
            outcomes.add("read")
        except WeightsError:
            outcomes.add("refused")
    assert "refused" in outcomes
    assert not list(folder.rglob("*_WAS_EXECUTED"))


def test_a_missing_file_and_a_folder_without_weights_are_named(folder: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load(folder / "absent.pt")
    (folder / "empty").mkdir()
    with pytest.raises(WeightsError, match="no weights file in this folder"):
        load(folder / "empty")


def test_a_good_adapter_is_added_to_the_weights_and_to_the_digest(folder: Path) -> None:
    from safetensors.torch import load_file

    (folder / "good.pt").write_bytes(accepted()["good.pt"])
    lora = bad.adapter_folder(folder / "lora")
    plain, adapted = load(folder / "good.pt"), load(folder / "good.pt", lora)
    a, b = (load_file(str(lora / "adapter_model.safetensors"))[f"{bad.STEM}lora_{x}.weight"] for x in "AB")
    before = plain.network.transformer.resblocks[0].mlp.c_fc.weight
    after = adapted.network.transformer.resblocks[0].mlp.c_fc.weight
    torch.testing.assert_close(after, before + 4 / 2 * b @ a)
    assert type(adapted.network.transformer.resblocks[0].mlp.c_fc) is torch.nn.Linear
    assert plain.info.weights_sha256 != adapted.info.weights_sha256


def test_unknown_options_of_an_adapter_are_named_and_ignored(folder: Path) -> None:
    (folder / "good.pt").write_bytes(accepted()["good.pt"])
    reporter = ListReporter()
    lora = bad.adapter_folder(folder / "lora", bad.ADAPTER | {"future_option": True, "another": {"x": [1]}})
    load(folder / "good.pt", lora, reporter)
    assert any("another, future_option" in w for w in reporter.warnings)


def _pickled(folder: Path) -> Path:
    import pickle

    bad.adapter_folder(folder, weights=False)
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(bad.Marker("ADAPTER_WAS_EXECUTED"), 2))
    return folder


BAD_ADAPTERS = {
    "rank": (lambda f: bad.adapter_folder(f, bad.ADAPTER | {"r": 8}), "has rank 2, adapter_config.json says 8"),
    "target": (lambda f: bad.adapter_folder(f, bad.ADAPTER | {"target_modules": ["no_such_layer"]}), "no_such_layer"),
    "keys": (lambda f: bad.adapter_folder(f, stem="some.other.layer."), "fits no layer"),
    "no_weights": (lambda f: bad.adapter_folder(f, weights=False), "adapter_model.safetensors is missing"),
    "cut_config": (lambda f: bad.adapter_folder(f, '{"peft_type": "LORA", "r"'), "adapter_config.json"),
    "list_config": (lambda f: bad.adapter_folder(f, "[1, 2]"), "peft_type"),
    "other_kind": (lambda f: bad.adapter_folder(f, {"peft_type": "IA3"}), "IA3"),
    "nan": (lambda f: bad.adapter_folder(f, value=float("nan")), "lora_B"),
    "pickle": (_pickled, "run code"),
    "absent": (lambda f: f, "no such adapter"),
}


@pytest.mark.parametrize("name", sorted(BAD_ADAPTERS))
def test_a_bad_adapter_is_one_clear_error_and_runs_nothing(name: str, folder: Path) -> None:
    (folder / "good.pt").write_bytes(accepted()["good.pt"])
    make, word = BAD_ADAPTERS[name]
    lora = make(folder / "lora")
    with pytest.raises(WeightsError) as caught:
        load(folder / "good.pt", lora)
    assert word in caught.value.message
    assert "\n" not in caught.value.message
    assert not list(folder.rglob("*_WAS_EXECUTED"))

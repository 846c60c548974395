"""From anybody's pairs to an adapter in three commands, whatever way the pairs lie."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Ttd
from tests.support.models import tiny_clip_file, tiny_tcl_file
from tests.support.tiny_pairs import write_tar

COUNT = 16
WORDS = ("dog", "cat", "house", "tree")
CLIP = ("--model", "auto", "--weights", tiny_clip_file(), "--activation", "quickgelu", "--device", "cpu")
TCL = ("--model", "tcl", "--weights", tiny_tcl_file(), "--pretrained", tiny_clip_file(), "--device", "cpu")


def picture(number: int) -> bytes:
    """Noise with a bright square."""
    pixels = np.random.default_rng(number).integers(0, 120, (48, 72, 3), dtype=np.uint8)
    pixels[8:24, 8 + number : 24 + number] = 250
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def caption(number: int) -> str:
    return f"a {WORDS[number % 4]} beside a {WORDS[(number // 4 + 1) % 4]}"


def folder(home: Path) -> tuple[str, ...]:
    (home / "pairs").mkdir()
    for number in range(COUNT):
        (home / "pairs" / f"{number:02d}.png").write_bytes(picture(number))
        (home / "pairs" / f"{number:02d}.txt").write_text(caption(number))
    return "--data", "pairs"


def own_columns(home: Path) -> tuple[str, ...]:
    (home / "shop").mkdir()
    lines = ["sku;photo file;what it shows"]
    for number in range(COUNT):
        (home / "shop" / f"{number}.png").write_bytes(picture(number))
        lines.append(f"A-{number};{number}.png;{caption(number)}")
    (home / "shop" / "items.csv").write_text("\n".join(lines) + "\n")
    columns = ("--image-column", "photo file", "--text-column", "what it shows", "--id-column", "sku")
    return "--data", "shop/items.csv", *columns


def archives(home: Path) -> tuple[str, ...]:
    for shard in range(2):
        members = []
        for number in range(shard * COUNT // 2, (shard + 1) * COUNT // 2):
            members += [
                (f"{number:09d}.png", picture(number)),
                (f"{number:09d}.json", json.dumps({"caption": "another", "key": number}).encode()),
                (f"{number:09d}.txt", caption(number).encode()),
            ]
        write_tar(home / f"{shard:05d}.tar", members)
    return "--data", "{00000..00001}.tar"


@pytest.mark.parametrize(
    ("layout", "model"),
    [
        pytest.param(folder, CLIP, marks=pytest.mark.slow),
        (own_columns, CLIP),
        pytest.param(archives, TCL, marks=pytest.mark.slow),
    ],
)
def test_pairs_become_an_adapter_that_other_commands_take(
    ttd: Ttd, tmp_path: Path, layout: Callable[[Path], tuple[str, ...]], model: tuple[str, ...]
) -> None:
    scored = ttd("preprocess", *layout(tmp_path), *model, "--workers", 1, "--out", "scored", "--format", "json")
    assert scored.code == 0, scored.err
    assert (json.loads(scored.out)["pairs"], json.loads(scored.out)["ok"]) == (COUNT, COUNT)
    pruned = ttd("prune", "--scores", "scored", "--keep", "0.75", "--out", "pruned")
    assert pruned.code == 0 and "12 samples kept: pruned" in pruned.err
    short = ("--steps", 2, "--batch-size", 4, "--warmup", 0, "--no-guard", "--threads", 1)
    trained = ttd("train", "--method", "ttd", "--manifest", "pruned", *model, *short, "--out", "adapter")
    assert trained.code == 0 and trained.out == "adapter\n", trained.err
    assert "11 pairs to train on, 1 kept apart" in trained.err
    (tmp_path / "one.png").write_bytes(picture(3))
    tags = ttd("tags", "--image", "one.png", "--text", caption(3), *model, "--lora", "adapter", "--format", "json")
    assert tags.code == 0 and set(caption(3).split()) >= set(json.loads(tags.out)["tags"]), tags.err


def test_a_list_with_columns_of_its_own_is_trained_on_directly(ttd: Ttd, tmp_path: Path) -> None:
    named = own_columns(tmp_path)
    call = ("train", "--method", "ttd", *CLIP, "--steps", 1, "--batch-size", 2, "--probe-every", 0, "--no-guard")
    refused = ttd(*call, *named[:2])
    assert refused.code == 3 and "columns found: sku, photo file, what it shows" in refused.err
    assert "--image-column" in refused.err
    assert ttd(*call, *named, "--out", "adapter").code == 0


def test_a_pruning_whose_data_lie_elsewhere_says_where_to_go(
    ttd: Ttd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ttd("preprocess", *own_columns(tmp_path), *CLIP, "--workers", 1, "--out", "scored").code == 0
    assert ttd("prune", "--scores", "scored", "--keep", "0.75", "--no-pictures", "--out", "pruned").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    answer = ttd("train", "--method", "ttd", "--manifest", "../pruned", *CLIP, "--out", "adapter")
    assert answer.code == 3 and "shop/items.csv: no such file or folder: ../pruned was pruned from it" in answer.err
    assert "the folder in which ttd preprocess was started" in answer.err

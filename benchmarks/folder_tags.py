"""Folder of captioned pictures -> pixel-scored tags: `run_tags` against a plain open_clip loop, in one run.

    python benchmarks/folder_tags.py [--pictures 16] [--threads 1]

The loop is what one writes in ten lines: per picture, preprocess it, encode the caption's words with the full context
of 77, take value-path patch features, keep what wins a patch. Both sides use the same random ViT-B/16 weights and the
same candidates, and must keep the same tags.
"""

from __future__ import annotations

# first: it lets open_clip import beside a CPU build of torch
import ttd_core.clip  # noqa: F401  # isort: skip
import open_clip  # isort: skip

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from ttd_core.protocols import SilentReporter
from ttd_core.recipes.options import ModelOptions, TagOptions
from ttd_core.recipes.results import TagResult
from ttd_core.recipes.scoring import Scorer
from ttd_core.recipes.tags import TagAnswerer
from ttd_core.scenes.dataset import make_scene
from ttd_core.text.candidates import candidates
from ttd_core.types import Sample

MODEL = "ViT-B-16"
GOAL = 1.5


def make_folder(folder: Path, count: int) -> list[Sample]:
    """Pictures with captions, square so that resizing is the same on both sides."""
    samples = []
    for index in range(count):
        scene = make_scene("val", index, 256)
        path = folder / f"{index}.png"
        Image.fromarray(scene.image).save(path)
        samples.append(Sample(str(index), path, scene.captions[0]))
    return samples


@torch.inference_mode()
def plain_loop(model: torch.nn.Module, preprocess: object, samples: list[Sample]) -> list[set[str]]:
    """The ten lines."""
    tokenizer = open_clip.get_tokenizer(MODEL)
    kept = []
    block = model.visual.transformer.resblocks[-1]
    for sample in samples:
        pixels = preprocess(Image.open(sample.image).convert("RGB"))[None]
        entering = model.visual.forward_intermediates(pixels, indices=[-2], output_fmt="NLC")["image_intermediates"][0]
        width = entering.shape[-1]
        value = F.linear(
            block.ln_1(entering), block.attn.in_proj_weight[2 * width :], block.attn.in_proj_bias[2 * width :]
        )
        patches = F.normalize(model.visual.ln_post(block.attn.out_proj(value)) @ model.visual.proj, dim=-1)
        words = [candidate.tag for candidate in candidates(sample.caption)]
        texts = F.normalize(model.encode_text(tokenizer(words)), dim=-1)
        scores = (100 * patches[0] @ texts.T).softmax(-1).amax(0)
        kept.append({word for word, score in zip(words, scores.tolist(), strict=True) if score >= 0.5})
    return kept


def main() -> None:
    """Measure both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        samples = make_folder(Path(folder), arguments.pictures)
        options = TagOptions(
            input=folder, model=ModelOptions(MODEL, "random"), templates="identity", logit_scale=100.0, batch_size=8
        )
        scorer = Scorer(options, SilentReporter())
        network = scorer.session.backbone.network
        preprocess = open_clip.image_transform(224, is_train=False)
        plain_loop(network, preprocess, samples[:1])
        TagAnswerer(options, SilentReporter(), Scorer(options, SilentReporter()))  # both sides start warm
        scorer.score(samples[:1])
        start = time.perf_counter()
        theirs = plain_loop(network, preprocess, samples)
        middle = time.perf_counter()
        ours = [
            {score.tag for score in answer.selected}
            for first in range(0, len(samples), options.batch_size)
            for answer in scorer.score(samples[first : first + options.batch_size])
            if isinstance(answer, TagResult)
        ]
        end = time.perf_counter()
    same = sum(a == b for a, b in zip(theirs, ours, strict=True))
    loop, batch = middle - start, end - middle
    print(f"{len(samples)} pictures, {arguments.threads} thread(s); same tags kept on {same} of {len(samples)}")
    print(f"plain loop {loop:.2f} s, ttd {batch:.2f} s: {loop / batch:.2f}x (goal {GOAL}x)")


if __name__ == "__main__":
    main()

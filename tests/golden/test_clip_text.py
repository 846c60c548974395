"""Text embeddings of TagCLIP and ReCLIP against the published codes."""

from __future__ import annotations

import json

import pytest
import torch

from tests.support.golden import ROOT, load_case
from tests.support.models import TAGCLIP_TINY, tiny_backbone
from tests.support.reclip_weights import draw
from ttd_core.clip.text_tower import name_tokens, reference_features
from ttd_core.text.bank import TextBank
from ttd_core.text.prompts import fill, template_set

RECLIP_SETS = ("voc20", "context59", "ade150", "cityscapes19", "cocostuff27", "cocostuff171")


@torch.inference_mode()
def test_tagclip_class_weights_of_85_prompts_match() -> None:
    case = load_case("tagclip", "text_voc20")
    names = json.loads((ROOT / "tagclip" / "text_class_names.json").read_text(encoding="utf-8"))
    backbone = tiny_backbone(case.info["weights_seed"], TAGCLIP_TINY)
    bank = TextBank(backbone)
    for stage, number in (("class0", 0), ("diningtable", 10)):
        prompts = [fill(t, names["voc20"][number]) for t in template_set("full+maskclip")]
        case.check(f"tokens_{stage}", backbone.text.tokenize(prompts)[0])
    for number in (0, 10):
        embeddings = bank.prompt_embeddings([names["voc20"][number]], "full+maskclip")[0]
        case.check(f"embed_class{number}", embeddings, rtol=1e-5, atol=2e-5)
    weights = bank.embed(names["voc20"] + names["background"], "full+maskclip", normalise_each=True)
    case.check("weights", weights, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_reclip_class_embeddings_and_reference_features_match() -> None:
    case = load_case("reclip", "text_s0")
    names = json.loads((ROOT / "reclip" / "class_names.json").read_text(encoding="utf-8"))
    seed = case.info["weights"]["tiny_clip_seed"]
    backbone = tiny_backbone(seed)
    shape = tuple(case.info["extra_weights"]["text_encoder.prompt_token"])
    context = torch.from_numpy(draw("text_encoder.prompt_token", shape, seed))
    for name in ("voc20", "cityscapes19"):
        case.check(f"{name}_text", TextBank(backbone).embed(names[name], "full+maskclip"))
        raw = reference_features(backbone.text, context, names[name])
        case.check(f"{name}_reference_raw", raw)
        case.check(f"{name}_reference", raw / raw.norm())


@pytest.mark.parametrize("name", RECLIP_SETS)
def test_reclip_name_tokens_and_readout_match(name: str) -> None:
    case = load_case("reclip", "text_s0")
    names = json.loads((ROOT / "reclip" / "class_names.json").read_text(encoding="utf-8"))[name]
    ids, readout = name_tokens(tiny_backbone(0).text, names)
    case.check(f"{name}_name_tokens", ids)
    case.check(f"{name}_readout", readout)

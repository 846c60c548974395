"""The tiny TCL under training, and the stored step it is compared with."""

from __future__ import annotations

from typing import Any

import torch

from tests.support.golden import Case, normalised
from tests.support.models import tiny_tcl
from tests.support.tiny_tcl import tiny_masker_state_dict
from ttd_core.methods.tcl.model import IMAGENET_MEAN, IMAGENET_STD
from ttd_core.methods.tcl.training import TclTraining
from ttd_core.methods.tcl.weights import key_table

SCALES = {"tcli_loss.logit_scale": "tcli_log_scale", "tclf_loss.logit_scale": "tclf_log_scale"}


def tiny_training(seed: int = 0, **options: Any) -> TclTraining:
    """The stored starting weights, logit scales included."""
    training = TclTraining(tiny_tcl(seed), **options)
    learned = tiny_masker_state_dict(seed)
    with torch.no_grad():
        for theirs, ours in SCALES.items():
            getattr(training, ours).copy_(learned[theirs])
    return training


def parameters_by_key(training: TclTraining) -> dict[str, torch.nn.Parameter]:
    """What is learned, under the names of a published checkpoint."""
    masker = training.network.masker
    ours = dict(masker.named_parameters())
    table = key_table(masker, len(training.network.network.visual.transformer.resblocks))
    return {theirs: ours[name] for theirs, name in table.items()} | {
        theirs: getattr(training, name) for theirs, name in SCALES.items()
    }


def stored_batch(case: Case) -> tuple[torch.Tensor, list[str], torch.Tensor]:
    """Pictures, captions and the noise of each picture's own mask."""
    images = torch.cat([normalised(*e["test_image"], IMAGENET_MEAN, IMAGENET_STD) for e in case.info["images"]])
    noise = torch.from_numpy(case.arrays["u"]).diagonal(dim1=0, dim2=1).permute(2, 0, 1).contiguous()
    return images, case.info["captions"], noise

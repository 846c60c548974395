"""`--method tcl`: TCL's published inference behind the maps, masks and label maps of every command.

Sections 4, 5 and 9 of the protocol: windows of 448 pixels every 224 on a picture whose shorter side is 448, PAMR at a
quarter of each, 0.3 of the frozen CLIP's map, the mean over windows, and the comparison with the background at the
picture's own size. Class names go into the templates as they stand, and a class is the mean over unnormalised prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.errors import UsageError
from ttd_core.methods.tcl.inference import TclInference
from ttd_core.methods.tcl.windows import SIZE, resized_size
from ttd_core.ops.masks import Masks
from ttd_core.ops.memory import memory_errors
from ttd_core.ops.opencv_resize import resize_bilinear
from ttd_core.ops.resize import resize_maps
from ttd_core.recipes.maps import Looked, owned
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.methods import setting, with_pamr
from ttd_core.types import Picture

if TYPE_CHECKING:
    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Session

# Maps held at the picture's own size, however many texts there are; those of other shapes are rounded differently.
_AT_ONCE = 4
_MASKER = "tcl"
_REMEMBERED = 10_000
_HINT = "use a smaller --image-size, or fewer tags"


def open_tcl(session: Session, options: CommonOptions) -> TclMethod:
    """Build the inference from the options, with the published values where they are silent.

    Windows are as wide as the shorter side and overlap by half, which at the published 448 pixels is the published 224.
    The built-in model's shorter side is its own.

    Raises:
        UsageError: the model has no masker, or the stride leaves gaps.
    """
    info = session.info
    if info.dense != _MASKER:
        raise UsageError(
            f"--method tcl needs TCL's masker, which {info.name} with the weights {info.weights_name} has not",
            hint="--model tcl --weights tcl.pth",
        )
    size = options.image_size or (info.mask_size or info.image_size if info.name == "scenes" else SIZE)
    window = options.window or size
    inference = TclInference(
        session.backbone,
        pamr=with_pamr(options),
        kp_weight=setting(options, "kp_weight"),
        size=size,
        window=window,
        stride=options.stride or max(1, window // 2),
    )
    return TclMethod(inference, session)


class TclMethod:
    """TCL's inference as a `MethodModel`.

    Args:
        inference: the method.
        session: the model's text tower and device.
    """

    def __init__(self, inference: TclInference, session: Session) -> None:
        self._inference = inference
        self._bank, self._device, self._width = session.bank, session.device, session.info.width
        self._known: dict[tuple[str, str], torch.Tensor] = {}

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×D means over the unnormalised embeddings of each text's prompts.

        The prompts of a text go through the model by themselves, so no text changes the last bits of another one.
        """
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        rows = []
        for text in texts:
            row = self._known.get((templates, text))
            if row is None:
                row = self._bank.prompt_embeddings([text], templates)[0].mean(dim=0).to(self._device)
                self._known[templates, text] = row
            rows.append(row)
        return torch.stack(rows) if rows else torch.zeros(0, self._width, device=self._device)

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """Maps at the size at which a picture is read, averaged over windows; PAMR where masks are made."""
        for picture, each in zip(pictures, asked, strict=True):
            pixels = resize_bilinear(picture.pixels, self._read_at(picture))
            texts = each.texts if each.caption is None else torch.cat([each.texts, each.caption[None]])
            with memory_errors(f"looking for {len(each.texts)} text(s) in {picture.name}", _HINT):
                found = self._inference.scores(pixels, texts)
            maps = found[: len(each.texts)]
            own = None if each.caption is None else found[-1]
            scores = maps.flatten(1).amax(1) if len(maps) else maps.new_zeros(0)
            yield owned(Looked(maps, maps, own, own, scores), each.owners)

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        """Enlarge, compare with the constant, take the strongest: what `TclInference.label_map` does, to the bit."""
        size = picture.size
        best = torch.full(size, background, device=maps.device)
        labels = torch.zeros(size, dtype=torch.int32, device=maps.device)
        with memory_errors(f"deciding between {len(maps)} map(s) at {size[1]}x{size[0]} pixels", _HINT):
            for first in range(0, len(maps), _AT_ONCE):
                part = maps[first : first + _AT_ONCE]
                whole = F.pad(part, (0, 0, 0, 0, 0, _AT_ONCE - len(part)))
                strongest, index = resize_maps(whole[None], size)[0, : len(part)].max(dim=0)
                labels = torch.where(strongest > best, index.to(torch.int32) + first + 1, labels)
                best = torch.maximum(best, strongest)
        return Masks(labels.cpu().numpy().astype(np.uint8 if len(maps) < 255 else np.uint16), maps)

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        """See `TclInference.label_map`; texts are gone through in blocks, and the strongest one's class wins."""
        with memory_errors(f"looking for {len(asked.texts)} text(s) in {picture.name}", _HINT):
            found = self._inference.label_map(picture.pixels, asked.texts, background)
        owners = np.array(asked.classes, dtype=np.uint16)
        table = owners if background is None else np.concatenate([[0], owners + 1]).astype(np.uint16)
        labels: np.ndarray = table[found]
        return labels

    def described(self) -> dict[str, Any]:
        """Size, windows, mixture and refinement."""
        own = self._inference
        return {
            "method": "tcl",
            "image_size": own.size,
            "longest": own.longest,
            "window": own.window,
            "stride": own.stride,
            "kp_weight": own.kp_weight,
            "pamr": own.pamr,
        }

    def _read_at(self, picture: Picture) -> tuple[int, int]:
        return resized_size(picture.size, self._inference.size, self._inference.longest)

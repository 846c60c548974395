"""Pictures inside the page: small, as data addresses, with words for those who do not see them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttd_core.drawing.canvas import resized
from ttd_core.drawing.report.contents import Example

WIDTH = 320
_TALLEST = 480
_QUALITY = 82


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as the page takes it.

    Args:
        address: a `data:` address.
        width, height: in pixels, of the embedded picture.
        label: what stands below it.
        alt: what it shows, in words.
    """

    address: str
    width: int
    height: int
    label: str
    alt: str


@dataclass(frozen=True)
class LegendEntry:
    """What a colour stands for; the colour as `r,g,b` in 0..255, empty for none."""

    name: str
    colour: str
    remark: str


@dataclass(frozen=True)
class Card:
    """An example with its pictures embedded."""

    title: str
    caption: str
    value: str
    pictures: tuple[EmbeddedPicture, ...]
    reason: str
    remarks: Sequence[tuple[str, str]]
    legend: list[LegendEntry]


def cards(examples: Sequence[Example], width: int = WIDTH, quality: int = _QUALITY) -> list[Card]:
    """Embed the pictures of examples.

    Args:
        examples: what to show.
        width: the most pixels across; 0 leaves the pictures out.
        quality: of JPEG, 1 to 95.
    """
    return [
        Card(
            title=example.title,
            caption=example.caption,
            value=example.value,
            pictures=tuple(
                embedded(pixels, label, f"{words} of sample {example.title}", width, quality)
                for pixels, label, words in (
                    (example.pixels, "picture", "picture"),
                    (example.truth, "truth", "truth drawn over the picture"),
                    (example.prediction, "answer", "answer drawn over the picture"),
                )
                if pixels is not None and width
            ),
            reason=example.reason,
            remarks=example.remarks,
            legend=[
                LegendEntry(name, ",".join(str(int(part)) for part in colour or ()), remark)
                for name, colour, remark in example.legend
            ],
        )
        for example in examples
    ]


def embedded(pixels: np.ndarray, label: str, alt: str, width: int = WIDTH, quality: int = _QUALITY) -> EmbeddedPicture:
    """Embed H×W×3 uint8, reduced to `width` pixels across and never enlarged: PNG where that is smaller, else JPEG."""
    height = pixels.shape[0]
    factor = min(1.0, width / pixels.shape[1], _TALLEST * width / WIDTH / height)
    size = max(1, round(height * factor)), max(1, round(pixels.shape[1] * factor))
    picture = resized(pixels, size)
    photograph, drawing = io.BytesIO(), io.BytesIO()
    picture.save(photograph, format="JPEG", quality=quality, optimize=True)
    picture.save(drawing, format="PNG")
    kind, data = min(("jpeg", photograph.getvalue()), ("png", drawing.getvalue()), key=lambda pair: len(pair[1]))
    address = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return EmbeddedPicture(address=address, width=size[1], height=size[0], label=label, alt=alt)

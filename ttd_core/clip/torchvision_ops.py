"""Makes `import open_clip` work with a CPU build of torch.

open_clip imports torchvision, whose wheel on the package index is built against torch's CUDA libraries. Beside a
CPU build of torch its compiled half does not load, and its Python half then fails on declaring shapes for operators
that nobody registered (`operator torchvision::nms does not exist`). Declaring those operators, without a body, is
enough: nothing here calls them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a library's declarations live as long as it does


def declare_missing_operators() -> bool:
    """Declare torchvision's operators if its compiled half does not fit this torch. Call before importing open_clip.

    Returns:
        Whether they are declared by us.
    """
    if _declared:
        return True
    spec = importlib.util.find_spec("torchvision")
    if torch.version.cuda or torch.version.hip or spec is None or spec.origin is None:
        return False  # with an accelerator's build of torch, torchvision loads as it is
    if any([_loads(path) for path in sorted(Path(spec.origin).parent.glob("_C*")) if path.suffix in (".so", ".pyd")]):
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
    return True


def _loads(path: Path) -> bool:
    """Load a compiled part as torchvision itself would; loading it again later does nothing."""
    try:
        torch.ops.load_library(str(path))
    except OSError:
        return False
    return True

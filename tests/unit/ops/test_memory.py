from __future__ import annotations

import numpy as np
import pytest
import torch

from ttd_core.errors import UsageError
from ttd_core.ops.memory import memory_errors


def test_what_torch_cannot_allocate_is_a_usage_error_with_a_way_out() -> None:
    with pytest.raises(UsageError) as caught, memory_errors("encoding 2 pictures"):
        torch.empty(10**14)
    assert caught.value.message == "out of memory while encoding 2 pictures (tried to allocate 372529.0 GiB)"
    for option in ("--image-size", "--scales", "--batch-size"):
        assert option in (caught.value.hint or "")


def test_what_numpy_cannot_allocate_is_one_too() -> None:
    with pytest.raises(UsageError, match="out of memory while looking$"), memory_errors("looking"):
        np.empty(10**15)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("CUDA out of memory. Tried to allocate 31.04 GiB. GPU 0 has a total", "(tried to allocate 31.04 GiB)"),
        ("MPS backend out of memory (MPS allocated: 1 GB). Tried to allocate 2.00 GB on", "allocate 2.00 GB)"),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 1073741824 bytes.", "allocate 1.0 GiB)"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "while looking"),
        ("Storage size calculation overflowed with sizes=[10000000000, 10000000000]", "while looking"),
    ],
)
def test_every_allocator_is_understood(message: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught, memory_errors("looking"):
        raise RuntimeError(message)
    assert caught.value.message.endswith(expected)


def test_the_error_class_of_cuda_is_understood() -> None:
    with pytest.raises(UsageError), memory_errors("looking"):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("no"), UsageError("mine")])
def test_other_errors_pass_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, memory_errors("looking"):
        raise error
    assert caught.value is error

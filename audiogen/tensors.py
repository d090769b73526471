"""Tensors in files of unknown origin: headers are checked before memory is allocated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

MAX_BYTES = 1 << 34  # 16 GiB of weights, 3,000 times those of the shipped base
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""PyTorch data type -> its name in the header of a .safetensors file."""

Layout = dict[str, tuple[str, tuple[int, ...]]]
"""Data type and shape of each tensor, by name."""


def layout_in(path: Path) -> Layout:
    """The layout in the header of a .safetensors file; the tensors are not read.

    Raises:
        SafetensorError: it is not a .safetensors file, or its size does not fit its header.
    """
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        return {name: (one.get_dtype(), tuple(one.get_shape())) for name, one in slices.items()}


def layout_of(make: Callable[[], nn.Module]) -> Layout:
    """The layout of a module's state, found without allocating memory for it.

    Args:
        make: constructor of the module.

    Raises:
        ValueError: its tensors would exceed `MAX_BYTES`.
    """
    with torch.device("meta"):
        tensors = make().state_dict()
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    if size > MAX_BYTES:
        raise ValueError(f"its weights would take {size / 1e9:,.0f} GB, more than {MAX_BYTES / 1e9:.0f} GB")
    return {name: (DTYPES.get(value.dtype, str(value.dtype)), tuple(value.shape)) for name, value in tensors.items()}


def require_layout(found: Layout, expected: Layout) -> None:
    """Raise a ValueError that names a tensor that is missing, unexpected, or of another type or shape."""
    for name in expected:
        if name not in found:
            raise ValueError(f"{name} is missing")
    for name, (dtype, shape) in found.items():
        if name not in expected:
            raise ValueError(f"{name} is unexpected")
        if (dtype, shape) != expected[name]:
            wanted, wanted_shape = expected[name]
            raise ValueError(f"{name} is {dtype} {list(shape)}, not {wanted} {list(wanted_shape)}")


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise a ValueError that names a tensor with NaN or infinite values."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} has NaN or infinite values")


def read_tensors(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """Read some tensors of a .safetensors file.

    Raises:
        ValueError: one of them has NaN or infinite values.
    """
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in names}
    require_finite(tensors)
    return tensors

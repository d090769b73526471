"""Weights files of networks: reading, checking against a network, loading."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiogen.errors import InputError
from audiogen.tensors import layout_in, layout_of, require_finite, require_layout

MIN_CHECKED_WEIGHTS = 1 << 24  # networks of fewer weights are built whatever the size of their file


def read_weights(path: Path, sha256: str = "") -> dict[str, Any]:
    """Read tensors by name from a .safetensors or PyTorch file, without executing code in it.

    Raises:
        InputError: the file is missing, has another checksum, or holds no tensors.
    """
    if not path.is_file():
        raise InputError(path, "there is no such file", "download the published weights into that folder")
    if sha256 and (found := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256.lower():
        raise InputError(path, f"its sha256 is {found}", "download it again, or correct sha256=")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(path, f"it holds no weights ({type(error).__name__})", "download it again") from error


def require_weights(path: Path, make: Callable[[], nn.Module]) -> None:
    """Check that a weights file fits a network, before memory is allocated for either.

    Of a PyTorch file only the size is known beforehand: the network must not be larger. A missing file passes, since
    reading it reports that.

    Args:
        path: of the weights file.
        make: constructs the network; called on the meta device.

    Raises:
        InputError: the file does not fit.
    """
    from safetensors import SafetensorError

    if not path.is_file():
        return
    try:
        wanted = layout_of(make)
        if path.suffix == ".safetensors":
            require_layout(layout_in(path), wanted)
        else:
            count = sum(math.prod(shape) for _, shape in wanted.values())
            if count > max(path.stat().st_size / 2, MIN_CHECKED_WEIGHTS):
                raise ValueError(f"its configuration requires {count:,} weights, more than a file of its size holds")
    except (SafetensorError, OSError, ValueError) as error:
        cause = f"it does not fit its configuration: {error}"
        raise InputError(path, cause, "use matching weights and configuration") from error


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a .safetensors file.

    Raises:
        InputError: it is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(path, f"it holds no weights ({type(error).__name__})", "give a .safetensors file") from error


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load a state dict into a network.

    Raises:
        InputError: a tensor is missing, unexpected, not finite, or of another shape; the message names one.
    """
    try:
        missing, extra = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise InputError(path, str(error).splitlines()[-1].strip(), "use matching weights and configuration") from error
    try:
        require_finite(network.state_dict())
    except ValueError as error:
        raise InputError(path, str(error), "download it again, or train it again") from error
    if missing or extra:
        what = f"{missing[0]} is missing" if missing else f"{extra[0]} is unexpected"
        raise InputError(path, f"it does not fit its configuration: {what}", "use matching weights and configuration")

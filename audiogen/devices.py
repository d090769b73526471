"""Compute devices by name."""

from __future__ import annotations

import torch

from audiogen.errors import InputError


def pick_device(name: str) -> torch.device:
    """The device of a name.

    Args:
        name: "cpu", "cuda" (the first CUDA device), or "auto" (CUDA if there is a device, else the CPU).

    Raises:
        InputError: an unknown name, or "cuda" without a CUDA device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device {name}", "there is no such device", "choose from auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda", "no CUDA device was found", "use --device cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")

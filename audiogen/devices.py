"""Compute devices and threads."""

from __future__ import annotations

import os

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


def use_default_threads() -> None:
    """Compute with one CPU thread unless the user has chosen another number.

    The tensors here are small: more threads gain little, and on a busy machine they wait for each other, which has made
    trainings 7 times slower. The user chooses with the environment variable ``OMP_NUM_THREADS``, or with
    `torch.set_num_threads` for a number other than PyTorch's own defaults, all CPUs or half of them.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() in (cpus, (cpus + 1) // 2):
        torch.set_num_threads(1)

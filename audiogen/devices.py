"""Compute devices by name, and the processors that threads may use."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from audiogen.errors import InputError

MAX_THREADS = 8  # each generates a tail of its own: more would need more memory than they save time
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of processor time in each period, or "max"


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


def count_processors() -> int:
    """Processors that this process may use, at least 1: those of its affinity, within the quota of its container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = QUOTA.read_text().split()
        count = min(count, round(int(share) / int(period)))
    except (OSError, ValueError):  # no container, or one without a quota
        pass
    return max(count, 1)


def count_threads(tasks: int) -> int:
    """Threads for so many independent tasks: one a processor, 8 at most."""
    return min(count_processors(), MAX_THREADS, tasks)

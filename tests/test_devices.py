"""Devices by name, and the default number of threads."""

from __future__ import annotations

import os

import pytest
import torch

from audiogen.devices import pick_device, use_default_threads
from audiogen.errors import InputError


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device cuda: no CUDA device was found; use --device cpu or auto"):
        pick_device("cuda")
    with pytest.raises(InputError, match="device tpu: there is no such device; choose from auto, cpu, cuda"):
        pick_device("tpu")


@pytest.mark.parametrize(
    ("threads", "environment", "expected"), [(8, None, 1), (4, None, 1), (8, "8", 8), (3, None, 3), (1, None, 1)]
)
def test_one_thread_unless_the_user_has_chosen(
    threads: int, environment: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = [threads]
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: current[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: current.__setitem__(0, count))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if environment is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", environment)
    use_default_threads()
    assert current == [expected]

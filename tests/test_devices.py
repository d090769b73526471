"""Devices by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from audiogen import devices
from audiogen.devices import count_processors, count_threads, pick_device
from audiogen.errors import InputError


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device cuda: no CUDA device was found; use --device cpu or auto"):
        pick_device("cuda")
    with pytest.raises(InputError, match="device tpu: there is no such device; choose from auto, cpu, cuda"):
        pick_device("tpu")


def test_processors_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(20)), raising=False)
    assert count_processors() == 20
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert count_processors() == 20
    assert [count_threads(tasks) for tasks in (3, 100)] == [3, 8]
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert count_processors() == 2
    (tmp_path / "cpu.max").write_text("10000 100000\n")
    assert count_processors() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    (tmp_path / "cpu.max").unlink()
    assert count_processors() == 64

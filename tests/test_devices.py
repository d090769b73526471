"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from audiogen.devices import pick_device
from audiogen.errors import InputError


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="device cuda: no CUDA device was found; use --device cpu or auto"):
        pick_device("cuda")
    with pytest.raises(InputError, match="device tpu: there is no such device; choose from auto, cpu, cuda"):
        pick_device("tpu")

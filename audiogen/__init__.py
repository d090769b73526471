"""audiogen: give it a recording, it gives you the rest.

The public names are loaded when they are first used, so that ``import audiogen`` and ``audiogen --help`` are instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiogen.audio import Recording as Recording
    from audiogen.audio import read as read
    from audiogen.audio import write as write
    from audiogen.experiment import Experiment as Experiment
    from audiogen.experiment import read_experiment as read_experiment
    from audiogen.jobs.continue_sound import continue_recording as continue_recording
    from audiogen.jobs.request import Request as Request
    from audiogen.run import Run as Run
    from audiogen.training.trainer import train as train

__version__ = "0.1.0"

_HOMES = {
    "Recording": "audiogen.audio",
    "read": "audiogen.audio",
    "write": "audiogen.audio",
    "Experiment": "audiogen.experiment",
    "read_experiment": "audiogen.experiment",
    "train": "audiogen.training.trainer",
    "Run": "audiogen.run",
    "Request": "audiogen.jobs.request",
    "continue_recording": "audiogen.jobs.continue_sound",
}

__all__ = [  # noqa: PLE0604 - the names of _HOMES are strings
    "__version__",
    *_HOMES,
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'audiogen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Trainings that end abruptly, as if the process was killed."""

from __future__ import annotations

import pytest

from audiogen.training.loop import TrainingLoop


class Killed(Exception):
    """Stands for a kill: the training itself cleans up nothing."""


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException | None = None) -> None:
    """Let trainings end with ``error`` after ``step`` steps, before that step's validation and checkpoint."""
    set_learning_rate = TrainingLoop._set_learning_rate

    def ending(loop: TrainingLoop) -> None:
        if loop.step == step:
            raise error or Killed
        set_learning_rate(loop)

    monkeypatch.setattr(TrainingLoop, "_set_learning_rate", ending)

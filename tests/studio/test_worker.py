"""A job of the studio ends soon after it is cancelled, wherever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from audiogen.audio import write
from audiogen.studio.worker import Job, run
from tests.conftest import synthetic


class Asked:
    """Whether to stop: asked by a job, and answered yes from the ``last`` time on. Notes what is going on each time."""

    def __init__(self, last: int | None = None) -> None:
        self.last, self.label, self.labels = last, "", []  # type: tuple[int | None, str, list[str]]

    def send(self, word: str, *rest: Any) -> None:
        if word == "progress":
            done, total, label = rest
            self.label = f"{label}: {done / total:.0%}"

    def cancelled(self) -> bool:
        self.labels.append(self.label)
        return self.last is not None and len(self.labels) > self.last


def test_a_job_can_be_cancelled_within_the_analysis_and_the_measures(tmp_path: Path) -> None:
    write(tmp_path / "rain.wav", synthetic(4, rate=22050), "PCM_16")
    job = Job("recording", tmp_path / "rain.wav", tmp_path / "take.wav", {"seconds": 1.0, "seed": 0})
    all_of_it = Asked()
    assert run(job, all_of_it.send, all_of_it.cancelled)[0] == "made"
    for during in ("analysing rain.wav: 0%", "continuing take.wav: 0%", "measuring take.wav: 0%"):
        assert all_of_it.labels.count(during) >= 3, during  # the next report, and two checkpoints at least
    (tmp_path / "take.wav").unlink()
    (tmp_path / "take.json").unlink()
    for during in ("analysing rain.wav: 0%", "measuring take.wav: 0%"):
        early = Asked(all_of_it.labels.index(during))
        assert run(job, early.send, early.cancelled) == ("cancelled",)
        assert early.labels[-1] == during
        assert [each.name for each in tmp_path.iterdir()] == ["rain.wav"]

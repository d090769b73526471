"""Trained Runs are kept by their content, found again, and bounded in size."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from audiogen.audio import AudioWarning, Recording
from audiogen.jobs import run_cache
from audiogen.jobs.run_cache import cache_folder, find, keep, key_of
from audiogen.pretrained import base
from audiogen.run import WEIGHTS

Texture = Callable[..., Recording]


def test_a_kept_run_is_found_with_its_metrics() -> None:
    keep("a", replace(base(), metrics={"seconds": 3.0}))
    found = find("a")
    assert found is not None
    assert found.metrics == {"seconds": 3.0}
    assert find("b") is None


def test_the_key_depends_on_samples_rate_and_settings(texture: Texture) -> None:
    recording = texture(1.0)
    changed = recording.samples.copy()
    changed[0, -1] += 1e-4
    others = [
        key_of(Recording(changed, recording.sample_rate), "x", 60.0),
        key_of(Recording(recording.samples, 48000), "x", 60.0),
        key_of(recording, "y", 60.0),
        key_of(recording, "x", None),
    ]
    assert key_of(texture(1.0), "x", 60.0) == key_of(recording, "x", 60.0)
    assert len({key_of(recording, "x", 60.0), *others}) == 5


def test_the_least_recently_used_runs_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("size", base())
    size = sum(file.stat().st_size for file in (cache_folder() / "size").iterdir())
    monkeypatch.setattr(run_cache, "MAX_BYTES", 2 * size + 1)
    keep("other", base())
    for number, name in enumerate(("other", "size")):
        os.utime(cache_folder() / name, (number, number))
    keep("new", base())
    assert {folder.name for folder in cache_folder().iterdir()} == {"size", "new"}
    os.utime(cache_folder() / "size", (0, 0))
    assert find("size") is not None  # used: now later than a folder of the past
    os.utime(cache_folder() / "new", (1, 1))
    keep("newest", base())
    assert {folder.name for folder in cache_folder().iterdir()} == {"size", "newest"}


def test_a_damaged_run_is_forgotten() -> None:
    keep("a", base())
    (cache_folder() / "a" / WEIGHTS).write_bytes(b"no weights")
    assert find("a") is None
    assert not (cache_folder() / "a").exists()


def test_a_folder_that_cannot_be_written_costs_a_warning_only() -> None:
    file = cache_folder()
    file.parent.mkdir(parents=True)
    file.write_text("in the way", "utf-8")
    with pytest.warns(AudioWarning, match="the trained model is not kept"):
        keep("a", base())
    assert find("a") is None

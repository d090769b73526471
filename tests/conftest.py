"""What the tests share: synthetic recordings, tiny experiments, and the folder of real recordings."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.experiment import Experiment, read_experiment
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import extract_features
from audiogen.run import Run, new_model

LONGEST = (
    *("docs/test_tutorials.py", "training/test_processes.py", "training/test_checkpoints.py"),
    *("sound/test_texture_matching.py", "sound/test_continuation.py", "cli/test_evaluate.py", "cli/test_continue.py"),
    *("examples/test_gated_package.py", "metrics/test_evaluation.py", "jobs/test_fill_gap.py"),
)
"""Files of tests that take longest, which are begun first: begun last, one would run while other processes wait."""


def pytest_configure() -> None:
    """Have Ctrl-C work in commands that tests start, also where the shell that started the tests had it ignored."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, and skip what is marked ``posix`` on Windows."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    folder = Path(__file__).parent
    names = {
        path: path.relative_to(folder).as_posix() for path in {item.path for item in items} if folder in path.parents
    }
    items.sort(key=lambda item: ranks.get(names.get(item.path, ""), len(ranks)))
    if os.name == "nt":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="needs signals, forks or resource limits of POSIX"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of trained Runs for each test: none may find those of another, or of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))


torch.set_num_threads(1)  # faster for tiny models, and sums in one order

RATE = 44100
TINY = (
    "model.backbone={kind: lstm, hidden: 16, layers: 1}",
    "model.head={kind: mixture, components: 2}",
    "representation.latents=8",
    "representation.patch=4",
    "training.batch_size=4",
    "training.window=0.5",
    "training.steps=12",
    "training.warmup=3",
    "training.validate_every=4",
    "training.checkpoint_every=8",
    "training.log_media_every=0",
    "training.patience=0",
)


def synthetic(seconds: float, seed: int = 0, channels: int = 1, rate: int = RATE) -> Recording:
    """A texture: coloured noise that swells and fades, with clicks at random times."""
    generator = np.random.default_rng(seed)
    length = round(seconds * rate)
    time = np.arange(length) / rate
    noise = np.cumsum(generator.standard_normal((channels, length)), axis=1)
    noise = np.diff(noise - 0.98 * np.roll(noise, 1, axis=1), axis=1, append=0)
    swell = 1 + 0.8 * np.sin(2 * np.pi * (0.7 * time + generator.uniform()))
    clicks = np.zeros(length)
    for start in generator.integers(0, length, max(int(4 * seconds), 1)):
        tail = clicks[start : start + rate // 20]
        tail += np.exp(-np.arange(len(tail)) / (rate / 200)) * generator.uniform(0.1, 0.5)
    samples = 0.05 * swell * noise + clicks * generator.standard_normal(length)
    return Recording(np.clip(samples, -1, 1).astype(np.float32), rate)


@pytest.fixture(scope="session")
def torchaudio() -> ModuleType:
    """torchaudio, to compare with; its binaries load only with matching builds of torch."""
    try:
        return importlib.import_module("torchaudio")
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio does not load with torch {torch.__version__}: {error}")


@pytest.fixture
def texture() -> Callable[..., Recording]:
    """`synthetic`: ``texture(seconds, seed=0, channels=1, rate=44100)``."""
    return synthetic


@pytest.fixture
def tiny() -> Callable[..., Experiment]:
    """A small and quick experiment with overrides: ``tiny("training.steps=4")``."""
    return lambda *overrides: read_experiment(None, (*TINY, *overrides))


@pytest.fixture
def untrained(tiny: Callable[..., Experiment]) -> Callable[..., Run]:
    """``untrained(recording, seed, *overrides)``: a tiny Run with random weights."""

    def make(recording: Recording, seed: int = 0, *overrides: str) -> Run:
        torch.manual_seed(seed)
        experiment = tiny("representation.channels=1", *overrides)
        options = experiment.representation.options
        representation = MelLatents.fit(
            options, [extract_features(recording, options.spec).side_by_side(options.channels)]
        )
        return Run(experiment, representation, new_model(experiment, representation).eval())

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the recordings in {folder} are not there")
    return folder

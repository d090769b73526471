"""Recording -> Tune, for any number of notes at a time of a piano: by transkun (the ``transcribe`` extra).

Yan & Duan 2024, "Scoring Time Intervals using Non-Hierarchical Transformer for Automatic Piano Transcription", arXiv
2404.09466. It has learned the piano; other instruments are beyond it.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.extras import install_command
from audiogen.tunes.transcription import tune_of
from audiogen.tunes.tune import Tune

SAMPLE_RATE = 44100  # Hz
SEGMENT, STEP = 16.0, 8.0  # seconds that are heard at once, and from one segment of a longer sound to the next
BEFORE = 0.5  # seconds of silence
PIANOS = range(8)
"""Programs of General MIDI."""


def can_transcribe_piano() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec("transkun") is not None


def is_piano(tune: Tune) -> bool:
    """Whether a piano plays every part."""
    return all(part.program in PIANOS and not part.drums for part in tune.parts)


def transcribe_piano(recording: Recording, clock: Tune, since: float) -> Tune:
    """The notes of a piano. About 1.6 processor seconds a second of sound.

    Args:
        recording: the piano, alone.
        clock: whose tempos and meters hold.
        since: seconds of the clock at which the recording begins.

    Returns:
        A tune of one part, as many notes as are heard, at the clock's ticks and resolution.

    Raises:
        InputError: the library is missing.
    """
    return tune_of(_heard(recording), clock, since)


@torch.no_grad()
def _heard(recording: Recording) -> list[tuple[float, float, int, int]]:
    """(start, end, pitch, velocity) of each note, seconds."""
    sound = recording.resampled(SAMPLE_RATE)
    if not np.abs(sound.samples).max(initial=0) > 0:
        return []
    model = _model()
    # What begins with the segment itself is not heard: silence goes before it.
    samples = torch.from_numpy(np.pad(sound.samples.T, [(round(BEFORE * SAMPLE_RATE), 0), (0, 0)]).astype(np.float32))
    step = SEGMENT if sound.seconds + BEFORE <= SEGMENT else STEP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch about the library's use of it
        events = model.transcribe(samples, stepInSecond=step, segmentSizeInSecond=SEGMENT)
    # Pedals are told as negative pitches.
    keys = [event for event in events if event.pitch > 0]
    return [(max(key.start - BEFORE, 0.0), key.end - BEFORE, key.pitch, key.velocity) for key in keys]


@cache
def _model() -> Any:
    """The published network with the weights that its package holds."""
    if not can_transcribe_piano():
        raise InputError("transcription", "its library is missing", install_command("transcribe"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that it imports for its training
        folder = Path(str(importlib.import_module("transkun").__file__)).parent / "pretrained"
        told = importlib.import_module("moduleconf").parseFromFile(str(folder / "2.0.conf"))["Model"]
        model = told.module.TransKun(conf=told.config)
    weights = torch.load(folder / "2.0.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(weights["state_dict"], strict=False)
    return model.eval()

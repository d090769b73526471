"""Polyphonic piano transcription: Recording -> Tune, by transkun (the ``transcribe`` extra).

Yan & Duan 2024, "Scoring Time Intervals using Non-Hierarchical Transformer for Automatic Piano Transcription", arXiv
2404.09466. Trained on pianos only.
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
from audiogen.tunes.transcription import TimedNote, tune_from_notes
from audiogen.tunes.tune import Tune

SAMPLE_RATE = 44100  # Hz
SEGMENT, STEP = 16.0, 8.0  # seconds: analysis segment, and hop between segments of longer recordings
LEAD_IN = 0.5  # seconds of silence before the recording
PIANOS = range(8)
"""General MIDI programs."""


def can_transcribe_piano() -> bool:
    """Whether the library is installed."""
    return importlib.util.find_spec("transkun") is not None


def is_piano(tune: Tune) -> bool:
    """Whether all parts are pianos."""
    return all(part.program in PIANOS and not part.drums for part in tune.parts)


def transcribe_piano(recording: Recording, clock: Tune, since: float) -> Tune:
    """Transcribe a piano. Takes about 1.6 processor seconds per second of audio.

    Args:
        recording: of the piano alone.
        clock: tune whose tempos, meters and resolution the result has.
        since: time on that clock at which the recording begins, seconds.

    Returns:
        A tune with one part, which may have no notes.

    Raises:
        InputError: the library is missing.
    """
    return tune_from_notes(_detect_notes(recording), clock, since)


@torch.no_grad()
def _detect_notes(recording: Recording) -> list[TimedNote]:
    """All notes of a recording."""
    sound = recording.resampled(SAMPLE_RATE)
    if not np.abs(sound.samples).max(initial=0) > 0:
        return []
    model = _model()
    # Notes that begin with the segment itself are missed, hence the silence.
    samples = torch.from_numpy(np.pad(sound.samples.T, [(round(LEAD_IN * SAMPLE_RATE), 0), (0, 0)]).astype(np.float32))
    step = SEGMENT if sound.seconds + LEAD_IN <= SEGMENT else STEP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from PyTorch, about the library's use of it
        events = model.transcribe(samples, stepInSecond=step, segmentSizeInSecond=SEGMENT)
    # Pedals have negative pitches.
    keys = [event for event in events if event.pitch > 0]
    return [(max(key.start - LEAD_IN, 0.0), key.end - LEAD_IN, key.pitch, key.velocity) for key in keys]


@cache
def _model() -> Any:
    """The published network with the weights from its package."""
    if not can_transcribe_piano():
        raise InputError("transcription", "its library is missing", install_command("transcribe"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from libraries that it imports for training
        folder = Path(str(importlib.import_module("transkun").__file__)).parent / "pretrained"
        parsed = importlib.import_module("moduleconf").parseFromFile(str(folder / "2.0.conf"))["Model"]
        model = parsed.module.TransKun(conf=parsed.config)
    weights = torch.load(folder / "2.0.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(weights["state_dict"], strict=False)
    return model.eval()

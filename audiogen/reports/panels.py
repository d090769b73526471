"""What the pages share: sounds and pictures as data URIs, a player with its spectrogram, templates."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording, Writer
from audiogen.progress import progress
from audiogen.reports.figures import RANGE, Spectrogram, gradient, time_ticks
from audiogen.text_files import write_text

UNCOMPRESSED_SECONDS = 3.0  # up to which the players get WAV
LAYOUTS = {1: "mono", 2: "stereo"}
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz, of MP3


@dataclass(frozen=True)
class Panel:
    """A sound and its picture.

    Args:
        key: its name in the page's code.
        name: its name to a reader.
        sound: what is played.
        picture: what is seen.
        ticks: most labels of its time axis.
        zero: seconds after its beginning from which that axis counts.
    """

    key: str
    name: str
    sound: Recording
    picture: Spectrogram
    ticks: int = 6
    zero: float = 0.0


def panels(shown: Sequence[Panel]) -> list[dict[str, Any]]:
    """What the templates need of each; one gain for all, so that they stay comparable."""
    peak = max((float(np.abs(each.sound.samples).max(initial=0)) for each in shown), default=0.0)
    gain = min(1.0, 0.98 / max(peak, 1e-9))
    sounds = []
    with ThreadPoolExecutor() as pool, progress(len(shown), "players") as bar:  # libsndfile needs no Python lock
        for sound in pool.map(lambda each: audio_uri(each.sound, gain), shown):
            sounds.append(sound)
            bar.update()
    return [
        {
            "key": each.key,
            "name": each.name,
            "seconds": each.sound.seconds,
            "audio": sound,
            "picture": _uri("image/png", each.picture.png()),
            "frequencies": each.picture.ticks(),
            "times": time_ticks(each.sound.seconds, each.ticks, each.zero),
        }
        for each, sound in zip(shown, sounds, strict=True)
    ]


def audio_uri(recording: Recording, gain: float = 1.0) -> str:
    """The sound as a data URI that browsers play: MP3, or WAV when it is short."""
    if recording.channels > 2:
        recording = replace(recording, samples=recording.samples.mean(axis=0, keepdims=True))
    recording = recording.resampled(next((rate for rate in RATES if rate >= recording.sample_rate), RATES[-1]))
    kind, suffix, subtype = "audio/mpeg", ".mp3", None
    if recording.seconds <= UNCOMPRESSED_SECONDS:
        kind, suffix, subtype = "audio/wav", ".wav", "PCM_16"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"sound{suffix}"
        with Writer(file, recording.sample_rate, recording.channels, subtype) as writer:
            # Resampling may overshoot what the gain has just brought below full scale.
            writer.write(np.clip(recording.samples * np.float32(gain), -1, 1))
        return _uri(kind, file.read_bytes())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def write_template(path: Path, template: str, values: dict[str, Any]) -> None:
    """Fill in a template of this folder and write it; the colour scale is there for all."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    scale = {"gradient": ", ".join(gradient()), "range": f"{RANGE:.0f}"}
    write_text(path, environment.get_template(template).render(scale | values))

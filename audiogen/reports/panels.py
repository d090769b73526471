"""Shared by all pages: sounds and images as data URIs, panels of player and spectrogram, templates."""

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
from audiogen.reports.figures import LEVEL_RANGE, Spectrogram, gradient, time_ticks
from audiogen.reports.file_parts import FilePart
from audiogen.text_files import write_text

MAX_WAV_SECONDS = 3.0  # longer sounds are embedded as MP3
LAYOUTS = {1: "mono", 2: "stereo"}
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz


@dataclass(frozen=True)
class Panel:
    """A sound with its spectrogram.

    Args:
        key: identifier in the page's HTML.
        name: title.
        sound: played; of a `FilePart`, its whole file is.
        picture: spectrogram of the sound, or of the part.
        ticks: maximum number of labels of the time axis.
        zero: second of the picture at which the time axis is 0.
    """

    key: str
    name: str
    sound: Recording | FilePart
    picture: Spectrogram
    ticks: int = 6
    zero: float = 0.0


def audio_format(recording: Recording) -> str:
    """Sample rate and layout, such as "44.1 kHz, stereo"."""
    layout = LAYOUTS.get(recording.channels, f"{recording.channels} channels")
    return f"{recording.sample_rate / 1000:g} kHz, {layout}"


def panels(shown: Sequence[Panel], page: Path | None = None) -> list[dict[str, Any]]:
    """Values of each panel for the templates, all with the same playback gain so that they stay comparable.

    Args:
        shown: the panels.
        page: file of the page, to which the addresses of a `FilePart` are relative; all else is embedded.
    """
    embedded = [each.sound for each in shown if isinstance(each.sound, Recording)]
    peak = max((float(np.abs(sound.samples).max(initial=0)) for sound in embedded), default=0.0)
    gain = min(1.0, 0.98 / max(peak, 1e-9))

    def address(each: Panel) -> str:
        if isinstance(each.sound, Recording):
            return audio_uri(each.sound, gain)
        assert page is not None, "a file beside a page has no address without the page"
        return each.sound.address(page)

    addresses = []
    with ThreadPoolExecutor() as pool, progress(len(shown), "players") as bar:  # libsndfile needs no Python lock
        for each in pool.map(address, shown):
            addresses.append(each)
            bar.update()
    return [
        {
            "key": each.key,
            "name": each.name,
            "seconds": each.picture.seconds,
            "audio": audio,
            "start": each.sound.start / each.sound.sample_rate if isinstance(each.sound, FilePart) else 0.0,
            "volume": gain if isinstance(each.sound, FilePart) else 1.0,
            "picture": data_uri("image/png", each.picture.png()),
            "frequencies": each.picture.ticks(),
            "times": time_ticks(each.picture.seconds, each.ticks, each.zero),
        }
        for each, audio in zip(shown, addresses, strict=True)
    ]


def audio_uri(recording: Recording, gain: float = 1.0) -> str:
    """A sound as a data URI: MP3, or WAV if it is short; more than two channels are mixed to mono."""
    if recording.channels > 2:
        recording = replace(recording, samples=recording.samples.mean(axis=0, keepdims=True))
    recording = recording.resampled(next((rate for rate in MP3_RATES if rate >= recording.sample_rate), MP3_RATES[-1]))
    kind, suffix, subtype = "audio/mpeg", ".mp3", None
    if recording.seconds <= MAX_WAV_SECONDS:
        kind, suffix, subtype = "audio/wav", ".wav", "PCM_16"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"sound{suffix}"
        with Writer(file, recording.sample_rate, recording.channels, subtype) as writer:
            # Resampling may overshoot full scale.
            writer.write(np.clip(recording.samples * np.float32(gain), -1, 1))
        return data_uri(kind, file.read_bytes())


def data_uri(kind: str, content: bytes) -> str:
    """Content of a MIME type as a data URI, so that a page needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def write_template(path: Path, template: str, values: dict[str, Any]) -> None:
    """Render a template of ``templates/`` to an HTML file; the colour scale is added to its values."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    scale = {"gradient": ", ".join(gradient()), "range": f"{LEVEL_RANGE:.0f}"}
    write_text(path, environment.get_template(template).render(scale | values))

"""Render a Tune as audio with a SoundFont synthesiser.

midirenderer (RustySynth) renders releases, pedals and reverberation; the synthesiser of symusic 0.5.9 cuts each note
off at its end and ignores pedals. The default SoundFont is the General MIDI one of pretty_midi (TimGM6mb by Tim
Brechbill).
"""

from __future__ import annotations

import importlib.util
import io
import wave
from pathlib import Path

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.tunes.midi.parser import import_mido
from audiogen.tunes.midi.writer import to_mido
from audiogen.tunes.tune import Tune

SAMPLE_RATE = 44100  # Hz
MAX_SECONDS = 3600.0
RELEASE_SECONDS = 4.0
GAIN = 4.0  # a piano note at full velocity peaks near -10 dBFS, a four-part chorale near -4
MAX_PEAK = 0.98
EPSILON = 1e-9
SILENCE_FLOOR = 1e-4  # -80 dBFS: where the release is trimmed


def default_soundfont() -> Path:
    """The SoundFont that comes with pretty_midi.

    Raises:
        InputError: pretty_midi is not installed.
    """
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "TimGM6mb.sf2").is_file():
            return path
    raise InputError("SoundFont", "there is none installed", "install audiogen again, or name an .sf2 file")


def render(tune: Tune, sample_rate: int = SAMPLE_RATE, soundfont: Path | None = None) -> Recording:
    """Render a tune.

    Args:
        tune: to render, from tick 0.
        sample_rate: Hz. The synthesiser runs at 48 kHz; other rates are resampled.
        soundfont: an .sf2 file; None for `default_soundfont`.

    Returns:
        A stereo recording that ends when the last release has decayed; attenuated as a whole if it would exceed full
        scale.

    Raises:
        InputError: no usable SoundFont, no synthesiser, or more than an hour of music.
    """
    if tune.seconds > MAX_SECONDS:
        raise InputError("tune", f"{tune.seconds:.0f} s are too long to render", f"cut it below {MAX_SECONDS:.0f} s")
    try:
        from midirenderer import render_wave_from
    except ImportError as error:
        raise InputError("MIDI", "the MIDI libraries are missing", "install audiogen again") from error
    path = default_soundfont() if soundfont is None else soundfont
    try:
        rendered = render_wave_from(_soundfont_bytes(path), _midi_bytes(tune))
    except RuntimeError as error:
        raise InputError(path, f"the synthesiser cannot use it ({error})", "name another .sf2 file") from error
    with wave.open(io.BytesIO(rendered)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, file.getnchannels())
        rate = file.getframerate()
    sound = samples.T.astype(np.float32) * np.float32(GAIN / 2**15)
    sound *= np.float32(min(1.0, MAX_PEAK / max(float(np.abs(sound).max(initial=0)), EPSILON)))
    audible = np.flatnonzero(np.abs(sound).max(axis=0) > SILENCE_FLOOR)
    length = max(round(tune.seconds * rate), int(audible[-1]) + 1 if len(audible) else 0)
    return Recording(np.ascontiguousarray(sound[:, :length]), rate).resampled(sample_rate)


def _midi_bytes(tune: Tune) -> bytes:
    """The tune as a MIDI file that ends `RELEASE_SECONDS` after the last note."""
    midi, stream = to_mido(tune), io.BytesIO()
    clock = midi.tracks[0]
    end = int(tune.ticks_at(tune.seconds + RELEASE_SECONDS)) - sum(message.time for message in clock)
    clock.append(import_mido().MetaMessage("end_of_track", time=max(end, 0)))
    midi.save(file=stream)
    return stream.getvalue()


def _soundfont_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"it cannot be read ({error.strerror})", "name an .sf2 file") from error
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise InputError(path, "it is not a SoundFont", "name an .sf2 file")
    return data

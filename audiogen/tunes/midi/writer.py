"""Write a Tune as a MIDI file."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

from audiogen.part_file import PartFile
from audiogen.tunes.midi.controllers import ALL_CHANNELS, SUSTAIN, to_channel
from audiogen.tunes.midi.parser import import_mido
from audiogen.tunes.midi.track_events import (
    CLOCK,
    SETUP,
    Event,
    assign_channels,
    clock_events,
    controller_events,
    part_events,
    track_of,
)
from audiogen.tunes.tune import Tune


def write_midi(path: Path, tune: Tune) -> None:
    """Write a format 1 file atomically: a track with the clock, then one track per part.

    Each part has a channel of its own while there are free ones (`assign_channels`).
    """
    save(to_mido(tune), path)


def to_mido(tune: Tune) -> Any:
    """The file that `write_midi` writes, as a `mido.MidiFile` in memory."""
    mido = import_mido()
    channels = assign_channels(tune.parts)
    shared = Counter(channels)
    midi = mido.MidiFile(type=1, ticks_per_beat=tune.ticks_per_quarter, charset="utf-8")
    master = tune.controllers[tune.controllers[:, 1] == ALL_CHANNELS]
    midi.tracks.append(track_of(clock_events(tune) + controller_events(master)))
    done: set[tuple[int | None, int]] = set()
    for index, (part, channel) in enumerate(zip(tune.parts, channels, strict=True)):
        mixed = shared[channel] > 1 and not part.drums
        setup: list[Event] = [(0, CLOCK, mido.MetaMessage("track_name", name=part.name))]
        if part.channel is not None and (part.channel, channel) not in done:
            done.add((part.channel, channel))
            rows = tune.controllers[tune.controllers[:, 2] != SUSTAIN]  # `Tune.pedals` holds the sustain pedal
            setup += controller_events(to_channel(rows, part.channel, channel))
        setup.append((0, SETUP, mido.Message("program_change", channel=channel, program=part.program)))
        midi.tracks.append(track_of(setup + part_events(tune, index, channel, part.program if mixed else None)))
    return midi


def save(midi: Any, path: Path, chunks: bytes = b"") -> None:
    """Write a `mido.MidiFile` atomically, with further chunks after its tracks."""
    stream = io.BytesIO()
    midi.save(file=stream)
    with PartFile(path, exclusive=True) as part:
        part.write_bytes(stream.getvalue() + chunks)

"""Where a live stream goes: a file such as stdout, or a sound device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Protocol

import numpy as np

from audiogen.audio.pcm_stream import PcmEncoder
from audiogen.errors import InputError
from audiogen.extras import install_command, is_installed

MAX_EARLY = 0.1  # seconds that a paced output is ahead of the clock
DEVICE_LATENCY = 0.2  # seconds, of a sound device's buffer


class Output(Protocol):
    """Takes blocks ``[channels, time]``, and blocks while it is full."""

    def write(self, block: np.ndarray) -> None: ...

    def close(self) -> None: ...


class FileOutput:
    """Writes encoded samples to a file.

    Args:
        file: such as ``sys.stdout.buffer``.
        encoder: of the samples.
    """

    def __init__(self, file: BinaryIO, encoder: PcmEncoder) -> None:
        self.file, self.encoder = file, encoder
        self.file.write(encoder.header())

    def write(self, block: np.ndarray) -> None:
        self.file.write(self.encoder.encode(block))
        self.file.flush()

    def close(self) -> None:
        self.file.flush()


class Device:
    """Plays samples on a sound device, by PortAudio.

    One channel is played on two: by JACK, it would sound from the left alone, where PortAudio 19.6 does not crash.

    Args:
        sample_rate: Hz.
        channels: of the samples.
        device: its name, a part of it, or its number; None for the default one.

    Attributes:
        latency: seconds from `write` to the ear, as the device reports it; JACK leaves out what waits in a buffer.
        gaps: how often the device has said that it had nothing to play; that of JACK never says so.

    Raises:
        InputError: sounddevice or PortAudio is missing, or there is no such device.
    """

    def __init__(self, sample_rate: int, channels: int, device: str | None = None) -> None:
        library = load_sounddevice()
        chosen = int(device) if device is not None and device.isdigit() else device
        try:
            available = library.query_devices(chosen, "output")["max_output_channels"]
            self._copies = 2 if channels == 1 and available > 1 else 1
            self._stream = library.OutputStream(
                samplerate=sample_rate,
                channels=channels * self._copies,
                dtype="float32",
                device=chosen,
                latency=DEVICE_LATENCY,
            )
            self._stream.start()
            self.latency, self.gaps = float(self._stream.latency), 0
        except (library.PortAudioError, ValueError) as error:
            subject = f"--sound-device {device}" if device is not None else "--play"
            cure = "`python -m sounddevice` lists the devices; or pipe stdout into a player"
            raise InputError(subject, f"it cannot be opened ({' '.join(str(error).split())})", cure) from error

    def write(self, block: np.ndarray) -> None:
        frames = block.clip(-1, 1).repeat(self._copies, axis=0).T
        has_run_out = self._stream.write(np.ascontiguousarray(frames, np.float32))
        self.gaps += bool(has_run_out)

    def close(self) -> None:
        self._stream.stop()
        self._stream.close()


def load_sounddevice() -> Any:
    """The module `sounddevice`.

    Raises:
        InputError: it, or PortAudio, is missing.
    """
    if not is_installed("play"):
        raise InputError("--play", "sounddevice is not installed", install_command("play"))
    try:
        import sounddevice
    except OSError as error:  # its library is not found
        cure = "install PortAudio (apt install libportaudio2), or pipe stdout into a player such as aplay"
        raise InputError("--play", f"PortAudio is missing ({error})", cure) from error
    return sounddevice


def paced(
    blocks: Iterable[np.ndarray],
    write: Callable[[np.ndarray], None],
    sample_rate: int,
    realtime: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write blocks ``[channels, time]``.

    Args:
        blocks: to write.
        write: takes each.
        sample_rate: Hz.
        realtime: wait, so that no block is more than `MAX_EARLY` seconds early; after a gap the clock starts again.
        clock, sleep: of the time.
    """
    due: float | None = None
    for block in blocks:
        if realtime:
            now = clock()
            due = now if due is None or now > due + MAX_EARLY else due
            if due - now > MAX_EARLY:
                sleep(due - now - MAX_EARLY)
            due += block.shape[1] / sample_rate
        write(block)

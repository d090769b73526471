"""What a comparison learns from and is asked: the same tunes as notes and as sound, split once."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from audiogen.audio import AudioWarning, Recording, read, write
from audiogen.data.datasets import DATASETS, Item, guess
from audiogen.data.recordings import SplitFractions, reading
from audiogen.errors import InputError
from audiogen.file_names import shortened
from audiogen.progress import progress
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.rendering import render
from audiogen.tunes.tune import Tune

SAMPLE_RATE = 44100  # Hz, of renderings
T = TypeVar("T")
MAX_STEM_BYTES = 100  # bytes
MAX_TEST_FRACTION = 0.3
"""Share of the pieces: the rest is learned from."""


@dataclass(frozen=True)
class Prompt:
    """A test piece's beginning and what truly follows.

    Args:
        name: of the piece.
        sound: what is continued, as sound.
        real: what follows, as sound.
        tune: what is continued, as notes; None where the piece has none.
        rest: the notes that follow, at their own ticks.
    """

    name: str
    sound: Recording
    real: Recording
    tune: Tune | None = None
    rest: Tune | None = None

    @property
    def join(self) -> float:
        """Seconds at which the tail begins."""
        return self.sound.seconds


@dataclass(frozen=True)
class Pieces:
    """The pieces of a data set, test pieces apart.

    Args:
        learned: what Models train on and stop by; each training holds back its own validation part of it.
        test: what none of them has met.
    """

    learned: list[Item]
    test: list[Item]


def read_pieces(folder: Path, prompts: int = 1) -> Pieces:
    """The pieces of a data set in its split; where that is ours to make, enough of a small set are test pieces.

    Args:
        folder: of the data set.
        prompts: test pieces that are wanted.

    Raises:
        InputError: nothing in it, or no test piece.
    """
    reader = DATASETS[guess(folder)]
    share = prompts / len(reader(folder, SplitFractions(), 0))
    items = reader(folder, SplitFractions(test=min(max(SplitFractions().test, share), MAX_TEST_FRACTION)), 0)
    test = [item for item in items if item.split == "test"]
    learned = [item for item in items if item.split != "test"]
    if not test or not learned:
        raise InputError(folder, f"{len(items)} pieces cannot be split", "give three at least")
    return Pieces(learned, test)


def write_tunes(items: Sequence[Item], folder: Path) -> Path:
    """The items' notes as MIDI files; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        out = folder / f"{file_name(item)}.mid"
        if not out.exists() and (tune := _read_or_warn(item, Item.tune)) is not None:
            write_midi(out, tune)
    if not any(folder.iterdir()):
        raise InputError(folder, "the data set holds no notes", "compare audio configurations only")
    return folder


def write_recordings(items: Sequence[Item], folder: Path, minutes: float) -> Path:
    """The items' sound as files, recorded or rendered, until so many minutes are there."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = 0.0
    with progress(60 * minutes, "rendering", "s") as bar:
        for item in items:
            if seconds >= 60 * minutes:
                break
            out = folder / f"{file_name(item)}.wav"
            if not out.exists():
                sound = _read_or_warn(item, read_sound)
                if sound is None:
                    continue
                write(out, sound, "PCM_16")
            length = read(out).seconds
            seconds += length
            bar.update(length)
    if seconds == 0:
        raise InputError(folder, "none of the data set's pieces can be read", "see the warnings above")
    return folder


def _read_or_warn(item: Item, read_item: Callable[[Item], T | None]) -> T | None:
    """What is read of an item; None, with a warning, where it cannot be read."""
    try:
        with reading(item.audio or item.labels or item.midi or Path(item.name)):
            return read_item(item)
    except InputError as error:
        warnings.warn(f"left out: {error}", AudioWarning, stacklevel=3)
        return None


def read_sound(item: Item) -> Recording:
    """An item's recording, or its notes played."""
    if item.audio is not None:
        return read(item.audio)
    tune = item.tune()
    if tune is None:
        raise InputError(item.name, "it holds neither sound nor notes", "remove it")
    return render(tune, SAMPLE_RATE)


def file_name(item: Item) -> str:
    """An item's name as that of a file, 100 bytes at most."""
    name = item.name.replace("/", "_")
    if len(name.encode("utf-8", "surrogatepass")) <= MAX_STEM_BYTES:
        return name
    return f"{shortened(name, MAX_STEM_BYTES - 9)}-{hashlib.sha256(repr(name).encode()).hexdigest()[:8]}"


def make_prompts(items: Sequence[Item], count: int, prompt_seconds: float, seconds: float) -> list[Prompt]:
    """The beginnings of the first so many test pieces that are long enough.

    Raises:
        InputError: none is.
    """
    found: list[Prompt] = []
    least = prompt_seconds + seconds
    for item in items:
        if len(found) == count:
            break
        tune = _read_or_warn(item, Item.tune)
        if tune is not None and item.audio is None and tune.seconds < least:
            continue
        sound = _read_or_warn(item, read_sound)
        if sound is None or sound.seconds < least:
            continue
        join, stop = (round(at * sound.sample_rate) for at in (prompt_seconds, prompt_seconds + seconds))
        begun = rest = None
        if tune is not None:
            ticks = [int(tune.ticks_at(at)) for at in (prompt_seconds, prompt_seconds + seconds)]
            begun, rest = tune.between(0, ticks[0]), tune.between(*ticks)
            if not len(begun.notes) or not len(rest.notes):
                continue
        found.append(Prompt(item.name, sound.cut(0, join), sound.cut(join, stop), begun, rest))
    if not found:
        raise InputError("--data", f"no test piece lasts {least:g} s", "lower --prompt-seconds and --seconds")
    if len(found) < count:
        text = f"{len(found)} prompts instead of {count}: of {len(items)} test pieces no more last {least:g} s"
        warnings.warn(text, AudioWarning, stacklevel=2)
    return found

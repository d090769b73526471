"""Data of a comparison: the same pieces as notes and as sound, split once into training and test pieces."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from audiogen.audio import AudioWarning, Recording, open_blocks, read, write
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
MAX_STEM_BYTES = 100  # of a file name
MAX_TEST_FRACTION = 0.3  # of the pieces


@dataclass(frozen=True)
class Prompt:
    """The beginning of a test piece and its real continuation.

    Args:
        name: of the piece.
        sound: the prompt as sound.
        real: the real continuation as sound.
        tune: the prompt as notes; None if the piece has none.
        rest: the notes of the real continuation, at their own ticks.
    """

    name: str
    sound: Recording
    real: Recording
    tune: Tune | None = None
    rest: Tune | None = None

    @property
    def join(self) -> float:
        """Second at which the tail begins."""
        return self.sound.seconds


@dataclass(frozen=True)
class Pieces:
    """The split pieces of a data set.

    Args:
        training: for training and validation; each training makes its own validation split.
        test: unseen in training.
    """

    training: list[Item]
    test: list[Item]


def read_pieces(folder: Path, prompts: int = 1) -> Pieces:
    """Read the pieces of a data set with its own split, or else split them with enough test pieces for the prompts.

    Args:
        folder: of the data set.
        prompts: test pieces that are needed.

    Raises:
        InputError: there are no pieces, or no test pieces.
    """
    reader = DATASETS[guess(folder)]
    fraction = prompts / len(reader(folder, SplitFractions(), 0))
    items = reader(folder, SplitFractions(test=min(max(SplitFractions().test, fraction), MAX_TEST_FRACTION)), 0)
    test = [item for item in items if item.split == "test"]
    training = [item for item in items if item.split != "test"]
    if not test or not training:
        raise InputError(folder, f"{len(items)} pieces cannot be split", "give at least three")
    return Pieces(training, test)


def write_tunes(items: Sequence[Item], folder: Path) -> Path:
    """Write the items' notes as MIDI files; existing files are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        out = folder / f"{file_name(item)}.mid"
        if not out.exists() and (tune := _read_or_warn(item, Item.tune)) is not None:
            write_midi(out, tune)
    if not any(folder.iterdir()):
        raise InputError(folder, "the data set has no notes", "compare audio configurations only")
    return folder


def write_recordings(items: Sequence[Item], folder: Path, minutes: float) -> Path:
    """Write the items' sound, recorded or rendered, up to ``minutes`` of it; existing files are kept."""
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
            with open_blocks(out) as blocks:  # our own file: its header is right
                length = (blocks.length or 0) / blocks.sample_rate
            seconds += length
            bar.update(length)
    if seconds == 0:
        raise InputError(folder, "none of the data set's pieces can be read", "see the warnings above")
    return folder


def _read_or_warn(item: Item, read_item: Callable[[Item], T | None]) -> T | None:
    """The result of ``read_item``; None, with a warning, if the item cannot be read."""
    try:
        with reading(item.audio or item.labels or item.midi or Path(item.name)):
            return read_item(item)
    except InputError as error:
        warnings.warn(f"left out: {error}", AudioWarning, stacklevel=3)
        return None


def read_sound(item: Item) -> Recording:
    """The recording of an item, or its rendered notes."""
    if item.audio is not None:
        return read(item.audio)
    tune = item.tune()
    if tune is None:
        raise InputError(item.name, "it has neither sound nor notes", "remove it")
    return render(tune, SAMPLE_RATE)


def file_name(item: Item) -> str:
    """File name of an item without suffix, at most 100 bytes."""
    name = item.name.replace("/", "_")
    if len(name.encode("utf-8", "surrogatepass")) <= MAX_STEM_BYTES:
        return name
    return f"{shortened(name, MAX_STEM_BYTES - 9)}-{hashlib.sha256(repr(name).encode()).hexdigest()[:8]}"


def make_prompts(items: Sequence[Item], count: int, prompt_seconds: float, seconds: float) -> list[Prompt]:
    """Prompts from the first ``count`` test pieces that are long enough.

    Raises:
        InputError: no test piece is long enough.
    """
    made: list[Prompt] = []
    least = prompt_seconds + seconds
    for item in items:
        if len(made) == count:
            break
        tune = _read_or_warn(item, Item.tune)
        if tune is not None and item.audio is None and tune.seconds < least:
            continue
        sound = _read_or_warn(item, read_sound)
        if sound is None or sound.seconds < least:
            continue
        join, stop = (round(at * sound.sample_rate) for at in (prompt_seconds, prompt_seconds + seconds))
        given = rest = None
        if tune is not None:
            ticks = [int(tune.ticks_at(at)) for at in (prompt_seconds, prompt_seconds + seconds)]
            given, rest = tune.between(0, ticks[0]), tune.between(*ticks)
            if not len(given.notes) or not len(rest.notes):
                continue
        made.append(Prompt(item.name, sound.cut(0, join), sound.cut(join, stop), given, rest))
    if not made:
        raise InputError("--data", f"no test piece lasts {least:g} s", "lower --prompt-seconds and --seconds")
    if len(made) < count:
        text = f"{len(made)} prompts instead of {count}: the other test pieces are shorter than {least:g} s"
        warnings.warn(text, AudioWarning, stacklevel=2)
    return made

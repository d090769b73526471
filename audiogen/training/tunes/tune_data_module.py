"""Lessons for the ``midi`` Representation: windows of tunes in random keys and tempos."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from audiogen.audio import AudioWarning
from audiogen.data.datasets import DATASETS, Item, guess
from audiogen.data.datasets.folder import read_abc
from audiogen.data.recordings import SplitFractions, reading
from audiogen.data.tune_windows import MIN_NOTES, EncodedTune, TuneWindows, encode_tune, padded
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.file_names import MIDI_SUFFIXES
from audiogen.models import Model
from audiogen.progress import progress
from audiogen.representation import Representation
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.tunes.tune_media_logging import log_media
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

VALIDATION_TUNES, VALIDATION_TOKENS = 32, 1024
REPORTED_TUNES = 64


@dataclass(frozen=True)
class TuneSplits:
    """Tunes to learn from.

    Args:
        train: at least one piece.
        validation: tokens that stop the training; may be empty.
        held_out: whole tunes of the parts that are not trained on, by part.
        split: tune -> part, or the quarter notes of each part of a single tune.
    """

    train: list[EncodedTune]
    validation: list[EncodedTune]
    split: dict[str, str]
    held_out: dict[str, list[Tune]] = field(default_factory=dict)


class TuneDataModule(DataModule):
    """Windows of tokens, transposed and at another tempo each time."""

    representation: Midi

    def __init__(self, material: TuneSplits, experiment: Experiment) -> None:
        self.material, self.split, self.experiment = material, material.split, experiment
        self.representation = Midi(experiment.representation.options)
        training, varied = experiment.training, experiment.augmentation
        length = max(round(training.window), 2)
        self.windows = TuneWindows(
            material.train,
            length,
            self.representation.tokenizer,
            training.seed,
            varied.transposition,
            varied.tempo,
        )

    def batch(self, step: int, size: int) -> Batch:
        return self.windows.batch(step, size)

    def validation_batch(self) -> Batch | None:
        rows = [piece.tokens[:VALIDATION_TOKENS] for piece in self.material.validation[:VALIDATION_TUNES]]
        return padded(rows) if rows else None

    def frames(self, batch: Batch, augmented: bool = False) -> Tensor:
        return batch  # varied as they are drawn

    def fingerprint(self) -> str:
        return self.windows.fingerprint()

    def log_media(self, model: Any, batch: Batch, writer: EventWriter, step: int) -> None:
        log_media(writer, step, model, self.representation.tokenizer, batch, self.experiment.training.seed)

    def report(self, model: Model) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part, tunes in self.material.held_out.items():
            told = likelihood_of(model, self.representation.tokenizer, tunes[:REPORTED_TUNES])  # type: ignore[arg-type]
            found[part] = {
                "tunes": min(len(tunes), REPORTED_TUNES),
                "notes": told.notes,
                "nats_per_note": round(told.per_note, 4),
                "nats_per_second": round(told.per_second, 4),
            }
        return {"held_out": found} if found else {}


def tune_data_module(
    experiment: Experiment, data: object, folder: Path | None, representation: Representation | None = None
) -> DataModule:
    """One Tune or MIDI file (split in time), or a folder, a data set or an ABC file of tunes (split by tune).

    The Representation of tunes is not fitted: a given one is that of the experiment.
    """
    tokenizer = Midi(experiment.representation.options).tokenizer
    training = experiment.training
    if isinstance(data, Path) and data.suffix.lower() in MIDI_SUFFIXES:
        data = read_midi(data)
    if isinstance(data, Tune):
        material = of_tune(data, tokenizer, training.split_fractions)
    elif isinstance(data, Path):
        material = of_items(_items(data, training.split_fractions, training.seed), tokenizer)
    else:
        raise InputError("training data", "a midi Model learns from tunes", "give a Tune or a folder of MIDI files")
    return TuneDataModule(material, experiment)


def _items(path: Path, shares: SplitFractions, seed: int) -> list[Item]:
    if path.suffix.lower() == ".abc":
        return read_abc([path], path.parent, shares, seed)
    if path.is_file():
        raise InputError(path, "it is no tune", "name a MIDI file, ABC notation or a folder of them")
    return DATASETS[guess(path)](path, shares, seed)


def of_tune(tune: Tune, tokenizer: Tokenizer, shares: SplitFractions) -> TuneSplits:
    """One tune, split in time: its end is held back, nearest to what will be asked for."""
    begun = int(tune.notes["start"].min())
    kept = (1 - shares.validation - shares.test, 1 - shares.test)
    edges = [begun + round(share * (tune.end - begun)) for share in kept]
    learned = tune.between(0, edges[0])
    if len(learned.notes) < MIN_NOTES:
        raise InputError("tune", f"{len(tune.notes)} notes are too few to learn from", "give a longer one, or a Run")
    train = encode_tune(learned, tokenizer, ended=False)
    # What comes after the trained tokens, where the two agree: notes are cut at an edge, and nothing else differs.
    later = tokenizer.encode(tune.between(0, edges[1]), ended=False)[len(train.tokens) :]
    validation = [] if len(later) < MIN_NOTES else [EncodedTune(later.astype("uint16"), later < 0, 0, 0)]
    quarters = [f"{edge / tune.ticks_per_quarter:g}" for edge in (begun, *edges, tune.end)]
    split = {
        part: f"{quarters[index]}..{quarters[index + 1]} quarter notes"
        for index, part in enumerate(("train", "validation", "test"))
        if quarters[index] != quarters[index + 1]
    }
    return TuneSplits([train], validation, split)


def of_items(items: Sequence[Item], tokenizer: Tokenizer) -> TuneSplits:
    """The tunes of a data set in its split; unreadable ones are warned of and left out."""
    pieces: dict[str, list[EncodedTune]] = {"train": [], "validation": [], "test": []}
    held_out: dict[str, list[Tune]] = {"validation": [], "test": []}
    split: dict[str, str] = {}
    for item, tune in readable(items):
        split[item.name] = item.split
        pieces[item.split].append(encode_tune(tune, tokenizer))
        if item.split in held_out:
            held_out[item.split].append(tune)
    if not pieces["train"]:
        raise InputError("training data", "no tune can be learned from", f"give tunes of at least {MIN_NOTES} notes")
    return TuneSplits(
        pieces["train"], pieces["validation"], split, {part: tunes for part, tunes in held_out.items() if tunes}
    )


def readable(items: Sequence[Item]) -> Iterable[tuple[Item, Tune]]:
    """The items that hold notes, with a progress bar."""
    with progress(len(items), "reading tunes", "tune") as bar:
        for item in items:
            try:
                with reading(item.labels or item.midi or Path(item.name)):
                    tune = item.tune()
            except InputError as error:
                warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)
                tune = None
            if tune is not None and len(tune.notes) >= MIN_NOTES:
                yield item, tune
            bar.update()

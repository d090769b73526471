"""Data module of the ``midi`` Representation: windows of tunes, randomly transposed and at random tempos."""

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
from audiogen.run import Run
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.tunes.tune_media_logging import log_media
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

MAX_VALIDATION_TUNES, MAX_VALIDATION_TOKENS = 32, 1024
MAX_REPORTED_TUNES = 64


@dataclass(frozen=True)
class TuneSplits:
    """Tunes to train and to validate on.

    Args:
        train: at least one piece.
        validation: tokens held out to stop the training; may be empty.
        split: name of each tune -> its split; for a single tune, split -> its quarter notes.
        held_out: whole tunes of the validation and test splits.
    """

    train: list[EncodedTune]
    validation: list[EncodedTune]
    split: dict[str, str]
    held_out: dict[str, list[Tune]] = field(default_factory=dict)


class TuneDataModule(DataModule):
    """Windows of tokens, transposed and at another tempo each time.

    Args:
        splits: pieces to train and to validate on.
        experiment: its ``representation``, ``training`` and ``augmentation``.
    """

    representation: Midi

    def __init__(self, splits: TuneSplits, experiment: Experiment) -> None:
        self.splits, self.split, self.experiment = splits, splits.split, experiment
        self.representation = Midi(experiment.representation.options)
        training, augmentation = experiment.training, experiment.augmentation
        self.windows = TuneWindows(
            splits.train,
            max(round(training.window), 2),
            self.representation.tokenizer,
            training.seed,
            augmentation.transposition,
            augmentation.tempo,
        )

    def batch(self, step: int, size: int) -> Batch:
        return self.windows.batch(step, size)

    def validation_batch(self) -> Batch | None:
        rows = [piece.tokens[:MAX_VALIDATION_TOKENS] for piece in self.splits.validation[:MAX_VALIDATION_TUNES]]
        return padded(rows) if rows else None

    def frames(self, batch: Batch, augmented: bool = False) -> Tensor:
        return batch  # `TuneWindows` has augmented it

    def fingerprint(self) -> str:
        return self.windows.fingerprint()

    def log_media(self, model: Any, batch: Batch, writer: EventWriter, step: int) -> None:
        log_media(writer, step, model, self.representation.tokenizer, batch, self.experiment.training.seed)

    def report(self, model: Model) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for split, tunes in self.splits.held_out.items():
            tunes = tunes[:MAX_REPORTED_TUNES]
            result = likelihood_of(model, self.representation.tokenizer, tunes)  # type: ignore[arg-type]
            found[split] = {
                "tunes": len(tunes),
                "notes": result.notes,
                "nats_per_note": round(result.per_note, 4),
                "nats_per_second": round(result.per_second, 4),
            }
        return {"held_out": found} if found else {}


def tune_data_module(experiment: Experiment, data: object, folder: Path | None, base: Run | None = None) -> DataModule:
    """The data module of one tune (split in time), or of a folder, data set or ABC file of tunes (split by tune).

    Args:
        experiment: its ``representation``, ``training`` and ``augmentation``.
        data: a Tune, or the path of a MIDI file, an ABC file, a folder or a data set.
        folder: of the Run; unused.
        base: unused, since the Representation of tunes is not fitted.

    Raises:
        InputError: data of another type, or too few notes.
    """
    tokenizer = Midi(experiment.representation.options).tokenizer
    training = experiment.training
    if isinstance(data, Path) and data.suffix.lower() in MIDI_SUFFIXES:
        data = read_midi(data)
    if isinstance(data, Tune):
        splits = of_tune(data, tokenizer, training.split_fractions)
    elif isinstance(data, Path):
        splits = of_items(_items(data, training.split_fractions, training.seed), tokenizer)
    else:
        raise InputError("training data", "a midi Model is trained on tunes", "give a Tune or a folder of MIDI files")
    return TuneDataModule(splits, experiment)


def _items(path: Path, fractions: SplitFractions, seed: int) -> list[Item]:
    if path.suffix.lower() == ".abc":
        return read_abc([path], path.parent, fractions, seed)
    if path.is_file():
        raise InputError(path, "it is not a tune", "name a MIDI file, an ABC file or a folder of them")
    return DATASETS[guess(path)](path, fractions, seed)


def of_tune(tune: Tune, tokenizer: Tokenizer, fractions: SplitFractions) -> TuneSplits:
    """Split one tune in time; its end is held out, since a continuation starts there.

    Raises:
        InputError: there are too few notes to train on.
    """
    start = int(tune.notes["start"].min())
    ends = (1 - fractions.validation - fractions.test, 1 - fractions.test)
    edges = [start + round(fraction * (tune.end - start)) for fraction in ends]
    beginning = tune.between(0, edges[0])
    if len(beginning.notes) < MIN_NOTES:
        raise InputError("tune", f"{len(tune.notes)} notes are too few to train on", "give a longer one, or a Run")
    train = encode_tune(beginning, tokenizer, ended=False)
    # The tokens after the training split, encoded with it: notes are cut at an edge, all else is the same.
    later = tokenizer.encode(tune.between(0, edges[1]), ended=False)[len(train.tokens) :]
    validation = [] if len(later) < MIN_NOTES else [EncodedTune(later.astype("uint16"), later < 0, 0, 0)]
    quarters = [f"{edge / tune.ticks_per_quarter:g}" for edge in (start, *edges, tune.end)]
    split = {
        name: f"{quarters[index]}..{quarters[index + 1]} quarter notes"
        for index, name in enumerate(("train", "validation", "test"))
        if quarters[index] != quarters[index + 1]
    }
    return TuneSplits([train], validation, split)


def of_items(items: Sequence[Item], tokenizer: Tokenizer) -> TuneSplits:
    """The tunes of a data set in its own split; warns of unreadable ones, which are left out.

    Raises:
        InputError: the training split is empty.
    """
    pieces: dict[str, list[EncodedTune]] = {"train": [], "validation": [], "test": []}
    held_out: dict[str, list[Tune]] = {"validation": [], "test": []}
    split: dict[str, str] = {}
    for item, tune in readable(items):
        split[item.name] = item.split
        pieces[item.split].append(encode_tune(tune, tokenizer))
        if item.split in held_out:
            held_out[item.split].append(tune)
    if not pieces["train"]:
        raise InputError("training data", "no tune can be used", f"give tunes of at least {MIN_NOTES} notes")
    held_out = {name: tunes for name, tunes in held_out.items() if tunes}
    return TuneSplits(pieces["train"], pieces["validation"], split, held_out)


def readable(items: Sequence[Item]) -> Iterable[tuple[Item, Tune]]:
    """The items that hold notes, each with its tune; shows a progress bar."""
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

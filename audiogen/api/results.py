"""What API calls return about the files that they write: typed, and the content of the JSON file beside the output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.metrics.former_measures import with_current_names
from audiogen.output_names import sidecar_of
from audiogen.text_files import dump_json

if TYPE_CHECKING:
    from audiogen.tunes.tune import Tune


@dataclass(frozen=True)
class Continuation:
    """A continued recording in a file, and how it was made.

    Attributes:
        path: the audio file.
        sample_rate: Hz, the prompt's.
        channels: number of channels, the prompt's.
        join_sample: first sample of the tail in the file: the prompt's length up to a fade at its end, or 0 for
            the tail alone, and for one that goes before its prompt.
        length: samples in the file, per channel.
        seed: random seed.
        settings: all other settings, and what predicted the tail: ``training``, ``experiment``, ``run``.
        measures: measures of the tail against the prompt; see `audiogen.metrics.tail_measures.measure_continuation`.
        warnings: problems found, a line each.
        sidecar: everything in the JSON file beside the audio file.
    """

    path: Path
    sample_rate: int
    channels: int
    join_sample: int
    length: int
    seed: int
    settings: Mapping[str, Any] = field(repr=False)
    measures: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...]
    sidecar: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_sidecar(cls, path: Path | str, sidecar: Mapping[str, Any]) -> Self:
        """The continuation in the audio file ``path``, from the content of its JSON file."""
        return cls(
            Path(path),
            sidecar["sample_rate"],
            sidecar["channels"],
            0 if "prompt_sample" in sidecar else sidecar["join_sample"],
            sidecar["length"],
            sidecar["seed"],
            sidecar["settings"],
            sidecar["measures"],
            tuple(sidecar["warnings"]),
            sidecar,
        )

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """The continuation in the audio file ``path``, described by the JSON file beside it.

        Raises:
            InputError: that JSON file is missing or is not one that audiogen wrote.
        """
        file = sidecar_of(Path(path))
        try:
            return cls.from_sidecar(path, with_current_names(json.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError) as error:
            cause = f"it does not describe a continuation ({type(error).__name__}: {error})"
            raise InputError(file, cause, "name an audio file that audiogen wrote") from error

    @property
    def seconds(self) -> float:
        """Duration of the tail."""
        stop = self.sidecar.get("prompt_sample") or self.length
        return (stop - self.join_sample) / self.sample_rate

    @property
    def texture_distance(self) -> float | None:
        """Texture distance of the tail from the prompt: 1.0 is that of another segment of the prompt.

        None if the prompt or the tail is too short.
        """
        texture = self.measures.get("texture")
        return texture["overall"] if texture else None

    @property
    def copied(self) -> float | None:
        """Fraction of the tail's half seconds that repeat the prompt, 0 to 1; None if too short."""
        return _fraction(self.measures, "copying")

    @property
    def looped(self) -> float | None:
        """Fraction of the tail's half seconds that repeat the tail itself, 0 to 1; None if too short."""
        return _fraction(self.measures, "looping")

    def read(self) -> Recording:
        """The audio file's samples."""
        return read(self.path)

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file beside the audio file."""
        return deepcopy(dict(self.sidecar))

    def to_json(self) -> str:
        """The JSON file beside the audio file, as text."""
        return dump_json(self.as_dict())


@dataclass(frozen=True)
class Filling:
    """A gap that was filled, in a file, and how.

    Attributes:
        path: the audio file.
        sample_rate: Hz.
        channels: number of channels.
        start, stop: samples of the file that fill the gap; ``stop`` is exclusive.
        length: samples in the file, per channel.
        seed: random seed.
        settings: all other settings.
        seams: ``start`` and ``end``: measures of each seam against the recording's own changes
            (`audiogen.metrics.join_quality`); None beside less than half a second.
        warnings: problems found, a line each.
        sidecar: everything in the JSON file beside the audio file.
    """

    path: Path
    sample_rate: int
    channels: int
    start: int
    stop: int
    length: int
    seed: int
    settings: Mapping[str, Any] = field(repr=False)
    seams: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...]
    sidecar: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_sidecar(cls, path: Path | str, sidecar: Mapping[str, Any]) -> Self:
        """The filling in the audio file ``path``, from the content of its JSON file."""
        return cls(
            Path(path),
            sidecar["sample_rate"],
            sidecar["channels"],
            sidecar["gap"]["start"],
            sidecar["gap"]["stop"],
            sidecar["length"],
            sidecar["seed"],
            sidecar["settings"],
            sidecar["measures"]["seams"],
            tuple(sidecar["warnings"]),
            sidecar,
        )

    @property
    def seconds(self) -> float:
        """Duration of the gap."""
        return (self.stop - self.start) / self.sample_rate

    def read(self) -> Recording:
        """The audio file's samples."""
        return read(self.path)

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file beside the audio file."""
        return deepcopy(dict(self.sidecar))


def _fraction(measures: Mapping[str, Any], name: str) -> float | None:
    matches = measures.get(name)
    return matches["fraction"] if matches else None


@dataclass(frozen=True)
class TuneContinuation:
    """A continued tune, and how it was made.

    Attributes:
        path: the file written, MIDI or audio; None if no file was written.
        tune: prompt and tail.
        join_tick: tick at which the prompt ends.
        seed: random seed.
        settings: all other settings, and what predicted the tail: ``training``, ``experiment``, ``run``.
        measures: symbolic measures of ``prompt`` and ``tail``, and ``longest_run_of_prompt_notes``; empty for tunes
            without melodic notes.
        warnings: problems found, a line each.
        sidecar: everything in the JSON file beside the output.
    """

    path: Path | None
    tune: Tune = field(repr=False)
    join_tick: int
    seed: int
    settings: Mapping[str, Any] = field(repr=False)
    measures: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...]
    sidecar: Mapping[str, Any] = field(repr=False)

    @property
    def tail(self) -> Tune:
        """The notes after the join, with ticks from the join on."""
        return self.tune.between(self.join_tick, self.tune.end + 1).shifted(-self.join_tick)

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file beside the output."""
        return deepcopy(dict(self.sidecar))

    def to_json(self) -> str:
        """The JSON file beside the output, as text."""
        return dump_json(self.as_dict())

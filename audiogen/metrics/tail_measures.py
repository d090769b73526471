"""Measures of a continuation as written to its sidecar: join, level, drift, stereo, copying, looping, texture.

They are computed while the tail is rendered, in bounded memory. Each part has its own module, named in
`measure_continuation`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from audiogen.audio import Recording, open_blocks
from audiogen.errors import InputError
from audiogen.metrics.copying import Matches
from audiogen.metrics.drift import DriftMeter, SegmentStats, drift, segment_stats, sum_covariances
from audiogen.metrics.join_quality import JoinReference, measure_join
from audiogen.metrics.segments import dips, segment_ranges
from audiogen.metrics.stereo import stereo_difference, stereo_measures
from audiogen.metrics.tail_evaluator import TEXTURE_SECONDS, TailComparison, TailEvaluator

EXCERPT_SECONDS = 30.0  # of each end of the tail: texture and repetitions are measured there
LEVEL_SECONDS = 5.0  # end of the prompt whose level is compared
FADE_SECONDS = 0.01  # cross-fade between the two excerpts


def measure_continuation(
    prompt: Recording,
    tail: Recording | str | os.PathLike[str],
    join_sample: int = 0,
    held_out: Recording | None = None,
    loop: bool = False,
    evaluator: TailEvaluator | None = None,
    gain_db: float = 0.0,
) -> dict[str, Any]:
    """Measure a tail and compare it with the prompt.

    Args:
        prompt: the continued recording.
        tail: the continuation, or its file, which is read block by block.
        join_sample: first sample of the continuation in ``tail``; the samples before it are the prompt's.
        held_out: the real continuation, if known.
        loop: also measure the seam between the end and the beginning of ``tail``.
        evaluator, gain_db: of the prompt, if it has been analysed for another tail; see `RunningMeasures`.

    Returns:
        ``seconds``; ``join`` and ``loop_seam``: see `join_quality.JoinQuality`; ``level``; ``dips`` and ``segments``:
        see `segments`; ``drift``: see `drift.drift`, relative to the prompt's last minute; ``stereo``: see `stereo`;
        ``clipping`` and ``silence``, fractions; ``copying`` and ``looping``: see `copying`; ``texture``: see
        `texture`, relative to ``held_out`` or else the prompt.
        In JSON types; what cannot be measured (of less than 0.5 s, for example) is None.

    Raises:
        InputError: sample rate or channels differ from the prompt's, or no sample follows ``join_sample``.
    """
    running = RunningMeasures(prompt, held_out, evaluator, gain_db)
    beginning = np.zeros((prompt.channels, 0), np.float32)
    length = prompt.sample_rate  # a second
    for block in _blocks(tail, prompt):
        if beginning.shape[1] < length:
            beginning = np.concatenate([beginning, block[:, : length - beginning.shape[1]]], axis=1)
        skipped = min(join_sample, block.shape[1])
        join_sample -= skipped
        running.push(block[:, skipped:])
    return running.result(Recording(beginning, prompt.sample_rate) if loop else None)


def _blocks(tail: Recording | str | os.PathLike[str], prompt: Recording) -> Iterator[np.ndarray]:
    if isinstance(tail, Recording):
        _require_format("the tail", tail.sample_rate, tail.channels, prompt)
        yield tail.samples
        return
    with open_blocks(tail, for_part=True) as blocks:  # what to know of its samples was said when they were written
        _require_format(tail, blocks.sample_rate, blocks.channels, prompt)
        yield from blocks


def _require_format(subject: object, rate: int, channels: int, prompt: Recording) -> None:
    if (rate, channels) != (prompt.sample_rate, prompt.channels):
        raise InputError(
            subject,
            f"has {channels} channels at {rate} Hz, the prompt {prompt.channels} at {prompt.sample_rate} Hz",
            "resample or remix one of them",
        )


class RunningMeasures:
    """`measure_continuation` for a tail that arrives in blocks of any size.

    Args:
        prompt: the continued recording.
        held_out: the real continuation, if known.
        evaluator: of texture and repetitions; None makes a `TailEvaluator` of the two.
        gain_db: of prompt and tail relative to the recording that the evaluator has analysed.
    """

    def __init__(
        self,
        prompt: Recording,
        held_out: Recording | None = None,
        evaluator: TailEvaluator | None = None,
        gain_db: float = 0.0,
    ) -> None:
        self.prompt, self.held_out, self.gain_db = prompt, held_out, gain_db
        self.evaluator = evaluator or TailEvaluator(prompt, held_out)
        self._meter = DriftMeter(prompt.sample_rate, prompt.channels)
        self._ends = _Ends(prompt.channels, round(EXCERPT_SECONDS * prompt.sample_rate))

    def push(self, block: np.ndarray) -> None:
        """Add the next ``[channels, time]`` samples."""
        self._meter.push(block)
        self._ends.push(block)

    @property
    def excerpt(self) -> Recording:
        """The part whose texture and repetitions are measured: the first and last 30 s, or the whole tail."""
        rate = self.prompt.sample_rate
        return Recording(self._ends.joined(round(FADE_SECONDS * rate)), rate)

    def result(self, beginning: Recording | None = None, compared: TailComparison | None = None) -> dict[str, Any]:
        """The measures of the samples so far.

        Args:
            beginning: of the loop, which follows its end; None if the tail is no loop.
            compared: the evaluator's comparison of the `excerpt`, if it is known.
        """
        if not self._ends.length:
            raise InputError("the tail", "has no samples", "request a longer one")
        prompt, rate = self.prompt, self.prompt.sample_rate
        compared = compared or self._compared()
        past, close, reference = _PromptMeasures.of(prompt)
        own, earlier = self._meter.seconds(), past.seconds()
        whole, before = segment_stats(own, prompt.channels), segment_stats(earlier, prompt.channels)
        own_stereo, past_stereo = sum_covariances(own), sum_covariances(earlier)
        measures = {
            "seconds": self._ends.length / rate,
            "join": asdict(reference.measure(Recording(self._ends.first, rate))),
            "loop_seam": asdict(measure_join(Recording(self._ends.last, rate), beginning)) if beginning else None,
            "level": {
                "tail_db": whole.level,
                "prompt_end_db": close.level,
                "difference_db": whole.level - close.level,
            },
            "dips": dips(self._meter, past),
            "drift": drift(self._meter, past),
            "segments": segment_ranges(self._meter, past),
            "stereo": {
                **stereo_measures(*own_stereo),
                **stereo_difference(*own_stereo, *past_stereo),
                **{f"prompt_{name}": value for name, value in stereo_measures(*past_stereo).items()},
            },
            "clipping": {"fraction": whole.clipped, "prompt_fraction": before.clipped},
            "silence": {"fraction": whole.silent, "prompt_fraction": before.silent},
            **self._repetitions(compared),
            "texture": self._texture(compared),
        }
        return _to_json(measures)

    def _compared(self) -> TailComparison:
        excerpt = self.excerpt
        if self.gain_db:
            excerpt = Recording(excerpt.samples * np.float32(10 ** (-self.gain_db / 20)), excerpt.sample_rate)
        return self.evaluator.compare(excerpt)

    def _repetitions(self, compared: TailComparison) -> dict[str, Any]:
        repetitions = {"copying": _repetition(compared.copying), "looping": _repetition(compared.looping)}
        if compared.copying is not None and self.held_out is not None:
            real = self.evaluator.real_copying
            repetitions["copying"]["held_out_fraction"] = real.fraction if real is not None else None
        return repetitions

    def _texture(self, compared: TailComparison) -> dict[str, Any] | None:
        texture = compared.texture
        if texture is None:
            return None
        return {
            "against": "prompt" if self.held_out is None else "held-out",
            "overall": texture.overall,
            "classes": texture.classes,
            "segment_seconds": texture.segment_seconds,
        }


class _PromptMeasures(NamedTuple):
    """What a recording's tails are compared with: its last minute, its end, and where it is joined."""

    past: DriftMeter
    end: SegmentStats
    join: JoinReference

    @classmethod
    def of(cls, prompt: Recording) -> _PromptMeasures:
        """Those of a recording, kept for the next tail for as long as the recording is."""
        if (known := _measured.get(prompt)) is None:
            past, end = (DriftMeter.of(prompt.last(seconds)) for seconds in (TEXTURE_SECONDS, LEVEL_SECONDS))
            known = cls(past, segment_stats(end.seconds(), prompt.channels), JoinReference(prompt))
            _measured[prompt] = known
        return known


_measured = WeakKeyDictionary[Recording, _PromptMeasures]()


class _Ends:
    """The first and last samples of a stream, at most ``keep`` of each, without overlap."""

    def __init__(self, channels: int, keep: int) -> None:
        self.keep, self.length = keep, 0
        self.first = np.zeros((channels, 0), np.float32)
        self._later = np.zeros((channels, 0), np.float32)

    def push(self, block: np.ndarray) -> None:
        self.length += block.shape[1]
        room = self.keep - self.first.shape[1]
        if room:
            self.first = np.concatenate([self.first, block[:, :room]], axis=1)
        self._later = np.concatenate([self._later, block[:, room:]], axis=1)[:, -self.keep :]

    @property
    def last(self) -> np.ndarray:
        """The last ``keep`` samples, or all there are."""
        return np.concatenate([self.first, self._later], axis=1)[:, -self.keep :]

    def joined(self, fade: int) -> np.ndarray:
        """Both ends as one signal, with an equal-power cross-fade where samples between them are missing."""
        first, later = self.first, self._later
        if self.length == first.shape[1] + later.shape[1]:
            return np.concatenate([first, later], axis=1)
        rise = np.linspace(0, 1, fade, dtype=np.float32)
        middle = first[:, -fade:] * np.sqrt(1 - rise) + later[:, :fade] * np.sqrt(rise)
        return np.concatenate([first[:, :-fade], middle, later[:, fade:]], axis=1)


def _repetition(matches: Matches | None) -> dict[str, Any]:
    if matches is None:
        return {}
    median = float(np.median(matches.similarity))
    return {"fraction": matches.fraction, "threshold": matches.threshold, "median_similarity": median}


def _to_json(value: Any) -> Any:
    """The value in JSON types; empty mappings and numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): _to_json(item) for key, item in value.items()} or None
    if value is None or isinstance(value, str | bool):
        return value
    return float(value) if math.isfinite(value) else None

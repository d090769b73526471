"""What is said about each continuation: a nest of plain numbers, got fast and in bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from audiogen.audio import Recording, open_blocks
from audiogen.errors import InputError
from audiogen.metrics.copying import Matches
from audiogen.metrics.drift import DriftMeter, drift, segment_stats, sum_covariances
from audiogen.metrics.join_quality import CONTEXT_SECONDS, measure_join
from audiogen.metrics.segments import dips, segment_ranges
from audiogen.metrics.stereo import stereo_difference, stereo_measures
from audiogen.metrics.tail_evaluator import TEXTURE_SECONDS, TailEvaluator, end_of

EXCERPT_SECONDS = 30.0  # seconds at either end of the tail in which texture and repetitions are judged
LEVEL_SECONDS = 5.0  # seconds of the prompt that the level is compared with
FADE_SECONDS = 0.01  # seconds over which the two excerpts are joined


def measure_continuation(
    prompt: Recording,
    tail: Recording | str | os.PathLike[str],
    join_sample: int = 0,
    held_out: Recording | None = None,
    loop: bool = False,
) -> dict[str, Any]:
    """Measure a tail against the prompt that it continues.

    Args:
        prompt: what was continued.
        tail: the continuation, or a file of it, which is read block by block.
        join_sample: where in ``tail`` the continuation begins: the samples before it are the prompt's own.
        held_out: what truly came next, if it is known.
        loop: measure also how the end of ``tail`` meets its very beginning.

    Returns:
        ``seconds``; ``join`` (and ``loop_seam``): see `join.Seam`; ``level``; ``dips`` and ``segments``: see
        `segments`; ``drift``: see `drift.drift`, against the prompt's last minute; ``stereo``; ``clipping`` and
        ``silence`` shares; ``copying`` and ``looping``; see `copying`; ``texture``: see `texture`, against
        ``held_out`` or else the prompt.
        JSON-ready: what cannot be said (of less than half a second, say) is None.

    Raises:
        InputError: rate or channels differ from the prompt's, or no sample follows ``join_sample``.
    """
    running = RunningMeasures(prompt, held_out)
    beginning = np.zeros((prompt.channels, 0), np.float32)
    wanted = prompt.sample_rate
    for block in _blocks(tail, prompt):
        if beginning.shape[1] < wanted:
            beginning = np.concatenate([beginning, block[:, : wanted - beginning.shape[1]]], axis=1)
        skipped = min(join_sample, block.shape[1])
        join_sample -= skipped
        running.push(block[:, skipped:])
    return running.result(Recording(beginning, prompt.sample_rate) if loop else None)


def _blocks(tail: Recording | str | os.PathLike[str], prompt: Recording) -> Iterator[np.ndarray]:
    if isinstance(tail, Recording):
        _require_alike("the tail", tail.sample_rate, tail.channels, prompt)
        yield tail.samples
        return
    with open_blocks(tail) as blocks:
        _require_alike(tail, blocks.sample_rate, blocks.channels, prompt)
        yield from blocks


def _require_alike(subject: object, rate: int, channels: int, prompt: Recording) -> None:
    if (rate, channels) != (prompt.sample_rate, prompt.channels):
        raise InputError(
            subject,
            f"has {channels} channels at {rate} Hz, the prompt {prompt.channels} at {prompt.sample_rate} Hz",
            "resample or remix one of them",
        )


class RunningMeasures:
    """`measure_continuation` of a tail that arrives in blocks of any size.

    Args:
        prompt: what is continued.
        held_out: what truly came next, if it is known.
        evaluator: of texture and repetitions; None for `TailEvaluator` of the two.
    """

    def __init__(
        self, prompt: Recording, held_out: Recording | None = None, evaluator: TailEvaluator | None = None
    ) -> None:
        self.prompt, self.held_out = prompt, held_out
        self.evaluator = evaluator or TailEvaluator(prompt, held_out)
        self._track = DriftMeter(prompt.sample_rate, prompt.channels)
        self._ends = _Ends(prompt.channels, round(EXCERPT_SECONDS * prompt.sample_rate))

    def push(self, block: np.ndarray) -> None:
        """Take the next ``[channels, time]`` samples."""
        self._track.push(block)
        self._ends.push(block)

    @property
    def excerpt(self) -> Recording:
        """What texture and repetitions are judged on: the first and the last 30 s, or all there is."""
        rate = self.prompt.sample_rate
        return Recording(self._ends.joined(round(FADE_SECONDS * rate)), rate)

    def result(self, beginning: Recording | None = None) -> dict[str, Any]:
        """The measures so far.

        Args:
            beginning: what the end is to meet, for a loop.
        """
        if not self._ends.length:
            raise InputError("the tail", "has no samples", "ask for a longer one")
        prompt, rate = self.prompt, self.prompt.sample_rate
        excerpt = self.excerpt
        past = DriftMeter.of(end_of(prompt, TEXTURE_SECONDS))
        own, reference = self._track.seconds(), past.seconds()
        whole, before = segment_stats(own, prompt.channels), segment_stats(reference, prompt.channels)
        close = segment_stats(DriftMeter.of(end_of(prompt, LEVEL_SECONDS)).seconds(), prompt.channels)
        own_stereo, past_stereo = sum_covariances(own), sum_covariances(reference)
        found = {
            "seconds": self._ends.length / rate,
            "join": asdict(measure_join(end_of(prompt, CONTEXT_SECONDS), Recording(self._ends.first, rate))),
            "loop_seam": asdict(measure_join(Recording(self._ends.last, rate), beginning)) if beginning else None,
            "level": {
                "tail_db": whole.level,
                "prompt_end_db": close.level,
                "difference_db": whole.level - close.level,
            },
            "dips": dips(self._track, past),
            "drift": drift(self._track, past),
            "segments": segment_ranges(self._track, past),
            "stereo": {
                **stereo_measures(*own_stereo),
                **stereo_difference(*own_stereo, *past_stereo),
                **{f"prompt_{name}": value for name, value in stereo_measures(*past_stereo).items()},
            },
            "clipping": {"share": whole.clipped, "prompt_share": before.clipped},
            "silence": {"share": whole.silent, "prompt_share": before.silent},
            **self._repetitions(excerpt),
            "texture": self._texture(excerpt),
        }
        return _plain(found)

    def _repetitions(self, excerpt: Recording) -> dict[str, Any]:
        copying, looping = self.evaluator.copying(excerpt), self.evaluator.looping(excerpt)
        found = {"copying": _repetition(copying), "looping": _repetition(looping)}
        if copying is not None and self.held_out is not None:
            real = self.evaluator.copying(end_of(self.held_out, 2 * EXCERPT_SECONDS))
            found["copying"]["held_out_share"] = real.fraction if real is not None else None
        return found

    def _texture(self, excerpt: Recording) -> dict[str, Any] | None:
        found = self.evaluator.texture(excerpt)
        if found is None:
            return None
        return {
            "against": "prompt" if self.held_out is None else "held-out",
            "overall": found.overall,
            "classes": found.classes,
            "stretch_seconds": found.segment_seconds,
        }


class _Ends:
    """The first and the last samples of a stream, at most ``keep`` of each, and never one sample twice."""

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
        """The last ``keep`` samples, if there are that many."""
        return np.concatenate([self.first, self._later], axis=1)[:, -self.keep :]

    def joined(self, fade: int) -> np.ndarray:
        """Both ends in one, crossfaded if something is missing between them."""
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
    return {"share": matches.fraction, "threshold": matches.threshold, "median_similarity": median}


def _plain(value: Any) -> Any:
    """The same nest in JSON's own types; empty nests and numbers that JSON does not have become None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()} or None
    if value is None or isinstance(value, str | bool):
        return value
    return float(value) if math.isfinite(value) else None

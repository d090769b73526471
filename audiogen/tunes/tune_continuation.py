"""Tail of a Tune: a token Model continues the prompt, and the best of several takes is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch

from audiogen.audio import AudioWarning
from audiogen.models import Model, Sampling, State
from audiogen.tunes.batched_decoding import step_decoders
from audiogen.tunes.metrics.histogram_distance import histogram_distance, histograms
from audiogen.tunes.midi.controller_reset import reset_rows
from audiogen.tunes.model_state import map_state
from audiogen.tunes.models.markov import Markov, MarkovOptions
from audiogen.tunes.tokens.tokenizer import Decoder, Tokenizer
from audiogen.tunes.tune import Tune

MAX_NOTES = 4000  # of a prompt: its last ones, from a bar line on
MAX_TOKENS = 100_000  # of a tail: also at a tempo of millions per minute it ends
CLOSE_SECONDS = 1e-6  # sums of the durations of bars are rounded
ALL_KEYS = range(-6, 7)  # semitones


def markov_chain(tunes: Iterable[Tune], tokenizer: Tokenizer, order: int, keys: Sequence[int] = ALL_KEYS) -> Markov:
    """Fit a Markov chain with back-off to tunes in several keys, in closed form.

    Args:
        tunes: at least one.
        tokenizer: token scheme.
        order: number of context tokens.
        keys: transpositions, semitones; 0 alone keeps the key of a single tune.
    """
    chain = Markov(tokenizer.size, MarkovOptions(order))
    transposed = [tune.transposed(key) for tune in tunes for key in keys]
    chain.fit([torch.from_numpy(tokenizer.encode(tune)) for tune in transposed])
    return chain


@dataclass
class TuneContinuer:
    """A prompt and the state of a Model after it, ready for any number of tails.

    Args:
        model: of tokens, in evaluation mode.
        tokenizer: the scheme that the model was trained on.
        prompt: the tune to continue.
    """

    model: Model
    tokenizer: Tokenizer
    prompt: Tune
    start: State = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.offset, self.context = truncate_prompt(self.prompt)
        self.resets = reset_rows(self.prompt)
        self.tokens = self.tokenizer.encode(self.context, ended=False)
        device = next((weights.device for weights in self.model.parameters()), torch.device("cpu"))
        with torch.no_grad():
            self.start = self.model.start(torch.from_numpy(self.tokens)[None].to(device))

    def tail(self, sampling: Sampling, seconds: float | None = None, bars: int | None = None, takes: int = 1) -> Tune:
        """Sample a tail, at the prompt's resolution and after its end, as `Tokenizer.tail` returns it.

        Controllers are reset to their typical values (`audiogen.tunes.midi.controller_reset`). Only tokens that the
        grammar allows are sampled, and never the end; monophonic parts stay monophonic, and music without rests, or
        without changes of tempo or meter, continues without (`Decoder.constrain_to_prompt`).

        Args:
            sampling: how to sample tokens; its ``allowed`` is replaced.
            seconds: length of the tail; notes that sound at its end are ended there.
            bars: length in whole bars instead, after the one in which the prompt ends.
            takes: tails sampled in parallel; the one most like the prompt is kept (`histogram_distance`).
        """
        length = self.length(seconds, bars)
        decoders = [self.primed_decoder() for _ in range(takes)]
        self._sample(decoders, sampling, length.is_reached)
        tails = [length.cut(decoder) for decoder in decoders]
        if takes > 1:
            reference = histograms(self.context)
            tails.sort(key=lambda tail: histogram_distance(tail, reference))
        return self.placed(tails[0])

    def length(self, seconds: float | None = None, bars: int | None = None) -> TailLength:
        """Where tails end: after some seconds, or after whole bars after the one in which the prompt ends."""
        decoder = self.primed_decoder()
        if bars is not None:
            last = decoder.bar + bars + (decoder.tick > decoder.bar_start)
            return BarsLength(self.tokenizer, self.context, decoder.bar, last)
        length = 0.0 if seconds is None else seconds
        tempos = [float(tune.tempos[-1, 1]) for tune in (decoder.tune(), self.context)]
        ratio = max(tempos[0] / tempos[1], 1.0)  # duration at the tokens' tempo relative to the prompt's own
        until = decoder.seconds + length * ratio
        return SecondsLength(self.tokenizer, self.context, length, decoder.seconds, until)

    def placed(self, tail: Tune) -> Tune:
        """A tail of `context` as one of the whole prompt, with the controllers that are reset at the join."""
        return replace(tail.shifted(self.offset), controllers=self.resets)

    def primed_decoder(self) -> Decoder:
        """A new decoder that has read the prompt, restricted to the prompt's texture."""
        decoder = self.tokenizer.decoder(self.context)
        for token in self.tokens.tolist():
            decoder.push(token)
        decoder.constrain_to_prompt()
        return decoder

    def _sample(self, decoders: list[Decoder], sampling: Sampling, done: Callable[[Decoder], bool]) -> None:
        """Sample tokens for all decoders, in one batch, until they are done."""
        end, active = self.tokenizer.vocabulary.index("end"), decoders
        state = map_state(lambda value: value.repeat_interleave(len(decoders), dim=0), self.start)
        for _ in range(MAX_TOKENS):
            remaining = [row for row, decoder in enumerate(active) if not done(decoder)]
            if not remaining:
                return
            if len(remaining) < len(active):
                active = [active[row] for row in remaining]
                state = map_state(lambda value, rows=remaining: value[rows], state)
            _, state = step_decoders(self.model, active, state, sampling, end)
        text = f"the tail stops after {MAX_TOKENS} tokens, at {active[0].seconds:.1f} s"
        warnings.warn(text, AudioWarning, stacklevel=2)


class TailLength(Protocol):
    """Where the tails of a prompt end."""

    def is_reached(self, decoder: Decoder) -> bool:
        """Whether a decoder has read the whole tail."""

    def fraction(self, decoder: Decoder) -> float:
        """How much of the tail a decoder has read, 0..1."""

    def cut(self, decoder: Decoder) -> Tune:
        """The tail that a decoder has read, ended where it should end, as `Tokenizer.tail` returns it."""


@dataclass(frozen=True)
class BarsLength:
    """Tails that end at a bar line.

    Args:
        tokenizer: token scheme.
        context: prompt that the decoders have read.
        first: index of the bar in which the tail begins.
        last: index of the bar that the tail no longer contains.
    """

    tokenizer: Tokenizer
    context: Tune
    first: int
    last: int

    def is_reached(self, decoder: Decoder) -> bool:
        return decoder.bar >= self.last

    def fraction(self, decoder: Decoder) -> float:
        return min((decoder.bar - self.first) / (self.last - self.first), 1.0)

    def cut(self, decoder: Decoder) -> Tune:
        decoded = decoder.tune()
        lines = decoded.bar_lines(decoder.tick + 1)
        return self.tokenizer.tail(_until(decoded, int(lines[min(self.last, len(lines) - 1)])), self.context)


@dataclass(frozen=True)
class SecondsLength:
    """Tails that end some seconds after the prompt.

    Args:
        tokenizer: token scheme.
        context: prompt that the decoders have read.
        seconds: length of the tail.
        since: time of a decoder at which it begins, seconds.
        until: time of a decoder at which it is reached, seconds.
    """

    tokenizer: Tokenizer
    context: Tune
    seconds: float
    since: float
    until: float

    def is_reached(self, decoder: Decoder) -> bool:
        return decoder.seconds >= self.until - CLOSE_SECONDS

    def fraction(self, decoder: Decoder) -> float:
        return min((decoder.seconds - self.since) / max(self.until - self.since, 1e-9), 1.0)

    def cut(self, decoder: Decoder) -> Tune:
        tail = self.tokenizer.tail(decoder.tune(), self.context)
        return _until(tail, int(tail.ticks_at(float(tail.seconds_at(self.context.end)) + self.seconds)))


def truncate_prompt(prompt: Tune) -> tuple[int, Tune]:
    """The end of a prompt, from the first bar line after which at most `MAX_NOTES` notes follow.

    Returns:
        The tick of the bar line, and the tune from there on; for most prompts 0 and the prompt itself.
    """
    starts = prompt.notes["start"]
    if len(starts) <= MAX_NOTES:
        return 0, prompt
    lines = prompt.bar_lines(prompt.end)
    line = int(lines[min(int(np.searchsorted(lines, starts[-MAX_NOTES])), len(lines) - 1)])
    return line, prompt.between(line, prompt.end).shifted(-line)


def _until(tune: Tune, stop: int) -> Tune:
    """The tune before a tick; notes that sound at the tick end there."""
    kept = tune.between(0, stop)
    return replace(
        kept,
        tempos=_before(kept.tempos, stop),
        meters=_before(kept.meters, stop),
    )


def _before(changes: np.ndarray, stop: int) -> np.ndarray:
    return changes[(changes[:, 0] < stop) | (changes[:, 0] == 0)]


@dataclass(frozen=True)
class ContinuedTune:
    """Result of a continuation.

    Args:
        tune: prompt and tail.
        join: tick at which the prompt ends.
        sidecar: content of the JSON file beside the output.
    """

    tune: Tune
    join: int
    sidecar: dict[str, Any]

"""Continuing a Tune: a prompt in, the notes that follow it out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from audiogen.audio import AudioWarning
from audiogen.models import Model, Sampling, State
from audiogen.tunes.metrics.histogram_distance import histogram_distance, histograms
from audiogen.tunes.midi.controller_reset import reset_rows
from audiogen.tunes.model_state import map_state
from audiogen.tunes.models.markov import Markov, MarkovOptions
from audiogen.tunes.tokens.tokenizer import Decoder, Tokenizer
from audiogen.tunes.tune import Tune

MOST_NOTES = 4000
"""Of a prompt that are read, from a bar line on: its last ones."""
MOST_TOKENS = 100_000
"""Of one tail: a tempo of millions a minute does not make an endless one."""
KEYS = range(-6, 7)


def markov_chain(tunes: Iterable[Tune], tokenizer: Tokenizer, order: int, keys: Sequence[int] = KEYS) -> Markov:
    """A chain with back-off, counted on tunes in several keys: what can be learned from little, at once.

    Args:
        tunes: at least one.
        tokenizer: the scheme that is counted in.
        order: tokens of context.
        keys: transpositions, semitones; 0 alone keeps to the key of a single tune.
    """
    chain = Markov(tokenizer.size, MarkovOptions(order))
    learned = [tune.transposed(key) for tune in tunes for key in keys]
    chain.fit([torch.from_numpy(tokenizer.encode(tune)) for tune in learned])
    return chain


@dataclass
class TuneContinuer:
    """A prompt read and a Model warmed on it, ready for any number of tails.

    Args:
        model: of tokens, in evaluation mode.
        tokenizer: the scheme that it was trained on.
        prompt: what is continued.
    """

    model: Model
    tokenizer: Tokenizer
    prompt: Tune
    start: State = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.offset, self.heard = truncate_prompt(self.prompt)
        self.resets = reset_rows(self.prompt)
        self.tokens = self.tokenizer.encode(self.heard, ended=False)
        with torch.no_grad():
            self.start = self.model.start(torch.from_numpy(self.tokens)[None])

    def tail(self, sampling: Sampling, seconds: float | None = None, bars: int | None = None, takes: int = 1) -> Tune:
        """What follows the prompt, on the prompt's resolution and after its end: see `Tokenizer.tail`; with the
        controllers that go back to what they are in most of the prompt (`resets`).

        The end token is never drawn, and only such tokens as make sense at their place are; a part that has sounded
        one note at a time so far goes on so, and music without rests, or without
        changes of tempo or meter, goes on without.

        Args:
            sampling: how to draw; its ``allowed`` is not used.
            seconds: length of the tail; notes that sound at its end are cut there.
            bars: instead, whole bars after the one that the prompt ends in.
            takes: tails sampled in parallel; the one most like the prompt is kept (`histogram_distance`).
        """
        decoders = [self._primed_decoder() for _ in range(takes)]
        first = decoders[0]
        if bars is not None:
            last = first.bar + bars + (first.tick > first.bar_start)
            self._draw(decoders, sampling, lambda decoder: decoder.bar >= last)
            found = [self._in_bars(decoder, last) for decoder in decoders]
        else:
            wanted = 0.0 if seconds is None else seconds
            until = first.seconds + wanted * self._stretch(first)
            self._draw(decoders, sampling, lambda decoder: decoder.seconds >= until)
            found = [self._in_seconds(decoder, wanted) for decoder in decoders]
        if takes > 1:
            told = histograms(self.heard)
            found.sort(key=lambda tail: histogram_distance(tail, told))
        return replace(found[0].shifted(self.offset), controllers=self.resets)

    def _in_bars(self, decoder: Decoder, last: int) -> Tune:
        decoded = decoder.tune()
        lines = decoded.bar_lines(decoder.tick + 1)
        return self.tokenizer.tail(_until(decoded, int(lines[min(last, len(lines) - 1)])), self.heard)

    def _in_seconds(self, decoder: Decoder, wanted: float) -> Tune:
        tail = self.tokenizer.tail(decoder.tune(), self.heard)
        return _until(tail, int(tail.ticks_at(float(tail.seconds_at(self.heard.end)) + wanted)))

    def _primed_decoder(self) -> Decoder:
        decoder = self.tokenizer.decoder(self.heard)
        for token in self.tokens.tolist():
            decoder.push(token)
        decoder.constrain_to_prompt()
        return decoder

    def _stretch(self, decoder: Decoder) -> float:
        """How much longer than in the prompt's own tempo the tail can last in the tokens' tempo, at least 1."""
        tempos = [float(tune.tempos[-1, 1]) for tune in (decoder.tune(), self.heard)]
        return max(tempos[0] / tempos[1], 1.0)

    @torch.no_grad()
    def _draw(self, decoders: list[Decoder], sampling: Sampling, done: Callable[[Decoder], bool]) -> None:
        end, going = self.tokenizer.vocabulary.index("end"), decoders
        state = map_state(lambda value: value.repeat_interleave(len(decoders), dim=0), self.start)
        for _ in range(MOST_TOKENS):
            left = [row for row, decoder in enumerate(going) if not done(decoder)]
            if not left:
                return
            if len(left) < len(going):
                going = [going[row] for row in left]
                state = map_state(lambda value, rows=left: value[rows], state)
            allowed = np.stack([decoder.allowed() for decoder in going])
            allowed[:, end] = False
            tokens, state = self.model.step(state, replace(sampling, allowed=torch.from_numpy(allowed)))
            for decoder, token in zip(going, tokens.tolist(), strict=True):
                decoder.push(token)
        text = f"the tail stops after {MOST_TOKENS} tokens, at {going[0].seconds:.1f} s"
        warnings.warn(text, AudioWarning, stacklevel=2)


def truncate_prompt(prompt: Tune) -> tuple[int, Tune]:
    """A tick and the prompt from there on: the first bar line after which at most `MOST_NOTES` notes follow.

    For most prompts these are 0 and the prompt itself.
    """
    starts = prompt.notes["start"]
    if len(starts) <= MOST_NOTES:
        return 0, prompt
    lines = prompt.bar_lines(prompt.end)
    line = int(lines[min(int(np.searchsorted(lines, starts[-MOST_NOTES])), len(lines) - 1)])
    return line, prompt.between(line, prompt.end).shifted(-line)


def _until(tune: Tune, stop: int) -> Tune:
    """The tune without what begins at or after a tick; notes that sound there end there."""
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
    """What became of a prompt.

    Args:
        tune: prompt and tail.
        join: tick at which the prompt ends.
        sidecar: its content.
    """

    tune: Tune
    join: int
    sidecar: dict[str, Any]

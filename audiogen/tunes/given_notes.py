"""Constraint of infilling: which tokens agree with the given notes of a tune and with the spans that are free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiogen.tunes.tokens.events_decoder import EventsDecoder
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tokens.grammar import TimedEvent, split_duration, timed_events, velocity_to_level
from audiogen.tunes.tune import Tune

GLOBAL_KINDS = ("tempo", "meter")


@dataclass
class Candidate:
    """A sequence of tokens that agrees with the given notes.

    Args:
        decoder: has read the tokens.
        next_event: index of the next given event.
        pitch_is_given: whether the decoder's pending pitch is that of a given note.
    """

    decoder: EventsDecoder
    next_event: int = 0
    pitch_is_given: bool = False

    def branch(self) -> Candidate:
        """A copy that continues independently."""
        return replace(self, decoder=self.decoder.branch())


class GivenNotes:
    """Constrains sampling so that all given notes are kept, and others begin and end in the free spans only.

    Args:
        tokenizer: of the scheme ``events``.
        given: notes to keep, with all parts, and none in the free spans.
        spans: for each part, the ticks (from, to) between which notes are sampled; (0, 0) for none.
        stop: tick at which sampling ends; what is given after it is ignored.

    Attributes:
        end: ``stop`` in steps of the tokenizer's grid.
    """

    def __init__(self, tokenizer: EventsTokenizer, given: Tune, spans: Sequence[tuple[int, int]], stop: int) -> None:
        self.tokenizer, self.given, self.page = tokenizer, given, tokenizer.page
        self.vocabulary = tokenizer.events
        self.grid = tokenizer.quantised(given)
        scale = tokenizer.resolution / given.ticks_per_quarter
        self.free = np.array([[round(tick * scale) for tick in span] for span in spans])  # in steps
        self.end = max(math.ceil(stop * scale), 1)
        self.events = [event for event in timed_events(self.grid) if event.tick < self.end]
        self._steps = np.array(self.vocabulary.values("position"))
        self._durations = np.array(self.vocabulary.values("duration"))
        self._part_content = np.concatenate([self.vocabulary.tokens(kind) for kind in ("velocity", "pitch", "pedal")])

    def begin(self) -> tuple[Candidate, list[int]]:
        """A candidate that has read all tokens up to the first choice, and those tokens."""
        candidate, token = Candidate(self.tokenizer.decoder(self.given)), self.vocabulary.token
        tokens = [token("start")]
        for index, part in enumerate(self.grid.parts):
            tokens += [token("part", index), token("program", "drums" if part.drums else part.program)]
        tokens.append(token("bar"))
        for header in tokens:
            candidate.decoder.push(header)
        while (allowed := self.allowed(candidate)).sum() == 1 and not self.is_done(candidate):
            tokens.append(int(allowed.argmax()))
            self.push(candidate, tokens[-1])
        if candidate.decoder.notes:
            candidate.decoder.constrain_to_prompt()
            if candidate.decoder.gapless_from is not None:
                candidate.decoder.gapless_from = 0  # already before the first free note
        return candidate, tokens

    def is_done(self, candidate: Candidate) -> bool:
        """Whether a candidate has reached the end."""
        return candidate.decoder.tick >= self.end

    def push(self, candidate: Candidate, token: int) -> None:
        """Let a candidate read an allowed token."""
        decoder, due = candidate.decoder, self._due(candidate)
        decoder.push(token)
        is_given = due is not None and (due.kind in GLOBAL_KINDS or due.part == decoder.part)
        if decoder.last_kind == "pitch":
            candidate.pitch_is_given = is_given
        elif decoder.last_kind == "duration":
            candidate.next_event += candidate.pitch_is_given
            candidate.pitch_is_given = False
        elif due is not None and decoder.last_kind == due.kind:
            candidate.next_event += is_given

    def allowed(self, candidate: Candidate) -> np.ndarray:
        """Mask of the tokens that agree with the given notes and the grammar, ``[size]`` bool; at least one is set."""
        decoder = candidate.decoder
        mask = self._allowed(candidate)
        if not mask.any():  # nothing may sound here: rest, although the rest of the tune never does
            decoder.gapless_from, gapless_from = None, decoder.gapless_from
            mask = self._allowed(candidate)
            decoder.gapless_from = gapless_from
        return mask

    def _allowed(self, candidate: Candidate) -> np.ndarray:
        decoder, due = candidate.decoder, self._due(candidate)
        mask = np.zeros(len(self.vocabulary), bool)
        if candidate.pitch_is_given or (due is not None and due.kind in GLOBAL_KINDS):
            assert due is not None
            mask[self._token_of(decoder, due)] = True
            return mask
        allowed = decoder.allowed()
        if decoder.pending_pitch is not None:
            return self._limit_duration(decoder, allowed)
        in_part = decoder.last_kind in ("part", "velocity")
        for part in np.flatnonzero(self._is_free(decoder.tick)):
            if due is None or part < due.part:
                mask[self.vocabulary.tokens("part")[part]] = True
                if part == decoder.part:
                    mask[self._part_content] = True
        if due is None and not in_part:
            self._allow_moves(candidate, mask)
        mask &= allowed
        if due is not None and not (in_part and decoder.part != due.part):
            mask[self._token_of(decoder, due)] = True
        return mask

    def _due(self, candidate: Candidate) -> TimedEvent | None:
        """The next given event, if it belongs to the current tick."""
        index = candidate.next_event
        reached = index < len(self.events) and self.events[index].tick <= candidate.decoder.tick
        return self.events[index] if reached else None

    def _is_free(self, tick: int) -> np.ndarray:
        """Parts in which a sampled note may begin, ``[parts]`` bool."""
        return (self.free[:, 0] <= tick) & (tick < self.free[:, 1])

    def _limit_duration(self, decoder: EventsDecoder, allowed: np.ndarray) -> np.ndarray:
        """Keep a sampled note within its free span."""
        room = int(self.free[decoder.part, 1]) - decoder.tick - decoder.ties * self.page
        allowed[self.vocabulary.tokens("tie")] &= room > self.page
        allowed[self.vocabulary.tokens("duration")] &= self._durations <= room
        return allowed

    def _allow_moves(self, candidate: Candidate, mask: np.ndarray) -> None:
        """Allow time to advance up to the next given event, stopping only where notes can begin."""
        decoder, index = candidate.decoder, candidate.next_event
        until = self.events[index].tick if index < len(self.events) else self.end
        next_bar = decoder.bar_start + decoder.bar_length
        page_start = decoder.tick - (decoder.tick - decoder.bar_start) % self.page
        mask[self.vocabulary.token("bar")] = next_bar <= until
        ticks = page_start + self._steps
        free = ((self.free[:, :1] <= ticks) & (ticks < self.free[:, 1:])).any(axis=0)
        reachable = (ticks > decoder.tick) & (ticks <= until) & (ticks < next_bar)
        mask[self.vocabulary.tokens("position")] = reachable & (free | (ticks == until))
        next_page = page_start + self.page
        useful = until < next_bar or ((self.free[:, 0] < next_bar) & (self.free[:, 1] > next_page)).any()
        mask[self.vocabulary.token("later")] = bool(next_page <= until and next_page < next_bar and useful)

    def _token_of(self, decoder: EventsDecoder, due: TimedEvent) -> int:
        """The next token of a given event."""
        token = self.vocabulary.token
        if due.kind in GLOBAL_KINDS:
            return token(due.kind, due.value)
        if decoder.pending_pitch is not None:
            ties, steps = split_duration(due.value[1], self.page)
            return token("tie") if decoder.ties < ties else token("duration", steps)
        if decoder.part != due.part:
            return token("part", due.part)
        if due.kind == "pedal":
            return token("pedal", due.value)
        pitch, _, velocity = due.value
        if decoder.velocities.get(due.part) != velocity and decoder.last_kind != "velocity":
            return token("velocity", velocity_to_level(velocity, self.tokenizer.options.velocities))
        return token("pitch", pitch)

"""Filling in a Tune: notes that are given stand where they are, and a Model plays what is free between them.

Constrained sampling by sequential importance resampling (Gordon et al. 1993, "Novel approach to
nonlinear/non-Gaussian Bayesian state estimation"): several candidates are drawn token by token; where the given
notes leave one choice, it is taken, and each candidate is weighted by how likely the Model held what was forced upon
it. At bar lines, candidates after which the given notes have become unlikely are replaced by others. So a filled bar
leads to what follows it, though the Model only ever looks back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.models import Sampling, State
from audiogen.progress import progress
from audiogen.tunes.model_state import map_state, state_shapes
from audiogen.tunes.tokens.events_decoder import EventsDecoder
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tune import Tune

MOST_TOKENS = 20_000
"""Of one candidate."""


class TokenPredictor(Protocol):
    """A Model that tells which tokens it expects: `TokenModel`, `Markov`."""

    def start(self, prompt: Tensor) -> State: ...

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]: ...

    def log_probabilities(self, state: State) -> Tensor:
        """Of the next token, ``[batch, size]``."""


@dataclass
class _Particle:
    """Args:
    decoder: has read the candidate's tokens.
    ahead: index of the next given event.
    weight: log of how likely the Model held what was given.
    holding: whether the pitch that waits for its length is a given one.
    """

    decoder: EventsDecoder
    ahead: int = 0
    weight: float = 0.0
    holding: bool = False
    state: State = None

    def branch(self) -> _Particle:
        return replace(self, decoder=self.decoder.branch())


@dataclass
class Infiller:
    """Plays what is free in a given tune.

    Args:
        model: of tokens, in evaluation mode.
        scheme: that it was trained on.
        given: what stands, without any note where the Model is to play; with all parts.
        spans: of each part the ticks (from, to) between which the Model plays; (0, 0) where it does not.
        stop: tick at which it is done: what lies beyond is not looked at.
    """

    model: TokenPredictor
    scheme: EventsTokenizer
    given: Tune
    spans: Sequence[tuple[int, int]]
    stop: int
    grid: Tune = field(init=False)

    def __post_init__(self) -> None:
        self.grid = self.scheme.quantised(self.given)
        self.ids = self.scheme.ids
        scale = self.scheme.resolution / self.given.ticks_per_quarter
        self.free = np.array([[round(tick * scale) for tick in span] for span in self.spans])  # in steps
        self.end = max(math.ceil(self.stop * scale), 1)
        self.steps = np.arange(1, self.scheme.page)
        self.positions = np.array([self.ids[f"position {step}"] for step in self.steps])
        self.events = list(self._given_events())
        self.starts = [tick for tick, _, _ in self.events]

    def fill(self, sampling: Sampling, candidates: int = 16) -> Tune:
        """The given tune with what the Model plays, on the grid of the scheme.

        Args:
            sampling: how to draw; its ``allowed`` is not used.
            candidates: that are drawn side by side.
        """
        first = _Particle(self.scheme.decoder(self.given))
        told = self._forced(first)
        if first.decoder.notes:
            first.decoder.constrain_to_prompt()
            if first.decoder.unbroken_from is not None:
                first.decoder.unbroken_from = 0  # already where the given notes end
        with torch.no_grad():
            first.state = self.model.start(torch.tensor([told]))
            found = self._drawn([first.branch() for _ in range(candidates)], sampling)
        share = torch.tensor([candidate.weight for candidate in found], dtype=torch.float64).softmax(0)
        return found[int(_systematic(share, 1, sampling.generator)[0])].decoder.tune()

    def _given_events(self) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
        """(step, rank, what) in the order of the scheme, up to the end."""
        grid = self.grid
        rows: list[tuple[int, int, tuple[Any, ...]]] = []
        rows += [(tick, -1, ("meter", f"{top}/{bottom}")) for tick, top, bottom in grid.meters.tolist()]
        rows += [(tick, 0, ("tempo", f"{round(6e7 / tempo)}")) for tick, tempo in grid.tempos.tolist()]
        for start, end, part in grid.pedals.tolist():
            rows += [(end, 3 * part + 1, ("pedal", part, "off")), (start, 3 * part + 2, ("pedal", part, "on"))]
        columns = (grid.notes[name].tolist() for name in ("start", "end", "pitch", "velocity", "part"))
        rows += [
            (start, 3 * part + 3, ("note", part, pitch, end - start, velocity))
            for start, end, pitch, velocity, part in zip(*columns, strict=True)
        ]
        yield from (row for row in sorted(rows, key=lambda row: row[:2]) if row[0] < self.end)

    def _forced(self, candidate: _Particle) -> list[int]:
        """The tokens up to where there is a choice, read by the candidate."""
        told = [self.ids["start"]]
        for index, part in enumerate(self.grid.parts):
            told += [self.ids[f"part {index}"], self.ids[f"program {'drums' if part.drums else part.program}"]]
        told.append(self.ids["bar"])
        for token in told:
            candidate.decoder.push(token)
        while (permitted := self.permitted(candidate)).sum() == 1 and not self._done(candidate):
            told.append(int(permitted.argmax()))
            self._push(candidate, told[-1])
        return told

    def _drawn(self, candidates: list[_Particle], sampling: Sampling) -> list[_Particle]:
        """All candidates at the end; those that are ahead wait at each bar line for the others."""
        with progress(self.end, "filling", "steps") as shown:
            for _ in range(MOST_TOKENS):
                shown.update(min(min(one.decoder.tick for one in candidates), self.end) - shown.n)
                going = [one for one in candidates if not self._done(one)]
                if not going:
                    return candidates
                line = min(one.decoder.bar for one in going)
                for alike in grouped([one for one in going if one.decoder.bar == line]):
                    self._step(alike, sampling)
                if all(self._done(one) or one.decoder.bar > line for one in candidates):
                    candidates = resample_particles(candidates, sampling.generator)
        raise InputError("the tune", f"it is not filled after {MOST_TOKENS} tokens", "fill less of it")

    def _step(self, candidates: list[_Particle], sampling: Sampling) -> None:
        """One token for each of some candidates whose states can be computed with together."""
        state = map_state(lambda *values: torch.cat(values), *(one.state for one in candidates))
        permitted = torch.from_numpy(np.stack([self.permitted(one) for one in candidates]))
        logits = self.model.log_probabilities(state).masked_fill(~permitted, -torch.inf)
        tokens, state = self.model.step(state, replace(sampling, allowed=permitted))
        for index, (one, token, held) in enumerate(
            zip(candidates, tokens.tolist(), logits.logsumexp(-1).tolist(), strict=True)
        ):
            one.weight += held
            one.state = map_state(lambda value, row=index: value[row : row + 1], state)
            self._push(one, token)

    def _done(self, candidate: _Particle) -> bool:
        return candidate.decoder.tick >= self.end

    def _push(self, candidate: _Particle, token: int) -> None:
        decoder, due = candidate.decoder, self._due(candidate)
        decoder.push(token)
        given = due is not None and (due[0] in ("tempo", "meter") or due[1] == decoder.part)
        if decoder.last == "pitch":
            candidate.holding = given
        elif decoder.last == "duration":
            candidate.ahead += candidate.holding
            candidate.holding = False
        elif due is not None and decoder.last == due[0]:
            candidate.ahead += given

    def _due(self, candidate: _Particle) -> tuple[Any, ...] | None:
        """What is given at this moment and not yet said."""
        ahead = candidate.ahead
        here = ahead < len(self.events) and self.events[ahead][0] <= candidate.decoder.tick
        return self.events[ahead][2] if here else None

    def permitted(self, candidate: _Particle) -> np.ndarray:
        """The tokens ``[size]`` bool that agree with what is given, and with the grammar; at least one."""
        decoder = candidate.decoder
        mask = self._permitted(candidate)
        if not mask.any():  # nothing may sound here: then it rests, though the rest never does
            decoder.unbroken_from, unbroken_from = None, decoder.unbroken_from
            mask = self._permitted(candidate)
            decoder.unbroken_from = unbroken_from
        return mask

    def _permitted(self, candidate: _Particle) -> np.ndarray:
        decoder, due = candidate.decoder, self._due(candidate)
        mask = np.zeros(self.scheme.size, bool)
        if candidate.holding or (due is not None and due[0] in ("tempo", "meter")):
            assert due is not None
            mask[self._said(decoder, due)] = True
            return mask
        allowed = decoder.allowed()
        if decoder.pitch is not None:
            return self._within(decoder, allowed)
        for part in np.flatnonzero(self._plays(decoder.tick)):
            if due is None or part < due[1]:
                mask[decoder.ids["part"][part]] = True
                if part == decoder.part:
                    mask[np.concatenate([decoder.ids[kind] for kind in ("velocity", "pitch", "pedal")])] = True
        if due is None and decoder.last not in ("part", "velocity"):
            self._move(candidate, mask)
        mask &= allowed
        if due is not None and not (decoder.last in ("part", "velocity") and decoder.part != due[1]):
            mask[self._said(decoder, due)] = True
        return mask

    def _plays(self, tick: int) -> np.ndarray:
        """In which parts the Model may begin a note, ``[parts]`` bool."""
        return (self.free[:, 0] <= tick) & (tick < self.free[:, 1])

    def _within(self, decoder: EventsDecoder, allowed: np.ndarray) -> np.ndarray:
        """Lengths of a free note that ends in time."""
        room = int(self.free[decoder.part, 1]) - decoder.tick - decoder.ties * self.scheme.page
        allowed[decoder.ids["tie"]] &= room > self.scheme.page
        allowed[decoder.ids["duration"]] &= np.array(decoder.values["duration"]) <= room
        return allowed

    def _move(self, candidate: _Particle, mask: np.ndarray) -> None:
        """How time can go on without passing by what is given, and without stopping where nothing is to be said."""
        decoder, page = candidate.decoder, self.scheme.page
        until = self.starts[candidate.ahead] if candidate.ahead < len(self.starts) else self.end
        line = decoder.bar_start + decoder.bar_length
        begun = decoder.tick - (decoder.tick - decoder.bar_start) % page
        mask[self.ids["bar"]] = line <= until
        places = begun + self.steps
        played = ((self.free[:, :1] <= places) & (places < self.free[:, 1:])).any(axis=0)
        fitting = (places > decoder.tick) & (places <= until) & (places < line)
        mask[self.positions] = fitting & (played | (places == until))
        further = begun + page
        needed = until < line or ((self.free[:, 0] < line) & (self.free[:, 1] > further)).any()
        mask[self.ids["later"]] = bool(further <= until and further < line and needed)

    def _said(self, decoder: EventsDecoder, due: tuple[Any, ...]) -> int:
        """The next token of a given event."""
        if due[0] in ("tempo", "meter"):
            return self.ids[f"{due[0]} {due[1]}"]
        if decoder.pitch is not None:
            ties, rest = divmod(due[3] - 1, self.scheme.page)
            return self.ids["tie"] if decoder.ties < ties else self.ids[f"duration {rest + 1}"]
        if decoder.part != due[1]:
            return self.ids[f"part {due[1]}"]
        if due[0] == "pedal":
            return self.ids[f"pedal {due[2]}"]
        level = round(due[4] * self.scheme.options.velocities / 127)
        if decoder.velocities.get(due[1]) != due[4] and decoder.last != "velocity":
            return self.ids[f"velocity {level}"]
        return self.ids[f"pitch {due[2]}"]


def grouped(candidates: list[_Particle]) -> list[list[_Particle]]:
    """Candidates whose states have the same shapes, together."""
    groups: dict[tuple[torch.Size, ...], list[_Particle]] = {}
    for one in candidates:
        groups.setdefault(tuple(state_shapes(one.state)), []).append(one)
    return list(groups.values())


def resample_particles(candidates: list[_Particle], random: torch.Generator | None) -> list[_Particle]:
    """Candidates drawn anew by their weights, where few of them carry most of it."""
    weights = torch.tensor([one.weight for one in candidates], dtype=torch.float64)
    share, count = weights.softmax(0), len(candidates)
    if 1 / float((share**2).sum()) > count / 2:
        return candidates
    mean = float(weights.logsumexp(0)) - math.log(count)
    chosen = _systematic(share, count, random).tolist()
    return [replace(candidates[index].branch(), weight=mean) for index in chosen]


def _systematic(share: Tensor, count: int, random: torch.Generator | None) -> Tensor:
    """So many draws from shares ``[n]`` that add up to 1, evenly spaced behind one random place."""
    places = (torch.arange(count) + torch.rand(1, generator=random)) / count
    return torch.searchsorted(share.cumsum(0), places.double()).clamp(max=len(share) - 1)

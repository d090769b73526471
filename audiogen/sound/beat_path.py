"""The order of beats in a tail: the recording's own, with jumps between beats whose past is alike.

A variable-order model on units, as a factor oracle (Assayag & Dubnov 2004, "Using factor oracles for machine
improvisation", Soft Computing 8), but with graded likeness instead of equal symbols: every place of the recording
whose last beats are like those just played may go on. Of all paths the cheapest over the next bars is taken (Viterbi
search), with random costs added, so that seeds differ; a path that would read the recording verbatim for longer than
allowed has to jump where that does least harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from audiogen.rhythm.analysis import Rhythm

CONTEXT_WEIGHTS = (1.0, 0.6, 0.36, 0.22)  # of the last beats, the latest first
JUMP_COST = 0.1  # in units of the distance of two random beats
OFF_BAR_COST = 3.0  # of a jump to another place in the bar
TEMPO_COST = 20.0  # per unit of the logarithm of a ratio of durations
REUSE_COST = 0.5  # of a beat that has just been played
SET_REUSE_COST = 0.5  # of a beat, each time that an earlier tail of a set has played it
REUSE_BEATS = 24.0  # time constant over which that is forgotten
UNCLEAR_COST = 0.5  # of a beat that takes no part in the pulse
SHORT_COST = 0.4  # of a run of a single beat, falling to none at a bar: a beat from elsewhere and back is no new order
VERBATIM_COST = 5.0  # of each beat beyond the longest verbatim run
NOISE = 0.3  # mean of the random cost of a jump, at temperature 1
HORIZON, COMMITTED = 16, 4  # beats that are planned, and of them played before the next plan


class BeatPath:
    """Plans which beats of a recording follow its end.

    Args:
        rhythm: of the recording.
        longest: largest number of beats read on verbatim.
        seed: of the random costs.
        temperature: scale of the random costs; 0 for none.
        played: units of the tail so far, which the path takes up; none for one that follows the end of the recording.
        plays: how often earlier tails of a set have played each unit; None outside a set.
    """

    def __init__(
        self,
        rhythm: Rhythm,
        longest: int,
        seed: int,
        temperature: float = 1.0,
        played: Sequence[int] = (),
        plays: np.ndarray | None = None,
    ) -> None:
        self.rhythm, self.longest, self.played = rhythm, max(longest, 1), played
        self.shortest = (rhythm.bar or 1) - 1 or 1  # beats more than one, from which on a run is not short
        self.noise = NOISE * temperature
        self.random = np.random.default_rng(seed)
        self.jumps = jump_costs(rhythm)
        units = rhythm.units
        self.used = np.arange(units, dtype=float) - units  # beat of the tail at which each was last played
        self.unit_costs = UNCLEAR_COST * (1 - rhythm.clarity)
        if plays is not None:
            self.unit_costs = self.unit_costs + SET_REUSE_COST * (plays - plays.min())
        # A jump to the very samples that would have come next, here or after the same beat elsewhere, is no end of a
        # verbatim run.
        self.verbatim = (rhythm.identical[:, :-1].astype(np.float32) @ rhythm.identical[1:]) > 0

    def __iter__(self) -> Iterator[int]:
        """Yield units, endless; the first is the one whose remainder follows the end of the recording."""
        costs = np.full((self.longest, self.rhythm.units), np.inf)
        time = len(self.played)
        for beat, unit in enumerate(self.played):
            self.used[unit] = beat
        if self.played:
            costs[self._age(), self.played[-1]] = 0.0
            costs = self._step(costs, time, self._noisy())[0]
        else:
            costs[0] = self._start_costs()
        while True:
            path = self._plan(costs, time)[:COMMITTED]
            for _, unit in path:
                yield unit
                self.used[unit] = time
                time += 1
            costs = np.full_like(costs, np.inf)
            costs[path[-1]] = 0.0
            costs = self._step(costs, time, self._noisy())[0]

    def _age(self) -> int:
        """Beats by which the recording has been read on verbatim, as far as the longest run."""
        age = 0
        pairs = zip(self.played[-1:0:-1], self.played[-2::-1], strict=False)
        for later, earlier in pairs:
            if later != earlier + 1 or age == self.longest - 1:
                break
            age += 1
        return age

    def _start_costs(self) -> np.ndarray:
        """Cost ``[units]`` of continuing the recording's end from its phase in each unit."""
        rhythm, units = self.rhythm, self.rhythm.units
        unlike = np.zeros(units)
        for back, weight in enumerate(CONTEXT_WEIGHTS):
            row = units - 1 - back
            before = rhythm.unlike_end[row, : units - 1 - back]
            unlike += weight / sum(CONTEXT_WEIGHTS) * np.concatenate([np.ones(1 + back), before])
        off_bar = (np.arange(units) - units) % (rhythm.bar or 1) != 0
        tempo = TEMPO_COST * np.abs(np.log(np.diff(rhythm.beats) / rhythm.period))
        return unlike + OFF_BAR_COST * off_bar + tempo + self._noisy()[0] + self._unit_costs(0)

    def _unit_costs(self, time: int) -> np.ndarray:
        """Cost ``[units]`` of playing each at a time of the tail, in beats."""
        return REUSE_COST * np.exp((self.used - time) / REUSE_BEATS) + self.unit_costs

    def _noisy(self) -> np.ndarray:
        return self.jumps + self.noise * self.random.exponential(size=self.jumps.shape)

    def _step(self, costs: np.ndarray, time: int, jumps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Costs ``[ages, units]`` one beat later, and the flat index of the best predecessor of each."""
        ages, units = costs.shape
        index = np.arange(ages * units).reshape(ages, units)
        after, origin = np.full_like(costs, np.inf), np.zeros(costs.shape, int)

        def offer(age: int, targets: slice | np.ndarray, values: np.ndarray, origins: np.ndarray) -> None:
            better = values < after[age, targets]
            after[age, targets] = np.where(better, values, after[age, targets])
            origin[age, targets] = np.where(better, origins, origin[age, targets])

        leaving = costs + SHORT_COST * np.clip(1 - np.arange(ages) / self.shortest, 0, None)[:, None]
        best = leaving.argmin(0)
        entering = leaving[best, np.arange(units)][:, None] + np.where(self.verbatim, np.inf, jumps)
        source = entering.argmin(0)
        offer(0, slice(None), entering.min(0), index[best[source], source])
        for age in range(ages):
            older, penalty = min(age + 1, ages - 1), VERBATIM_COST * (age + 1 == ages)
            offer(older, slice(1, None), costs[age, :-1] + penalty, index[age, :-1])
            if self.verbatim.any():
                entering = costs[age][:, None] + np.where(self.verbatim, jumps, np.inf) + penalty
                source = entering.argmin(0)
                offer(older, slice(None), entering.min(0), index[age, source])
        return after + self._unit_costs(time), origin

    def _plan(self, costs: np.ndarray, time: int) -> list[tuple[int, int]]:
        """The cheapest path of `HORIZON` beats from the costs of the first: (age of the verbatim run, unit) each."""
        jumps, origins = self._noisy(), []
        for beat in range(1, HORIZON):
            costs, origin = self._step(costs, time + beat, jumps)
            origins.append(origin)
        state = int(costs.argmin())
        path = [state]
        for origin in reversed(origins):
            path.append(int(origin.ravel()[path[-1]]))
        return [divmod(state, costs.shape[1]) for state in reversed(path)]


def jump_costs(rhythm: Rhythm) -> np.ndarray:
    """Cost ``[units, units]`` of playing unit ``j`` after unit ``i``; infinite for the unit that follows it anyway."""
    units, total = rhythm.units, sum(CONTEXT_WEIGHTS)
    costs = np.full((units, units), JUMP_COST)
    for back, weight in enumerate(CONTEXT_WEIGHTS):
        unlike = np.ones((units, units))
        # Unit ``i - back`` beside unit ``j - 1 - back``.
        unlike[back:, 1 + back :] = rhythm.unlike[: units - back, : units - 1 - back]
        costs += weight / total * unlike
    index = np.arange(units)
    offset = index - index[:, None] - 1
    durations = np.diff(rhythm.beats)
    costs += OFF_BAR_COST * (offset % (rhythm.bar or 1) != 0)
    costs += TEMPO_COST * np.abs(np.log(durations / durations[:, None]))
    costs[offset == 0] = np.inf
    return costs

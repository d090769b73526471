"""Factor oracle: an automaton over a sequence of symbols that knows where else its recent past has occurred.

Allauzen, Crochemore & Raffinot (1999), "Factor oracle: a new structure for pattern matching"; lengths of repeated
suffixes after Lefebvre & Lecroq (2000). As a generator of music: Assayag & Dubnov (2004), "Using factor oracles for
machine improvisation", Soft Computing 8:604; over quantised sound: Dubnov, Assayag & Cont (2011), "Audio oracle
analysis of musical information rate", which chooses the quantisation by the information rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FactorOracle:
    """States 0 .. n of a sequence of n symbols; state ``k`` is reached by reading its first ``k`` symbols.

    Args:
        suffix: suffix link of each state: the earliest state at which its longest repeated suffix ends; -1 of state 0.
        length: length of that suffix.
    """

    suffix: list[int]
    length: list[int]

    @classmethod
    def of(cls, symbols: Sequence[int]) -> FactorOracle:
        """Build the oracle of a sequence, symbol by symbol in linear time."""
        transitions: list[dict[int, int]] = [{}]
        suffix, length = [-1], [0]
        for end, symbol in enumerate(symbols, 1):
            transitions[end - 1][symbol] = end
            transitions.append({})
            state, before = suffix[end - 1], end - 1
            while state > -1 and symbol not in transitions[state]:
                transitions[state][symbol] = end
                before, state = state, suffix[state]
            link = 0 if state == -1 else transitions[state][symbol]
            suffix.append(link)
            length.append(cls._common(suffix, length, before, link))
        return cls(suffix, length)

    @staticmethod
    def _common(suffix: list[int], length: list[int], before: int, link: int) -> int:
        """Length of the repeated suffix of a new state, of which ``before`` leads to the suffix link."""
        if link == 0:
            return 0
        other = link - 1
        if other == suffix[before]:
            return length[before] + 1
        while suffix[other] != suffix[before]:
            other = suffix[other]
        return min(length[before], length[other]) + 1

    def similar(self, state: int) -> dict[int, int]:
        """States with the same recent past as a state, by suffix links either way: state -> symbols in common."""
        found, here, common = dict[int, int](), state, math.inf
        while self.suffix[here] > 0:
            common = min(common, self.length[here])
            here = self.suffix[here]
            found[here] = int(common)
        for later in range(state + 1, len(self.suffix)):
            if self.suffix[later] == state:
                found[later] = self.length[later]
        return found

    def information_rate(self, symbols: int) -> float:
        """Bits per symbol that the repetitions save, of an alphabet of a size (Dubnov et al. 2011)."""
        count = len(self.suffix) - 1
        words, state = 0, count
        while state > 0:  # a word is a repeated suffix, or a symbol on its own
            state -= max(self.length[state], 1)
            words += 1
        return math.log2(symbols) - words / max(count, 1) * (math.log2(max(count, 2)) + math.log2(symbols))

"""Best of several tails of a recording: which seed gives the one whose order and texture are most like the recording's.

Each take is generated in memory and judged by its beginning; the best one is then written like any other tail, by its
seed. The same seed without a search gives the same bytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.jobs.continuer_choice import AnyContinuer
from audiogen.jobs.request import MAX_SEED, Request
from audiogen.jobs.tail_check import evaluator_of
from audiogen.jobs.tail_file import length_of, tail_blocks
from audiogen.metrics.order import OrderReference
from audiogen.progress import progress
from audiogen.sound.prompt_analysis import PromptParts

JUDGED_SECONDS = 60.0  # of the beginning of each take
SEED_STEP = 1000  # between takes: variations have consecutive seeds, at most 999 of them


@dataclass(frozen=True)
class TakeScore:
    """How far a take is from the recording.

    Args:
        seed: that gives it.
        order: ratio of its order to that of the recording's own segments (`metrics.order`), 1.0 as good as another
            segment, higher is worse; None if the recording has no order or the take is too short to measure it.
        texture: its texture distance to the recording, 1.0 for another segment; None if it is too short.
    """

    seed: int
    order: float | None
    texture: float | None

    @property
    def distance(self) -> float:
        """Geometric mean of those that were measured; 1.0 if neither was."""
        measured = [value for value in (self.order, self.texture) if value is not None and value > 0]
        return math.exp(sum(math.log(value) for value in measured) / len(measured)) if measured else 1.0


def seeds_of_takes(seed: int, count: int) -> list[int]:
    """Seeds of the takes of one tail: its own, and others that no variation beside it has."""
    return [(seed + SEED_STEP * index) % (MAX_SEED + 1) for index in range(count)]


def best_take(
    material: Recording, request: Request, takes: int, blocks: Callable[[Request], Iterator[np.ndarray]]
) -> tuple[Request, dict[str, Any]]:
    """Choose the seed of the take that is nearest to the recording in order and texture.

    Args:
        material: what the tails are compared with.
        request: of the tail.
        takes: number of takes.
        blocks: the blocks ``[channels, time]`` of a tail.

    Returns:
        The request with the seed of the best take, and the entry of the sidecar: the measures of that take, the means
        of all takes, and what the choice gained.
    """
    judge = _Judge(material, min(request.seconds, JUDGED_SECONDS))
    scores = []
    with progress(takes, "judging takes", "takes") as shown:
        for seed in seeds_of_takes(request.seed, takes):
            scores.append(judge(seed, blocks(replace(request, seed=seed))))
            shown.update(1)
    best = min(scores, key=lambda score: score.distance)
    return replace(request, seed=best.seed), describe_choice(best, scores)


def choose_take(
    prompt: PromptParts, continuer: AnyContinuer, request: Request, takes: int
) -> tuple[Request, dict[str, Any]]:
    """`best_take` of the tails of a prompt."""

    def blocks(one: Request) -> Iterator[np.ndarray]:
        return tail_blocks(prompt, continuer, length_of(prompt.recording, one), one)

    return best_take(prompt.material, request, takes, blocks)


def describe_choice(best: TakeScore, scores: Sequence[TakeScore]) -> dict[str, Any]:
    """The sidecar's entry about the choice of a take.

    Its ``gain`` is the mean distance of the takes less that of the chosen one. It flatters the choice: both are
    measured by what chose, and the least of several is below their mean whatever is measured.
    """
    mean = {name: _mean([getattr(score, name) for score in scores]) for name in ("order", "texture", "distance")}
    return {
        "planner": "best-of",
        "takes": [asdict(score) | {"distance": score.distance} for score in scores],
        "seed": best.seed,
        "distance": best.distance,
        "mean": mean,
        "gain": (mean["distance"] or best.distance) - best.distance,
    }


def summarise_choice(entry: dict[str, Any]) -> str:
    """One line about the choice of a take."""
    mean, chosen = entry["mean"], next(take for take in entry["takes"] if take["seed"] == entry["seed"])
    measures = [
        f"{name} {chosen[name]:.2f} (mean {mean[name]:.2f})"
        for name in ("order", "texture")
        if chosen[name] is not None
    ]
    return f"best of {len(entry['takes'])} takes, seed {entry['seed']}: " + (
        ", ".join(measures) or "too short to judge"
    )


class _Judge:
    """Measures takes against the recording, whose references are made once for all of its tails."""

    def __init__(self, material: Recording, seconds: float) -> None:
        self.material, self.seconds = material, seconds
        self.evaluator, self.order = evaluator_of(material), _order_of(material, seconds)

    def __call__(self, seed: int, blocks: Iterator[np.ndarray]) -> TakeScore:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)  # issued when the chosen take is written
            return self._score(seed, self._beginning(blocks))

    def _beginning(self, blocks: Iterator[np.ndarray]) -> Recording:
        length, taken, parts = round(self.seconds * self.material.sample_rate), 0, []
        for block in blocks:
            parts.append(block)
            taken += block.shape[1]
            if taken >= length:
                break
        return Recording(np.concatenate(parts, axis=1)[:, :length], self.material.sample_rate)

    def _score(self, seed: int, take: Recording) -> TakeScore:
        texture = self.evaluator.compare(take).texture
        order = None
        if self.order is not None:
            try:
                order = self.order.distance(take).overall
            except InputError:  # too short
                order = None
        return TakeScore(seed, order, None if texture is None else texture.overall)


@lru_cache(maxsize=1)
def _order_of(material: Recording, seconds: float) -> OrderReference | None:
    """The order of a recording, kept for its next tail; None if it has none, or is too short to measure it."""
    try:
        reference = OrderReference(material, seconds=seconds)
    except InputError:
        return None
    return reference if any(reference.applies(name) for name in reference.measures) else None


def _mean(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None

"""Best of several tails of a recording: which seed gives the one whose order and texture are most like the recording's.

Takes are generated in memory, several at a time, and judged by their beginnings; the best one is then written like any
other tail, by its seed. The same seed without a search gives the same bytes. What the choice gains is also measured by
scattering moments (`metrics.scattering`), which have no part in it.
"""

from __future__ import annotations

import contextvars
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.devices import count_threads
from audiogen.errors import InputError
from audiogen.jobs.continuer_choice import AnyContinuer
from audiogen.jobs.request import Request
from audiogen.jobs.tail_check import evaluator_of
from audiogen.jobs.tail_file import length_of, tail_blocks
from audiogen.metrics.order import OrderReference
from audiogen.progress import checkpoint, progress
from audiogen.sound.limits import MAX_SEED
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
        scattering: the same by scattering moments, which `distance` leaves out; None if it is too short.
    """

    seed: int
    order: float | None
    texture: float | None
    scattering: float | None = None

    @property
    def distance(self) -> float:
        """Geometric mean of order and texture, as far as they were measured; 1.0 if neither was."""
        measured = [value for value in (self.order, self.texture) if value is not None and value > 0]
        return math.exp(sum(math.log(value) for value in measured) / len(measured)) if measured else 1.0


def seeds_of_takes(seed: int, count: int) -> list[int]:
    """Seeds of the takes of one tail: its own, and others that no variation beside it has."""
    return [(seed + SEED_STEP * index) % (MAX_SEED + 1) for index in range(count)]


def best_take(
    material: Recording,
    request: Request,
    takes: int,
    blocks: Callable[[Request], Iterator[np.ndarray]],
    stopped: threading.Event | None = None,
) -> tuple[Request, dict[str, Any]]:
    """Choose the seed of the take that is nearest to the recording in order and texture.

    Args:
        material: what the tails are compared with.
        request: of the tail.
        takes: number of takes.
        blocks: the blocks ``[channels, time]`` of a tail; called by several threads at once.
        stopped: set to abandon all takes at their next block; ``blocks`` may look at it more often.

    Returns:
        The request with the seed of the best take, and the entry of the sidecar (`describe_choice`).
    """
    judge = _Judge(material, min(request.seconds, JUDGED_SECONDS), stopped or threading.Event())

    def one_take(seed: int) -> TakeScore:
        return judge(seed, blocks(replace(request, seed=seed)))

    scores = []
    with warnings.catch_warnings(), progress(takes, "judging takes", "takes") as shown:
        warnings.simplefilter("ignore", AudioWarning)  # issued when the chosen take is written
        for score in _side_by_side(one_take, seeds_of_takes(request.seed, takes), judge.stopped):
            scores.append(score)
            shown.update(1)
    best = min(scores, key=lambda score: score.distance)
    return replace(request, seed=best.seed), describe_choice(best, scores)


def choose_take(
    prompt: PromptParts, continuer: AnyContinuer, request: Request, takes: int
) -> tuple[Request, dict[str, Any]]:
    """`best_take` of the tails of a prompt, each with a Continuer of its own."""
    stopped = threading.Event()

    def pause() -> None:
        if stopped.is_set():
            raise CancelledError
        checkpoint()

    def blocks(one: Request) -> Iterator[np.ndarray]:
        return tail_blocks(prompt, continuer.for_one_tail(pause), length_of(prompt.recording, one), one)

    return best_take(prompt.material, request, takes, blocks, stopped)


def _side_by_side(
    one_take: Callable[[int], TakeScore], seeds: Sequence[int], stopped: threading.Event
) -> Iterator[TakeScore]:
    """The scores of takes in the order of their seeds, computed by several threads.

    NumPy and PyTorch release the interpreter's lock while they compute.
    """
    pool = ThreadPoolExecutor(count_threads(len(seeds)), "take")
    try:
        # Each thread reports progress and is interrupted as this one would be.
        running = [pool.submit(contextvars.copy_context().run, one_take, seed) for seed in seeds]
        for future in running:
            yield future.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def describe_choice(best: TakeScore, scores: Sequence[TakeScore]) -> dict[str, Any]:
    """The sidecar's entry about the choice of a take.

    ``gain`` is the mean distance of the takes less that of the chosen one. It flatters the choice: both are measured by
    what chose, and the least of several is below their mean whatever is measured. ``unseen_gain`` is the same by
    scattering moments, which did not choose, and may be negative; None if the takes were too short.
    """
    names = ("order", "texture", "scattering", "distance")
    mean = {name: _mean([getattr(score, name) for score in scores]) for name in names}
    unseen = None if best.scattering is None or mean["scattering"] is None else mean["scattering"] - best.scattering
    return {
        "planner": "best-of",
        "takes": [asdict(score) | {"distance": score.distance} for score in scores],
        "seed": best.seed,
        "distance": best.distance,
        "mean": mean,
        "gain": (mean["distance"] or best.distance) - best.distance,
        "unseen_gain": unseen,
    }


def summarise_choice(entry: dict[str, Any]) -> str:
    """One line about the choice of a take."""
    mean, chosen = entry["mean"], next(take for take in entry["takes"] if take["seed"] == entry["seed"])
    measures = [
        f"{name} {chosen[name]:.2f} (mean {mean[name]:.2f})"
        for name in ("order", "texture", "scattering")
        if chosen[name] is not None
    ]
    return f"best of {len(entry['takes'])} takes, seed {entry['seed']}: " + (
        ", ".join(measures) or "too short to judge"
    )


class _Judge:
    """Measures takes against the recording, whose references are made once, before any thread needs them.

    Attributes:
        stopped: set to abandon all takes at their next block.
    """

    def __init__(self, material: Recording, seconds: float, stopped: threading.Event) -> None:
        self.material, self.seconds, self.stopped = material, seconds, stopped
        self.evaluator, self.order = evaluator_of(material), _order_of(material, seconds)
        with suppress(InputError):  # too short
            _ = self.evaluator.texture_reference, self.evaluator.scattering_reference

    def __call__(self, seed: int, blocks: Iterator[np.ndarray]) -> TakeScore:
        length, taken, parts = round(self.seconds * self.material.sample_rate), 0, []
        for block in blocks:
            parts.append(block)
            taken += block.shape[1]
            if self.stopped.is_set():
                raise CancelledError
            if taken >= length:
                break
        take = Recording(np.concatenate(parts, axis=1)[:, :length], self.material.sample_rate)
        texture, scattering = self.evaluator.texture(take), self.evaluator.scattering(take)
        order = None
        if self.order is not None:
            try:
                order = self.order.distance(take).overall
            except InputError:  # too short
                order = None
        overall = (None if distance is None else distance.overall for distance in (texture, scattering))
        return TakeScore(seed, order, *overall)


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

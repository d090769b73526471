"""Options of the MIDI jobs: continuation, infilling and accompaniment.

Imports no torch, so that the command line can read the defaults for its ``--help``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogen.errors import InputError, require_number
from audiogen.jobs.plan_request import PlanRequest
from audiogen.jobs.request import MAX_SECONDS
from audiogen.sound.limits import checked_seed

if TYPE_CHECKING:
    from audiogen.models import Sampling

MAX_BARS, MAX_TAKES = 10_000, 99


@dataclass(frozen=True)
class TuneRequest:
    """Options of one continuation of a MIDI prompt.

    Args:
        seconds: length of the tail in seconds.
        bars: length of the tail in whole bars, after the bar in which the prompt ends; overrides ``seconds``.
        seed: random seed, 0 to 2^63 - 1.
        temperature: sampling temperature, 0 to 10: 0 takes the likeliest token, 1 samples the learned distribution,
            above 1 is more random.
        top_k: sample from the k likeliest tokens; 0 for all.
        top_p: nucleus sampling: total probability kept, 0 to 1 (Holtzman et al. 2020).
        min_p: minimum probability relative to the likeliest token, 0 to 1 (Nguyen et al. 2024). Without the least
            likely tokens, tails have the range and the rhythm of real tunes (docs/symbolic.md).
        takes: tails to generate, 1 to 99; the one most like the prompt is kept. One at temperatures other than 1,
            which ask for a tail unlike the prompt. With fewer than 8, the polyphony of validation chorales is too far
            off in some sets (docs/symbolic.md).
        plan: search for a tail instead of sampling some; None for no search.
        tail_only: write the tail without the prompt.
        subtype: sample format if the output is audio; None for the container's default.

    Raises:
        InputError: a value is out of range.
    """

    seconds: float = 30.0
    bars: int | None = None
    seed: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.01
    takes: int = 8
    plan: PlanRequest | None = None
    tail_only: bool = False
    subtype: str | None = None

    def __post_init__(self) -> None:
        bars = 1 if self.bars is None else self.bars
        for name, value, low, high in (
            ("seconds", self.seconds, 1e-3, MAX_SECONDS),
            ("bars", bars, 1, MAX_BARS),
            ("temperature", self.temperature, 0, 10),
            ("top_k", self.top_k, 0, 100_000),
            ("top_p", self.top_p, 0, 1),
            ("min_p", self.min_p, 0, 1),
            ("takes", self.takes, 1, MAX_TAKES),
        ):
            require_number(name, value, whole=name in ("bars", "top_k", "takes"))
            if not low <= value <= high:
                raise InputError(name, f"{value:g} is out of range", f"choose from {low:g} to {high:g}")
        object.__setattr__(self, "seed", checked_seed(self.seed))

    @property
    def sampling(self) -> Sampling:
        """How tokens are sampled, with a new generator of the seed."""
        return _sampling(self)


@dataclass(frozen=True)
class SamplingOptions:
    """Options of infilling and accompaniment, which sample several candidates in parallel (a particle filter).

    Args:
        candidates: particles; more of them fit the given notes better and take longer.
        seed, temperature, top_k, top_p, min_p: see `TuneRequest`.
    """

    candidates: int = 16
    seed: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    @property
    def sampling(self) -> Sampling:
        """How tokens are sampled, with a new generator of the seed."""
        return _sampling(self)


def _sampling(options: TuneRequest | SamplingOptions) -> Sampling:
    import torch

    from audiogen.models import Sampling

    generator = torch.Generator().manual_seed(options.seed)
    return Sampling(options.temperature, options.top_k, options.top_p, options.min_p, generator=generator)

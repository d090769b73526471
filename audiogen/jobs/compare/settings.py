"""Options of a comparison. Imports no library, so that the command line can read the defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Options of a comparison, the same for all configurations.

    Args:
        budget: time limit of each training, in seconds.
        seeds: trainings per configuration.
        prompts: number of test prompts.
        prompt_seconds: length of each prompt, in seconds.
        seconds: length of each continuation, in seconds.
        minutes: limit on the audio that audio Models train on, in minutes.
    """

    budget: float = 90.0
    seeds: int = 2
    prompts: int = 4
    prompt_seconds: float = 10.0
    seconds: float = 10.0
    minutes: float = 10.0

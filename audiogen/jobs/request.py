"""What is asked of one tail of a recording. Imports no library, so that the command line can read the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogen.durations import Seconds
from audiogen.errors import InputError

if TYPE_CHECKING:
    from audiogen.sound.controls import Controls

MAX_SECONDS = 24 * 3600.0
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Request:
    """What is asked of one tail.

    Args:
        seconds: length of the tail.
        seed: of everything that is drawn, 0 .. 2^63 - 1.
        temperature: variance of the levels of a tail's bands, 1 as they are (`sound.level_expansion`); of a tune, and
            without ``match_texture``, that of the sampling distribution.
        level, brightness, density: what the tail is bent towards; see `sound.controls.Controls`.
        tail_only: write the tail without the prompt.
        loop: make the end meet the beginning.
        match_texture: give the tail the prompt's own statistics, where none others are asked for; see
            `sound.texture_matching`.
        vocoder: kind, instead of the Run's own.
        subtype: how samples are stored; None decides by the prompt.
    """

    seconds: Seconds = 30.0
    seed: int = 0
    temperature: float = 1.0
    level: float = 0.0
    brightness: float = 0.0
    density: float = 0.0
    tail_only: bool = False
    loop: bool = False
    match_texture: bool = True
    vocoder: str | None = None
    subtype: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= MAX_SECONDS:
            raise InputError("seconds", f"{self.seconds:g} is out of range", f"choose up to {MAX_SECONDS:g} s")
        if not 0 <= self.seed <= MAX_SEED:
            raise InputError("seed", f"{self.seed} is out of range", f"choose from 0 to {MAX_SEED}")
        if not 0 <= self.temperature <= 10:
            raise InputError("temperature", f"{self.temperature:g} is out of range", "choose from 0 to 10")
        _ = self.controls  # refuses what is out of range

    @property
    def controls(self) -> Controls:
        """Level, brightness and density."""
        from audiogen.sound.controls import Controls  # numpy: too slow to import for --help

        return Controls(self.level, self.brightness, self.density)

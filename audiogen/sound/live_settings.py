"""Settings of a tail that change while it is being made, and the log of their changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from audiogen.errors import InputError
from audiogen.sound.controls import RANGES, Controls
from audiogen.sound.limits import MAX_SEED, MAX_TEMPERATURE

SEGMENT_SETTINGS = ("temperature", "density", "morph", "freeze", "reseed")
"""Handles that begin a new segment of the tail; `level` and `brightness` act on its samples."""
LIMITS = {**RANGES, "temperature": (0.0, float(MAX_TEMPERATURE)), "morph": (0.0, 1.0)}


@dataclass(frozen=True)
class LiveSettings:
    """What a live tail sounds like at one moment.

    Args:
        seed: of all random draws of a segment.
        temperature: as of `Continuer.tail`, 0..10.
        level: dB relative to the prompt, -40..40.
        brightness: spectral tilt in dB per octave, -6..6.
        density: events per second as a multiple of the prompt's, 0.1..10.
        morph: position between the two textures of a morph, 0..1.
        freeze: whether the texture stands still, as it is at that moment.

    Raises:
        InputError: a value is out of range, or of a wrong type.
    """

    seed: int = 0
    temperature: float = 1.0
    level: float = 0.0
    brightness: float = 0.0
    density: float = 1.0
    morph: float = 0.0
    freeze: bool = False

    def __post_init__(self) -> None:
        for name, (least, largest) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise InputError(name, f"{value!r} is no number", f"choose from {least:g} to {largest:g}")
            if not least <= value <= largest:
                raise InputError(name, f"{value:g} is out of range", f"choose from {least:g} to {largest:g}")
            object.__setattr__(self, name, float(value))
        if not isinstance(self.freeze, bool):
            raise InputError("freeze", f"{self.freeze!r} is neither true nor false", "choose one of them")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise InputError("reseed", f"{self.seed!r} is no seed", f"choose a whole number from 0 to {MAX_SEED}")

    def changed(self, handles: Mapping[str, Any]) -> LiveSettings:
        """These settings with the values of some handles; ``reseed`` sets the seed."""
        return replace(self, **{"seed" if name == "reseed" else name: value for name, value in handles.items()})

    @property
    def controls(self) -> Controls:
        """Level, brightness and density."""
        return Controls(self.level, self.brightness, self.density)

    def as_json(self) -> dict[str, Any]:
        """Name -> value."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """Handles that were moved at one moment.

    Args:
        position: sample of the tail, counted from the join, from which on they have an effect.
        handles: name -> value.
    """

    position: int
    handles: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """``{"position": ..., "temperature": ...}``."""
        return {"position": self.position, **self.handles}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Change:
        """The inverse of `as_json`."""
        return cls(int(content["position"]), {name: content[name] for name in content if name != "position"})

"""Properties of a requested tail of a recording, with their defaults.

Imports no library, so that the command line can read the defaults at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiogen.durations import Seconds, bars_or_seconds
from audiogen.errors import InputError, require_flag, require_number
from audiogen.sound.limits import MAX_TEMPERATURE, checked_seed

if TYPE_CHECKING:
    from audiogen.sound.controls import Controls

MAX_SECONDS = 24 * 3600.0
FLAGS = ("pulse", "tail_only", "loop", "keep_edges", "ambience", "match_texture", "metadata", "raw")
MIN_LOUDNESS = -70.0  # LUFS: the gate below which BS.1770 measures nothing


@dataclass(frozen=True)
class Request:
    """Properties of a requested tail.

    Args:
        seconds: length of the tail, above 0 up to 24 hours.
        seed: of all random draws, 0 .. 2^63 - 1; the same seed and settings give the same bytes.
        temperature: variance of the levels of bands in units of the recording's, 0..10 (`sound.texture_matching`).
            Without ``match_texture``, and in a morph, temperature of the Model's distribution.
        level: dB relative to the prompt, -40..40.
        brightness: spectral tilt, dB per octave, -6..6.
        density: events per second as a multiple of the recording's, 0.1..10.
        pulse: continue a recording that has a pulse beat by beat (`sound.beat_continuation`).
        longest_copy: longest verbatim run of such a tail, in bars ("2 bars") or seconds ("3.5").
        tail_only: write the tail without the prompt.
        loop: make the end join seamlessly to the start.
        keep_edges: continue after a fade or silence at the recording's end, instead of before it
            (`sound.fade_detection`).
        ambience: learn the bed under the recording's events, and write that alone (`sound.ambience`).
        match_texture: match the recording's texture statistics (`sound.texture_matching`).
        vocoder: kind, instead of the Run's own.
        subtype: sample format, such as PCM_16; None for the prompt's.
        metadata: carry over the prompt's metadata as far as they still hold, and mark the join.
        loudness: integrated loudness of the output in LUFS, -70..0; it is lower where the true peak would exceed
            -1 dBTP. None leaves the level alone, and the prompt's samples as they are.
        raw: render what the Model draws, without selection, guards or texture matching (`sound.raw_tail`).

    Raises:
        InputError: a value is out of range.
    """

    seconds: Seconds = 30.0
    seed: int = 0
    temperature: float = 1.0
    level: float = 0.0
    brightness: float = 0.0
    density: float = 1.0
    pulse: bool = True
    longest_copy: str = "2 bars"
    tail_only: bool = False
    loop: bool = False
    keep_edges: bool = False
    ambience: bool = False
    match_texture: bool = True
    vocoder: str | None = None
    subtype: str | None = None
    metadata: bool = True
    loudness: float | None = None
    raw: bool = False

    def __post_init__(self) -> None:
        for name in ("seconds", "temperature", "level", "brightness", "density"):
            require_number(name, getattr(self, name))
        object.__setattr__(self, "seed", checked_seed(self.seed))
        for name in FLAGS:
            require_flag(name, getattr(self, name))
        for name in ("vocoder", "subtype"):
            if not isinstance(value := getattr(self, name), str | None):
                raise InputError(name, f"it is of type {type(value).__name__}", "give its name")
        if self.loudness is not None:
            require_number("loudness", self.loudness)
        if not 0 < self.seconds <= MAX_SECONDS:
            raise InputError(
                "seconds", f"{self.seconds:g} is out of range", f"choose above 0 s and up to {MAX_SECONDS:g} s"
            )
        if not 0 <= self.temperature <= MAX_TEMPERATURE:
            cure = f"choose from 0 to {MAX_TEMPERATURE}"
            raise InputError("temperature", f"{self.temperature:g} is out of range", cure)
        if self.loudness is not None and not MIN_LOUDNESS <= self.loudness <= 0:
            cure = f"choose from {MIN_LOUDNESS:g} to 0 LUFS"
            raise InputError("loudness", f"{self.loudness:g} is out of range", cure)
        try:
            bars_or_seconds(self.longest_copy)
        except (ValueError, AttributeError) as error:
            cure = "choose a number of seconds, or of bars as in 2 bars"
            raise InputError("longest_copy", f"{self.longest_copy!r} is no length", cure) from error
        if self.raw and (self.level or self.brightness or self.density != 1):
            raise InputError(
                "raw", "level, brightness and density do not apply to what a Model draws", "leave them out"
            )
        if self.keep_edges and self.ambience:
            raise InputError("keep_edges", "an ambience has none", "leave it out")
        _ = self.controls  # which checks their ranges

    @property
    def writes_prompt(self) -> bool:
        """Whether the prompt goes before the tail in the output."""
        return not (self.tail_only or self.ambience)

    @property
    def division(self) -> tuple[bool, bool, bool]:
        """Arguments of `sound.prompt_analysis.divide_prompt`."""
        return self.keep_edges, self.ambience, self.loop and self.writes_prompt

    @property
    def controls(self) -> Controls:
        """Level, brightness and density."""
        from audiogen.sound.controls import Controls  # numpy: too slow to import for --help

        return Controls(self.level, self.brightness, self.density)

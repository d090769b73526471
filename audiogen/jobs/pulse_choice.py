"""Choice of what continues a recording with a pulse: its own beats, on their grid, instead of a Run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audiogen.audio import Recording
from audiogen.jobs.request import Request
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.rhythm.analysis import Rhythm


def find_rhythm(prompt: Recording) -> Rhythm | None:
    """Find the rhythm of a recording; None without a pulse."""
    if not prompt.sounds:
        return None
    from audiogen.rhythm.analysis import analyse_rhythm  # here, since most commands do without

    with stage("looking for a pulse"):
        return analyse_rhythm(prompt)


def keeps_time(request: Request) -> bool:
    """Whether a tail can keep a pulse: not with another vocoder or density, raw, or as a loop, cut between beats."""
    other = request.vocoder is not None or request.density != 1 or request.loop or request.raw
    return request.pulse and not other


def describe_rhythm(rhythm: Rhythm) -> dict[str, Any]:
    """The sidecar's account of a rhythm, in JSON types."""
    return {
        "bpm": round(rhythm.pulse.bpm, 2),
        "strength": round(rhythm.pulse.strength, 3),
        "beats_per_bar": rhythm.bar,
        "beats": rhythm.units,
        "next_beat_seconds": round((1 - rhythm.phase) * rhythm.period, 4),
    }


def describe_pulse(pulse: dict[str, Any]) -> str:
    """The same in a line for the terminal."""
    bars = f", bars of {pulse['beats_per_bar']} beats" if pulse["beats_per_bar"] else ", without bars"
    return f"its own beats, {pulse['bpm']:.1f} a minute{bars} (--no-pulse ignores them)"

"""Several sounds of one recording from Python: loops of several lengths, and sets of takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

from audiogen.api.inputs import AnyRun, FilePath
from audiogen.api.session import session
from audiogen.api.tail_blocks import Samples, like, prompt_of, tails_of
from audiogen.audio import Recording
from audiogen.errors import InputError, require_number
from audiogen.experiment import Experiment
from audiogen.jobs.request import Request
from audiogen.jobs.take_set import SetReport, compare_sounds, equally_loud, request_for_set
from audiogen.progress import ProgressCallback


@dataclass(frozen=True)
class TakeSet(Generic[Samples]):
    """Takes of one recording for a random container.

    Attributes:
        takes: equally loud.
        report: the nearest pair of takes, that of segments of the recording, and takes to leave out; None if too short.
    """

    takes: tuple[Samples, ...]
    report: SetReport | None


def loops(
    samples: Samples,
    sample_rate: int,
    loop_lengths: Sequence[float] = (10.0, 30.0, 60.0),
    seed: int = 0,
    temperature: float = 1.0,
    *,
    level: float = 0.0,
    brightness: float = 0.0,
    density: float = 1.0,
    pulse: bool = True,
    longest_copy: str = "2 bars",
    match_texture: bool = True,
    ambience: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    cache: bool = True,
    vocoder: str | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> list[Samples]:
    """Make seamless loops of a recording's texture, without the recording.

    Args:
        loop_lengths: in seconds, above 0 and up to a day each.

    All other arguments are those of `continue_audio`.

    Returns:
        A loop of each length: its last sample leads into its first.

    Raises:
        InputError: as `continue_audio`.

    Example:
        >>> short, long = audiogen.loops(samples, 44100, (10, 60))
    """
    request = Request(
        seed=seed,
        temperature=temperature,
        level=level,
        brightness=brightness,
        density=density,
        pulse=pulse,
        longest_copy=longest_copy,
        match_texture=match_texture,
        ambience=ambience,
        vocoder=vocoder,
        tail_only=True,
        loop=True,
    )
    prompt = prompt_of(samples, sample_rate)
    try:
        lengths = [] if isinstance(loop_lengths, str) else list(loop_lengths)
    except TypeError:  # one number, or an array of no axes
        lengths = []
    if not lengths:
        raise InputError("loop_lengths", f"{loop_lengths!r} are no lengths", "give seconds, as in (10, 30)")
    requests = [replace(request, seconds=length) for length in lengths]
    with session(progress):
        return [like(loop, samples) for loop in tails_of(prompt, requests, run, config, budget, cache, device)]


def take_set(
    samples: Samples,
    sample_rate: int,
    variations: int = 12,
    seconds: float = 6.0,
    seed: int = 0,
    temperature: float = 1.0,
    *,
    loudness: float | None = None,
    level: float = 0.0,
    brightness: float = 0.0,
    density: float = 1.0,
    pulse: bool = True,
    longest_copy: str = "2 bars",
    match_texture: bool = True,
    ambience: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    cache: bool = True,
    vocoder: str | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> TakeSet[Samples]:
    """Make a set of takes: tails alone, equally loud, and compared with each other.

    Args:
        variations: number of takes, with consecutive seeds from ``seed``; none repeats those before it, unless a
            pulse is kept.
        seconds: length of each, above 0 and up to a day.
        loudness: integrated loudness of all in LUFS, lower where a true peak would exceed -1 dBTP; None for the
            recording's.

    All other arguments are those of `continue_audio`.

    Warns:
        AudioWarning: much of a take is repeated in another; takes are not kept distinct: beats, baselines.

    Raises:
        InputError: as `continue_audio`.

    Example:
        >>> made = audiogen.take_set(samples, 44100, variations=12, seconds=6)
        >>> made.report.nearest.similarity
    """
    request = Request(
        seconds=seconds,
        seed=seed,
        temperature=temperature,
        loudness=loudness,
        level=level,
        brightness=brightness,
        density=density,
        pulse=pulse,
        longest_copy=longest_copy,
        match_texture=match_texture,
        ambience=ambience,
        vocoder=vocoder,
    )
    prompt = prompt_of(samples, sample_rate)
    request = request_for_set(prompt, request)
    require_number("variations", variations, whole=True)
    if variations < 1:
        raise InputError("variations", f"{variations} is out of range", "give at least 1")
    requests = [replace(request, seed=seed + take) for take in range(variations)]
    with session(progress):
        made = tails_of(prompt, requests, run, config, budget, cache, device, as_set=True)
        sounds = [Recording(take, sample_rate) for take in made]
        if request.loudness is not None:
            sounds = equally_loud(prompt, sounds, request.loudness, loudness is not None)
        report = compare_sounds(prompt, {f"take {number}": sound for number, sound in enumerate(sounds, 1)})
    return TakeSet(tuple(like(sound.samples, samples) for sound in sounds), report)

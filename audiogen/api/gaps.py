"""Fill gaps from Python: in memory, or into a file."""

from __future__ import annotations

import math

from audiogen.api.inputs import AnyRun, FilePath, to_experiment, to_prompt, to_run
from audiogen.api.results import Filling
from audiogen.api.session import session
from audiogen.api.tail_blocks import Samples, joined, like, of_type, prompt_of
from audiogen.audio import Recording
from audiogen.errors import InputError, require_flag, require_number
from audiogen.experiment import Experiment
from audiogen.file_names import to_path
from audiogen.jobs import fill_gap as job
from audiogen.jobs.request import Request
from audiogen.output_names import require_own_sidecar
from audiogen.progress import ProgressCallback


def fill(
    before: Samples,
    sample_rate: int,
    after: Samples | None = None,
    *,
    seconds: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    gap_only: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    vocoder: str | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Samples:
    """Fill the gap between two sounds, or replace a segment of one by its surroundings.

    Two continuations meet in the gap, one that leaves ``before`` and one that arrives at ``after``.

    Args:
        before: what lies before the gap, ``[time]`` or ``[channels, time]``; without ``after``, all of the recording.
        sample_rate: Hz.
        after: what lies after the gap, with as many channels; None to replace from ``start`` to ``stop``.
        seconds: length of the gap between ``before`` and ``after``, above 0 and up to 600.
        start, stop: of the segment to replace, in seconds of ``before``.
        gap_only: whether to return only what fills the gap.

    All other arguments are those of `continue_audio`.

    Returns:
        The whole, or what fills the gap: in the layout, floating-point type and library of ``before``. All samples
        outside the gap are returned unchanged.

    Raises:
        InputError: unusable samples, no gap or two, a gap out of range, or sides that do not fit together.

    Example:
        >>> clean = audiogen.fill(samples, 44100, start=12.0, stop=15.5)
        >>> whole = audiogen.fill(first, 44100, second, seconds=4.0)
    """
    require_flag("gap_only", gap_only)
    first = prompt_of(before, sample_rate)
    second = None if after is None else prompt_of(after, sample_rate)
    if after is not None and after.ndim != before.ndim:
        raise InputError("after", f"has {after.ndim} axes, and before {before.ndim}", "give both as [channels, time]")
    gap = _gap(first, second, seconds, start, stop)
    request = Request(seconds=gap.seconds, seed=seed, temperature=temperature, vocoder=vocoder)
    experiment = to_experiment(config)
    with session(progress):
        made, _ = job.render_filling(gap, request, to_run(run, config, budget, device), experiment, budget, device)
    filling = like(made, before)
    if gap_only:
        return filling
    end = gap.before.length + gap.length
    rest = before[..., end:] if after is None else of_type(after, before)
    return joined(joined(before[..., : gap.before.length], filling), rest)


def fill_recording(
    before: Recording | FilePath,
    output: FilePath,
    after: Recording | FilePath | None = None,
    *,
    seconds: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    gap_only: bool = False,
    run: AnyRun | FilePath | None = None,
    config: Experiment | FilePath | None = None,
    budget: float | None = None,
    vocoder: str | None = None,
    subtype: str | None = None,
    metadata: bool = True,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Filling:
    """Fill a gap into a file, as ``audiogen fill`` does; everything outside the gap stays as it is, bit for bit.

    Args:
        before: what lies before the gap, or all of the recording; a Recording or a file.
        output: audio file to write; its suffix names the container. A JSON file beside it says what was done.
        after: what lies after the gap; a Recording or a file.
        subtype: sample format: "PCM_16", "PCM_24", "FLOAT", ...; None for what keeps both sides.
        metadata: carry over the metadata as far as they still hold, and mark the gap.

    All other arguments are those of `fill`.

    Returns:
        Where the gap is, the measures of both seams, and the content of the JSON file.

    Raises:
        InputError: as `fill`; a file that cannot be read or written.

    Example:
        >>> made = audiogen.fill_recording("interview.wav", "clean.wav", start=12.0, stop=15.5)
        >>> made.seams["start"]["flux_percentile"]
    """
    experiment = to_experiment(config)
    require_flag("gap_only", gap_only)
    path = to_path("output", output)
    require_own_sidecar(path)
    with session(progress):
        second = None if after is None else to_prompt(after, "after")
        gap = _gap(to_prompt(before, "before"), second, seconds, start, stop)
        request = Request(
            seconds=gap.seconds,
            seed=seed,
            temperature=temperature,
            vocoder=vocoder,
            subtype=subtype,
            metadata=metadata,
        )
        choice = (to_run(run, config, budget, device), experiment, budget, device)
        sidecar = job.fill_gap(gap, path, request, *choice, gap_only)
    return Filling.from_sidecar(path, sidecar)


def _gap(
    before: Recording, after: Recording | None, seconds: float | None, start: float | None, stop: float | None
) -> job.Gap:
    for name, value in (("seconds", seconds), ("start", start), ("stop", stop)):
        if value is not None:
            require_number(name, value)
            if not math.isfinite(value):
                raise InputError(name, f"{value:g} is out of range", "give seconds")
    if after is None and start is not None and stop is not None and seconds is None:
        return job.gap_in(before, start, stop)
    if after is not None and seconds is not None and start is None and stop is None:
        return job.Gap(before, after, round(seconds * before.sample_rate))
    raise InputError("fill", "there must be one gap", "give after and seconds, or start and stop")

"""The job of `audiogen fill`: what could lie between two segments of a recording.

Both segments are one prompt: AFTER followed by BEFORE ends where the gap begins, and starts where it ends. The prompt's
continuation leaves the gap's start; the continuation of the prompt played backwards, reversed again, arrives at the
gap's end; they are cross-faded in the gap. So both seams are joins of the same engine, and the segments stay as they
are, bit for bit. Each direction amplifies the other side's material to the level of its own, and the gap glides from
one level to the other.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Metadata, Recording, Span, Writer, subtype_for
from audiogen.dsp.fades import correlated_cross_fade
from audiogen.dsp.limiter import limit_peaks, peak_of
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.jobs.backward import rendered_tails
from audiogen.jobs.continuer_choice import Runs, require_continuable
from audiogen.jobs.loudness_target import loudness_in
from audiogen.jobs.output_metadata import Placement, metadata_for
from audiogen.jobs.provenance import collect_warnings, remove_output_on_failure
from audiogen.jobs.request import Request
from audiogen.jobs.run_choice import choose_run
from audiogen.metrics.join_quality import measure_join
from audiogen.output_names import sidecar_of
from audiogen.representation.recording_features import MIN_SECONDS
from audiogen.sound.prompt_analysis import reverse
from audiogen.text_files import dump_json, write_text

MAX_SECONDS = 600.0  # of a gap, which is held in memory
CROSS_FADE_SECONDS = 1.5  # between the two continuations, at most half of the gap
SPLICE_SECONDS = 0.02  # cross-fade between the segments where they meet in the prompt
LEVEL_SECONDS = 10.0  # of each segment, next to the gap, whose level the gap takes up
MATERIAL_SECONDS = 120.0  # of each segment that serve as material
MAX_LEVEL_DB = 20.0  # difference of the segments' levels that is bridged


@dataclass(frozen=True)
class Gap:
    """Two segments and the gap between them.

    Args:
        before, after: the segments, of one sample rate and number of channels.
        length: of the gap in samples.

    Raises:
        InputError: the segments do not fit together, one is empty, or the gap has no samples or too many.
    """

    before: Recording
    after: Recording
    length: int

    def __post_init__(self) -> None:
        first, second = self.before, self.after
        if (first.sample_rate, first.channels) != (second.sample_rate, second.channels):
            formats = [f"{each.channels} channels at {each.sample_rate} Hz" for each in (first, second)]
            raise InputError(second.path or "AFTER", f"it has {formats[1]}, and BEFORE {formats[0]}", "convert one")
        if not first.length or not second.length:
            cure = "continue the recording instead, or continue it with --backward"
            raise InputError("the gap", "it lies at the edge of the recording", cure)
        if not 0 < self.seconds <= MAX_SECONDS:
            raise InputError("the gap", f"it has {self.seconds:g} s", f"choose above 0 s and up to {MAX_SECONDS:g} s")

    @property
    def sample_rate(self) -> int:
        return self.before.sample_rate

    @property
    def seconds(self) -> float:
        """Length of the gap in seconds."""
        return self.length / self.before.sample_rate

    @cached_property
    def near_before(self) -> Recording:
        """The end of the segment before the gap, that serves as material."""
        length = self.before.length
        return self.before.cut(max(length - round(MATERIAL_SECONDS * self.sample_rate), 0), length).loaded()

    @cached_property
    def near_after(self) -> Recording:
        """The start of the segment after the gap, that serves as material."""
        return self.after.cut(0, min(round(MATERIAL_SECONDS * self.sample_rate), self.after.length)).loaded()

    @property
    def level_step_db(self) -> float:
        """Level of the segment after the gap relative to that before it, dB; 0 beside silence."""
        count = round(LEVEL_SECONDS * self.sample_rate)
        powers = [_power(self.near_before.samples[:, -count:]), _power(self.near_after.samples[:, :count])]
        if min(powers) == 0:
            return 0.0
        return float(np.clip(10 * math.log10(powers[1] / powers[0]), -MAX_LEVEL_DB, MAX_LEVEL_DB))


def gap_in(recording: Recording, start: float, stop: float) -> Gap:
    """The gap from ``start`` to ``stop``, in seconds, of one recording.

    Raises:
        InputError: it does not lie inside the recording.
    """
    first, last = round(start * recording.sample_rate), round(stop * recording.sample_rate)
    if not 0 < first < last < recording.length:
        cause = f"{start:g} to {stop:g} s does not lie inside its {recording.seconds:g} s, with sound on both sides"
        cure = "choose --from below --to, both inside; for its end or start: `audiogen continue`, and --backward"
        raise InputError(recording.path or "the recording", cause, cure)
    return Gap(recording.cut(0, first), recording.cut(last, recording.length), last - first)


def fill_gap(
    gap: Gap,
    out: Path,
    request: Request,
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    gap_only: bool = False,
    prompt_warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Fill a gap, and describe the result in a sidecar.

    Args:
        gap: two segments, and how much is missing between them.
        out: audio file to write.
        request: properties of what fills the gap; its length is the gap's.
        run, experiment, budget, device: as of `jobs.continue_sound.continue_recording`.
        gap_only: write only what fills the gap.
        prompt_warnings: warnings that the sidecar repeats, such as those of reading the segments.

    Returns:
        The sidecar's content.

    Raises:
        InputError: too little or unusable sound around the gap.
    """
    before, after = gap.before, gap.after
    with collect_warnings() as texts:
        subtype = request.subtype or _subtype(before, after, out)
        writer = _writer(gap, out, request, subtype, gap_only)
        samples, sidecar = render_filling(gap, request, run, experiment, budget, device, writer.rehearse)
        with writer:
            if not gap_only:
                writer.append(before)
            writer.write(samples, exact=not samples.any())
            if not gap_only:
                writer.append(after)
    start = 0 if gap_only else before.length
    inside = Recording(samples, gap.sample_rate)
    seams = {"start": _seam(gap.near_before, inside), "end": _seam(reverse(gap.near_after), reverse(inside))}
    del sidecar["join_sample"]
    sidecar |= {
        "prompt": [str(each.path) if each.path else None for each in (before, after)],
        "output": out.name,
        "subtype": subtype,
        "length": writer.length,
        "gap": {"start": start, "stop": start + gap.length},
        "loudness_lufs": loudness_in(out),
        "settings": sidecar["settings"] | {"gap_only": gap_only, "subtype": request.subtype},
        "measures": sidecar["measures"] | {"join": None, "seams": seams, "level_step_db": gap.level_step_db},
        "warnings": [*prompt_warnings, *texts],
    }
    with remove_output_on_failure(out):
        write_text(sidecar_of(out), dump_json(sidecar))
    return sidecar


def _prompt(level_step_db: float, before: Recording, after: Recording) -> Recording:
    """AFTER, at the level of BEFORE, followed by BEFORE."""
    rate = before.sample_rate
    first, second = after.samples, before.samples
    first = first * np.float32(10 ** (-level_step_db / 20))
    fade = min(round(SPLICE_SECONDS * rate), first.shape[1] // 2, second.shape[1] // 2)
    if fade:
        middle = correlated_cross_fade(first[:, -fade:], second[:, :fade]).astype(np.float32)
        first, second = np.concatenate([first[:, :-fade], middle], axis=1), second[:, fade:]
    return Recording(np.concatenate([first, second], axis=1), rate, layout=before.layout)


def render_filling(
    gap: Gap,
    request: Request,
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    before_training: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """What fills a gap, in memory; see `fill_gap` for the arguments.

    Args:
        before_training: called before minutes are spent; what it raises prevents that.

    Returns:
        Samples ``[channels, time]``, and the sidecar of the continuation of the segment before the gap.
    """
    forward = _prompt(gap.level_step_db, gap.near_before, gap.near_after)
    require_continuable(forward)
    before_training()
    if run is None and forward.samples.any():
        run = choose_run(forward, experiment, budget, device)
    request = replace(request, keep_edges=True)  # the gap is between the segments, however they fade
    fade = min(round(CROSS_FADE_SECONDS * gap.sample_rate), gap.length // 2)
    backward = _prompt(-gap.level_step_db, reverse(gap.near_after), reverse(gap.near_before))
    ((leaving, sidecar),) = rendered_tails(forward, [replace(request, seconds=gap.seconds)], run)
    if fade < 2:
        return leaving, sidecar
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # of so short a tail
        ((arriving, _),) = rendered_tails(backward, [replace(request, seconds=fade / gap.sample_rate)], run)
    arriving = arriving[:, ::-1]
    # Each is at the level of its own side; the gap glides from one to the other.
    step = gap.level_step_db * (np.arange(gap.length) + 0.5) / gap.length
    leaving = leaving * (10 ** (step / 20)).astype(np.float32)
    arriving = arriving * (10 ** ((step[-fade:] - gap.level_step_db) / 20)).astype(np.float32)
    mixed = correlated_cross_fade(leaving[:, -fade:], arriving).astype(np.float32)
    mixed = limit_peaks(mixed, max(peak_of(leaving), peak_of(arriving)), gap.sample_rate)
    return np.concatenate([leaving[:, :-fade], mixed], axis=1), sidecar


def _writer(gap: Gap, out: Path, request: Request, subtype: str, gap_only: bool) -> Writer:
    before, after = gap.before, gap.after
    silent = sorted(set(before.silent) & set(after.silent))
    metadata = _metadata(gap, gap_only, out, subtype) if request.metadata else None
    return Writer(out, gap.sample_rate, before.channels, subtype, request.seed, before.layout, silent, metadata)


def _metadata(gap: Gap, gap_only: bool, out: Path, subtype: str) -> Metadata:
    """Metadata of BEFORE, and with two files the markers of AFTER."""
    before, after = gap.before, gap.after
    start, stop = before.length, before.length + gap.length
    if gap_only:
        return metadata_for(before, Placement((), -start), out, subtype, "fill")
    spans, new = [Span(0, start)], (("gap", start), ("gap end", stop))
    if before.path is not None and before.path == after.path:  # one file; positions are those of BEFORE
        first = (after.start or 0) - (before.start or 0)
        spans.append(Span(first, first + after.length, stop - first))
        return metadata_for(before, Placement(spans, 0, new), out, subtype, "fill")
    whole = metadata_for(before, Placement(spans, 0, new), out, subtype, "fill")
    other = metadata_for(after, Placement((Span(0, after.length, stop),), stop), out, subtype, "fill")
    markers = sorted([*whole.markers, *other.markers], key=lambda marker: marker.position)
    remarks = list(whole.remarks)
    if other.broadcast or other.ixml or other.info or other.tags or other.chunks:
        remarks.append(f"of the metadata of {after.path}, only markers were kept")
    return replace(whole, markers=markers, remarks=remarks)


def _subtype(before: Recording, after: Recording, out: Path) -> str:
    """The subtype that keeps both segments."""
    kinds = {subtype_for(each, out) for each in (before, after)}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {"PCM_32", "FLOAT"}:
        return "DOUBLE"
    return max(kinds, key=["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"].index)


def _seam(before: Recording, after: Recording) -> dict[str, Any] | None:
    """Measures of a seam; None beside less than half a second."""
    return asdict(measure_join(before, after)) if before.seconds >= MIN_SECONDS else None


def _power(samples: np.ndarray) -> float:
    return float(np.square(samples, dtype=np.float64).mean())

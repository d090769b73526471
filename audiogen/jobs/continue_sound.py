"""The job of `audiogen continue` for a recording: continue it into an audio file with a sidecar.

`continue_variations` checks the prompt, chooses or trains a Run (`run_choice`), analyses the prompt (`Continuer`), and
for each tail streams its blocks to disk (`write_tail`), measures the file and writes OUT.json.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, Span, Writer, read, read_segment, subtype_for
from audiogen.errors import InputError
from audiogen.experiment import Experiment, to_tree
from audiogen.jobs.loudness_target import Level, amplified, write_at_loudness
from audiogen.jobs.output_metadata import Placement, metadata_for
from audiogen.jobs.provenance import Clock, collect_warnings, remove_output_on_failure, versions
from audiogen.jobs.pulse_choice import describe_rhythm, find_rhythm
from audiogen.jobs.request import Request
from audiogen.jobs.run_choice import choose_run
from audiogen.jobs.tail_check import check_tail
from audiogen.jobs.tail_listener import offer
from audiogen.output_names import sidecar_of
from audiogen.progress import progress, stage
from audiogen.representation.recording_features import MIN_SECONDS
from audiogen.rhythm.analysis import Rhythm
from audiogen.run import Run
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.continuation import Continuer
from audiogen.sound.join import silence
from audiogen.sound.morph import Morph, convert_format
from audiogen.sound.prompt_analysis import PromptParts, divide_prompt
from audiogen.sound.raw_tail import RawContinuer
from audiogen.sound.run_mixture import RunMixture
from audiogen.sound.seamless_loop import close_loop, loop_on_itself
from audiogen.text_files import dump_json, write_text

Runs = Run | RunMixture
AnyContinuer = Continuer | Morph | BeatContinuer | RawContinuer
DEFAULT_REQUEST = Request()
LOOPED_TONES = "its tones are not in phase where the loop closes and may waver there; without --loop they go on evenly"
MAX_PEAK = 1e9  # times full scale: integers saved as floats pass, garbage whose squares overflow does not


@dataclass(frozen=True)
class MorphTarget:
    """The recording that a tail morphs into.

    Args:
        recording: whose texture the tail ends with; of any sample rate and number of channels.
        run: what predicts its texture; None for the prompt's own Run, or, if that is trained here, for one trained on
            this recording.
    """

    recording: Recording
    run: Runs | None = None


def continue_recording(
    prompt: Recording,
    out: Path | str,
    request: Request = DEFAULT_REQUEST,
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    morph_target: MorphTarget | None = None,
    cache: bool = True,
) -> dict[str, Any]:
    """Continue a recording into an audio file, and describe the result in a sidecar beside it.

    Args:
        prompt: the recording to continue.
        out: audio file to write; the suffix names the container. OUT.json is the sidecar.
        request: properties of the tail.
        run: what predicts, one Run or a mixture; None for the base, or one trained on the prompt (`choose_run`).
        experiment: to train on the prompt; None for the default, which the base replaces if it continues better.
        budget: limit of the training time in seconds, infinite for none; None or 0 for the base without training.
        device: to train on: "auto", "cpu" or "cuda".
        morph_target: what the tail morphs into; None for the prompt's own texture throughout.
        cache: whether to look for, and to keep, what is trained (`run_cache`).

    Returns:
        The sidecar's content.

    Raises:
        InputError: the prompt or the request is unusable.
    """
    outputs = [(Path(out), request)]
    variations = continue_variations(
        prompt, outputs, run, experiment, budget, device, morph_target=morph_target, cache=cache
    )
    return next(variations)


def continue_variations(
    prompt: Recording,
    outputs: list[tuple[Path, Request]],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    prompt_warnings: Sequence[str] = (),
    morph_target: MorphTarget | None = None,
    cache: bool = True,
) -> Iterator[dict[str, Any]]:
    """Continue one recording into several files, with one training and one analysis of the prompt.

    Args:
        prompt: see `continue_recording`, as all arguments that are not listed here.
        outputs: path and request of each tail.
        budget: a morph spends half of it on each of its two recordings.
        prompt_warnings: warnings that the sidecars repeat, such as those of reading the prompt.

    Yields:
        The content of each sidecar, once its tail is written.
    """
    require_continuable(prompt)
    clock = Clock()
    require_morphable(prompt, morph_target, [request for _, request in outputs])
    with collect_warnings() as general:
        _warn_of_silent_channels(prompt, morph_target)
        with clock("warming"), stage(f"analysing {_name_of(prompt)}"):
            divided = divide_prompts(prompt, [request for _, request in outputs])
            morph_target = prepare_target(morph_target, outputs[0][1])
        with clock("warming"):
            requests, named = [request for _, request in outputs], bool(run or experiment or budget or morph_target)
            rhythm = rhythm_of(list(divided.values()), requests, named)
        if run is None and prompt.samples.any():
            for out, request in outputs:  # before minutes are spent on the training
                length_of(prompt, request)
                writer_of(divided[request.division], out, request).rehearse()
        if run is None and rhythm is None and prompt.samples.any():
            material = divided[outputs[0][1].division].material
            run, morph_target = choose_runs(material, morph_target, experiment, budget, device, clock, cache)
    continuers: dict[tuple[Any, ...], AnyContinuer] = {}
    for out, request in outputs:
        with collect_warnings() as particular:
            parts, kind = divided[request.division], (request.vocoder, request.match_texture, request.raw)
            key = (request.division, *kind)
            if rhythm is not None:
                continuers[key] = BeatContinuer(rhythm, request.longest_copy)
            elif run is not None and key not in continuers:
                with clock("warming"), stage(f"analysing {_name_of(prompt)}"):
                    continuers[key] = continuer_of(parts, run, *kind, morph_target)
            sidecar = write_tail(parts, continuers.get(key), out, request, Clock(clock.seconds))
        with remove_output_on_failure(out):
            sidecar["settings"] |= describe_runs(run)
            if rhythm is not None:
                sidecar["settings"]["rhythm"] = describe_rhythm(rhythm)
            if morph_target is not None:
                path = morph_target.recording.path
                morph = {"recording": str(path) if path else None, **describe_runs(morph_target.run or run)}
                sidecar["settings"]["morph"] = morph
            sidecar["warnings"] = [*prompt_warnings, *general, *particular]
            write_text(sidecar_of(out), dump_json(sidecar))
        yield sidecar


def divide_prompts(prompt: Recording, requests: Sequence[Request]) -> dict[tuple[bool, ...], PromptParts]:
    """The parts of a prompt that requests need, by `Request.division`."""
    return {division: divide_prompt(prompt, *division) for division in dict.fromkeys(r.division for r in requests)}


def rhythm_of(prompts: Sequence[PromptParts], requests: Sequence[Request], named: bool) -> Rhythm | None:
    """The rhythm of a prompt, between its edges; None also where the tail follows an edge, or is an ambience."""
    if len(prompts) > 1 or prompts[0].bed is not None or not prompts[0].joins_material:
        return None
    return find_rhythm(prompts[0].material, requests, named)


def prepare_target(morph_target: MorphTarget | None, request: Request) -> MorphTarget | None:
    """A morph's target without its edges, or for an ambience its bed alone."""
    if morph_target is None:
        return None
    parts = divide_prompt(morph_target.recording, keep_edges=not request.ambience, ambience=request.ambience)
    return replace(morph_target, recording=parts.material)


def choose_runs(
    prompt: Recording,
    morph_target: MorphTarget | None,
    experiment: Experiment | None,
    budget: float | None,
    device: str,
    clock: Clock | None = None,
    cache: bool = True,
) -> tuple[Run, MorphTarget | None]:
    """Choose a Run for a prompt's material, and one for a morph's target without; each spends half of the budget."""
    each = budget / 2 if budget and morph_target else budget
    run = choose_run(prompt, experiment, each, device, clock, cache)
    if morph_target is not None and morph_target.run is None:
        target_run = choose_run(morph_target.recording, experiment, each, device, clock, cache)
        morph_target = replace(morph_target, run=target_run)
    return run, morph_target


def continuer_of(
    prompt: PromptParts,
    run: Runs,
    vocoder: str | None,
    match_texture: bool,
    raw: bool,
    morph_target: MorphTarget | None,
) -> AnyContinuer:
    """Analyse a prompt, and the morph's target if there is one."""
    if raw:
        return RawContinuer(run, prompt, vocoder)
    continuer = Continuer(run, prompt, vocoder, match_texture)
    if morph_target is None:
        return continuer
    target = convert_format(morph_target.recording, prompt.recording.sample_rate, prompt.recording.channels)
    return Morph(continuer, Continuer(morph_target.run or run, target, vocoder))


def require_continuable(prompt: Recording) -> None:
    """Raise an InputError for a prompt that cannot be continued. Silence of any length can."""
    if prompt.length == 0 or (prompt.seconds < MIN_SECONDS and prompt.samples.any()):
        cause = f"{prompt.seconds:.3f} s is too short to continue"
        raise InputError(prompt.path or "the prompt", cause, f"give at least {MIN_SECONDS:g} s")
    peak = max(float(prompt.samples.max()), -float(prompt.samples.min()))
    if not peak <= MAX_PEAK:  # or NaN, which reading a file removes
        cause = f"its samples reach {peak:g} times full scale"
        raise InputError(prompt.path or "the prompt", cause, "scale them to -1..1")


def length_of(prompt: Recording, request: Request) -> int:
    """Length of the requested tail in samples per channel.

    Raises:
        InputError: it is 0.
    """
    length = round(request.seconds * prompt.sample_rate)
    if length == 0:
        raise InputError("seconds", f"{request.seconds:g} is less than a sample", "choose a larger value")
    return length


def subtype_of(prompt: Recording, out: Path, request: Request) -> str:
    """Sample format of a tail's file."""
    return request.subtype or subtype_for(prompt, out)


def writer_of(prompt: PromptParts, out: Path, request: Request) -> Writer:
    """Writer of a tail's file."""
    source = prompt.recording
    subtype, place = subtype_of(source, out, request), placement_of(prompt, request)
    metadata = metadata_for(source, place, out, subtype, "continue") if request.metadata else None
    layout, silent = source.layout, source.silent
    return Writer(out, source.sample_rate, source.channels, subtype, request.seed, layout, silent, metadata)


def placement_of(prompt: PromptParts, request: Request) -> Placement:
    """Where a tail's file holds the samples of the prompt."""
    length = length_of(prompt.recording, request)
    if not request.writes_prompt:
        return Placement((), origin=-prompt.stop, loop=length if request.loop else None)
    join = prompt.before_tail.length
    loop = join + length if request.loop else None
    return Placement((Span(prompt.start, prompt.stop, -prompt.start),), -prompt.start, (("join", join),), loop)


def require_morphable(prompt: Recording, morph_target: MorphTarget | None, requests: Sequence[Request]) -> None:
    """Raise an InputError for an impossible morph: of silence, a loop, or raw."""
    if morph_target is None:
        return
    for recording, name in ((prompt, "the prompt"), (morph_target.recording, "its target")):
        if not recording.samples.any():
            raise InputError(recording.path or "morph", f"{name} of a morph is silent", "choose one that is not")
    if any(request.raw for request in requests):
        raise InputError("morph", "a morph is made of selected patches: it cannot be raw", "leave out --raw or --morph")
    if any(request.loop for request in requests):
        raise InputError("morph", "a morph ends in another texture: it cannot loop", "leave out --loop or --morph")


def _warn_of_silent_channels(prompt: Recording, morph_target: MorphTarget | None) -> None:
    if morph_target is None:
        return
    target = morph_target.recording
    silent = [channel for channel in prompt.silent if target.samples[channel % target.channels].any()]
    if silent:
        numbers = ", ".join(str(channel + 1) for channel in silent)
        text = f"channel {numbers} is digital silence in the prompt, so it stays silent, unlike in the morph's target"
        warnings.warn(f"{target.path or 'morph'}: {text}", AudioWarning, stacklevel=3)


def write_tail(
    prompt: PromptParts,
    continuer: AnyContinuer | None,
    out: Path,
    request: Request,
    clock: Clock,
) -> dict[str, Any]:
    """Stream prompt and tail to disk, and measure the file.

    Args:
        prompt: the recording, divided by purpose.
        continuer: generates the tail; None for a silent prompt.
        out: file to write.
        request: properties of the tail.
        clock: of the time spent so far.

    Returns:
        The sidecar's content, without what predicted.

    Warns:
        AudioWarning: measures of the tail lie far from those of the prompt's own segments; see `jobs.tail_check`.
    """
    recording = prompt.recording
    length, subtype = length_of(recording, request), subtype_of(recording, out, request)
    join_sample = prompt.before_tail.length if request.writes_prompt else 0
    with (
        writer_of(prompt, out, request) as writer,
        clock("generation"),
        progress(request.seconds, f"continuing {out.name}", "s") as bar,
    ):

        def tail() -> Iterator[np.ndarray]:
            for block in tail_blocks(prompt, continuer, length, request):
                offer(prompt, block)
                yield block
                bar.update(block.shape[1] / recording.sample_rate)

        level: Level | None = None
        if request.loudness is not None:
            before = prompt.before_tail if request.writes_prompt else None
            level = write_at_loudness(writer, before, tail(), request.loudness)
        else:
            if request.writes_prompt:
                writer.append(prompt.before_tail)
            for block in tail():
                writer.write(block, exact=continuer is None)  # silence needs no dither
    with remove_output_on_failure(out), clock("measuring"), stage(f"measuring {out.name}"):
        reference = replace(prompt, material=amplified(prompt.material, level.gain_db)) if level else prompt
        measures, remarks = check_tail(reference, out, join_sample, request, kind_of(continuer))
    if request.loop and continuer is not None and continuer.partials is not None:
        remarks.insert(0, LOOPED_TONES)
    for text in remarks:
        warnings.warn(f"{out}: {text}", AudioWarning, stacklevel=2)
    return {
        "prompt": str(recording.path) if recording.path else None,
        "output": out.name,
        "sample_rate": recording.sample_rate,
        "channels": recording.channels,
        "subtype": subtype,
        "join_sample": join_sample,
        **({"prompt_start": recording.start} if recording.start else {}),  # of a part of the file
        "prompt_range": [prompt.start, prompt.stop],
        "edges": describe_edges(prompt),
        "ambience": asdict(prompt.bed) if prompt.bed is not None else None,
        "length": join_sample + length,
        "seed": request.seed,
        "settings": {key: value for key, value in asdict(request).items() if key != "seed"},
        "match_texture": continuer is not None and continuer.matched,
        "versions": versions(),
        "timings": clock.seconds,
        "measures": measures,
        **({"loudness": asdict(level)} if level else {}),
        "drift_guard": dict(continuer.drift_guard) if continuer is not None else None,
        "partials": continuer.partials if continuer is not None else None,
    }


def kind_of(continuer: AnyContinuer | None) -> str:
    """What changes the measures of a tail on purpose: a "morph", the repetitions of a "rhythm", or "" for neither."""
    return {Morph: "morph", BeatContinuer: "rhythm"}.get(type(continuer), "")


def tail_blocks(
    prompt: PromptParts, continuer: AnyContinuer | None, length: int, request: Request
) -> Iterator[np.ndarray]:
    """Blocks ``[channels, time]`` of the requested tail, ``length`` samples in total."""

    def tail(count: int) -> Iterator[np.ndarray]:
        if continuer is None:
            return silence(prompt.recording.channels, count)
        return continuer.tail(count, request.seed, request.temperature, request.controls)

    if not request.loop or continuer is None:
        return tail(length)
    if not request.writes_prompt:
        return loop_on_itself(tail, length, prompt.recording.sample_rate)
    return close_loop(tail(length), length, prompt.before_tail)


def describe_edges(prompt: PromptParts) -> dict[str, Any]:
    """The sidecar's account of what lies at the ends of a prompt."""
    return {name: asdict(edge) for name, edge in zip(("start", "end"), prompt.edges, strict=True)}


def describe_runs(run: Runs | None) -> dict[str, Any]:
    """The sidecar's account of what predicted."""
    if run is None:
        return {"training": None}
    if isinstance(run, RunMixture):
        each = zip(run.weights, run.runs, strict=True)
        return {"training": None, "runs": [{"weight": weight, **describe_runs(run)} for weight, run in each]}
    return {
        "run": str(run.path) if run.path else None,
        "training": run.metrics,
        "experiment": to_tree(run.experiment),
    }


def _name_of(recording: Recording) -> str:
    return recording.path.name if recording.path else "the prompt"


def read_prompt(path: Path, start: float | None = None, stop: float | None = None) -> tuple[Recording, list[str]]:
    """Read a prompt, or a part of it, and collect the warnings about it.

    Args:
        path: audio file.
        start, stop: of the part to read, seconds; None for the beginning and the end.

    Raises:
        InputError: it cannot be read, or it has no such part.
    """
    with collect_warnings() as texts, stage(f"reading {path.name}"):
        if start is None and stop is None:
            return read(path), texts
        recording = read_segment(path, start or 0.0, stop)
    if not recording.length:
        raise InputError(path, f"nothing lies between {start or 0:g} s and {stop or inf:g} s", "choose another part")
    return recording, texts

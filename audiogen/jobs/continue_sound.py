"""One job: a prompt in, a continued WAV and its sidecar out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, Writer, read, subtype_for
from audiogen.errors import InputError
from audiogen.experiment import Experiment, to_tree
from audiogen.jobs.provenance import Clock, collect_warnings, remove_sidecar_on_failure, versions
from audiogen.jobs.request import Request
from audiogen.jobs.run_choice import choose_run
from audiogen.jobs.tail_warnings import tail_warnings
from audiogen.metrics.tail_measures import measure_continuation
from audiogen.output_names import sidecar_of
from audiogen.progress import progress, stage
from audiogen.run import Run
from audiogen.sound.continuation import Continuer, silence
from audiogen.sound.morph import Morph, convert_format
from audiogen.sound.run_mixture import RunMixture
from audiogen.sound.seamless_loop import close_loop, loop_on_itself
from audiogen.text_files import dump_json, write_text
from audiogen.training.mel.mel_splits import SHORTEST

Runs = Run | RunMixture
DEFAULT_REQUEST = Request()
MAX_PEAK = 1e9  # times full scale: integers saved as floats pass, garbage whose squares overflow does not


@dataclass(frozen=True)
class MorphTarget:
    """What a tail turns into on its way.

    Args:
        recording: whose texture the tail ends as; of any sample rate and number of channels.
        run: what predicts it; None for the prompt's own, or, where that is trained, one trained on this recording.
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
) -> dict[str, Any]:
    """Continue a recording into ``out`` and describe what was done in ``out`` + ``.json``.

    Args:
        prompt: what is continued.
        out: audio file to write; the suffix names the container.
        request: what is asked of the tail.
        run: what predicts, one Run or a Combination; None for `choose_run` the prompt.
        experiment: what is trained on the prompt; None for the default, or the base if that goes on better.
        budget: most wall-clock seconds of training; 0 for the base as it is.
        device: "auto", "cpu" or "cuda".
        morph_target: what the tail turns into on its way; None for more of the prompt.

    Returns:
        The sidecar's content.
    """
    wanted = [(Path(out), request)]
    return next(continue_variations(prompt, wanted, run, experiment, budget, device, morph_target=morph_target))


def continue_variations(
    prompt: Recording,
    wanted: list[tuple[Path, Request]],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    prompt_warnings: Sequence[str] = (),
    morph_target: MorphTarget | None = None,
) -> Iterator[dict[str, Any]]:
    """`continue_recording` for several tails of one prompt: one training, one warming, each tail as it is ready.

    ``prompt_warnings`` are warnings that the sidecars should repeat, such as those of reading the prompt. A morph
    trains for each of its two recordings, half the budget long.
    """
    require_continuable(prompt)
    clock = Clock()
    require_morphable(prompt, morph_target, [request for _, request in wanted])
    with collect_warnings() as general:
        _warn_of_silent_channels(prompt, morph_target)
        if run is None and prompt.samples.any():
            for out, request in wanted:  # before minutes are spent
                length_of(prompt, request)
                writer_of(prompt, out, request).rehearse()
            with clock("training"):
                each = budget / 2 if budget and morph_target else budget
                run = choose_run(prompt, experiment, each, device)
                if morph_target is not None and morph_target.run is None:
                    other = choose_run(morph_target.recording, experiment, each, device)
                    morph_target = replace(morph_target, run=other)
    continuers: dict[tuple[str | None, bool], Continuer | Morph] = {}
    for out, request in wanted:
        with collect_warnings() as particular:
            kind = (request.vocoder, request.match_texture)
            if run is not None and kind not in continuers:
                with clock("warming"), stage(f"reading {_name_of(prompt)} into the model"):
                    continuers[kind] = continuer_of(prompt, run, *kind, morph_target)
            sidecar = write_tail(prompt, continuers.get(kind), out, request, Clock(clock.seconds))
        with remove_sidecar_on_failure(out):
            sidecar["settings"] |= describe_runs(run)
            if morph_target is not None:
                path = morph_target.recording.path
                morph = {"recording": str(path) if path else None, **describe_runs(morph_target.run or run)}
                sidecar["settings"]["morph"] = morph
            sidecar["warnings"] = [*prompt_warnings, *general, *particular]
            write_text(sidecar_of(out), dump_json(sidecar))
        yield sidecar


def continuer_of(
    prompt: Recording, run: Runs, vocoder: str | None, match_texture: bool, morph_target: MorphTarget | None
) -> Continuer | Morph:
    """What makes tails of a prompt."""
    first = Continuer(run, prompt, vocoder, match_texture)
    if morph_target is None:
        return first
    target = convert_format(morph_target.recording, prompt.sample_rate, prompt.channels)
    return Morph(first, Continuer(morph_target.run or run, target, vocoder))


def require_continuable(prompt: Recording) -> None:
    """Raise an InputError for a prompt that nothing can follow; silence of any length can be followed."""
    if prompt.length == 0 or (prompt.seconds < SHORTEST and prompt.samples.any()):
        cause = f"{prompt.seconds:.3f} s is too short to go on from"
        raise InputError(prompt.path or "the prompt", cause, f"give at least {SHORTEST:g} s")
    peak = max(float(prompt.samples.max()), -float(prompt.samples.min()))
    if not peak <= MAX_PEAK:  # NaN too, which files are rid of as they are read
        cause = f"its samples reach {peak:g} times full scale"
        raise InputError(prompt.path or "the prompt", cause, "bring them to full scale, -1 to 1")


def length_of(prompt: Recording, request: Request) -> int:
    """Samples of the tail that is asked for, per channel.

    Raises:
        InputError: there would be none.
    """
    length = round(request.seconds * prompt.sample_rate)
    if length == 0:
        raise InputError("seconds", f"{request.seconds:g} is less than a sample", "ask for more")
    return length


def subtype_of(prompt: Recording, out: Path, request: Request) -> str:
    """How the samples of a tail are stored."""
    return request.subtype or subtype_for(prompt, out)


def writer_of(prompt: Recording, out: Path, request: Request) -> Writer:
    """Writes a tail, after the prompt or alone."""
    subtype, silent = subtype_of(prompt, out, request), prompt.silent
    return Writer(out, prompt.sample_rate, prompt.channels, subtype, request.seed, prompt.layout, silent)


def require_morphable(prompt: Recording, morph_target: MorphTarget | None, requests: Sequence[Request]) -> None:
    """Raise an InputError for a morph that cannot be."""
    if morph_target is None:
        return
    for recording, name in ((prompt, "the prompt"), (morph_target.recording, "its target")):
        if not recording.samples.any():
            raise InputError(recording.path or "morph", f"{name} of a morph is silent", "name a sounding one")
    if any(request.loop for request in requests):
        raise InputError("morph", "it ends elsewhere than it began: it cannot loop", "leave out --loop or --morph")


def _warn_of_silent_channels(prompt: Recording, morph_target: MorphTarget | None) -> None:
    if morph_target is None:
        return
    target = morph_target.recording
    silent = [channel for channel in prompt.silent if target.samples[channel % target.channels].any()]
    if silent:
        numbers = ", ".join(str(channel + 1) for channel in silent)
        text = f"channel {numbers} is digital silence in the prompt and stays so, though not in the morph's target"
        warnings.warn(f"{target.path or 'morph'}: {text}", AudioWarning, stacklevel=3)


def write_tail(
    prompt: Recording,
    continuer: Continuer | Morph | None,
    out: Path,
    request: Request,
    clock: Clock,
) -> dict[str, Any]:
    """Stream prompt and tail to disk, and measure what was written.

    Warns:
        AudioWarning: of measures that lie far from what the prompt's own segments have; see `tail_warnings`.
    """
    length, subtype = length_of(prompt, request), subtype_of(prompt, out, request)
    join_sample = 0 if request.tail_only else prompt.length
    with (
        writer_of(prompt, out, request) as writer,
        clock("generation"),
        progress(request.seconds, f"continuing {out.name}", "s") as bar,
    ):
        if not request.tail_only:
            writer.append(prompt)
        for block in _blocks(prompt, continuer, length, request):
            writer.write(block, exact=continuer is None)  # silence needs no dither
            bar.update(block.shape[1] / prompt.sample_rate)
    with remove_sidecar_on_failure(out), clock("measuring"), stage(f"measuring {out.name}"), warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # of samples beyond full scale, which are the prompt's own
        measures = measure_continuation(prompt, out, join_sample, loop=request.loop)
        if request.loop and request.tail_only:
            measures["join"] = None  # such a loop is not entered where the prompt ends
    for text in tail_warnings(measures, request, isinstance(continuer, Morph)):
        warnings.warn(f"{out}: {text}", AudioWarning, stacklevel=2)
    return {
        "prompt": str(prompt.path) if prompt.path else None,
        "output": out.name,
        "sample_rate": prompt.sample_rate,
        "channels": prompt.channels,
        "subtype": subtype,
        "join_sample": join_sample,
        "length": join_sample + length,
        "seed": request.seed,
        "settings": {key: value for key, value in asdict(request).items() if key != "seed"},
        "versions": versions(),
        "timings": clock.seconds,
        "measures": measures,
        "drift_guard": dict(continuer.drift_guard) if continuer is not None else None,
    }


def _blocks(
    prompt: Recording, continuer: Continuer | Morph | None, length: int, request: Request
) -> Iterator[np.ndarray]:
    def tail(count: int) -> Iterator[np.ndarray]:
        if continuer is None:  # a prompt of digital silence goes on as digital silence
            return silence(prompt.channels, count)
        return continuer.tail(count, request.seed, request.temperature, request.controls)

    if not request.loop or continuer is None:
        return tail(length)
    if request.tail_only:
        return loop_on_itself(tail, length, prompt.sample_rate)
    return close_loop(tail(length), length, prompt)


def describe_runs(run: Runs | None) -> dict[str, Any]:
    """What predicts, for a sidecar."""
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


def read_prompt(path: Path) -> tuple[Recording, list[str]]:
    """Read a prompt and what there is to be said about it."""
    with collect_warnings() as texts, stage(f"reading {path.name}"):
        recording = read(path)
    return recording, texts

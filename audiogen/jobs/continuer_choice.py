"""Choice of what continues a recording: its own beats, its own contexts, or a Run's Model; alone, or as a morph.

In the order of a job: which prompts can be continued (`require_continuable`), what of a prompt is continued
(`divide_prompts`), whether it keeps a pulse (`keeps_time`), which Run predicts (`choose_runs`), and the engine
that generates the tails (`continuer_of`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiogen.audio import AudioWarning, Recording
from audiogen.audio.reading import MIN_RATE
from audiogen.errors import InputError
from audiogen.experiment import Experiment, to_tree
from audiogen.jobs import pulse_choice
from audiogen.jobs.provenance import Clock, collect_warnings
from audiogen.jobs.request import Request
from audiogen.jobs.run_choice import choose_run
from audiogen.representation.recording_features import MIN_SECONDS
from audiogen.run import Run
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.continuation import Continuer
from audiogen.sound.morph import Morph, convert_format
from audiogen.sound.prompt_analysis import PromptParts, divide_prompt
from audiogen.sound.raw_tail import RawContinuer
from audiogen.sound.run_mixture import RunMixture

Runs = Run | RunMixture
AnyContinuer = Continuer | Morph | BeatContinuer | RawContinuer
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


def require_continuable(prompt: Recording) -> None:
    """Raise an InputError for a prompt that cannot be continued. Silence of any length can."""
    if prompt.length == 0 or (prompt.seconds < MIN_SECONDS and prompt.sounds):
        cause = f"{prompt.seconds:.3f} s is too short to continue"
        raise InputError(prompt.path or "the prompt", cause, f"give at least {MIN_SECONDS:g} s")
    if prompt.sample_rate < MIN_RATE:
        cause = f"a sample rate of {prompt.sample_rate} Hz is too low to continue"
        raise InputError(prompt.path or "the prompt", cause, f"give {MIN_RATE} Hz or more")
    peak = prompt.peak
    if not peak <= MAX_PEAK:  # or NaN, which reading a file removes
        cause = f"its samples reach {peak:g} times full scale"
        raise InputError(prompt.path or "the prompt", cause, "scale them to -1..1")


def require_morphable(prompt: Recording, morph_target: MorphTarget | None, requests: Sequence[Request]) -> None:
    """Raise an InputError for an impossible morph: of silence, or as of `require_morph`."""
    if morph_target is None:
        return
    for recording, name in ((prompt, "the prompt"), (morph_target.recording, "its target")):
        if not recording.sounds:
            raise InputError(recording.path or "morph", f"{name} of a morph is silent", "choose one that is not")
    for request in requests:
        require_morph(request)


def require_morph(request: Request) -> None:
    """Raise an InputError for a request that no morph can fulfil: a loop, or raw."""
    if request.raw:
        raise InputError("morph", "a morph is made of selected patches: it cannot be raw", "leave out --raw or --morph")
    if request.loop:
        raise InputError("morph", "a morph ends in another texture: it cannot loop", "leave out --loop or --morph")


def warn_of_silent_channels(prompt: Recording, morph_target: MorphTarget | None) -> None:
    """Warn of channels that stay silent in a morph, though its target has sound for them."""
    if morph_target is None:
        return
    target = morph_target.recording
    silent = [channel for channel in prompt.silent if channel % target.channels not in target.silent]
    if silent:
        numbers = ", ".join(str(channel + 1) for channel in silent)
        text = f"channel {numbers} is digital silence in the prompt, so it stays silent, unlike in the morph's target"
        warnings.warn(f"{target.path or 'morph'}: {text}", AudioWarning, stacklevel=3)


def divide_prompts(
    prompt: Recording | PromptParts, requests: Sequence[Request]
) -> tuple[dict[tuple[bool, ...], PromptParts], dict[tuple[bool, ...], list[str]]]:
    """The parts of a prompt that requests need, and the warnings of each division, by `Request.division`.

    Parts that are given serve all requests.
    """
    parts, warned = dict[tuple[bool, ...], PromptParts](), dict[tuple[bool, ...], list[str]]()
    for division in dict.fromkeys(request.division for request in requests):
        with collect_warnings() as warned[division]:
            parts[division] = prompt if isinstance(prompt, PromptParts) else divide_prompt(prompt, *division)
    return parts, warned


def prepare_target(morph_target: MorphTarget | None, request: Request) -> MorphTarget | None:
    """A morph's target without its edges, or for an ambience its bed alone."""
    if morph_target is None:
        return None
    parts = divide_prompt(morph_target.recording, keep_edges=not request.ambience, ambience=request.ambience)
    return replace(morph_target, recording=parts.material)


def keeps_time(prompt: PromptParts, request: Request) -> bool:
    """Whether a tail keeps the pulse of its prompt, if there is one: not after an edge, and not as an ambience."""
    return pulse_choice.keeps_time(request) and prompt.joins_material and prompt.bed is None


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


def why_not_distinct(continuer: AnyContinuer) -> str | None:
    """Why the tails of a set may repeat each other; None where patch selection keeps them distinct."""
    if separate_events(continuer):
        return "its separate events are kept whole, and all takes are made of them"
    if isinstance(continuer, Continuer | Morph):
        return None if continuer.selects else "a baseline does not look at other takes; choose another Run"
    if isinstance(continuer, BeatContinuer):
        return "all are made of the recording's own beats, if of those used least; --no-pulse keeps them distinct"
    return "what a Model itself draws is not compared; leave out --raw to keep them distinct"


def kind_of(continuer: AnyContinuer | None) -> str:
    """What changes the measures of a tail on purpose: a "morph", a "rhythm", rare "events", or "" for none of these."""
    if separate_events(continuer):
        return "events"
    return {Morph: "morph", BeatContinuer: "rhythm"}.get(type(continuer), "")


def separate_events(continuer: AnyContinuer | None) -> int:
    """How many separate events the recording has that are played whole; 0 where it is not made of such."""
    events = continuer.analysis.events if isinstance(continuer, Continuer) else None
    return events.count if events is not None else 0


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

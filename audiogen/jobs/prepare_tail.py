"""A prompt and a request, made ready to generate tails in memory: what `continue_sound` does for files."""

from __future__ import annotations

from typing import NamedTuple

from audiogen.audio import Recording
from audiogen.experiment import Experiment
from audiogen.jobs import continuer_choice as job
from audiogen.jobs.request import Request
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.prompt_analysis import PromptParts, divide_prompt


class PreparedTail(NamedTuple):
    """What generates the tails of a prompt.

    Args:
        parts: of the prompt.
        continuer: None for a silent prompt.
        run: what predicts; None for a recording with a pulse, and for silence.
    """

    parts: PromptParts
    continuer: job.AnyContinuer | None
    run: job.Runs | None


def prepare_tail(
    prompt: Recording,
    request: Request,
    morph_target: job.MorphTarget | None = None,
    run: job.Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    cache: bool = True,
) -> PreparedTail:
    """Check and analyse a prompt, and train on it if that is asked for; see `continue_sound.continue_recording`.

    Raises:
        InputError: the prompt or the request is unusable.
    """
    job.require_continuable(prompt)
    job.require_morphable(prompt, morph_target, [request])
    parts, target = divide_prompt(prompt, *request.division), job.prepare_target(morph_target, request)
    if not prompt.samples.any():
        return PreparedTail(parts, None, None)
    rhythm = job.rhythm_of([parts], [request], bool(run or experiment or budget or target))
    if rhythm is not None:
        return PreparedTail(parts, BeatContinuer(rhythm, request.longest_copy), None)
    if run is None:
        run, target = job.choose_runs(parts.material, target, experiment, budget, device, cache=cache)
    continuer = job.continuer_of(parts, run, request.vocoder, request.match_texture, request.raw, target)
    return PreparedTail(parts, continuer, run)

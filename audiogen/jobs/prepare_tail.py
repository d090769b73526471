"""From a prompt and requests to what generates their tails: the sequence that all commands and Python calls share.

Check, divide, look for a pulse, choose a Run, analyse: the steps are those of `continuer_choice`. `prepare_tails`
serves several requests with one training, for `continue_sound`; `prepare_tail` serves one in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from audiogen.audio import Recording
from audiogen.experiment import Experiment
from audiogen.jobs import continuer_choice as job
from audiogen.jobs.provenance import Clock
from audiogen.jobs.request import Request
from audiogen.progress import stage
from audiogen.rhythm.analysis import Rhythm
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.prompt_analysis import PromptParts


@dataclass
class PreparedTails:
    """What generates the tails of a prompt, for all of the requests that it was prepared for.

    Args:
        prompt: the recording.
        divided: its parts, by `Request.division`.
        rhythm: that is kept; None without a pulse, and where something else was asked for.
        run: what predicts; None for a recording with a pulse, and for silence.
        morph_target: with its Run; None for the prompt's own texture throughout.
        clock: measures ``warming``, and what `run_choice.choose_run` does.
    """

    prompt: Recording
    divided: dict[tuple[bool, ...], PromptParts]
    rhythm: Rhythm | None
    run: job.Runs | None
    morph_target: job.MorphTarget | None
    clock: Clock
    _continuers: dict[tuple[Any, ...], job.AnyContinuer] = field(init=False, default_factory=dict)

    def parts(self, request: Request) -> PromptParts:
        """The prompt, divided as a request needs it."""
        return self.divided[request.division]

    def continuer(self, request: Request) -> job.AnyContinuer | None:
        """What generates the tail of a request, the same for requests of one kind; None for a silent prompt."""
        if self.rhythm is not None:
            return BeatContinuer(self.rhythm, request.longest_copy)
        if self.run is None:
            return None
        kind = (request.vocoder, request.match_texture, request.raw)
        key = (request.division, *kind)
        if key not in self._continuers:
            with self.clock("warming"), analysing(self.prompt):
                self._continuers[key] = job.continuer_of(self.parts(request), self.run, *kind, self.morph_target)
        return self._continuers[key]


def prepare_tails(
    given: Recording | PromptParts,
    requests: Sequence[Request],
    morph_target: job.MorphTarget | None = None,
    run: job.Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    cache: bool = True,
    before_training: Callable[[PreparedTails], None] = lambda prepared: None,
) -> PreparedTails:
    """Check and divide a prompt, and train on it if that is asked for; see `continue_sound.continue_variations`.

    Args:
        before_training: called, unless a Run is given, before minutes are spent; what it raises prevents that.

    Raises:
        InputError: the prompt or a request is unusable.
    """
    prompt = PromptParts.of(given).recording
    job.require_continuable(prompt)
    job.require_morphable(prompt, morph_target, requests)
    job.warn_of_silent_channels(prompt, morph_target)
    clock = Clock()
    with clock("warming"), analysing(prompt):
        divided = job.divide_prompts(given, requests)
        target = job.prepare_target(morph_target, requests[0])
    with clock("warming"):
        rhythm = job.rhythm_of(list(divided.values()), requests, bool(run or experiment or budget or target))
    prepared = PreparedTails(prompt, divided, rhythm, run, target, clock)
    if run is None and prompt.samples.any():
        before_training(prepared)
        if rhythm is None:
            material = prepared.parts(requests[0]).material
            chosen = job.choose_runs(material, target, experiment, budget, device, clock, cache)
            prepared.run, prepared.morph_target = chosen
    return prepared


def analysing(prompt: Recording) -> AbstractContextManager[None]:
    """The stage of progress in which a prompt is analysed."""
    return stage(f"analysing {prompt.path.name if prompt.path else 'the prompt'}")


class PreparedTail(NamedTuple):
    """What generates the tail of a prompt.

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
    """The same for one request, analysed at once; see `continue_sound.continue_recording`.

    Raises:
        InputError: the prompt or the request is unusable.
    """
    run = run if prompt.samples.any() else None
    prepared = prepare_tails(prompt, [request], morph_target, run, experiment, budget, device, cache)
    return PreparedTail(prepared.parts(request), prepared.continuer(request), prepared.run)

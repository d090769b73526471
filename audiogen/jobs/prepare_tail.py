"""From a prompt and requests to what generates their tails: the sequence that all commands and Python calls share.

Check, divide, look for a pulse, choose a Run, analyse: the steps are those of `continuer_choice`. One preparation, and
one training, serves any number of requests.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import require_flag
from audiogen.experiment import Experiment
from audiogen.jobs import continuer_choice as steps
from audiogen.jobs.provenance import Clock
from audiogen.jobs.pulse_choice import find_rhythm
from audiogen.jobs.request import Request
from audiogen.progress import stage
from audiogen.rhythm.analysis import Rhythm
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.continuation import Continuer
from audiogen.sound.morph import Morph
from audiogen.sound.prompt_analysis import PromptParts


class PreparedTail(NamedTuple):
    """What generates the tail of a prompt.

    Args:
        parts: of the prompt.
        continuer: None for a silent prompt.
    """

    parts: PromptParts
    continuer: steps.AnyContinuer | None


@dataclass
class PreparedTails:
    """What generates the tails of a prompt, for all of the requests that it was prepared for.

    Args:
        prompt: the recording.
        divided: its parts, by `Request.division`.
        rhythm: of the prompt; None without a pulse, and where no tail keeps it.
        run: what predicts; None for silence, and where all tails keep the pulse.
        morph_target: with its Run; None for the prompt's own texture throughout.
        clock: measures ``warming``, and what `run_choice.choose_run` does.
        as_set: whether no tail repeats those before it, where patches are selected; a warning says where not
            (`continuer_choice.why_not_distinct`).
        warned: warnings of each division.
    """

    prompt: Recording
    divided: dict[tuple[bool, ...], PromptParts]
    rhythm: Rhythm | None
    run: steps.Runs | None
    morph_target: steps.MorphTarget | None
    clock: Clock
    as_set: bool = False
    warned: dict[tuple[bool, ...], list[str]] = field(default_factory=dict)
    _continuers: dict[tuple[Any, ...], steps.AnyContinuer] = field(init=False, default_factory=dict)

    def parts(self, request: Request) -> PromptParts:
        """The prompt, divided as a request needs it."""
        return self.divided[request.division]

    def warnings_of(self, request: Request, collected: Sequence[str]) -> list[str]:
        """Those of the warnings of the preparation that concern a request: not those of others' divisions alone."""
        own = self.warned.get(request.division, [])
        others = {text for texts in self.warned.values() for text in texts if text not in own}
        return [text for text in dict.fromkeys(collected) if text not in others]

    def rhythm_of(self, request: Request) -> Rhythm | None:
        """The rhythm that the tail of a request keeps, whatever other requests do."""
        return self.rhythm if steps.keeps_time(self.parts(request), request) else None

    def tail(self, request: Request) -> PreparedTail:
        """What generates the tail of a request; the analysis is shared by requests of one kind."""
        return PreparedTail(self.parts(request), self._continuer(request))

    def _continuer(self, request: Request) -> steps.AnyContinuer | None:
        key: tuple[Any, ...]
        if (rhythm := self.rhythm_of(request)) is not None:
            key = ("beats", request.longest_copy)
            if key not in self._continuers:
                self._continuers[key] = self._distinct(BeatContinuer(rhythm, request.longest_copy))
            return self._continuers[key]
        if self.run is None:
            return None
        kind = (request.vocoder, request.match_texture, request.raw)
        key = (request.division, *kind)
        if key not in self._continuers:
            with self.clock("warming"), analysing(self.prompt):
                made = steps.continuer_of(self.parts(request), self.run, *kind, self.morph_target)
            self._continuers[key] = self._distinct(made)
        return self._continuers[key]

    def _distinct(self, made: steps.AnyContinuer) -> steps.AnyContinuer:
        """What generates tails, which keeps those of a set distinct; a warning says why it does not."""
        if self.as_set:
            if (reason := steps.why_not_distinct(made)) is not None:
                warnings.warn(f"the takes of the set may repeat each other: {reason}", AudioWarning, stacklevel=2)
            if isinstance(made, BeatContinuer) or (isinstance(made, Continuer | Morph) and made.selects):
                made.keep_tails_distinct()
        return made


def prepare_tails(
    given: Recording | PromptParts,
    requests: Sequence[Request],
    morph_target: steps.MorphTarget | None = None,
    run: steps.Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    cache: bool = True,
    before_training: Callable[[PreparedTails], None] = lambda prepared: None,
    choose: Callable[[Recording, steps.MorphTarget | None], tuple[steps.Runs, steps.MorphTarget | None]] | None = None,
    as_set: bool = False,
) -> PreparedTails:
    """Check and divide a prompt, and train on it if that is asked for; see `continue_sound.continue_variations`.

    Args:
        before_training: called, unless a Run is given, before minutes are spent; what it raises prevents that.
        choose: chooses the Runs for the prompt's material and a morph's target, in place of
            `continuer_choice.choose_runs`.
        as_set: let no tail repeat those before it; see `PreparedTails`.

    Raises:
        InputError: the prompt or a request is unusable.
    """
    require_flag("cache", cache)
    prompt = PromptParts.of(given).recording
    steps.require_continuable(prompt)
    steps.require_morphable(prompt, morph_target, requests)
    steps.warn_of_silent_channels(prompt, morph_target)
    clock = Clock()
    with clock("warming"), analysing(prompt):
        divided, warned = steps.divide_prompts(given, requests)
        target = steps.prepare_target(morph_target, requests[0])
    sounds = any(parts.material.sounds for parts in divided.values())
    run = run if sounds else None
    steady = [request for request in requests if steps.keeps_time(divided[request.division], request)]
    rhythm = None
    if steady and not (run or experiment or budget or target):
        with clock("warming"):
            rhythm = find_rhythm(divided[steady[0].division].material)
    distinct = as_set and len(requests) > 1
    prepared = PreparedTails(prompt, divided, rhythm, run, target, clock, distinct, warned)
    if run is None and sounds:
        before_training(prepared)
        if rhythm is None or len(steady) < len(requests):
            material = prepared.parts(requests[0]).material
            prepared.run, prepared.morph_target = (
                choose(material, target)
                if choose is not None
                else steps.choose_runs(material, target, experiment, budget, device, clock, cache)
            )
    return prepared


def analysing(prompt: Recording) -> AbstractContextManager[None]:
    """The stage of progress in which a prompt is analysed."""
    return stage(f"analysing {prompt.path.name if prompt.path else 'the prompt'}")

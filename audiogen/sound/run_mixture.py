"""Several Runs that predict together: a mixture of their distributions, joined at the level of mel frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.models import Sampling, State
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import RecordingFeatures
from audiogen.run import Run
from audiogen.sound.predictor import RunPredictor


@dataclass(frozen=True)
class RunMixture:
    """Runs that predict together.

    Args:
        runs: two or more, of one MelSpec and patch; the first one's Vocoder renders.
        weights: one a Run, 0 or above, of a positive sum; empty for equal ones.

    Raises:
        InputError: the Runs do not fit one another, or the weights the Runs.
    """

    runs: tuple[Run, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_compatible(self.runs)
        object.__setattr__(self, "weights", normalised_weights(self.weights, len(self.runs)))


class MixturePredictor:
    """For each patch one of the Runs is drawn, by its weight, and draws; all others read what it has said.

    Runs have latents of their own, so that what one has drawn reaches all of them as mel frames, which they encode.

    Args:
        combination: of Runs.
        heard: the prompt.
        channels: principal channels that patches hold at least.
    """

    def __init__(self, combination: RunMixture, heard: RecordingFeatures, channels: int) -> None:
        self.weights = combination.weights
        channels = max(channels, *(_mel(run).channels for run in combination.runs))
        self.members = [RunPredictor(run, heard, channels) for run in combination.runs]

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, density: float = 0.0) -> Iterator[Tensor]:
        """Endless ``[patch, channels * n_mels]`` mel frames that follow the prompt."""
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        limits = torch.tensor(self.weights).cumsum(0)
        states: list[State] = [member.start for member in self.members]
        selections = [member.selection(density, temperature) for member in self.members]
        while True:
            chosen = min(int((sampling.uniform(1) >= limits).sum()), len(states) - 1)
            latent = self.members[chosen].model.draw(states[chosen], sampling)
            _, patch = selections[chosen].lookup(latent[0])
            for index, member in enumerate(self.members):
                states[index] = member.read(states[index], patch)
                if index != chosen:
                    selections[index].mark_used(selections[chosen].last)
            yield patch


def open_runs(
    folders: Sequence[Path], weights: Sequence[float] = (), allow_external_weights: bool = False
) -> Run | RunMixture | None:
    """The Run of a folder, or the Combination of several; None for none.

    Args:
        folders: of the Runs.
        weights: of each; none for equal ones.
        allow_external_weights: as of `Run.open`.

    Raises:
        InputError: one of them cannot be opened, predicts notes, or does not fit the others.
    """
    runs = tuple(Run.open(folder, allow_external_weights) for folder in folders)
    for run in runs:
        _mel(run)
    if len(runs) > 1:
        return RunMixture(runs, tuple(weights))
    if weights:
        raise InputError("weights", "they divide the predictions among several Runs", "name two Runs or more")
    return runs[0] if runs else None


def require_compatible(runs: Sequence[Run]) -> None:
    """Raise an InputError unless all Runs predict patches of one length of one kind of mel frames."""
    first = _mel(runs[0])
    for number, run in enumerate(runs[1:], 2):
        other = _mel(run)
        cure = "combine Runs of one representation"
        if other.options.spec != first.options.spec:
            raise InputError(_name(run, number), "its mel frames are not those of the first Run", cure)
        if other.patch != first.patch:
            cause = f"its patches hold {other.patch} frames, the first Run's {first.patch}"
            raise InputError(_name(run, number), cause, cure)


def normalised_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    """Weights of ``count`` Runs that sum to 1; equal ones for none.

    Raises:
        InputError: another number of them, or one that is no weight.
    """
    if not weights:
        return (1 / count,) * count
    if len(weights) != count:
        raise InputError("weights", f"{len(weights)} of them for {count} Runs", "give one a Run, in the same order")
    total = sum(weights)
    if not (min(weights) >= 0 and 0 < total < float("inf")):
        raise InputError("weights", "they must be 0 or above, and not all 0", "for example 0.7 and 0.3")
    return tuple(weight / total for weight in weights)


def _mel(run: Run) -> MelLatents:
    if not isinstance(run.representation, MelLatents):
        raise InputError(run.path or "a Run", "it predicts notes, not sound", "name a Run of the mel representation")
    return run.representation


def _name(run: Run, number: int) -> object:
    return run.path or f"Run {number}"

"""Several Runs that predict together: a mixture of their distributions, which meet at the level of mel frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from audiogen.errors import InputError
from audiogen.models import Sampling, State
from audiogen.run import Run, mel_representation
from audiogen.sound.patch_selection import Patch, Played
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.prompt_analysis import PromptAnalysis


@dataclass(frozen=True)
class RunMixture:
    """Runs that predict together.

    Args:
        runs: two or more, with equal MelSpec and patch length; the first one's Vocoder renders.
        weights: one per Run, 0 or above, with a positive sum; empty for equal weights. Normalised to sum to 1.

    Raises:
        InputError: the Runs are incompatible, or the weights do not match the Runs.
    """

    runs: tuple[Run, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_compatible(self.runs)
        object.__setattr__(self, "weights", normalised_weights(self.weights, len(self.runs)))


class MixturePredictor:
    """Predictor that samples one Run for each patch, by weight; all other Runs read what it predicted.

    Runs have latent spaces of their own, so that a prediction reaches the others as mel frames, which they encode.

    Args:
        mixture: of Runs.
        prompt: that the Runs are primed with.
    """

    def __init__(self, mixture: RunMixture, prompt: PromptAnalysis) -> None:
        self.weights = mixture.weights
        channels = max(prompt.channels, *(mel_representation(run).channels for run in mixture.runs))
        self.members = [RunPredictor(run, prompt, channels) for run in mixture.runs]

    def keep_tails_distinct(self) -> None:
        """Implements `Predictor.keep_tails_distinct`: the patch selection of each member knows the whole tail."""
        for member in self.members:
            member.keep_tails_distinct()

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Patch]:
        """Implements `Predictor.patches_after`."""
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        cumulative = torch.tensor(self.weights).cumsum(0)
        selections = [member.selection(temperature) for member in self.members]
        each = zip(self.members, selections, strict=True)
        states: list[State] = [member.state_after(selection, played) for member, selection in each]
        while True:
            sampled = min(int((sampling.uniform(1) >= cumulative).sum()), len(states) - 1)
            latent = self.members[sampled].model.draw(states[sampled], sampling)
            _, patch = selections[sampled].lookup(latent[0])
            for index, member in enumerate(self.members):
                states[index] = member.read(states[index], patch.frames)
                if index != sampled:
                    selections[index].mark_used(selections[sampled].last)
            yield patch


def open_runs(
    folders: Sequence[Path], weights: Sequence[float] = (), allow_external_weights: bool = False
) -> Run | RunMixture | None:
    """Open the Run of one folder, or the mixture of several; None without folders.

    Args:
        folders: of the Runs.
        weights: one per Run; empty for equal weights.
        allow_external_weights: see `Run.open`.

    Raises:
        InputError: a Run cannot be opened, predicts notes, or is incompatible with the others.
    """
    runs = tuple(Run.open(folder, allow_external_weights) for folder in folders)
    for run in runs:
        mel_representation(run)
    if len(runs) > 1:
        return RunMixture(runs, tuple(weights))
    if weights:
        raise InputError("weights", "they apply to several Runs only", "name two Runs or more")
    return runs[0] if runs else None


def require_compatible(runs: Sequence[Run]) -> None:
    """Raise an InputError unless all Runs have equal MelSpecs and patch lengths."""
    if len(runs) < 2:
        raise InputError("runs", f"a mixture has two or more, not {len(runs)}", "name two Runs or more")
    first = mel_representation(runs[0])
    for number, run in enumerate(runs[1:], 2):
        other = mel_representation(run)
        cure = "mix Runs of one representation"
        if other.options.spec != first.options.spec:
            raise InputError(_name(run, number), "its mel frames differ from those of the first Run", cure)
        if other.patch != first.patch:
            cause = f"its patches hold {other.patch} frames, the first Run's {first.patch}"
            raise InputError(_name(run, number), cause, cure)


def normalised_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    """Weights of ``count`` Runs, normalised to sum to 1; equal weights if none are given.

    Raises:
        InputError: their number is not ``count``, one is negative or not finite, or all are 0.
    """
    if not weights:
        return (1 / count,) * count
    if len(weights) != count:
        raise InputError("weights", f"{len(weights)} weights for {count} Runs", "give one per Run, in the same order")
    total = sum(weights)
    if not (min(weights) >= 0 and 0 < total < float("inf")):
        raise InputError("weights", "they must be 0 or above, and not all 0", "give for example 0.7 and 0.3")
    return tuple(weight / total for weight in weights)


def _name(run: Run, number: int) -> object:
    return run.path or f"Run {number}"

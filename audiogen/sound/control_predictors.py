"""Controls without a network, which every Model has to beat: random patches, a context walk, and a factor oracle.

Each takes the place of the Model's draw; patch selection with all its rules, the guards, texture matching and the
vocoder are those of any other tail. What a control reaches is therefore owed to the rules, and what a Model adds is
owed to the Model. `CONTROLS` names them for `compare` and the tools.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from audiogen.run import Run
from audiogen.sound.context_predictor import ContextPredictor
from audiogen.sound.factor_oracle import FactorOracle
from audiogen.sound.patch_selection import CANDIDATES, Patch, Played
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.prompt_analysis import PromptAnalysis

CONTEXT = 5  # patches: half a second, as long as the windows in which copies are detected
CONTEXT_DECAY = 0.8  # weight of a patch relative to that of the next one
PLACES = CANDIDATES  # as many as patch selection chooses from
STATES = (4, 8, 16, 32, 64)  # alphabets of the oracle, of which that of the highest information rate is taken
CONTINUITY = 0.85  # probability that the oracle reads on instead of jumping: half a second in the mean


class ControlPredictor(RunPredictor):
    """Predictor that draws a patch of the prompt instead of asking a Model; see `RunPredictor` for the arguments.

    Of the Run, only the Representation is used.
    """

    @abstractmethod
    def draw(self, latents: Tensor, context: Tensor, generator: torch.Generator) -> Tensor:
        """The ``[latent]`` that patch selection is given.

        Args:
            latents: ``[patches, latent]`` of the material's patches at all offsets, in order.
            context: ``[CONTEXT, latent]``, the last half second before the patch, the newest last; shorter if the
                prompt is.
            generator: of all random choices.
        """

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Patch]:
        """Implements `Predictor.patches_after`."""
        generator = torch.Generator().manual_seed(seed)
        selection = self.selection(temperature)
        before = self.past if played is None else torch.cat([self.past, selection.take_up(played)])
        context = before[-CONTEXT:]
        while True:
            latent, patch = selection.lookup(self.draw(selection.latents, context, generator))
            context = torch.cat([context, latent[None]])[-CONTEXT:]
            yield patch


class RandomPatches(ControlPredictor):
    """Patches of the prompt in random order: what the rules reach alone."""

    def draw(self, latents: Tensor, context: Tensor, generator: torch.Generator) -> Tensor:
        return latents[int(torch.randint(len(latents), (), generator=generator))]


class ContextWalk(ControlPredictor):
    """What followed, in the prompt, one of the eight half seconds that are most like the tail's own last one.

    A nearest-neighbour language model without the language model (Khandelwal et al. 2020, arXiv 1911.00172), or video
    textures (Schödl et al. 2000) with half a second of context.
    """

    def draw(self, latents: Tensor, context: Tensor, generator: torch.Generator) -> Tensor:
        following = self.places(latents, context)
        return latents[following[int(torch.randint(len(following), (), generator=generator))]]

    def places(self, latents: Tensor, context: Tensor) -> list[int]:
        """The patches that follow the `PLACES` most similar half seconds, the most similar first, without overlap."""
        patch, stride = self.representation.patch, max((len(self.material) - 1) // len(latents), 1)
        step = max(patch // stride, 1)  # patches of the material from one patch to the one that follows it
        steps = min(len(context), (len(latents) - 1) // step)
        if steps < 1:
            return list(range(len(latents)))
        distance = torch.zeros(len(latents) - steps * step)
        for age in range(1, steps + 1):  # of a patch of the context
            start = (steps - age) * step
            there = latents[start : start + len(distance)]
            distance += CONTEXT_DECAY ** (age - 1) * (there - context[-age]).square().sum(1)
        found: list[int] = []
        while len(found) < PLACES and bool((distance < torch.inf).any()):
            nearest = int(distance.argmin())
            found.append(nearest + steps * step)
            distance[max(nearest - step + 1, 0) : nearest + step] = torch.inf
        return found


class OraclePredictor(ContextPredictor):
    """Jumps between places of the prompt that have the same past in quantised states (Assayag & Dubnov 2004).

    The rules are those of the default, `ContextPredictor`, which it rivals: a variable-order Markov model of states
    against the distance of contexts.
    """

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Patch]:
        """Implements `Predictor.patches_after`."""
        generator = torch.Generator().manual_seed(seed)
        selection = self.selection(temperature)
        latents = selection.latents[:: self.representation.patch // selection.stride]
        oracle, state = oracle_of(latents * selection.weights), len(latents)
        if played is not None:
            selection.take_up(played)
            state = self._state_after(selection.last, len(latents))
        while True:
            _, patch = selection.lookup(latents[self.following(oracle, state, generator)])
            yield patch
            state = self._state_after(selection.last, len(latents))

    def following(self, oracle: FactorOracle, state: int, generator: torch.Generator) -> int:
        """Index of the patch that follows a state: the next one, or what follows the same past elsewhere."""
        count = len(oracle.suffix) - 1
        if state < count and float(torch.rand((), generator=generator)) < CONTINUITY:
            return state
        similar = {other: common for other, common in oracle.similar(state).items() if other < count}
        if not similar:
            return int(torch.randint(count, (), generator=generator))
        weights = torch.tensor(list(similar.values()), dtype=torch.float32)
        return list(similar)[int(torch.multinomial(weights, 1, generator=generator))]

    def _state_after(self, start: int, count: int) -> int:
        """State after the patch that begins at a frame of the material, to the nearest whole patch."""
        return min(round(start / self.representation.patch) + 1, count)


def oracle_of(latents: Tensor) -> FactorOracle:
    """The oracle of ``[patches, latent]``, clustered into the number of states of the highest information rate."""
    from scipy.cluster.vq import kmeans2

    oracles = []
    for states in STATES:
        if states < len(latents):
            with warnings.catch_warnings(action="ignore"):  # of empty clusters, which are never assigned
                _, symbols = kmeans2(latents.double().numpy(), states, minit="++", seed=0)
            oracle = FactorOracle.of(symbols.tolist())
            oracles.append((oracle.information_rate(states), oracle))
    return max(oracles, key=lambda each: each[0])[1] if oracles else FactorOracle.of([0] * len(latents))


CONTROLS: dict[str, Callable[[Run, PromptAnalysis], RunPredictor]] = {
    "random-patches": RandomPatches,
    "context-walk": ContextWalk,
    "factor-oracle": OraclePredictor,
}

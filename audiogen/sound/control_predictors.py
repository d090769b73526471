"""Controls without a network, which every Model has to beat: random patches of the prompt, and a context walk.

Each takes the place of the Model's draw; patch selection with all its rules, the guards, texture matching and the
vocoder are those of any other tail. What a control reaches is therefore owed to the rules, and what a Model adds is
owed to the Model. `CONTROLS` names them for `compare` and the tools.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from audiogen.run import Run
from audiogen.sound.patch_selection import CANDIDATES, Patch, Played
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.prompt_analysis import PromptAnalysis

CONTEXT = 5  # patches: half a second, as long as the windows in which copies are detected
CONTEXT_DECAY = 0.8  # weight of a patch relative to that of the next one
PLACES = CANDIDATES  # as many as patch selection chooses from


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


CONTROLS: dict[str, Callable[[Run, PromptAnalysis], RunPredictor]] = {
    "random-patches": RandomPatches,
    "context-walk": ContextWalk,
}

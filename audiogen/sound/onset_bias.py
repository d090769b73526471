"""More events or fewer: of the source's patches, those that begin with more, or with less, are taken more readily."""

from __future__ import annotations

from torch import Tensor

from audiogen.sound.patch_selection import PatchSelector

COST_PER_DENSITY = 0.05  # of the mean squared distance between patches, per unit of density and onset strength
WEIGHT_PER_DENSITY = 0.25  # of the logarithm of a patch's weight, per unit of density and onset strength


def bias_by_onset(selection: PatchSelector, density: float) -> PatchSelector:
    """The selection with a cost that falls, or rises, with how much begins in a patch.

    Args:
        selection: of the source's patches; changed in place.
        density: 0 leaves it alone, exactly; above, more begins; below, less.
    """
    if density != 0:
        strengths = onset_strengths(selection)
        unit = COST_PER_DENSITY * 2 * selection.searched.var(0, correction=0).sum()
        selection.squares = selection.squares - density * unit * strengths
        # The selection holds a mean and a variance: those of patches as they are wanted, lest it undo what is asked.
        shares = (WEIGHT_PER_DENSITY * density * strengths).softmax(0)
        selection.mean = shares @ selection.latents
        apart = ((selection.latents - selection.mean) * selection.weights).square().sum(1)
        selection.variance *= float(shares @ apart / selection.searched.var(0, correction=0).sum())
    return selection


def onset_strengths(selection: PatchSelector) -> Tensor:
    """``[places]``: how strongly each patch begins with something, standardised over the source.

    The largest half-wave rectified spectral flux in it (Dixon 2006, "Onset detection revisited", DAFx).
    """
    rises = selection.frames.diff(dim=0, prepend=selection.frames[:1]).clamp(min=0).mean(1)
    strongest = rises.unfold(0, selection.patch, 1).amax(1)[selection.starts]
    return (strongest - strongest.mean()) / strongest.std(correction=0).clamp(min=1e-6)

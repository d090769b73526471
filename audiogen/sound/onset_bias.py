"""Onset density: a bias of patch selection towards patches with strong onsets, or with weak ones."""

from __future__ import annotations

from torch import Tensor

from audiogen.sound.patch_selection import PatchSelector

COST_PER_DENSITY = 0.05  # of the mean squared distance between patches, per unit of density and onset strength
WEIGHT_PER_DENSITY = 0.25  # of the logarithm of a patch's weight, per unit of density and onset strength


def bias_by_onset(selection: PatchSelector, density: float) -> PatchSelector:
    """Add a selection cost that falls (or rises) with the onset strength of a patch.

    Args:
        selection: changed in place.
        density: above 0 favours strong onsets, below 0 weak ones.

    Returns:
        The selection.
    """
    strengths = onset_strengths(selection)
    unit = COST_PER_DENSITY * 2 * selection.searched.var(0, correction=0).sum()
    selection.squares = selection.squares - density * unit * strengths
    # Feedback holds mean and variance to the material's and would undo the bias: hold those of weighted patches.
    weights = (WEIGHT_PER_DENSITY * density * strengths).softmax(0)
    selection.mean = weights @ selection.latents
    deviations = ((selection.latents - selection.mean) * selection.weights).square().sum(1)
    selection.variance *= float(weights @ deviations / selection.searched.var(0, correction=0).sum())
    return selection


def onset_strengths(selection: PatchSelector) -> Tensor:
    """Onset strength ``[patches]`` of each patch, standardised over the material.

    The largest half-wave rectified spectral flux in the patch (Dixon 2006, "Onset detection revisited", DAFx).
    """
    flux = selection.frames.diff(dim=0, prepend=selection.frames[:1]).clamp(min=0).mean(1)
    strongest = flux.unfold(0, selection.patch, 1).amax(1)[selection.starts]
    return (strongest - strongest.mean()) / strongest.std(correction=0).clamp(min=1e-6)

"""How well contexts foretell a recording, measured within it: a tail keeps what order there is, and feigns none.

Many patches are forecast from the places of the recording whose contexts are nearest, except those around them
(analogues: Lorenz 1969, J. Atmos. Sci. 26; left out around each: Theiler 1986, Phys. Rev. A 34). The skill is the part
of the mean squared distance of two places that is saved: none in a waterfall, for some tenths of a second in a crowd,
and for any time in a loop. By the skill, contexts are weighed, and by its course, places are followed: in noise both
would only narrow what the tail is made of, and make copies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.sound.context_memory import DECAYS, PLACES, ContextSkill, ContextSums, nearest_places

HORIZON = 22  # patches, 2 s, ahead of which is forecast
QUERIES = 250  # patches, evenly spaced, that are forecast
PAST = 5  # patches that precede each of them at least
NEGLIGIBLE = 0.01  # skill beside which contexts keep their weight, and forecasts hold


def context_skill(latents: Tensor, step: int) -> ContextSkill:
    """Weights of contexts, and the time for which a forecast holds.

    The weights are proportional to the mean skill. A forecast holds for the integral of its skill over time, relative
    to that of the first patch: at least a patch, at most `HORIZON`.

    Args:
        latents, step: see `context_memory.ContextSums`.
    """
    skill = forecast_skill(latents, step)
    short, long = skill.mean(1).tolist()
    share = long / (short + long + NEGLIGIBLE)
    weights = torch.tensor([1 - share, share])
    course = (weights @ skill).cummin(0).values  # what is lost is not regained, but by chance
    return ContextSkill(weights, max(float(course.sum() / (course[0] + NEGLIGIBLE)), 1.0))


def forecast_skill(latents: Tensor, step: int) -> Tensor:
    """Skill ``[decays, HORIZON]`` of forecasts of the next patches by the places of nearest contexts.

    Args:
        latents, step: see `context_memory.ContextSums`.

    Returns:
        For each decay and time ahead, 1 for exact forecasts and 0 for random ones, less its standard error; 0 if the
        recording is too short to tell.
    """
    saved, expected = _forecast_errors(latents, step)
    if len(expected) < 2:
        return torch.zeros(len(DECAYS), HORIZON)
    saved = saved / expected.mean(0).clamp(min=1e-9)
    return (saved.mean(0) - saved.std(0) / math.sqrt(len(saved))).clamp(min=0)


def _forecast_errors(latents: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """What forecasts save ``[queries, decays, HORIZON]`` of the squared distance of a random place, and that distance
    ``[queries, 1, HORIZON]``."""
    count, ahead = len(latents), torch.arange(HORIZON) * step
    last = count // step - HORIZON  # patch, with a horizon after it
    zone = min(HORIZON, count // step // 6) * step  # places around a patch that do not forecast it
    queries = set(torch.linspace(PAST, max(last - 1, PAST), QUERIES).int().tolist())
    sums, mean = ContextSums(latents, step), latents.mean(0)
    saved, expected = [torch.zeros(0, len(DECAYS), HORIZON)], [torch.zeros(0, 1, HORIZON)]
    for patch in range(last):
        place = patch * step
        usable = torch.ones(count, dtype=torch.bool)
        usable[max(place - zone, 0) : place + zone + 1] = False
        usable[: PAST * step], usable[last * step :] = False, False
        if patch in queries and int(usable.sum()) >= PLACES * step:
            what_came = latents[place + ahead]
            errors = []
            for distances in sums.sums.masked_fill(~usable, torch.inf):
                places, nearest = nearest_places(distances, PLACES, step)
                forecasts = latents[places[nearest < torch.inf, None] + ahead]
                errors.append((forecasts - what_came).square().sum(2).mean(0))
            expected.append(((what_came - mean).square().sum(1) + sums.scale / 2)[None, None])
            saved.append(expected[-1] - torch.stack(errors)[None])
        sums.read(latents[place])
    return torch.cat(saved), torch.cat(expected)

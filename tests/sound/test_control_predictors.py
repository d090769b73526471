"""Controls without a network: patches of the prompt in random order, and what followed similar moments."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
import torch

from audiogen.audio import Recording
from audiogen.jobs.control_baselines import CONTROL_BASELINES
from audiogen.metrics.order import OrderReference
from audiogen.pretrained import base
from audiogen.sound.continuation import Continuer
from audiogen.sound.control_predictors import CONTROLS, PLACES, ContextWalk
from audiogen.sound.predictor import RunPredictor
from tests.conftest import synthetic
from tests.metrics.processes import tone_chain

PROMPT = synthetic(6.0)
LONGEST_RUNS = {"random-patches": 2, "context-walk": 2, "factor-oracle": 10}  # patches of 93 ms: 0.25 s, and 1 s


def predictor(name: str, prompt: Recording = PROMPT) -> RunPredictor:
    made = Continuer(base(), prompt, make_predictor=CONTROLS[name]).predictor
    assert isinstance(made, RunPredictor)
    return made


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_selects_patches_of_the_material_by_the_rules(name):
    made = predictor(name)
    patches = list(islice(made.patches_after(0, 1.0), 40))
    starts = [patch.start for patch in patches]
    assert all(start is not None for start in starts)
    assert torch.equal(patches[3].frames, made.material[starts[3] : starts[3] + len(patches[3].frames)])
    assert starts == [patch.start for patch in islice(made.patches_after(0, 1.0), 40)]
    assert starts != [patch.start for patch in islice(made.patches_after(1, 1.0), 40)]
    steps = [after - before for before, after in pairwise(starts)]
    in_order = [step == made.representation.patch for step in steps]
    length = LONGEST_RUNS[name] + 1  # a prompt of lasting tones is alike everywhere: no copy is barred but by this
    assert not any(all(in_order[k : k + length]) for k in range(len(in_order) - length + 1)), "too long a verbatim run"


def test_the_walk_finds_the_place_that_it_comes_from():
    walk = predictor("context-walk")
    assert isinstance(walk, ContextWalk)
    latents = walk.selection(1.0).latents
    patch = walk.representation.patch
    context = latents[100 : 100 + 5 * patch : patch]
    places = walk.places(latents, context)
    assert places[0] == 100 + 5 * patch
    assert len(places) == PLACES
    apart = torch.tensor(places)[:, None] - torch.tensor(places)
    assert int((apart.abs() + 1000 * torch.eye(len(places), dtype=torch.long)).min()) >= patch


def test_the_walk_keeps_the_order_of_a_chain_and_random_patches_lose_it():
    prompt = tone_chain(15.0, 0, loyalty=0.95)
    order = OrderReference(prompt, seconds=5.0, measures=("forecast",))
    ratios = {
        name: order.distance(baseline(prompt, 5.0, 0)).ratios["forecast"]
        for name, baseline in CONTROL_BASELINES.items()
    }
    assert ratios["context-walk"] < ratios["random-patches"] - 0.2

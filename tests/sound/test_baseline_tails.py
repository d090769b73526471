"""Baselines are rendered as they draw: copies stay copies, loops loop, and each one's known fault shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.experiment import read_experiment
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.models import MODELS
from audiogen.representation.mel_latents import MelLatents, MelOptions
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import Controls
from audiogen.sound.morph import Morph
from audiogen.sound.patch_selection import NearestPatches, PatchSelector
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.run_mixture import RunMixture
from audiogen.training.trainer import train
from tests.conftest import synthetic

PATCH, BANDS = 4, 128
CONFIGS = Path(__file__).parents[2] / "configs" / "mel"
BASELINES = ("loop", "grains", "walk", "noise", "var")
Texture = Callable[..., Recording]


@pytest.fixture
def frames() -> Tensor:
    return torch.randn(400, BANDS, generator=torch.Generator().manual_seed(0)).cumsum(0) * 0.2


@pytest.fixture
def representation(frames: Tensor) -> MelLatents:
    return MelLatents.fit(MelOptions(channels=1, patch=PATCH, latents=16), [frames])


@pytest.fixture(scope="module")
def prompt() -> Recording:
    return synthetic(8.0)


@pytest.fixture(scope="module")
def runs(prompt: Recording) -> dict[str, Run]:
    """Each baseline, fitted to the prompt."""
    return {kind: train(read_experiment(CONFIGS / f"{kind}.yaml"), prompt) for kind in BASELINES}


def test_patches_of_the_source_are_reproduced(frames: Tensor, representation: MelLatents) -> None:
    patches = NearestPatches(representation, frames, frames.mean(0))
    for start in (0, 17, 17, 17, len(frames) - PATCH):
        latent = representation.encode(frames[start : start + PATCH], frames.mean(0))[0]
        read, patch = patches.lookup(latent)
        torch.testing.assert_close(patch.frames, frames[start : start + PATCH], atol=1e-4, rtol=1e-4)
        assert torch.equal(read, latent)
        assert patches.last == start


def test_other_latents_get_the_detail_of_the_nearest_patch(frames: Tensor, representation: MelLatents) -> None:
    centre = frames.mean(0)
    further = torch.arange(len(frames)).float()[:, None].expand(-1, BANDS)
    patches = NearestPatches(representation, torch.cat([frames, further], dim=1), centre)
    latent = representation.encode(frames[40 : 40 + PATCH], centre)[0] + 0.01
    _, (patch, start) = patches.lookup(latent)
    assert start is None, "since the frames are no longer the material's"
    assert patch[:, BANDS].tolist() == [40, 41, 42, 43]  # a channel that is not modelled
    torch.testing.assert_close(representation.encode(patch[:, :BANDS], centre)[0], latent, atol=1e-4, rtol=1e-4)
    shifted = patch[:, :BANDS] - representation.decode(latent[None], centre)
    missing = frames[40 : 40 + PATCH] - representation.decode(
        representation.encode(frames[40 : 40 + PATCH], centre), centre
    )
    torch.testing.assert_close(shifted, missing, atol=1e-3, rtol=1e-3)


def test_only_baselines_do_without_selection(runs: dict[str, Run], prompt: Recording) -> None:
    assert {kind for kind, model in MODELS.items() if not getattr(model, "uses_selection", True)} == set(BASELINES)
    for run in runs.values():
        predictor = Continuer(run, prompt).predictor
        assert isinstance(predictor, RunPredictor)
        assert isinstance(predictor.selection(1.0), NearestPatches)


def test_other_models_use_selection(prompt: Recording, untrained: Callable[..., Run]) -> None:
    predictor = Continuer(untrained(prompt), prompt).predictor
    assert isinstance(predictor, RunPredictor)
    assert isinstance(predictor.selection(1.0), PatchSelector)


def test_a_loop_is_a_loop_of_the_prompts_end(runs: dict[str, Run], prompt: Recording) -> None:
    continuer = Continuer(runs["loop"], prompt)
    period = runs["loop"].experiment.model.options.period
    first = islice(continuer.predictor.patches_after(0, 1.0), 3 * period)
    patches = torch.stack([patch.frames for patch in first])
    torch.testing.assert_close(patches[period : 2 * period], patches[2 * period :], atol=1e-3, rtol=1e-3)
    end = continuer.frames[-period * patches.shape[1] :].unflatten(0, (period, -1))
    torch.testing.assert_close(patches[10:period], end[10:], atol=0.05, rtol=0)  # past the seam


def test_each_known_fault_shows(runs: dict[str, Run], prompt: Recording) -> None:
    judge = TailEvaluator(prompt, synthetic(8.0, 1))
    tails = {}
    for kind, run in runs.items():
        blocks = list(Continuer(run, prompt).tail(10 * 44100))
        tails[kind] = Recording(np.concatenate(blocks, axis=1), 44100)
    looped, copied = (
        {kind: found.fraction for kind, tail in tails.items() if (found := measure(tail))}
        for measure in (judge.looping, judge.copying)
    )
    classes = {kind: found.classes for kind, tail in tails.items() if (found := judge.texture(tail))}
    assert looped["loop"] > 0.8
    assert max(looped[kind] for kind in ("grains", "noise", "var")) < 0.2
    assert copied["loop"] > 0.8
    assert max(copied[kind] for kind in ("grains", "noise", "var")) < 0.05 < copied["walk"]
    for kind in ("grains", "noise"):  # a swell of 0.7 Hz is longer than a frame
        assert classes[kind]["slow modulation"] > 1.3 * classes["loop"]["slow modulation"]
        assert classes[kind]["modulation"] > classes["loop"]["modulation"]


def test_baselines_mix_and_morph(runs: dict[str, Run], prompt: Recording, untrained: Callable[..., Run]) -> None:
    other = untrained(prompt, 0, "representation.patch=8")
    for tail in (
        Continuer(RunMixture((runs["grains"], other)), prompt).tail(30_000, 1),
        Morph(Continuer(runs["loop"], prompt), Continuer(runs["noise"], prompt)).tail(30_000, 1, 1.0, Controls()),
    ):
        samples = np.concatenate(list(tail), axis=1)
        assert samples.shape == (1, 30_000)
        assert samples.std() == pytest.approx(prompt.samples.std(), rel=0.6)


def test_contexts_select_patches_whatever_the_model(runs: dict[str, Run], prompt: Recording) -> None:
    run = runs["noise"]
    assert not Continuer(run, prompt).selects
    assert Continuer(replace(run, experiment=replace(run.experiment, predictor="contexts")), prompt).selects

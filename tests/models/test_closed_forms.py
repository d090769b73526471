"""Models with closed-form fits: baselines, vector autoregression, hidden Markov and Gaussian mixture models."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from audiogen.models import MODELS, Model, Sampling
from audiogen.models.baselines.grains import GrainsOptions
from audiogen.models.baselines.loop import LoopOptions
from audiogen.models.baselines.noise import Noise, NoiseOptions
from audiogen.models.baselines.walk import WalkOptions
from audiogen.models.hmm import HMM, HMMOptions
from audiogen.models.var import VAR, VAROptions
from tests.models.rollouts import rollout

CLOSED = {
    "loop": LoopOptions(period=16),
    "grains": GrainsOptions(memory=600),
    "walk": WalkOptions(memory=600),
    "noise": NoiseOptions(),
    "var": VAROptions(residuals=256),
    "hmm": HMMOptions(states=3, max_iterations=10),
}
TURN = 0.9 * torch.tensor([[0.8, -0.6], [0.6, 0.8]])


def sampling(temperature: float = 1.0, seed: int = 0) -> Sampling:
    return Sampling(temperature, generator=torch.Generator().manual_seed(seed))


def rotating(steps: int, seed: int = 0) -> Tensor:
    """A damped rotation driven by skewed noise."""
    generator = torch.Generator().manual_seed(seed)
    frames = [torch.zeros(2)]
    for _ in range(steps - 1):
        noise = -torch.rand(2, generator=generator).log() - 1
        frames.append(TURN @ frames[-1] + 0.3 * noise)
    return torch.stack(frames)


def fitted(kind: str, *sequences: Tensor) -> Model:
    model = MODELS[kind](sequences[0].shape[1], CLOSED[kind]).eval()
    model.fit_closed_form(list(sequences))
    return model


@pytest.mark.parametrize("kind", list(CLOSED))
def test_there_are_no_parameters_to_train_and_all_buffers_are_saved(kind: str) -> None:
    frames = rotating(600)
    model, again = fitted(kind, frames), MODELS[kind](2, CLOSED[kind]).eval()
    assert list(model.parameters()) == []
    again.load_state_dict(model.state_dict())
    prompt = frames[None, :20]
    assert torch.equal(rollout(model, prompt, 30, sampling()), rollout(again, prompt, 30, sampling()))
    assert model.loss(frames[None, :50])["loss"].isfinite()


@pytest.mark.parametrize("kind", [kind for kind in CLOSED if kind != "loop"])
def test_rollouts_are_random_and_have_the_moments_of_the_source(kind: str) -> None:
    frames = rotating(1500)
    model = fitted(kind, frames)
    prompt = frames[None, -600:].expand(12, -1, -1)
    made = rollout(model, prompt, 200, sampling())[:, 40:].flatten(0, 1)
    assert made.shape == (12 * 160, 2)
    torch.testing.assert_close(made.T.cov(), frames.T.cov(), rtol=0.35, atol=0.03)
    torch.testing.assert_close(made.mean(0), frames.mean(0), rtol=0, atol=0.12)
    assert not torch.equal(rollout(model, prompt, 9, sampling()), rollout(model, prompt, 9, sampling(seed=1)))


@pytest.mark.parametrize("kind", list(CLOSED))
def test_reading_in_steps_equals_reading_at_once(kind: str) -> None:
    frames = rotating(600)
    model = fitted(kind, frames)
    state = model.start(frames[None, :1])
    for frame in frames[1:40]:
        state = model.read(state, frame[None])  # type: ignore[attr-defined]
    whole = model.start(frames[None, :40])
    for one, other in zip(flat(state), flat(whole), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", list(CLOSED))
def test_items_of_a_batch_are_independent(kind: str) -> None:
    frames = rotating(600)
    model = fitted(kind, frames)
    # One of them repeats itself, so that it has fewer distinct frames.
    prompts = [frames[:60], frames[:15].repeat(4, 1), frames[-60:]]
    together, alone = model.start(torch.stack(prompts)), [model.start(prompt[None]) for prompt in prompts]
    for tensors in zip(flat(together), *map(flat, alone), strict=True):
        torch.testing.assert_close(tensors[0], torch.cat(tensors[1:]), atol=1e-5, rtol=1e-5)
    drawn, _ = model.step(together, sampling(0.0))
    if kind != "grains":  # grains are random at any temperature
        torch.testing.assert_close(drawn, torch.cat([model.step(state, sampling(0.0))[0] for state in alone]))


def flat(state: object) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    assert isinstance(state, tuple | list)
    return [tensor for item in state for tensor in flat(item)]


@pytest.mark.parametrize("kind", ["var", "hmm"])
def test_likelihood_approaches_that_of_the_process(kind: str) -> None:
    generator = torch.Generator().manual_seed(3)
    frames = [torch.zeros(2)]
    for _ in range(1799):
        frames.append(TURN @ frames[-1] + 0.5 * torch.randn(2, generator=generator))
    whole = torch.stack(frames)
    nats = fitted(kind, whole[:1500]).log_likelihood(whole[None, 1500:])  # type: ignore[operator]
    truth = torch.distributions.Normal(whole[1500:-1] @ TURN.T, 0.5).log_prob(whole[1501:]).sum(-1)
    assert float(nats.mean()) == pytest.approx(float(truth.mean()), abs=0.05)


def test_the_autoregression_bootstraps_residuals_of_the_source() -> None:
    frames = rotating(1500)
    model = fitted("var", frames)
    assert isinstance(model, VAR)
    made = rollout(model, frames[None, :9].expand(8, -1, -1), 200, sampling())
    residual = (made[:, 1:] - made[:, :-1] @ TURN.T).flatten(0, 1)
    skew = ((residual - residual.mean(0)) / residual.std(0)).pow(3).mean(0)
    assert float(skew.min()) > 1  # 2 is that of the exponential distribution, 0 of a Gaussian
    still = rollout(model, frames[None, 40:50], 150, sampling(0.0))[0]
    assert float(still[-1].norm()) < 0.05  # stable: without residuals it decays to the mean


def test_noise_is_gaussian_and_independent_of_the_prompt() -> None:
    frames = rotating(1500)
    model = fitted("noise", frames)
    assert isinstance(model, Noise)
    prompts = torch.stack([frames[:50], frames[-50:]]).repeat_interleave(2000, 0)
    drawn = model.draw(model.start(prompts), sampling(0.25))
    for half in drawn.chunk(2):
        torch.testing.assert_close(half.mean(0), frames.mean(0), atol=0.05, rtol=0)
        torch.testing.assert_close(half.T.cov(), 0.25 * frames.T.cov(), atol=0.01, rtol=0.1)
    normal = torch.distributions.MultivariateNormal(frames.mean(0), frames.T.cov())
    nats = model.log_likelihood(frames[None, :40])[0]
    torch.testing.assert_close(nats, normal.log_prob(frames[1:40]), atol=0.02, rtol=0)


@pytest.mark.parametrize("count", [1, 3])
def test_noise_of_few_frames_has_a_density(count: int) -> None:
    model = MODELS["noise"](6, NoiseOptions())
    model.fit_closed_form([torch.randn(count, 6, generator=torch.Generator().manual_seed(0))])
    assert model.loss(torch.zeros(1, 4, 6))["loss"].isfinite()


def two_states(steps: int, stay: float = 0.95) -> tuple[Tensor, Tensor]:
    """Frames of a two-state Markov chain, ``[steps, 3]``, and their states."""
    generator = torch.Generator().manual_seed(0)
    state, states = 0, []
    for _ in range(steps):
        state = state if torch.rand((), generator=generator) < stay else 1 - state
        states.append(state)
    which = torch.tensor(states)
    means = torch.tensor([[2.0, 0.0, -1.0], [-2.0, 1.0, 0.0]])
    return means[which] + 0.5 * torch.randn(steps, 3, generator=generator), which


def test_a_hidden_markov_model_recovers_two_states() -> None:
    frames, which = two_states(1600)
    model = HMM(3, HMMOptions(states=2, order=0, prior=1.0, max_iterations=8))
    model.fit_closed_form([frames[:800], frames[800:]])
    means, order = model.weight[:, 0], model.weight[:, 0, 0].argsort(descending=True)
    torch.testing.assert_close(means[order], torch.tensor([[2.0, 0.0, -1.0], [-2.0, 1.0, 0.0]]), atol=0.1, rtol=0)
    torch.testing.assert_close(model.transition.diagonal(), torch.full((2,), 0.95), atol=0.02, rtol=0)
    torch.testing.assert_close(model.root[0] @ model.root[0].T, 0.25 * torch.eye(3), atol=0.05, rtol=0)
    posterior, _ = model.start(frames[None, :300])
    assert int(posterior[0].argmax()) == int(order[which[299]])


def test_states_persist_in_a_hidden_markov_model_but_not_in_a_mixture() -> None:
    frames, _ = two_states(1500)
    persistence = []
    for independent in (False, True):
        model = HMM(3, HMMOptions(states=2, order=0, independent=independent, max_iterations=8))
        model.fit_closed_form([frames])
        made = rollout(model, frames[None, :5].expand(20, -1, -1), 100, sampling())[:, :, 0]
        persistence.append(float((made[:, 1:].sign() == made[:, :-1].sign()).float().mean()))
    assert persistence[0] == pytest.approx(0.95, abs=0.03)
    assert persistence[1] == pytest.approx(0.5, abs=0.06)


def test_forward_backward_equals_the_sum_over_all_paths() -> None:
    model = HMM(2, HMMOptions(states=2, order=0))
    model.transition.copy_(torch.tensor([[0.8, 0.2], [0.3, 0.7]]))
    model.weight.copy_(torch.randn(2, 1, 2, generator=torch.Generator().manual_seed(0)))
    frames = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(1))
    emission = model.emission_log_prob(model.regressors(frames), frames)
    nats, posterior, counts = model._e_step(emission)
    paths, chances = list(itertools.product(range(2), repeat=4)), []
    for path in paths:
        chance = float(model.stationary_distribution[path[0]].log())
        chance += sum(float(emission[0, k, s]) for k, s in enumerate(path))
        chances.append(chance + sum(float(model.transition[a, b].log()) for a, b in itertools.pairwise(path)))
    weights = torch.tensor(chances).softmax(0)
    assert nats * 4 == pytest.approx(float(torch.tensor(chances).logsumexp(0)), abs=1e-4)
    expected = sum(float(w) for w, path in zip(weights, paths, strict=True) if path[2] == 1)
    assert float(posterior[0, 2, 1]) == pytest.approx(expected, abs=1e-4)
    self_transitions = sum(
        float(w) * sum(a == b == 0 for a, b in itertools.pairwise(path)) for w, path in zip(weights, paths, strict=True)
    )
    assert float(counts[0, 0]) == pytest.approx(self_transitions, abs=1e-4)
    assert math.isfinite(nats)

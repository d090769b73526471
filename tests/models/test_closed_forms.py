"""Models that are fitted at once: an autoregression, a walk through the source, hidden Markov and mixture models."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from audiogen.models import MODELS, Model, Sampling
from audiogen.models.hmm import HMM, HMMOptions
from audiogen.models.var import VAR, VAROptions
from audiogen.models.walk import APART, Walk, WalkOptions

CLOSED = {
    "var": VAROptions(residuals=256),
    "walk": WalkOptions(memory=4000),
    "hmm": HMMOptions(states=3, rounds=10),
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


def prepared(kind: str, *sequences: Tensor) -> Model:
    model = MODELS[kind](sequences[0].shape[1], CLOSED[kind]).eval()
    model.prepare(list(sequences))
    return model


@torch.no_grad()
def rollout(model: Model, prompt: Tensor, steps: int, source: Sampling) -> Tensor:
    state, drawn = model.start(prompt), []
    for _ in range(steps):
        frame, state = model.step(state, source)
        drawn.append(frame)
    return torch.stack(drawn, dim=1)


@pytest.mark.parametrize("kind", list(CLOSED))
def test_nothing_is_left_to_train_and_all_is_saved(kind: str) -> None:
    frames = rotating(600)
    model, again = prepared(kind, frames), MODELS[kind](2, CLOSED[kind]).eval()
    assert list(model.parameters()) == []
    again.load_state_dict(model.state_dict())
    prompt = frames[None, :20]
    assert torch.equal(rollout(model, prompt, 30, sampling()), rollout(again, prompt, 30, sampling()))
    assert model.loss(frames[None, :50])["loss"].isfinite()


@pytest.mark.parametrize("kind", list(CLOSED))
def test_rollouts_are_drawn_and_have_the_moments_of_the_source(kind: str) -> None:
    frames = rotating(1500)
    model = prepared(kind, frames)
    prompt = frames[None, :9].expand(16, -1, -1)
    made = rollout(model, prompt, 200, sampling())[:, 40:].flatten(0, 1)
    assert made.shape == (16 * 160, 2)
    torch.testing.assert_close(made.T.cov(), frames.T.cov(), rtol=0.35, atol=0.03)
    torch.testing.assert_close(made.mean(0), frames.mean(0), rtol=0, atol=0.12)
    assert not torch.equal(rollout(model, prompt, 9, sampling()), rollout(model, prompt, 9, sampling(seed=1)))


@pytest.mark.parametrize("kind", list(CLOSED))
def test_reading_in_steps_equals_reading_at_once(kind: str) -> None:
    frames = rotating(600)
    model = prepared(kind, frames)
    state = model.start(frames[None, :1])
    for frame in frames[1:40]:
        state = model.read(state, frame[None])  # type: ignore[attr-defined]
    whole = model.start(frames[None, :40])
    for one, other in zip(flat(state), flat(whole), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


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
    nats = prepared(kind, whole[:1500]).log_likelihood(whole[None, 1500:])  # type: ignore[operator]
    truth = torch.distributions.Normal(whole[1500:-1] @ TURN.T, 0.5).log_prob(whole[1501:]).sum(-1)
    assert float(nats.mean()) == pytest.approx(float(truth.mean()), abs=0.05)


def test_the_autoregression_draws_the_sources_own_residuals() -> None:
    frames = rotating(1500)
    model = prepared("var", frames)
    assert isinstance(model, VAR)
    made = rollout(model, frames[None, :9].expand(8, -1, -1), 200, sampling())
    left = (made[:, 1:] - made[:, :-1] @ TURN.T).flatten(0, 1)
    skew = ((left - left.mean(0)) / left.std(0)).pow(3).mean(0)
    assert float(skew.min()) > 1  # 2 is that of the exponential distribution, 0 of a Gaussian
    still = rollout(model, frames[None, 40:50], 150, sampling(0.0))[0]
    assert float(still[-1].norm()) < 0.05  # stable: without residuals it comes to rest


def test_a_walk_is_the_source_and_jumps_elsewhere() -> None:
    frames = rotating(900)
    shifted = [frames[offset::3] for offset in range(3)]  # the same moments at three offsets
    model = prepared("walk", *shifted)
    assert isinstance(model, Walk)
    made = rollout(model, shifted[0][None, :5], 60, sampling())[0]
    assert all(bool((frame == frames).all(1).any()) for frame in made)
    state, source, moved = model.start(shifted[0][None, :5]), sampling(), []
    for _ in range(250):
        before = model.time[state]
        _, state = model.step(state, source)
        moved.append(int(model.time[state] - before))
    jumps = [move for move in moved if move != 1]
    assert 0.35 < len(jumps) / len(moved) < 0.65
    assert all(abs(jump - 1) >= APART for jump in jumps)
    straight = rollout(model, shifted[0][None, :5], 50, sampling(0.0))[0]
    torch.testing.assert_close(straight, shifted[0][5:55])


def two_states(steps: int, stay: float = 0.95) -> tuple[Tensor, Tensor]:
    """Frames of two states, loud and soft, and which was which."""
    generator = torch.Generator().manual_seed(0)
    state, states = 0, []
    for _ in range(steps):
        state = state if torch.rand((), generator=generator) < stay else 1 - state
        states.append(state)
    which = torch.tensor(states)
    means = torch.tensor([[2.0, 0.0, -1.0], [-2.0, 1.0, 0.0]])
    return means[which] + 0.5 * torch.randn(steps, 3, generator=generator), which


def test_a_hidden_markov_model_finds_two_states() -> None:
    frames, which = two_states(1600)
    model = HMM(3, HMMOptions(states=2, order=0, prior=1.0, rounds=8))
    model.prepare([frames[:800], frames[800:]])
    means, order = model.weight[:, 0], model.weight[:, 0, 0].argsort(descending=True)
    torch.testing.assert_close(means[order], torch.tensor([[2.0, 0.0, -1.0], [-2.0, 1.0, 0.0]]), atol=0.1, rtol=0)
    torch.testing.assert_close(model.transition.diagonal(), torch.full((2,), 0.95), atol=0.02, rtol=0)
    torch.testing.assert_close(model.root[0] @ model.root[0].T, 0.25 * torch.eye(3), atol=0.05, rtol=0)
    shares, _ = model.start(frames[None, :300])
    assert int(shares[0].argmax()) == int(order[which[299]])


def test_a_hidden_markov_model_stays_in_its_states_and_a_mixture_does_not() -> None:
    frames, _ = two_states(1500)
    lasting = []
    for independent in (False, True):
        model = HMM(3, HMMOptions(states=2, order=0, independent=independent, rounds=8))
        model.prepare([frames])
        made = rollout(model, frames[None, :5].expand(20, -1, -1), 100, sampling())[:, :, 0]
        lasting.append(float((made[:, 1:].sign() == made[:, :-1].sign()).float().mean()))
    assert lasting[0] == pytest.approx(0.95, abs=0.03)
    assert lasting[1] == pytest.approx(0.5, abs=0.06)


def test_forward_and_backward_are_the_sum_over_all_paths() -> None:
    model = HMM(2, HMMOptions(states=2, order=0))
    model.transition.copy_(torch.tensor([[0.8, 0.2], [0.3, 0.7]]))
    model.weight.copy_(torch.randn(2, 1, 2, generator=torch.Generator().manual_seed(0)))
    frames = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(1))
    emission = model.emission(model.known(frames), frames)
    nats, shares, moves = model._expect(emission)
    paths, chances = list(itertools.product(range(2), repeat=4)), []
    for path in paths:
        chance = float(model.usual[path[0]].log()) + sum(float(emission[0, k, s]) for k, s in enumerate(path))
        chances.append(chance + sum(float(model.transition[a, b].log()) for a, b in itertools.pairwise(path)))
    weights = torch.tensor(chances).softmax(0)
    assert nats * 4 == pytest.approx(float(torch.tensor(chances).logsumexp(0)), abs=1e-4)
    expected = sum(float(w) for w, path in zip(weights, paths, strict=True) if path[2] == 1)
    assert float(shares[0, 2, 1]) == pytest.approx(expected, abs=1e-4)
    stayed = sum(
        float(w) * sum(a == b == 0 for a, b in itertools.pairwise(path)) for w, path in zip(weights, paths, strict=True)
    )
    assert float(moves[0, 0]) == pytest.approx(stayed, abs=1e-4)
    assert math.isfinite(nats)

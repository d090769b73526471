"""Policy gradients and preferences on a bandit and a chain whose optima are known in closed form."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from audiogen.training.tunes.policy_losses import (
    KLController,
    k3,
    leave_one_out,
    preference_loss,
    standardised,
    surrogate,
)

REWARDS = torch.tensor([0.1, 0.9, 0.4, 0.5, 0.0])
REFERENCE = torch.tensor([0.4, 0.05, 0.25, 0.2, 0.1])
Estimate = Callable[[Tensor, Tensor, Tensor], Tensor]


def tilted(weight: float) -> Tensor:
    """The maximum of E[r] - weight KL(q || p)."""
    return (REFERENCE.log() + REWARDS / weight).softmax(0)


def total_variation(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().sum() / 2)


def bandit(losses: Estimate, steps: int = 400, rate: float = 0.05) -> Tensor:
    """The policy after training on sampled arms, averaged over the last quarter of the steps."""
    logits = REFERENCE.log().clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=rate)
    generator, average = torch.Generator().manual_seed(0), torch.zeros_like(REFERENCE)
    for step in range(steps):
        policy = logits.log_softmax(0)
        arms = torch.multinomial(policy.exp().detach(), 512, replacement=True, generator=generator)
        optimizer.zero_grad()
        losses(policy[arms], REFERENCE.log()[arms], REWARDS[arms]).mean().backward()
        optimizer.step()
        if step >= 3 * steps // 4:
            average += logits.detach().softmax(0) / (steps // 4)
    return average


@pytest.mark.parametrize("advantages", [leave_one_out, standardised])
def test_without_a_divergence_the_best_arm_is_all_that_is_left(advantages: Callable[[Tensor], Tensor]):
    def losses(taken: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        by_group = advantages(rewards.view(-1, 8)).flatten()
        return surrogate(taken, taken.detach(), by_group, 0.2)

    assert bandit(losses)[1] > 0.95


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_rloo_with_the_divergence_in_the_reward_reaches_the_tilted_reference(weight: float):
    def losses(taken: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        rewards = rewards - weight * (taken.detach() - reference)
        return surrogate(taken, taken.detach(), leave_one_out(rewards.view(-1, 8)).flatten(), 0.2)

    assert total_variation(bandit(losses), tilted(weight)) < 0.03
    assert total_variation(REFERENCE, tilted(weight)) > 0.1  # there was something to learn


def test_the_divergence_in_the_loss_leads_to_another_optimum():
    weight = 0.5

    def losses(taken: Tensor, reference: Tensor, rewards: Tensor) -> Tensor:
        advantages = leave_one_out(rewards.view(-1, 8)).flatten()
        return surrogate(taken, taken.detach(), advantages, 0.2) + weight * k3(taken, reference)

    low, high = float(REWARDS.max()) + 1e-6, 10.0  # c such that q = b p / (c - r) sums to 1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (weight * REFERENCE / (middle - REWARDS)).sum() > 1 else (low, middle)
    expected = weight * REFERENCE / (low - REWARDS)
    found = bandit(losses)
    assert total_variation(found, expected) < 0.03
    assert total_variation(expected, tilted(weight)) > 0.03


def test_k3_is_the_divergence_and_its_gradient_that_of_the_other_direction():
    logits = torch.tensor([0.3, -0.2, 0.1, 0.5, -1.0], dtype=torch.float64, requires_grad=True)
    policy, reference = logits.log_softmax(0), REFERENCE.double().log()
    estimates = policy.exp().detach() * k3(policy, reference)
    assert (estimates > -1e-12).all()
    torch.testing.assert_close(estimates.sum(), (policy.exp() * (policy - reference)).sum())
    [gradient] = torch.autograd.grad(estimates.sum(), logits, retain_graph=True)
    [forward] = torch.autograd.grad((reference.exp() * (reference - policy)).sum(), logits)
    torch.testing.assert_close(gradient, forward)


def test_the_surrogate_is_reinforce_at_first_and_flat_beyond_the_clip():
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0])
    behaviour = torch.tensor([-1.0, -1.0, -2.0, -2.0])
    moved = torch.tensor([0.0, 0.0, 0.5, -0.5])
    taken = (behaviour + moved).requires_grad_()
    surrogate(taken, behaviour, advantages, 0.2).sum().backward()
    assert taken.grad is not None
    assert taken.grad.tolist() == [-1.0, 1.0, 0.0, 0.0]


def test_advantages_of_a_group():
    rewards = torch.tensor([[0.0, 0.5, 1.0], [0.3, 0.3, 0.3]])
    assert leave_one_out(rewards).flatten().tolist() == pytest.approx([-0.75, 0, 0.75, 0, 0, 0])
    assert standardised(rewards).flatten().tolist() == pytest.approx([-1, 0, 1, 0, 0, 0], abs=1e-6)


def test_rloo_on_a_chain_reaches_the_best_distribution_of_sequences():
    steps, weight = 4, 0.2
    sequences = torch.tensor(list(itertools.product((0, 1), repeat=steps)))
    changes = (sequences[:, 1:] != sequences[:, :-1]).sum(1)
    rewards = (changes + sequences[:, -1]) / steps  # of pairs and of the end: a Markov policy can be optimal
    reference = torch.tensor([0.8, 0.2]).log()  # of each step, whatever was before
    before = reference[sequences].sum(1)
    optimum = (before + rewards / weight).softmax(0)
    table = torch.zeros(steps, 2, 2) + reference
    table.requires_grad_()

    def log_probs(rows: Tensor) -> Tensor:
        """``[sequences, steps]``; the state before the first step is 0."""
        previous = torch.cat([torch.zeros(len(rows), 1, dtype=torch.long), rows[:, :-1]], 1)
        return table.log_softmax(-1)[torch.arange(steps), previous, rows]

    optimizer, generator = torch.optim.Adam([table], lr=0.03), torch.Generator().manual_seed(1)
    average = torch.zeros(len(sequences))
    for step in range(400):
        with torch.no_grad():
            distribution = log_probs(sequences).sum(1).exp()
        drawn = torch.multinomial(distribution, 512, replacement=True, generator=generator)
        taken = log_probs(sequences[drawn])
        penalty = weight * (taken.detach().sum(1) - before[drawn])
        advantages = leave_one_out((rewards[drawn] - penalty).view(-1, 8)).flatten()
        optimizer.zero_grad()
        surrogate(taken, taken.detach(), advantages[:, None].expand(-1, steps), 0.2).sum(1).mean().backward()
        optimizer.step()
        average += distribution / 100 * (step >= 300)
    assert total_variation(average, optimum) < 0.06
    assert total_variation(before.exp(), optimum) > 0.4


def test_preferences_of_a_reward_lead_to_the_tilted_reference():
    weight = 0.5
    logits = REFERENCE.log().clone().requires_grad_()
    pairs = torch.tensor(list(itertools.permutations(range(len(REWARDS)), 2)))
    wins = (REWARDS[pairs[:, 0]] - REWARDS[pairs[:, 1]]).sigmoid()  # Bradley and Terry 1952
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(400):
        ratios = logits.log_softmax(0) - REFERENCE.log()
        optimizer.zero_grad()
        (wins * preference_loss(ratios[pairs[:, 0]], ratios[pairs[:, 1]], weight)).sum().backward()
        optimizer.step()
    assert total_variation(logits.detach().softmax(0), tilted(weight)) < 1e-3


def test_the_penalty_falls_on_preferred_sequences_that_become_less_likely():
    chosen, rejected = torch.tensor([-1.0, 1.0]), torch.tensor([-3.0, -1.0])
    plain, penalised = (preference_loss(chosen, rejected, 1.0, positive) for positive in (0.0, 2.0))
    assert float(plain[0]) == pytest.approx(float(plain[1]))  # equal margins
    assert float(penalised[0]) > float(plain[0])
    assert float(penalised[1]) == pytest.approx(float(plain[1]))


def test_the_weight_of_the_divergence_follows_its_target():
    controller = KLController(0.05)
    assert controller.factor(0.2, False) == pytest.approx(1.1)
    assert controller.factor(0.0, False) == pytest.approx(0.95)
    assert controller.factor(0.054, False) == pytest.approx(1.08)
    assert controller.factor(0.05, False) == pytest.approx(1.0)
    assert controller.factor(0.0, True) == pytest.approx(1.1)  # below a floor it grows in any case
    assert KLController(0.0).factor(0.2, False) == 1.0

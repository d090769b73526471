"""Losses that move a policy towards a reward and hold it near a reference: policy gradients, and preferences.

Pure functions of log-probabilities. The policy q(y) that they converge to, for actions y, a reward r(y), a reference
p(y) and a weight b:

- `leave_one_out` of ``r - b log(q / p)``, with `surrogate`: q(y) proportional to p(y) exp(r(y) / b), the maximum of
  E[r] - b KL(q || p).
- `standardised` rewards, with `surrogate` and the gradient of `k3`: q(y) = b p(y) / (c - r(y)) for rewards in units of
  their standard deviation. The gradient of k3 on samples of q is that of KL(p || q), not of KL(q || p) (Tang & Munos
  2025, arXiv 2506.09477), so this is another optimum: its odds grow with the reward more slowly.
- `preference_loss`: the same q as the first, for the reward under which the preferences are Bradley-Terry choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MIN_DEVIATION = 1e-4  # of the rewards in a group: equal ones have no advantage, rather than a random one


def k3(log_probs: Tensor, reference: Tensor) -> Tensor:
    """Estimate of KL(policy || reference) from each sampled action, nats, never negative.

    r - 1 - log r with r = reference / policy (Schulman 2020, "Approximating KL divergence"): unbiased, and of lower
    variance than log(policy / reference).

    Args:
        log_probs: of sampled actions under the policy.
        reference: of the same actions under the reference.
    """
    difference = reference - log_probs
    return difference.exp() - 1 - difference


def leave_one_out(rewards: Tensor) -> Tensor:
    """Rewards ``[groups, size]``, each less the mean of the others in its group (RLOO; Ahmadian et al. 2024, eq. 7)."""
    size = rewards.shape[1]
    return (rewards - rewards.mean(1, keepdim=True)) * size / (size - 1)


def standardised(rewards: Tensor) -> Tensor:
    """Rewards ``[groups, size]`` less their group's mean, in its deviations (GRPO; Shao et al. 2024, 4.1.2)."""
    deviation = rewards.std(1, keepdim=True)
    return (rewards - rewards.mean(1, keepdim=True)) / deviation.clamp(min=MIN_DEVIATION)


def surrogate(log_probs: Tensor, behaviour: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Clipped surrogate objective of each action, to be minimised (PPO; Schulman et al. 2017, arXiv 1707.06347, eq. 7).

    Its gradient where policy and behaviour are equal is that of REINFORCE: -advantage times that of log_probs.

    Args:
        log_probs: of the actions under the policy.
        behaviour: under the policy that sampled them, without gradient.
        advantages: of the actions.
        clip: largest change of an action's probability that is rewarded, relative to the behaviour.
    """
    ratio = (log_probs - behaviour).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def preference_loss(chosen: Tensor, rejected: Tensor, weight: float, positive: float = 0.0) -> Tensor:
    """Loss of each pair of sequences (DPO; Rafailov et al. 2023, arXiv 2305.18290, eq. 7).

    Args:
        chosen: log(policy / reference) of the preferred sequences.
        rejected: the same of the others.
        weight: of the KL divergence in the reward that is fitted.
        positive: penalty per nat by which a preferred sequence becomes less likely than under the reference
            (DPO-Positive; Pal et al. 2024, arXiv 2402.13228, eq. 3), which DPO alone allows.
    """
    penalty = positive * (-chosen).clamp(min=0)
    return -functional.logsigmoid(weight * (chosen - rejected - penalty))


@dataclass(frozen=True)
class KLController:
    """Adapts the weight of the KL divergence to a target (Ziegler et al. 2019, arXiv 1909.08593, 2.2).

    The weight grows faster than it falls: the divergence of a policy begins at 0, whatever the weight. The divergence
    follows the weight within some ten updates, so that a faster growth overshoots, and takes back what was learned.

    Args:
        target: wanted divergence; 0 keeps the weight.
        rise: largest relative growth per update.
        fall: largest relative decrease per update.
    """

    target: float
    rise: float = 0.1
    fall: float = 0.05

    def factor(self, divergence: float, below_floor: bool) -> float:
        """Factor on the weight.

        Args:
            divergence: measured, in the unit of the target.
            below_floor: whether entropy or diversity are below their floors: then the weight grows in any case, since
                the reference has both.
        """
        if below_floor:
            return 1 + self.rise
        if self.target <= 0:
            return 1.0
        error = divergence / self.target - 1
        return 1 + min(max(error, -self.fall), self.rise)

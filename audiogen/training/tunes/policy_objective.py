"""Fine-tuning of a token Model towards a reward: what the training loop minimises.

The policy is the Model, restricted to the tokens that the grammar allows; an action is a token, and an episode a tail
after the opening of a training tune. A frozen copy of the Model is the reference. Three algorithms share the rollouts,
the reward, the adaptive weight of the KL divergence and the floors:

- ``rloo``: REINFORCE with a leave-one-out baseline; the KL divergence is part of the reward (Ahmadian et al. 2024,
  "Back to Basics", arXiv 2402.14740).
- ``grpo``: clipped surrogate with standardised advantages in each group; the KL divergence is part of the loss (Shao
  et al. 2024, DeepSeekMath, arXiv 2402.03300).
- ``dpo``: preference optimisation on pairs of the policy's own tails, ranked by the reward, in rounds of new samples
  (Rafailov et al. 2023, arXiv 2305.18290; the rounds after NotaGen's CLaMP-DPO, Wang et al. 2025, arXiv 2502.18008).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.experiment import FineTuning
from audiogen.models import Sampling
from audiogen.training.tunes.policy_losses import (
    KLController,
    k3,
    leave_one_out,
    preference_loss,
    standardised,
    surrogate,
)
from audiogen.training.tunes.rollouts import Rollouts, distinct_ngrams, entropy, sample_rollouts, without_dropout
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

RewardFunction = Callable[[Tune, Tune], Mapping[str, float]]
"""``reward(tail, prompt)``: each term of a reward by its name, and their weighted mean as `TOTAL`, all in 0..1."""
TOTAL = "total"
VALIDATION_TAILS = 6  # per prompt: of fewer, the diversity is that of chance
DIVERSITY_SMOOTHING = 0.8  # of the running mean over sets of rollouts
KL_SLACK = 2.0  # validations beyond this multiple of the target count as worse than all others


@dataclass(frozen=True)
class _Experience:
    """Rollouts, and what does not change while the policy is trained on them.

    Args:
        rollouts: by the policy that is called the behaviour below.
        rewards: ``[rollouts]``, 0..1.
        terms: mean of each term of the reward.
        behaviour: log-probabilities of the actions, ``[actions]``.
        entropy: of its distributions, the mean over the actions.
        reference: the same under the reference.
        entropy_share: that entropy relative to the reference's.
    """

    rollouts: Rollouts
    rewards: Tensor
    terms: dict[str, float]
    behaviour: Tensor
    reference: Tensor
    entropy: float
    entropy_share: float

    @property
    def divergence(self) -> float:
        """KL divergence of the behaviour from the reference, nats per token."""
        return float(k3(self.behaviour, self.reference).mean())


class PolicyObjective(nn.Module):
    """A policy, its reference and the losses of fine-tuning.

    Args:
        policy: where the training begins; a copy of it is the reference.
        tokenizer: of its tokens.
        prompts: the prompt of (split, index, semitones), as `loss` names it.
        reward: of a tail.
        options: see `FineTuning`.

    Attributes:
        kl_weight: weight of the KL divergence, adapted after each set of rollouts.
        diversity: running mean of the diversity of the rollouts; NaN before the first.
        first_diversity: of the first rollouts, which the reference has sampled.
    """

    kl_weight: Tensor
    diversity: Tensor
    first_diversity: Tensor

    def __init__(
        self,
        policy: TokenModel,
        tokenizer: Tokenizer,
        prompts: Callable[[Sequence[int]], Tune],
        reward: RewardFunction,
        options: FineTuning,
    ) -> None:
        super().__init__()
        self.policy = without_dropout(policy)
        # In a list, so that it is neither trained nor saved: a resumed training is given it again.
        self._reference = [copy.deepcopy(self.policy).requires_grad_(False)]
        self.tokenizer, self.prompts, self.reward, self.options = tokenizer, prompts, reward, options
        self.controller = KLController(0.0 if options.algorithm == "dpo" else options.kl_target)
        self.register_buffer("kl_weight", torch.tensor(options.kl_weight))
        self.register_buffer("diversity", torch.tensor(torch.nan))
        self.register_buffer("first_diversity", torch.tensor(torch.nan))
        self._experience: _Experience | None = None
        self._usual: _Experience | None = None  # the reference's tails after the prompts of validations
        self._measured: dict[str, float] = {}

    @property
    def reference(self) -> TokenModel:
        """The frozen copy, on the policy's device."""
        return self._reference[0].to(self.kl_weight.device)

    def train(self, mode: bool = True) -> PolicyObjective:
        """Set the mode of the objective only: a policy with dropout would not be the one that sampled."""
        self.training = mode
        return self

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        """Nothing: no part of it has a closed form."""

    def loss(self, prompts: Tensor) -> Mapping[str, Tensor]:
        """Losses and measures by name; ``"loss"`` is minimised, and compared in validations.

        Args:
            prompts: ``[batch, 4]`` of (step, split, index, semitones). In training, new tails are sampled at each
                multiple of ``rollout_steps``, and the steps until the next one use them again.
        """
        tunes = [self.prompts(row[1:]) for row in prompts.tolist()]
        if not self.training:
            return self._validation(tunes)
        if self._experience is None or int(prompts[0, 0]) % self.options.rollout_steps == 0:
            self._experience, log_probs = self._collect(tunes)
        else:
            rollouts = self._experience.rollouts
            log_probs = rollouts.taken(rollouts.log_distribution(self.policy))
        losses = _preferences if self.options.algorithm == "dpo" else _policy_gradient
        loss, found = losses(log_probs, self._experience, self.options, float(self.kl_weight))
        measures = {name: torch.tensor(value) for name, value in {**self._measured, **found}.items()}
        return {"loss": loss, **measures}

    def _collect(self, prompts: Sequence[Tune]) -> tuple[_Experience, Tensor]:
        """Sample tails, reward them, and adapt the weight of the KL divergence.

        Returns:
            What was collected, and the log-probabilities of the actions ``[actions]``, with gradients.
        """
        options = self.options
        experience, log_probs = self._rollouts(prompts, options.group)
        rollouts = experience.rollouts
        diversity = distinct_ngrams(rollouts.tails)
        if self.first_diversity.isnan():  # the policy is still the reference
            self.first_diversity.fill_(diversity)
            self.diversity.fill_(diversity)
        self.diversity.mul_(DIVERSITY_SMOOTHING).add_((1 - DIVERSITY_SMOOTHING) * diversity)
        diversity_share = float(self.diversity / self.first_diversity.clamp(min=1e-9))
        below = experience.entropy_share < options.entropy_floor or diversity_share < options.diversity_floor
        self._measured = {
            **{f"reward_{name}": value for name, value in experience.terms.items()},
            "kl": experience.divergence,
            "entropy": experience.entropy,
            "entropy_share": experience.entropy_share,
            "diversity": diversity,
            "diversity_share": diversity_share,
            "kl_weight": float(self.kl_weight),
            "tokens": len(rollouts.allowed) / len(rollouts.tokens),
        }
        self.kl_weight.mul_(self.controller.factor(experience.divergence, below))
        return experience, log_probs

    def _rollouts(
        self, prompts: Sequence[Tune], group: int, model: TokenModel | None = None
    ) -> tuple[_Experience, Tensor]:
        options, device = self.options, self.kl_weight.device
        model = model or self.policy
        rollouts = sample_rollouts(
            model, self.tokenizer, prompts, options.bars, group, Sampling(), max_tokens=options.max_tokens
        )
        found = [self.reward(tail, prompt) for tail, prompt in zip(rollouts.tails, rollouts.prompts, strict=True)]
        terms = {name: sum(values[name] for values in found) / len(found) for name in found[0]}
        rewards = torch.tensor([values[TOTAL] for values in found], device=device)
        mine = rollouts.log_distribution(model)
        with torch.no_grad():
            theirs = rollouts.log_distribution(self.reference)
            entropies = [float(entropy(distribution).mean()) for distribution in (mine, theirs)]
        log_probs, reference = rollouts.taken(mine), rollouts.taken(theirs)
        share = entropies[0] / max(entropies[1], 1e-9)
        return _Experience(rollouts, rewards, terms, log_probs.detach(), reference, entropies[0], share), log_probs

    @torch.no_grad()
    def _validation(self, prompts: Sequence[Tune]) -> dict[str, Tensor]:
        """Measures on prompts that were held out; the loss is the negative reward, and 1 more where a floor is broken.

        Rewards lie in 0..1: a policy below a floor, or far beyond the target divergence, is never the best.
        """
        options = self.options
        seed = torch.random.get_rng_state()
        policy, _ = self._rollouts(prompts, VALIDATION_TAILS)
        if self._usual is None:  # prompts and random numbers are the same in all validations
            torch.random.set_rng_state(seed)
            self._usual, _ = self._rollouts(prompts, VALIDATION_TAILS, self.reference)
        reference = self._usual
        diversity, usual = (distinct_ngrams(made.rollouts.tails) for made in (policy, reference))
        broken = diversity < options.diversity_floor * usual or policy.entropy_share < options.entropy_floor
        if options.kl_target > 0 and options.kl_weight > 0:
            broken = broken or policy.divergence > KL_SLACK * options.kl_target
        reward = float(policy.rewards.mean())
        measures = {
            "loss": float(broken) - reward,
            "reward_reference": float(reference.rewards.mean()),
            **{f"reward_{name}": value for name, value in policy.terms.items()},
            "kl": policy.divergence,
            "entropy_share": policy.entropy_share,
            "diversity_share": diversity / max(usual, 1e-9),
        }
        return {name: torch.tensor(value) for name, value in measures.items()}


def _policy_gradient(
    log_probs: Tensor, experience: _Experience, options: FineTuning, kl_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Mean over the actions of the surrogate of RLOO or GRPO."""
    rollouts, rewards = experience.rollouts, experience.rewards
    if options.algorithm == "rloo":
        rewards = rewards - kl_weight * rollouts.totals(experience.behaviour - experience.reference)
    advantages = leave_one_out if options.algorithm == "rloo" else standardised
    by_rollout = advantages(rewards.view(-1, rollouts.group)).flatten()
    losses = surrogate(log_probs, experience.behaviour, by_rollout[rollouts.rows], options.clip)
    if options.algorithm == "grpo":
        losses = losses + kl_weight * k3(log_probs, experience.reference)
    moved = ((log_probs.detach() - experience.behaviour).exp() - 1).abs() > options.clip
    return losses.mean(), {"clipped": float(moved.float().mean())}


def _preferences(
    log_probs: Tensor, experience: _Experience, options: FineTuning, kl_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Mean loss of pairs within each group: the best quarter with the worst quarter, the best with the worst first."""
    rollouts, size = experience.rollouts, experience.rollouts.group
    order = experience.rewards.view(-1, size).argsort(dim=1, descending=True, stable=True)
    order = order + size * torch.arange(len(order), device=order.device)[:, None]
    pairs = max(size // 4, 1)
    chosen, rejected = order[:, :pairs].flatten(), order.flip(1)[:, :pairs].flatten()
    differ = experience.rewards[chosen] > experience.rewards[rejected]
    if not differ.any():
        return log_probs.sum() * 0, {"margin": 0.0, "pairs": 0.0}
    log_ratios = rollouts.totals(log_probs - experience.reference)
    better, worse = log_ratios[chosen[differ]], log_ratios[rejected[differ]]
    losses = preference_loss(better, worse, kl_weight, options.positive_weight)
    margin = float((better - worse).detach().mean())
    return losses.mean(), {"margin": margin, "pairs": float(differ.sum()), "chosen": float(better.detach().mean())}

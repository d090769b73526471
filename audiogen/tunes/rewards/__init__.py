"""Rewards: rules that a tail should fulfil, each a number in 0..1, combined in a weighted mean.

Planners search for tails of high reward (`audiogen.tunes.planning`), fine-tuning trains a Model on one. Every rule of
`REWARDS` is multiplied by the `Passage.substance`, so that silence, a single note, or notes without end fulfil none::

    reward = build_reward(["ending:G", "range:..B5=2"]).given(prompt, bars=16)
    reward(tail)                    # 0..1
"""

from __future__ import annotations

from audiogen.tunes.rewards.base import RewardValue, Rule
from audiogen.tunes.rewards.passage import Passage, bar_line_after
from audiogen.tunes.rewards.registry import REWARDS
from audiogen.tunes.rewards.weighted import WeightedReward, build_reward, parse_rewards, read_rewards, weighted_mean

__all__ = [
    "REWARDS",
    "Passage",
    "RewardValue",
    "Rule",
    "WeightedReward",
    "bar_line_after",
    "build_reward",
    "parse_rewards",
    "read_rewards",
    "weighted_mean",
]

"""Monte Carlo tree search over bars, with the token Model as policy and whole tails as rollouts.

PUCT (Silver et al. 2017, "Mastering the game of Go without human knowledge"; for music Ferreira et al. 2022, arXiv
2208.14345) in a tree of bars that the Model sampled (Hubert et al. 2021, "Learning and planning in complex action
spaces", arXiv 2104.06303), with progressive widening (Coulom 2007, "Computing Elo ratings"). The best tail is
remembered, as in a game of one player (Schadd et al. 2008, "Single-player Monte-Carlo tree search"). Rollouts are
particles, which are resampled by the reward of the tail so far (cf. Macfarlane et al. 2024, arXiv 2402.07963).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch

from audiogen.tunes.particle_filter import resample_particles
from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import Planner, Search

EXPLORATION = 0.4
"""Weight of the exploration term of PUCT, relative to rewards scaled to 0..1 within the tree."""
BEST_WEIGHT = 0.7
"""Weight of the best reward below a node in its value; the mean has the rest. One tail is wanted, not a policy."""
WIDENING, WIDENING_POWER = 1.5, 0.75
"""A node visited n times has enough children from ``WIDENING x n ^ WIDENING_POWER`` on."""
GROUPS = 2  # nodes that are selected for one batch of rollouts
SHARPNESS = 20.0
"""Particles and priors are weighted by exp(``SHARPNESS`` x reward of the tail so far)."""


@dataclass(eq=False)
class Node:
    """A beginning of a tail, up to a bar line.

    Args:
        branch: decoder and state of the Model; the state of a complete tail is None.
        parent: a bar before; None for the root.
        partial: reward of the tail so far, by the rules that do not need its end.
    """

    branch: Branch
    parent: Node | None = None
    partial: float = 0.0
    sampled: int = 0  # times that the Model sampled this bar here
    children: dict[tuple[int, ...], Node] = field(default_factory=dict)
    visits: int = 0
    total: float = 0.0
    best: float = 0.0
    pending: int = 0  # rollouts under way

    @property
    def value(self) -> float:
        """Mixture of the best and the mean reward below; 0 before any."""
        return BEST_WEIGHT * self.best + (1 - BEST_WEIGHT) * self.total / self.visits if self.visits else 0.0

    def is_wide(self) -> bool:
        """Whether it has enough children for its visits, those that are under way included."""
        visits = self.visits + self.pending
        return len(self.children) + self.pending >= max(WIDENING * visits**WIDENING_POWER, 1.0)

    def line(self) -> Iterator[Node]:
        """The node, its parent, and so on up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def prior(self) -> float:
        """Weight among its siblings: how often it was sampled, times how good it looks so far."""
        return self.sampled * math.exp(SHARPNESS * (self.partial - 1))


@dataclass
class _Rollout:
    """A particle: the node that it has reached."""

    node: Node
    log_weight: float = 0.0

    def branch(self) -> _Rollout:
        return replace(self)


class TreeSearch(Planner):
    """Search in a tree of bars.

    In each round, `GROUPS` beginnings are selected from the root by PUCT, and each is sampled on to the end of the tail
    by several particles, in one batch. All bars of these rollouts join the tree with the state of the Model after them,
    so that whatever is selected later costs only its own bars. As the budget is spent, the root moves on along the best
    tail found so far, bar by bar, and keeps the tree below it: later bars are cheap to sample, and get more tries. The
    result is the best tail of all. The first round is sampled from the root without resampling.
    """

    kind = "mcts"

    def search(self, search: Search) -> None:
        root = Node(search.sampler.root())
        ends = self._roll_out(search, [[_Rollout(root) for _ in range(search.affordable(self.width))]], guided=False)
        depth, moved, low = sum(1 for _ in ends[0].line()) - 1, 0, min(end.total for end in ends)
        while count := search.affordable(self.width):
            groups = []
            for size in _split(count, GROUPS):
                node = self._select(root, low, search.best_reward)
                for each in node.line():
                    each.pending += size
                groups.append([_Rollout(node) for _ in range(size)])
            nodes = [(group[0].node, len(group)) for group in groups]
            ends = self._roll_out(search, groups)
            for node, size in nodes:
                for each in node.line():
                    each.pending -= size
            low = min(low, *(end.total / end.visits for end in ends))
            while moved < depth - 1 and search.spent > (moved + 1) / depth:
                root, moved = max(root.children.values(), key=lambda child: child.best), moved + 1
                root.parent = None

    def _roll_out(self, search: Search, groups: list[list[_Rollout]], guided: bool = True) -> list[Node]:
        """Sample all rollouts to the end, judge them, and return their last nodes."""
        sampler = search.sampler
        while active := [rollout for group in groups for rollout in group if rollout.node.branch.state is not None]:
            paths = sampler.extend([rollout.node.branch for rollout in active], bars=1)
            for rollout, [branch] in zip(active, paths, strict=True):
                parent = rollout.node
                node = parent.children.get(branch.last_bar)
                if node is None:
                    partial = search.partial(branch) if branch.state is not None else 1.0
                    node = parent.children[branch.last_bar] = Node(branch, parent, partial)
                node.sampled += 1
                rollout.node, rollout.log_weight = node, SHARPNESS * node.partial
            if guided:
                groups = [_resampled(group, sampler.sampling.generator) for group in groups]
        ends = [rollout.node for group in groups for rollout in group]
        for end, reward in zip(ends, search.judge([end.branch for end in ends]), strict=True):
            for node in end.line():
                node.visits += 1
                node.total += reward
                node.best = max(node.best, reward)
        return ends

    def _select(self, root: Node, low: float, high: float) -> Node:
        """The node to sample on from: the first on the way down that may have more children."""
        node = root
        while node.is_wide() and (following := self._most_promising(node, low, high)) is not None:
            node = following
        return node

    def _most_promising(self, node: Node, low: float, high: float) -> Node | None:
        """The child of the highest upper confidence bound; None if all children are complete tails."""
        visits = node.visits + node.pending
        priors = sum(child.prior() for child in node.children.values())
        best, found = -math.inf, None
        for child in node.children.values():
            if child.branch.state is None:
                continue
            # A visit that is under way counts as one without reward, so that a batch spreads (virtual loss).
            tried = child.visits + child.pending
            value = (child.value - low) / max(high - low, 1e-9) * child.visits / max(tried, 1)
            score = value + EXPLORATION * child.prior() / priors * math.sqrt(visits) / (1 + tried)
            if score > best:
                best, found = score, child
        return found


def _resampled(group: list[_Rollout], random: torch.Generator | None) -> list[_Rollout]:
    return group if group[0].node.branch.state is None else resample_particles(group, random)


def _split(count: int, parts: int) -> list[int]:
    """``count`` in up to ``parts`` nearly equal parts, none of them 0."""
    return [count // parts + (index < count % parts) for index in range(min(parts, count))]

"""Monte Carlo tree search over bars, with the token Model as policy and whole tails as rollouts.

PUCT (Silver et al. 2017, "Mastering the game of Go without human knowledge"; for music Ferreira et al. 2022, arXiv
2208.14345) in a tree of bars that the Model sampled (Hubert et al. 2021, "Learning and planning in complex action
spaces", arXiv 2104.06303), with progressive widening (Coulom 2007, "Computing Elo ratings"). The best tail is
remembered, as in a game of one player (Schadd et al. 2008, "Single-player Monte-Carlo tree search"), and the rollouts
of a batch compete bar by bar (cf. Baier & Winands 2012, "Beam Monte-Carlo tree search").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from audiogen.tunes.particle_filter import systematic
from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import UNPLANNED, Planner, Search

EXPLORATION = 0.2
"""Weight of the exploration term of PUCT, relative to rewards scaled to 0..1 within the tree."""
BEST_WEIGHT = 0.7
"""Weight of the best reward below a node in its value; the mean has the rest. One tail is wanted, not a policy."""
WIDENING, WIDENING_POWER = 1.5, 0.75
"""A node visited n times has enough children from ``WIDENING x n ^ WIDENING_POWER`` on."""
SHARPNESS = 20.0
"""Priors are weighted by exp(``SHARPNESS`` x reward of the tail so far)."""
STAY = 0.5  # fraction of the budget before the start moves
MIN_WORK = 0.01  # of a rollout, in tails
COMPETITION = 60.0
"""Beginnings are continued in proportion to exp(``COMPETITION`` x reward so far): 0.05 more is 20 times as often."""


@dataclass(eq=False)
class Node:
    """A beginning of a tail, up to a bar line.

    Args:
        branch: decoder and state of the Model; the state of a complete tail is None.
        parent: a bar before; None for the root.
        partial: reward of the tail so far, by the rules that do not need its end.
        depth: number of bars.
    """

    branch: Branch
    parent: Node | None = None
    partial: float = 0.0
    depth: int = 0
    sampled: int = 0  # times that the Model sampled this bar here
    children: dict[tuple[int, ...], Node] = field(default_factory=dict)
    visits: int = 0
    total: float = 0.0
    best: float = 0.0

    @property
    def is_complete(self) -> bool:
        return self.branch.state is None

    @property
    def value(self) -> float:
        """Mixture of the best and the mean reward below; 0 before any."""
        return BEST_WEIGHT * self.best + (1 - BEST_WEIGHT) * self.total / self.visits if self.visits else 0.0

    @property
    def prior(self) -> float:
        """Weight among its siblings: how often it was sampled, times how good it looks so far."""
        return self.sampled * math.exp(SHARPNESS * (self.partial - 1))

    @property
    def is_wide(self) -> bool:
        """Whether it has enough children for its visits."""
        return len(self.children) >= max(WIDENING * self.visits**WIDENING_POWER, 1.0)

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is to be sampled after it: it is complete, or its many children are."""
        return self.is_complete or (self.is_wide and all(child.is_complete for child in self.children.values()))

    def line(self) -> Iterator[Node]:
        """The node, its parent, and so on up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def most_promising(self, low: float, high: float) -> Node | None:
        """The child of the highest upper confidence bound, for rewards ``low`` to ``high``, or None.

        Exhausted children are left out.
        """
        open_children = [child for child in self.children.values() if not child.is_exhausted]
        priors = sum(child.prior for child in open_children)
        span = max(high - low, 1e-9)

        def bound(child: Node) -> float:
            exploration = child.prior / priors * math.sqrt(self.visits) / (1 + child.visits)
            return (child.value - low) / span + EXPLORATION * exploration

        return max(open_children, key=bound, default=None)


class TreeSearch(Planner):
    """Search in a tree of bars.

    In each round, a beginning is selected by PUCT, and sampled on to the end of the tail by a batch of rollouts. After
    each bar, those with the highest reward so far are continued most. All bars join the tree with the state of the
    Model after them, so that whatever is selected later costs only its own bars. In the second half of the budget,
    every other round starts no longer from the root but along the best tail found so far, a bar further on each time:
    later bars are cheap to sample, and get more tries. The rounds between still search the whole tree, since the best
    tail so far may begin in a way from which no tail ends as it should. The result is the best tail of all.
    """

    kind = "mcts"

    def search(self, search: Search) -> None:
        root = start = Node(search.sampler.root())
        ends = self._roll_out(search, root, max(search.affordable(UNPLANNED), 1), compete=False)
        bars, low, whole = ends[0].depth, min(end.best for end in ends), False
        while search.spent < 1:
            node, whole = self._select(root if whole else start, low, search.best_reward), not whole
            count = search.affordable(self.width, max(1 - node.depth / bars, MIN_WORK))
            if not count:
                break
            ends = self._roll_out(search, node, count, compete=True)
            low = min(low, *(end.best for end in ends))
            while search.spent > STAY + (1 - STAY) * (start.depth + 1) / bars:
                best = max(start.children.values(), key=lambda child: child.best, default=None)
                if best is None or best.is_complete:
                    break
                start = best

    def _select(self, root: Node, low: float, high: float) -> Node:
        """The node to sample on from: the first on the way down that may have more children."""
        node = root
        while node.is_wide and (following := node.most_promising(low, high)) is not None:
            node = following
        return node

    def _roll_out(self, search: Search, start: Node, count: int, compete: bool) -> list[Node]:
        """Sample ``count`` rollouts to the end, and judge them.

        Args:
            search: the search.
            start: where they begin; not complete.
            count: their number.
            compete: whether they go on, after each bar, from the best beginnings that are known after the same nodes.

        Returns:
            The last node of each.
        """
        nodes, ends = [start] * count, list[Node]()
        while nodes:
            paths = search.sampler.extend([node.branch for node in nodes], bars=1)
            reached = [self._child(search, node, path[-1]) for node, path in zip(nodes, paths, strict=True)]
            parents = dict.fromkeys(nodes)
            ends += [node for node in reached if node.is_complete]  # tails of equal duration may differ in bars
            nodes = [node for node in reached if not node.is_complete]
            if compete and nodes:
                known = [child for node in parents for child in node.children.values() if not child.is_exhausted]
                nodes = _resampled(known or nodes, len(nodes), search.sampler.sampling.generator)
        end_tick = ends[-1].branch.decoder.tick
        fraction = (end_tick - start.branch.decoder.tick) / max(end_tick - search.sampler.first_tick, 1)
        rewards = search.judge([end.branch for end in ends], max(fraction, MIN_WORK))
        for end, reward in zip(ends, rewards, strict=True):
            for node in end.line():
                node.visits += 1
                node.total += reward
                node.best = max(node.best, reward)
        return ends

    def _child(self, search: Search, parent: Node, branch: Branch) -> Node:
        """The node of a bar that was sampled after a node."""
        child = parent.children.get(branch.last_bar)
        if child is None:
            partial = 1.0 if branch.state is None else search.partial(branch)
            child = parent.children[branch.last_bar] = Node(branch, parent, partial, parent.depth + 1)
        child.sampled += 1
        return child


def _resampled(nodes: Sequence[Node], count: int, random: torch.Generator | None) -> list[Node]:
    """``count`` of some nodes, in proportion to how good they look so far."""
    weights = (COMPETITION * torch.tensor([node.partial for node in nodes], dtype=torch.float64)).softmax(0)
    return [nodes[index] for index in systematic(weights, count, random).tolist()]

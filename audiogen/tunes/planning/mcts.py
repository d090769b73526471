"""Monte Carlo tree search over bars, with the token Model as policy and whole tails as rollouts.

PUCT (Silver et al. 2017, "Mastering the game of Go without human knowledge"; for music Ferreira et al. 2022, arXiv
2208.14345) in a tree of bars that the Model sampled (Hubert et al. 2021, "Learning and planning in complex action
spaces", arXiv 2104.06303), many leaves at a time with visits that are still virtual (Chaslot et al. 2008, "Parallel
Monte-Carlo tree search"). The best tail is remembered, as in a game of one player (Schadd et al. 2008, "Single-player
Monte-Carlo tree search"), and the rollouts of a batch compete bar by bar (cf. Baier & Winands 2012, "Beam Monte-Carlo
tree search"). Where a Model is sure of itself, a node yields the same tail again and again; how likely the next one is
new is estimated from the tails that were found a single time (Good 1953, "The population frequencies of species and the
estimation of population parameters").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from audiogen.tunes.model_state import state_bytes
from audiogen.tunes.particle_filter import systematic
from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import UNPLANNED, Planner, Search

EXPLORATION = 1.0
"""Weight of the exploration term of PUCT, relative to rewards scaled to 0..1 within the tree."""
BEST_WEIGHT = 0.7
"""Weight of the best reward below a node in its value; the mean has the rest. One tail is wanted, not a policy."""
SHARPNESS = 20.0
"""Priors are weighted by exp(``SHARPNESS`` x reward of the tail so far)."""
COMPETITION = 30.0
"""Beginnings are continued in proportion to exp(``COMPETITION`` x reward so far): 0.1 more is 20 times as often."""
FEWEST = 4  # tails of a batch, before the rest of a budget is spent on last bars
MAX_BYTES, DECODER_BYTES = 500_000_000, 40_000  # of all nodes; of a decoder, about


@dataclass(eq=False)
class Node:
    """A beginning of a tail, up to a bar line.

    Args:
        branch: decoder and state of the Model.
        parent: a bar before; None for the root.
        partial: reward of the tail so far, by the rules that do not need its end.
        depth: number of bars.

    Attributes:
        sampled: times that the Model sampled this bar here.
        children: by the tokens of their bar.
        visits: tails below that were judged.
        total: sum of their rewards.
        best: the largest.
        once: number of tails below that were found a single time.
    """

    branch: Branch
    parent: Node | None = None
    partial: float = 0.0
    depth: int = 0
    sampled: int = field(default=0, init=False)
    children: dict[tuple[int, ...], Node] = field(default_factory=dict, init=False)
    visits: int = field(default=0, init=False)
    total: float = field(default=0.0, init=False)
    best: float = field(default=0.0, init=False)
    once: int = field(default=0, init=False)

    @property
    def is_complete(self) -> bool:
        return self.branch.is_complete

    @property
    def value(self) -> float:
        """Mixture of the best and the mean reward below; 0 before any."""
        return BEST_WEIGHT * self.best + (1 - BEST_WEIGHT) * self.total / self.visits if self.visits else 0.0

    @property
    def prior(self) -> float:
        """Weight among those of its depth: how often it was sampled, times how good it looks so far."""
        return self.sampled * math.exp(SHARPNESS * (self.partial - 1))

    @property
    def novelty(self) -> float:
        """Probability that the next tail below is a new one, after Good (1953), with one more of each: 1 before any."""
        return (self.once + 1) / (self.visits + 1)

    def line(self) -> Iterator[Node]:
        """The node, its parent, and so on up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class TreeSearch(Planner):
    """Search in a tree of bars.

    A round samples a batch of tails to their end: in turn whole ones, their second half, their last quarter, and so on
    to the last bar, each in the same share of the work, so that of the cheap ends many are tried. They begin where PUCT
    says, among all nodes of that depth. After each bar, those with the highest reward so far are continued most, be
    they new or known. All bars join the tree with the state of the Model after them, so that whatever begins there
    later costs only its own bars. The result is the best tail of all.
    """

    kind = "mcts"

    def search(self, search: Search) -> None:
        tree = Tree(search)
        count = search.affordable(self.width)
        ends = tree.roll_out([tree.root] * count, unplanned=min(UNPLANNED, count))
        bars = round(float(np.median([end.depth for end in ends])))  # tails of equal duration may differ in bars
        depths = halvings(bars)
        spent = dict.fromkeys(depths, 0.0)
        spent[0] = search.effort
        while search.spent < 1:
            depth = min(depths, key=lambda depth: spent[depth])
            count = search.affordable(self.width, 1 - depth / bars)
            if count < FEWEST:
                depth = depths[-1]
                count = search.affordable(self.width, 1 - depth / bars)
            if not count:
                break
            before = search.effort
            tree.roll_out(tree.starts(depth, count))
            spent[depth] += search.effort - before


def halvings(bars: int) -> list[int]:
    """The bars at which a tail, its second half, its last quarter, ..., and its last bar begin."""
    left = [bars]
    while left[-1] > 1:
        left.append(-(-left[-1] // 2))
    return [bars - each for each in left]


class Tree:
    """All bars that were sampled.

    Args:
        search: has the budget, and keeps the best tail.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.root = Node(search.sampler.root())
        self.root.sampled = 1
        self.by_depth: list[list[Node]] = [[self.root]]
        self.low = 1.0  # the worst reward of a tail so far
        self.max_nodes = MAX_BYTES // (DECODER_BYTES + state_bytes(self.root.branch.state))

    @property
    def size(self) -> int:
        """Number of nodes."""
        return sum(len(nodes) for nodes in self.by_depth)

    def starts(self, depth: int, count: int) -> list[Node]:
        """Nodes of a depth, none complete, of which a batch of tails is sampled on, by PUCT.

        They are those of the highest upper confidence bound, for rewards scaled to 0..1 within the tree, times their
        novelty. Each one that is chosen counts as a visit at once, and as one that found nothing new.
        """
        nodes = [node for node in self.by_depth[depth] if not node.is_complete] or [self.root]
        span = max(self.search.best_reward - self.low, 1e-9)
        visits, once = (np.array([getattr(node, name) for node in nodes]) for name in ("visits", "once"))
        value = np.where(visits > 0, (np.array([node.value for node in nodes]) - self.low) / span, 0.0)
        exploration = np.array([node.prior for node in nodes])
        exploration *= EXPLORATION * math.sqrt(visits.sum()) / exploration.sum()
        chosen = []
        for _ in range(count):
            index = int(np.argmax((once + 1) / (visits + 1) * (value + exploration / (visits + 1))))
            visits[index] += 1
            chosen.append(nodes[index])
        return chosen

    def roll_out(self, starts: Sequence[Node], unplanned: int = 0) -> list[Node]:
        """Sample tails on to the end, and judge them.

        Args:
            starts: where they begin, of one depth.
            unplanned: number of them, the first ones, that do not compete: they go on from what they sampled. The
                others go on, after each bar, from the best beginnings that are known after the same nodes.

        Returns:
            The last node of each.
        """
        alone, rows = list(starts[:unplanned]), list(starts[unplanned:])
        sampled, planned = list[Node](), list[Node]()
        while alone or rows:
            ends = self.search.extend([node.branch for node in (*alone, *rows)])
            reached = [self._child(node, end) for node, end in zip((*alone, *rows), ends, strict=True)]
            reached, others = reached[: len(alone)], reached[len(alone) :]
            sampled += [node for node in reached if node.is_complete]
            planned += [node for node in others if node.is_complete]
            alone = [node for node in reached if not node.is_complete]
            going = [node for node in others if not node.is_complete]
            if not alone and not going:
                break
            fitting = self.search.fitting([node.branch for node in (*alone, *going)])
            known = [child for node in dict.fromkeys(rows) for child in node.children.values() if not child.is_complete]
            alone = alone[:fitting]
            count = min(fitting - len(alone), len(going))
            rows = self._competing(known, count) if count else []
        for complete in (sampled, planned):
            if complete:
                self._judge(complete)
        if self.size > self.max_nodes:
            self._forget()
        return [*sampled, *planned]

    def _competing(self, nodes: Sequence[Node], count: int) -> list[Node]:
        """``count`` of some nodes, in proportion to how good they look so far, and to their novelty."""
        looks = torch.tensor([COMPETITION * node.partial + math.log(node.novelty) for node in nodes])
        chosen = systematic(looks.double().softmax(0), count, self.search.sampler.sampling.generator)
        return [nodes[index] for index in chosen.tolist()]

    def _judge(self, complete: Sequence[Node]) -> None:
        rewards = self.search.judge([node.branch for node in complete])
        self.low = min(self.low, *rewards)
        for end, reward in zip(complete, rewards, strict=True):
            found = end.visits  # times before
            for node in end.line():
                node.visits += 1
                node.total += reward
                node.best = max(node.best, reward)
                node.once += (found == 0) - (found == 1)

    def _forget(self) -> None:
        """Drop the worse half of the nodes of each depth, and what is below them."""
        kept = {self.root}
        for nodes in self.by_depth[1:]:
            left = [node for node in nodes if node.parent in kept]
            left.sort(key=lambda node: (node.is_complete, -node.value))
            nodes[:] = left[: -(-len(nodes) // 2)]
            kept.update(nodes)
        for node in kept:
            node.children = {bar: child for bar, child in node.children.items() if child in kept}

    def _child(self, parent: Node, branch: Branch) -> Node:
        """The node of a bar that was sampled after a node."""
        child = parent.children.get(branch.last_bar)
        if child is None:
            partial = 1.0 if branch.is_complete else self.search.partial(branch)
            child = parent.children[branch.last_bar] = Node(branch, parent, partial, parent.depth + 1)
            while len(self.by_depth) <= child.depth:
                self.by_depth.append([])
            self.by_depth[child.depth].append(child)
        child.sampled += 1
        return child

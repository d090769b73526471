"""Monte Carlo tree search over bars, with the token Model as policy and whole tails as rollouts.

PUCT (Silver et al. 2017, "Mastering the game of Go without human knowledge"; for music Ferreira et al. 2022, arXiv
2208.14345) with a tree of bars that the Model sampled (Hubert et al. 2021, "Learning and planning in complex action
spaces", arXiv 2104.06303), progressive widening (Coulom 2007, "Computing Elo ratings"), and the best tail remembered,
as in a game of one player (Schadd et al. 2008, "Single-player Monte-Carlo tree search"; Cazenave 2009, "Nested
Monte-Carlo search").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import Planner, Search

EXPLORATION = 0.4
"""Weight of the exploration term of PUCT, relative to rewards scaled to 0..1 within the tree."""
BEST_WEIGHT = 0.7
"""Weight of the best reward below a node in its value; the mean has the rest. One tail is wanted, not a policy."""
WIDENING, WIDENING_POWER = 1.5, 0.5
"""A node visited n times has at most ``WIDENING x n ^ WIDENING_POWER`` children."""


@dataclass(eq=False)
class Node:
    """A beginning of a tail, up to a bar line.

    Args:
        branch: decoder and state of the Model; the state of a complete tail is None.
        parent: a bar before; None for the root.
        sampled: number of times that the Model sampled this bar here.
    """

    branch: Branch
    parent: Node | None = None
    sampled: int = 1
    children: dict[tuple[int, ...], Node] = field(default_factory=dict)
    visits: int = 0
    total: float = 0.0
    best: float = 0.0
    pending: int = 0

    @property
    def value(self) -> float:
        """Mixture of the best and the mean reward below; 0 before any."""
        if not self.visits:
            return 0.0
        return BEST_WEIGHT * self.best + (1 - BEST_WEIGHT) * self.total / self.visits

    def is_wide(self) -> bool:
        """Whether it has enough children for its visits, those that are under way included."""
        visits = self.visits + self.pending
        return len(self.children) + self.pending >= max(WIDENING * visits**WIDENING_POWER, 1.0)


class TreeSearch(Planner):
    """Search in a tree of bars.

    In each round, as many beginnings as fit in a batch are selected from the root by PUCT, each sampled on to the end
    of the tail, and judged. All bars of these rollouts join the tree with the state of the Model after them, so that
    whatever is selected later costs only its own bars. As the budget is spent, the root moves on along the best tail
    found so far, bar by bar, and keeps the tree below it: later bars are cheap to sample, and get more tries. The
    result is the best tail of all.
    """

    kind = "mcts"

    def search(self, search: Search) -> None:
        sampler = search.sampler
        root = Node(sampler.root())
        depth = None
        low, moved = math.inf, 0
        while count := search.affordable(self.width):
            chosen = [self._select(root, low, search.best_reward) for _ in range(count)]
            paths = sampler.extend([node.branch for node in chosen])
            rewards = search.judge([path[-1] for path in paths])
            low = min(low, *rewards)
            depth = len(paths[0]) if depth is None else depth
            for node, path, reward in zip(chosen, paths, rewards, strict=True):
                self._add(node, path, reward)
            while moved < depth - 1 and search.spent > (moved + 1) / depth:
                following = max(root.children.values(), key=lambda child: child.best)
                if following.branch.state is None:
                    break
                root, moved = following, moved + 1
                root.parent = None

    def _select(self, root: Node, low: float, high: float) -> Node:
        """The node to sample on from: the first on the way down that may have more children."""
        node = root
        while node.is_wide() and node.children:
            following = self._most_promising(node, low, high)
            if following is None:  # all below are complete tails
                break
            node = following
        at: Node | None = node
        while at is not None:
            at.pending += 1
            at = at.parent
        return node

    def _most_promising(self, node: Node, low: float, high: float) -> Node | None:
        visits = node.visits + node.pending
        total = sum(child.sampled for child in node.children.values())
        best, found = -math.inf, None
        for child in node.children.values():
            if child.branch.state is None:
                continue
            # A visit that is under way counts as one without reward, so that a batch spreads (virtual loss).
            tried = child.visits + child.pending
            value = (child.value - low) / max(high - low, 1e-9) * child.visits / max(tried, 1)
            score = value + EXPLORATION * child.sampled / total * math.sqrt(visits) / (1 + tried)
            if score > best:
                best, found = score, child
        return found

    def _add(self, node: Node, path: list[Branch], reward: float) -> None:
        """Add the bars of a rollout below a node, and its reward to all nodes on the way."""
        at: Node | None = node
        while at is not None:
            at.pending -= 1
            at = at.parent
        for branch in path:
            known = node.children.get(branch.last_bar)
            if known is None:
                known = node.children[branch.last_bar] = Node(branch, node, sampled=0)
            known.sampled += 1
            node = known
        at = node
        while at is not None:
            at.visits += 1
            at.total += reward
            at.best = max(at.best, reward)
            at = at.parent

"""Planners: they find what is rewarded, keep to their budget, and do the same again with the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.models import Model, Sampling, State
from audiogen.models.heads.categorical import sample_tokens
from audiogen.tunes.model_state import state_bytes
from audiogen.tunes.planning import PLANNERS, Budget, Plan, branches, mcts
from audiogen.tunes.planning.branches import Branch, TailSampler
from audiogen.tunes.planning.mcts import Node, Tree, TreeSearch
from audiogen.tunes.planning.planner import Search
from audiogen.tunes.rewards import WeightedReward
from audiogen.tunes.rewards.weighted import FunctionRule
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.notes_tokenizer import PITCH, NotesOptions
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import TuneContinuer, markov_chain
from tests.tunes.rewards.tunes import BAR, PROMPT

PITCHES = (60, 64, 67)
BARS = 4
STEPS = 4 * BARS  # quarter notes
TARGET = np.random.default_rng(5).choice(PITCHES, STEPS)


class Few(Model):
    """Quarter notes of a few pitches, all equally likely."""

    tokens = True

    def __init__(self, pitches: tuple[int, ...] = PITCHES) -> None:
        super().__init__()
        self.pitches = pitches

    def loss(self, frames: Tensor) -> dict[str, Tensor]:
        return {}

    def start(self, prompt: Tensor) -> State:
        return prompt[:, -1:]

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        logits = torch.full((len(state), 4 + 128), -torch.inf)
        logits[:, [PITCH + pitch for pitch in self.pitches]] = 0
        token = sample_tokens(logits, sampling)
        return token, token[:, None]


def hits(tail: Tune) -> float:
    """Fraction of the tail's pitches that are those of the target: 1/3 by chance."""
    pitches = tail.notes["pitch"]
    return float((pitches == TARGET[: len(pitches)]).mean()) if len(pitches) else 0.0


REWARD = WeightedReward(((FunctionRule("hits", hits), 1.0),))


def sampler(seed: int = 0, bars: int = BARS, pitches: tuple[int, ...] = PITCHES) -> TailSampler:
    tokenizer = TOKENIZERS["notes"](NotesOptions(resolution=1))
    continuer = TuneContinuer(Few(pitches), tokenizer, PROMPT)
    return TailSampler(continuer, continuer.length(bars=bars), Sampling(generator=torch.Generator().manual_seed(seed)))


@cache
def planned(kind: str, simulations: int, seed: int = 0, bars: int = BARS) -> Plan:
    return PLANNERS[kind]().plan(sampler(seed, bars), REWARD, Budget(simulations))


@pytest.mark.parametrize("kind", list(PLANNERS))
def test_within_its_budget_and_again_the_same(kind: str) -> None:
    plan = planned(kind, 64)
    again = PLANNERS[kind]().plan(sampler(), REWARD, Budget(64))
    assert plan.simulations >= 64  # tails that share their beginnings cost less
    assert plan.tokens <= 1.1 * 64 * STEPS + 16 * STEPS
    assert np.array_equal(plan.tail.notes, again.tail.notes)
    assert plan.progress == again.progress
    assert plan.reward == pytest.approx(hits(plan.tail))
    assert len(plan.tail.notes) == STEPS
    other = PLANNERS[kind]().plan(sampler(seed=1), REWARD, Budget(64))
    assert not np.array_equal(plan.tail.notes, other.tail.notes)


@pytest.mark.parametrize("kind", list(PLANNERS))
def test_the_mean_without_a_plan_is_that_of_the_model(kind: str) -> None:
    """The first tails are sampled without a plan: a third of their notes is right."""
    values = [planned(kind, 4, seed).unplanned for seed in range(8)]
    assert np.mean(values) == pytest.approx(1 / 3, abs=0.07)  # of 32 tails of 16 notes the error is 0.021


@pytest.mark.parametrize("kind", ["mcts", "beam", "smc"])
def test_a_search_beats_sampling_with_as_many_tails(kind: str) -> None:
    searched, sampled = ([planned(each, 64, seed).reward for seed in range(2)] for each in (kind, "best-of"))
    assert min(searched) > max(sampled)


def test_tree_search_finds_a_known_optimum() -> None:
    """Of the 256 tails of two bars and two pitches one is right; 60 samples find it with a chance of 21 %."""
    target = (60, 67, 67, 60, 67, 60, 60, 67)

    def right(tail: Tune) -> float:
        pitches = tail.notes["pitch"]
        return float((pitches == target[: len(pitches)]).mean())

    reward = WeightedReward(((FunctionRule("right", right), 1.0),))
    plans = [TreeSearch().plan(sampler(seed, 2, (60, 67)), reward, Budget(200)) for seed in range(4)]
    assert [plan.reward for plan in plans] == [1.0] * 4
    assert np.median([plan.simulations for plan in plans]) <= 100  # and then the search ends


@pytest.mark.parametrize("kind", list(PLANNERS))
def test_a_longer_search_finds_better_tails_in_the_mean(kind: str) -> None:
    first, short, long = (np.mean([planned(kind, budget, seed).reward for seed in range(4)]) for budget in (4, 16, 128))
    assert first < short < long


@pytest.mark.parametrize("kind", list(PLANNERS))
@pytest.mark.parametrize("budget", [1, 5, 16])
def test_the_first_tails_are_not_forgotten(kind: str, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sampled without a plan: the best of them is the least that a search returns."""
    judged = list[list[float]]()

    def judge(search: Search, complete: Sequence[Branch], own: Callable = Search.judge) -> list[float]:
        judged.append(own(search, complete))
        return judged[-1]

    monkeypatch.setattr(Search, "judge", judge)
    for seed in range(4):
        judged.clear()
        plan = PLANNERS[kind]().plan(sampler(seed), REWARD, Budget(budget))
        assert len(judged[0]) >= min(budget, 4)
        assert plan.unplanned == pytest.approx(np.mean(judged[0]))
        assert plan.reward == max(map(max, judged)) >= max(judged[0])
        assert plan.simulations == sum(map(len, judged)) >= budget


def test_the_tree_is_kept() -> None:
    """Beginnings that are continued again are not sampled again: more tails are judged for the same work."""
    tree, independent = planned("mcts", 128), planned("best-of", 64)
    assert tree.simulations > 140
    assert tree.work == pytest.approx(128, abs=1)
    assert independent.simulations == independent.work == 64


def test_all_parts_of_a_tail_get_their_share() -> None:
    """Whole tails, halves, and last bars are sampled in turn: of four bars 32, 16 and 8 notes for each 8 rollouts."""
    begun = Counter[int]()

    class Recorded(Tree):
        def roll_out(self, starts: Sequence[Node], unplanned: int = 0) -> list[Node]:
            assert len({node.depth for node in starts}) == 1
            begun[starts[0].depth] += len(starts)
            return super().roll_out(starts, unplanned)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mcts, "Tree", Recorded)
        TreeSearch(width=8).plan(sampler(), REWARD, Budget(400))
    assert set(begun) == {0, 2, 3}
    assert begun[2] == pytest.approx(2 * begun[0], rel=0.2)
    assert begun[3] == pytest.approx(4 * begun[0], rel=0.2)


@pytest.mark.parametrize(("bars", "depths"), [(1, [0]), (2, [0, 1]), (5, [0, 2, 3, 4]), (8, [0, 4, 6, 7])])
def test_parts_are_halved_down_to_a_bar(bars: int, depths: list[int]) -> None:
    assert mcts.halvings(bars) == depths


def tree_of(*children: tuple[float, int, float, int]) -> Tree:
    """A tree of incomplete first bars: reward so far, visits, mean and best reward of each, and tails found once."""
    search = Search(sampler(), REWARD, Budget(1))
    search.best_reward = 1.0
    tree = Tree(search)
    tree.low, nodes = 0.0, []
    for partial, visits, mean, once in children:
        node = Node(sampler().root(), tree.root, partial, 1)
        node.sampled, node.visits, node.total, node.best, node.once = 1, visits, visits * mean, mean, once
        nodes.append(node)
    tree.by_depth.append(nodes)
    return tree


def test_a_batch_begins_where_it_was_good_or_little_was_tried() -> None:
    tree = tree_of((0.5, 50, 0.8, 50), (0.5, 50, 0.2, 50))
    good, bad = tree.by_depth[1]
    assert good.value == pytest.approx(0.8)
    assert tree.starts(1, 4) == [good] * 4
    new = Node(sampler().root(), tree.root, 0.5, 1)
    new.sampled = 1
    tree.by_depth[1].append(new)
    starts = Counter(map(id, tree.starts(1, 32)))
    assert starts[id(good)] > starts[id(new)] > starts[id(bad)] == 0
    tree.low = 0.7  # a reward of which 0.7 is for nothing
    good.total, good.best, bad.total, bad.best = 50 * 0.94, 0.94, 50 * 0.76, 0.76
    assert Counter(map(id, tree.starts(1, 32))) == starts
    good.branch.state = None  # complete
    assert good not in tree.starts(1, 32)


def test_a_batch_does_not_begin_where_nothing_new_is_found() -> None:
    """A Model that is sure of itself plays the same tail again, which was the best."""
    tree = tree_of((0.5, 50, 0.8, 0), (0.5, 50, 0.6, 40))
    sure, other = tree.by_depth[1]
    assert (sure.novelty, other.novelty) == (pytest.approx(1 / 51), pytest.approx(41 / 51))
    assert tree.starts(1, 8) == [other] * 8
    lucky = tree_of((0.5, 1, 1.0, 1), (0.5, 50, 0.7, 50))
    starts = lucky.starts(1, 32)
    assert 0 < starts.count(lucky.by_depth[1][0]) < 16  # one tail says little: the batch is spread


def test_tails_that_are_found_again_are_counted() -> None:
    """Of two pitches and one bar there are 16 tails: soon nothing is new."""
    search = Search(
        sampler(0, 1, (60, 67)), WeightedReward(((FunctionRule("half", lambda tail: 0.5), 1.0),)), Budget(9)
    )
    tree = Tree(search)
    tree.roll_out([tree.root] * 8)
    ends = list(tree.root.children.values())
    assert tree.root.visits == sum(end.visits for end in ends) == 8
    assert tree.root.once == sum(end.visits == 1 for end in ends) > 0
    tree.roll_out([tree.root] * 300)
    assert tree.root.once == 0
    assert tree.root.novelty == pytest.approx(1 / 309)


def test_states_of_a_markov_chain_and_of_events() -> None:
    """Tails of the scheme events have whole bars and begin after the prompt, whatever bar they branch from."""
    tokenizer = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    chain = markov_chain([PROMPT], tokenizer, 4, keys=(0,))
    continuer = TuneContinuer(chain, tokenizer, PROMPT)
    tails = TailSampler(continuer, continuer.length(bars=3), Sampling(generator=torch.Generator().manual_seed(0)))
    [path] = tails.extend([tails.root()])
    assert [branch.decoder.bar for branch in path] == [5, 6, 7]
    [again] = tails.extend([path[0]])
    assert len(again) == 2
    first = [len(tails.tail(branch).notes) for branch in path]
    assert first == sorted(first)
    begun, whole = tails.tail(path[0]).notes, tails.tail(again[-1]).notes[: first[0]]
    for column in ("start", "pitch"):  # a note that is held over the bar line ends with the beginning
        assert np.array_equal(begun[column], whole[column])
    assert tails.tail(path[-1]).notes["start"].min() >= PROMPT.end
    assert path[-1].state is None


@pytest.mark.parametrize("kind", list(PLANNERS))
@pytest.mark.parametrize("simulations", [1, 40])
def test_tails_of_some_seconds_may_differ_in_bars(kind: str, simulations: int) -> None:
    """A prompt that changes tempo: where its tail does, more or fewer bars fill the time."""
    tempos = np.array([(0, 500_000), (BAR, 125_000), (2 * BAR, 500_000), (3 * BAR, 125_000)])
    tokenizer = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    prompt = replace(PROMPT, tempos=tempos)
    chain = markov_chain([prompt], tokenizer, 1, keys=(0,))
    continuer = TuneContinuer(chain, tokenizer, prompt)
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    tails = TailSampler(continuer, continuer.length(seconds=6), sampling)
    paths = tails.extend([tails.root()] * 16)
    assert len({len(path) for path in paths}) > 1
    ends = [path[-1] for path in paths]
    assert tails.extend(ends) == [[end] for end in ends]
    assert tails.extend([tails.root(), *ends[:2]], bars=1)[1:] == [[end] for end in ends[:2]]
    reward = WeightedReward(((FunctionRule("few", lambda tail: 1 / (2 + len(tail.notes))), 1.0),))
    plan = PLANNERS[kind]().plan(tails, reward, Budget(simulations))
    assert simulations - 1e-6 <= plan.work <= 1.1 * simulations  # some beginnings are less far than others
    assert plan.tail.seconds_at(plan.tail.end) - prompt.seconds_at(prompt.end) <= 6.001


def test_a_long_search_forgets_what_is_worth_least(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, trees = [], []

    class Recorded(Tree):
        def __init__(self, search: Search) -> None:
            super().__init__(search)
            assert 5000 < self.max_nodes < 12_500  # of half a GB
            self.max_nodes = 200

        def roll_out(self, starts: Sequence[Node], unplanned: int = 0) -> list[Node]:
            ends = super().roll_out(starts, unplanned)
            sizes.append(self.size)
            trees.append(self)
            return ends

    monkeypatch.setattr(mcts, "Tree", Recorded)
    plan = TreeSearch().plan(sampler(), REWARD, Budget(300))
    assert plan.reward >= planned("mcts", 64).reward
    assert max(sizes) <= 200
    assert min(after / before for before, after in pairwise(sizes)) < 0.8  # it has forgotten
    nodes = [node for row in trees[-1].by_depth for node in row]
    for node in nodes:
        assert all(child in nodes for child in node.children.values())
        assert node.parent is None or node in node.parent.children.values()


def test_the_size_of_a_state_is_that_of_its_tensors() -> None:
    assert state_bytes(None) == 0
    assert state_bytes((torch.zeros(2, 3), [torch.zeros(5, dtype=torch.int64)])) == 24 + 40


class Stopwatch:
    """A clock that only sampling advances: 1 ms a step, and 0.1 ms each row of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0

        def step(model: Model, decoders: Sequence, *rest: object, own: Callable = branches.step_decoders) -> object:
            self.now += 0.001 + 0.0001 * len(decoders)
            return own(model, decoders, *rest)

        monkeypatch.setattr(branches, "step_decoders", step)

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("kind", list(PLANNERS))
@pytest.mark.parametrize("seconds", [0.04, 0.06, 0.15, 0.5])
def test_a_search_keeps_to_its_time(kind: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """32 tails of 16 notes take 0.067 s: a batch that would take longer becomes smaller, and fills the time."""
    plan = PLANNERS[kind]().plan(sampler(), REWARD, Budget(seconds=seconds, clock=Stopwatch(monkeypatch)))
    assert 0.85 * seconds <= plan.seconds <= 1.05 * seconds


@pytest.mark.parametrize("kind", list(PLANNERS))
def test_a_time_that_is_over_at_once_still_gives_a_tail(kind: str) -> None:
    ticks = iter(range(100_000))
    plan = PLANNERS[kind]().plan(sampler(), REWARD, Budget(seconds=1e-6, clock=lambda: next(ticks)))
    assert 1 <= plan.simulations <= 4
    assert len(plan.tail.notes) == STEPS


@pytest.mark.parametrize("kind", list(PLANNERS))
@pytest.mark.parametrize("seconds", [4.8, 6.0, 8.0, 8.001, 9.6, 12.0])
def test_tails_whose_end_is_near_a_bar_line_end(kind: str, seconds: float) -> None:
    """Sums of the durations of bars may be a rounding error before the end; a bar of a millisecond costs something."""
    tokenizer = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    prompt = replace(PROMPT, tempos=np.array([(0, 400_000)]))
    continuer = TuneContinuer(markov_chain([prompt], tokenizer, 2, keys=(0,)), tokenizer, prompt)
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    tails = TailSampler(continuer, continuer.length(seconds=seconds), sampling)
    reward = WeightedReward(((FunctionRule("few", lambda tail: 1 / (2 + len(tail.notes))), 1.0),))
    plan = PLANNERS[kind]().plan(tails, reward, Budget(30))
    assert 30 <= plan.simulations <= 30 * 20
    assert plan.tail.seconds_at(plan.tail.end) - prompt.seconds_at(prompt.end) <= seconds + 0.001


@pytest.mark.parametrize("arguments", [{}, {"simulations": 0}, {"seconds": -1}, {"simulations": 3, "seconds": 1}])
def test_impossible_budgets_are_refused(arguments: dict) -> None:
    with pytest.raises(InputError):
        Budget(**arguments)

"""Tables about planned tails: rewards, paired differences, and what no reward contains. Used by `check_planning.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tune_corpora import interval

from audiogen.training.tunes.rollouts import distinct_ngrams
from audiogen.tunes.metrics.tune_statistics import distances
from audiogen.tunes.tune import Part, Tune

SEARCHES = ("best-of", "beam", "smc", "mcts")
UNREWARDED = ("pitch_class_entropy", "groove_consistency", "polyphony", "note_density", "intervals")
"""Statistics of tunes that no reward contains."""


@dataclass
class Tail:
    """One tail, and what was measured of it.

    Args:
        method: "real", "sampling", a search, or that of a fine-tuned Run.
        seed: of the search.
        prompt: name of the tune.
        reward: 0..1.
        simulations: number of tails that were tried.
        seconds: processor time of the search.
        nats: negative log-likelihood under the base, per note of the tail.
        copied: longest run of notes that is in the training split as well.
        notes: of the tail: start, end, pitch, part.
    """

    method: str
    seed: int
    prompt: str
    reward: float
    simulations: int
    seconds: float
    nats: float
    copied: int
    notes: list[list[int]]


def by_prompt(tails: Sequence[Tail], method: str) -> dict[str, float]:
    """Mean reward over seeds of each prompt."""
    own: dict[str, list[float]] = {}
    for tail in tails:
        if tail.method == method:
            own.setdefault(tail.prompt, []).append(tail.reward)
    return {name: float(np.mean(values)) for name, values in own.items()}


def difference(tails: Sequence[Tail], first: str, second: str) -> tuple[float, float, float] | None:
    """Mean paired difference of rewards, with its interval; None if a method is missing."""
    mine, theirs = by_prompt(tails, first), by_prompt(tails, second)
    common = sorted(mine.keys() & theirs.keys())
    return interval([mine[name] - theirs[name] for name in common]) if common else None


def as_tune(tail: Tail, like: Tune) -> Tune:
    """The notes of a tail as a tune, with the resolution, tempos and meters of another."""
    notes = np.zeros(len(tail.notes), like.notes.dtype)
    for index, column in enumerate(("start", "end", "pitch", "part")):
        notes[column] = [row[index] for row in tail.notes]
    parts = tuple(Part() for _ in range(int(notes["part"].max(initial=0)) + 1))
    return Tune(notes, parts, like.ticks_per_quarter, like.tempos, like.meters)


def table(title: str, tails: Sequence[Tail], real: Mapping[str, Tune], caption: str) -> str:
    """Markdown on one corpus.

    Args:
        title: of the section.
        tails: all tails.
        real: what followed the prompts, by name; the tails' notes have its resolution.
        caption: what was done.
    """
    seeds = sorted({tail.seed for tail in tails})
    lines = [
        f"## {title}",
        "",
        caption,
        "",
        "| | reward | 95 % | tails tried | diversity | nats/note | copied run, median (max) | distance | s |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for method in dict.fromkeys(tail.method for tail in tails):
        own = [tail for tail in tails if tail.method == method]
        mean, low, high = interval(list(by_prompt(tails, method).values()))
        tunes = [as_tune(tail, real[tail.prompt]) for tail in own if tail.notes]
        found = distances(tunes, list(real.values()))
        ratio = np.mean([found[name].ratio for name in UNREWARDED if found[name].ratio is not None])
        runs = [tail.copied for tail in own]
        lines.append(
            f"| {method} | {mean:.3f} | {low:.3f}–{high:.3f} | {np.median([tail.simulations for tail in own]):.0f} | "
            f"{distinct_ngrams([as_tune(tail, real[tail.prompt]) for tail in own if tail.seed == seeds[0]]):.2f} | "
            f"{np.mean([tail.nats for tail in own]):.2f} | "
            f"{np.median(runs):.0f} ({max(runs)}) | {ratio:.2f} | {np.mean([tail.seconds for tail in own]):.2f} |"
        )
    lines += ["", "| difference of rewards, same prompts | mean | 95 % |", "|---|---:|---|"]
    first = [("mcts", other) for other in ("sampling", "best-of-16", "best-of", "beam", "smc")]
    first += [(tail.method, "mcts") for tail in tails if tail.method.endswith(" + mcts")]
    for one, other in dict.fromkeys(first):
        if (gap := difference(tails, one, other)) is not None:
            lines.append(f"| {one} - {other} | {gap[0]:+.3f} | {gap[1]:+.3f} to {gap[2]:+.3f} |")
    return "\n".join([*lines, ""])


def budget_table(tails: Mapping[float, Sequence[Tail]]) -> str:
    """Markdown on one corpus: mean rewards of the searches, and how far tree search is ahead, by processor time.

    Args:
        tails: all tails by seconds of a search.
    """
    controls = [method for method in SEARCHES if method != "mcts"]
    lines = [
        "| s a search | prompts | "
        + " | ".join(SEARCHES)
        + " | "
        + " | ".join(f"mcts - {each}" for each in controls)
        + " |",
        "|---:|---:|" + "---:|" * len(SEARCHES) + "---|" * len(controls),
    ]
    for seconds, own in sorted(tails.items()):
        rewards = {method: by_prompt(own, method) for method in SEARCHES}
        if not all(rewards.values()):
            continue
        gaps = [difference(own, "mcts", control) for control in controls]
        cells = [f"{seconds:g}", str(len(rewards["mcts"]))]
        cells += [f"{np.mean(list(values.values())):.3f}" for values in rewards.values()]
        cells += [f"{gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f})" for gap in gaps if gap is not None]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])

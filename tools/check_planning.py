"""Check of planning: what a search gains over sampling in equal time, and what it costs.

Usage: python tools/check_planning.py FOLDER --runs RUNS -o docs/planning-tables.md [--corpus NAME] [--base CORPUS=RUN]
                                      [--seconds N,...] [--prompts 50] [--seeds 0,1,2] [--long] [--learned] [--story]
                                      [--quick]

FOLDER contains MIDI files: bach_* are one corpus, oneills_* and ryan_* another, each split by tune. Prompts are the
first bars of tunes that the base, an LSTM, was not trained on; it is trained if RUNS has none and --base names none.
Every search has the same processor time, of which there are several, each in a row; of one of them all is measured,
also of the Runs that `check_reinforcement.py` fine-tuned in RUNS, with seed 0, without and with tree search. Finished
tails are kept in RUNS, one file per corpus and time, and not made again, also if the search has changed since;
--prompts 0 writes the tables of what there is; --seconds "" leaves the times out. --long also makes tails of twice the
length, in four seconds, and --learned tails by the rules that those Runs were fine-tuned for, in half a second.
--story continues a prompt in G with the four rules of the tutorial, with twenty seeds, and checks them by itself.
--quick: three prompts, one time, one seed.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from check_reinforcement import REWARD
from planning_tables import SEARCHES, Tail, budget_table, table
from tune_corpora import CORPORA, Corpus, named, prepared

from audiogen.models import Sampling
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.planning import PLANNERS, Budget
from audiogen.tunes.planning.branches import TailSampler
from audiogen.tunes.rewards import build_reward
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import TuneContinuer, markov_chain

REWARDS = {
    "fiddle": ("key", "ending", "cadence", "range", "leaps", "rhythm", "repetition", "answer"),
    "chorales": ("key", "ending", "cadence", "range", "rhythm", "voices"),
}
PROMPT_BARS, BARS = 4, {"fiddle": 8, "chorales": 4}
SECONDS = (1.0, 2.0, 4.0)  # of processor time, of each search
DETAILED = 2.0  # those of which all is measured
LEARNED_SECONDS = 0.5  # of a search by the rules of fine-tuning
LONG = {"fiddle": 16, "chorales": 8}  # bars
LONG_SECONDS = 4.0
FINE_TUNED = ("rloo", "dpo")  # methods of `check_reinforcement.py`
MIN_P = 0.01  # as of `audiogen continue`
STORY_BARS, STORY_SIMULATIONS = 8, 200  # of its prompt; of each search
STORY = ("key:G", "ending:G", "range:..B5", "answer:4")


def cut(tune: Tune, bars: int, prompt_bars: int = PROMPT_BARS) -> tuple[Tune, Tune] | None:
    """The first bars of a tune from its first bar line on, as prompt, and as many as wanted after them."""
    lines = np.append(tune.bar_lines(), tune.end)  # the last bar may be incomplete
    first = int(np.searchsorted(lines, int(tune.notes["start"].min())))
    if first + prompt_bars + bars >= len(lines):
        return None
    start, join, stop = (int(lines[first + count]) for count in (0, prompt_bars, prompt_bars + bars))
    prompt, tail = tune.between(start, join).shifted(-start), tune.between(join, stop).shifted(-start)
    return (prompt, tail) if len(prompt.notes) and len(tail.notes) and prompt.end == join - start else None


@dataclass(frozen=True)
class Task:
    """What is asked of all searches.

    Args:
        corpus: whose held-out tunes are continued.
        rules: of the reward.
        bars: length of the tails.
        seconds: processor time of a search.
        runs: fine-tuned Runs by name, for the first seed; None to measure the searches alone.
    """

    corpus: Corpus
    rules: Sequence[str]
    bars: int
    seconds: float
    runs: dict[str, Run] | None = None

    def pairs(self) -> dict[str, tuple[Tune, Tune]]:
        """Prompt and what really followed it, of the held-out tunes that are long enough, by name."""
        found = {name: cut(tune, self.bars) for name, tune in sorted(self.corpus.held_out.items())}
        return {name: pair for name, pair in found.items() if pair is not None}


def nats_per_note(corpus: Corpus, prompt: Tune, tail: Tune) -> float:
    """Negative log-likelihood of a tail after its prompt under the base."""
    tokenizer = corpus.tokenizer
    before = len(tokenizer.encode(prompt, ended=False))
    tokens = torch.from_numpy(tokenizer.encode(joined(prompt, tail), ended=False))[None]
    with torch.no_grad():
        nats = -corpus.base.model.log_likelihood(tokens)[0, before - 1 :].sum()
    return float(nats) / max(len(tail.notes), 1)


def made(task: Task, run: Run, search: str, prompt: Tune, seed: int) -> tuple[Tune, float, int, float]:
    """A tail by a search: the tail, its reward, the number of tails tried, and the processor time."""
    continuer = TuneContinuer(run.model, task.corpus.tokenizer, prompt)
    generator = torch.Generator().manual_seed(seed)
    sampler = TailSampler(continuer, continuer.length(bars=task.bars), Sampling(min_p=MIN_P, generator=generator))
    reward = build_reward(task.rules).given(continuer.context, task.bars)
    counts = {"sampling": 1, "best-of-16": 16}
    budget = Budget(counts[search]) if search in counts else Budget(seconds=task.seconds, clock=time.process_time)
    started = time.process_time()
    plan = PLANNERS["best-of" if search in counts else search]().plan(sampler, reward, budget)
    return plan.tail, plan.reward, plan.simulations, time.process_time() - started


def read_tails(path: Path) -> list[Tail]:
    """The tails that are kept in a file; none if there is no such file."""
    return [Tail(**row) for row in json.loads(path.read_text())] if path.exists() else []


def tails_of(task: Task, seeds: Sequence[int], count: int, kept: Path) -> list[Tail]:
    """All tails of a task; those in ``kept`` are not made again."""
    tails, corpus = read_tails(kept), task.corpus
    done = {(tail.method, tail.seed, tail.prompt) for tail in tails}
    searches = [(search, corpus.base, search) for search in SEARCHES]
    methods = [("sampling", corpus.base, "sampling"), ("best-of-16", corpus.base, "best-of-16"), *searches]
    for name, run in (task.runs or {}).items():
        methods += [(name, run, "sampling"), (f"{name} + mcts", run, "mcts")]
    for seed in seeds:
        jobs = [("real", corpus.base, "real"), *methods] if seed == 0 and task.runs is not None else searches
        for name, (prompt, real) in list(task.pairs().items())[:count]:
            for method, run, search in jobs:
                if (method, seed, name) in done:
                    continue
                if search == "real":
                    bound = build_reward(task.rules).given(prompt, task.bars)
                    tail, reward, simulations, spent = real, bound(real), 0, 0.0
                else:
                    tail, reward, simulations, spent = made(task, run, search, prompt, seed)
                columns = [tail.notes[column].tolist() for column in ("start", "end", "pitch", "part")]
                nats, copied = nats_per_note(corpus, prompt, tail), corpus.index.longest(tail).notes
                rows = [list(row) for row in zip(*columns, strict=True)]
                tails.append(Tail(method, seed, name, reward, simulations, spent, nats, copied, rows))
            write_text(kept, dump_json([asdict(tail) for tail in tails]))
            print(
                f"{corpus.name} seed {seed} {name}: "
                + ", ".join(f"{t.method} {t.reward:.2f}" for t in tails[-len(jobs) :]),
                flush=True,
            )
    return tails


def fine_tuned(name: str, runs: Path) -> dict[str, Run]:
    """The fine-tuned Runs of a corpus that there are, by the name of their rows."""
    paths = {method: runs / f"{method}-{name}-0" for method in FINE_TUNED}
    return {method.upper(): Run.open(path) for method, path in paths.items() if (path / "metrics.json").exists()}


def caption(task: Task, tails: Sequence[Tail]) -> str:
    """What was done, in a sentence or two."""
    prompts, seeds = ({getattr(tail, of) for tail in tails if tail.method == "mcts"} for of in ("prompt", "seed"))
    return (
        f"{len(prompts)} prompts of {PROMPT_BARS} bars, of the {len(task.pairs())} held-out tunes that are long "
        f"enough; tails of {task.bars} bars, {len(seeds)} seed(s) of the searches, the others with one, "
        f"{task.seconds:g} s of processor time a search. Rules: {', '.join(task.rules)}."
    )


def reals(task: Task) -> dict[str, Tune]:
    """What really followed, by name."""
    return {name: real for name, (_, real) in task.pairs().items()}


HEADER = """# Planning: tables

Written by `python tools/check_planning.py FOLDER --runs RUNS -o docs/planning-tables.md --long --learned`, with the
bases and the fine-tuned Runs that `tools/check_reinforcement.py` keeps in the same RUNS.
[Planning](planning.md#what-it-gains) explains the columns.
"""


def met(prompt: Tune, tail: Tune) -> dict[str, bool]:
    """Whether a tail of sixteen bars does what the request says, by its notes alone; nothing of the rewards is used.

    Of the first four bars and the last four, notes count as equal that begin at the same time of their four bars with
    the same pitch. The answer has half of the notes of the question's first two bars, and of those of its last two bars
    a quarter is different.
    """
    bar = 4 * prompt.ticks_per_quarter * int(prompt.meters[0, 1]) // int(prompt.meters[0, 2])
    notes, given = tail.melodic_notes, prompt.melodic_notes
    last = notes[np.lexsort((notes["pitch"], notes["end"]))][-1]
    phrases = []
    for rows, start in ((given, int(prompt.bar_lines()[0])), (notes, prompt.end + 12 * bar)):
        times = rows["start"] - start
        within = (times >= 0) & (times < 4 * bar)
        pairs = list(zip(times[within].tolist(), rows["pitch"][within].tolist(), strict=True))
        phrases.append([{pair for pair in pairs if pair[0] // (2 * bar) == half} for half in (0, 1)])
    (question, closing), (answer, end) = phrases
    return {
        "in G": bool(np.isin(notes["pitch"] % 12, (7, 9, 11, 0, 2, 4, 6)).mean() >= 0.95),
        "ends on G": int(last["pitch"]) % 12 == 7 and int(last["end"]) > prompt.end + 15 * bar,
        "none above B5": int(notes["pitch"].max()) <= 83,
        "answers": len(question & answer) >= len(question) / 2 and len(closing & end) <= 0.75 * len(closing),
    }


def story(folder: Path, seeds: Sequence[int] = range(20)) -> str:
    """The tutorial's request: sixteen bars in G, ending on G, no note above B5, answering the first four bars.

    The prompt is the first tune in G of O'Neill's, by name; the Model is a Markov chain of it, as without --run.
    """
    from audiogen.jobs.tune_results import MARKOV_ORDER, events_tokenizer
    from audiogen.tunes.rewards.tonality import estimate_key

    path = next(
        path
        for path in sorted(folder.glob("oneills_*.mid"))
        if estimate_key(read_midi(path)).name == "G" and cut(read_midi(path), 1, STORY_BARS)
    )
    pair = cut(read_midi(path), 1, STORY_BARS)
    assert pair is not None
    tokenizer, lines, fulfilled = events_tokenizer(None), [], {"planned": 0, "sampled": 0}
    model = markov_chain([pair[0]], tokenizer, MARKOV_ORDER, keys=(0,))
    for seed in seeds:
        continuer = TuneContinuer(model, tokenizer, pair[0])
        sampling = Sampling(min_p=MIN_P, generator=torch.Generator().manual_seed(seed))
        fulfilled["sampled"] += all(met(continuer.context, continuer.tail(sampling, bars=16)).values())
        sampling = Sampling(min_p=MIN_P, generator=torch.Generator().manual_seed(seed))
        sampler = TailSampler(continuer, continuer.length(bars=16), sampling)
        reward = build_reward(STORY).given(continuer.context, 16)
        plan = PLANNERS["mcts"]().plan(sampler, reward, Budget(STORY_SIMULATIONS))
        checks = met(continuer.context, plan.tail)
        fulfilled["planned"] += all(checks.values())
        failed = [name for name, good in checks.items() if not good]
        found = f"reward {plan.reward:.3f} ({plan.unplanned:.3f} unplanned), {plan.simulations} tails"
        lines.append(f"seed {seed}: {found}, " + (f"missing: {', '.join(failed)}" if failed else "all met"))
        print(lines[-1], flush=True)
    return "\n".join(
        [
            "## Sixteen bars in G",
            "",
            f"Prompt: the first {STORY_BARS} bars of {path.name}. By checks that are written without the rewards, all "
            f"that is requested is met with {fulfilled['planned']} of {len(seeds)} seeds, and without a plan with "
            f"{fulfilled['sampled']}.",
            "",
            *(f"- {line}" for line in lines),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--corpus", action="append", choices=CORPORA)
    parser.add_argument("--base", action="append", default=[], metavar="CORPUS=RUN")
    parser.add_argument("--seconds", default=",".join(f"{each:g}" for each in SECONDS))
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--learned", action="store_true")
    parser.add_argument("--story", action="store_true")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    prompts = arguments.prompts
    if arguments.quick:
        prompts, seeds = 3, seeds[:1]
    texts = [HEADER]
    for name in arguments.corpus or CORPORA:
        corpus = prepared(name, arguments.folder, arguments.runs, named(arguments.base).get(name))
        runs, rules, bars, title = fine_tuned(name, arguments.runs), REWARDS[name], BARS[name], name.capitalize()

        def tails(task: Task, label: str, wanted: bool) -> list[Tail]:
            kept = arguments.runs / f"tails-{task.corpus.name}-{label}.json"
            return tails_of(task, seeds if wanted else (), prompts, kept)

        by_time = dict[float, list[Tail]]()
        for seconds in (
            [DETAILED] if arguments.quick else [float(each) for each in arguments.seconds.split(",") if each]
        ):
            task = Task(corpus, rules, bars, seconds, runs if seconds == DETAILED else None)
            if found := tails(task, f"{seconds:g}s", True):
                by_time[seconds] = found
                if task.runs is not None:
                    texts.append(table(title, found, reals(task), caption(task, found)))
        if by_time:
            texts += [f"### {title}: by processor time", "", budget_table(by_time)]
        task = Task(corpus, rules, LONG[name], LONG_SECONDS)
        if found := tails(task, "long", arguments.long):
            texts.append(table(f"{title}, long tails", found, reals(task), caption(task, found)))
        task = Task(corpus, REWARD, bars, LEARNED_SECONDS, runs)
        if found := tails(task, "learned", arguments.learned):
            texts.append(table(f"{title}, by the rules of fine-tuning", found, reals(task), caption(task, found)))
    if arguments.story:
        texts.append(story(arguments.folder))
    write_text(arguments.output, "\n".join(texts))
    print("\n".join(texts))


if __name__ == "__main__":
    main()

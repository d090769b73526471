"""Compare configurations, of sound and of notes, on the same pieces: one folder with a page, JSON and CSV."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from audiogen.audio import read, write
from audiogen.data.recordings import SplitFractions
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.jobs.compare.candidates import (
    BASELINES,
    Candidate,
    CandidateTail,
    candidate_of,
    markov_candidate,
    with_detected_notes,
)
from audiogen.jobs.compare.comparison_page import write_comparison_page
from audiogen.jobs.compare.pieces import Pieces, Prompt, make_prompts, read_pieces, write_recordings, write_tunes
from audiogen.jobs.compare.settings import Settings
from audiogen.jobs.compare.summary import measure_tail, note_distance, summarise, to_csv
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.progress import log, progress, stage
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.tune import Tune

SETTINGS, ROWS, RESULTS, TABLE, PAGE = "settings.json", "rows.jsonl", "results.json", "results.csv", "index.html"
REAL = "real"


def compare(
    configs: Sequence[Path], data: Path, out: Path, settings: Settings, device: str = "auto", force: bool = False
) -> list[dict[str, Any]]:
    """Train each configuration with each seed, let all continue the same prompts, and report.

    What is there already, from an earlier comparison with the same settings that was cut off, is not done again, unless
    by ``force``, which also takes the place of another comparison.

    Returns:
        The summary: for each candidate each measure's mean and standard deviation over seeds.

    Raises:
        InputError: unusable configurations or data, or another comparison in ``out``.
    """
    experiments = _name_experiments(configs)
    said = _describe(experiments, data, settings)
    if not force:
        _refuse_another(out, said)
    with stage(f"reading the pieces in {data.name}"):
        pieces = read_pieces(data, settings.prompts)
    with stage("reading the prompts"):
        prompts = make_prompts(pieces.test, settings.prompts, settings.prompt_seconds, settings.seconds)
    _require_notes(experiments, prompts)
    # Not before it is known that there is something to compare.
    if force and (out / SETTINGS).is_file():
        rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SETTINGS, dump_json(said))
    with stage("measuring what truly follows the prompts"):
        work = _Comparison(out, pieces, prompts, settings, device)
    baselines = len(BASELINES) + 1 if work.noted else 1
    total = (len(experiments) + baselines) * settings.seeds
    with progress(total, "comparing", "candidate") as bar:
        for name, experiment in experiments.items():
            for seed in range(settings.seeds):
                work.trained(name, experiment, seed)
                bar.update()
        work.baselines(bar.update)
    found = summarise(work.rows, work.runs)
    content = {"settings": asdict(settings), "data": str(data), "summary": found, "runs": work.runs, "rows": work.rows}
    write_text(out / RESULTS, dump_json(content))
    write_text(out / TABLE, to_csv(work.rows))
    with stage("writing the page"):
        write_comparison_page(out / PAGE, data, found, prompts, work.tails())
    return found


class _Comparison:
    """One comparison under way: its rows, and what was found of whole Runs."""

    def __init__(self, out: Path, pieces: Pieces, prompts: list[Prompt], settings: Settings, device: str) -> None:
        self.out, self.pieces, self.prompts, self.settings, self.device = out, pieces, prompts, settings, device
        self.evaluators = {prompt.name: TailEvaluator(prompt.sound, prompt.real) for prompt in prompts}
        self.rows = [json.loads(line) for line in _complete_lines(out / ROWS)]
        self.runs: dict[str, dict[str, Any]] = {}
        self._index: NoteMatchIndex | None = None

    @property
    def noted(self) -> bool:
        """Whether all prompts have notes."""
        return all(prompt.tune is not None for prompt in self.prompts)

    def learned(self) -> list[Tune]:
        """The notes of what is learned from."""
        return [tune for item in self.pieces.learned if (tune := item.tune()) is not None]

    def trained(self, name: str, experiment: Experiment, seed: int) -> None:
        from audiogen.training.trainer import train

        of_notes = experiment.representation.kind == "midi"
        training = replace(
            experiment.training,
            seed=seed,
            split_fractions=SplitFractions(experiment.training.split_fractions.validation, 0.0),
        )
        folder = self.out / "data" / ("tunes" if of_notes else "recordings")
        if of_notes:
            write_tunes(self.pieces.learned, folder)
        else:
            write_recordings(self.pieces.learned, folder, self.settings.minutes)
        place = self.out / "runs" / f"{name}-{seed}"
        run = train(
            replace(experiment, training=training),
            folder,
            place,
            self.settings.budget,
            resume=(place / "config.yaml").is_file(),
            device=self.device,
        )
        told = {"parameters": run.metrics["parameters"], "training_seconds": run.metrics["seconds"]}
        domain = "notes" if of_notes else "sound"
        self.continued(name, domain, seed, candidate_of(run), told | self._likelihood(run) if of_notes else told)

    def _likelihood(self, run: Run) -> dict[str, float]:
        tunes = [tune for item in self.pieces.test if (tune := item.tune()) is not None]
        told = likelihood_of(run.model, run.representation.tokenizer, tunes)  # type: ignore[attr-defined, arg-type]
        return {"nats_per_note": round(told.per_note, 4), "nats_per_second": round(told.per_second, 4)}

    def baselines(self, done: Callable[[], object]) -> None:
        """Those of sound, and those of notes where there are notes; ``done`` is called after each."""
        seeds = range(self.settings.seeds)
        for seed in seeds:
            self.continued("loop", "sound", seed, BASELINES["loop"], {})
            done()
        if not self.noted:
            return
        chain, tokenizer, candidate = markov_candidate(self.learned())
        tunes = [tune for item in self.pieces.test if (tune := item.tune()) is not None]
        told = likelihood_of(chain, tokenizer, tunes)
        nats = {"nats_per_note": round(told.per_note, 4), "nats_per_second": round(told.per_second, 4)}
        for seed in seeds:
            self.continued("repeat", "notes", seed, BASELINES["repeat"], {})
            done()
            self.continued("markov", "notes", seed, candidate, nats)
            done()

    def continued(self, name: str, domain: str, seed: int, candidate: Candidate, told: dict[str, Any]) -> None:
        """Let one candidate continue all prompts, and measure what it made."""
        done = {(row["candidate"], row["seed"], row["prompt"]) for row in self.rows}
        for prompt in self.prompts:
            if (name, seed, prompt.name) in done:
                continue
            started = time.monotonic()
            log(f"{name}, seed {seed}: continuing and measuring {prompt.name} ...")
            made = with_detected_notes(candidate(prompt, self.settings.seconds, seed), prompt)
            row = {"candidate": name, "domain": domain, "seed": seed, "prompt": prompt.name}
            row |= measure_tail(made, self.evaluators[prompt.name], self._runs_of_notes() if made.tune else None)
            row["seconds"] = round(time.monotonic() - started, 3)
            self._keep(row, made)
        self.runs[f"{name}/{seed}"] = told | {"note_distance": self._note_distance(name, seed)}

    def _runs_of_notes(self) -> NoteMatchIndex:
        if self._index is None:
            self._index = NoteMatchIndex(self.learned())
        return self._index

    def _keep(self, row: dict[str, Any], made: CandidateTail) -> None:
        sound = self.place(row)
        sound.parent.mkdir(parents=True, exist_ok=True)
        write(sound, made.sound, "PCM_16")
        if made.tune is not None:
            write_midi(sound.with_suffix(".mid"), made.tune)
        with (self.out / ROWS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)

    def place(self, row: dict[str, Any]) -> Path:
        """The sound of a row."""
        return self.out / "tails" / f"{row['candidate']}-{row['seed']}" / f"{row['prompt'].replace('/', '_')}.wav"

    def _note_distance(self, name: str, seed: int) -> float | None:
        files = [
            self.place(row).with_suffix(".mid") for row in self.rows if (row["candidate"], row["seed"]) == (name, seed)
        ]
        tails = [_read_notes(path) for path in files if path.is_file()]
        return note_distance(
            [tail for tail in tails if tail is not None], [prompt.rest for prompt in self.prompts if prompt.rest]
        )

    def tails(self) -> dict[tuple[str, str], CandidateTail]:
        """For the page: what each candidate made of each prompt, with its first seed."""
        return {
            (row["candidate"], row["prompt"]): CandidateTail(
                read(self.place(row)), _read_notes(self.place(row).with_suffix(".mid"))
            )
            for row in self.rows
            if row["seed"] == 0
        }


def _read_notes(path: Path) -> Tune | None:
    try:
        return read_midi(path) if path.is_file() else None
    except InputError:
        return None  # a tail of rests


def _name_experiments(configs: Sequence[Path]) -> dict[str, Experiment]:
    """The experiments by their files' names; with the folder's where two are alike, or one is that of a baseline."""
    others = (*BASELINES, "markov", REAL)
    stems = [path.stem for path in configs]
    shared = [stem in others or stems.count(stem) > 1 for stem in stems]
    full = [f"{path.absolute().parent.name}-{path.stem}" for path in configs]
    named = [long if common else stem for stem, long, common in zip(stems, full, shared, strict=True)]
    taken = next((name for name in named if named.count(name) > 1 or name in others), None)
    if taken is not None:
        raise InputError(taken, "two candidates would have this name", "rename the file")
    return {name: read_experiment(path) for name, path in zip(named, configs, strict=True)}


def _describe(experiments: dict[str, Experiment], data: Path, settings: Settings) -> dict[str, Any]:
    """What a comparison is of."""
    configs = {name: dump_yaml(experiment) for name, experiment in experiments.items()}
    return asdict(settings) | {"data": str(data.resolve()), "configs": configs}


def _refuse_another(out: Path, said: dict[str, Any]) -> None:
    """Raise an InputError if ``out`` is that of another comparison."""
    told = out / SETTINGS
    if told.is_file() and json.loads(told.read_text("utf-8")) != said:
        raise InputError(out, "another comparison began there", "name another folder, or use --force")


def _require_notes(experiments: dict[str, Experiment], prompts: Sequence[Prompt]) -> None:
    """Raise an InputError if notes are to be predicted and a prompt has none."""
    for name, experiment in experiments.items():
        if experiment.representation.kind == "midi" and any(prompt.tune is None for prompt in prompts):
            raise InputError(name, "the test pieces have no notes", "compare audio configurations only")


def _complete_lines(path: Path) -> list[str]:
    """Whole lines: one that a kill cut short is dropped from the file, too."""
    if not path.is_file():
        return []
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    return whole.splitlines()

"""Comparison of configurations, audio and MIDI, on the same pieces: trainings, tails, measures, page, JSON and CSV.

`pieces` reads and splits the data, `candidates` continues a prompt with a Run or a baseline, `summary` measures tails
and averages over seeds, `comparison_page` writes the page.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from audiogen.audio import Recording, read, write
from audiogen.data.recordings import SplitFractions
from audiogen.dsp.limiter import peak_of
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.jobs.compare.candidates import (
    BASELINES,
    SOUND_BASELINES,
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
from audiogen.metrics.registry import open_metrics
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.progress import log, progress, stage
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.note_likelihood import LikelihoodModel, likelihood_of
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

SETTINGS, ROWS, RESULTS, TABLE, PAGE = "settings.json", "rows.jsonl", "results.json", "results.csv", "index.html"
REAL, TAILS, RAW = "real", "tails", "raw"


def compare(
    configs: Sequence[Path], data: Path, out: Path, settings: Settings, device: str = "auto", force: bool = False
) -> list[dict[str, Any]]:
    """Train each configuration with each seed, continue the same prompts with all of them, and report.

    Results of an earlier, interrupted comparison with the same settings are kept, unless ``force`` is set, which also
    replaces a different comparison.

    Args:
        configs: YAML files of the configurations.
        data: folder of the data set.
        out: folder of the comparison.
        settings: see `Settings`.
        device: "auto", "cpu" or "cuda".
        force: replace the comparison in ``out``.

    Returns:
        The summary: mean and standard deviation over seeds of each measure of each candidate.

    Raises:
        InputError: unusable configurations or data, or another comparison in ``out``.
    """
    experiments = _name_experiments(configs)
    description = _describe(experiments, data, settings)
    if not force:
        _refuse_another(out, description)
    with stage(f"reading the pieces in {data.name}"):
        pieces = read_pieces(data, settings.prompts)
    with stage("reading the prompts"):
        prompts = make_prompts(pieces.test, settings.prompts, settings.prompt_seconds, settings.seconds)
    _require_notes(experiments, prompts)
    # Only now, since everything above may still fail.
    if force and (out / SETTINGS).is_file():
        rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SETTINGS, dump_json(description))
    with stage("measuring the real continuations of the prompts"):
        comparison = _Comparison(out, pieces, prompts, settings, device)
    baselines = len(BASELINES) + 1 if comparison.has_notes else len(SOUND_BASELINES)
    total = (len(experiments) + baselines) * settings.seeds
    with progress(total, "comparing", "candidate") as bar:
        for name, experiment in experiments.items():
            for seed in range(settings.seeds):
                comparison.train_and_continue(name, experiment, seed)
                bar.update()
        comparison.baselines(bar.update)
    result = summarise(comparison.rows, comparison.runs)
    content = {
        "settings": asdict(settings),
        "data": str(data),
        "summary": result,
        "runs": comparison.runs,
        "rows": comparison.rows,
    }
    write_text(out / RESULTS, dump_json(content))
    write_text(out / TABLE, to_csv(comparison.rows))
    with stage("writing the page"):
        write_comparison_page(out / PAGE, data, result, prompts, comparison.tails())
    return result


class _Comparison:
    """A comparison in progress: the rows of its tails, and the measures of whole Runs."""

    def __init__(self, out: Path, pieces: Pieces, prompts: list[Prompt], settings: Settings, device: str) -> None:
        self.out, self.pieces, self.prompts, self.settings, self.device = out, pieces, prompts, settings, device
        self.evaluators = {prompt.name: TailEvaluator(prompt.sound, prompt.real) for prompt in prompts}
        self.metrics = {prompt.name: open_metrics(prompt.real, prompt.sound) for prompt in prompts}
        self.rows = [json.loads(line) for line in _complete_lines(out / ROWS)]
        self.runs: dict[str, dict[str, Any]] = {}
        self._index: NoteMatchIndex | None = None

    @property
    def has_notes(self) -> bool:
        """Whether all prompts have notes."""
        return all(prompt.tune is not None for prompt in self.prompts)

    def training_tunes(self) -> list[Tune]:
        """The notes of the training pieces."""
        return [tune for item in self.pieces.training if (tune := item.tune()) is not None]

    def train_and_continue(self, name: str, experiment: Experiment, seed: int) -> None:
        """Train a configuration with a seed, or read the trained Run, and continue all prompts with it."""
        from audiogen.training.trainer import train

        is_midi = experiment.representation.kind == "midi"
        training = replace(
            experiment.training,
            seed=seed,
            split_fractions=SplitFractions(experiment.training.split_fractions.validation, 0.0),
        )
        folder = self.out / "data" / ("tunes" if is_midi else "recordings")
        if is_midi:
            write_tunes(self.pieces.training, folder)
        else:
            write_recordings(self.pieces.training, folder, self.settings.minutes)
        run_folder = self.out / "runs" / f"{name}-{seed}"
        run = train(
            replace(experiment, training=training),
            folder,
            run_folder,
            self.settings.budget,
            resume=(run_folder / "config.yaml").is_file(),
            device=self.device,
        )
        run_measures = {"parameters": run.metrics["parameters"], "training_seconds": run.metrics["seconds"]}
        if is_midi:
            run_measures |= self._likelihood(run.model, run.representation.tokenizer)  # type: ignore[attr-defined, arg-type]
        domain = "notes" if is_midi else "sound"
        self.continue_prompts(name, domain, seed, candidate_of(run), run_measures)

    def _likelihood(self, model: LikelihoodModel, tokenizer: Tokenizer) -> dict[str, float]:
        """Negative log-likelihood of the test tunes under teacher forcing."""
        tunes = [tune for item in self.pieces.test if (tune := item.tune()) is not None]
        likelihood = likelihood_of(model, tokenizer, tunes)
        return {
            "nats_per_note": round(likelihood.per_note, 4),
            "nats_per_second": round(likelihood.per_second, 4),
        }

    def baselines(self, done: Callable[[], object]) -> None:
        """Continue all prompts with the baselines; ``done`` is called after each."""
        seeds = range(self.settings.seeds)
        for name in SOUND_BASELINES:
            for seed in seeds:
                self.continue_prompts(name, "sound", seed, BASELINES[name], {})
                done()
        if not self.has_notes:
            return
        chain, tokenizer, candidate = markov_candidate(self.training_tunes())
        nats = self._likelihood(chain, tokenizer)
        for seed in seeds:
            self.continue_prompts("repeat", "notes", seed, BASELINES["repeat"], {})
            done()
            self.continue_prompts("markov", "notes", seed, candidate, nats)
            done()

    def continue_prompts(
        self, name: str, domain: str, seed: int, candidate: Candidate, run_measures: dict[str, Any]
    ) -> None:
        """Continue all prompts with one candidate, measure the tails, and store both."""
        done = {(row["candidate"], row["seed"], row["prompt"]) for row in self.rows}
        for prompt in self.prompts:
            if (name, seed, prompt.name) in done:
                continue
            started = time.monotonic()
            log(f"{name}, seed {seed}: continuing and measuring {prompt.name} ...")
            tail = with_detected_notes(candidate(prompt, self.settings.seconds, seed), prompt)
            row = {"candidate": name, "domain": domain, "seed": seed, "prompt": prompt.name}
            notes = self._training_notes() if tail.tune else None
            row |= measure_tail(tail, self.evaluators[prompt.name], notes, self.metrics[prompt.name])
            row["seconds"] = round(time.monotonic() - started, 3)
            self._store(row, tail)
        self.runs[f"{name}/{seed}"] = run_measures | {"note_distance": self._note_distance(name, seed)}

    def _training_notes(self) -> NoteMatchIndex:
        if self._index is None:
            self._index = NoteMatchIndex(self.training_tunes())
        return self._index

    def _store(self, row: dict[str, Any], tail: CandidateTail) -> None:
        path = self.tail_path(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, tail.sound, "PCM_16")
        if tail.raw is not None:
            raw = self.tail_path(row, RAW)
            raw.parent.mkdir(parents=True, exist_ok=True)
            write(raw, _within_full_scale(tail.raw), "PCM_16")
        if tail.tune is not None:
            write_midi(path.with_suffix(".mid"), tail.tune)
        with (self.out / ROWS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)

    def tail_path(self, row: dict[str, Any], kind: str = TAILS) -> Path:
        """Audio file of the tail of a row, or of its raw one; its notes are in a .mid file of the same name."""
        return self.out / kind / f"{row['candidate']}-{row['seed']}" / f"{row['prompt'].replace('/', '_')}.wav"

    def _note_distance(self, name: str, seed: int) -> float | None:
        files = [
            self.tail_path(row).with_suffix(".mid")
            for row in self.rows
            if (row["candidate"], row["seed"]) == (name, seed)
        ]
        tails = [_read_notes(path) for path in files if path.is_file()]
        return note_distance(
            [tail for tail in tails if tail is not None], [prompt.rest for prompt in self.prompts if prompt.rest]
        )

    def tails(self) -> dict[tuple[str, str], CandidateTail]:
        """The tails of the first seed for the page, by candidate and prompt."""
        return {
            (row["candidate"], row["prompt"]): _read_tail(self.tail_path(row), self.tail_path(row, RAW))
            for row in self.rows
            if row["seed"] == 0
        }


def _within_full_scale(raw: Recording) -> Recording:
    """A raw tail to play, softer if it overshoots, since no limiter holds it."""
    peak = peak_of(raw.samples)
    return raw if peak <= 1 else Recording(raw.samples / np.float32(peak), raw.sample_rate)


def _read_tail(path: Path, raw: Path) -> CandidateTail:
    return CandidateTail(read(path), _read_notes(path.with_suffix(".mid")), read(raw) if raw.is_file() else None)


def _read_notes(path: Path) -> Tune | None:
    try:
        return read_midi(path) if path.is_file() else None
    except InputError:
        return None  # the tail has no notes


def _name_experiments(configs: Sequence[Path]) -> dict[str, Experiment]:
    """The experiments by file name, preceded by the folder's name if it is ambiguous or the name of a baseline."""
    reserved = (*BASELINES, "markov", REAL)
    stems = [path.stem for path in configs]
    shared = [stem in reserved or stems.count(stem) > 1 for stem in stems]
    full = [f"{path.absolute().parent.name}-{path.stem}" for path in configs]
    named = [long if common else stem for stem, long, common in zip(stems, full, shared, strict=True)]
    taken = next((name for name in named if named.count(name) > 1 or name in reserved), None)
    if taken is not None:
        raise InputError(taken, "two candidates would have this name", "rename the file")
    return {name: read_experiment(path) for name, path in zip(named, configs, strict=True)}


def _describe(experiments: dict[str, Experiment], data: Path, settings: Settings) -> dict[str, Any]:
    """What identifies a comparison: settings, data and configurations."""
    configs = {name: dump_yaml(experiment) for name, experiment in experiments.items()}
    return asdict(settings) | {"data": str(data.resolve()), "configs": configs}


def _refuse_another(out: Path, description: dict[str, Any]) -> None:
    """Raise an InputError if ``out`` contains another comparison."""
    path = out / SETTINGS
    if path.is_file() and json.loads(path.read_text("utf-8")) != description:
        raise InputError(out, "it contains another comparison", "choose another folder, or use --force")


def _require_notes(experiments: dict[str, Experiment], prompts: Sequence[Prompt]) -> None:
    """Raise an InputError if a configuration predicts notes and a prompt has none."""
    for name, experiment in experiments.items():
        if experiment.representation.kind == "midi" and any(prompt.tune is None for prompt in prompts):
            raise InputError(name, "the test pieces have no notes", "compare audio configurations only")


def _complete_lines(path: Path) -> list[str]:
    """The complete lines of a file; an incomplete last line, left by an interruption, is removed from it."""
    if not path.is_file():
        return []
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    return whole.splitlines()

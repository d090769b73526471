"""Batches: rows that fail alone, resuming, and interruptions."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from audiogen.audio import Recording, info, read, write
from audiogen.cli.render import render as command
from audiogen.errors import InputError
from audiogen.experiment import Experiment, build, merge, to_tree
from audiogen.jobs.batch import clips, tasks, workers
from audiogen.jobs.batch.clips import RowValidator
from audiogen.jobs.batch.render import _rows_of, render
from audiogen.jobs.batch.rows import read_rows
from audiogen.jobs.batch.tasks import Outcome, Task
from audiogen.jobs.batch.workers import Attempt
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import extract_features
from audiogen.run import Run, new_model
from tests.rhythm.signals import steady, strokes

RATE = 22050
TINY = {
    "representation": {"latents": 8, "patch": 4, "channels": 2},
    "model": {"backbone": {"kind": "lstm", "hidden": 16, "layers": 1}, "head": {"kind": "point"}},
    "training": {"steps": 3},
}


def noise(channels: int = 2, seconds: float = 1.0, seed: int = 0) -> Recording:
    draws = np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))
    return Recording((0.1 * draws).astype("f4"), RATE)


def untrained_run() -> Run:
    torch.manual_seed(0)
    experiment = build(Experiment, merge(to_tree(Experiment()), TINY), "tiny")
    options = experiment.representation.options
    representation = MelLatents.fit(options, [extract_features(noise(), options.spec).side_by_side(2)])
    return Run(experiment, representation, new_model(experiment, representation).eval(), {"seconds": 0.5})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two prompts, a file that is not audio, and a Run."""
    folder = tmp_path_factory.mktemp("jobs")
    write(folder / "a.wav", noise(), "PCM_16", exact=True)
    write(folder / "wide.wav", noise(3), "PCM_16", exact=True)
    (folder / "bad.wav").write_text("no audio")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    untrained_run().save(folder / "run")
    return folder


def jobs_of(folder: Path, rows: list[dict[str, Any]], name: str = "jobs.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(rows))
    return path


@pytest.fixture(scope="module")
def grid(inputs: Path) -> Path:
    """Four rows of one Run."""
    row = {"prompt": "a.wav", "run": "run", "seconds": [0.2, 0.4], "seed": [0, 1]}
    return jobs_of(inputs, [row], "grid.yaml")


@pytest.fixture(scope="module")
def finished(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered grid; read only."""
    folder = tmp_path_factory.mktemp("finished")
    assert len(render(grid, folder).with_status("finished")) == 4
    return folder


def copied(finished: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in finished.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def audio_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.wav"))}


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


class TestRendering:
    def test_files_sidecars_and_results(self, finished: Path, inputs: Path) -> None:
        prompt = read(inputs / "a.wav")
        with (finished / "results.csv").open() as file:
            table = list(csv.DictReader(file))
        lines = [json.loads(line) for line in (finished / "results.jsonl").read_text().splitlines()]
        assert [row["name"] for row in table] == [f"a-{number}.wav" for number in (1, 2, 3, 4)]
        for row, line, seconds in zip(table, lines, (0.2, 0.2, 0.4, 0.4), strict=True):
            made = read(finished / row["output"])
            assert made.length == prompt.length + round(seconds * RATE)
            np.testing.assert_array_equal(made.samples[:, : prompt.length], prompt.samples)
            sidecar = json.loads((finished / row["output"]).with_suffix(".json").read_text())
            assert line["measures.level.difference_db"] == sidecar["measures"]["level"]["difference_db"]
            assert (row["status"], row["error"], float(row["seconds"])) == ("finished", "", seconds)
            assert float(row["timings.generation"]) > 0
            assert float(row["loudness_lufs"]) == pytest.approx(info(finished / row["output"]).loudness_lufs, abs=0.01)
        assert len(set(audio_in(finished).values())) == 4

    def test_one_bad_row_fails_alone(self, inputs: Path, tmp_path: Path) -> None:
        rows: list[dict[str, Any]] = [
            {"prompt": "bad.wav"},
            {
                "prompt": "wide.wav",
                "run": "run",
                "seconds": 0.1,
                "name": "x.mp3",
            },  # MP3 has two channels at most
            {"prompt": "wide.wav", "run": "run", "seconds": 0.1},
            {"prompt": "a.wav", "seconds": 0},
        ]
        result = invoke(jobs_of(inputs, rows, "bad.yaml"), "-o", tmp_path / "out")
        assert result.exit_code == 1
        assert "1 finished, 3 failed" in result.stdout
        records = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text().splitlines()]
        assert [record["status"] for record in records] == ["failed", "failed", "finished", "failed"]
        assert "3 channels" in records[1]["error"]
        assert sorted(audio_in(tmp_path / "out")) == ["wide-3.wav"]
        assert len(result.stderr.strip().splitlines()) == 3

    def test_each_model_is_trained_once_and_kept(
        self, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trained: list[tuple[int, float | None]] = []

        def train(experiment: Experiment, prompt: Recording, budget: float | None, device: str) -> Run:
            trained.append((experiment.training.steps, budget))
            return untrained_run()

        monkeypatch.setitem(sys.modules, "audiogen.training.trainer", SimpleNamespace(train=train))
        rows = [
            {"prompt": "a.wav", "config": "tiny.yaml", "seconds": 0.1, "seed": [0, 1]},
            {"prompt": "a.wav", "seconds": 0.1},
        ]
        jobs = jobs_of(inputs, rows, "train.yaml")
        results = render(jobs, tmp_path / "out", budget=9.0)
        assert len(results.with_status("finished")) == 3
        assert sorted(trained) == [(3, 9.0), (Experiment().training.steps, 9.0)]
        assert results.records["a-1.wav"]["timings.training"] == 0.5
        (tmp_path / "out/a-1.wav").unlink()
        assert len(render(jobs, tmp_path / "out", resume=True, budget=9.0).with_status("finished")) == 3
        assert len(trained) == 2  # the Run was on disk
        runs = tmp_path / "out/runs"
        for run in list(runs.iterdir()):
            (run / "metrics.json").unlink()  # as a kill leaves it
            run.rename(run.with_name(f".part-{run.name}-7"))
        (tmp_path / "out/a-1.wav").unlink()
        render(jobs, tmp_path / "out", resume=True, budget=9.0)
        assert len(trained) == 3
        assert [run.name[:2] for run in runs.iterdir()] == ["a-"]
        render(jobs, tmp_path / "out", force=True, budget=9.0)
        assert len(trained) == 5

    @pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
    @pytest.mark.parametrize(("budget", "trainings"), [(None, []), (9.0, [9.0])])
    def test_a_budget_trains_also_where_there_is_a_pulse(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: float | None, trainings: list[float]
    ) -> None:
        named: list[float | None] = []

        def choose(prompt: Recording, experiment: object, budget: float | None, *options: object, cache: bool) -> Run:
            named.append(budget)
            return untrained_run()

        monkeypatch.setattr(tasks, "choose_run", choose)
        write(tmp_path / "drum.wav", strokes(steady(0.5, 8.0)), "PCM_16")
        jobs = jobs_of(tmp_path, [{"prompt": "drum.wav", "seconds": 0.5}])
        assert render(jobs, tmp_path / "out", budget=budget).with_status("finished")
        assert named == trainings
        settings = json.loads((tmp_path / "out/drum-1.json").read_text())["settings"]
        assert ("rhythm" in settings) == (budget is None)

    @pytest.mark.filterwarnings("ignore:.*--density:audiogen.audio.AudioWarning")  # of half a second
    def test_a_row_that_keeps_no_time_changes_no_other(self, tmp_path: Path) -> None:
        write(tmp_path / "drum.wav", strokes(steady(0.5, 8.0)), "PCM_16")
        rows = [{"prompt": "drum.wav", "seconds": 0.5, **more} for more in ({}, {"density": 2}, {"loop": True})]
        assert len(render(jobs_of(tmp_path, rows), tmp_path / "out").with_status("finished")) == 3
        settings = [json.loads((tmp_path / f"out/drum-{row}.json").read_text())["settings"] for row in (1, 2, 3)]
        assert ["rhythm" in each for each in settings] == [True, False, False]
        assert [each["training"] is None for each in settings] == [True, False, False]

    @pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
    def test_a_sidecar_has_the_warnings_of_its_own_row(self, inputs: Path, tmp_path: Path) -> None:
        ended = np.concatenate([noise(1, 3.0).samples, np.zeros((1, RATE), np.float32)], axis=1)
        write(tmp_path / "ended.wav", Recording(ended, RATE), "PCM_16", exact=True)
        row = {"prompt": "ended.wav", "run": str(inputs / "run"), "seconds": 0.2}
        results = render(jobs_of(tmp_path, [row, {**row, "keep_edges": True}, row]), tmp_path / "out")
        assert not results.with_status("failed")
        texts = [json.loads((tmp_path / f"out/ended-{k}.json").read_text())["warnings"] for k in (1, 2, 3)]
        found = [sum("continued from before that" in text for text in each) for each in texts]
        assert found == [1, 0, 1]

    def test_two_workers_that_train_the_same_run_keep_one(
        self, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (row,) = read_rows(jobs_of(inputs, [{"prompt": "a.wav"}], "one.yaml"))
        task, recording = tasks.Task((RowValidator().clip(row),), tmp_path, 9.0, "cpu"), read(inputs / "a.wav")
        opened: list[Any] = []

        def predictor(*ignored: object, **ignored_too: object) -> Run:
            if not opened:  # another worker is quicker
                opened.append(None)
                opened.append(tasks.run_for(task, recording, inputs / "a.wav", "same"))
            return untrained_run()

        monkeypatch.setattr(tasks, "choose_run", predictor)
        opened.append(tasks.run_for(task, recording, inputs / "a.wav", "same"))
        assert opened[1].path == opened[2].path
        assert list((tmp_path / "runs").iterdir()) == [opened[2].path]

    def test_morphs_several_runs_and_controls(
        self, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trained: list[int] = []

        def train(experiment: Experiment, prompt: Recording, budget: float | None, device: str) -> Run:
            trained.append(prompt.channels)
            return untrained_run()

        monkeypatch.setitem(sys.modules, "audiogen.training.trainer", SimpleNamespace(train=train))
        row = {"prompt": "a.wav", "seconds": 0.3}
        rows = [
            {**row, "morph": "wide.wav", "seed": [0, 1]},
            {**row, "run": "run; run", "weights": "1;2", "level": -6},
            {**row, "morph": "bad.wav"},
        ]
        jobs = jobs_of(inputs, rows, "controls.yaml")
        results = render(jobs, tmp_path / "out", budget=9.0)
        assert [record["status"] for record in results.records.values()] == ["finished"] * 3 + ["failed"]
        assert sorted(trained) == [2, 3]  # for the prompt and the target of the morph, once for both rows
        assert results.records["a-3.wav"]["level"] == -6
        assert results.records["a-3.wav"]["weights"] == "1;2"
        sidecar = json.loads((tmp_path / "out/a-1.json").read_text())
        assert sidecar["settings"]["morph"]["recording"].endswith("wide.wav")
        before = audio_in(tmp_path / "out")
        render(jobs, tmp_path / "out", resume=True)
        assert audio_in(tmp_path / "out") == before
        assert len(trained) == 2

    def test_silence_needs_no_model(self, tmp_path: Path) -> None:
        write(tmp_path / "silence.wav", Recording(np.zeros((1, RATE), "f4"), RATE), "PCM_16", exact=True)
        results = render(jobs_of(tmp_path, [{"prompt": "silence.wav", "seconds": 0.1}]), tmp_path / "out")
        assert len(results.with_status("finished")) == 1
        tail = read(tmp_path / "out/silence-1.wav").samples[:, RATE:]
        assert np.abs(tail).max() <= 2**-22  # the dither of 24 bits

    def test_unknown_engines_and_ray_when_it_is_missing(
        self, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(InputError, match=r"engine x.*choose from local, ray"):
            render(grid, tmp_path / "out", engine="x")
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(InputError, match=r"pip install .*ray"):
            render(grid, tmp_path / "out", engine="ray")


class TestResuming:
    def test_finished_clips_are_kept(self, grid: Path, finished: Path, tmp_path: Path) -> None:
        folder = copied(finished, tmp_path / "out")
        times = {file.name: file.stat().st_mtime_ns for file in folder.glob("a-*")}
        result = invoke(grid, "-o", folder, "--resume")
        assert (result.exit_code, result.stderr) == (0, "")
        assert {file.name: file.stat().st_mtime_ns for file in folder.glob("a-*")} == times
        assert (folder / "results.csv").read_text() == (finished / "results.csv").read_text()

    def test_missing_and_damaged_clips_are_rendered_again(self, grid: Path, finished: Path, tmp_path: Path) -> None:
        folder = copied(finished, tmp_path / "out")
        (folder / "a-1.wav").unlink()
        os.truncate(folder / "a-2.wav", 60_000)
        (folder / "a-3.json").write_text("{")
        changed = bytearray((folder / "a-4.wav").read_bytes())
        changed[-100] ^= 1
        (folder / "a-4.wav").write_bytes(changed)
        result = invoke(grid, "-o", folder, "--resume")
        assert result.exit_code == 0
        reasons = result.stderr.splitlines()
        expected = ("no such file", "rate, channels or length", "sidecar is damaged", "content has changed")
        assert all(text in line for text, line in zip(expected, reasons, strict=True))
        assert audio_in(folder) == audio_in(finished)

    def test_clips_with_other_settings_are_rendered_again(self, inputs: Path, finished: Path, tmp_path: Path) -> None:
        folder = copied(finished, tmp_path / "out")
        row = {"prompt": "a.wav", "run": "run", "seconds": [0.2, 0.3], "seed": [0, 1]}
        lines: list[str] = []
        results = render(jobs_of(inputs, [row], "other.yaml"), folder, resume=True, log=lines.append)
        assert lines == [f"row {k} (a-{k}): rendered again: its settings have changed" for k in (3, 4)]
        assert results.records["a-4.wav"]["seconds"] == 0.3
        before, after = audio_in(finished), audio_in(folder)
        assert [before[name] == after[name] for name in before] == [True, True, False, False]

    def test_clips_of_another_prompt_with_the_same_name_are_rendered_again(self, inputs: Path, tmp_path: Path) -> None:
        write(tmp_path / "p.wav", noise(seed=1), "PCM_16", exact=True)
        jobs = jobs_of(tmp_path, [{"prompt": "p.wav", "run": str(inputs / "run"), "seconds": 0.1}])
        render(jobs, tmp_path / "out")
        before = audio_in(tmp_path / "out")
        write(tmp_path / "p.wav", noise(seed=2), "PCM_16", exact=True)
        lines: list[str] = []
        render(jobs, tmp_path / "out", resume=True, log=lines.append)
        assert "its prompt, Run or settings have changed" in lines[0]
        assert audio_in(tmp_path / "out") != before

    @pytest.mark.parametrize("how", [{"resume": True}, {"force": True}])
    def test_no_clip_replaces_a_recording(self, inputs: Path, tmp_path: Path, how: dict[str, bool]) -> None:
        (tmp_path / "a.wav").write_bytes((inputs / "a.wav").read_bytes())
        jobs = jobs_of(tmp_path, [{"prompt": "a.wav", "seconds": 0.2, "name": "a"}])
        with pytest.raises(InputError, match=r"row 1 \(a\) would replace"):
            render(jobs, tmp_path, **how)
        assert (tmp_path / "a.wav").read_bytes() == (inputs / "a.wav").read_bytes()

    def test_a_folder_in_use_is_refused(self, grid: Path, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("x")
        with pytest.raises(InputError, match=r"not empty; use --resume.*--force"):
            invoke(grid, "-o", tmp_path)
        with pytest.raises(InputError, match="not a folder"):
            invoke(grid, "-o", tmp_path / "mine.txt")
        assert invoke(grid, "-o", tmp_path, "--resume", "--force").exit_code == 2


class TestOddFiles:
    """Rows with unusual files or names fail alone, or are rendered completely, with their sidecars."""

    def test_whatever_a_decoder_raises_fails_its_row_alone(
        self, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = clips.open_blocks

        def failing(path: Path) -> Any:
            if path.name == "odd.wav":
                raise AttributeError("'NoneType' object has no attribute 'name'")
            return opened(path)

        monkeypatch.setattr(clips, "open_blocks", failing)
        (tmp_path / "odd.wav").write_bytes(b"RIFF")
        rows: list[dict[str, Any]] = [
            {"prompt": str(tmp_path / "odd.wav")},
            {"prompt": str(tmp_path / "odd\0.wav"), "name": "x"},
            {"prompt": "p" * 300},
            {"prompt": "a.wav", "run": "run", "seconds": 0.1},
        ]
        result = invoke(jobs_of(inputs, rows, "odd.yaml"), "-o", tmp_path / "out")
        assert "1 finished, 3 failed" in result.stdout
        assert len(result.stderr.strip().splitlines()) == 3
        assert "odd.wav: it cannot be read (AttributeError" in result.stderr
        assert sorted(audio_in(tmp_path / "out")) == ["a-4.wav"]

    @pytest.mark.parametrize("name", ["../x", "/x", "..\\x", "C:x", "C:\\x", "sub/x", "a\u001b[2J", "n" * 251, ".x"])
    def test_names_that_leave_the_folder_or_are_invalid(self, inputs: Path, tmp_path: Path, name: str) -> None:
        rows = [{"prompt": "a.wav", "run": "run", "seconds": 0.1, "name": name.replace("\\", "\\")}]
        path = inputs / "names.jsonl"
        path.write_text(json.dumps(rows[0]) + "\n")
        result = invoke(path, "-o", tmp_path / "in" / "out")
        assert "0 finished, 1 failed" in result.stdout
        assert "\x1b" not in result.stderr
        assert sorted(file.name for file in tmp_path.rglob("*")) == ["in", "out", "results.csv", "results.jsonl"]

    def test_a_prompt_whose_name_is_not_utf8_and_long(
        self, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "choose_run", lambda *ignored, **ignored_too: untrained_run())
        odd = os.fsdecode(b"M\xfcnchen" + b"n" * 200)
        (inputs / f"{odd}.wav").write_bytes((inputs / "a.wav").read_bytes())
        path = inputs / "latin.jsonl"
        path.write_text(json.dumps({"prompt": f"{odd}.wav", "seconds": 0.1}) + "\n")
        assert invoke(path, "-o", tmp_path / "out", "--budget", 0).exit_code == 0
        sidecar = json.loads((tmp_path / "out" / f"{odd}-1.json").read_text("utf-8"))
        assert sidecar["output"].startswith("M\\xfcnchen")
        assert "M\\xfcnchen" in (tmp_path / "out" / "results.csv").read_text("utf-8")
        made = (tmp_path / "out" / f"{odd}-1.wav").stat().st_mtime_ns
        assert len(render(path, tmp_path / "out", resume=True, budget=0).with_status("finished")) == 1
        assert (tmp_path / "out" / f"{odd}-1.wav").stat().st_mtime_ns == made

    def test_job_files_get_no_external_weights_unless_allowed(
        self, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        downloads: list[str] = []

        def download(address: str, *ignored: object) -> Path:
            downloads.append(address)
            raise InputError(address, "downloaded")

        monkeypatch.setattr("audiogen.vocoders.published.hub.download", download)
        untrained_run().save(tmp_path / "run")
        tree = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
        tree["vocoder"] = {"kind": "bigvgan", "weights": "hub"}
        (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(tree))
        (tmp_path / "own.yaml").write_text("vocoder: {kind: bigvgan, weights: hub}")
        prompt = str(inputs / "a.wav")
        jobs = jobs_of(tmp_path, [{"prompt": prompt, "run": "run"}, {"prompt": prompt, "config": "own.yaml"}])
        result = invoke(jobs, "-o", tmp_path / "out")
        assert downloads == []
        assert result.stderr.count("--allow-external-weights") == 2
        invoke(jobs_of(tmp_path, [{"prompt": prompt, "run": "run"}]), "-o", tmp_path / "b", "--allow-external-weights")
        assert len(downloads) == 1


class TestInterruption:
    """Rows that take minutes, stopped in the middle of one."""

    def started(self, jobs: Path, folder: Path, *more: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", "audiogen", "render", str(jobs), "-o", str(folder), *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @pytest.fixture
    def long(self, inputs: Path) -> Path:
        row = {"prompt": "a.wav", "run": "run", "seed": 0}
        rows = [{**row, "seconds": 0.2}, {**row, "seconds": 900}, {**row, "seconds": 0.4, "seed": 1}]
        return jobs_of(inputs, rows, "long.yaml")

    def test_killed_and_resumed(self, long: Path, inputs: Path, finished: Path, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        process = self.started(long, folder)
        self.wait_for(lambda: (folder / "a-1.json").is_file() and any(folder.glob(".audiogen-*.part")))
        process.kill()
        process.communicate()
        assert sorted(audio_in(folder)) == ["a-1.wav"]
        made = (folder / "a-1.wav").stat().st_mtime_ns
        row = {"prompt": "a.wav", "run": "run", "seconds": [0.2, 0.4], "seed": [0, 1]}
        results = render(jobs_of(inputs, [row], "short.yaml"), folder, resume=True)
        assert len(results.with_status("finished")) == 4
        assert (folder / "a-1.wav").stat().st_mtime_ns == made
        assert audio_in(folder) == audio_in(finished)
        assert not list(folder.glob("*.part"))

    def test_ctrl_c_stops_all_workers_and_leaves_no_partial_files(self, long: Path, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        process = self.started(long, folder, "--workers", "2")
        self.wait_for(lambda: (folder / "a-1.json").is_file() and any(folder.glob(".audiogen-*.part")))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert b"Traceback" not in errors
        assert not list(folder.glob("*.part"))
        assert "a-2.wav" not in audio_in(folder)
        records = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
        assert records[1]["status"] == "pending"


class TestLostWorkers:
    def test_a_killed_worker_is_replaced_and_its_task_done_once(
        self, grid: Path, finished: Path, tmp_path: Path
    ) -> None:
        folder, unrelated = tmp_path / "out", set(multiprocessing.active_children())

        def kill_one() -> None:
            deadline = time.monotonic() + 120
            while not (started := set(multiprocessing.active_children()) - unrelated) and time.monotonic() < deadline:
                time.sleep(0.01)
            started.pop().kill()

        killer = threading.Thread(target=kill_one)
        killer.start()
        results = render(grid, folder, workers=2)
        killer.join()
        assert len(results.with_status("finished")) == 4
        assert audio_in(folder) == audio_in(finished)

    def test_what_is_unfinished_is_tried_again_and_the_suspect_alone(
        self, grid: Path, finished: Path, tmp_path: Path
    ) -> None:
        folder = copied(finished, tmp_path / "out")
        validator = RowValidator()
        (task,) = tasks.group_into_tasks(map(validator.clip, read_rows(grid)), folder, 1, None, "cpu")
        for name in ("a-2.json", "a-3.json", "a-4.json"):
            (folder / name).unlink()

        def names(attempt: Attempt) -> list[str]:
            return [clip.row.name for clip in attempt.task.clips]

        known, (rest,) = Attempt(task).after_loss("lost")
        assert known == [("a-1.wav", None)]
        assert names(rest) == ["a-3.wav", "a-4.wav"]
        assert [names(attempt) for attempt in rest.later] == [["a-2.wav"]]  # only when no other trains its Run
        (suspect,) = rest.after_end()
        assert (names(suspect), suspect.later) == (["a-2.wav"], ())
        known, (again,) = suspect.after_loss("lost")
        assert known == []
        assert again.after_loss("lost") == ([("a-2.wav", "lost")], [])  # the third worker that died of it
        known, (last,) = rest.after_loss("lost")  # it had not been lost before
        assert known == []
        assert [names(attempt) for attempt in (last, *last.later)] == [["a-4.wav"], ["a-2.wav"], ["a-3.wav"]]
        assert suspect.after_end() == []

    def test_a_prompt_that_kills_its_workers_does_so_three_times(self, grid: Path, tmp_path: Path) -> None:
        (task,) = tasks.group_into_tasks(map(RowValidator().clip, read_rows(grid)), tmp_path, 1, None, "cpu")
        outcomes, waiting, deaths = list[Outcome](), [Attempt(task)], 0
        while waiting:
            (attempt,) = waiting  # one at a time
            known, waiting = attempt.after_loss("lost")
            outcomes += known
            deaths += 1
        assert deaths == 3
        assert sorted(outcomes) == [(f"a-{number}.wav", "lost") for number in (1, 2, 3, 4)]

    def test_a_row_that_kills_its_workers_leaves_the_others(self, grid: Path, tmp_path: Path) -> None:
        (task,) = tasks.group_into_tasks(map(RowValidator().clip, read_rows(grid)), tmp_path, 1, None, "cpu")
        outcomes, waiting, deaths = list[Outcome](), [Attempt(task)], 0
        while waiting:
            (attempt,) = waiting
            names = [clip.row.name for clip in attempt.task.clips]
            if "a-1.wav" in names:
                known, waiting = attempt.after_loss("lost")
                deaths += 1
            else:
                known, waiting = [(name, None) for name in names], attempt.after_end()
            outcomes += known
        assert deaths == 3
        assert sorted(outcomes) == [("a-1.wav", "lost"), *((f"a-{number}.wav", None) for number in (2, 3, 4))]

    def test_clips_are_spread_over_the_workers_unless_they_share_a_training(self, inputs: Path, tmp_path: Path) -> None:
        rows = [{"prompt": "a.wav", "seed": [0, 1, 2, 3, 4]}]
        clips = [*map(RowValidator().clip, read_rows(jobs_of(inputs, rows, "spread.yaml")))]
        for budget, sizes in ((None, [3, 2]), (0, [3, 2]), (60, [5])):
            grouped = tasks.group_into_tasks(clips, tmp_path, 2, budget, "cpu")
            assert [len(task.clips) for task in grouped] == sizes

    def test_ray_renders_the_same_and_tries_a_lost_task_again(
        self, grid: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("ray", reason="the extra `ray` is not installed")
        folder = tmp_path / "out"

        def dies_once(task: Task) -> list[Outcome]:  # nested, so that Ray sends it along
            import os
            import signal

            died = task.folder / "died"
            if not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return list(tasks.run_task(task))

        monkeypatch.setattr(workers, "_run_task_on_ray", dies_once)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = render(grid, folder, workers=2, engine="ray")
        assert (folder / "died").exists()
        assert [record["error"] for record in results.records.values()] == [None] * 4
        assert audio_in(folder) == audio_in(finished)


class TestShards:
    def test_shards_in_one_folder_are_the_whole(self, grid: Path, finished: Path, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        names = [[*render(grid, folder, shard=(number, 3)).records] for number in (2, 1, 3)]
        assert names == [["a-2.wav"], ["a-1.wav", "a-4.wav"], ["a-3.wav"]]
        assert audio_in(folder) == audio_in(finished)
        assert not (folder / "results.csv").exists()
        times = {file.name: file.stat().st_mtime_ns for file in folder.glob("*.wav")}
        results = render(grid, folder, resume=True)
        assert len(results.with_status("finished")) == 4
        assert {file.name: file.stat().st_mtime_ns for file in folder.glob("*.wav")} == times  # only collected

    def test_resuming_one_shard_leaves_the_others(self, grid: Path, finished: Path, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        for number in (1, 2):
            render(grid, folder, shard=(number, 2))
        (folder / "a-1.json").unlink()
        of_others = [*folder.glob("a-[24].*"), *folder.glob("results-2-of-2.*")]
        assert len(of_others) == 6
        times = {file: file.stat().st_mtime_ns for file in [*of_others, folder / "a-3.wav"]}
        results = render(grid, folder, shard=(1, 2), resume=True)
        assert [record["name"] for record in results.with_status("finished")] == ["a-1.wav", "a-3.wav"]
        assert {file: file.stat().st_mtime_ns for file in times} == times
        assert audio_in(folder) == audio_in(finished)
        whole = render(grid, folder, resume=True)
        assert len(whole.with_status("finished")) == 4

    def test_what_another_shard_is_writing_stays(self, grid: Path, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        folder.mkdir()
        (folder / ".audiogen-0.part").touch()
        render(grid, folder, shard=(1, 4))
        assert (folder / ".audiogen-0.part").exists()
        with pytest.raises(InputError, match="rendered before"):
            render(grid, folder, shard=(1, 4))

    def test_rows_that_share_a_training_stay_together(self, inputs: Path) -> None:
        row = {"prompt": ["a.wav", "wide.wav"], "config": "tiny.yaml", "seed": [0, 1]}
        rows = read_rows(jobs_of(inputs, [row], "trained.yaml"))
        shards = [_rows_of(rows, (number, 2), trains=False) for number in (1, 2)]
        assert [{row.values["prompt"] for row in shard} for shard in shards] == [{"a.wav"}, {"wide.wav"}]

    @pytest.mark.parametrize("shard", ["0/2", "3/2", "1/0", "2", "a/b"])
    def test_impossible_shards_are_refused(self, grid: Path, tmp_path: Path, shard: str) -> None:
        with pytest.raises(InputError, match="part"):
            invoke(grid, "-o", tmp_path / "out", "--shard", shard)

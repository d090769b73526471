"""Continuing recordings from Python: layouts, types, streams, files, progress, threads."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audiogen
from audiogen import InputError, Recording, Run
from tests.rhythm.signals import RATE as BEAT_RATE
from tests.sound.test_beat_continuation import song

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]
RATE = 44100


@pytest.fixture
def prompt(texture: Texture) -> Recording:
    return texture(1.0, channels=2)


@pytest.fixture
def run(untrained: Untrained, prompt: Recording) -> Run:
    return untrained(prompt)


def test_the_prompt_is_returned_unchanged_before_the_tail(prompt: Recording, run: Run) -> None:
    samples = prompt.samples.astype(np.float64) * 0.999999999  # which no float32 holds
    whole = audiogen.continue_audio(samples, RATE, 0.5, run=run)
    assert whole.shape == (2, prompt.length + RATE // 2)
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole[:, : prompt.length], samples)


def test_a_fade_is_left_out_of_what_is_returned_and_not_of_a_stream(run: Run) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)
    samples[-RATE:] *= np.linspace(1, 0, RATE)
    with pytest.warns(audiogen.AudioWarning, match="fades out"):
        whole = audiogen.continue_audio(samples, RATE, 0.5, run=run)
    join = len(whole) - RATE // 2
    assert join / RATE == pytest.approx(2.95, abs=0.15)
    np.testing.assert_array_equal(whole[:join], samples[:join])
    with pytest.warns(audiogen.AudioWarning, match="not made of that"):
        kept = audiogen.continue_audio(samples, RATE, 0.5, run=run, keep_edges=True)
    np.testing.assert_array_equal(kept[: len(samples)], samples)
    with pytest.warns(audiogen.AudioWarning, match="not made of that"):
        streamed = np.concatenate(list(audiogen.stream(samples, RATE, 0.5, run=run)))
    np.testing.assert_array_equal(kept[len(samples) :], streamed)
    assert streamed.std() == pytest.approx(0.1, rel=0.15)


def test_the_layout_library_and_type_are_those_of_the_prompt(prompt: Recording, run: Run) -> None:
    tail = audiogen.continue_audio(prompt.samples, RATE, 0.3, run=run, tail_only=True)
    assert tail.dtype == np.float32
    assert tail.shape == (2, round(0.3 * RATE))
    tensor = torch.from_numpy(prompt.samples)
    same = audiogen.continue_audio(tensor, RATE, 0.3, run=run, tail_only=True)
    assert isinstance(same, torch.Tensor)
    np.testing.assert_array_equal(same.numpy(), tail)
    half = audiogen.continue_audio(tensor.half(), RATE, 0.1, run=run)
    assert half.dtype == torch.float16
    assert torch.equal(half[:, : prompt.length], tensor.half())
    mono = audiogen.continue_audio(prompt.samples[0], RATE, 0.1, run=run)
    assert mono.shape == (prompt.length + RATE // 10,)


def test_the_blocks_of_a_stream_are_the_tail_to_the_bit(prompt: Recording, run: Run) -> None:
    asked: dict[str, Any] = {"seed": 3, "temperature": 1.5, "level": -3.0, "run": run}
    tail = audiogen.continue_audio(prompt.samples, RATE, 2.0, tail_only=True, **asked)
    blocks = list(audiogen.stream(prompt.samples, RATE, 2.0, **asked))
    assert len(blocks) > 1
    assert all(block.shape[0] == 2 and block.shape[1] for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), tail)
    endless = audiogen.stream(prompt.samples, RATE, **asked)
    first = list(itertools.islice(endless, len(blocks)))
    length = min(tail.shape[1], sum(block.shape[1] for block in first))
    np.testing.assert_array_equal(np.concatenate(first, axis=1)[:, :length], tail[:, :length])


def test_a_mono_stream_of_torch(prompt: Recording, run: Run) -> None:
    block = next(audiogen.stream(torch.from_numpy(prompt.samples[0]), RATE, run=run))
    assert isinstance(block, torch.Tensor)
    assert block.ndim == 1


def test_a_file_holds_the_same_samples_and_its_sidecar_the_result(prompt: Recording, run: Run, tmp_path: Path) -> None:
    made = audiogen.continue_recording(prompt, tmp_path / "out.wav", 0.7, seed=5, run=run, subtype="FLOAT")
    assert made == audiogen.Continuation.open(made.path)
    assert json.loads((tmp_path / "out.json").read_text()) == made.as_dict() == json.loads(made.to_json())
    assert (made.join_sample, made.seed, made.seconds) == (prompt.length, 5, pytest.approx(0.7))
    assert made.texture_distance is None or made.texture_distance > 0
    with pytest.raises(InputError, match=r"other\.json: it does not describe a continuation"):
        audiogen.Continuation.open(tmp_path / "other.wav")
    whole = audiogen.continue_audio(prompt.samples, RATE, 0.7, seed=5, run=run)
    np.testing.assert_array_equal(made.read().samples, whole)


def test_silence_is_continued_by_silence_at_once() -> None:
    whole = audiogen.continue_audio(np.zeros(100), RATE, 0.01)
    np.testing.assert_array_equal(whole, np.zeros(541))
    block = next(audiogen.stream(np.zeros((2, 100)), RATE))
    assert not block.any()


def test_a_loop_a_morph_and_the_shipped_base(prompt: Recording, texture: Texture, run: Run) -> None:
    loop = audiogen.continue_audio(prompt.samples, RATE, 1.0, run=run, loop=True, tail_only=True)
    assert loop.shape == (2, RATE)
    morphed = audiogen.continue_audio(prompt.samples, RATE, 1.0, run=run, morph=texture(1.0, seed=9), tail_only=True)
    assert morphed.shape == (2, RATE)
    assert audiogen.choose_run(prompt, budget=0).path is not None


def test_a_run_may_be_named_by_its_folder(prompt: Recording, run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run")
    one, other = (audiogen.continue_audio(prompt.samples, RATE, 0.1, run=each) for each in (run, tmp_path / "run"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("samples", "asked", "message"),
    [
        (np.zeros((44100, 2)), {}, r"more channels than samples; give samples\.T"),
        (np.full(44100, np.nan), {}, "44100 of 44100 are NaN"),
        (np.ones(100), {}, "too short"),
        (np.ones(44100), {"seconds": 0.0}, "seconds: 0 is out of range"),
        (np.ones(44100), {"seconds": "x"}, "seconds: 'x' is no number; give a number"),
        (np.ones(44100), {"seed": 0.5}, "seed: 0.5 is no whole number"),
        (np.ones(44100), {"longest_copy": 2}, "longest_copy: 2 is no length"),
        (np.ones(44100), {"temperature": 11.0}, "temperature"),
        (np.ones(44100), {"config": "no-such-config"}, "no-such-config"),
    ],
)
def test_bad_input_is_refused_before_any_work(samples: np.ndarray, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        audiogen.continue_audio(samples, RATE, **asked)
    with pytest.raises(InputError, match=message):
        audiogen.stream(samples, RATE, **asked)


def test_a_run_and_a_training_are_not_both_possible(prompt: Recording, run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run: a Run is trained already; leave out config and budget"):
        audiogen.continue_audio(prompt.samples, RATE, run=run, budget=0)
    with pytest.raises(InputError, match="leave out config"):
        audiogen.continue_recording(prompt, tmp_path / "out.wav", run=run, config="base")
    with pytest.raises(InputError, match="a Run is trained already"):
        audiogen.continue_tune(tmp_path / "tune.mid", run=run, budget=1.0)
    with pytest.raises(InputError, match=r"mel/lstm-flow: its representation is mel; a MIDI prompt needs midi"):
        audiogen.continue_tune(tmp_path / "tune.mid", config="mel/lstm-flow")


def test_an_endless_morph_is_refused(prompt: Recording, run: Run) -> None:
    with pytest.raises(InputError, match="give seconds"):
        audiogen.stream(prompt.samples, RATE, morph=prompt, run=run)


def test_one_thread_while_computing_and_the_callers_number_afterwards(
    prompt: Recording, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        blocks = audiogen.stream(
            prompt.samples, RATE, run=run, progress=lambda *call: seen.append(torch.get_num_threads())
        )
        next(blocks)
        assert torch.get_num_threads() == 2
        audiogen.train(run.experiment, prompt, progress=lambda *call: seen.append(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_progress_is_called_and_may_stop_the_work(prompt: Recording, run: Run, tmp_path: Path) -> None:
    calls: list[tuple[float, float, str]] = []
    audiogen.continue_recording(prompt, tmp_path / "out.wav", 0.5, run=run, progress=lambda *call: calls.append(call))
    assert all(0 <= done <= total * 1.001 for done, total, _ in calls)
    assert any(label == "continuing out.wav" and done == pytest.approx(total) for done, total, label in calls)

    def stop(done: float, total: float, label: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audiogen.continue_recording(prompt, tmp_path / "stopped.wav", 0.5, run=run, progress=stop)
    assert not (tmp_path / "stopped.wav").exists()


def test_a_budget_trains_although_the_recording_has_a_pulse(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    trained: list[float | None] = []

    def choose(recording: Recording, experiment: Any, budget: float | None, *others: Any, **more: Any) -> Run:
        trained.append(budget)
        return run

    monkeypatch.setattr("audiogen.jobs.continuer_choice.choose_run", choose)
    samples = song(20.0).samples
    audiogen.continue_audio(samples, BEAT_RATE, 0.1)
    assert not trained
    audiogen.continue_audio(samples, BEAT_RATE, 0.1, budget=3.0)
    next(audiogen.stream(samples, BEAT_RATE, budget=4.0))
    assert trained == [3.0, 4.0]

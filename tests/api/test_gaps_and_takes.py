"""Gaps, what came before, loops and sets from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audiogen
from audiogen import InputError, Recording, Run
from audiogen.audio import read
from audiogen.dsp.limiter import peak_of
from audiogen.jobs.continue_set import continue_set
from audiogen.jobs.loudness_target import loudness_of
from audiogen.jobs.request import Request
from audiogen.output_names import numbered

Texture = Callable[..., Recording]
RATE = 44100
pytestmark = pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of an untrained Model's tail


@pytest.fixture
def run(untrained: Callable[..., Run], texture: Texture) -> Run:
    return untrained(texture(2.0))


def test_a_segment_is_replaced_and_all_else_returned_unchanged(texture: Texture, run: Run) -> None:
    samples = texture(3.0, channels=2).samples.astype(np.float64) * 0.999999999  # which no float32 holds
    whole = audiogen.fill(samples, RATE, start=1.0, stop=1.5, run=run)
    assert (whole.shape, whole.dtype) == (samples.shape, samples.dtype)
    first, last = RATE, round(1.5 * RATE)
    np.testing.assert_array_equal(whole[:, :first], samples[:, :first])
    np.testing.assert_array_equal(whole[:, last:], samples[:, last:])
    assert not np.array_equal(whole[:, first:last], samples[:, first:last])
    only = audiogen.fill(samples, RATE, start=1.0, stop=1.5, run=run, gap_only=True)
    np.testing.assert_array_equal(only, whole[:, first:last])


def test_the_file_of_a_gap_holds_the_same_samples(texture: Texture, run: Run, tmp_path: Path) -> None:
    before, after = texture(1.5), texture(1.5, 1)
    asked: dict[str, Any] = {"seconds": 0.5, "seed": 3, "run": run}
    whole = audiogen.fill(torch.from_numpy(before.samples[0]), RATE, torch.from_numpy(after.samples[0]), **asked)
    made = audiogen.fill_recording(before, tmp_path / "out.wav", after, subtype="FLOAT", **asked)
    assert isinstance(whole, torch.Tensor)
    np.testing.assert_array_equal(made.read().samples[0], whole.numpy())
    assert (made.start, made.stop, made.seconds) == (before.length, before.length + RATE // 2, 0.5)
    assert made.seams["end"]["click_percentile"] <= 100
    assert made.as_dict()["gap"] == {"start": made.start, "stop": made.stop}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "one gap"),
        ({"start": 0.2}, "one gap"),
        ({"start": 0.2, "stop": 0.4, "seconds": 1.0}, "one gap"),
        ({"after": np.zeros(RATE), "start": 0.2, "stop": 0.4}, "one gap"),
        ({"start": 0.2, "stop": 4.0}, "does not lie inside"),
        ({"after": np.zeros((1, RATE)), "seconds": 1.0}, "has 2 axes, and before 1"),
        ({"after": np.zeros(RATE), "seconds": "4"}, "seconds: '4' is no number; give a number"),
        ({"start": "0.2", "stop": 0.4}, "start: '0.2' is no number"),
    ],
)
def test_one_gap_is_needed(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        audiogen.fill(np.zeros(RATE), RATE, **asked)


def test_numbers_of_loops_and_sets_are_numbers() -> None:
    for asked in ({"variations": "x"}, {"variations": 0}, {"seconds": None}, {"loudness": "loud"}):
        with pytest.raises(InputError, match=f"^{next(iter(asked))}: "):
            audiogen.take_set(np.ones(RATE), RATE, **asked)
    with pytest.raises(InputError, match="seconds: 'x' is no number"):
        audiogen.loops(np.ones(RATE), RATE, ["x"])  # type: ignore[list-item]


def test_what_came_before_ends_with_the_prompt(texture: Texture, run: Run, tmp_path: Path) -> None:
    prompt = texture(2.0, channels=2)
    whole = audiogen.continue_audio(prompt.samples, RATE, 0.5, run=run, backward=True)
    assert whole.shape == (2, prompt.length + RATE // 2)
    np.testing.assert_array_equal(whole[:, RATE // 2 :], prompt.samples)
    alone = audiogen.continue_audio(prompt.samples, RATE, 0.5, run=run, backward=True, tail_only=True)
    np.testing.assert_array_equal(alone, whole[:, : RATE // 2])
    for tail_only in (False, True):
        out = tmp_path / f"{tail_only}.wav"
        asked: dict[str, Any] = {"run": run, "subtype": "FLOAT", "tail_only": tail_only}
        made = audiogen.continue_recording(prompt, out, 0.5, backward=True, **asked)
        assert (made.join_sample, made.seconds) == (0, 0.5)
        assert made == audiogen.Continuation.open(out)
        np.testing.assert_array_equal(made.read().samples, alone if tail_only else whole)
    for option in ({"loop": True}, {"morph": prompt}):
        with pytest.raises(InputError, match=r"backward: .* cannot be combined"):
            audiogen.continue_audio(prompt.samples, RATE, 0.5, run=run, backward=True, **option)  # type: ignore[arg-type]


def test_loops_of_several_lengths_share_one_analysis(texture: Texture, run: Run) -> None:
    samples = texture(2.0).samples
    short, long = audiogen.loops(samples, RATE, (0.5, 1.25), run=run)
    assert (short.shape, long.shape) == ((1, RATE // 2), (1, round(1.25 * RATE)))
    same = audiogen.continue_audio(samples, RATE, 1.25, run=run, loop=True, tail_only=True)
    np.testing.assert_array_equal(long, same)


def test_a_set_is_equally_loud_and_compared(texture: Texture, run: Run) -> None:
    prompt = texture(4.0)
    made = audiogen.take_set(prompt.samples[0], RATE, variations=3, seconds=1.5, run=run)
    assert [take.shape for take in made.takes] == [(round(1.5 * RATE),)] * 3
    loudness = [loudness_of(Recording(take, RATE)) for take in made.takes]
    assert loudness == pytest.approx([loudness[0]] * 3, abs=0.02)
    assert max(map(peak_of, made.takes)) <= 10 ** (-1 / 20)
    assert made.report is not None
    assert set(made.report.nearest.takes) < {"take 1", "take 2", "take 3"}
    quiet = audiogen.take_set(prompt.samples[0], RATE, variations=1, seconds=1.5, run=run, loudness=-50.0)
    assert loudness_of(Recording(quiet.takes[0], RATE)) == pytest.approx(-50, abs=0.02)
    assert quiet.report is None


def test_a_set_is_that_of_the_command(texture: Texture, tmp_path: Path) -> None:
    """By the base, whose takes would be others if they were not kept distinct."""
    prompt = texture(4.0)
    outs = numbered(tmp_path / "take.wav", 3)
    requests = [Request(seconds=1.5, seed=5 + take, subtype="FLOAT") for take in range(3)]
    list(continue_set(prompt, list(zip(outs, requests, strict=True))))
    made = audiogen.take_set(prompt.samples, RATE, variations=3, seconds=1.5, seed=5)
    for out, take in zip(outs, made.takes, strict=True):
        np.testing.assert_allclose(read(out).samples, take, rtol=0, atol=1e-6)
    alone = audiogen.take_set(prompt.samples, RATE, variations=1, seconds=1.5, seed=7).takes[0]
    assert np.abs(alone - made.takes[2] * alone.std() / made.takes[2].std()).max() > 0.01

"""Measures of a continuation: complete, in JSON types, the same for streams and files."""

from __future__ import annotations

import gc
import json
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest

from audiogen.audio import AudioWarning, write
from audiogen.errors import InputError
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.tail_measures import RunningMeasures, measure_continuation
from tests.metrics.signals import RATE, modulated, noise, recording

PARTS = ["join", "level", "drift", "clipping", "silence", "copying", "looping", "texture"]


def numbers(nest):
    for value in nest.values():
        yield from numbers(value) if isinstance(value, dict) else [value]


def test_measures_of_a_good_continuation():
    whole = noise(24, 1)
    prompt, held_out = recording(whole[:, : 12 * RATE]), recording(whole[:, 12 * RATE : 16 * RATE])
    found = measure_continuation(prompt, recording(whole[:, 16 * RATE :]), held_out=held_out)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["seconds"] == 8
    assert found["level"]["difference_db"] == pytest.approx(0, abs=0.2)
    assert found["copying"]["fraction"] == found["looping"]["fraction"] == 0
    assert found["copying"]["held_out_fraction"] == 0
    assert found["texture"]["overall"] == pytest.approx(1, abs=0.15)
    assert found["texture"]["against"] == "held-out"
    assert found["clipping"]["fraction"] == found["silence"]["fraction"] == 0
    assert found["stereo"] is None
    assert found["loop_seam"] is None


def test_an_analysis_of_the_prompt_serves_at_any_gain():
    prompt, tail = noise(8, 1), 0.7 * noise(4, 2)
    evaluator = TailEvaluator(recording(prompt))
    plain = measure_continuation(recording(prompt), recording(tail), evaluator=evaluator)
    louder = [recording(samples * 10 ** (6 / 20)) for samples in (prompt, tail)]
    found = measure_continuation(*louder, evaluator=evaluator, gain_db=6.0)
    assert found["level"]["tail_db"] == pytest.approx(plain["level"]["tail_db"] + 6, abs=1e-3)
    assert found["texture"]["overall"] == pytest.approx(plain["texture"]["overall"], abs=1e-3)
    assert found["copying"]["median_similarity"] == pytest.approx(plain["copying"]["median_similarity"], abs=1e-3)


def test_what_is_known_of_a_prompt_goes_with_it():
    """Its analysis serves the next tail, and keeps neither the prompt nor its samples in memory."""
    prompt = recording(noise(8, 1))
    first = measure_continuation(prompt, recording(noise(4, 2)))
    assert measure_continuation(prompt, recording(noise(4, 2))) == first
    assert measure_continuation(recording(noise(8, 3)), recording(noise(4, 2)))["join"] != first["join"]
    freed, samples = weakref.ref(prompt), weakref.ref(prompt.samples)
    del prompt
    gc.collect()
    assert freed() is None
    assert samples() is None


def test_faults_change_their_measures():
    prompt = modulated(12, 1, 3.0)
    looped = np.tile(0.5 * prompt[:, 8 * RATE : 10 * RATE], (1, 5))
    looped[:, 8 * RATE :] = 0
    looped[:, :100] = 1.0
    found = measure_continuation(recording(prompt), recording(looped))
    assert found["copying"]["fraction"] > 0.7
    assert found["looping"]["fraction"] > 0.7
    assert found["silence"]["fraction"] == pytest.approx(0.2, abs=0.02)
    assert found["clipping"]["fraction"] == pytest.approx(100 / (10 * RATE))
    assert found["join"]["click_percentile"] == 100
    assert found["drift"]["level_deviation_db"] > 5
    assert found["texture"]["against"] == "prompt"
    assert found["texture"]["overall"] > 1.5


def test_stereo_is_compared_with_the_prompt():
    left, right = noise(8, 1), noise(8, 2)
    prompt = recording(np.concatenate([left, -left]))
    found = measure_continuation(prompt, recording(np.concatenate([left, right])))["stereo"]
    assert found["prompt_correlation"] == pytest.approx(-1)
    assert found["correlation"] == pytest.approx(0, abs=0.05)
    assert found["correlation_difference"] == pytest.approx(1, abs=0.05)


def test_a_stream_has_the_measures_of_the_whole():
    prompt, tail = recording(noise(6, 1)), noise(7.3, 2)
    running = RunningMeasures(prompt)
    for first in range(0, tail.shape[1], 5000):
        running.push(tail[:, first : first + 5000])
    whole = list(numbers(measure_continuation(prompt, recording(tail))))
    assert list(numbers(running.result())) == [
        pytest.approx(value, rel=1e-5, abs=1e-5) if isinstance(value, float) else value for value in whole
    ]


def test_a_file_is_measured_from_its_join(tmp_path):
    prompt, tail = recording(noise(6, 1)), recording(noise(6, 2))
    both = recording(np.concatenate([prompt.samples, tail.samples], axis=1))
    write(tmp_path / "both.wav", both, subtype="FLOAT")
    found = measure_continuation(prompt, tmp_path / "both.wav", prompt.length)
    assert list(numbers(found)) == pytest.approx(list(numbers(measure_continuation(prompt, tail))))


def test_clipping_of_the_prompt_is_not_reported_of_its_continuation(tmp_path):
    prompt = recording(noise(6, 1))
    both = recording(np.clip(30 * noise(12, 2), -1, 1))
    write(tmp_path / "both.wav", both, subtype="PCM_16", exact=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        measure_continuation(prompt, tmp_path / "both.wav", prompt.length)


def test_the_seam_of_a_loop_joins_its_end_and_beginning():
    time = np.arange(10 * RATE) / RATE
    tone = 0.2 * np.sin(2 * np.pi * 441 * time)[None]
    prompt = recording(tone[:, : 5 * RATE])
    good = measure_continuation(prompt, recording(tone), 5 * RATE, loop=True)
    bad = measure_continuation(prompt, recording(tone[:, :-18]), 5 * RATE, loop=True)
    assert bad["loop_seam"]["phase"] > 5 * good["loop_seam"]["phase"]
    assert bad["join"]["phase"] == pytest.approx(good["join"]["phase"], abs=1e-3)


def test_a_long_tail_is_measured_in_bounded_memory():
    prompt = recording(noise(4, 1))
    block = noise(10, 2)
    peaks = []
    for blocks in (8, 24):
        running = RunningMeasures(prompt)
        tracemalloc.start()
        for _ in range(blocks):
            running.push(block)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
    assert running.result()["seconds"] == 240


def test_tiny_tails_are_measured_as_far_as_possible():
    found = measure_continuation(recording(noise(4, 1)), recording(noise(0.1, 2)))
    assert found["texture"] is None
    assert found["copying"] is None
    assert all(found[part] is not None for part in PARTS[:5])
    silent = measure_continuation(recording(np.zeros((2, RATE))), recording(np.zeros((2, RATE))))
    assert silent["silence"] == {"fraction": 1.0, "prompt_fraction": 1.0}


def test_empty_tails_and_mismatches_are_refused(tmp_path):
    prompt = recording(noise(1, 1))
    with pytest.raises(InputError, match="no samples"):
        measure_continuation(prompt, recording(np.zeros((1, 0))))
    with pytest.raises(InputError, match="2 channels at 16000 Hz, the prompt 1 at 16000 Hz"):
        measure_continuation(prompt, recording(noise(1, 1, channels=2)))
    write(tmp_path / "fast.wav", recording(noise(1, 1), 22050))
    with pytest.raises(InputError, match="1 channels at 22050 Hz"):
        measure_continuation(prompt, tmp_path / "fast.wav")

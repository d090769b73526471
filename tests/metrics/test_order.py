"""Measures of order on processes of known order: real reads about 1, the same sounds in another order badly."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.evaluation import evaluate
from audiogen.metrics.order import MEASURES, OrderReference, shuffled
from audiogen.metrics.order_metric import Order
from audiogen.metrics.order_pulse import bar_beats, find_pulse, phase_shift, refine_period
from audiogen.testing import check_metric
from tests.metrics.processes import bars, calls, clock, in_random_order, tone_chain
from tests.metrics.signals import RATE, noise, recording

PROMPT, TAIL = 15.0, 5.0  # seconds


def reference(prompt: Recording, *measures: str) -> OrderReference:
    return OrderReference(prompt, seconds=TAIL, measures=measures or tuple(MEASURES))


def ratios(order: OrderReference, tails: list[Recording], measure: str) -> np.ndarray:
    return np.array([order.distance(tail).ratios[measure] for tail in tails])


def mixed(tail: Recording, seconds: float) -> Recording:
    return recording(in_random_order(tail.samples[0], seconds, np.random.default_rng(1)))


@pytest.mark.parametrize("measure", ["forecast", "states", "memory"])
def test_a_chain_of_tones_is_told_from_its_tones_in_random_order(measure):
    order = reference(tone_chain(PROMPT, 0), measure)
    real = [tone_chain(TAIL, seed) for seed in range(1, 6)]
    true = ratios(order, real, measure).mean()
    assert true < 1.4
    wrong = [tone_chain(TAIL, seed, loyalty=0.0) for seed in range(1, 6)]
    assert ratios(order, wrong, measure).mean() > max(1.5 * true, 1.4)
    assert order.applies(measure)


def test_half_seconds_in_random_or_reversed_order_lose_the_forecast():
    # Half seconds hold two of the five tones: every other transition is lost.
    order = reference(tone_chain(PROMPT, 0), "forecast")
    real = tone_chain(TAIL, 1)
    halves = real.samples[0].reshape(10, -1)
    true, reverse, random = ratios(order, [real, recording(halves[::-1].ravel()), mixed(real, 0.5)], "forecast")
    assert reverse > 1.4 * true
    assert random > 1.4 * true


def test_a_copy_earns_no_forecast():
    # Quarter seconds of the prompt in random order: were copies counted, each would be foretold by where it is from.
    prompt = tone_chain(PROMPT, 0)
    copied = recording(in_random_order(prompt.samples[0], 0.25, np.random.default_rng(2))[: int(TAIL * RATE)])
    assert ratios(reference(prompt, "forecast"), [copied], "forecast")[0] > 1.3


def test_swells_are_told_from_as_much_movement_at_other_times():
    def waves(seconds: float, seed: int, sort: bool = True) -> Recording:
        """Noise that rises for three seconds and falls at once; unsorted, its half seconds come in random order."""
        random = np.random.default_rng(seed)
        phase = (np.arange(int(seconds * RATE)) / RATE + random.uniform(0, 3)) % 3.0 / 3.0
        samples = noise(seconds, seed)[0] * np.exp(3 * phase)
        return recording(samples if sort else in_random_order(samples, 0.5, random))

    order = reference(waves(PROMPT, 0), "swells")
    assert order.applies("swells")
    real = ratios(order, [waves(TAIL, seed) for seed in (1, 2)], "swells").mean()
    assert real < 1.5
    assert ratios(order, [waves(TAIL, seed, sort=False) for seed in (1, 2)], "swells").mean() > 1.5 * real


def test_a_loop_remembers_for_too_long():
    prompt = recording(noise(PROMPT, 0) * (1 + np.random.default_rng(0).standard_normal(30).repeat(RATE // 2) ** 2))
    tail = prompt.samples[0, :RATE]
    order = reference(prompt, "memory")
    assert ratios(order, [recording(np.tile(tail, 5))], "memory")[0] > 2.0


def test_a_clock_has_a_pulse_and_irregular_clicks_have_none():
    order = reference(clock(PROMPT, 0), "forecast", "pulse")
    assert order.has_pulse
    assert ratios(order, [clock(TAIL, 1)], "pulse")[0] < 1.5
    assert ratios(order, [clock(TAIL, 1, jitter=1.0)], "pulse")[0] > 3.0
    assert not reference(clock(PROMPT, 0, jitter=1.0), "pulse").has_pulse


def test_noise_is_neither_structured_nor_pulsed():
    order = reference(recording(noise(PROMPT, 0)))
    assert not order.structured
    assert not order.has_pulse
    distance = order.distance(recording(noise(TAIL, 1)))
    assert all(0.5 < distance.ratios[name] < 2.0 for name in ("forecast", "states", "swells", "pulse"))


@pytest.mark.parametrize("period", [0.4, 0.5, 0.61])
def test_the_period_of_a_clock_is_found_within_half_a_percent(period):
    features = reference(clock(PROMPT, 0, period), "pulse").prompt
    pulse = find_pulse([features])
    assert pulse is not None
    assert pulse.period == pytest.approx(period, rel=0.005)


def test_a_tail_that_is_late_or_slow_is_measured_as_such():
    prompt = clock(PROMPT, 0)
    order = reference(prompt, "pulse")
    whole = clock(PROMPT + TAIL, 0).samples[0]
    for late in (0.0, 0.08, -0.1):
        first = int((PROMPT - late) * RATE)
        tail = order.features(recording(whole[first : first + int(4.5 * RATE)]))
        assert phase_shift(order.prompt, tail, 0.5) == pytest.approx(late, abs=0.02)
    slow = order.features(clock(TAIL, 1, period=0.515))
    assert refine_period([slow], 0.5) == pytest.approx(0.515, rel=0.005)


def test_strokes_in_random_order_have_the_pulse_but_not_the_metre():
    order = reference(bars(PROMPT, 0), "pulse", "metre")
    assert bar_beats([order.prompt], 0.25) in (4, 8)
    assert ratios(order, [bars(TAIL, 1)], "metre")[0] < 1.6
    assert ratios(order, [bars(TAIL, seed, shuffle=True) for seed in range(3)], "metre").mean() > 2.0


def test_chopped_and_backward_calls_are_other_events():
    order = reference(calls(PROMPT, 0), "events")
    true = ratios(order, [calls(TAIL, seed) for seed in range(1, 4)], "events").mean()
    assert true < 1.6
    for fault in ({"chopped": True}, {"backwards": True}):
        wrong = [calls(TAIL, seed, **fault) for seed in range(1, 4)]
        assert ratios(order, wrong, "events").mean() > 1.5 * true


def test_the_real_continuation_counts_towards_the_floor():
    prompt, real = tone_chain(PROMPT, 0), tone_chain(TAIL, 9, loyalty=0.0)
    alone = OrderReference(prompt, seconds=TAIL, measures=("forecast",)).distance(real).ratios["forecast"]
    known = OrderReference(prompt, real, seconds=TAIL, measures=("forecast",)).distance(real).ratios["forecast"]
    assert alone > known > 1.0


def test_short_prompts_are_refused():
    with pytest.raises(InputError, match="too short"):
        OrderReference(clock(2.0, 0), seconds=1.0)


def test_silence_and_single_samples_are_refused_or_measured():
    order = reference(calls(PROMPT, 0))
    with pytest.raises(InputError):
        order.distance(calls(TAIL, 1).cut(0, 1))
    assert all(np.isfinite(value) for value in order.distance(recording(np.zeros(int(TAIL * RATE)))).ratios.values())


def test_shuffling_keeps_the_frames():
    features = reference(calls(PROMPT, 0), "forecast").prompt
    mixed_up = shuffled(features, np.random.default_rng(0))
    assert mixed_up.mel.mean() == pytest.approx(features.mel[: len(mixed_up.mel)].mean(), abs=1e-3)
    assert not np.array_equal(mixed_up.mel, features.mel[: len(mixed_up.mel)])


def test_the_metric_keeps_the_contract():
    check_metric(Order, seconds=7.0)


def test_evaluate_reports_order():
    whole = tone_chain(26.0, 0)
    prompt, real = whole.cut(0, 15 * RATE), whole.cut(15 * RATE, 21 * RATE)
    evaluation = evaluate(tone_chain(6.0, 5, loyalty=0.0), real, prompt, baselines=["loop"])
    output, truth = (candidate.others for candidate in (evaluation.output, evaluation.real))
    assert output["order"] > 1.3 * truth["order"]
    assert output["order.states"] > 1.3 * truth["order.states"]
    assert any("order" in verdict for verdict in evaluation.verdicts())

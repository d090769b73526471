"""By default, a recording's own contexts predict its continuation: in its order, and no copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.config.shipped import shipped_configs
from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.pretrained import base
from audiogen.run import Run
from audiogen.sound.context_predictor import MIN_REPETITION_THRESHOLD, ContextPredictor, rules_of
from audiogen.sound.continuation import Continuer
from audiogen.sound.patch_selection import COPY_THRESHOLD
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.prompt_analysis import analyse_prompt

RATE = 44100
Texture = Callable[..., Recording]
BANDS = ((200, 600), (1200, 2400), (5000, 9000))  # Hz, of three sounds that follow one another


def cycling(cycles: int, seconds: float = 0.28, seed: int = 0) -> Recording:
    """Noise bands low, middle, high, low, ... of about ``seconds`` each."""
    generator = np.random.default_rng(seed)
    parts = []
    for index in range(3 * cycles):
        length = round(RATE * seconds * generator.uniform(0.8, 1.2))
        spectrum = np.fft.rfft(generator.standard_normal(length))
        hertz = np.fft.rfftfreq(length, 1 / RATE)
        low, high = BANDS[index % 3]
        part = np.fft.irfft(spectrum * ((hertz > low) & (hertz < high)), length)
        parts.append(part / np.std(part) + 0.01 * generator.standard_normal(length))
    return Recording(0.1 * np.concatenate(parts)[None].astype(np.float32), RATE)


def predictions(predictor: RunPredictor, seconds: float, seed: int = 0) -> list[int]:
    """Which of the three sounds each predicted patch is."""
    count = round(seconds / predictor.representation.step_seconds)
    found = []
    for patch in islice(predictor.patches_after(seed, 1.0), count):
        power = np.exp(2 * patch.frames.numpy()).mean(0)
        found.append(int(np.argmax([power[low:high].sum() for low, high in ((5, 25), (45, 68), (95, 114))])))
    return found


def in_order(found: list[int]) -> float:
    """Fraction of the changes that go to the sound that follows."""
    changes = [(now, then) for now, then in pairwise(found) if now != then]
    return float(np.mean([then == (now + 1) % 3 for now, then in changes]))


def test_the_order_of_the_recording_is_kept() -> None:
    prompt = analyse_prompt(cycling(20), base().representation.options.spec)
    found = predictions(ContextPredictor(base(), prompt), 15.0)
    assert in_order(found) > 0.85
    changes = sum(now != then for now, then in pairwise(found))
    assert 0.5 < changes / (15.0 / 0.28) < 1.5


def test_the_configuration_of_a_run_says_what_predicts(texture: Texture, tmp_path: Path) -> None:
    prompt = texture(2.0)
    assert Experiment().predictor == "model"
    assert base().experiment.predictor == "contexts"
    assert isinstance(Continuer(base(), prompt).predictor, ContextPredictor)
    by_model = replace(base(), experiment=replace(base().experiment, predictor="model"))
    by_model.save(tmp_path)
    assert not isinstance(Continuer(Run.open(tmp_path), prompt).predictor, ContextPredictor)


def test_contexts_do_not_predict_tunes() -> None:
    with pytest.raises(InputError, match="contexts predict recordings, not tunes; write predictor: model"):
        read_experiment(shipped_configs()["midi/lstm"], ("predictor=contexts",))
    with pytest.raises(InputError, match="predictor=context: it cannot be 'context'"):
        read_experiment(None, ("predictor=context",))


def test_equal_seeds_predict_equal_patches(texture: Texture) -> None:
    prompt = analyse_prompt(texture(4.0), base().representation.options.spec)
    first, second = (
        [patch.start for patch in islice(ContextPredictor(base(), prompt).patches_after(seed, 1.0), 30)]
        for seed in (3, 4)
    )
    again = [patch.start for patch in islice(ContextPredictor(base(), prompt).patches_after(3, 1.0), 30)]
    assert first == again != second


def test_tails_of_one_course_differ() -> None:
    prompt = analyse_prompt(cycling(20), base().representation.options.spec)
    first, second = (
        [patch.start for patch in islice(ContextPredictor(base(), prompt).patches_after(seed, 1.0), 100)]
        for seed in (3, 4)
    )
    same = sum(abs(one - other) < 4 for one, other in zip(first, second, strict=True))
    assert same < 30, "as many patches at most are the same at the same time"


@pytest.mark.parametrize("seconds", [0.5, 0.6, 1.5])
def test_the_shortest_prompts_are_continued(texture: Texture, seconds: float) -> None:
    tail = np.concatenate(list(Continuer(base(), texture(seconds)).tail(RATE)), axis=1)
    assert np.isfinite(tail).all()
    assert tail.std() > 0


def test_the_more_a_recording_repeats_itself_the_more_a_tail_may(texture: Texture) -> None:
    spec = base().representation.options.spec
    samples = np.random.default_rng(0).standard_normal((1, 6 * RATE)).astype(np.float32)
    noise = rules_of(analyse_prompt(Recording(0.1 * samples, RATE), spec))
    assert (noise.copy_threshold, noise.repetition_threshold) == (COPY_THRESHOLD, MIN_REPETITION_THRESHOLD)
    bar = texture(1.5).samples
    repeated = rules_of(analyse_prompt(Recording(np.tile(bar, 5), RATE), spec))
    assert repeated.copy_threshold > 0.55
    assert repeated.repetition_threshold > 0.85


def test_the_tails_of_a_set_do_not_repeat_each_other() -> None:
    """By the same seed, a second tail would be the first one."""
    predictor = ContextPredictor(base(), analyse_prompt(cycling(20), base().representation.options.spec))

    def path() -> list[int | None]:
        return [patch.start for patch in islice(predictor.patches_after(0, 1.0), 60)]

    def shared(one: list[int | None], other: list[int | None]) -> int:
        """Half seconds, of six patches, that both have."""
        return len({tuple(one[k : k + 6]) for k in range(55)} & {tuple(other[k : k + 6]) for k in range(55)})

    alone = path()
    assert shared(alone, path()) == 55
    predictor.keep_tails_distinct()
    whole, begun, takes = predictor.led_up, list[float](), list[list[int | None]]()
    for _ in range(3):
        takes.append(path())
        begun.append(predictor.led_up / whole)
    assert begun == pytest.approx([1.0, 0.382, 0.764], abs=0.01)  # each leads on from another place of the recording
    assert [shared(takes[a], takes[b]) for a, b in ((0, 1), (0, 2), (1, 2))] == [0, 0, 0]

"""Inputs of an evaluation: checks of the reference."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, read, resample
from audiogen.errors import InputError
from audiogen.metrics.evaluation import evaluate, evaluate_inputs
from audiogen.metrics.evaluation_inputs import MAX_CLASS_RELATION, MAX_RELATION, EvaluationInputs, prepare_inputs
from audiogen.metrics.texture import TextureReference
from tests.metrics.signals import RATE, impacts, modulated, noise, recording


def hum(seconds: float, channels: int = 1) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    tones = sum(0.2 / k * np.sin(2 * np.pi * 50 * k * time + k) for k in range(1, 8))
    return (tones + 0.003 * noise(seconds, 9, channels)).astype(np.float32)


def overall(reference: TextureReference) -> float:
    return float(np.exp(np.mean(np.log(list(reference.relation().values())))))


def prepared(output: np.ndarray, reference: np.ndarray, prompt: np.ndarray | None) -> EvaluationInputs:
    return prepare_inputs(
        recording(output), recording(reference), None if prompt is None else recording(prompt), baselines=()
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [noise, impacts, lambda seconds, seed: modulated(seconds, seed, 1.5)])
def test_another_part_of_the_same_recording_matches(make, seed: int) -> None:
    whole = make(24, seed)
    sounds = prepared(make(6, seed + 50), whole[:, 12 * RATE :], whole[:, : 12 * RATE])
    assert sounds.mismatch is None
    assert not sounds.running.evaluator.unrelated
    assert 0.7 < overall(sounds.running.evaluator.texture_reference) < 1.4


WRONG = {
    "hum": hum(6),
    "impacts": impacts(6, 4),
    "modulated": modulated(6, 4, 3.0),
    "low-passed": (noise(6, 5)[:, 1:] + noise(6, 5)[:, :-1]) * 0.7,
}


@pytest.mark.parametrize("name", WRONG)
def test_another_kind_of_sound_gives_a_warning_and_no_verdict(name: str) -> None:
    prompt, output = noise(12, 1), noise(6, 2)
    with pytest.warns(
        AudioWarning, match="not the prompt's kind of sound: .* times as far .*usually at most"
    ) as caught:
        sounds = prepared(output, WRONG[name], prompt)
    assert len(caught) == 1
    assert str(caught[0].message).endswith("; give what followed the prompt, or other audio of the same recording")
    with pytest.warns(AudioWarning):
        found = evaluate(recording(output), recording(WRONG[name]), recording(prompt), baselines=("noise", "grains"))
    assert found.mismatch == sounds.mismatch
    assert found.verdicts() == [f"not comparable with the baselines: of the real audio, {found.mismatch}"]
    assert [found.beats(baseline) for baseline in found.baselines] == [None, None]
    assert found.as_dict()["real_mismatch"] == found.mismatch
    assert found.output.overall is not None
    assert found.output.overall > 1.4  # in units of the reference's own scatter, not of its distance from the prompt


def test_a_matching_reference_in_the_json() -> None:
    whole = noise(24, 1)
    found = evaluate_inputs(prepared(noise(6, 2), whole[:, 12 * RATE :], whole[:, : 12 * RATE]))
    assert found.mismatch is None
    assert found.as_dict()["real_mismatch"] is None
    assert found.verdicts()[-1] == "beats 0 of the 0 baselines that do not repeat"


@pytest.mark.parametrize("with_prompt", [True, False])
@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_a_silent_reference_is_refused(level: float, with_prompt: bool) -> None:
    silent = level * noise(6, 3)
    with pytest.raises(InputError, match="the reference: it is silent; give real audio"):
        prepared(noise(6, 2), silent, noise(12, 1) if with_prompt else None)
    quiet = 0.001 * noise(24, 1)  # -80 dB below full scale is silence, -80 dB of noise at 0.1 is not
    assert prepared(0.001 * noise(6, 2), quiet[:, 12 * RATE :], quiet[:, : 12 * RATE]).mismatch is None


def test_silence_after_silence_matches() -> None:
    assert prepared(np.zeros((1, 6 * RATE)), np.zeros((1, 5 * RATE)), np.zeros((1, 12 * RATE))).mismatch is None


def test_a_silent_channel_is_named() -> None:
    dead = noise(6, 3, 2)
    dead[1] = 0
    with pytest.warns(AudioWarning, match="its channel 2 is silent, but not that of the prompt; give"):
        prepared(noise(6, 2, 2), dead, noise(12, 1, 2))
    with pytest.warns(AudioWarning, match="its channel 2 is silent, but not that of the output; give"):
        prepared(noise(6, 2, 2), dead, None)
    prompt, output = noise(12, 1, 2), noise(6, 2, 2)
    prompt[1] = output[1] = 0
    assert prepared(output, dead, prompt).mismatch is None  # as in the prompt


def test_a_reference_of_another_rate_is_compared_up_to_its_bandwidth() -> None:
    whole = noise(24, 1, rate=2 * RATE)
    output, prompt = recording(noise(6, 2, rate=2 * RATE), 2 * RATE), recording(whole[:, : 24 * RATE], 2 * RATE)
    slow = Recording(resample(whole[:, 24 * RATE :], 2 * RATE, RATE), RATE)
    with pytest.warns(
        AudioWarning, match="its sample rate is 16000 Hz, that of the output 32000 Hz; textures are compared up to 7200"
    ) as one:
        sounds = prepare_inputs(output, slow, prompt, baselines=())
    assert len(one) == 1
    assert sounds.mismatch is None
    texture = sounds.running.evaluator.texture(sounds.tail)
    assert texture is not None
    assert texture.overall == pytest.approx(1, abs=0.3)


def test_channels_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="the reference: has 2 channels, the output 1; give"):
        prepared(noise(6, 2), noise(6, 3, 2), noise(12, 1))
    with pytest.raises(InputError, match="the prompt: has 2 channels, the output 1; give"):
        prepared(noise(6, 2), noise(6, 3), noise(12, 1, 2))


def test_a_file_of_the_prompt_or_the_output_in_another_sample_format_is_that_nevertheless() -> None:
    prompt, output = noise(6, 1), noise(6, 2)
    rounded = [np.round(samples * 2**15).astype(np.float32) / 2**15 for samples in (prompt, output)]
    with pytest.warns(AudioWarning, match="it is the prompt itself"):
        prepared(output, rounded[0], prompt)
    with pytest.raises(InputError, match="it is the output itself"):
        prepared(output, rounded[1], prompt)


def test_the_output_as_reference_is_refused_and_a_short_tail_gives_a_warning() -> None:
    with pytest.raises(InputError, match="the reference: it is the output itself; give real audio"):
        prepared(noise(6, 2), noise(6, 2), noise(12, 1))
    with pytest.warns(AudioWarning, match=r"the output: 0\.90 s of continuation are too short .*; give 1 s or more"):
        assert prepared(noise(0.9, 2), noise(6, 3), noise(12, 1)).tail.seconds == 0.9
    assert prepared(noise(1, 2), noise(6, 3), noise(12, 1)).tail.seconds == 1


def test_the_relation_of_two_recordings() -> None:
    same = TextureReference(recording(noise(8, 1)), recording(noise(8, 2)))
    other = TextureReference(recording(impacts(8, 1)), recording(noise(8, 2)))
    assert overall(same) == pytest.approx(1, abs=0.2)
    assert overall(other) > 2 * MAX_RELATION
    assert TextureReference(recording(noise(8, 1))).relation() == {}
    assert TextureReference(recording(noise(1.4, 1)), recording(noise(8, 2))).relation() == {}
    assert overall(TextureReference(recording(noise(1.6, 1)), recording(noise(8, 2)))) == pytest.approx(1, abs=0.4)


def test_halves_of_real_recordings_are_related(shared_data: Path) -> None:
    found = {}
    for path in sorted((shared_data / "textures").iterdir()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)
            whole = read(path)
        whole = Recording(whole.samples[:1], whole.sample_rate)
        half = whole.length // 2
        reference = TextureReference(whole.cut(half, whole.length), whole.cut(0, half))
        found[path.stem] = overall(reference), max(reference.relation().values())
    assert len(found) == 15
    assert max(value for value, _ in found.values()) < MAX_RELATION, found
    assert max(value for _, value in found.values()) < MAX_CLASS_RELATION, found


def test_the_join_is_found_where_a_fade_of_the_prompt_was_left_out() -> None:
    prompt, tail = noise(8, 0), noise(4, 1)
    output = np.concatenate([prompt[:, : 6 * RATE], tail], axis=1)
    inputs = prepared(output, noise(6, 2), prompt)
    np.testing.assert_array_equal(inputs.tail.samples, tail.astype(np.float32))
    assert prepared(tail, noise(6, 2), prompt).tail.length == tail.shape[1], "a tail alone"

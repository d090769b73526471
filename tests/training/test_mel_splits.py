"""Large data sets are thinned evenly before closed forms are fitted to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.data.recordings import SplitFractions
from audiogen.representation.mel import MelSpec
from audiogen.representation.mel_latents import MelLatents, MelOptions
from audiogen.training.mel import mel_data_module, mel_splits
from audiogen.training.mel.mel_splits import MIN_SEGMENT, SEGMENT, MelSplits, fit_representation, of_recording, thin

FEATURES = 128
OPTIONS = MelOptions(channels=1, patch=4, latents=6)


def numbered(length: int, offset: int = 0) -> np.ndarray:
    """Frames that hold their own index."""
    return np.arange(offset, offset + length, dtype=np.float32)[:, None]


def starts(segments: list[np.ndarray]) -> list[int]:
    return [int(segment[0, 0]) for segment in segments]


def drifting(length: int, seed: int) -> np.ndarray:
    """Noise whose level and timbre in the second half are not those of the first."""
    draws = np.random.default_rng(seed).standard_normal((length, FEATURES)).astype(np.float32)
    draws[length // 2 :] *= np.linspace(1, 4, FEATURES, dtype=np.float32)
    draws[length // 2 :] += 3
    return draws


def test_a_fade_out_is_not_trained_on() -> None:
    rate, seconds = 22050, 6
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, seconds * rate))
    samples[:, -2 * rate :] *= np.linspace(1, 0, 2 * rate)
    options = MelOptions(channels=1, patch=4, spec=MelSpec(sample_rate=rate, fmax=rate / 2))
    splits = of_recording(Recording(samples, rate), options, SplitFractions(0.2, 0.0))
    frames = np.concatenate([*splits.train, *splits.validation])
    assert len(frames) / options.spec.frame_rate == pytest.approx(4, abs=0.3)
    assert np.exp(frames).mean(1).min() > 0.5 * np.exp(frames).mean()


@pytest.mark.parametrize("max_frames", [3000, 2500 + 500])
def test_data_below_the_limit_is_taken_whole(max_frames: int) -> None:
    recordings = [numbered(2500), numbered(500)]
    found = thin(recordings, max_frames)
    assert [len(segments) for segments in found] == [1, 1]
    assert found[0][0] is recordings[0]
    assert found[1][0] is recordings[1]


@pytest.mark.parametrize("length", [10_001, 50_000, 123_456])
def test_segments_are_spread_evenly_over_a_long_recording(length: int) -> None:
    max_frames = 10_000
    ((*segments,),) = thin([numbered(length)], max_frames)
    assert sum(map(len, segments)) == pytest.approx(max_frames, abs=len(segments))
    assert all(len(segment) == pytest.approx(SEGMENT, rel=0.1) for segment in segments)
    assert all((np.diff(segment[:, 0]) == 1).all() for segment in segments)
    gaps = np.diff(starts(segments))
    assert gaps.min() >= len(segments[0])  # no frame twice
    assert np.ptp(gaps) <= 1
    middle = np.mean([segment.mean() for segment in segments])
    assert middle == pytest.approx(length / 2, rel=0.01)
    assert starts(segments)[0] == pytest.approx(length - 1 - segments[-1][-1, 0], abs=2)


def test_each_recording_contributes_in_proportion_to_its_length() -> None:
    long, short = thin([numbered(90_000), numbered(10_000)], 20_000)
    assert sum(map(len, long)) == pytest.approx(18_000, abs=20)
    assert sum(map(len, short)) == pytest.approx(2_000, abs=2)


def test_of_very_many_recordings_some_are_left_out_evenly() -> None:
    found = thin([numbered(1000) for _ in range(500)], 64 * 100)
    given = [bool(segments) for segments in found]
    assert sum(given) == 100
    assert given[::5] == [True] * 100
    assert all(len(segment) >= MIN_SEGMENT for segments in found for segment in segments)


def test_a_recording_shorter_than_a_segment_is_taken_whole() -> None:
    found = thin([numbered(100_000), numbered(30)], 5000)
    assert len(found[1]) == 1
    assert np.array_equal(found[1][0], numbered(30))


def test_latents_are_fitted_to_the_whole_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = [drifting(6000, 1), drifting(4000, 2)]
    monkeypatch.setattr(mel_splits, "MAX_FIT_FRAMES", 4000)
    thinned = fit_representation(MelSplits(recordings, [], {}), OPTIONS).latents
    whole = MelLatents.fit(OPTIONS, [torch.from_numpy(frames) for frames in recordings]).latents
    beginning = MelLatents.fit(OPTIONS, [torch.from_numpy(frames[: len(frames) // 3]) for frames in recordings]).latents
    for name in ("mean", "deviation"):
        near = float((getattr(thinned, name) - getattr(whole, name)).abs().max())
        far = float((getattr(beginning, name) - getattr(whole, name)).abs().max())
        assert near < 0.2 < 1 < far
    again = fit_representation(MelSplits(recordings, [], {}), OPTIONS).latents
    assert all(torch.equal(tensor, again.tensors()[name]) for name, tensor in thinned.tensors().items())


def test_latents_of_little_data_are_those_of_all_of_it() -> None:
    recordings = [drifting(600, 1), drifting(400, 2)]
    found = fit_representation(MelSplits(recordings, [], {}), OPTIONS).latents
    plain = MelLatents.fit(OPTIONS, [torch.from_numpy(frames) for frames in recordings]).latents
    assert all(torch.equal(tensor, plain.tensors()[name]) for name, tensor in found.tensors().items())


def test_segments_are_centred_by_their_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Centred by its own mean, a segment of the loud half would lose its difference."""
    options = MelOptions(channels=1, patch=4, latents=6, centred=True)
    recordings = [drifting(8000, 1)]
    whole = MelLatents.fit(options, [torch.from_numpy(recordings[0])]).latents
    monkeypatch.setattr(mel_splits, "MAX_FIT_FRAMES", 4000)
    thinned = fit_representation(MelSplits(recordings, [], {}), options).latents
    assert thinned.deviation.numpy() == pytest.approx(whole.deviation.numpy(), rel=0.1)


def test_closed_forms_are_fitted_to_the_whole_of_the_data(monkeypatch: pytest.MonkeyPatch, tiny) -> None:
    experiment = tiny("representation.channels=1")
    recordings = [drifting(3000, seed) + 10 * seed for seed in range(4)]
    module = mel_data_module.MelDataModule(MelSplits(recordings, [], {}), experiment)
    everything = torch.cat(module.sequences())
    monkeypatch.setattr(mel_data_module, "MAX_FRAMES", 3000)
    some = torch.cat(module.sequences())
    assert len(some) == pytest.approx(len(everything) / 4, rel=0.02)
    spreads = everything.std(0)
    assert float(((some.mean(0) - everything.mean(0)) / spreads).abs().max()) < 0.2
    assert float((some.std(0) / spreads - 1).abs().max()) < 0.2

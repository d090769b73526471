"""What a Model's fits see of much data: stretches from the whole of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audiogen.representation.mel_latents import MelLatents, MelOptions
from audiogen.training.mel import mel_data_module
from audiogen.training.mel import mel_splits as material
from audiogen.training.mel.mel_splits import SHORTEST_STRETCH, STRETCH, MelSplits, fit_representation, spread

FEATURES = 128
OPTIONS = MelOptions(channels=1, patch=4, latents=6)


def places(length: int, offset: int = 0) -> np.ndarray:
    """Frames that say where they stand."""
    return np.arange(offset, offset + length, dtype=np.float32)[:, None]


def starts(stretches: list[np.ndarray]) -> list[int]:
    return [int(stretch[0, 0]) for stretch in stretches]


def drifting(length: int, seed: int) -> np.ndarray:
    """Noise whose level and colour in the second half are not those of the first."""
    draws = np.random.default_rng(seed).standard_normal((length, FEATURES)).astype(np.float32)
    draws[length // 2 :] *= np.linspace(1, 4, FEATURES, dtype=np.float32)
    draws[length // 2 :] += 3
    return draws


@pytest.mark.parametrize("most", [3000, 2500 + 500])
def test_data_below_the_limit_is_taken_whole(most: int) -> None:
    recordings = [places(2500), places(500)]
    found = spread(recordings, most)
    assert [len(stretches) for stretches in found] == [1, 1]
    assert found[0][0] is recordings[0]
    assert found[1][0] is recordings[1]


@pytest.mark.parametrize("length", [10_001, 50_000, 123_456])
def test_stretches_are_spread_evenly_over_a_long_recording(length: int) -> None:
    most = 10_000
    ((*stretches,),) = spread([places(length)], most)
    assert sum(map(len, stretches)) == pytest.approx(most, abs=len(stretches))
    assert all(len(stretch) == pytest.approx(STRETCH, rel=0.1) for stretch in stretches)
    assert all((np.diff(stretch[:, 0]) == 1).all() for stretch in stretches)
    gaps = np.diff(starts(stretches))
    assert gaps.min() >= len(stretches[0])  # no frame twice
    assert np.ptp(gaps) <= 1
    middle = np.mean([stretch.mean() for stretch in stretches])
    assert middle == pytest.approx(length / 2, rel=0.01)
    assert starts(stretches)[0] == pytest.approx(length - 1 - stretches[-1][-1, 0], abs=2)


def test_each_recording_gives_by_its_length() -> None:
    long, short = spread([places(90_000), places(10_000)], 20_000)
    assert sum(map(len, long)) == pytest.approx(18_000, abs=20)
    assert sum(map(len, short)) == pytest.approx(2_000, abs=2)


def test_of_very_many_recordings_some_are_left_out_evenly() -> None:
    found = spread([places(1000) for _ in range(500)], 64 * 100)
    given = [bool(stretches) for stretches in found]
    assert sum(given) == 100
    assert given[::5] == [True] * 100
    assert all(len(stretch) >= SHORTEST_STRETCH for stretches in found for stretch in stretches)


def test_a_recording_shorter_than_the_least_is_taken_whole() -> None:
    found = spread([places(100_000), places(30)], 5000)
    assert len(found[1]) == 1
    assert np.array_equal(found[1][0], places(30))


def test_latents_are_fitted_to_the_whole_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = [drifting(6000, 1), drifting(4000, 2)]
    monkeypatch.setattr(material, "MOST_FIT_FRAMES", 4000)
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


def test_stretches_are_centred_by_their_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a mean of its own, a stretch of the loud half would lose what sets it apart."""
    options = MelOptions(channels=1, patch=4, latents=6, centred=True)
    recordings = [drifting(8000, 1)]
    whole = MelLatents.fit(options, [torch.from_numpy(recordings[0])]).latents
    monkeypatch.setattr(material, "MOST_FIT_FRAMES", 4000)
    thinned = fit_representation(MelSplits(recordings, [], {}), options).latents
    assert thinned.deviation.numpy() == pytest.approx(whole.deviation.numpy(), rel=0.1)


def test_closed_forms_are_fitted_to_the_whole_of_the_data(monkeypatch: pytest.MonkeyPatch, tiny) -> None:
    experiment = tiny("representation.channels=1")
    recordings = [drifting(3000, seed) + 10 * seed for seed in range(4)]
    module = mel_data_module.MelDataModule(MelSplits(recordings, [], {}), experiment)
    everything = torch.cat(module.sequences())
    monkeypatch.setattr(mel_data_module, "MOST_FRAMES", 3000)
    some = torch.cat(module.sequences())
    assert len(some) == pytest.approx(len(everything) / 4, rel=0.02)
    spreads = everything.std(0)
    assert float(((some.mean(0) - everything.mean(0)) / spreads).abs().max()) < 0.2
    assert float((some.std(0) / spreads - 1).abs().max()) < 0.2

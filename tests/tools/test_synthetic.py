"""Synthetic textures: deterministic, valid samples, broad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import read
from tools.synthetic import LAYERS, synthetic_texture, synthetic_textures, write_textures
from tools.synthetic.fields import noise
from tools.synthetic.processes import RHYTHMS, coloured, event_times
from tools.synthetic.rooms import impulse_response
from tools.synthetic.stage import RenderContext


def stage_of(seed: int = 0, seconds: float = 2.0, channels: int = 2) -> RenderContext:
    return RenderContext(np.random.default_rng(seed), 44100, round(seconds * 44100), channels)


def test_a_seed_determines_the_texture() -> None:
    first, again, other = (synthetic_texture(seed, 1.5) for seed in (3, 3, 4))
    assert first.samples.tobytes() == again.samples.tobytes()
    assert (first.sample_rate, first.length) == (44100, 66150)
    assert first.samples.shape != other.samples.shape or not np.allclose(first.samples, other.samples)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_samples_are_finite_and_in_range(rate: int) -> None:
    recordings = list(synthetic_textures(100, 8, 1.0, rate))
    assert len(recordings) == 8
    for recording in recordings:
        assert recording.length == rate
        assert np.isfinite(recording.samples).all()
        assert 0.001 < np.abs(recording.samples).max() <= 0.951
        assert abs(recording.samples.mean()) < 0.1 * np.abs(recording.samples).max()


@pytest.mark.parametrize("arguments", [(-1,), (0, 0.01), (0, 20.0, 4000)])
def test_arguments_out_of_range(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must hold"):
        synthetic_texture(*arguments)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_layer_has_energy(name: str, channels: int) -> None:
    for seed in range(4):
        layer = LAYERS[name](stage_of(seed, 1.0, channels))
        assert layer.shape == (channels, 44100)
        assert np.isfinite(layer).all()
        assert layer.any()


def test_textures_are_broad() -> None:
    """Spectrum, kurtosis and width differ between seeds far more than between noises."""
    found = []
    for recording in synthetic_textures(0, 24, 1.5):
        power = np.abs(np.fft.rfft(recording.samples[0])) ** 2
        centroid = np.sum(power * np.arange(len(power))) / power.sum() / 1.5
        level = np.sqrt(np.mean(recording.samples[0, :66150].reshape(-1, 441) ** 2, axis=1)) + 1e-9
        found.append((np.log2(centroid), level.std() / level.mean(), recording.channels))
    octaves, variation, channels = np.array(found).T
    assert np.ptp(octaves) > 4
    assert variation.min() < 0.3
    assert variation.max() > 1.0
    assert set(channels) == {1, 2}


def test_noise_has_the_level_of_its_field() -> None:
    """Unit power at 0 dB, and 20 dB less in its second half above 5 kHz."""
    stage = stage_of(channels=1)

    def field(times: np.ndarray, hertz: np.ndarray) -> np.ndarray:
        return -20.0 * np.outer(times > 1, hertz > 5000)

    found = noise(stage, field)[0]
    assert found[:40000].var() == pytest.approx(1, abs=0.02)
    halves = np.abs(np.fft.rfft(np.stack([found[:42000], found[-42000:]]), axis=1)) ** 2
    low, high = halves[:, 500:4500].mean(axis=1), halves[:, 6000:].mean(axis=1)
    assert 10 * np.log10(high[1] / high[0]) == pytest.approx(-20, abs=1)
    assert 10 * np.log10(low[1] / low[0]) == pytest.approx(0, abs=0.5)


def test_a_process_has_its_spectral_slope() -> None:
    """1 / f: 3 dB per octave, unit variance."""
    found = coloured(np.random.default_rng(0), 200, 4096, 100.0, 1.0, 0.01, 40.0)
    power = np.mean(np.abs(np.fft.rfft(found * np.hanning(4096), axis=1)) ** 2, axis=0)
    assert found.var() == pytest.approx(1, abs=0.15)
    assert 10 * np.log10(power[50:70].mean() / power[400:560].mean()) == pytest.approx(9, abs=1)


@pytest.mark.parametrize("name", RHYTHMS)
def test_rhythms_keep_their_rate(name: str) -> None:
    counts = [len(RHYTHMS[name](stage_of(seed, 20.0), 30.0)) for seed in range(20)]
    assert 300 < np.mean(counts) < 900


def test_events_lie_within_the_stage() -> None:
    for seed in range(20):
        times = event_times(stage_of(seed), 3.0)
        assert len(times) > 0
        assert np.all((times >= 0) & (times <= 2.0))


def test_impulse_responses_decay() -> None:
    for seed in range(5):
        response = impulse_response(stage_of(seed, 4.0))
        energy = np.sum(response**2, axis=0)
        assert energy[: len(energy) // 2].sum() > 10 * energy[len(energy) // 2 :].sum()


def test_existing_files_are_kept(tmp_path: Path) -> None:
    paths = write_textures(tmp_path / "new", 2, first=5, seconds=0.5)
    assert [path.name for path in paths] == ["synthetic-000005.wav", "synthetic-000006.wav"]
    times = [path.stat().st_mtime_ns for path in paths]
    again = write_textures(tmp_path / "new", 3, first=5, seconds=0.5)
    assert [path.stat().st_mtime_ns for path in again[:2]] == times
    assert again[2].exists()
    np.testing.assert_allclose(read(paths[0]).samples, synthetic_texture(5, 0.5).samples, atol=1e-6)

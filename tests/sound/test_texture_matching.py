"""Texture matching: a tail gets its source's statistics by small gains of bands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.metrics.texture import TextureReference
from audiogen.representation.cochleagram import COMPRESSION, audibility_floor, block_envelopes
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import Controls
from audiogen.sound.texture_matching import MAX_EXPANSION, SECTION_SECONDS, StatisticsMatcher, expansion_gains
from tests.metrics.signals import RATE, impacts, modulated, noise, recording

FRAMES = 200


def matched(
    source: np.ndarray, tail: np.ndarray, seconds: float, block: int = 5000, temperature: float = 1.0
) -> np.ndarray:
    """``seconds`` of a matched tail; the input ``[channels, time]`` continues as silence."""
    return next_samples(StatisticsMatcher(source, RATE, temperature)(blocks_of(tail, block)), round(seconds * RATE))


def blocks_of(tail: np.ndarray, block: int) -> Iterator[np.ndarray]:
    given = (tail[:, start : start + block] for start in range(0, tail.shape[1], block))
    return chain(given, repeat(np.zeros((len(tail), block), np.float32)))


def next_samples(blocks: Iterator[np.ndarray], length: int) -> np.ndarray:
    found: list[np.ndarray] = []
    while sum(block.shape[1] for block in found) < length:
        found.append(next(blocks))
    return np.concatenate(found, axis=1)[:, :length]


def classes(samples: np.ndarray, source: np.ndarray, real: np.ndarray) -> dict[str, float]:
    found = TextureReference(recording(real), recording(source)).distance(recording(samples))
    return found.classes | {"overall": found.overall}


@pytest.mark.parametrize("kind", ["modulated", "impacts"])
def test_missing_statistics_are_restored(kind: str) -> None:
    """Plain noise instead of modulated noise, or of impacts, comes closer to the real continuation."""
    make = {"modulated": lambda seconds, seed: modulated(seconds, seed, 5.0, 0.5), "impacts": impacts}[kind]
    source, real = make(18, 1), make(6, 2)
    tail = noise(SECTION_SECONDS + 1, 3) * np.sqrt(np.mean(source**2) / 0.01)
    after = matched(source, tail, SECTION_SECONDS - 1)
    was, now = (classes(samples[:, : (SECTION_SECONDS - 1) * RATE], source, real) for samples in (tail, after))
    assert now["overall"] < 0.6 * was["overall"]
    assert max(now[name] / was[name] for name in ("modulation", "moments", "correlation")) < 0.8


def test_a_good_tail_is_hardly_changed_and_scatters_less() -> None:
    source, tail = noise(18, 1), noise(SECTION_SECONDS + 1, 2)
    matcher = StatisticsMatcher(source, RATE)
    after = next_samples(matcher(blocks_of(tail, 4096)), (SECTION_SECONDS - 1) * RATE)
    before = tail[:, : after.shape[1]]
    assert 0 < matcher.change < 1.5, "dB"
    assert np.corrcoef(before[0], after[0])[0, 1] > 0.97
    was, now = (classes(samples, source, noise(6, 3)) for samples in (before, after))
    assert now["overall"] < 0.95 * was["overall"]


def level_variance(samples: np.ndarray) -> float:
    """Variance of the levels of tenths of a second, dB2, below 6 kHz: the incomplete highest bands are not changed."""
    spectrum = np.fft.rfft(samples[0, : samples.shape[1] // 1600 * 1600])
    spectrum[round(0.75 * len(spectrum)) :] = 0
    power = np.square(np.fft.irfft(spectrum).reshape(-1, 1600)).mean(1)
    return float(np.var(10 * np.log10(power)))


@pytest.mark.parametrize(("seconds", "statistics"), [(18, True), (18, False), (4, True)])
def test_temperature_is_the_variance_of_levels(seconds: int, statistics: bool) -> None:
    """Also without the other statistics, and for a source too short to have any."""
    source, tail = modulated(seconds, 1, 0.5, 0.5), modulated(SECTION_SECONDS + 1, 2, 0.5, 0.5)
    found = []
    for temperature in (0.0, 0.5, 1.0, 2.0):
        matcher = StatisticsMatcher(source, RATE, temperature, statistics)
        found.append(level_variance(next_samples(matcher(blocks_of(tail, 5000)), (SECTION_SECONDS - 1) * RATE)))
    wanted = level_variance(source)
    assert found[0] < 0.1 * wanted
    assert found[1] == pytest.approx(0.5 * wanted, rel=0.2)
    assert found[2] == pytest.approx(wanted, rel=0.2)
    assert found[3] == pytest.approx(2 * wanted, rel=0.2)


def test_another_temperature_changes_the_levels_of_the_same_tail(texture, untrained) -> None:
    """So that temperatures can be compared at one seed."""
    prompt: Recording = texture(7.0)
    continuer = Continuer(untrained(prompt), prompt)
    plain, expanded, other = (
        np.concatenate(list(continuer.tail(40_000, seed, temperature)), axis=1)[0]
        for seed, temperature in ((0, 1.0), (0, 2.0), (1, 1.0))
    )
    assert np.corrcoef(plain, expanded)[0, 1] > 0.8 > 0.3 > np.corrcoef(plain, other)[0, 1]
    assert not np.array_equal(plain, expanded)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_gains_start_without_a_step_at_the_join(temperature: float) -> None:
    source, tail = modulated(18, 1, 5.0), noise(SECTION_SECONDS + 1, 2)
    after = matched(source, tail, 1.0, temperature=temperature)
    change = np.abs(after - tail[:, :RATE])[0]
    assert change[: RATE // 1000].max() < 0.15 * change.max()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_blocks_and_lengths_make_no_difference_and_sections_have_no_seam(temperature: float) -> None:
    source, tail = modulated(18, 1, 5.0), noise(2 * SECTION_SECONDS + 2, 2)
    whole = matched(source, tail, 2 * SECTION_SECONDS - 1, 7001, temperature)
    assert np.array_equal(whole[:, : 3 * RATE], matched(source, tail, 3.0, RATE, temperature))
    change = whole[0] - tail[0, : whole.shape[1]]
    steps = np.abs(np.diff(change, 2))  # of what was added, which would jump where sections disagree
    for seam in (round((SECTION_SECONDS - 0.5) * RATE), SECTION_SECONDS * RATE):
        assert steps[seam - 3 : seam + 3].max() < np.quantile(steps, 0.999)


def test_inaudible_bands_are_not_amplified() -> None:
    """The source has high frequencies, the tail has none."""
    source = noise(18, 1)
    spectrum = np.fft.rfft(noise(SECTION_SECONDS + 1, 2))
    spectrum[:, spectrum.shape[1] // 2 :] = 0
    low = np.fft.irfft(spectrum).astype(np.float32)
    after = matched(source, low, 5.0)
    bins = np.abs(np.fft.rfft(after[0] * np.hanning(after.shape[1]))) ** 2
    assert bins[int(0.6 * len(bins)) :].sum() < 1e-4 * bins.sum()


def test_channels_are_matched_one_by_one() -> None:
    left, right = modulated(18, 1, 5.0, 0.5), noise(18, 2)
    source = np.concatenate([left, right])
    tail = np.concatenate([noise(SECTION_SECONDS + 1, 3), noise(SECTION_SECONDS + 1, 4)])
    after = matched(source, tail, SECTION_SECONDS - 1)
    real = modulated(6, 5, 5.0, 0.5)
    swinging, steady = (classes(channel[None], left, real)["modulation"] for channel in after)
    assert swinging < 0.6 * steady


def test_a_source_too_short_to_have_statistics_changes_nothing() -> None:
    tail = noise(2, 2)
    assert np.array_equal(matched(noise(5, 1), tail, 2.0), tail)
    assert not np.array_equal(matched(noise(6, 1), tail, 2.0), tail)


def test_silence_stays_silent() -> None:
    after = matched(noise(18, 1), np.zeros((1, RATE), np.float32), 3.0)
    assert np.abs(after).max() < 0.01, "what rings on from the source"
    assert np.abs(after[:, RATE // 2 :]).max() < 1e-5


def test_matching_follows_the_request_and_the_controls(texture, untrained) -> None:
    prompt: Recording = texture(7.0)
    run = untrained(prompt)
    matching, plain = Continuer(run, prompt), Continuer(run, prompt, match_texture=False)

    def first(continuer: Continuer, temperature: float = 1.0, controls: Controls = Controls()) -> np.ndarray:  # noqa: B008
        blocks = list(islice(continuer.tail(20_000, 0, temperature, controls), 99))
        return np.concatenate(blocks, axis=1)

    assert not np.array_equal(first(matching), first(plain))
    assert "texture_gain_rms_db" in matching.drift_guard
    assert "texture_gain_rms_db" not in plain.drift_guard
    assert not np.array_equal(first(matching, 1.5), first(plain, 1.5))
    bright = Controls(brightness=2.0)
    assert not np.array_equal(first(matching, 1.0, bright), first(plain, 1.0, bright)), "which the aim follows"


def expanded(samples: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Power of bands ``[channels, bands, time]`` before and after."""
    floor = audibility_floor(samples)
    envelope = block_envelopes(samples, RATE, floor, FRAMES)
    gains = expansion_gains(envelope, FRAMES, floor, temperature)
    assert gains.shape == envelope.shape
    power = envelope.astype(float) ** (2 / COMPRESSION)
    return power, power * np.exp(2 * gains)


def band_level_variance(power: np.ndarray) -> float:
    """Variance of the levels of quarter seconds, dB2, mean over bands."""
    return float(np.var(10 * np.log10(power.reshape(*power.shape[:2], -1, 50).mean(-1)), axis=-1).mean())


@pytest.mark.parametrize("temperature", [0.0, 0.25, 1.0, 2.0, 4.0])
def test_the_variance_of_levels_is_multiplied_by_the_temperature(temperature: float) -> None:
    before, after = expanded(modulated(16, 1, 0.5, 0.6), temperature)
    # What is left at 0 is faster than levels are taken.
    assert band_level_variance(after) == pytest.approx(temperature * band_level_variance(before), rel=0.15, abs=0.1)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 3.0])
def test_bands_keep_their_power(temperature: float) -> None:
    before, after = expanded(impacts(12, 2), temperature)
    assert np.abs(10 * np.log10(after.mean(-1) / before.mean(-1))).max() < 0.01
    assert band_level_variance(after) != pytest.approx(band_level_variance(before), rel=0.1)


def test_a_temperature_of_one_changes_nothing() -> None:
    before, after = expanded(impacts(12, 2), 1.0)
    assert np.array_equal(before, after)


def test_gains_are_limited() -> None:
    lone = np.zeros((1, 8 * RATE), np.float32)
    lone[:, 3 * RATE : 4 * RATE] = noise(1, 3)
    before, after = expanded(lone, 0.0)
    change = 0.5 * np.log(after / before)
    assert np.ptp(change, axis=-1).max() <= 2 * MAX_EXPANSION + 1e-6
    assert np.isfinite(expanded(np.zeros((2, 4 * RATE), np.float32), 3.0)[1]).all()

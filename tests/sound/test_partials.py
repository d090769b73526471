"""Partials: found in what has a pitch and in nothing else, taken out, and continued in phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.dsp.peak_tracking import Track
from audiogen.dsp.sinusoids import Bands, Partial, synthesise
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import Controls
from audiogen.sound.line_refinement import backfitted
from audiogen.sound.line_search import CLEAR, KERNEL_PER_GAP, SAME_HERTZ, Line, LineSearch
from audiogen.sound.morph import Morph
from audiogen.sound.partial_continuation import PartialContinuation
from audiogen.sound.partials import Partials, find_partials
from audiogen.sound.prompt_analysis import analyse_prompt

RATE = 16000


def noise(seconds: float, level: float, seed: int = 0, channels: int = 1) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal((channels, int(seconds * RATE)))


def hum(seconds: float) -> np.ndarray:
    """Seven harmonics of 50 Hz."""
    time = np.arange(int(seconds * RATE)) / RATE
    return sum(0.2 / k * np.sin(2 * np.pi * 50 * k * time + k) for k in range(1, 8))[None]


def engine_pitch(seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return 83 + 1.5 * np.sin(2 * np.pi * 0.3 * time) + 0.8 * np.sin(2 * np.pi * 1.1 * time + 1)


def engine(seconds: float, harmonics: int = 12) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(engine_pitch(seconds)) / RATE
    return sum(0.1 / np.sqrt(k) * np.sin(k * phase + k * k) for k in range(1, harmonics + 1))[None]


def whistles(seconds: float) -> np.ndarray:
    """Short gliding tones at random, as of birds."""
    generator, samples = np.random.default_rng(5), noise(seconds, 0.01, 6)
    for start in generator.integers(0, samples.shape[1] - RATE, int(3 * seconds)):
        time = np.arange(int(generator.uniform(0.1, 0.5) * RATE)) / RATE
        glide = 2 * np.pi * (generator.uniform(2000, 5000) * time + generator.uniform(-2000, 2000) * time**2)
        samples[0, start : start + len(time)] += 0.2 * np.sin(glide) * np.hanning(len(time))
    return samples


def test_a_track_along_a_part_of_a_gliding_line_lies_on_it() -> None:
    bands = Bands(12 * RATE, RATE)
    search = LineSearch(bands.spectrum(np.zeros((1, 12 * RATE), np.float32)), bands)
    seconds = (np.arange(search.bands.points) - search.bands.lead) / search.bands.rate
    course = 300 + 100 * seconds.clip(0, 12)
    line = Line(Partial(course, course, np.ones((1, len(course)))), CLEAR, 1.0, 0.0, 0.12)
    early = np.arange(0, 0.47 * 12, 0.1)
    assert search._lies_on(Track(early, 300 + 100 * early), line)
    assert not search._lies_on(Track(early, 300 + 100 * early + 3 * SAME_HERTZ), line)
    assert not search._lies_on(Track(early, 3000 + 100 * early), line)


def found(samples: np.ndarray) -> Partials:
    partials = find_partials(Recording(samples.astype(np.float32), RATE))
    assert partials is not None
    return partials


def tail_of(partials: Partials, seconds: float, seed: int = 0) -> np.ndarray:
    blocks = PartialContinuation(partials, seed).blocks()
    return np.concatenate([next(blocks) for _ in range(int(np.ceil(seconds / 5)))], axis=1)[:, : int(seconds * RATE)]


def test_the_harmonics_of_a_hum_are_found_and_nothing_is_left_of_them() -> None:
    samples = hum(8) + noise(8, 1e-3)
    partials = found(samples)
    assert sorted(round(hertz) for hertz, _ in partials.tones) == [50 * k for k in range(1, 8)]
    assert partials.energy == pytest.approx(1.0, abs=1e-3)
    middle = partials.residual.samples[:, RATE:-RATE]
    assert middle.std() == pytest.approx(1e-3, rel=0.1)


def test_harmonics_of_a_wandering_engine_are_found_and_followed() -> None:
    partials = found(engine(10) + noise(10, 3e-3))
    assert len(partials.partials) == 12
    strongest = partials.partials[0].hertz[partials.bands.inside]
    pitch = np.interp(np.arange(len(strongest)) / partials.bands.rate, np.arange(10 * RATE) / RATE, engine_pitch(10))
    np.testing.assert_allclose(strongest[100:-100], pitch[100:-100], atol=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_found_in_noise(texture: Callable[..., Recording], seed: int) -> None:
    assert find_partials(Recording(noise(10, 0.1, seed, 2).astype(np.float32), RATE)) is None
    assert find_partials(texture(8.0, seed, channels=2)) is None


def test_nothing_is_found_in_whistles_and_narrow_bands_of_noise() -> None:
    assert find_partials(Recording(whistles(12).astype(np.float32), RATE)) is None
    spectrum = np.fft.rfft(noise(12, 0.1)[0])
    hertz = np.fft.rfftfreq(12 * RATE, 1 / RATE)
    band = np.fft.irfft(spectrum * (0.02 + np.exp(-0.5 * ((hertz - 500) / 30) ** 2)), 12 * RATE)[None]
    assert find_partials(Recording(band.astype(np.float32), RATE)) is None


def test_what_is_short_or_silent_has_no_partials() -> None:
    assert find_partials(Recording(hum(1.5).astype(np.float32), RATE)) is None
    assert find_partials(Recording(np.zeros((2, 4 * RATE), np.float32), RATE)) is None


def test_lines_that_overlap_do_not_correct_too_much() -> None:
    bands = Bands(6 * RATE, RATE)
    samples = engine(6) + noise(6, 1e-2)
    spectrum = bands.spectrum(samples)
    (line, *_) = LineSearch(spectrum, bands).lines()
    lines = [line._replace(kernel=kernel) for kernel in (0.12, 0.12, 0.15, 0.2, 0.3)]
    powers = []
    for passes in range(4):
        partials = [each.partial for each in backfitted(lines, spectrum, bands, passes)]
        powers.append(float(np.square(samples - synthesise(partials, bands, 1)).mean()))
    assert powers == sorted(powers, reverse=True)
    assert powers[-1] < 1.01 * np.square(samples - synthesise([line.partial], bands, 1)).mean()


def test_lines_that_nearly_meet_have_kernels_within_the_signal() -> None:
    """The best of two groups of lines may differ by a tenth of a hertz, though the strongest of each do not."""
    bands = Bands(4 * RATE, RATE)
    search = LineSearch(bands.spectrum(hum(4) + noise(4, 1e-3)), bands)
    line = search.lines()[0]

    def at(hertz: float, power: float, noise: float) -> Line:
        moved = np.full_like(line.partial.hertz, hertz)
        return line._replace(partial=replace(line.partial, hertz=moved), power=power, noise=noise)

    near = [at(100.0, 10, 5), at(105.9, 9, 0), at(107.0, 8, 4), at(106.0, 7, 0)]
    found = search._distinct(near)
    assert [np.median(each.partial.hertz) for each in found] == pytest.approx([105.9, 106.0])
    assert all(0 < each.kernel <= KERNEL_PER_GAP / SAME_HERTZ for each in found)


@pytest.mark.parametrize("length", [8 * RATE, 8 * RATE - 17])
def test_a_steady_tone_goes_on_in_phase(length: int) -> None:
    time = np.arange(length + 20 * RATE) / RATE
    whole = np.stack([0.3 * np.sin(2 * np.pi * 440.3 * time), 0.1 * np.sin(2 * np.pi * 440.3 * time + 2)])
    tail = tail_of(found(whole[:, :length] + noise(length / RATE, 1e-4, channels=2)[:, :length]), 20)
    expected = whole[:, length:]
    for seconds, tolerance in ((0.1, 0.02), (20, 0.1)):
        count = int(seconds * RATE)
        error = tail[:, :count] - expected[:, :count]
        assert error.std() < tolerance * expected.std(), seconds


def test_harmonics_of_an_engine_stay_locked_and_wander_as_before() -> None:
    samples = engine(12) + noise(12, 1e-3)
    partials = found(samples)
    again = found(np.concatenate([tail_of(partials, 30)], axis=1) + noise(30, 1e-3, 1))
    pitches = []
    for each in (partials, again):
        lowest = min(each.partials, key=lambda partial: float(np.median(partial.hertz)))
        pitches.append(lowest.hertz[each.bands.inside][100:-100])
    assert pitches[1].mean() == pytest.approx(pitches[0].mean(), rel=0.01)
    assert pitches[1].std() == pytest.approx(pitches[0].std(), rel=0.2)
    jitter = [np.diff(pitch).std() for pitch in pitches]
    assert jitter[1] == pytest.approx(jitter[0], rel=0.2)
    # The waveform's crest shows the phases of the harmonics relative to each other.
    assert np.abs(tail_of(partials, 30)).max() < 1.15 * np.abs(partials.synthesise()).max()


def test_levels_of_a_swelling_tone_stay_in_range_and_follow_the_temperature() -> None:
    time = np.arange(20 * RATE) / RATE
    swell = 10 ** (0.3 * np.sin(2 * np.pi * 0.23 * time) + 0.1 * np.sin(2 * np.pi * 0.61 * time))
    partials = found((0.1 * swell * np.sin(2 * np.pi * 300 * time))[None] + noise(20, 1e-3))

    def levels(temperature: float) -> np.ndarray:
        blocks = PartialContinuation(partials, 0, temperature).blocks()
        tail = np.concatenate([next(blocks) for _ in range(8)], axis=1)
        return 10 * np.log10(np.square(tail.reshape(-1, RATE // 10)).mean(1))

    steady, usual, livelier = (levels(temperature).std() for temperature in (0.0, 1.0, 2.0))
    assert usual == pytest.approx(20 * np.hypot(0.3, 0.1) / np.sqrt(2), rel=0.3)
    assert steady < 0.4 * usual
    assert livelier > 1.15 * usual


def test_same_seed_same_samples_and_sections_meet() -> None:
    partials = found(engine(8) + noise(8, 1e-3))
    first, second, other = tail_of(partials, 12), tail_of(partials, 12), tail_of(partials, 12, seed=1)
    assert np.array_equal(first, second)
    assert not np.allclose(first, other, atol=1e-2)
    curvature = np.abs(np.diff(first, n=2))[0]
    assert curvature[5 * RATE - 10 : 5 * RATE + 10].max() <= 1.1 * curvature.max()
    assert np.abs(np.diff(first, n=6))[0, 5 * RATE - 10 : 5 * RATE + 10].max() < 1e-2


def test_the_prompt_is_analysed_without_its_partials(
    texture: Callable[..., Recording], untrained: Callable[..., object]
) -> None:
    time = np.arange(4 * 44100) / 44100
    prompt = texture(4.0)
    sounding = Recording(prompt.samples + 0.3 * np.sin(2 * np.pi * 440 * time).astype(np.float32), 44100)
    continuer = Continuer(untrained(prompt), sounding)
    assert continuer.analysis.partials is not None
    assert continuer.analysis.level_reference.samples.numpy().std() == pytest.approx(prompt.samples.std(), rel=0.05)
    tail = np.concatenate(list(continuer.tail(3 * 44100)), axis=1)[0]
    count = len(tail)
    expected = np.exp(-2j * np.pi * 440 * np.arange(4 * 44100, 4 * 44100 + count) / 44100)
    tone = 2 * np.mean(tail * expected)  # of 0.3 sin: -0.3j
    assert abs(tone) == pytest.approx(0.3, rel=0.05)
    assert np.angle(tone * 1j) == pytest.approx(0.0, abs=0.1)
    assert analyse_prompt(prompt, continuer.spec).partials is None


def test_brightness_and_level_apply_to_partials(
    texture: Callable[..., Recording], untrained: Callable[..., object]
) -> None:
    time = np.arange(4 * 44100) / 44100
    prompt = texture(4.0)
    tones = 0.2 * (np.sin(2 * np.pi * 250 * time) + np.sin(2 * np.pi * 2000 * time))
    continuer = Continuer(untrained(prompt), Recording(prompt.samples + tones.astype(np.float32), 44100))

    def amplitudes(controls: Controls) -> np.ndarray:
        tail = np.concatenate(list(continuer.tail(6 * 44100, controls=controls)), axis=1)[0, 4 * 44100 :]
        spectrum = 2 * np.abs(np.fft.rfft(tail * np.hanning(len(tail)))) / (0.5 * len(tail))
        hertz = np.fft.rfftfreq(len(tail), 1 / 44100)
        return np.array([spectrum[np.abs(hertz - each).argmin()] for each in (250, 2000)])

    plain, quiet, bright = map(amplitudes, (Controls(), Controls(level=-6.0), Controls(brightness=2.0)))
    np.testing.assert_allclose(quiet / plain, 0.5, rtol=0.05)
    assert 20 * np.log10(bright[1] / bright[0] * plain[0] / plain[1]) == pytest.approx(6.0, abs=0.7)


def test_a_morph_keeps_the_tone_of_its_start(
    texture: Callable[..., Recording], untrained: Callable[..., object]
) -> None:
    time = np.arange(4 * 44100) / 44100
    plain = texture(4.0)
    sounding = Recording(plain.samples + 0.2 * np.sin(2 * np.pi * 440 * time).astype(np.float32), 44100)
    run = untrained(plain)
    tail = np.concatenate(list(Morph(Continuer(run, sounding), Continuer(run, plain)).tail(6 * 44100)), axis=1)[0]

    def tone(samples: np.ndarray) -> float:
        return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * 440 * np.arange(len(samples)) / 44100))))

    assert tone(tail[:22050]) == pytest.approx(0.2, rel=0.25)
    assert tone(tail[-22050:]) < 0.05


def test_errors_of_quantisation_are_no_lines():
    """The errors of a tone of 16 bits are hundreds of its harmonics, 100 dB below it."""
    time = np.arange(5 * 44100) / 44100
    samples = np.round(0.3 * np.sin(2 * np.pi * 440 * time) * 32767) / 32768
    partials = find_partials(Recording(samples[None].astype(np.float32), 44100))
    assert partials is not None
    assert len(partials.partials) == 1


def bells(seconds: float, interval: float) -> np.ndarray:
    """Three inharmonic partials that are struck at an interval and decay, over noise."""
    time, samples = np.arange(int(seconds * RATE)) / RATE, noise(seconds, 3e-3)
    for strike in np.arange(0.4, seconds, interval):
        since = np.maximum(time - strike, 0)
        for hertz, decay in ((523, 1.2), (1051, 0.8), (1434, 0.6)):
            samples[0] += 0.1 * (time >= strike) * np.exp(-since / decay) * np.sin(2 * np.pi * hertz * since)
    return samples


def strikes(samples: np.ndarray) -> np.ndarray:
    """Seconds at which the level rises by 6 dB or more within 60 ms."""
    powers = np.square(samples[0, : samples.shape[1] // 320 * 320]).reshape(-1, 320).mean(1)  # of 20 ms
    levels = 10 * np.log10(powers + 1e-9)
    rises = np.flatnonzero(levels[3:] - levels[:-3] > 6)
    return rises[np.diff(rises, prepend=-100) > 10] * 0.02


def test_bells_are_struck_as_often_and_as_regularly_as_before() -> None:
    samples = bells(16, 2.0)
    own = strikes(samples)
    assert np.diff(own) == pytest.approx(2.0, abs=0.05)
    assert len(own) == 8
    tail = tail_of(found(samples), 40, seed=1) + noise(40, 3e-3, 1)
    intervals = np.diff(strikes(tail))
    assert np.median(intervals) == pytest.approx(2.0, abs=0.1)
    assert 16 <= len(intervals) <= 24

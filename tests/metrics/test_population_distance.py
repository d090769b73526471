"""Fréchet and kernel distance of known distributions and textures."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.stats

from audiogen.errors import InputError
from audiogen.metrics.population_distance import frechet_distance, kernel_distance, mel_features, population_distance
from tests.metrics.signals import modulated, noise, recording


def test_frechet_of_known_gaussians():
    generator = np.random.default_rng(0)
    first = generator.standard_normal((50000, 3))
    second = generator.standard_normal((50000, 3)) * [1, 2, 1] + [3, 0, 0]
    assert frechet_distance(first, second) == pytest.approx(9 + 1, rel=0.02)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_frechet_is_biased_by_few_samples_and_the_kernel_distance_is_not():
    generator = np.random.default_rng(0)

    def mean(measure, count):
        return np.mean([measure(*generator.standard_normal((2, count, 5))) for _ in range(60)])

    assert mean(frechet_distance, 10) > 5 * mean(frechet_distance, 200)
    assert mean(kernel_distance, 10) == pytest.approx(0, abs=0.03)


def test_kernel_distance_of_known_gaussians():
    """Two unit Gaussians m apart in one dimension, kernel of width w: 2 (1 + 4/w)^-1/2 (1 - exp(-m² / (w + 4)))."""
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 1500, 1))
    first, second = first - first.mean(), second - second.mean()  # removes a random difference of 4 %
    width = 2 * scipy.stats.chi2(1).median()  # of squared distances, whose variance is 2
    expected = 2 * (1 + 4 / width) ** -0.5 * (1 - np.exp(-(1.5**2) / (width + 4)))
    assert kernel_distance(first + 1.5, second) == pytest.approx(expected, rel=0.05)


def test_kernel_distance_grows_with_the_shift():
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((200, 4))
    shifted = [kernel_distance(generator.standard_normal((200, 4)) + by, reference) for by in (0, 0.5, 1, 2)]
    assert abs(shifted[0]) < 0.01
    assert shifted == sorted(shifted)
    assert shifted[3] > 0.5


@pytest.mark.parametrize("distance", ["frechet", "kernel"])
@pytest.mark.parametrize("features", ["texture", "mel"])
def test_other_noise_is_close_and_modulated_noise_is_not(distance, features):
    reference = recording(noise(30, 1))
    near = population_distance(recording(noise(16, 2)), reference, features, distance)
    far = population_distance(recording(modulated(16, 3, 4.0)), reference, features, distance)
    assert far.value > 5 * max(abs(near.value), 0.02)
    assert far.floor == near.floor
    assert near.windows[0] == near.windows[1] >= 4 * near.dimensions
    assert str(near.windows[0]) in near.caveat


def test_too_few_windows_and_unknown_names_are_refused():
    with pytest.raises(InputError, match="too few windows"):
        population_distance(recording(noise(3, 1)), recording(noise(30, 1)))
    with pytest.raises(InputError, match="choose from texture, mel"):
        population_distance(recording(noise(10, 1)), recording(noise(30, 1)), "vggish")


def test_frechet_of_covariances_that_do_not_commute() -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.standard_normal((400, 3)) @ generator.standard_normal((3, 3)) for _ in range(2))
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.trace(scipy.linalg.sqrtm(first @ second).real)
    wanted = np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(one, other) == pytest.approx(float(wanted), rel=1e-6)


def test_windows_overlap_by_half() -> None:
    assert len(mel_features(recording(noise(10, 1)))) == pytest.approx(19, abs=1)

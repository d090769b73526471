"""Waveform baselines: simple continuations that a Model has to beat, each with a known fault.

==============  ==========================================================  =============================
baseline        method                                                      known fault
==============  ==========================================================  =============================
loop            the prompt's end, repeated with cross-fades                 looping, copying
grains          granular synthesis: random 60 ms grains of the prompt       slow modulation
walk            concatenative synthesis: the prompt's frames, with jumps    copying
noise           stationary noise with the prompt's spectrum                 correlation, moments, modulation
autoregression  linear prediction of mel frames, order 4                    moments, modulation
==============  ==========================================================  =============================

Each is a function of prompt, seconds and seed, and returns a Recording with the prompt's sample rate and channels.
Grains and walk use overlap-add. Grains: Roads (2001), "Microsound". Walk: Schödl et al. (2000), "Video textures",
applied to sound. Noise: the spectrum-matched noise of McDermott & Simoncelli (2011). Autoregression: Lütkepohl (2005),
"New introduction to multiple time series analysis", chapter 3, with a residual bootstrap.

The Models of the same names in `audiogen.models` (`baselines.loop`, `grains`, `walk`, `noise`, and `var`) are a
different computation: they generate mel frames and use the vocoder, which makes them comparable with other Models.
These here work on samples, without a vocoder's faults: they are what `audiogen evaluate` compares with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import frame_size, mel_frames

LOOP_SECONDS, LOOP_FADE_SECONDS = 4.0, 0.1  # of the loop (at most half the prompt) and of its cross-fade
GRAIN_SECONDS = 0.06
SOURCE_SECONDS = 60.0  # end of the prompt used by walk and autoregression
NEIGHBOURS, JUMPS_PER_SECOND = 8, 6.0  # of the walk: candidates per jump, and rate of jumps
MIN_JUMP_SECONDS = 0.25
ORDER, LATENTS, RIDGE = 4, 48, 1e-2
MAX_RADIUS = 0.99  # largest eigenvalue of the autoregression: disturbances decay within some seconds
MIN_PROMPT_SECONDS = 1.0  # for the baselines that use frames


def loop(prompt: Recording, seconds: float, seed: int = 0) -> Recording:
    """The last 4 s (at most half the prompt), repeated with equal-power cross-fades."""
    rate, wanted = prompt.sample_rate, round(seconds * prompt.sample_rate)
    period = max(1, min(round(LOOP_SECONDS * rate), prompt.length // 2))
    fade = min(round(LOOP_FADE_SECONDS * rate), period // 2, prompt.length - period)
    body = prompt.samples[:, -period:].copy()
    # The end fades into what precedes the beginning in the prompt, so that the beginning follows it seamlessly.
    angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    before = prompt.samples[:, prompt.length - period - fade : prompt.length - period]
    body[:, period - fade :] = body[:, period - fade :] * np.cos(angle) + before * np.sin(angle)
    return Recording(np.tile(body, (1, wanted // period + 1))[:, :wanted], rate)


def grains(prompt: Recording, seconds: float, seed: int = 0, grain: float = GRAIN_SECONDS) -> Recording:
    """Granular synthesis: grains from random positions of the prompt, overlap-added with sine windows."""
    rate, wanted = prompt.sample_rate, round(seconds * prompt.sample_rate)
    hop = max(1, min(round(grain * rate), prompt.length) // 2)
    count = wanted // hop + 2
    starts = np.random.default_rng(seed).integers(0, prompt.length - 2 * hop + 1, count)
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))
    return Recording(overlap_add(prompt.samples, starts, window, hop)[:, hop : hop + wanted], rate)


def walk(prompt: Recording, seconds: float, seed: int = 0) -> Recording:
    """The prompt's frames in order, with random jumps to frames that resemble the next one, overlap-added."""
    rate, wanted = prompt.sample_rate, round(seconds * prompt.sample_rate)
    source = _require_seconds(prompt)
    frames, frame_rate = mel_frames(source)
    hop = frame_size(rate) // 4
    frames = frames[: (source.length - 4 * hop) // hop + 1] / (frames.std(axis=0) + 0.05)
    generator, count = np.random.default_rng(seed), wanted // hop + 8
    positions = np.empty(count, int)
    position = len(frames) - 1
    for k in range(count):
        position += 1
        if position >= len(frames) or generator.random() < JUMPS_PER_SECOND / frame_rate:
            position = _similar_frame(frames, min(position, len(frames) - 1), MIN_JUMP_SECONDS * frame_rate, generator)
        positions[k] = position
    # Squared sine windows that overlap by three quarters sum to two: frames in order reproduce the source.
    window = np.sin(np.pi * (np.arange(4 * hop) + 0.5) / (4 * hop)) ** 2 / 2
    sound = overlap_add(source.samples, positions * hop, window, hop)
    return Recording(sound[:, 4 * hop : 4 * hop + wanted], rate)


def _similar_frame(frames: np.ndarray, position: int, separation: float, generator: np.random.Generator) -> int:
    """One of the nearest frames to ``frames[position]``, sampled uniformly, not adjacent to it in time."""
    distance = np.square(frames - frames[position]).sum(axis=1)
    distance[np.abs(np.arange(len(frames)) - position) < separation] = np.inf
    choices = np.argpartition(distance, NEIGHBOURS)[:NEIGHBOURS]
    return int(generator.choice(choices))


def noise(prompt: Recording, seconds: float, seed: int = 0) -> Recording:
    """Gaussian noise with the prompt's mean power spectrum and channel covariance in each bin."""
    from scipy import fft

    rate, wanted = prompt.sample_rate, round(seconds * prompt.sample_rate)
    size = min(frame_size(rate, 0.0929), 2 * (prompt.length // 2))
    frames = np.lib.stride_tricks.sliding_window_view(prompt.samples, size, axis=1)[:, :: size // 2]
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    spectra = fft.rfft(frames * window, axis=2) / np.sqrt(np.sum(window**2))
    density = np.einsum("ctf,dtf->fcd", spectra, spectra.conj(), optimize=True) / frames.shape[1]
    # Square root of each bin's covariance from its eigenvectors, which permits singular ones (mono in two channels).
    values, vectors = np.linalg.eigh(density)
    roots = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    root = np.einsum("fck,fdk->fcd", roots, vectors.conj())
    length = fft.next_fast_len(max(wanted, size))
    white = np.random.default_rng(seed).standard_normal((prompt.channels, length)).astype(np.float32)
    white_spectrum = fft.rfft(white, axis=1)
    position = np.linspace(0, len(root) - 1, white_spectrum.shape[1])
    nearest, rest = np.minimum(position.astype(int), len(root) - 2), position % 1.0
    rest[-1] = 1.0
    shaped = np.zeros_like(white_spectrum)
    for c in range(prompt.channels):
        for d in range(prompt.channels):
            gain = root[nearest, c, d] * (1 - rest) + root[nearest + 1, c, d] * rest
            shaped[c] += gain.astype(np.complex64) * white_spectrum[d]
    return Recording(fft.irfft(shaped, length, axis=1)[:, :wanted].astype(np.float32), rate)


def autoregression(prompt: Recording, seconds: float, seed: int = 0) -> Recording:
    """Mel frames of all channels by vector autoregression with resampled residuals, rendered by unit selection."""
    import torch

    from audiogen.representation.mel import MelSpec, log_mel
    from audiogen.vocoders.registry import build

    source = _require_seconds(prompt)
    rate, wanted = source.sample_rate, round(seconds * source.sample_rate)
    size = frame_size(rate)
    spec = MelSpec(sample_rate=rate, n_fft=size, win=size, hop=size // 4, n_mels=80, fmax=rate / 2)
    samples = torch.from_numpy(np.ascontiguousarray(source.samples))
    with torch.no_grad():
        frames = log_mel(samples, spec, padded=True).transpose(0, 1).flatten(1).numpy().astype(np.float64)
        mean = frames.mean(axis=0)
        _, _, directions = np.linalg.svd(frames - mean, full_matrices=False)
        basis = directions[: min(LATENTS, len(frames) // (2 * ORDER))]
        matrices, residuals = fit_autoregression((frames - mean) @ basis.T)
        history = list((frames[-ORDER:] - mean) @ basis.T)
        chosen = np.random.default_rng(seed).integers(0, len(residuals), -(-wanted // spec.hop))
        for k in chosen:
            past = sum(matrix @ state for matrix, state in zip(matrices, history[: -ORDER - 1 : -1], strict=True))
            history.append(past + residuals[k])
        predicted = (np.array(history[ORDER:]) @ basis + mean).astype(np.float32)
        mels = torch.from_numpy(predicted).unflatten(1, (source.channels, spec.n_mels)).transpose(0, 1)
        sound = build("source", spec, samples).vocode(mels.contiguous(), samples[:, -2 * size :], seed).numpy()
    return Recording(np.ascontiguousarray(sound[:, :wanted]), rate)


def fit_autoregression(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stable vector autoregression by ridge regression (see `audiogen.dsp.autoregression`).

    Args:
        values: ``[time, dimensions]`` of zero mean.

    Returns:
        Matrices ``[order, dimensions, dimensions]``, lag 1 first, whose companion matrix has a spectral radius of at
        most 0.99, and centred residuals ``[time - order, dimensions]``.
    """
    import torch

    from audiogen.dsp.autoregression import LeastSquares, lag_regression, stabilise

    past, present = lag_regression(torch.from_numpy(values), ORDER)
    weight = stabilise(LeastSquares([(past, present)]).solve(RIDGE), ORDER, MAX_RADIUS)
    residuals = present - past @ weight
    return weight.unflatten(0, (ORDER, -1)).mT.numpy(), (residuals - residuals.mean(dim=0)).numpy()


def _require_seconds(prompt: Recording) -> Recording:
    if prompt.seconds < MIN_PROMPT_SECONDS:
        raise InputError("the prompt", f"is shorter than {MIN_PROMPT_SECONDS:g} s", "this baseline needs a longer one")
    return prompt.cut(max(0, prompt.length - round(SOURCE_SECONDS * prompt.sample_rate)), prompt.length)


def overlap_add(samples: np.ndarray, starts: np.ndarray, window: np.ndarray, hop: int) -> np.ndarray:
    """Overlap-add windowed segments of ``samples`` every ``hop`` samples: ``[channels, time]`` float32."""
    size = len(window)
    sound = np.zeros((len(samples), (len(starts) - 1) * hop + size), np.float32)
    shape = window.astype(np.float32)
    for k, start in enumerate(starts):
        sound[:, k * hop : k * hop + size] += shape * samples[:, start : start + size]
    return sound


Baseline = Callable[[Recording, float, int], Recording]

BASELINES: dict[str, Baseline] = {
    "loop": loop,
    "grains": grains,
    "walk": walk,
    "noise": noise,
    "autoregression": autoregression,
}

"""Speed of the vocoders' parts, compared with librosa and torchaudio in the same process (one thread)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import librosa
import numpy as np
import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.griffin_lim import BLOCK, GriffinLimOptions
from audiogen.vocoders.phase_reconstruction.mel_band_projection import fixed, invert
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, refine, synthesise
from audiogen.vocoders.registry import build

SPEC = MelSpec()
SECONDS = 5.0
REPEATS = 9
ITERATIONS = 16
Figures = dict[str, float]


def cpu_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median CPU seconds per second of audio, after one warm-up call."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken) / SECONDS


def as_librosa(frames: Tensor) -> np.ndarray:
    """``[time, n_mels]`` log-mel -> samples, with librosa's mel_to_stft and griffinlim."""
    return librosa.griffinlim(librosa_magnitudes(frames), n_iter=32, hop_length=SPEC.hop, center=False, random_state=0)


def librosa_magnitudes(frames: Tensor, scale: float = 1.0) -> np.ndarray:
    """Magnitudes ``[bins, time]``; at a scale of 1e4 the solver leaves the initial point: slower, more accurate."""
    bands = frames.exp().T.numpy() * scale
    return librosa.feature.inverse.mel_to_stft(bands, sr=SPEC.sample_rate, n_fft=SPEC.n_fft, power=1.0) / scale


def test_signal() -> Tensor:
    """``[1, time]``: coloured noise, a chord and clicks."""
    generator = np.random.default_rng(0)
    length = round(SECONDS * SPEC.sample_rate) // SPEC.hop * SPEC.hop + overlap(SPEC)
    time_axis = np.arange(length) / SPEC.sample_rate
    noise = np.convolve(generator.standard_normal(length), 0.8 ** np.arange(32), "same")
    chord = sum(np.sin(2 * np.pi * hertz * time_axis) for hertz in (220.0, 277.2, 329.6, 1318.5))
    clicks = (generator.random(length) < 2e-4) * generator.standard_normal(length)
    return torch.from_numpy((0.03 * noise + 0.05 * chord + 0.5 * clicks).astype(np.float32))[None]


def inversion_figures(magnitude: Tensor, frames: Tensor) -> Figures:
    """Time, relative mel error and spectral convergence to the true magnitudes."""
    bank, bands = torch.tensor(SPEC.filterbank()), frames[0].exp()
    figures: Figures = {}
    ways: dict[str, Callable[[], Tensor]] = {
        "audiogen": lambda: invert(frames, SPEC, 20)[0],
        "librosa": lambda: torch.from_numpy(librosa_magnitudes(frames[0]).T.copy()),
        "librosa, scaled": lambda: torch.from_numpy(librosa_magnitudes(frames[0], 1e4).T.copy()),
    }
    for name, way in ways.items():
        found = way()
        # Durations of milliseconds need more repetitions than those of seconds.
        figures[f"{name}: seconds"] = cpu_seconds(way, 25 if name == "audiogen" else 3)
        figures[f"{name}: mel error"] = float((found @ bank.T - bands).norm() / bands.norm())
        figures[f"{name}: convergence"] = float((found - magnitude[0]).norm() / magnitude.norm())
    return figures


def griffin_lim_figures(signal: Tensor, magnitude: Tensor) -> Figures:
    """CPU seconds of one iteration per second of audio, and of its FFTs alone; convergence after 16."""
    import torchaudio

    phases = 2 * np.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    start = synthesise(torch.polar(magnitude, phases), signal[:, : overlap(SPEC)], SPEC)
    window = torch.hann_window(SPEC.win)
    centred = torch.stft(signal, SPEC.n_fft, SPEC.hop, window=window, return_complex=True).abs()
    other = torchaudio.transforms.GriffinLim(n_fft=SPEC.n_fft, hop_length=SPEC.hop, power=1.0, n_iter=ITERATIONS)
    windows = signal.unfold(-1, SPEC.win, SPEC.hop).contiguous()
    columns = magnitude[0].T.numpy()

    def theirs() -> Tensor:
        found = librosa.griffinlim(columns, n_iter=ITERATIONS, hop_length=SPEC.hop, center=False, random_state=0)
        return torch.nn.functional.pad(torch.from_numpy(found)[None], (0, signal.shape[1] - len(found)))

    def centred_error(found: Tensor) -> float:
        spectrum = torch.stft(found, SPEC.n_fft, SPEC.hop, window=window, return_complex=True).abs()
        shared = slice(4, min(spectrum.shape[-1], centred.shape[-1]) - 4)
        return float((spectrum - centred[..., : spectrum.shape[-1]])[..., shared].norm() / centred[..., shared].norm())

    def error(found: Tensor) -> float:
        return float((analyse(found, SPEC).abs() - magnitude)[:, 4:-4].norm() / magnitude[:, 4:-4].norm())

    def ours() -> Tensor:
        return refine(start, [(fixed(magnitude), 0.99)] * ITERATIONS, SPEC)

    def ours_in_blocks() -> None:
        """In blocks, as the vocoders do it, so that memory stays in the cache."""
        for first, part in zip(range(0, magnitude.shape[1], BLOCK), magnitude.split(BLOCK, dim=1), strict=True):
            samples = start[:, first * SPEC.hop : (first + part.shape[1]) * SPEC.hop + overlap(SPEC)]
            refine(samples, [(fixed(part), 0.99)] * ITERATIONS, SPEC)

    def transforms() -> None:
        for tile in windows.split(BLOCK, dim=1):
            torch.fft.irfft(torch.fft.rfft(tile), n=SPEC.win)

    return {
        "audiogen: seconds": cpu_seconds(ours_in_blocks) / ITERATIONS,
        "librosa: seconds": cpu_seconds(theirs, 3) / ITERATIONS,
        "torchaudio: seconds": cpu_seconds(lambda: other(centred), 3) / ITERATIONS,
        "its FFTs alone: seconds": cpu_seconds(transforms),
        "audiogen: convergence": error(ours()),
        "librosa: convergence": error(theirs()),
        "torchaudio: convergence": centred_error(other(centred)),
    }


def speeds() -> dict[str, Figures]:
    """All speeds: name of the part -> measures."""
    torch.manual_seed(0)
    signal = test_signal()
    magnitude = analyse(signal, SPEC).abs()
    frames = log_mel(signal, SPEC, padded=True)
    past = signal[:, :4096]
    whole = {kind: build(kind, SPEC, signal) for kind in ("griffin_lim", "source", "neural")}
    whole["griffin_lim, 32"] = build("griffin_lim", SPEC, signal, GriffinLimOptions(iterations=32, coarse_iterations=0))
    rendering = {f"{kind}: seconds": cpu_seconds(lambda v=v: v.vocode(frames, past)) for kind, v in whole.items()}
    rendering["librosa: seconds"] = cpu_seconds(lambda: as_librosa(frames[0]), 3)
    return {
        "inversion": inversion_figures(magnitude, frames),
        "griffin_lim": griffin_lim_figures(signal, magnitude),
        "rendering": rendering,
    }

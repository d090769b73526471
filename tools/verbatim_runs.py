"""How long a tail repeats the samples of its prompt: found in the waveforms, whatever made the tail."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording, resample

RATE = 8000  # Hz, at which waveforms are compared
PROBE_SECONDS, PROBE_HOP_SECONDS = 0.25, 0.25  # pieces of the tail that are searched in the prompt
WINDOW_SECONDS, HOP_SECONDS = 0.1, 0.02  # in which a tail is compared with the prompt at one shift
SAME = 0.9  # correlation of waveforms from which on samples are the same, but for a fade or a limiter
MAX_SHIFTS = 8  # of each probe: a prompt that repeats itself has one passage at many places
SILENCE = 1e-6  # of the prompt's mean power, below which a window is silent, and continues any run


def longest_verbatim_run(tail: Recording, prompt: Recording) -> float:
    """Seconds of the longest passage of a tail that is the prompt's, sample by sample, at one shift; 0 if none is.

    Passages shorter than `PROBE_SECONDS` are not found.
    """
    own, past = (_mono(each) for each in (tail, prompt))
    if min(len(own), len(past)) < round(PROBE_SECONDS * RATE):
        return 0.0
    shifts = sorted(_shifts(own, past))
    runs = [_longest_at(shift, own, past) for k, shift in enumerate(shifts) if not k or shift - shifts[k - 1] > 1]
    return max(runs, default=0.0)


def _mono(recording: Recording) -> np.ndarray:
    return resample(recording.samples.mean(0, keepdims=True), recording.sample_rate, RATE)[0].astype(np.float64)


def _shifts(own: np.ndarray, past: np.ndarray) -> set[int]:
    """Positions in the prompt minus those in the tail, at which a probe of the tail is found."""
    from scipy import fft

    size, hop = round(PROBE_SECONDS * RATE), round(PROBE_HOP_SECONDS * RATE)
    length = fft.next_fast_len(len(past) + size, real=True)
    spectrum, energy = fft.rfft(past, length), _window_sums(np.square(past), size)
    found = set[int]()
    for start in range(0, len(own) - size + 1, hop):
        probe = own[start : start + size]
        products = fft.irfft(spectrum * fft.rfft(probe, length).conj(), length)[: len(energy)]
        scale = np.sqrt(energy * np.square(probe).sum())
        correlation = products / np.maximum(scale, 1e-6 * max(float(scale.max()), 1e-30))
        for _ in range(MAX_SHIFTS):
            best = int(correlation.argmax())
            if correlation[best] < SAME:
                break
            found.add(best - start)
            correlation[max(best - size // 4, 0) : best + size // 4] = 0
    return found


def _longest_at(shift: int, own: np.ndarray, past: np.ndarray) -> float:
    """Seconds of the longest passage at one shift."""
    first, stop = max(0, -shift), min(len(own), len(past) - shift)
    size, hop = round(WINDOW_SECONDS * RATE), round(HOP_SECONDS * RATE)
    if stop - first < size:
        return 0.0
    one, other = own[first:stop], past[first + shift : stop + shift]
    products, ones, others = (_window_sums(values, size)[::hop] for values in (one * other, one**2, other**2))
    quiet = SILENCE * size * float(np.square(past).mean())
    same = (products >= SAME * np.sqrt(ones * others)) | (np.maximum(ones, others) <= quiet)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(int)))
    longest = int((edges[1::2] - edges[::2]).max(initial=0))
    return (longest - 1) * HOP_SECONDS + WINDOW_SECONDS if longest else 0.0


def _window_sums(values: np.ndarray, size: int) -> np.ndarray:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return sums[size:] - sums[:-size]

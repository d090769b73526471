"""How long a tail repeats the samples of its prompt: found in the waveforms, whatever made the tail."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording, resample

SEARCH_RATE, SMOOTHED = 8000, 6  # Hz at which places are searched, and samples averaged there: below about 700 Hz
PROBE_SECONDS = 0.25  # pieces of the tail that are searched in the prompt
SIMILAR = 0.8  # smoothed correlation from which on a place is compared at the full rate
MAX_SHIFTS = 8  # places of each probe: a prompt that repeats itself has one passage at several
SAME = 0.9  # correlation from which on samples are the same, but for a fade or a limiter
WINDOW_SECONDS, HOP_SECONDS = 0.1, 0.02  # in which a tail is compared with the prompt at one shift
SILENCE = 1e-6  # of the prompt's mean power, below which a window is silent, and continues any run


def longest_verbatim_run(tail: Recording, prompt: Recording) -> float:
    """Seconds of the longest passage of a tail that is the prompt's, sample by sample, at one shift; 0 if none is.

    Passages shorter than `PROBE_SECONDS` are not found.
    """
    rate = tail.sample_rate
    own, past = (recording.samples.mean(0).astype(np.float64) for recording in (tail, prompt))
    if min(len(own), len(past)) < round(2 * PROBE_SECONDS * rate):
        return 0.0
    found = {shift for place in _places(own, past, rate) if (shift := _shift_at(*place, own, past, rate)) is not None}
    return max((_longest_at(shift, own, past, rate) for shift in found), default=0.0)


def _places(own: np.ndarray, past: np.ndarray, rate: int) -> set[tuple[int, int]]:
    """Samples of tail and prompt at which a probe of the tail begins that sounds alike, to a few samples."""
    from scipy import fft

    kernel = np.ones(SMOOTHED) / SMOOTHED
    low, before = (np.convolve(resample(each[None], rate, SEARCH_RATE)[0], kernel, "same") for each in (own, past))
    size, scale = round(PROBE_SECONDS * SEARCH_RATE), rate / SEARCH_RATE
    length = fft.next_fast_len(len(before) + size, real=True)
    spectrum, energy = fft.rfft(before, length), _window_sums(np.square(before), size)
    found = set[tuple[int, int]]()
    for start in range(0, len(low) - size + 1, size):
        probe = low[start : start + size]
        products = fft.irfft(spectrum * fft.rfft(probe, length).conj(), length)[: len(energy)]
        norms = np.sqrt(energy * np.square(probe).sum())
        correlation = products / np.maximum(norms, 1e-6 * max(float(norms.max()), 1e-30))
        for _ in range(MAX_SHIFTS):
            best = int(correlation.argmax())
            if correlation[best] < SIMILAR:
                break
            found.add((round(start * scale), round(best * scale)))
            correlation[max(best - size // 8, 0) : best + size // 8] = 0
    return found


def _shift_at(start: int, place: int, own: np.ndarray, past: np.ndarray, rate: int) -> int | None:
    """Samples from a probe of the tail to the same samples in the prompt, near a place; None if they are others."""
    size, reach = round(PROBE_SECONDS * rate), 2 * round(rate / SEARCH_RATE)
    probe, first = own[start : start + size], max(place - reach, 0)
    around = past[first : place + reach + size]
    if len(probe) < size or len(around) < size:
        return None
    norms = np.sqrt(np.maximum(_window_sums(np.square(around), size), 0) * np.square(probe).sum())
    correlation = np.correlate(around, probe) / np.maximum(norms, 1e-30)
    best = int(correlation.argmax())
    return first + best - start if correlation[best] >= SAME else None


def _longest_at(shift: int, own: np.ndarray, past: np.ndarray, rate: int) -> float:
    """Seconds of the longest passage at one shift."""
    first, stop = max(0, -shift), min(len(own), len(past) - shift)
    size, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    one, other = own[first:stop], past[first + shift : stop + shift]
    products, ones, others = (_window_sums(values, size)[::hop] for values in (one * other, one**2, other**2))
    quiet = SILENCE * size * float(np.square(past).mean())
    same = (products >= SAME * np.sqrt(np.maximum(ones * others, 0))) | (np.maximum(ones, others) <= quiet)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(int)))
    longest = int((edges[1::2] - edges[::2]).max(initial=0))
    return (longest - 1) * HOP_SECONDS + WINDOW_SECONDS if longest else 0.0


def _window_sums(values: np.ndarray, size: int) -> np.ndarray:
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return sums[size:] - sums[:-size]

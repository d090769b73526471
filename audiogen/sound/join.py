"""The join: where the generated tail takes over from the prompt.

The Vocoder already continues the prompt's phases, so that only a small step remains. It is removed by extrapolating
the prompt for a few milliseconds (`dsp.extrapolation`) and cross-fading into the tail. The fade weights the
extrapolation by its predictability: that of noise decays within a few samples, that of a tone lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.extrapolation import ORDER, extrapolate
from audiogen.dsp.fades import fade_in

FADE_SECONDS = 0.008
CONTEXT_SECONDS = 0.1  # that the predictor is fitted to
ONSET_FRACTION = 0.25  # of the fade: an abrupt onset would splatter over bands that the context leaves empty


def join_to_prompt(prompt: Recording, blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """A tail of a given length, joined to the end of its prompt.

    Channels that are digital silence in the prompt stay so: the rotation from principal channels would leave rounding
    errors of the other channels in them.

    Args:
        prompt: what the tail follows.
        blocks: ``[channels, time]`` samples of the tail, at least ``length`` in total.
        length: samples wanted, per channel.
    """
    remaining, silent = length, list(prompt.silent)
    for index, block in enumerate(blocks):
        block = extrapolate_into(prompt.samples, block, prompt.sample_rate) if index == 0 else block
        if silent:
            block = block.copy()
            block[silent] = 0
        yield block[:, :remaining]
        remaining -= min(remaining, block.shape[1])
        if remaining == 0:
            return


def extrapolate_into(context: np.ndarray, signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """A signal whose first milliseconds continue the waveform before it.

    Args:
        context: ``[channels, time]`` samples just before the signal; the last `CONTEXT_SECONDS` are used.
        signal: ``[channels, time]``.
        sample_rate: Hz.

    Returns:
        ``[channels, time]``; only the first `FADE_SECONDS` differ from the signal.
    """
    length = min(round(FADE_SECONDS * sample_rate), signal.shape[1])
    if length < 2:
        return signal
    used = max(round(CONTEXT_SECONDS * sample_rate), 4 * ORDER)
    joined = signal.copy()
    for channel, past in enumerate(context[:, -used:]):
        joined[channel, :length] = fade_from_prediction(*extrapolate(past, length), signal[channel, :length])
    return joined


def fade_from_prediction(predicted: np.ndarray, predictability: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Cross-fade from an extrapolation to a signal, at constant power.

    The gain of the signal makes up for the power that the extrapolation lacks, given their correlation: over an
    unpredictable context the signal sets in almost at once, over a tone it takes over gradually.

    Args:
        predicted: ``[time]`` extrapolated samples.
        predictability: ``[time]`` in 0..1, see `extrapolate`.
        signal: ``[time]``.

    Returns:
        ``[time]``.
    """
    length = len(predicted)
    fade = fade_in(length)[::-1]
    weight = fade * np.sqrt(predictability)
    scale = float(np.sqrt(np.square(predicted).sum() * np.square(signal).sum()))
    agreement = float(np.clip(predicted @ signal / scale, 0, 1)) if scale > 0 else 0.0
    gain = np.sqrt(np.clip(1 - weight**2 * (1 - agreement**2), 0, 1)) - weight * agreement
    onset = max(round(ONSET_FRACTION * length), 1)
    gain[:onset] *= fade_in(onset)
    return fade * predicted + gain * signal


def silence(channels: int, length: int, block: int = 1 << 16) -> Iterator[np.ndarray]:
    """Digital silence in blocks ``[channels, time]``: the continuation of a silent prompt."""
    for start in range(0, length, block):
        yield np.zeros((channels, min(block, length - start)), np.float32)

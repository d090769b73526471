"""Band-limited resampling between any two sample rates, of whole recordings or streams (SoX resampler, soxr).

Quality "VHQ": linear phase, 28 bits (aliases at -175 dB), computed in double precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

QUALITY = "VHQ"
BLOCK = 1 << 20  # samples per channel


def resampled_length(length: int, rate_in: int, rate_out: int) -> int:
    """Length after resampling: ``length * rate_out / rate_in`` to the nearest integer, halves up."""
    return (2 * length * rate_out + rate_in) // (2 * rate_in)


def resample(samples: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """Resample a recording.

    Args:
        samples: ``[channels, time]`` float32.
        rate_in: Hz of the samples.
        rate_out: Hz of the result.

    Returns:
        ``[channels, resampled_length(time, rate_in, rate_out)]`` float32; the samples themselves for
        equal rates.
    """
    return samples if rate_in == rate_out else resample_parts([samples], rate_in, rate_out)


def resample_parts(parts: Sequence[np.ndarray], rate_in: int, rate_out: int) -> np.ndarray:
    """`resample` for a recording in parts ``[channels, time]``, which need not be joined for that."""
    channels, length = parts[0].shape[0], sum(part.shape[1] for part in parts)
    stream = Resampler(rate_in, rate_out, channels)
    resampled = np.empty((channels, resampled_length(length, rate_in, rate_out)), np.float32)
    done = 0
    for part in parts:
        for first in range(0, part.shape[1], BLOCK):  # the whole at once would be held four times
            block = stream.push(part[:, first : first + BLOCK])
            resampled[:, done : done + block.shape[1]] = block
            done += block.shape[1]
    resampled[:, done:] = stream.finish()
    return resampled


class Resampler:
    """Streaming `resample`: blocks of any size give the same samples, `resampled_length` in total.

    Args:
        rate_in: Hz of the input.
        rate_out: Hz of the output.
        channels: rows of each block.

    Raises:
        ValueError: a rate is not positive.
    """

    def __init__(self, rate_in: int, rate_out: int, channels: int) -> None:
        import soxr

        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"rates must be positive: {rate_in} -> {rate_out} Hz")
        self.rate_in, self.rate_out, self.channels = rate_in, rate_out, channels
        same = rate_in == rate_out
        self._stream = None if same else soxr.ResampleStream(rate_in, rate_out, channels, "float32", QUALITY)
        self._samples_in = self._samples_out = 0

    def push(self, block: np.ndarray) -> np.ndarray:
        """Add a block ``[channels, time]`` float32; return the output that is available by now, possibly empty."""
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise ValueError(f"a block must be [{self.channels}, time], not {block.shape}")
        return self._count(block.shape[1], self._convert(block, last=False))

    def finish(self) -> np.ndarray:
        """The remaining output ``[channels, time]``, which completes the exact total length."""
        out = self._convert(np.zeros((self.channels, 0), np.float32), last=True)
        missing = resampled_length(self._samples_in, self.rate_in, self.rate_out) - self._samples_out
        out = out[:, :missing]
        out = np.pad(out, ((0, 0), (0, missing - out.shape[1])))
        return self._count(0, out)

    def _convert(self, block: np.ndarray, last: bool) -> np.ndarray:
        if self._stream is None:
            return block
        interleaved = np.ascontiguousarray(block.T, dtype=np.float32)
        return np.ascontiguousarray(self._stream.resample_chunk(interleaved, last=last).T)

    def _count(self, samples_in: int, out: np.ndarray) -> np.ndarray:
        self._samples_in += samples_in
        self._samples_out += out.shape[1]
        return out

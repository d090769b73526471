"""Band-limited resampling between any two rates, whole or in a stream (the SoX resampler, through soxr).

Quality "VHQ" is a linear-phase filter of 28 bits (aliases at -175 dB), computed in double precision.
"""

from __future__ import annotations

import numpy as np

QUALITY = "VHQ"


def resampled_length(length: int, rate_in: int, rate_out: int) -> int:
    """``length * rate_out / rate_in`` rounded to the nearest integer, halves up."""
    return (2 * length * rate_out + rate_in) // (2 * rate_in)


def resample(samples: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """``[channels, time]`` float32 at ``rate_in`` Hz -> the same sound at ``rate_out`` Hz.

    The output has exactly `resampled_length` samples; equal rates give the samples back untouched.
    """
    if rate_in == rate_out:
        return samples
    stream = Resampler(rate_in, rate_out, samples.shape[0])
    return np.concatenate([stream.push(samples), stream.finish()], axis=1)


class Resampler:
    """`resample` of a sound that arrives in blocks, in bounded memory.

    Blocks of any size give the same samples, and in total exactly `resampled_length` of them.

    Args:
        rate_in: Hz of what is pushed.
        rate_out: Hz of what comes out.
        channels: rows of each block.
    """

    def __init__(self, rate_in: int, rate_out: int, channels: int) -> None:
        import soxr

        if rate_in <= 0 or rate_out <= 0:
            raise ValueError(f"rates must be positive: {rate_in} -> {rate_out} Hz")
        self.rate_in, self.rate_out, self.channels = rate_in, rate_out, channels
        same = rate_in == rate_out
        self._stream = None if same else soxr.ResampleStream(rate_in, rate_out, channels, "float32", QUALITY)
        self._taken = self._given = 0

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take ``[channels, time]`` float32; return the samples that are final by now, maybe none."""
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise ValueError(f"a block must be [{self.channels}, time], not {block.shape}")
        return self._count(block.shape[1], self._convert(block, last=False))

    def finish(self) -> np.ndarray:
        """The samples still held back ``[channels, time]``, brought to the exact total length."""
        out = self._convert(np.zeros((self.channels, 0), np.float32), last=True)
        missing = resampled_length(self._taken, self.rate_in, self.rate_out) - self._given
        out = out[:, :missing]
        out = np.pad(out, ((0, 0), (0, missing - out.shape[1])))
        return self._count(0, out)

    def _convert(self, block: np.ndarray, last: bool) -> np.ndarray:
        if self._stream is None:
            return block
        interleaved = np.ascontiguousarray(block.T, dtype=np.float32)
        return np.ascontiguousarray(self._stream.resample_chunk(interleaved, last=last).T)

    def _count(self, taken: int, out: np.ndarray) -> np.ndarray:
        self._taken += taken
        self._given += out.shape[1]
        return out

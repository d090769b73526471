"""The contract of vocoders: lengths, streams, seeds, silence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, log_mel
from audiogen.testing.contract import options_of, require
from audiogen.vocoders.base import Vocoder

FRAMES, CHANGED_FROM = 600, 590  # several blocks of the vocoders that render in blocks
PIECES = [1, 70, 2, 527]
SILENT_DB = -60.0


def check_vocoder(
    variant: type[Vocoder], options: Any = None, *, spec: MelSpec | None = None, level_tolerance: float = 6.0
) -> None:
    """Check a vocoder on some seconds of synthetic noise with onsets.

    - Frames become ``[channels, time * hop]`` finite samples, of any number of frames and channels.
    - Frames pushed in pieces of any size give the same samples, bit by bit.
    - Samples become final before the end, and later frames do not change them.
    - The same seed gives the same samples.
    - Silent frames become silence (below -60 dB), and the level is that of the frames.

    Args:
        variant: the class.
        options: instance of ``variant.Options``; None for the defaults.
        spec: of the frames; None for the vocoder's own, or the default one.
        level_tolerance: largest difference in level between the original and the rendered sound, dB.

    Raises:
        ContractError: names what is wrong.
    """
    chosen = options_of(variant, options)
    spec = spec or variant.native_spec(chosen) or MelSpec()
    source = _noise((FRAMES + 10) * spec.hop + 2 * spec.win)
    past = source[:, : 2 * spec.win]
    frames = log_mel(source[:, 2 * spec.win - (spec.win - spec.hop) :], spec, padded=True)[:, :FRAMES]
    vocoder = variant.build(spec, source, chosen)
    require(vocoder.spec == spec, "its spec is another than the one it was built for")
    stereo = variant.build(spec, source.expand(2, -1), chosen)
    with torch.no_grad():
        _check_lengths(vocoder, frames, past)
        two = stereo.vocode(frames[:, :9].expand(2, -1, -1), past.expand(2, -1))
        require(list(two.shape) == [2, 9 * spec.hop], "two channels do not become two channels")
        _check_stream(vocoder, frames, past)
        _check_level(vocoder, frames, past, source[:, 2 * spec.win :], level_tolerance)


def _noise(length: int) -> Tensor:
    """``[1, length]``: noise with a decaying onset every tenth of the length."""
    generator = torch.Generator().manual_seed(0)
    decay = torch.exp(-(torch.arange(length) % (length // 10)) / (length / 40))
    return 0.1 * (0.2 + decay) * torch.randn(1, length, generator=generator)


def _check_lengths(vocoder: Vocoder, frames: Tensor, past: Tensor) -> None:
    for count in (1, 7, 65):
        samples = vocoder.vocode(frames[:, :count], past)
        shape, expected = list(samples.shape), [1, count * vocoder.spec.hop]
        require(shape == expected, f"{count} frames become samples of shape {shape}: {expected} is expected")
        require(samples.isfinite().all(), "samples are not finite")


def _check_stream(vocoder: Vocoder, frames: Tensor, past: Tensor) -> None:
    whole = vocoder.vocode(frames, past, seed=3)
    require(torch.equal(whole, vocoder.vocode(frames, past, seed=3)), "the same seed gives other samples")
    stream = vocoder.open(1, past, seed=3)
    pieces = [stream.push(piece) for piece in frames.split(PIECES, dim=1)]
    pieces.append(stream.finish())
    require(torch.equal(torch.cat(pieces, dim=1), whole), "frames pushed in pieces give other samples than at once")
    changed = frames.clone()
    changed[:, CHANGED_FROM:] -= 2.0
    ready = vocoder.open(1, past, seed=3).push(frames[:, :CHANGED_FROM]).shape[1]
    require(ready > 0, f"no sample is final after {CHANGED_FROM} frames: memory grows with the stream")
    other = vocoder.vocode(changed, past, seed=3)
    require(torch.equal(whole[:, :ready], other[:, :ready]), "later frames change samples that were final")


def _check_level(vocoder: Vocoder, frames: Tensor, past: Tensor, original: Tensor, tolerance: float) -> None:
    spec = vocoder.spec
    quiet = vocoder.vocode(torch.full((1, 80, spec.n_mels), spec.silence))
    require(_decibels(quiet) < SILENT_DB, f"silent frames become {_decibels(quiet):.0f} dB of sound")
    samples = vocoder.vocode(frames, past)
    difference = _decibels(samples) - _decibels(original[:, : samples.shape[1]])
    require(abs(difference) <= tolerance, f"the level is {difference:+.1f} dB off")


def _decibels(samples: Tensor) -> float:
    return 10 * float(torch.log10(samples.double().square().mean() + 1e-20))

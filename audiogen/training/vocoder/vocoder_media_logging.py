"""TensorBoard audio and spectrograms of a vocoder training: recordings, and the same rendered from their frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen.representation.mel import log_mel
from audiogen.training.mel.mel_media_logging import spectrogram_image
from audiogen.training.vocoder.vocoder_objective import Excerpts
from audiogen.vocoders.neural import Neural

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter


def log_media(writer: EventWriter, step: int, vocoder: Neural, excerpts: Excerpts) -> None:
    """Write ``real`` and ``rendered`` versions of excerpts, one after the other."""
    spec = vocoder.spec
    samples, frames, shapes = excerpts
    past, real = samples.split([spec.win, samples.shape[1] - spec.win], dim=1)
    for name, version in {"real": real, "rendered": vocoder.excerpt(frames, past, shapes)}.items():
        whole = version.cpu().flatten()[None]
        writer.add_image(f"spectrogram/{name}", spectrogram_image(log_mel(whole, spec)[0], spec), step)
        writer.add_audio(f"audio/{name}", whole / whole.abs().max().clamp(min=1.0), step, spec.sample_rate)

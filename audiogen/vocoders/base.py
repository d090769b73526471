"""The Vocoder interface: renders mel frames as a waveform, block by block.

A Vocoder declares the `MelSpec` of the frames that it renders. The channel axis takes the place of a batch: frames are
``[channels, time, n_mels]`` log-mel values of one recording, samples are ``[channels, samples]`` at
``spec.sample_rate``.

Frame k of a stream is the analysis window over samples ``k * hop - overlap`` to ``k * hop - overlap + win``, where
``overlap = win - hop`` and sample 0 is the first one rendered. So frame 0 adds the first ``hop`` samples and overlaps
the past: the last samples of the prompt where there is one, otherwise silence.

Every Vocoder keeps this contract:

- A stream returns ``hop`` samples per frame in total.
- Pushing frames in chunks of any sizes gives the same samples as pushing them at once.
- Equal frames, past and seed give equal samples.
- Memory does not grow with the length of a stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel


class Stream(ABC):
    """One waveform being rendered, chunk by chunk; chunks of any sizes give the same samples."""

    @abstractmethod
    def push(self, frames: Tensor) -> Tensor:
        """Append log-mel frames.

        Args:
            frames: ``[channels, time, n_mels]``.

        Returns:
            ``[channels, samples]``, the samples completed by these frames: fewer than ``time * hop``, or none, if the
            vocoder looks ahead.
        """

    def push_selected(self, frames: Tensor, positions: Tensor) -> Tensor:
        """Append log-mel frames that were selected from the source; only vocoders that render from it use positions.

        Args:
            frames: ``[channels, time, n_mels]``.
            positions: ``[time]`` index of each among the frames of the source that the vocoder was built with.

        Returns:
            As `push`.
        """
        return self.push(frames)

    @abstractmethod
    def finish(self) -> Tensor:
        """End the stream; returns the remaining samples ``[channels, samples]``, ``hop`` per frame in total."""


class Vocoder(ABC):
    """Renders mel frames as samples.

    Attributes:
        Options: a frozen dataclass whose fields are the keys of ``vocoder:`` in a config.
        needs_source: whether it can be built only with a source recording.
        spec: spec of the frames that it renders.
    """

    Options: ClassVar[type]
    needs_source: ClassVar[bool] = False

    spec: MelSpec

    @classmethod
    @abstractmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: Any) -> Self:
        """Construct the vocoder.

        Args:
            spec: spec of the frames that it is to render.
            source: ``[channels, samples]`` at ``spec.sample_rate``, the recording that the frames continue; None where
                there is none.
            options: an instance of ``Options``.

        Raises:
            InputError: the vocoder renders frames of another spec only.
        """

    @classmethod
    def download_address(cls, options: Any) -> str:
        """Address from which its weights are downloaded; empty for local files."""
        return ""

    @classmethod
    def weight_files(cls, path: Path) -> list[Path]:
        """The files that are read where the weights are given as ``path``, a file or a folder."""
        return [path]

    @classmethod
    def native_spec(cls, options: Any) -> MelSpec | None:
        """The only spec whose frames it renders, read without loading weights; None if it renders any."""
        return None

    @abstractmethod
    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        """Start a stream.

        Args:
            channels: number of channels of the frames.
            past: ``[channels, samples]`` at ``spec.sample_rate``, the recording just before the first sample; the
                phases continue from it. None for silence.
            seed: seed of random phases, where the vocoder uses any.
        """

    def with_other_phases(self, number: int) -> Self:
        """A vocoder that renders equal frames as another waveform, the same one for each number; by default itself.

        Only vocoders need it that render from a source, whose waveform would come back with its frames.
        """
        return self

    def vocode(self, frames: Tensor, past: Tensor | None = None, seed: int = 0) -> Tensor:
        """Render frames ``[channels, time, n_mels]`` at once as samples ``[channels, time * hop]``; see `open`."""
        stream = self.open(frames.shape[0], past, seed)
        return torch.cat([stream.push(frames), stream.finish()], dim=-1)


def require_spec(name: str, own: MelSpec, wanted: MelSpec) -> None:
    """Check that a vocoder renders the frames it is to be given.

    Args:
        name: kind of the vocoder.
        own: spec of the frames that it renders.
        wanted: spec of the frames that it is to be given.

    Raises:
        InputError: the specs differ; the message names the fields.
    """
    differing = [item.name for item in fields(MelSpec) if getattr(own, item.name) != getattr(wanted, item.name)]
    if differing:
        theirs = ", ".join(f"{key} {getattr(own, key)}" for key in differing)
        ours = ", ".join(f"{key} {getattr(wanted, key)}" for key in differing)
        raise InputError(f"vocoder {name}", f"it renders mel frames of {theirs}, not {ours}", "choose another vocoder")


def past_frames(past: Tensor | None, channels: int, count: int, spec: MelSpec) -> Tensor:
    """The last frames before a stream, which are context for its first ones.

    Args:
        past: ``[channels, samples]`` before the first rendered sample; None, like samples missing at its start, for
            silence.
        channels: number of channels.
        count: number of frames.
        spec: spec of the frames.

    Returns:
        ``[channels, count, n_mels]`` log-mel frames.
    """
    if count == 0:
        return torch.zeros(channels, 0, spec.n_mels)
    length = (count - 1) * spec.hop + spec.win
    samples = torch.zeros(channels, 0) if past is None else past[:, -length:].float()
    silence = samples.new_zeros(channels, length - samples.shape[1])
    return log_mel(torch.cat([silence, samples], dim=1), spec, padded=True)

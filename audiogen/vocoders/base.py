"""What every Vocoder is: mel Frames -> waveform, in a stream.

A Vocoder declares the `MelSpec` of the frames it takes. Batch is the channel axis here: frames are
``[channels, time, n_mels]`` log-mel values of one recording, samples are ``[channels, samples]`` at
``spec.sample_rate``.

Frame k of a stream is the window that covers samples ``[k * hop - overlap, k * hop - overlap + win)`` where sample 0
is the first one to be rendered and ``overlap = win - hop``. So frame 0 adds the first ``hop`` new samples and looks
``overlap`` samples back into the past, which is the prompt's end when there is one, and silence otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec


class Stream(ABC):
    """One waveform being rendered, piece by piece. Pieces of any size give the same samples."""

    @abstractmethod
    def push(self, frames: Tensor) -> Tensor:
        """Take ``[channels, time, n_mels]`` log-mel frames; return the samples that are final by now.

        The returned ``[channels, samples]`` may be shorter than ``time * hop`` (look-ahead) or empty.
        """

    @abstractmethod
    def finish(self) -> Tensor:
        """The samples still held back; in total ``frames * hop`` samples come out of a stream."""


class Vocoder(ABC):
    """Mel Frames -> Recording samples."""

    Options: ClassVar[type]
    needs_source: ClassVar[bool] = False  # whether it cannot do without a recording

    spec: MelSpec

    @classmethod
    @abstractmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: Any) -> Self:
        """Make one.

        Args:
            spec: of the frames it will be given.
            source: ``[channels, samples]`` at ``spec.sample_rate``, the recording that the frames continue, if any.
            options: an instance of ``Options``.

        Raises:
            InputError: it renders frames of another spec only.
        """

    @classmethod
    def address(cls, options: Any) -> str:
        """Where its weights are downloaded from; empty where they are files on this machine."""
        return ""

    @classmethod
    def files_at(cls, path: Path) -> list[Path]:
        """The files that are read of weights at ``path``, a file or a folder."""
        return [path]

    @classmethod
    def own_spec(cls, options: Any) -> MelSpec | None:
        """The one spec whose frames it renders; None if it renders those of any."""
        return None

    @abstractmethod
    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        """Start a stream.

        Args:
            channels: number of channels that each push will bring.
            past: ``[channels, samples]``, the real samples just before the first one to be rendered, at
                ``spec.sample_rate``; the stream's phases continue from them. None means silence.
            seed: of the random phases, where there are any.
        """

    def vocode(self, frames: Tensor, past: Tensor | None = None, seed: int = 0) -> Tensor:
        """``[channels, time, n_mels]`` log-mel frames -> ``[channels, time * hop]`` samples, in one go."""
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

"""The vocoders by name. Adding one is one file and one line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.griffin_lim import GriffinLim, GriffinLimOptions
from audiogen.vocoders.source import Source, SourceOptions


class Build(Protocol):
    """Makes a vocoder from its spec, the recording at hand (``[channels, samples]`` or None) and its options."""

    def __call__(self, spec: MelSpec, source: Tensor | None, options: Any) -> Vocoder: ...


@dataclass(frozen=True)
class Entry:
    """Args:
    options: the dataclass of the vocoder's options.
    build: makes the vocoder.
    needs_source: whether it cannot do without a recording.
    """

    Options: type
    build: Build
    needs_source: bool = False


VOCODERS: dict[str, Entry] = {
    "griffin_lim": Entry(GriffinLimOptions, GriffinLim.build),
    "source": Entry(SourceOptions, Source.build, needs_source=True),
}


def build(kind: str, spec: MelSpec, source: Tensor | None = None, options: Any = None) -> Vocoder:
    """Make a vocoder by name.

    Args:
        kind: a key of `VOCODERS`.
        spec: of the frames it will be given.
        source: ``[channels, samples]`` at ``spec.sample_rate``, the recording that the frames continue, if any.
        options: an instance of the entry's options dataclass; None for its defaults.

    Raises:
        InputError: unknown kind, or a recording is needed and missing.
    """
    if kind not in VOCODERS:
        raise InputError(f"vocoder {kind}", "there is none of that name", f"choose from {', '.join(VOCODERS)}")
    entry = VOCODERS[kind]
    if entry.needs_source and source is None:
        raise InputError(f"vocoder {kind}", "it renders out of a recording and none was given", "give --source")
    return entry.build(spec, source, entry.Options() if options is None else options)

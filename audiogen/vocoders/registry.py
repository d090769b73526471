"""The registry of vocoders: found, checked and built by kind."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from audiogen.config.registry import Registry
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Vocoder, require_spec

VOCODERS: Registry[Vocoder] = Registry(
    "audiogen.vocoders",
    {
        "griffin_lim": "audiogen.vocoders.griffin_lim:GriffinLim",
        "source": "audiogen.vocoders.source:Source",
        "neural": "audiogen.vocoders.neural:Neural",
        "bigvgan": "audiogen.vocoders.published.bigvgan:BigVGAN",
        "vocos": "audiogen.vocoders.published.vocos:Vocos",
    },
)


def find(kind: str) -> type[Vocoder]:
    """The vocoder class of a kind.

    Raises:
        InputError: the kind is unknown; the message lists the choices.
    """
    if not isinstance(kind, str) or kind not in VOCODERS:
        raise InputError(f"vocoder {kind}", "there is none of that name", f"choose from {', '.join(VOCODERS)}")
    return VOCODERS[kind]


def check(kind: str, spec: MelSpec, options: Any) -> None:
    """Check that a vocoder renders frames of a spec, without building it; called when a Run is opened.

    Args:
        kind: a key of `VOCODERS`.
        spec: spec of the frames.
        options: an instance of the vocoder's ``Options``.

    Raises:
        InputError: the vocoder renders frames of another spec, or the weights that state its spec are missing.
    """
    own = find(kind).native_spec(options)
    if own is not None:
        require_spec(kind, own, spec)


def build(kind: str, spec: MelSpec, source: Tensor | None = None, options: Any = None) -> Vocoder:
    """Build a vocoder by kind.

    Args:
        kind: a key of `VOCODERS`.
        spec: spec of the frames that it is to render.
        source: ``[channels, samples]`` at ``spec.sample_rate``, the recording that the frames continue, if any.
        options: an instance of the vocoder's ``Options``; None for the defaults.

    Raises:
        InputError: the kind is unknown, the source is missing, or the vocoder renders frames of another spec.
    """
    vocoder = find(kind)
    if vocoder.needs_source and source is None:
        raise InputError(f"vocoder {kind}", "it renders from a source recording and none was given", "give --source")
    return vocoder.build(spec, source, vocoder.Options() if options is None else options)

"""The vocoders by name. Adding one is one file and one line here."""

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
    """The vocoder of that name.

    Raises:
        InputError: there is none; lists the choices.
    """
    if kind not in VOCODERS:
        raise InputError(f"vocoder {kind}", "there is none of that name", f"choose from {', '.join(VOCODERS)}")
    return VOCODERS[kind]


def check(kind: str, spec: MelSpec, options: Any) -> None:
    """See to it, without making it, that a vocoder renders frames of ``spec``: for the moment a Run is opened.

    Raises:
        InputError: it renders those of another, which the message names, or the weights that say so are missing.
    """
    own = find(kind).own_spec(options)
    if own is not None:
        require_spec(kind, own, spec)


def build(kind: str, spec: MelSpec, source: Tensor | None = None, options: Any = None) -> Vocoder:
    """Make a vocoder by name.

    Args:
        kind: a key of `VOCODERS`.
        spec: of the frames it will be given.
        source: ``[channels, samples]`` at ``spec.sample_rate``, the recording that the frames continue, if any.
        options: an instance of the vocoder's ``Options``; None for its defaults.

    Raises:
        InputError: unknown kind, a recording is needed and missing, or the vocoder renders frames of another spec.
    """
    vocoder = find(kind)
    if vocoder.needs_source and source is None:
        raise InputError(f"vocoder {kind}", "it renders out of a recording and none was given", "give --source")
    return vocoder.build(spec, source, vocoder.Options() if options is None else options)

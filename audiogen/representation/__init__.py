"""Representations: what a Model's frames are, named for ``representation: {kind: KEY, ...}`` in a config."""

from audiogen.config.registry import Registry
from audiogen.representation.base import Representation

REPRESENTATIONS: Registry[Representation] = Registry(
    "audiogen.representations",
    {
        "mel": "audiogen.representation.mel_latents:MelLatents",
        "midi": "audiogen.tunes.midi_representation:Midi",
    },
)

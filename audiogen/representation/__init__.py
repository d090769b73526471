"""The table of Representations: ``representation: {kind: KEY, ...}`` in a config."""

from audiogen.representation.base import Representation
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.midi.table import Midi

REPRESENTATIONS: dict[str, type[Representation]] = {
    "mel": MelLatents,
    "midi": Midi,
}

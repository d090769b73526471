"""The ``midi`` Representation: MIDI file <-> Tune <-> tokens, and Tune -> Recording.

A `Tune` is a file's notes and clock as arrays. A `Tokenizer` turns it into integers and back; `TOKENIZERS`
has them by name. Only this package knows MIDI libraries.
"""

from audiogen.representation.midi.abc_notation import abc_title, decode_abc, split_abc, tune_of_abc
from audiogen.representation.midi.channel_state import Reset, reset_rows, resets
from audiogen.representation.midi.events import Events
from audiogen.representation.midi.notes import Notes
from audiogen.representation.midi.piano_transcription import hears_pianos, is_piano, transcribe_piano
from audiogen.representation.midi.reading import read_midi
from audiogen.representation.midi.rendering import default_soundfont, render
from audiogen.representation.midi.table import TOKENIZERS, Midi, tokenizer_of
from audiogen.representation.midi.tokens import Decoder, Tokenizer
from audiogen.representation.midi.transcription import transcribe
from audiogen.representation.midi.tune import NOTE, Part, Tune, augmented, joined, tidy
from audiogen.representation.midi.writing import extend_midi, replace_bars, tail_midi, write_midi

__all__ = [
    "NOTE",
    "TOKENIZERS",
    "Decoder",
    "Events",
    "Midi",
    "Notes",
    "Part",
    "Reset",
    "Tokenizer",
    "Tune",
    "abc_title",
    "augmented",
    "decode_abc",
    "default_soundfont",
    "extend_midi",
    "hears_pianos",
    "is_piano",
    "joined",
    "read_midi",
    "render",
    "replace_bars",
    "reset_rows",
    "resets",
    "split_abc",
    "tail_midi",
    "tidy",
    "tokenizer_of",
    "transcribe",
    "transcribe_piano",
    "tune_of_abc",
    "write_midi",
]

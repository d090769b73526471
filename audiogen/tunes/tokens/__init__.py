"""Token schemes: Tune <-> integer tokens, by name."""

from __future__ import annotations

from audiogen.config.registry import Registry
from audiogen.tunes.tokens.tokenizer import Tokenizer

TOKENIZERS: Registry[Tokenizer] = Registry(
    "audiogen.tokenizers",
    {
        "notes": "audiogen.tunes.tokens.notes_tokenizer:NotesTokenizer",
        "events": "audiogen.tunes.tokens.events_tokenizer:EventsTokenizer",
    },
)

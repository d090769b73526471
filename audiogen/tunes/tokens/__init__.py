"""Token schemes: Tune <-> integer tokens, by name."""

from __future__ import annotations

from typing import Any

from audiogen.config.registry import Registry
from audiogen.errors import InputError
from audiogen.tunes.tokens.tokenizer import Tokenizer

TOKENIZERS: Registry[Tokenizer] = Registry(
    "audiogen.tokenizers",
    {
        "notes": "audiogen.tunes.tokens.notes_tokenizer:NotesTokenizer",
        "events": "audiogen.tunes.tokens.events_tokenizer:EventsTokenizer",
    },
)


def tokenizer_of(described: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `Tokenizer.describe` described.

    Raises:
        InputError: unknown kind, or the vocabulary of another version.
    """
    kind = str(described.get("kind"))
    if kind not in TOKENIZERS:
        raise InputError(f"tokens {kind}", "there is no such scheme", f"choose from {', '.join(TOKENIZERS)}")
    return TOKENIZERS[kind].check(described)

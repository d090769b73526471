"""Weights that ship with the package; each folder is a Run with a card that says what it was made of."""

from __future__ import annotations

from pathlib import Path

from audiogen.run import Run

BASE = Path(__file__).parent / "base"


def base() -> Run:
    """The Model of any recording's mel frames that a continuation sets out from; its card is ``base/CARD.md``."""
    return Run.open(BASE, allow_external_weights=True)

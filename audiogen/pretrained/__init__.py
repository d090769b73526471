"""Pretrained Runs that ship with the package, each with a card on data, training and licence."""

from __future__ import annotations

from pathlib import Path

from audiogen.run import Run

BASE = Path(__file__).parent / "base"


def base() -> Run:
    """Open the shipped base: a Model of mel frames for any recording, described in ``base/CARD.md``."""
    return Run.open(BASE, allow_external_weights=True)  # ours: an installation may link its files

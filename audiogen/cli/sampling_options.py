"""What the commands share that play inside a tune."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from audiogen.cli.options import SEED, Number
from audiogen.errors import InputError

OPTIONS = (
    click.option(
        "--candidates", type=click.IntRange(1, 1000), default=16, show_default=True, help="Drawn side by side."
    ),
    SEED,
    click.option("--temperature", type=Number(0, 10), default=1.0, show_default=True, help="Above 1 is wilder."),
    click.option("--top-k", type=click.IntRange(min=0), default=0, help="Draw from this many likeliest tokens."),
    click.option("--top-p", type=Number(0, 1), default=1.0, help="Draw from this likeliest share."),
    click.option("--min-p", type=Number(0, 1), default=0.0, help="Least likelihood, as a share."),
)


def drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add how to draw."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def require_suffix(out: Path) -> None:
    """Raise an InputError for a file that is neither MIDI nor sound by its name."""
    from audiogen.audio.writing import CONTAINERS
    from audiogen.file_names import is_midi

    if not is_midi(out) and out.suffix.lower() not in CONTAINERS:
        choices = f"choose from .mid, {', '.join(CONTAINERS)}"
        raise InputError(out, f"unknown suffix {out.suffix!r}", choices)

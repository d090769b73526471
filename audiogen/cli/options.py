"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from audiogen.errors import InputError

DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
FORCE = click.option("--force", is_flag=True, help="Overwrite what is there.")
TRAINING_BUDGET = click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), help="Most seconds of training."
)
BUDGET = click.option("--budget", type=click.FloatRange(min=0), help="Most seconds of training; 0 for none.")
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of all that is drawn."
)
FILE = click.Path(path_type=Path)

HANDLES = (
    click.option("--level", type=float, default=0.0, help="dB above the prompt's level, reached in 3 s."),
    click.option("--brightness", type=float, default=0.0, help="dB per octave that the spectrum is tilted by."),
    click.option("--density", type=float, default=0.0, help="Above 0 more begins and below 0 less, -4 to 4."),
)


def handle_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a tail can be bent towards."""
    for option in reversed(HANDLES):
        command = option(command)
    return command


def refuse_to_overwrite(*paths: Path, force: bool) -> None:
    """Raise an InputError for the first path that exists, unless forced."""
    for path in paths:
        if path.exists() and not force:
            raise InputError(path, "it exists already", "use --force to overwrite it, or name another")

"""What the commands share that play inside a tune."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from audiogen.cli.options import SEED

OPTIONS = (
    click.option(
        "--candidates", type=click.IntRange(1, 1000), default=16, show_default=True, help="Drawn side by side."
    ),
    SEED,
    click.option(
        "--temperature", type=click.FloatRange(0, 10), default=1.0, show_default=True, help="Above 1 is wilder."
    ),
    click.option("--top-k", type=click.IntRange(min=0), default=0, help="Draw from this many likeliest tokens."),
    click.option("--top-p", type=click.FloatRange(0, 1), default=1.0, help="Draw from this likeliest share."),
    click.option("--min-p", type=click.FloatRange(0, 1), default=0.0, help="Least likelihood, as a share."),
)


def drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add how to draw."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command

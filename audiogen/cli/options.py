"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.errors import InputError

DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
FORCE = click.option("--force", is_flag=True, help="Overwrite what is there.")
BUDGET = click.option("--budget", type=click.FloatRange(min=0, min_open=True), help="Most seconds of training.")
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
FILE = click.Path(path_type=Path)


def refuse_to_overwrite(*paths: Path, force: bool) -> None:
    """Raise an InputError for the first path that exists, unless forced."""
    for path in paths:
        if path.exists() and not force:
            raise InputError(path, "it exists already", "use --force to overwrite it, or name another")

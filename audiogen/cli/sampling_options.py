"""Options for sampling tokens, shared by the commands on MIDI files."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import TUNES, Decorator, combine, option
from audiogen.cli.options import SEED, Number
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.jobs.tune_request import SamplingOptions, TuneRequest


def token_options(defaults: type[TuneRequest] | type[SamplingOptions]) -> Decorator:
    """Add --top-k, --top-p and --min-p.

    Args:
        defaults: the dataclass whose defaults they have.
    """
    return combine(
        (
            option(
                "--top-k",
                group=TUNES,
                type=click.IntRange(min=0),
                default=defaults.top_k,
                metavar="K",
                help="Sample from the K likeliest tokens; 0 for all.",
            ),
            option(
                "--top-p",
                group=TUNES,
                type=Number(0, 1),
                default=defaults.top_p,
                metavar="P",
                help="Nucleus sampling: total probability kept, 0 to 1.",
            ),
            option(
                "--min-p",
                group=TUNES,
                type=Number(0, 1),
                default=defaults.min_p,
                metavar="P",
                help="Minimum probability relative to the likeliest token, 0 to 1.",
            ),
        )
    )


candidate_options = combine(
    (
        option(
            "--candidates",
            group=TUNES,
            type=click.IntRange(1, 1000),
            default=SamplingOptions.candidates,
            help="Candidates sampled in parallel, 1 to 1000: more fit better and take longer.",
        ),
        SEED,
        option(
            "--temperature",
            group=TUNES,
            type=Number(0, 10),
            default=SamplingOptions.temperature,
            metavar="T",
            help="Sampling temperature, 0 to 10; above 1 is more random.",
        ),
        token_options(SamplingOptions),
    )
)
"""The options of `SamplingOptions`."""


def require_suffix(out: Path) -> None:
    """Raise an InputError unless the suffix of ``out`` is that of a MIDI or an audio file."""
    from audiogen.audio.sample_formats import CONTAINERS

    if not is_midi(out) and out.suffix.lower() not in CONTAINERS:
        choices = f"choose from .mid, {', '.join(CONTAINERS)}"
        raise InputError(out, f"unknown suffix {out.suffix!r}", choices)

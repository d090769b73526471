"""Options of `audiogen continue` that make several files at once, and their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from audiogen.cli.command import OUTPUT, combine, option
from audiogen.durations import seconds_of
from audiogen.errors import InputError
from audiogen.name_template import UCS, named_by
from audiogen.output_names import lengths_of, numbered, variations_of


class Durations(click.ParamType):
    """Several lengths of time, separated by commas."""

    name = "times"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        try:
            lengths = tuple(seconds_of(part.strip()) for part in str(value).split(","))
        except ValueError as error:
            self.fail(f"{error}, not {value!r}.", parameter, context)
        if not all(0 < length < float("inf") for length in lengths) or len(set(lengths)) < len(lengths):
            self.fail(f"lengths must be above 0 and different, not {value!r}.", parameter, context)
        return lengths


naming_options = combine(
    (
        option(
            "--loop-lengths",
            group=OUTPUT,
            type=Durations(),
            default=(),
            show_default=False,
            metavar="10,30,60",
            help="Write seamless loops of these lengths in seconds, OUT-10s.wav, ...; implies --loop.",
        ),
        option(
            "--set",
            "as_set",
            group=OUTPUT,
            is_flag=True,
            help="Make the variations a set for a random container: tails only, equally loud, none repeats those "
            "before it (with a pulse: --no-pulse), numbered with leading zeros.",
        ),
        option(
            "--template",
            group=OUTPUT,
            metavar="TEXT",
            help="Name the files in OUT's folder by fields: {prompt}, {take:02}, {seed}, {seconds}, and those of UCS.",
        ),
        option(
            "--ucs",
            group=OUTPUT,
            is_flag=True,
            help="Name the files by the Universal Category System, CatID_FXName_CreatorID_SourceID, and number them.",
        ),
        option(
            "--field",
            "name_fields",
            group=OUTPUT,
            multiple=True,
            metavar="NAME=TEXT",
            help="A field of --template or --ucs, such as CatID=RAINConc; by default those of PROMPT's name.",
        ),
    )
)


@dataclass(frozen=True)
class Takes:
    """How many files to write, and how to name them.

    Args:
        variations: number of takes.
        loop_lengths: in seconds; none for takes of one length.
        as_set: whether the takes form a set.
        template: of the names; None to number them.
        ucs: name them by the Universal Category System.
        name_fields: NAME=TEXT each.
    """

    variations: int
    loop_lengths: tuple[float, ...]
    as_set: bool
    template: str | None
    ucs: bool
    name_fields: tuple[str, ...]

    def require_consistent(self, context: click.Context) -> None:
        """Raise an InputError for options that contradict --loop-lengths."""
        if not self.loop_lengths:
            return
        for name in ("seconds", "variations", "as_set"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option_name = "--set" if name == "as_set" else f"--{name}"
                cause = f"{option_name} contradicts it: it makes one loop of each length"
                raise InputError("--loop-lengths", cause, "leave out one of the two")

    def names(self, out: Path, prompt: Path, seed: int, seconds: float) -> Callable[[], list[Path]]:
        """The names of the files to write."""

        def make() -> list[Path]:
            template = self._template()
            if template is not None:
                count = len(self.loop_lengths) or self.variations
                seeds = [seed] * count if self.loop_lengths else [seed + take for take in range(count)]
                lengths = self.loop_lengths or [seconds] * count
                option = "--ucs" if self.ucs else "--template"
                return named_by(template, out, prompt, seeds, lengths, self._fields(), option)
            if self.name_fields:
                raise InputError("--field", "no template uses it", "add --template or --ucs")
            if self.loop_lengths:
                return lengths_of(out, self.loop_lengths)
            return numbered(out, self.variations) if self.as_set else variations_of(out, self.variations)

        return make

    def _template(self) -> str | None:
        if not self.ucs:
            return self.template
        if self.template is not None:
            raise InputError("--ucs", "--template names the files too", "leave out one of the two")
        number = "_{seconds}s" if self.loop_lengths else "_{take:02}" if self.variations > 1 else ""
        return UCS + ("_{UserData}" if "UserData" in self._fields() else "") + number

    def _fields(self) -> dict[str, str]:
        for field in self.name_fields:
            if "=" not in field:
                raise InputError("--field", f"{field!r} has no value", "write NAME=TEXT")
        return {name: text for name, _, text in (field.partition("=") for field in self.name_fields)}


def require_forward_options(takes: Takes, page: Path | None, morph: Path | None) -> None:
    """Raise an InputError for options that --backward does not support."""
    for name, given in (("--set", takes.as_set), ("--page", page is not None), ("--morph", morph is not None)):
        if given:
            raise InputError("--backward", f"{name} cannot be combined with it", "leave out one of the two")

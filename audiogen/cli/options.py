"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiogen.config.shipped import find_config, shipped_configs
from audiogen.durations import seconds_of
from audiogen.errors import InputError
from audiogen.file_names import require_name
from audiogen.output_names import MAX_ON_PAGE, page_of, require_names, sidecar_of, variations_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Number(click.FloatRange):
    """A number of a range; NaN and infinity, which a range lets pass, are none."""

    name = "number"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        number = float(super().convert(value, parameter, context))
        if not math.isfinite(number):
            self.fail(f"{value} is no number.", parameter, context)
        return number


class Seconds(Number):
    """A length of time of a range, as `audiogen.durations` reads it."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        try:
            return super().convert(seconds_of(str(value)), parameter, context)
        except ValueError as error:
            self.fail(f"{error}, not {value!r}.", parameter, context)


DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to compute."
)
FORCE = click.option("--force", is_flag=True, help="Overwrite what is there.")
TRAINING_BUDGET = click.option("--budget", type=Seconds(min=0, min_open=True), help="Most time of training.")
BUDGET = click.option("--budget", type=Seconds(min=0), help="Most time of training; 0 for none.")
SECONDS = click.option(
    "--seconds",
    type=Seconds(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Length of what is added: 30, 4:00, ...",
)
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of all that is drawn."
)
FILE = click.Path(path_type=Path)
EXTERNAL = click.option(
    "--allow-external-weights",
    is_flag=True,
    help="Let a Run read, or download, weights that lie outside its folder.",
)


class ConfigName(click.ParamType):
    """A shipped configuration's name, or a YAML file, as text; the shell completes both."""

    name = "name"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        files = [CompletionItem(incomplete, type="file")]
        return files + [CompletionItem(name) for name in shipped_configs() if name.startswith(incomplete)]


class ConfigFile(ConfigName):
    """A YAML file: the one of that path, or the shipped configuration of that name."""

    name = "file"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Path:
        return find_config(value)


CONFIG_NAME, CONFIG = ConfigName(), ConfigFile()

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


def places(out: Path, *read: Path | None, force: bool, variations: int = 1) -> list[Path]:
    """``out``, or one file for each of its variations, once it is sure that they and their sidecars may be written."""
    outs = variations_of(out, variations) if out.name else [out]
    require_names(*(path for path in outs if path.name))
    for path in outs:
        require_output(path, *read)
    refuse_to_overwrite(*outs, *map(sidecar_of, outs), force=force)
    return outs


def page_place(out: Path, *read: Path | None, force: bool, variations: int) -> Path:
    """Where the page about ``out`` and its variations goes, once it is sure that it may be written."""
    if variations > MAX_ON_PAGE:
        cause = f"{variations} variations are too many for one page"
        raise InputError("--page", cause, f"ask for {MAX_ON_PAGE} at most")
    page = page_of(out)
    require_name(page)
    require_output(page, *read)
    refuse_to_overwrite(page, force=force)
    return page


def require_extra(extra: str, subject: str) -> None:
    """Raise an InputError if ``subject`` needs an extra that is not installed."""
    from audiogen.extras import MODULES, install_command, is_installed

    if not is_installed(extra):
        raise InputError(subject, f"{MODULES[extra]} is not installed", install_command(extra))


def require_input(*paths: Path | None) -> None:
    """Raise an InputError for the first file that is not there; said before the libraries that would read it load."""
    for path in paths:
        if path is not None and not path.exists():
            raise InputError(path, "there is no such file", "check the name")
        if path is not None and path.is_dir():
            raise InputError(path, "it is a folder", "name one file in it")


def require_output(out: Path, *read: Path | None) -> None:
    """Raise an InputError for a file that cannot be written, or that would take the place of one that is ``read``."""
    if out.name:
        require_name(out)
    if out.is_dir():
        raise InputError(out, "it is a folder", "name a file in it")
    if not out.parent.is_dir():
        raise InputError(out, "its folder does not exist", f"create {out.parent} first")
    for path in read:
        if path is not None and out.exists() and path.exists() and out.samefile(path):
            raise InputError(out, "it is what is read, and would be lost", "name another file")

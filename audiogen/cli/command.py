"""What all commands share: --quiet, --verbose and --json, and where their results go."""

from __future__ import annotations

import json
import math
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import click

from audiogen.errors import InputError
from audiogen.file_names import representable
from audiogen.progress import set_verbosity, write_line

QUIET, JSON, RESULT = (f"audiogen.{name}" for name in ("quiet", "json", "result"))  # keys of a context's `meta`


def _shared_options() -> list[click.Parameter]:
    """New ones for each command."""
    return [
        click.Option(["-q", "--quiet"], is_flag=True, help="Only warnings and errors: no progress, no closing lines."),
        click.Option(
            ["-v", "--verbose"], is_flag=True, help="Each step with its time on stderr; tracebacks of failures."
        ),
        click.Option(["--json"], is_flag=True, help="Print the result, or the error, as one JSON object."),
    ]


class Command(click.Command):
    """A command with the shared options, which its function does not see."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params.extend(_shared_options())

    def invoke(self, context: click.Context) -> Any:
        quiet, verbose, as_json = (context.params.pop(name) for name in ("quiet", "verbose", "json"))
        if quiet and verbose:
            raise click.UsageError("--quiet says less and --verbose says more: choose one", context)
        context.meta.update({QUIET: quiet, JSON: as_json})
        set_verbosity(quiet, verbose)
        context.call_on_close(set_verbosity)
        try:
            super().invoke(context)
        except click.exceptions.Exit as ended:
            _print_result(context)
            raise ended
        except (click.ClickException, InputError):
            raise
        except KeyboardInterrupt:
            raise click.Abort from None  # click would print an empty line
        except Exception:
            if verbose:
                traceback.print_exc()
            raise
        _print_result(context)


def _print_result(context: click.Context) -> None:
    if context.meta[JSON]:
        print_json(context.meta.get(RESULT, {}))


def say(text: str) -> None:
    """A closing line on stdout; none with --quiet or --json."""
    if not (_meta(QUIET) or _meta(JSON)):
        write_line(text, sys.stdout)


def show(text: str) -> None:
    """What a command is there to print, on stdout; it gives way to --json only."""
    if not _meta(JSON):
        write_line(text, sys.stdout)


def report(result: Mapping[str, Any]) -> None:
    """What --json prints once the command is through."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[RESULT] = result


def print_json(content: Mapping[str, Any]) -> None:
    """One JSON object on stdout. Paths are written as text, numbers that JSON does not know (NaN, infinity) as null."""
    text = json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False, default=str)
    click.echo(representable(text, "\\\\"))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _meta(key: str) -> Any:
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(key)

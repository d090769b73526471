"""The base class of all commands: shared options, help in groups with examples, and the printing of results."""

from __future__ import annotations

import json
import math
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from audiogen.durations import seconds_of
from audiogen.errors import InputError
from audiogen.file_names import representable
from audiogen.progress import set_verbosity, write_line

QUIET, JSON, RESULT = (f"audiogen.{name}" for name in ("quiet", "json", "result"))  # keys of a context's `meta`

GROUPS = OUTPUT, SOUND, TUNES, MODEL, DATA, GENERAL = ("Output", "Sound", "MIDI", "Model", "Data", "General")
"""Groups of options, in the order in which --help lists them."""

MAX_NAMES = 30  # characters; the description of a longer name starts on the next line, as click has it

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Option(click.Option):
    """An option that --help lists under the heading of its group."""

    def __init__(self, *names: Any, group: str = GENERAL, **settings: Any) -> None:
        if isinstance(settings.get("type"), click.IntRange):
            settings.setdefault("metavar", "N")
        super().__init__(*names, **settings)
        self.group = group

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as error:
            text = " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
            cause, cure = _explain(self.type, text, error.message.rstrip("."))
            raise InputError(max(self.opts, key=len), cause, cure) from error

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)  # help texts name the range in words
        return extra


def _explain(kind: click.ParamType, value: str, message: str) -> tuple[str, str]:
    """Why a value is none of a type, and what to write instead; ``message`` is click's."""
    if isinstance(kind, click.Choice):
        return f"there is no {value}", f"choose from {', '.join(map(str, kind.choices))}"
    if not isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)):
        return message, ""
    whole = isinstance(kind, click.types.IntParamType)
    try:
        finite = math.isfinite(int(value) if whole else seconds_of(value))
    except ValueError as error:
        finite = False
        if kind.name == "time":
            return f"{error}, not {value!r}", ""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is None:
        cure = f"write a {'whole ' * whole}number"
    elif high is None:
        cure = f"choose {'above' if getattr(kind, 'min_open', False) else 'at least'} {low:g}"
    else:
        cure = f"choose from {low} to {high}"
    return f"{value} is out of range" if finite else f"{value} is not a {'whole ' * whole}number", cure


def option(*names: str, group: str = GENERAL, **settings: Any) -> Decorator:
    """`click.option` with a group.

    Args:
        names: as of `click.option`.
        group: one of `GROUPS`.
        settings: as of `click.option`; the default is shown in --help unless ``show_default=False``.
    """
    return click.option(*names, cls=Option, group=group, **settings)


def combine(options: Sequence[Decorator]) -> Decorator:
    """One decorator that adds several options, in their order."""

    def add_all(command: Callable[..., Any]) -> Callable[..., Any]:
        for add in reversed(options):
            command = add(command)
        return command

    return add_all


def _shared_options() -> list[click.Parameter]:
    """Options of every command, new for each."""
    return [
        Option(["-q", "--quiet"], is_flag=True, help="Print only warnings and errors."),
        Option(["-v", "--verbose"], is_flag=True, help="Print each step with its time, and tracebacks of failures."),
        Option(["--json"], is_flag=True, help="Print the result, or the error, as one JSON object."),
    ]


class Command(click.Command):
    """A command with the shared options, which its function does not receive.

    Args:
        examples: command lines that end the help text.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        settings.setdefault("context_settings", {"show_default": True, "max_content_width": 100})
        super().__init__(*args, **settings)
        self.examples = examples
        self.params.extend(_shared_options())

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
            if record is not None:
                groups[getattr(parameter, "group", GENERAL)].append(record)
        width = min(max(len(names) for records in groups.values() for names, _ in records), MAX_NAMES)
        for group, records in groups.items():
            if records:
                with formatter.section(f"{group} options"):
                    # Equally wide, so that the descriptions of all groups start in one column.
                    formatter.write_dl([(f"{names:<{width}}", text) for names, text in records])

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {example}\n")

    def invoke(self, context: click.Context) -> Any:
        quiet, verbose, as_json = (context.params.pop(name) for name in ("quiet", "verbose", "json"))
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose contradict each other: choose one", context)
        context.meta.update({QUIET: quiet, JSON: as_json})
        set_verbosity(quiet, verbose)
        context.call_on_close(set_verbosity)
        try:
            super().invoke(context)
        except click.exceptions.Exit as ended:
            _print_json_result(context)
            raise ended
        except InputError as error:
            typed = _as_typed(error, context)
            if typed is error:
                raise
            raise typed from error
        except (click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            raise click.Abort from None  # click would print an empty line
        except Exception:
            if verbose:
                traceback.print_exc()
            raise
        _print_json_result(context)


def _as_typed(error: InputError, context: click.Context) -> InputError:
    """The error with the option as typed for its subject: ``level`` -> ``--level``, ``weights`` -> ``--weight``.

    Requests name their fields, which are called as the options are; the field of a repeatable option is plural.
    """
    flags = {}
    for parameter in context.command.params:
        if isinstance(parameter, click.Option) and parameter.name is not None:
            flags[parameter.name + "s" * parameter.multiple] = max(parameter.opts, key=len)
    is_value = error.subject in map(str, context.params.values())  # such as a file called `level`
    return (
        error if is_value or error.subject not in flags else InputError(flags[error.subject], error.cause, error.cure)
    )


def _print_json_result(context: click.Context) -> None:
    if context.meta[JSON]:
        print_json(context.meta.get(RESULT, {}))


def print_summary(text: str) -> None:
    """Print a closing line on stdout, unless --quiet or --json is set."""
    if not (_meta(QUIET) or _meta(JSON)):
        write_line(text, sys.stdout)


def count(number: int, noun: str) -> str:
    """``1 note``, ``2 notes``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def print_output(text: str) -> None:
    """Print what the command exists to print on stdout, unless --json is set."""
    if not _meta(JSON):
        write_line(text, sys.stdout)


def set_json_result(result: Mapping[str, Any]) -> None:
    """Set the object that --json prints when the command has ended."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[RESULT] = result


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; paths become strings, NaN and infinity null."""
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

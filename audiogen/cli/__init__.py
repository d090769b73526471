"""The command line. Each command is one file, imported only when it runs."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import signal
import sys
import warnings
from contextlib import suppress

import click

from audiogen import __version__
from audiogen.cli.command import print_json
from audiogen.cli.interruption import InterruptHandler
from audiogen.cli.messages import WarningPrinter, failure_of, interruption, wants_json
from audiogen.errors import InputError
from audiogen.overview import COMMANDS, overview


class LazyGroup(click.Group):
    """A group that imports a command's module when it runs; `audiogen --help` is `audiogen.overview`'s."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module_name, summary = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(f"audiogen.cli.{module_name}"), module_name)
        command.short_help = summary  # shell completion shows it
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not context.resilient_parsing:
            import difflib  # a tenth of the time of --help

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InputError(args[0], "there is no such command", f"{hint}choose from {', '.join(COMMANDS)}")
        return super().resolve_command(context, args)

    def get_help(self, context: click.Context) -> str:
        return overview().rstrip("\n")


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="audiogen")
@click.pass_context
def cli(context: click.Context) -> None:
    """audiogen: give it a recording, it gives you the rest."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command that `sys.argv` names. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    warnings.showwarning = WarningPrinter()
    # One thread: models this small lose more by waiting for a second core than it gives, most of all on a busy machine,
    # and the same seed gives the same bytes whatever the number of cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # The libraries make half a million objects that stay. Searching them for cycles takes a sixth of their import, and
    # half a second while the interpreter exits.
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    _escape_unencodable_names()
    # While the interpreter exits it resets handlers written in Python, but not SIG_IGN.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with InterruptHandler() as interrupts:
        try:
            code = cli.main(prog_name="audiogen", standalone_mode=False, obj=interrupts)
            interrupts.ignore()
            sys.exit(code if isinstance(code, int) else 0)
        except BrokenPipeError:  # such as `audiogen configs | head -1`
            _discard_output()
            sys.exit(1)
        except (Exception, KeyboardInterrupt) as error:
            interrupted = isinstance(error, (KeyboardInterrupt, click.Abort)) or interrupts.interrupted
            interrupts.ignore()
            failure = interruption(error) if interrupted else failure_of(error)
            if failure.code == 1 and os.environ.get("AUDIOGEN_TRACEBACK"):
                raise
            if interrupted and sys.stderr.isatty():
                click.echo(err=True)  # ends the line of ^C
            failure.print()
            if wants_json(sys.argv[1:]):
                with suppress(OSError):  # stdout itself may be what failed
                    print_json(failure.as_json())
            try:
                sys.stdout.flush()
            except OSError:
                _discard_output()
            sys.exit(failure.code)


def _discard_output() -> None:
    """Let what is left in the buffer of stdout go nowhere, so that the interpreter's exit does not fail by it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_unencodable_names() -> None:
    """Print file names that the terminal's encoding lacks with escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

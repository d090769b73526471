"""The command line. Each command is one file, imported only when it runs."""

from __future__ import annotations

import atexit
import importlib
import io
import os
import signal
import sys
import warnings

import click

from audiogen import __version__
from audiogen.cli.command import print_json
from audiogen.cli.interruption import InterruptHandler
from audiogen.cli.messages import WarningPrinter, failure_of, interruption, wants_json
from audiogen.errors import InputError

COMMANDS = {
    # name: (module of audiogen.cli, summary)
    "demo": ("demo", "Continue the recording that ships with audiogen."),
    "continue": ("continue_", "Continue a recording or a MIDI file."),
    "stream": ("stream", "Continue a recording without end, in real time."),
    "fill": ("fill", "Fill a gap in a recording."),
    "prepare": ("prepare", "Analyse a folder of recordings into a cache of mel frames."),
    "train": ("train", "Train a model on a recording, a folder or a cache."),
    "render": ("render", "Render many continuations from a table of jobs."),
    "studio": ("studio", "Open a page to make, compare and keep takes."),
    "watch": ("watch", "Continue recordings as they appear in a folder."),
    "vocode": ("vocode", "Analyse a recording to mel frames and resynthesise it."),
    "evaluate": ("evaluate", "Evaluate a continuation against real audio and baselines."),
    "infill": ("infill", "Regenerate some bars of a MIDI file (infilling)."),
    "accompany": ("accompany", "Generate an accompaniment to a MIDI file."),
    "compare": ("compare", "Train configurations on the same data and compare them."),
    "info": ("info", "Describe an audio file, a MIDI file or a Run."),
    "configs": ("configs", "List the shipped configurations, or print one."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it runs; `audiogen --help` reads only `COMMANDS`."""

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

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


EPILOG = """\b
`audiogen COMMAND --help` describes a command and ends with examples.
Shell completion of commands, options, their values, configurations and Runs:
  bash:  eval "$(_AUDIOGEN_COMPLETE=bash_source audiogen)"          in ~/.bashrc
  zsh:   eval "$(_AUDIOGEN_COMPLETE=zsh_source audiogen)"           in ~/.zshrc
  fish:  _AUDIOGEN_COMPLETE=fish_source audiogen | source           in config.fish"""


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG
)
@click.version_option(__version__, prog_name="audiogen")
@click.pass_context
def cli(context: click.Context) -> None:
    """audiogen: give it a recording, it gives you the rest.

    \b
    audiogen continue rain.wav -o longer.wav --seconds 30
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command that `sys.argv` names. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    warnings.showwarning = WarningPrinter()
    # One thread: models this small lose more by waiting for a second core than it gives, most of all on a busy machine,
    # and the same seed gives the same bytes whatever the number of cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _escape_unencodable_names()
    # While the interpreter exits it resets handlers written in Python, but not SIG_IGN.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with InterruptHandler() as interrupts:
        try:
            code = cli.main(prog_name="audiogen", standalone_mode=False, obj=interrupts)
            interrupts.ignore()
            sys.exit(code if isinstance(code, int) else 0)
        except BrokenPipeError:  # such as `audiogen configs | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
                print_json(failure.as_json())
            sys.exit(failure.code)


def _escape_unencodable_names() -> None:
    """Print file names that the terminal's encoding lacks with escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

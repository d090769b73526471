"""The command line. A command is one file that parses and calls; it is imported only when it is asked for."""

from __future__ import annotations

import difflib
import errno
import importlib
import io
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import click

from audiogen import __version__
from audiogen.errors import InputError
from audiogen.file_names import printable

COMMANDS = {
    # name: (module of audiogen.cli, what it does)
    "demo": ("demo", "Continue the recording that ships with audiogen, and make a page of it."),
    "continue": ("continue_", "Continue a recording."),
    "prepare": ("prepare", "Analyse a folder of recordings into a cache of mel frames."),
    "train": ("train", "Train a model on a recording, a folder or a cache."),
    "render": ("render", "Render many continuations from a table of jobs."),
    "vocode": ("vocode", "Analyse a recording to mel frames and render them back."),
    "evaluate": ("evaluate", "Measure a continuation against real audio."),
    "infill": ("infill", "Play some bars of a MIDI file anew."),
    "accompany": ("accompany", "Let further parts play along with a MIDI file."),
    "compare": ("compare", "Compare configurations, of sound and of notes, on the same pieces."),
    "info": ("info", "Describe an audio file or a Run."),
}


class Lazy(click.Group):
    """Imports a command's module when it runs; `--help` reads the table above only."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"audiogen.cli.{COMMANDS[name][0]}")
        return getattr(module, COMMANDS[name][0])

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InputError(args[0], "there is no such command", f"{hint}choose from {', '.join(COMMANDS)}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="audiogen")
def cli() -> None:
    """audiogen: give it a recording, it gives you the rest.

    \b
    audiogen continue rain.wav -o longer.wav --seconds 30
    """


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    warnings.showwarning = _show_warning
    # One thread: models this small lose more by waiting for a second core than it gives, most of all on a busy machine,
    # and the same seed gives the same bytes whatever the number of cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _tidy_when_terminated()
    _print_any_name()
    try:
        code = cli.main(prog_name="audiogen", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _say("error", error.format_message().rstrip(".") + _cure(error))
        sys.exit(2)
    except InputError as error:
        _say("error", str(error))
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted", "nothing half-written was left behind")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        place = error.filename if error.filename is not None else "a file"
        _say("error", f"{place}: {error.strerror}; name another place, or mend its permissions")
        sys.exit(2)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            _say("error", f"{error.filename}: {error.strerror}; choose another name")
            sys.exit(2)
        if os.environ.get("AUDIOGEN_TRACEBACK"):
            raise
        text = " ".join(str(error).split()) or "no message"
        _say("failed", f"{type(error).__name__}: {text} (AUDIOGEN_TRACEBACK=1 shows where)")
        sys.exit(1)


def _print_any_name() -> None:
    """Names that the terminal's encoding does not have are printed with escapes, not refused."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tidy_when_terminated() -> None:
    """A scheduler's SIGTERM ends a command as Ctrl-C does: what is half-written is removed."""
    mine = os.getpid()

    def end(number: int, frame: object) -> None:
        if os.getpid() == mine:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)  # a forked worker that has inherited this
        os.kill(os.getpid(), number)

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def _cure(error: click.ClickException) -> str:
    """Where to look after a misused option."""
    dashed = [argument for argument in sys.argv[1:] if argument.startswith("-") and Path(argument).exists()]
    if isinstance(error, click.NoSuchOption) and dashed:
        return f"; write ./{dashed[0]} for the file"
    context = getattr(error, "ctx", None)
    return f"; `{context.command_path} --help` lists what there is" if context is not None else ""


def _say(kind: str, text: str) -> None:
    click.echo(f"audiogen: {kind}: {printable(text)}", err=True)


def _show_warning(message: Any, category: type[Warning], *ignored: Any, **ignored_too: Any) -> None:
    """What users should know is one line on stderr; what libraries tell developers is not for them."""
    if category.__name__ == "AudioWarning":
        _say("warning", str(message))

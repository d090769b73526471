"""The command line. A command is one file that parses and calls; it is imported only when it is asked for."""

from __future__ import annotations

import _thread
import atexit
import errno
import importlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from audiogen import __version__
from audiogen.cli.command import print_json
from audiogen.errors import InputError
from audiogen.progress import write_line

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
    "configs": ("configs", "List the configurations that ship with audiogen, or print one."),
}


class Lazy(click.Group):
    """Imports a command's module when it runs; `--help` reads the table above only."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"audiogen.cli.{COMMANDS[name][0]}")
        command = getattr(module, COMMANDS[name][0])
        command.short_help = COMMANDS[name][1]  # of the completion
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not context.resilient_parsing:
            import difflib  # costs a tenth of what --help may take

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InputError(args[0], "there is no such command", f"{hint}choose from {', '.join(COMMANDS)}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


COMPLETION = """\b
Completion of commands, options and files, for bash (zsh and fish likewise):
  eval "$(_AUDIOGEN_COMPLETE=bash_source audiogen)"     # into ~/.bashrc"""


@click.group(
    cls=Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=COMPLETION
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
    """Run a command. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    warnings.showwarning = _Warnings()
    # One thread: models this small lose more by waiting for a second core than it gives, most of all on a busy machine,
    # and the same seed gives the same bytes whatever the number of cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _print_any_name()
    # The command is through by then. A handler of one's own would be taken away while the interpreter ends.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with _Interruption() as interruption:
        try:
            code = cli.main(prog_name="audiogen", standalone_mode=False)
            interruption.ignore()  # done: there is nothing left to interrupt
            sys.exit(code if isinstance(code, int) else 0)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (Exception, KeyboardInterrupt) as error:
            interrupted = isinstance(error, (KeyboardInterrupt, click.Abort)) or interruption.arrived
            interruption.ignore()  # a second one would only spoil the message
            failure = INTERRUPTED if interrupted else _failure(error)
            if interrupted:
                # Where it hit an `exec` (dataclasses are made by one), CPython would still kill itself by SIGINT at the
                # end, as for an error that nobody caught, unless another one runs.
                exec("")
            if failure.code == 1 and os.environ.get("AUDIOGEN_TRACEBACK"):
                raise
            if interrupted and sys.stderr.isatty():
                click.echo(err=True)  # after ^C
            _say(failure.kind, failure.text)
            if wants_json(sys.argv[1:]):
                print_json({"error": {"subject": failure.subject, "cause": failure.cause, "cure": failure.cure}})
            sys.exit(failure.code)


@dataclass(frozen=True)
class _Failure:
    """Why a command came to nothing, and the exit code that says so."""

    code: int
    kind: str
    text: str
    subject: str
    cause: str
    cure: str


NOTHING_LEFT = "nothing half-written was left behind"
INTERRUPTED = _Failure(130, "interrupted", NOTHING_LEFT, "interrupted", NOTHING_LEFT, "")


def _failure(error: BaseException) -> _Failure:
    if isinstance(error, click.ClickException):
        cause, cure = error.format_message().rstrip("."), _cure(error)
        context = getattr(error, "ctx", None)
        subject = context.command_path if context is not None else "audiogen"
        return _Failure(2, "error", f"{cause}; {cure}" if cure else cause, subject, cause, cure)
    if isinstance(error, InputError):
        return _Failure(2, "error", str(error), error.subject, error.cause, error.cure)
    if isinstance(error, (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)):
        place = str(error.filename if error.filename is not None else "a file")
        cause, cure = str(error.strerror), "name another place, or mend its permissions"
        return _Failure(2, "error", f"{place}: {cause}; {cure}", place, cause, cure)
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
        place, cause, cure = str(error.filename), str(error.strerror), "choose another name"
        return _Failure(2, "error", f"{place}: {cause}; {cure}", place, cause, cure)
    kind, cause = type(error).__name__, " ".join(str(error).split()) or "no message"
    return _Failure(1, "failed", f"{kind}: {cause} (--verbose shows where)", kind, cause, "--verbose shows where")


def _print_any_name() -> None:
    """Names that the terminal's encoding does not have are printed with escapes, not refused."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Interruption:
    """Ctrl-C, and a scheduler's SIGTERM, which ends a command alike: what is half-written is removed.

    Attributes:
        arrived: whether there was one. Libraries that are interrupted while they load, or in a call-back, turn it into
            errors of their own, or into none.
    """

    def __init__(self) -> None:
        self.arrived, self._process = False, os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Interruption:
        self._hook = sys.unraisablehook
        if threading.current_thread() is threading.main_thread():
            sys.unraisablehook = self._raise_again
            for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) is usual:
                    self._before[number] = signal.signal(number, self._end)
        return self

    def __exit__(self, *ignored: object) -> None:
        sys.unraisablehook = self._hook
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:  # a forked worker that has inherited this
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.arrived = True
        raise KeyboardInterrupt

    def _raise_again(self, lost: Any) -> None:
        """Where it hit code whose errors are dropped, such as a finaliser, it hits again right after it."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            _thread.interrupt_main()
        else:
            self._hook(lost)

    def ignore(self) -> None:
        """From now on."""
        for number in self._before:
            signal.signal(number, lambda *ignored: None)


def _cure(error: click.ClickException) -> str:
    """Where to look after a misused option."""
    dashed = [argument for argument in sys.argv[1:] if argument.startswith("-") and Path(argument).exists()]
    if isinstance(error, click.NoSuchOption) and dashed:
        return f"write ./{dashed[0]} for the file"
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help` lists what there is" if context is not None else ""


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether --json is among the options: known even where they cannot be parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _say(kind: str, text: str) -> None:
    write_line(f"audiogen: {kind}: {text}")


class _Warnings:
    """What users should know is one line on stderr, once; what libraries tell developers is not for them."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def __call__(self, message: Any, category: type[Warning], *ignored: Any, **ignored_too: Any) -> None:
        text = str(message)
        if category.__name__ == "AudioWarning" and text not in self.given:
            self.given.add(text)
            _say("warning", text)

"""What a command prints on stderr: warnings while it runs, and one line about the error that ended it."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from audiogen.errors import InputError
from audiogen.part_file import DISK_FULL
from audiogen.progress import write_line


@dataclass(frozen=True)
class Failure:
    """Why a command ended without a result.

    Args:
        code: exit code: 1 failed, 2 bad input, 130 interrupted.
        kind: "error", "failed" or "interrupted".
        subject: the file, option or exception concerned.
        cause: what went wrong.
        cure: what the user can do; may be empty.
        text: the line on stderr.
    """

    code: int
    kind: str
    subject: str
    cause: str
    cure: str
    text: str

    def print(self) -> None:
        """Print the line on stderr."""
        print_message(self.kind, self.text)

    def as_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {"error": {"subject": self.subject, "cause": self.cause, "cure": self.cure}}


class Interrupted(click.Abort):
    """A command was interrupted, and left something that it can continue from.

    Args:
        cause: what is left, in words.
        cure: how to continue.
    """

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__()
        self.cause, self.cure = cause, cure


def interruption(error: BaseException) -> Failure:
    """Describe the exception by which an interruption ended a command."""
    cause, cure = "no partial files were left behind", ""
    if isinstance(error, Interrupted):
        cause, cure = error.cause, error.cure
    return Failure(130, "interrupted", "interrupted", cause, cure, f"{cause}; {cure}" if cure else cause)


def failure_of(error: BaseException) -> Failure:
    """Describe an exception that ended a command."""
    if isinstance(error, click.ClickException):
        return _bad_input(*_misuse(error), _cure_of_misuse(error))
    if isinstance(error, InputError):
        return Failure(2, "error", error.subject, error.cause, error.cure, str(error))
    if isinstance(error, (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)):
        path = "a file" if error.filename is None else str(error.filename)
        return _bad_input(path, str(error.strerror), "choose another location, or change its permissions")
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
        return _bad_input(str(error.filename), str(error.strerror), "choose another name")
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        subject, cause = str(error.filename or "the output"), str(error.strerror)
        cure = "make room, or choose another location"
        return Failure(1, "failed", subject, cause, cure, f"{subject}: {cause}; {cure}")
    subject, cause = type(error).__name__, " ".join(str(error).split()) or "no message"
    cure = "--verbose prints the traceback"
    return Failure(1, "failed", subject, cause, cure, f"{subject}: {cause}; {cure}")


def _bad_input(subject: str, cause: str, cure: str) -> Failure:
    return Failure(2, "error", subject, cause, cure, f"{subject}: {cause}" + (f"; {cure}" if cure else ""))


def _misuse(error: click.ClickException) -> tuple[str, str]:
    """Subject and cause of arguments that click rejects."""
    if isinstance(error, click.NoSuchOption):
        return error.option_name, "there is no such option"
    if isinstance(error, click.BadOptionUsage):
        return error.option_name, "it takes no value" if "not take" in error.message else "its value is missing"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        option = isinstance(error.param, click.Option)
        return max(error.param.opts, key=len) if option else error.param.human_readable_name, "it is missing"
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "audiogen", error.format_message().rstrip(".")


def _cure_of_misuse(error: click.ClickException) -> str:
    """What to do about arguments that click rejects."""
    dashed = [argument for argument in sys.argv[1:] if argument.startswith("-") and Path(argument).exists()]
    if isinstance(error, click.NoSuchOption) and dashed:
        return f"write ./{dashed[0]} for the file"
    context = getattr(error, "ctx", None)
    see = f"see `{context.command_path} --help`" if context is not None else ""
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"did you mean {error.possibilities[0]}? {see}"
    return see


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether --json is among the options, even if the others cannot be parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def print_message(kind: str, text: str) -> None:
    """Print ``audiogen: KIND: TEXT`` on stderr, without tearing a progress bar."""
    write_line(f"audiogen: {kind}: {text}")


class WarningPrinter:
    """Replacement for `warnings.showwarning`: prints each AudioWarning once, and none of the libraries' warnings."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(self, message: Any, category: type[Warning], *ignored: Any, **ignored_too: Any) -> None:
        text = str(message)
        if category.__name__ == "AudioWarning" and text not in self._printed:
            self._printed.add(text)
            print_message("warning", text)

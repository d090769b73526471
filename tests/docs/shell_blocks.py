"""The commands and the Python of Markdown pages, to be run as printed, only smaller."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from audiogen.cli import cli

EXTRA = {
    "accompany": {"--parts": "1", "--candidates": "2"},
    "infill": {"--candidates": "2"},
    "compare": {"--prompts": "1", "--prompt-seconds": "2", "--seconds": "2", "--minutes": "0.1"},
}
"""Command -> options that make it smaller."""


def blocks(text: str, language: str) -> list[str]:
    """The fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each audiogen command, in order."""
    for block in blocks(text, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["audiogen"]:
                yield words[1:]


def smaller(arguments: list[str], values: Mapping[str, str], overrides: tuple[str, ...]) -> list[str]:
    """A command with shorter lengths and trainings.

    Args:
        arguments: of the command.
        values: of options, in place of those that are printed.
        overrides: of the configuration, for commands that train.
    """
    pairs = zip(["", *arguments], arguments, strict=False)
    found = [word if word == "0" else values.get(option, word) for option, word in pairs]
    for option, value in EXTRA.get(arguments[0], {}).items():
        found += [] if option in found else [option, value]
    if arguments[0] == "continue":
        found += [] if {"--seconds", "--bars", "--loop-lengths"} & set(found) else ["--seconds", values["--seconds"]]
    if arguments[0] == "train":
        steps = "6" if "--resume" in found else "4"
        found = [word for word in found if not word.startswith("training.steps=")]
        found += [f"training.steps={steps}", *overrides]
    return found


def run(arguments: list[str]) -> None:
    """Run a command in this process; raise what it raises, and an AssertionError for a failing exit code."""
    assert cli.main(arguments, prog_name="audiogen", standalone_mode=False) in (None, 0), arguments

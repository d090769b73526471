"""Commands to a live stream, one JSON object a line: ``{"temperature": 1.4}``, ``{"keep": 20, "to": "take.wav"}``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from audiogen.errors import InputError
from audiogen.jobs.live_stream import LiveStream
from audiogen.jobs.live_take import TakeWriter

COMMANDS = ("keep", "to", "stop")
"""Keys that are not handles."""


class Commands:
    """Carries out commands.

    Args:
        stream: to command.
        writer: of kept parts.
        report: called with a line about each command that could not be carried out.
        on_kept: called with the WAV and the sidecar of each kept part.
    """

    def __init__(
        self,
        stream: LiveStream,
        writer: TakeWriter,
        report: Callable[[str], None],
        on_kept: Callable[[Path, Path], None],
    ) -> None:
        self.stream, self.writer, self.report, self.on_kept = stream, writer, report, on_kept

    def read(self, lines: Iterable[str]) -> None:
        """Carry out each line until the last, or ``{"stop": true}``."""
        for line in lines:
            if line.strip() and not self.carry_out(line):
                return

    def carry_out(self, line: str) -> bool:
        """Carry out one line; what cannot be is reported, and the rest of it carried out all the same.

        Returns:
            False for the last command.
        """
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            self.report(f'{_shortened(line)}: it is no JSON object; write for example {{"temperature": 1.4}}')
            return True
        handles = {name: value for name, value in content.items() if name not in COMMANDS}
        for name, value in handles.items():
            self._try(partial(self.stream.set, name, value))
        if "keep" in content:
            self._try(partial(self._keep, content["keep"], content.get("to")))
        elif "to" in content:
            self.report('to: it names the file of a kept part; write for example {"keep": 20, "to": "take.wav"}')
        if "stop" in content:
            if content["stop"] is True:
                self.stream.stop()
                return False
            self.report('stop: write {"stop": true}')
        return True

    def _keep(self, seconds: Any, to: Any) -> None:
        if not isinstance(to, str) or not to:
            raise InputError("keep", "it names no file", 'write for example {"keep": 20, "to": "take.wav"}')
        path = Path(to)
        self.on_kept(path, self.writer.write(path, self.stream.keep(seconds)))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (InputError, OSError) as error:
            self.report(str(error))


def _shortened(line: str) -> str:
    text = line.strip()
    return text if len(text) <= 60 else text[:57] + "..."

"""Progress on stderr: bars with the time left on a terminal, plain lines with --verbose, nothing otherwise."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from audiogen.file_names import printable

if TYPE_CHECKING:
    from tqdm import tqdm

DELAY = 2.0  # seconds of work before it is shown
REFRESH = 0.5  # seconds between updates of a stage's clock
LOG_EVERY = 0.1  # fraction of the work between two lines of a bar outside a terminal
BAR = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"
STAGE = "{desc} ... {elapsed}"

ProgressCallback: TypeAlias = Callable[[float, float, str], object]
"""Called with the work done, the total in the same unit, and a label."""
_callback: ContextVar[ProgressCallback | None] = ContextVar("progress_callback", default=None)
_check: ContextVar[Callable[[], object] | None] = ContextVar("checkpoint", default=None)


@contextmanager
def report_to(callback: ProgressCallback | None, check: Callable[[], object] | None = None) -> Iterator[None]:
    """Send progress to ``callback(done, total, label)`` instead of stderr; None changes nothing.

    Work of unknown length reports 0 of 1 as it begins and 1 of 1 as it ends. An exception raised by the callback stops
    the work; so does one raised by ``check``, which is called at each `checkpoint` between two reports.
    """
    if callback is None:
        yield
        return
    token, check_token = _callback.set(callback), _check.set(check)
    try:
        yield
    finally:
        _callback.reset(token)
        _check.reset(check_token)


def checkpoint() -> None:
    """A point between two steps at which work may be stopped; see `report_to`. By default nothing happens."""
    if (check := _check.get()) is not None:
        check()


@dataclass
class Verbosity:
    """How much is written to stderr by the whole process.

    Args:
        quiet: no progress.
        verbose: a line with the time for each step, besides the bars.
        started: `time.monotonic` at which the time of verbose lines is 0.
    """

    quiet: bool = False
    verbose: bool = False
    started: float = field(default_factory=time.monotonic)


verbosity = Verbosity()


def set_verbosity(quiet: bool = False, verbose: bool = False) -> None:
    """Set the `verbosity` of the process, and start the clock of verbose lines."""
    verbosity.quiet, verbosity.verbose, verbosity.started = quiet, verbose, time.monotonic()


def write_line(text: str, file: TextIO | None = None) -> None:
    """Write a line to ``file`` (None: stderr) without breaking a bar."""
    file = sys.stderr if file is None else file
    text = "\n".join(map(printable, text.split("\n")))  # a file's name may hold anything
    bars = sys.modules.get("tqdm")  # if it is not loaded, there is no bar
    if bars is None:
        file.write(text + "\n")
        file.flush()
    else:
        bars.tqdm.write(text, file=file)
        file.flush()


def log(text: str) -> None:
    """Write a line with the seconds since the command began, if --verbose."""
    if verbosity.verbose:
        write_line(f"audiogen: {time.monotonic() - verbosity.started:7.2f} s  {text}")


def progress(total: float, label: str, unit: str = "it") -> tqdm | LoggedBar:
    """Progress bar, a context manager; ``update(n)`` advances it by ``n`` of ``total``."""
    if (callback := _callback.get()) is not None:
        return _CallbackBar(total, label, callback)
    if verbosity.verbose and not _is_terminal():
        return LoggedBar(total, label)
    return _bar(total, label, unit, BAR, DELAY)


def _bar(total: float | None, label: str, unit: str, form: str, delay: float = 0.0) -> tqdm:
    from tqdm import tqdm

    if not hasattr(tqdm, "_lock"):  # its own is a semaphore of the system, which a process that is ended leaves behind
        tqdm.set_lock(threading.RLock())

    # Set here, since tqdm shows nothing on terminals of unknown size, such as those of some containers.
    columns, rows = shutil.get_terminal_size()
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        disable=True if verbosity.quiet else None,  # None: where stderr is no terminal
        delay=delay,
        leave=False,
        bar_format=form,
        ncols=max(columns - 1, 20),
        nrows=max(rows, 3),
    )


class LoggedBar:
    """Substitute for a `tqdm` bar that writes a line per tenth of the work, for log files of verbose commands.

    Args:
        total: sum of all updates.
        label: name of the work.
    """

    disable = False

    def __init__(self, total: float, label: str) -> None:
        self.total, self.label, self.n = total, label, 0.0
        self._started, self._logged, self._postfix = time.monotonic(), 0.0, ""
        log(f"{label} ...")

    def update(self, n: float = 1) -> None:
        """Advance by ``n``."""
        self.n += n
        done = self.n / self.total if self.total else 1.0
        if done - self._logged < LOG_EVERY - 1e-9 or done >= 1:
            return
        self._logged = done
        left = (time.monotonic() - self._started) * (1 - done) / done
        log(f"{self.label}: {done:.0%}, {left:.0f} s left{self._postfix}")

    def set_postfix(self, values: dict[str, Any], refresh: bool = True) -> None:
        """Set values that the next lines show."""
        self._postfix = "".join(f", {name}={value}" for name, value in values.items())

    def close(self) -> None:
        """Write the last line."""
        if self.label:
            log(f"{self.label}: {time.monotonic() - self._started:.2f} s{self._postfix}")
        self.label = ""

    def __enter__(self) -> LoggedBar:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()


class _CallbackBar(LoggedBar):
    """Substitute for a `tqdm` bar that reports to a `ProgressCallback`."""

    def __init__(self, total: float, label: str, callback: ProgressCallback) -> None:
        self.total, self.label, self.n, self.callback = total, label, 0.0, callback
        callback(0, total, label)

    def update(self, n: float = 1) -> None:
        self.n += n
        self.callback(self.n, self.total, self.label)

    def close(self) -> None:
        """Nothing to clean up."""


@contextmanager
def stage(label: str) -> Iterator[None]:
    """Show work of unknown length: its label and a running clock, from the third second on."""
    if (callback := _callback.get()) is not None:
        callback(0, 1, label)
        yield
        callback(1, 1, label)
        return
    started = time.monotonic()
    log(f"{label} ...")
    clock = None if verbosity.quiet or not _is_terminal() else _RunningClock(label)
    try:
        if clock is not None:
            clock.start()
        yield
    finally:
        if clock is not None:
            clock.end()
    log(f"{label}: {time.monotonic() - started:.2f} s")


class _RunningClock(threading.Thread):
    """Thread that updates the line of a stage while its work blocks the main thread."""

    def __init__(self, label: str) -> None:
        super().__init__(daemon=True, name="progress")
        self.label, self.ended = label, threading.Event()

    def run(self) -> None:
        if self.ended.wait(DELAY):
            return
        with _bar(None, self.label, "it", STAGE) as bar:
            bar.start_t -= DELAY
            while not self.ended.wait(REFRESH):
                bar.refresh()

    def end(self) -> None:
        self.ended.set()
        if self.is_alive():
            self.join()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()

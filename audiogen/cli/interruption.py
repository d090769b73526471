"""Ctrl-C, SIGTERM and SIGHUP while a command runs."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from typing import Any

import click

from audiogen.signals import INTERRUPTIONS


class InterruptHandler:
    """Context manager that turns SIGINT, SIGTERM (a scheduler's Ctrl-C) and SIGHUP (a terminal that is closed) into a
    `KeyboardInterrupt`.

    Attributes:
        interrupted: whether a signal has arrived. Libraries that are interrupted while they load, or in a callback,
            raise an error of their own instead, or none.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._process = os.getpid()
        self._previous: dict[int, Any] = {}
        self._previous_hook = sys.unraisablehook

    def __enter__(self) -> InterruptHandler:
        if threading.current_thread() is threading.main_thread():
            sys.unraisablehook = self._raise_again
            for number in INTERRUPTIONS:  # others' handlers stay, and ignored signals, as under nohup
                if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
                    self._previous[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *ignored: object) -> None:
        sys.unraisablehook = self._previous_hook
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """Ignore further signals: the command is ending, and a second one would only garble its message."""
        for number in self._previous:
            signal.signal(number, lambda *ignored: None)
        # CPython re-raises SIGINT as it exits if a KeyboardInterrupt has left an `exec` (dataclasses use one), even if
        # it was caught; any `exec` that ends normally resets that.
        exec("")

    def _interrupt(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:  # a forked worker, which has inherited the handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.interrupted = True
        raise KeyboardInterrupt

    def _raise_again(self, unraisable: Any) -> None:
        """Repeat an interruption whose exception was dropped, as in a finaliser, as soon as that has returned."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            _thread.interrupt_main()
        else:
            self._previous_hook(unraisable)


def was_interrupted(error: BaseException) -> bool:
    """Whether a signal caused an error: a library may raise one of its own in place of `KeyboardInterrupt`."""
    context = click.get_current_context(silent=True)
    handler = context.find_object(InterruptHandler) if context else None
    return isinstance(error, (KeyboardInterrupt, click.Abort)) or (handler is not None and handler.interrupted)

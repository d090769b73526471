"""What hears a tail while it is made: the studio plays the first seconds before the last are generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

import numpy as np

from audiogen.sound.prompt_analysis import PromptParts

TailListener: TypeAlias = Callable[[PromptParts, np.ndarray], object]
"""Called with what is continued, and with the next ``[channels, time]`` samples of its tail."""
_listener: ContextVar[TailListener | None] = ContextVar("tail_listener", default=None)


@contextmanager
def listen_to_tails(listener: TailListener) -> Iterator[None]:
    """Call ``listener`` with each block of the tails that `continue_variations` writes inside.

    The blocks are those that are written, before dither, and before the gain of a requested loudness.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def offer(prompt: PromptParts, block: np.ndarray) -> None:
    """Give a block to the listener, if there is one."""
    if (listener := _listener.get()) is not None:
        listener(prompt, block)

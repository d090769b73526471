"""Provenance in sidecars: versions, timings and warnings."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from audiogen import __version__
from audiogen.audio import AudioWarning

LIBRARIES = ("torch", "torchaudio", "librosa", "numpy", "soundfile", "soxr")


def versions(libraries: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Versions of Python, audiogen and the libraries that its output depends on."""
    own = {"python": platform.python_version(), "audiogen": __version__}
    return own | {name: version(name) for name in libraries}


class Clock:
    """Accumulates wall-clock seconds by name: ``with clock("training"): ...``.

    Args:
        seconds: to start from.
    """

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 3)


@contextmanager
def remove_output_on_failure(out: Path) -> Iterator[None]:
    """Remove an output whose sidecar could not be written."""
    try:
        yield
    except BaseException:  # a full disk, Ctrl-C
        out.unlink(missing_ok=True)
        raise


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect the texts of `AudioWarning` raised inside, for the sidecar; they are issued again afterwards."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        try:
            yield texts
        finally:
            texts.extend(str(item.message) for item in caught if issubclass(item.category, AudioWarning))
    for text in texts:
        warnings.warn(text, AudioWarning, stacklevel=2)

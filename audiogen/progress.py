"""Progress with time left, on anything over two seconds; silent when stderr is not a terminal."""

from __future__ import annotations

from tqdm import tqdm


def progress(total: float, label: str, unit: str = "it") -> tqdm:
    """A progress bar to use with ``with``; ``update(n)`` moves it."""
    form = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"
    return tqdm(total=total, desc=label, unit=unit, disable=None, delay=2, leave=False, bar_format=form)

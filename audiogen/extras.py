"""Optional dependencies: the command that installs one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

DISTRIBUTION = "audiogen-continue"
"""The name to install by. `audiogen`, the name of the package and of the command, is another project's on PyPI."""


MODULES = {"ray": "ray", "hub": "huggingface_hub", "decode": "av", "transcribe": "transkun"}
"""What is imported of each extra, by its key."""


def is_installed(extra: str) -> bool:
    """Whether what an extra, a key of `MODULES`, needs is there; nothing is imported."""
    return find_spec(MODULES[extra]) is not None


def install_command(extra: str) -> str:
    """The pip command that installs what an extra needs: ``pip install 'av<19,>=14'``.

    It names the extra's own requirements, as the installed metadata lists them, so it works beside a clone, a wheel
    and an index alike.

    Args:
        extra: a key of ``[project.optional-dependencies]`` in pyproject.toml.
    """
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from a source tree that was never installed
        lines = []
    marked = (line.partition(";") for line in lines)
    needed = [requirement.strip() for requirement, _, marker in marked if _asks_for(marker, extra)]
    return "pip install " + " ".join(f"'{each}'" for each in needed) if needed else f"pip install -e '.[{extra}]'"


def _asks_for(marker: str, extra: str) -> bool:
    return any(f"extra == {quote}{extra}{quote}" in marker for quote in "'\"")

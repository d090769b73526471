"""Optional dependencies: whether they are installed, and the command that installs them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

DISTRIBUTION = "audiogen-continue"
"""Name of the distribution. On PyPI, `audiogen`, the name of the package and of the command, is another project."""

MODULES = {
    "ray": "ray",
    "hub": "huggingface_hub",
    "decode": "av",
    "transcribe": "transkun",
    "studio": "fastapi",
    "play": "sounddevice",
}
"""The module that each extra provides."""


def is_installed(extra: str) -> bool:
    """Whether the module of an extra (a key of `MODULES`) is installed; nothing is imported."""
    return find_spec(MODULES[extra]) is not None


def install_command(extra: str) -> str:
    """The pip command that installs an extra's requirements: ``pip install 'av<19,>=14'``.

    It names the requirements themselves, as the installed metadata lists them, so it works for installations from a
    clone, a wheel and an index alike.

    Args:
        extra: a key of ``[project.optional-dependencies]`` in pyproject.toml.
    """
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # a source tree that was never installed
        lines = []
    parts = (line.partition(";") for line in lines)
    requirements = [requirement.strip() for requirement, _, marker in parts if _is_for(marker, extra)]
    if not requirements:
        return f"pip install -e '.[{extra}]'"
    return "pip install " + " ".join(f"'{requirement}'" for requirement in requirements)


def _is_for(marker: str, extra: str) -> bool:
    return any(f"extra == {quote}{extra}{quote}" in marker for quote in "'\"")

"""How the files of a job are called."""

from __future__ import annotations

from pathlib import Path

from audiogen.errors import InputError

SHIPPED = "waterfall.ogg"


def sidecar_of(out: Path) -> Path:
    """OUT.wav -> OUT.json."""
    return out.with_suffix(".json")


def variations_of(out: Path, count: int) -> list[Path]:
    """OUT.wav -> OUT.wav, or OUT-1.wav, OUT-2.wav, ... when there are several."""
    if count == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, count + 1)]


def shipped_recording() -> Path:
    """The recording that ships with audiogen, from the installed package or from the repository.

    Raises:
        InputError: it is in neither place.
    """
    package = Path(__file__).parents[1]
    for path in (package / "data_files" / SHIPPED, package.parent / "data" / SHIPPED):
        if path.is_file():
            return path
    raise InputError(SHIPPED, "the demo recording is missing from this installation", "install audiogen again")

"""How the files of a job are called."""

from __future__ import annotations

import json
from pathlib import Path

from audiogen.errors import InputError
from audiogen.file_names import require_name

SHIPPED = "waterfall.ogg"
MAX_ON_PAGE = 40  # variations: more would be heard for less than 15 s each


def sidecar_of(out: Path) -> Path:
    """OUT.wav -> OUT.json."""
    return out.with_suffix(".json")


def require_names(*outs: Path) -> None:
    """Raise an InputError for the first output that cannot be created under its name, or whose sidecar cannot: before
    minutes are spent on what goes into it."""
    for out in outs:
        require_name(out, ".json")


def variations_of(out: Path, count: int) -> list[Path]:
    """OUT.wav -> OUT.wav, or OUT-1.wav, OUT-2.wav, ... when there are several."""
    if count == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, count + 1)]


def page_of(out: Path) -> Path:
    """OUT.wav -> OUT.html, of all its variations."""
    return out.with_suffix(".html")


def shipped_recording() -> Path:
    """The recording that ships with audiogen, from the installed package or from the repository.

    Raises:
        InputError: it is in neither place.
    """
    package = Path(__file__).parent
    for path in (package / "data_files" / SHIPPED, package.parent / "data" / SHIPPED):
        if path.is_file():
            return path
    raise InputError(SHIPPED, "the demo recording is missing from this installation", "install audiogen again")


def join_beside(out: Path) -> int | None:
    """Where the sidecar of ``out`` says that the continuation begins, in samples; None if there is none.

    Raises:
        InputError: there is one, and it does not say.
    """
    sidecar = sidecar_of(out)
    try:
        join = json.loads(sidecar.read_text("utf-8"))["join_sample"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        cause = "it does not say where the join is"
        raise InputError(sidecar, cause, "move it away, and name the prompt") from error
    if not isinstance(join, int) or join < 0:
        raise InputError(sidecar, f"its join_sample is {join!r}", "move it away, and name the prompt")
    return join

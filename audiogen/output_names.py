"""Names of the files that a job writes and reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from audiogen.errors import InputError
from audiogen.file_names import require_name

SHIPPED = "waterfall.ogg"
MAX_ON_PAGE = 40  # variations: of more, each would be played for less than 15 s


def sidecar_of(out: Path) -> Path:
    """Sidecar of an output: OUT.wav -> OUT.json."""
    return out.with_suffix(".json")


def require_names(*outs: Path) -> None:
    """Raise an InputError for the first output that, or whose sidecar, cannot be created under its name.

    To be called before minutes are spent on the content.
    """
    for out in outs:
        require_name(out, ".json")


def require_own_sidecar(*outs: Path) -> None:
    """Raise an InputError for the first output whose sidecar describes another file, which is still beside it.

    OUT.wav and OUT.flac would share OUT.json, and the second would take the account of the first away.
    """
    for out in outs:
        try:
            other = json.loads(sidecar_of(out).read_text("utf-8"))["output"]
        except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is none of ours
            continue
        if isinstance(other, str) and Path(other).name == other != out.name and out.with_name(other).is_file():
            cure = f"choose another name than {out.name}, or remove {other}"
            raise InputError(sidecar_of(out), f"it describes {other}", cure)


def variations_of(out: Path, count: int) -> list[Path]:
    """Names of variations: OUT.wav -> OUT.wav, or OUT-1.wav, OUT-2.wav, ... if there are several."""
    if count == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, count + 1)]


def numbered(out: Path, count: int) -> list[Path]:
    """Names of the takes of a set, with leading zeros: OUT.wav -> OUT-01.wav, OUT-02.wav, ..."""
    digits = max(2, len(str(count)))
    return [out.with_name(f"{out.stem}-{number:0{digits}}{out.suffix}") for number in range(1, count + 1)]


def lengths_of(out: Path, lengths: Sequence[float]) -> list[Path]:
    """Names of loops of several lengths in seconds: OUT.wav -> OUT-10s.wav, OUT-30s.wav, ..."""
    return [out.with_name(f"{out.stem}-{length:g}s{out.suffix}") for length in lengths]


def page_of(out: Path) -> Path:
    """Page about all variations of an output: OUT.wav -> OUT.html."""
    return out.with_suffix(".html")


def shipped_recording() -> Path:
    """The demo recording, from the installed package or from the repository.

    Raises:
        InputError: it is in neither.
    """
    package = Path(__file__).parent
    for path in (package / "data_files" / SHIPPED, package.parent / "data" / SHIPPED):
        if path.is_file():
            return path
    raise InputError(SHIPPED, "the demo recording is missing from this installation", "reinstall audiogen")


def join_beside(out: Path) -> int | None:
    """Sample at which the continuation begins in ``out``, from its sidecar; None without a sidecar.

    Raises:
        InputError: the sidecar is unreadable or lacks a valid ``join_sample``.
    """
    sidecar = sidecar_of(out)
    try:
        join = json.loads(sidecar.read_text("utf-8"))["join_sample"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        cause = "it holds no join_sample"
        raise InputError(sidecar, cause, "move it away, and name the prompt") from error
    if not isinstance(join, int) or join < 0:
        raise InputError(sidecar, f"its join_sample is {join!r}", "move it away, and name the prompt")
    return join

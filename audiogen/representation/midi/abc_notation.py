"""ABC notation -> Tunes, through the abc2midi program that symusic ships."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from audiogen.errors import InputError
from audiogen.representation.midi.parsing import parse
from audiogen.representation.midi.reading import tune_of
from audiogen.representation.midi.tune import Tune

GRID = 24
"""abc2midi ends notes a tick early and starts them one late; on this many steps a quarter note both are
gone.
"""
MAX_SECONDS = 20


def split_abc(text: str) -> list[str]:
    """The tunes of an ABC file: pieces that begin with an ``X:`` field, without what stands before the
    first.
    """
    return [tune.strip() + "\n" for tune in re.split(r"^(?=X:)", text, flags=re.MULTILINE) if tune.startswith("X:")]


def abc_title(abc: str) -> str:
    """Its first ``T:`` field, or ""."""
    found = re.search(r"^T:(.*)$", abc, re.MULTILINE)
    return found.group(1).strip() if found else ""


def tune_of_abc(abc: str, subject: object) -> Tune:
    """One tune, repeats played out, chord symbols as parts of their own; on `GRID` ticks a quarter note.

    Raises:
        InputError: it is not ABC, or holds no note. The error names ``subject``.
    """
    spec = importlib.util.find_spec("symusic")
    folders = [str(Path(folder) / "bin") for folder in (spec.submodule_search_locations or [])] if spec else []
    program = next((found for folder in folders if (found := shutil.which("abc2midi", path=folder))), None)
    if program is None:
        raise InputError("ABC", "the MIDI libraries are missing", "install audiogen again")
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_text(abc, encoding="utf-8")
        try:
            subprocess.run(
                [program, source, "-o", made, "-silent"],
                capture_output=True,
                timeout=MAX_SECONDS,
                check=False,
            )
            data = made.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(subject, "it cannot be read as ABC notation", "mend or remove that tune") from error
    return tune_of(parse(data, subject).midi, subject).rescaled(GRID)

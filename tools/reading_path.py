"""Which files a reader of one continuation meets: compares those that run with the tables of docs/ARCHITECTURE.md.

    python tools/reading_path.py

Runs `audiogen continue` on generated noise, notes each file of the package in which a function is called, and prints
it under the table that names it: the way of one recording, or library code. Fails if neither does, or if a file of the
way does not run.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from types import FrameType

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "audiogen"


def tables(text: str) -> tuple[dict[str, str], list[str]]:
    """The way, file -> number of the row to go back to or "", and the entries of the library: files, or folders."""
    section = text[text.index("## One recording") : text.index("## Variants")]
    way = dict(re.findall(r"^\| \d+ \| `([^`]+)` \|.*\| (\d*) ?\|$", section, re.MULTILINE))
    rows = re.findall(r"^\| (`.*)", section, re.MULTILINE)
    return way, [name for row in rows for name in re.findall(r"`([\w/]+(?:\.py|/))`", row)]


def files_that_run(*arguments: str) -> set[str]:
    """The files of the package, relative to it, whose functions a command calls."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and frame.f_code.co_name != "<module>" and path.startswith(str(PACKAGE)):
            caller = frame.f_back
            if caller is None or caller.f_code.co_name != "<module>":  # the bodies of classes are not called
                found.add(Path(path).relative_to(PACKAGE).as_posix())

    from audiogen.cli import cli

    sys.setprofile(note)
    try:
        cli.main(list(arguments), standalone_mode=False)
    finally:
        sys.setprofile(None)
    return found


def main() -> None:
    """Print the files, and exit with 1 unless the tables name all of them."""
    way, library = tables((ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        noise = 0.05 * np.random.default_rng(0).standard_normal((8 * 44100, 2))
        soundfile.write(f"{folder}/rain.wav", noise, 44100, "PCM_16")
        command = ("continue", f"{folder}/rain.wav", "-o", f"{folder}/longer.wav", "--seconds", "2", "--budget", "0")
        ran = files_that_run(*command)
    known = {name for name in ran - set(way) if any(name == entry or name.startswith(entry) for entry in library)}
    missing, idle = sorted(ran - set(way) - known), sorted(set(way) - ran)
    returns = sum(bool(number) for number in way.values())
    print(f"the way: {len(way)} files, {returns} returns, {len(way) + returns} visits")
    print(f"library: {len(known)} files\n  " + "\n  ".join(sorted(known)))
    if missing or idle:
        sys.exit(f"in neither table: {missing}; in the first, but it does not run: {idle}")


if __name__ == "__main__":
    main()

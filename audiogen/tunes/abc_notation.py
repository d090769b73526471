"""ABC notation -> Tune, by the abc2midi program that ships with symusic."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.tunes.midi.parser import parse
from audiogen.tunes.midi.reader import tune_from_messages
from audiogen.tunes.tune import Tune

GRID = 24
"""Steps per quarter note: removes the ticks by which abc2midi starts notes late and ends them early."""
MAX_SECONDS = 20
MAX_CHARACTERS = 2**20  # per tune; long ones have about 10 000
MAX_BYTES = 16 * 2**20  # of the converted MIDI file
POLL_SECONDS = 0.05
READS_FILES = re.compile(r"abc-include|ptstress", re.IGNORECASE)
"""Directives by which abc2midi reads other files: %%abc-include, and the stress models of %%MIDI ptstress."""


def decode_abc(data: bytes) -> str:
    """Text of an ABC file: UTF-8, or as its byte order mark says.

    Lines that are not UTF-8 are Latin-1, the encoding before ABC 2.1; invalid bytes of UTF-16 and UTF-32 become U+FFFD.
    """
    coding = "utf-8"
    for mark, name in ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32")):
        coding = name if data.startswith(mark) else coding
    if coding == "utf-8" and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        coding = "utf-16"
    elif data[:1] and data[1:2] == b"\0" and data[2:3]:
        coding = "utf-16-le"
    elif data[:1] == b"\0" and data[1:2]:
        coding = "utf-16-be"
    if coding == "utf-8":
        text = "".join(map(_decode_line, data.splitlines(keepends=True)))
    else:
        text = data.decode(coding, errors="replace")
    text = text.replace("\ufeff", "")
    return text if "\n" in text else text.replace("\r", "\n")


def _decode_line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def split_abc(text: str) -> list[str]:
    """Split an ABC file into its tunes, which begin with an ``X:`` field; the file header is dropped.

    A header has no key: what lies before the first ``X:`` and has one is a tune whose ``X:`` is missing.
    """
    first, *rest = re.split(r"^[ \t]*(?=X:)", text, flags=re.MULTILINE)
    if re.search(r"^K:", first, re.MULTILINE):
        rest.insert(0, "X:0\n" + first.strip())
    return [tune.strip() + "\n" for tune in rest]


def abc_title(abc: str) -> str:
    """Title of a tune, from its first ``T:`` field, or ""."""
    match = re.search(r"^T:(.*)$", abc, re.MULTILINE)
    return match.group(1).strip() if match else ""


def tune_from_abc(abc: str, subject: object) -> Tune:
    """Convert one tune, with repeats unfolded and chord symbols as parts of their own.

    Args:
        abc: text of the tune.
        subject: named by errors and warnings.

    Returns:
        A tune of `GRID` ticks per quarter note.

    Raises:
        InputError: no valid ABC notation, or no notes.
    """
    spec = importlib.util.find_spec("symusic")
    folders = [str(Path(folder) / "bin") for folder in (spec.submodule_search_locations or [])] if spec else []
    program = next((found for folder in folders if (found := shutil.which("abc2midi", path=folder))), None)
    if program is None:
        raise InputError("ABC", "the MIDI libraries are missing", "install audiogen again")
    if len(abc) > MAX_CHARACTERS:
        raise InputError(subject, f"{len(abc)} characters are no single tune", "begin each tune with an X: line")
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_text(_without_includes(abc, subject), encoding="utf-8")
        try:
            _run([program, str(source), "-o", str(output), "-silent"], output)
            data = output.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(subject, "it cannot be read as ABC notation", "fix or remove that tune") from error
    if len(data) > MAX_BYTES:
        raise InputError(subject, "its repeats make it too long", "fix or remove that tune")
    return tune_from_messages(parse(data, subject).midi, subject).rescaled(GRID)


def _run(command: list[str], output: Path) -> None:
    """Run a program until it ends, or its output exceeds `MAX_BYTES`.

    Raises:
        subprocess.TimeoutExpired: it takes longer than `MAX_SECONDS`.
    """
    began, quiet = time.monotonic(), subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            while time.monotonic() - began < MAX_SECONDS:
                try:
                    process.wait(POLL_SECONDS)
                    return
                except subprocess.TimeoutExpired:
                    if output.exists() and output.stat().st_size > MAX_BYTES:
                        return
            raise subprocess.TimeoutExpired(command, MAX_SECONDS)
        finally:
            process.kill()


def _without_includes(abc: str, subject: object) -> str:
    """The tune without directives that read other files, with a warning."""
    lines = re.split(r"([\r\n]+)", abc)
    kept = ["%" if READS_FILES.search(line) else line for line in lines]  # an empty line ends a tune
    if kept != lines:
        count = sum(map(bool, map(READS_FILES.search, lines)))
        text = f"{subject}: {count} lines that name other files (abc-include, ptstress) are left out"
        warnings.warn(text, AudioWarning, stacklevel=3)
    return "".join(kept)

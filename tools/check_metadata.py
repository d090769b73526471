"""What commands make of the metadata of recordings, read back by other libraries, as the tables of the manual.

    python tools/check_metadata.py [-o docs/reference/metadata.md] [--check]

A recording with chunks of all kinds goes through each command. Its chunks and those of the output are read by wavinfo,
tags by mutagen, and compared: each cell of the tables is what was found, and ``said`` that a warning names it. The
tables stand between two comments of the page; with --check they are compared with what is there, and differences fail.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import soundfile
import wavinfo
from markdown_table import table
from mutagen import id3
from mutagen.id3 import ID3
from wavinfo.riff_parser import parse_chunk

from audiogen.cli import cli
from audiogen.cli.interruption import InterruptHandler
from audiogen.text_files import write_text
from tests.audio.metadata.wave_files import RATE, everything, write_wav

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "metadata.md"
BEGIN, END = "<!-- by tools/check_metadata.py -->", "<!-- end -->"

LENGTH, SECONDS = RATE, 0.5  # of the recording in samples, digital silence, and of what is made
NEW = round(SECONDS * RATE)
GAP = (0.25, 0.35)  # of fill, in seconds: no marker lies in it
COMMANDS: dict[str, tuple[list[str], int]] = {
    "`continue`": (["continue", "--seconds", str(SECONDS)], 0),
    "`--tail-only`": (["continue", "--seconds", str(SECONDS), "--tail-only"], -LENGTH),
    "`--loop`": (["continue", "--seconds", str(SECONDS), "--loop"], 0),
    "`--backward`": (["continue", "--seconds", str(SECONDS), "--backward"], NEW),
    "`fill`": (["fill", "--from", str(GAP[0]), "--to", str(GAP[1])], 0),
    "`--no-metadata`": (["continue", "--seconds", str(SECONDS), "--no-metadata"], 0),
}
"""Column -> command, and position of the recording's first sample in its output."""

TAGS = {
    "title": "Rain", "artist": "A. Recordist", "album": "Roofs", "comment": "windy", "copyright": "A. R.",
    "date": "2026", "genre": "Ambience", "tracknumber": "3", "license": "CC0",
}  # fmt: skip
OTHER_TAG = ("bpm", "90")  # one that libsndfile has no name for
CONTAINERS = ("flac", "ogg", "opus", "mp3")
FRAMES = {
    "TIT2": "title", "TPE1": "artist", "TALB": "album", "COMM": "comment", "TCOP": "copyright", "TDRC": "date",
    "TCON": "genre", "TRCK": "tracknumber", "TBPM": "bpm",
}  # fmt: skip
"""Frame of ID3 -> tag."""
ITEMS = {
    "title": b"INAM", "artist": b"IART", "album": b"IPRD", "comment": b"ICMT", "copyright": b"ICOP", "date": b"ICRD",
    "genre": b"IGNR", "tracknumber": b"ITRK",
}  # fmt: skip
"""Tag -> item of ``LIST INFO``."""


@dataclass(frozen=True)
class File:
    """What other libraries read of a WAV.

    Args:
        info: by chunk.
        chunks: name -> content.
        length: samples.
    """

    info: wavinfo.WavInfoReader
    chunks: Mapping[bytes, bytes]
    length: int

    @classmethod
    def open(cls, path: Path) -> File:
        """Read a file."""
        with path.open("rb") as file:
            children = parse_chunk(file).children
            chunks = {each.ident: each.read_data(file) for each in children if hasattr(each, "ident")}
        info = wavinfo.WavInfoReader(str(path))
        return cls(info, chunks, info.data.frame_count)

    @property
    def markers(self) -> list[tuple[int, str, int]]:
        """Position, label and length of a region, in order."""
        found = [] if self.info.cues is None else list(self.info.cues.to_dict().values())
        return sorted((each["frame"], each.get("label") or "", each.get("length") or 0) for each in found)


@dataclass(frozen=True)
class Case:
    """A recording and the output of a command.

    Args:
        source, out: the files.
        shift: position in the output of the recording's first sample.
        warnings: of the sidecar.
    """

    source: File
    out: File
    shift: int
    warnings: str

    def dropped(self, *words: str) -> str:
        """The word for what is not there any more: whether a warning names it."""
        return "dropped, said" if any(word in self.warnings for word in words) else "dropped"

    def same(self, read: Callable[[File], Any], *words: str) -> str:
        """*Kept* if a reading is the same in both files, else *changed* or *dropped*."""
        before, after = read(self.source), read(self.out)
        if after in (None, [], {}, b""):
            return self.dropped(*words)
        return "kept" if before == after else "changed"


def texts(file: File) -> Any:
    bext = file.info.bext
    return bext and (bext.description, bext.originator, bext.originator_ref, bext.originator_date, bext.originator_time)


def time_stamp(case: Case) -> str:
    before, after = case.source.info.bext, case.out.info.bext
    if after is None:
        return case.dropped("bext", "broadcast")
    moved = after.time_reference - before.time_reference
    return "kept" if moved == 0 == case.shift else "moved" if moved == -case.shift else "wrong"


def history(case: Case) -> str:
    if case.out.info.bext is None:
        return case.dropped("bext", "broadcast")
    before, after = (each.info.bext.coding_history.rstrip("\0") for each in (case.source, case.out))
    lines = after.removeprefix(before).splitlines()
    return "a line added" if after.startswith(before) and len(lines) == 1 and "audiogen" in lines[0] else "wrong"


def identity(case: Case) -> str:
    bext = case.out.info.bext
    if bext is None:
        return case.dropped("bext", "broadcast")
    fields = case.out.chunks[b"bext"][348:412] + case.out.chunks[b"bext"][412:422]
    return "cleared" if fields == bytes(64) + b"\xff\x7f" * 5 else "wrong"


def markers(case: Case) -> str:
    """Of three markers, the last lies beyond the recording's end and is dropped by all commands."""
    inside = [each for each in case.source.markers if each[0] < case.source.length]
    there = {(position, label) for position, label, _ in case.out.markers}
    found = [(position + case.shift, label) in there for position, label, _ in inside]
    if not any(found):
        return case.dropped("marker")
    said = ", one past the end dropped, said" if "1 marker" in case.warnings else ""
    return ("moved" if case.shift else "kept") + said if all(found) else "wrong"


def regions(case: Case) -> str:
    (region,) = [each for each in case.source.markers if each[2]]
    found = [each for each in case.out.markers if each[1] == region[1]]
    if not found:
        return case.dropped("marker")
    ends = [position + length - case.shift for position, _, length in found]
    return "shortened, said" if ends == [case.source.length] and "region" in case.warnings else "wrong"


def new_markers(case: Case) -> str:
    old = {label for _, label, _ in case.source.markers}
    return ", ".join(f"`{label}`" for _, label, _ in case.out.markers if label not in old) or "-"


def loops(case: Case) -> str:
    sampler = case.out.info.smpl
    ends = [] if sampler is None else [(each.start, each.end) for each in sampler.sample_loops]
    return (
        "the whole file"
        if ends == [(0, case.out.length - 1)]
        else case.dropped("sampler loop")
        if not ends
        else "wrong"
    )


def info_items(case: Case) -> str:
    before, after = (each.info.info and each.info.info.to_dict() for each in (case.source, case.out))
    if not after:
        return case.dropped("INFO")
    rest = {name for name in before if name != "software" and before[name] != after[name]}
    return "kept, but for the software" if not rest and after["software"].startswith("audiogen") else "wrong"


def ixml(case: Case) -> str:
    if case.out.info.ixml is None:
        return case.dropped("iXML")
    before, after = case.source.info.ixml, case.out.info.ixml
    names = all(getattr(before, name) == getattr(after, name) for name in ("project", "scene", "take"))
    stamp = case.out.chunks[b"iXML"].split(b"_LO>")[1].split(b"<")[0]
    right = (
        int(stamp) == 172_800_000 - case.shift
        and after.family_uid is None
        and b"FILE_UID" not in case.out.chunks[b"iXML"]
    )
    return ("kept, time stamp moved" if case.shift else "kept") if names and right else "wrong"


def copied(case: Case, *names: bytes) -> list[bytes]:
    """Chunks that the output has, byte for byte, from the recording."""
    return [name for name in names if case.out.chunks.get(name) == case.source.chunks[name]]


def chunk(name: bytes, *words: str) -> Callable[[Case], str]:
    return lambda case: case.same(lambda file: file.chunks.get(name), *words)


ROWS: dict[str, Callable[[Case], str]] = {
    "`bext` texts, date, originator": lambda case: case.same(texts, "bext"),
    "`bext` time reference": time_stamp,
    "`bext` coding history": history,
    "`bext` UMID, loudness": identity,
    "`cue ` with labels": markers,
    "regions over the end": regions,
    "new markers": new_markers,
    "`smpl` loops": loops,
    "`smpl` root note": lambda case: case.same(lambda file: file.info.smpl and file.info.smpl.midi_note, "root note"),
    "`inst`": chunk(b"inst", "inst"),
    "`LIST INFO`": info_items,
    "`iXML`": ixml,
    "`axml`, `chna` (ADM)": lambda case: case.same(
        lambda file: [file.chunks[name] for name in (b"axml", b"chna") if name in file.chunks], "ADM"
    ),
    "others, such as `minf`": chunk(b"minf", "minf"),
    "`PEAK`, `JUNK`": lambda case: "not copied" if copied(case, b"PEAK", b"JUNK") == [] else "kept",
}


def run(arguments: Sequence[str | Path], out: Path) -> str:
    """Run a command of audiogen; return the warnings of its sidecar."""
    with InterruptHandler() as interrupts, warnings.catch_warnings(action="ignore"):
        words = [*map(str, arguments), "-o", str(out), "--force", "--quiet"]
        cli.main(words, prog_name="audiogen", standalone_mode=False, obj=interrupts)
    return "\n".join(json.loads(out.with_suffix(".json").read_text("utf-8"))["warnings"])


def by_command(folder: Path, form: str = "RIFF") -> list[list[str]]:
    """Rows of the first table: a chunk, and what each command makes of it."""
    source = write_wav(folder / "all.wav", np.zeros(LENGTH), *everything(LENGTH), rf64=form != "RIFF")
    if form == "BW64":
        source.write_bytes(b"BW64" + source.read_bytes()[4:])
    cases = []
    for (name, *options), shift in COMMANDS.values():
        said = run([name, source, *options], folder / "out.wav")
        cases.append(Case(File.open(source), File.open(folder / "out.wav"), shift, said))
    return [[row, *(read(case) for case in cases)] for row, read in ROWS.items()]


def tagged(path: Path) -> Path:
    """A file of silence with tags, written by mutagen."""
    kind = path.suffix[1:]
    subtype = {"ogg": "VORBIS", "opus": "OPUS", "mp3": "MPEG_LAYER_III", "flac": "PCM_16"}[kind]
    soundfile.write(path, np.zeros(LENGTH), RATE, subtype, format="OGG" if kind == "opus" else kind)
    if kind == "mp3":
        frames = ID3()
        for frame, name in FRAMES.items():
            frames.add(getattr(id3, frame)(encoding=3, text=TAGS.get(name, OTHER_TAG[1]), lang="eng", desc=""))
        frames.save(path)
    else:
        file = mutagen.File(path)
        file.update([*TAGS.items(), OTHER_TAG])
        file.save()
    return path


def tags_in(path: Path) -> dict[str, str]:
    """Tags that mutagen, or of a WAV wavinfo, reads."""
    if path.suffix == ".wav":
        with path.open("rb") as file:
            (items,) = [each for each in parse_chunk(file).children if getattr(each, "signature", b"") == b"INFO"]
            found = {each.ident: each.read_data(file).rstrip(b"\0").decode() for each in items.children}
        return {name: found[item] for name, item in ITEMS.items() if item in found}
    if path.suffix == ".mp3":
        texts = {frame.FrameID: str(frame.text[0]) for frame in ID3(path).values() if hasattr(frame, "text")}
        return {name: texts[frame] for frame, name in FRAMES.items() if frame in texts}
    return {name: values[0] for name, values in (mutagen.File(path).tags or {}).items() if name != "encoder"}


def by_container(folder: Path) -> list[list[str]]:
    """Rows of the second table: from a container, into each container."""
    rows = []
    for kind in CONTAINERS:
        source, cells = tagged(folder / f"in.{kind}"), []
        given = tags_in(source)
        for target in ("wav", *CONTAINERS):
            out = folder / f"into-{target}.{target}"
            said = run(["continue", source, "--seconds", str(SECONDS)], out)
            found = tags_in(out)
            lost = [name for name in given if given[name] not in found.get(name, "")]
            if target == "wav" and given.get("license", "-") in found["copyright"]:
                lost.remove("license")  # which has no item of its own there
            cells.append(_tags_cell(sorted(lost), said))
        rows.append([kind.upper(), *cells])
    return rows


def _tags_cell(lost: Sequence[str], said: str) -> str:
    named = [name for name in lost if name in said]
    silent = [name for name in lost if name not in said]
    parts = [f"dropped, said: {', '.join(named)}"] * bool(named) + [f"lost: {', '.join(silent)}"] * bool(silent)
    return "; ".join(parts) or "all kept"


def tables(folder: Path) -> str:
    """Both tables."""
    chunks = by_command(folder)
    for form in ("RF64", "BW64"):
        if by_command(folder, form) != chunks:
            raise SystemExit(f"{form}: not what is read of a RIFF file")
    first = table(["in the recording", *COMMANDS], chunks)
    second = table(["tags of", *(f"into {kind.upper()}" for kind in ("wav", *CONTAINERS))], by_container(folder))
    return f"{BEGIN}\n\n{first}\n{second}\n{END}"


def main() -> None:
    """Run the commands, and write or compare the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=PAGE, help="page whose tables are written")
    parser.add_argument("--check", action="store_true", help="compare instead, and fail where the page differs")
    arguments = parser.parse_args()
    page = arguments.output.read_text("utf-8")
    start, stop = page.index(BEGIN), page.index(END) + len(END)
    with tempfile.TemporaryDirectory() as folder:
        found = tables(Path(folder))
    if not arguments.check:
        write_text(arguments.output, page[:start] + found + page[stop:])
    elif page[start:stop] != found:
        sys.exit(f"{arguments.output}: not what the commands do; run {sys.argv[0]} without --check")


if __name__ == "__main__":
    main()

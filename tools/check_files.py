"""Gaps, what came before, loops, sets and many channels on real recordings, as a page of tables.

    python tools/check_files.py RECORDING|FOLDER... -o docs/files.md [--only gaps,loops] [--rows FILE] [--jobs 2]

Everything is made by the base (`--budget 0`), with seed 0 (of a set: 0, 1, 2, ...). Finished rows are kept with a
digest of the recording in a .jsonl beside the page and not measured again: remove that file when the code has changed.
Of 18 recordings it takes about 9 minutes of a core, by the time that some rows of each section took.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import soundfile
import torch
from file_figures import (
    EARLIER_SECONDS,
    LAYOUTS,
    LOOP_SECONDS,
    Row,
    cuts,
    earlier,
    filled,
    looped,
    scene,
    spatial,
)
from markdown_table import table
from set_figures import COMPARED, TAKE_SECONDS, TAKES, sets

from audiogen.audio import Recording, read
from audiogen.text_files import write_text

SUFFIXES = {".ogg", ".flac", ".wav"}
MIN_SECONDS = 8.0
MAX_PERCENTILE = 99.0
MAX_DIFFERENCE_DB = 1.0
KINDS, DISTANCES = ("flux", "bend"), ("texture", "scattering")
TOLERANCE, CLOSE = 0.01, 0.1  # of correlations
UNUSUAL = 90.0  # percentile that a tenth of the recording's own neighbours exceed
WINDOW = 1 / (4 * TAKE_SECONDS - 2) + 1e-9  # one half second of a take, of those that are compared

Measure = Callable[[str, Recording, Path], list[Row]]
SECTIONS: dict[str, Measure] = {
    "gaps": filled,
    "earlier": earlier,
    "loops": looped,
    "cuts": cuts,
    "sets": sets,
    "channels": spatial,
}


@dataclass(frozen=True)
class Subject:
    """What a section measures: a recording, or a scene of two.

    Args:
        section: its name.
        name: of the row.
        paths: of the recordings.
        layout: of the scene; empty for the recording as it is.
    """

    section: str
    name: str
    paths: tuple[Path, ...]
    layout: str = ""

    @property
    def key(self) -> str:
        """What finished rows are found by: the section, and digests of the recordings."""
        digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:8] for path in self.paths]
        return " ".join([self.section, self.layout or self.name, *digests])

    def measure(self) -> tuple[list[Row], float]:
        """The rows, and the seconds of a core that they took."""
        torch.set_num_threads(1)
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
            recording, *others = [read(path) for path in self.paths]
            if self.layout:
                recording = scene(recording, *others, LAYOUTS[self.layout])
            rows = SECTIONS[self.section](self.name, recording, Path(folder))
        return rows, time.process_time() - begun


def measured(paths: Sequence[Path], sections: Sequence[str], file: Path, jobs: int) -> dict[str, list[Row]]:
    """Rows of each section, from the file of finished ones or measured now, by some processes."""
    done: dict[str, list[Row]] = {}
    if file.exists():
        for line in file.read_text("utf-8").splitlines():
            entry = json.loads(line)
            done[entry["key"]] = entry["rows"]
    wanted = [subject for section in sections for subject in subjects(section, paths)]
    missing = [subject for subject in wanted if subject.key not in done]
    total, begun = 0.0, time.perf_counter()
    for subject, (rows, seconds) in results(missing, jobs):
        done[subject.key], total = rows, total + seconds
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"key": subject.key, "rows": rows}) + "\n")
        print(f"{subject.section}, {seconds:.1f} s", *rows, sep="\n", file=sys.stderr, flush=True)
    wall = time.perf_counter() - begun
    print(f"{total / 60:.1f} min of a core, {wall / 60:.1f} min by {jobs} processes", file=sys.stderr)
    return {
        section: [row for each in wanted if each.section == section for row in done[each.key]] for section in SECTIONS
    }


def results(wanted: Sequence[Subject], jobs: int) -> Iterator[tuple[Subject, tuple[list[Row], float]]]:
    """What each subject measures, as it is done: by this process, or by several."""
    if jobs == 1:
        for subject in wanted:
            yield subject, subject.measure()
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        made = {pool.submit(subject.measure): subject for subject in wanted}
        for future in as_completed(made):
            yield made[future], future.result()


def subjects(section: str, paths: Sequence[Path]) -> Iterator[Subject]:
    """The subject of each row or rows: the recordings themselves, or scenes of two of them."""
    if section != "channels":
        for path in paths:
            yield Subject(section, path.stem, (path,))
        return
    for index, path in enumerate(paths):
        layout = list(LAYOUTS)[index % len(LAYOUTS)]
        rate = soundfile.info(path).samplerate
        other = next(
            each for each in [*paths[index + 1 :], *paths[: index + 1]] if soundfile.info(each).samplerate == rate
        )
        yield Subject(section, f"{layout}: {path.stem}, {other.stem}", (path, other), layout)


def recordings(arguments: Sequence[Path]) -> list[Path]:
    """Files, and those in folders, that are long enough."""
    found = [path for each in arguments for path in (sorted(each.iterdir()) if each.is_dir() else [each])]
    return [path for path in found if path.suffix in SUFFIXES and soundfile.info(path).duration >= MIN_SECONDS]


def page(rows: dict[str, list[Row]], names: Sequence[str]) -> str:
    """The page: what was done, and a table for each section that was measured."""
    text = f"""
        By `tools/check_files.py`, of {len(names)} recordings: {", ".join(names)}. All tails are the base's, at once.
        Flux and second difference are percentiles of the recording's own, of as many neighbours everywhere in it.
        Texture (which tails are matched by) and scattering (which they are not) are distances to the recording; 1.0 is
        that of another real segment. Files are read by libsndfile, points by wavinfo."""
    parts = ["# Gaps, loops, sets and channels\n", paragraph(text) + "\n"]
    sections = {
        "gaps": gaps_section,
        "earlier": earlier_section,
        "loops": partial(loops_section, cut=rows["cuts"]),
        "sets": sets_section,
        "channels": channels_section,
    }
    for name, write in sections.items():
        if rows[name]:
            parts.append(write(rows[name]))
    return "\n".join(parts)


def count(rows: Sequence[Row], *columns: str) -> str:
    """How many values of columns lie below the 99th percentile, in words."""
    values = [row[column] for row in rows for column in columns]
    return f"{sum(value < MAX_PERCENTILE for value in values)} of {len(values)}"


def above(rows: Sequence[Row], *columns: str) -> str:
    """How many values of columns exceed the 90th percentile, in words."""
    values = [row[column] for row in rows for column in columns]
    return f"{sum(value > UNUSUAL for value in values)} of {len(values)}"


def gaps_section(rows: Sequence[Row]) -> str:
    """Of each gap: its seams, level and texture."""
    seams = [f"{side} {kind}" for side in ("start", "end") for kind in KINDS]
    below = [count(rows, *(f"{side} {kind}" for side in ("start", "end"))) for kind in KINDS]
    unusual = f"{above(rows, *seams)} do, and {above(rows, *(f'cut {kind}' for kind in KINDS))} of the cuts"
    exact = sum(row["exact"] for row in rows)
    lines = [
        [
            row["name"],
            f"{row['gap']:g}",
            *(", ".join(f"{row[f'{seam} {kind}']:.0f}" for kind in KINDS) for seam in ("start", "end", "cut")),
        ]
        + [f"{row['level']:+.1f}, {row['real level']:+.1f}"]
        + [", ".join(distance(row[kind + measure]) for kind in ("", "tail ", "real ")) for measure in DISTANCES]
        for row in rows
    ]
    heads = ["recording", "s", "start", "end", "cut", "level", *DISTANCES]
    text = f"""
        A segment in the middle is replaced (`fill --from --to`). Everything outside is bit-exact in {exact} of
        {len(rows)} files. Of each seam: flux, and second difference. Below the {MAX_PERCENTILE:g}th percentile:
        {below[0]} seams by flux, {below[1]} by second difference. Cut: where the sides of the gap would meet directly.
        That hardly shows in steady noise, so more telling than the {MAX_PERCENTILE:g}th is the {UNUSUAL:g}th
        percentile, which one in ten of the recording's own moments exceeds: {unusual}. Level of what fills the gap,
        and of what was there, relative to the 5 s on either side, dB. Distances of what fills it, of a tail of the same
        length after BEFORE, and of what was there."""
    return section("Gaps", text, table(heads, lines))


def earlier_section(rows: Sequence[Row]) -> str:
    """Of what came before: its join, level and texture."""
    exact = sum(row["exact"] for row in rows)
    lines = [
        [row["name"], f"{row['flux']:.0f}", f"{row['bend']:.0f}", f"{row['level']:+.1f}, {row['tail level']:+.1f}"]
        + [", ".join(distance(row[kind + measure]) for kind in ("", "tail ")) for measure in DISTANCES]
        for row in rows
    ]
    text = f"""
        {EARLIER_SECONDS:g} s before each recording (`continue --backward`), which is bit-exact in {exact} of
        {len(rows)} files. Below the {MAX_PERCENTILE:g}th percentile: {count(rows, "flux")} joins by flux,
        {count(rows, "bend")} by second difference. Level relative to the recording's, dB, and distances, each
        of what came before and of a tail of the same length."""
    return section("What came before", text, table(["recording", "flux", "2nd difference", "level", *DISTANCES], lines))


def loops_section(rows: Sequence[Row], cut: Sequence[Row]) -> str:
    """Of each recording's loops: flux, second difference and cross-fade, whether the points are exact, and cuts."""
    kinds = list(dict.fromkeys(row["loop"] for row in rows))
    by_name: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_name.setdefault(row["name"], {})[row["loop"]] = row
    keys = ("flux", "bend", "fade")
    lines = [
        [name, *(", ".join(f"{found[kind][key]:.0f}" for key in keys) for kind in kinds)]
        for name, found in by_name.items()
    ]
    exact = sum(row["points"] for row in rows)
    at_random, at_zero = ([row for row in cut if row["kind"] == kind] for kind in ("cut", "zero"))
    text = f"""
        Loops alone, and one of {LOOP_SECONDS[1]:g} s after the recording (`--loop`). Each cell: flux and second
        difference from the last sample to the first, and the largest flux within the cross-fade at the end,
        among those of as long segments. Below the {MAX_PERCENTILE:g}th percentile: {count(rows, "flux")},
        {count(rows, "bend")} and {count(rows, "fade")}. A loop alone is a circle, cut where the waveform is
        flattest, so its seam is two neighbouring samples of the tail, whatever its length; the cross-fade is
        where its ends meet. The loop points of `smpl` are the first and last sample, and the cue point is the
        join, in {exact} of {len(rows)} files. What a test of seams has to find: of segments of {LOOP_SECONDS[0]:g} s
        that are cut out at random and repeated, {count(at_random, "flux")} are below that percentile by flux and
        {count(at_random, "bend")} by second difference; of those cut where the waveform rises through 0,
        {count(at_zero, "flux")} and {count(at_zero, "bend")}. Above the {UNUSUAL:g}th percentile, which one in ten of
        the recording's own moments exceeds, by both:
        {above(rows, *KINDS)} of the loops, {above(at_random, *KINDS)} of the cuts at random, and
        {above(at_zero, *KINDS)} of those at 0."""
    return section("Loops", text, table(["recording", *kinds], lines))


def sets_section(rows: Sequence[Row]) -> str:
    """Of each set: the nearest pair, and that of real segments."""
    lines = [
        [row["name"] + ("" if row["distinct"] else " (beats)")]
        + [f"{row['nearest']:.0%}, {row['real nearest']:.0%}"]
        + [f"{row[key]:.2f}, {row['real ' + key]:.2f}" for key in ("envelopes", "waveform")]
        + [f"{row[key]:.2f}, {row['first ' + key]:.2f}" for key in DISTANCES]
        + [f"{row['loudness']:.2f}"]
        for row in rows
    ]
    better = sum(row["nearest"] <= row["real nearest"] for row in rows)
    close = sum(row["nearest"] <= row["real nearest"] + WINDOW for row in rows)
    envelopes = sum(row["envelopes"] <= row["real envelopes"] + TOLERANCE for row in rows)
    unlike = sum(row["waveform"] <= row["real waveform"] + TOLERANCE for row in rows)
    near = sum(row["waveform"] <= row["real waveform"] + CLOSE for row in rows)
    control = min(row[key] for row in rows for key in ("control envelopes", "control waveform"))
    repeated = [row["control"] for row in rows]
    beats = sum(not row["distinct"] for row in rows)
    pairs = TAKES * (TAKES - 1) // 2
    heads = ["recording", "repeated", "envelopes", "waveform", *DISTANCES, "loudness, LU"]
    text = f"""
        {TAKES} takes of {TAKE_SECONDS:g} s (`--set`): of the nearest of {pairs} pairs, and of the nearest of {pairs}
        pairs of segments of the recording that do not overlap. Repeated: half seconds of one take that repeat a
        passage of another, by the measure that takes are made to avoid: no more than in the nearest real pair on
        {better} of {len(rows)} recordings, and at most one half second more on {close}. Envelopes, which nothing
        avoids: largest correlation of any half second of one take with one in another, by the powers of octaves every
        5 ms; no larger than that of real segments by more than {TOLERANCE:g} on {envelopes}. Waveform: the same by
        samples, which the other phases of each take lower; on {unlike}, and within {CLOSE:g} on {near}. A take whose
        seconds are put in the opposite order reads at least {control:.2f} against itself by both, and repeats
        {min(repeated):.0%} to {max(repeated):.0%}. Takes by beats ({beats} recordings) are not kept distinct.
        Distances: of takes 2 to {COMPARED}, whose phases are other ones, in the mean, and of the first, as a tail
        alone; both at the recording's level. Loudness: range within the set."""
    return section("Sets", text, table(heads, lines))


def channels_section(rows: Sequence[Row]) -> str:
    """Of each scene: the spatial covariance."""
    keys = ("difference", "octaves", "real", "real octaves")
    lines = [[row["name"], f"{row['channels']}", *(f"{row[key]:.1f}" for key in keys)] for row in rows]
    within = sum(row["difference"] <= MAX_DIFFERENCE_DB for row in rows)
    silent = [row for row in rows if row["silent"]]
    kept = sum(row["silence"] for row in rows)
    text = f"""
        Two recordings in a scene of three sources, encoded for each layout. Largest difference by pair of
        channels between the tail's spatial covariance and the prompt's, dB, over all frequencies (which the
        level guard holds), and in the median of seven octaves (which it does not); the same between two halves
        of the prompt. Within {MAX_DIFFERENCE_DB:g} dB: {within} of {len(rows)}. Silent channels are the same in
        {kept} of {len(rows)} ({len(silent)} scenes have one)."""
    return section(
        "Channels", text, table(["scene", "channels", "all", "octaves", "halves of the prompt", "octaves"], lines)
    )


def section(title: str, text: str, figures: str) -> str:
    """A section of the page: a paragraph, and a table."""
    return f"## {title}\n\n{paragraph(text)}\n\n{figures}"


def paragraph(text: str) -> str:
    """A text in lines of 120 characters."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def distance(value: float | None) -> str:
    """A distance, or a dash where the audio is too short."""
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Make, measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+", help="files, or folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--rows", type=Path, help="file of finished rows [the output's name with .jsonl]")
    parser.add_argument("--jobs", type=int, default=2, help="processes [2]")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections to measure, by commas")
    arguments = parser.parse_args()
    file = arguments.rows or arguments.output.with_suffix(".jsonl")
    paths = recordings(arguments.recordings)
    rows = measured(paths, arguments.only.split(","), file, arguments.jobs)
    write_text(arguments.output, page(rows, [path.stem for path in paths]))


if __name__ == "__main__":
    main()

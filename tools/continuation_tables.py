"""Tables of check_continuations.py: rows of finished tails -> Markdown, worst first."""

from __future__ import annotations

from typing import Any

import markdown_table
import numpy as np

from audiogen.metrics.candidate import Candidate
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.metrics.waveform_repeat import REPEAT_THRESHOLD

OUTPUT, AT_ONCE = "output", "budget 0"
AGAIN = "†"  # marks a recording that repeats its own samples
BEATS = "‡"  # marks a recording that is continued by its own beats
MAX_BARS = 2  # of a verbatim run, by default
Row = dict[str, Any]


def candidate_of(row: Row) -> Candidate:
    """A stored row as a candidate."""
    return Candidate(row["candidate"], row["overall"], {}, row["copied"], row["looped"], row["scattering"])


def summary(rows: list[Row]) -> tuple[str, list[Row]]:
    """The Markdown table with its summary, and one row per recording."""
    lines = []
    for name in dict.fromkeys(row["recording"] for row in rows):
        own = [row for row in rows if row["recording"] == name]
        tails = [row for row in own if row["candidate"] == OUTPUT]
        reference = next(row for row in own if row["candidate"] == "real")
        real = candidate_of(reference)
        others = [candidate_of(row) for row in own if row["candidate"] in BASELINES]

        lines.append(
            {
                "recording": name,
                "distances": [row["overall"] for row in tails],
                "median": float(np.median([row["overall"] for row in tails])),
                "worst class": worst_class(max(tails, key=lambda row: row["overall"])),
                "copied": max(row["copied"] for row in tails),
                "looped": max(row["looped"] for row in tails),
                "original": not any(candidate_of(row).repeats(real) for row in tails),
                "run": max(row.get("run", 0.0) for row in tails),
                "real run": reference.get("run", 0.0),
                "bar": next((row["bar"] for row in tails if row.get("bar")), None),
                "real": (real.copied, real.looped),
                "again": reference["repeat"] >= REPEAT_THRESHOLD,
                "beats": [ahead(row, "overall", others, real) for row in tails],
                "scattering": [row["scattering"] for row in tails],
                "also beats": [ahead(row, "scattering", others, real) for row in tails],
                "baselines": {
                    other.name: f"{other.overall:.2f}{'*' if other.repeats(real) else ''}" for other in others
                },
                "seconds": max(row["seconds"] for row in tails),
                "base": sum(row.get("chosen") == "base" for row in tails),
                "at once": [row for row in own if row["candidate"] == AT_ONCE],
            }
        )
    lines.sort(key=lambda line: -line["median"])
    return table(lines), lines


def ahead(tail: Row, measure: str, baselines: list[Candidate], real: Candidate) -> bool:
    """Whether a tail is closer than all baselines; those that repeat count only if the tail repeats as well."""
    repeating = candidate_of(tail).repeats(real)
    values = [getattr(other, measure) for other in baselines if repeating or not other.repeats(real)]
    return bool(tail[measure] < min((value for value in values if value is not None), default=np.inf))


def worst_class(row: Row) -> str:
    """The class with the largest texture distance, and its value."""
    from audiogen.representation.texture_statistics import RESOLUTION

    value, name = max((row[name], name) for name in RESOLUTION if row.get(name) is not None)
    return f"{name} {value:.1f}"


def table(lines: list[Row]) -> str:
    """The rows of `summary` as Markdown."""
    hasty = any(line["at once"] for line in lines)
    heads = ["recording", "distance", "seeds", "worst class", "copied", "looped", "real copied / looped"]
    heads += ["verbatim, s (bars) / real", "beats all"]
    heads += ["scattering", "beats all"]
    heads += [*BASELINES, "s", *([AT_ONCE] if hasty else [])]
    cells_of: list[list[str]] = []
    for line in lines:
        seeds = " ".join(f"{value:.2f}" for value in line["distances"])
        real = " / ".join("–" if share is None else f"{share:.0%}" for share in line["real"])
        run = f"{line['run']:.1f}" + (f" ({line['run'] / line['bar']:.1f})" if line["bar"] else "")
        run += f" / {line['real run']:.1f}"
        shares = [f"{line['copied']:.0%}", f"{line['looped']:.0%}", real, run]
        beats = f"{sum(line['beats'])} of {len(line['beats'])}"
        others = [line["baselines"].get(name, "–") for name in BASELINES]
        name = line["recording"] + AGAIN * line["again"] + BEATS * bool(line["bar"])
        second = [f"{np.median(line['scattering']):.2f}", f"{sum(line['also beats'])} of {len(line['also beats'])}"]
        cells = [name, f"{line['median']:.2f}", seeds, line["worst class"], *shares, beats, *second, *others]
        cells += [f"{line['seconds']:.0f}", *([at_once(line["at once"])] if hasty else [])]
        cells_of.append(cells)
    text = [markdown_table.table(heads, cells_of), *legend(hasty), "", *totals(lines)]
    if (fresh := [line for line in lines if not line["again"]]) and len(fresh) < len(lines):
        text += ["", f"Without the {len(lines) - len(fresh)} recordings marked {AGAIN}:", "", *totals(fresh)]
    return "\n".join(text) + "\n"


def at_once(tails: list[Row]) -> str:
    """The cell for a budget of 0 s: median distance and largest wall-clock time."""
    if not tails:
        return "–"
    distance = np.median([row["overall"] for row in tails])
    return f"{distance:.2f} ({max(row['seconds'] for row in tails):.0f} s)"


def legend(hasty: bool) -> list[str]:
    """Explanation of the columns."""
    text = [
        "Distance: texture distance, the median over the seeds; copied, looped, verbatim and s (wall-clock seconds):",
        "the largest. An asterisk marks a baseline that copies or repeats itself more than the real audio plus 5 %.",
        "Beats all: the number of seeds with which the tail is closer than every baseline without an asterisk or,",
        "where the tail itself copies or repeats itself as much, than every baseline, a loop above all.",
    ]
    text += [
        "Scattering: the same with scattering moments, which texture matching does not optimise.",
        f"{AGAIN}: the real last quarter repeats earlier samples (waveform correlation of most seconds "
        f"{REPEAT_THRESHOLD}",
        "and above): another real segment is a copy there, and a tail that copies nothing cannot be as close.",
    ]
    text += [
        f"{BEATS}: continued by its own beats, of which it may read on two bars: half a second of a beat is a copy, so",
        "that such a tail is seldom original. Verbatim: the longest passage that is the prompt's, sample by sample, at",
        "one shift, found in the waveforms (tools/verbatim_runs.py), in seconds and, of tails by beats, in bars; and",
        "that of the real continuation.",
    ]
    return text + [f"“{AT_ONCE}”: the shipped base alone, median distance and longest time."] * hasty


def totals(lines: list[Row]) -> list[str]:
    """Summary of the table."""
    every = np.concatenate([line["distances"] for line in lines])
    won = np.mean(np.concatenate([line["beats"] for line in lines]))
    ahead = sum(all(line["beats"]) for line in lines)
    second = np.concatenate([line["scattering"] for line in lines])
    also = np.mean(np.concatenate([line["also beats"] for line in lines]))
    middle = np.median([line["median"] for line in lines])
    text = [
        f"- median over recordings {middle:.2f}, over all {len(every)} tails {np.median(every):.2f}",
        f"- geometric mean {np.exp(np.log(every).mean()):.2f}, largest {every.max():.2f}",
        f"- {np.mean(every <= 1.15):.0%} within 1.15, {np.mean(every > 1.8):.0%} above 1.8",
        f"- closer than every baseline that counts: {won:.0%} of tails,"
        f" {ahead} of {len(lines)} recordings with every seed",
        f"- by scattering moments: median {np.median(second):.2f}, geometric mean {np.exp(np.log(second).mean()):.2f},"
        f" closer than every such baseline: {also:.0%} of tails",
        f"- original (copied and looped within the real audio's own and 5 %): {sum(line['original'] for line in lines)}"
        f" of {len(lines)} recordings",
        f"- longest {max(line['seconds'] for line in lines):.0f} s",
    ]
    if by_beats := [line for line in lines if line["bar"]]:
        kept = sum(line["run"] <= MAX_BARS * line["bar"] for line in by_beats)
        text.append(
            f"- recordings continued by their own beats: {len(by_beats)}; without a run beyond two bars: {kept}"
        )
    if based := sum(line["base"] for line in lines):
        text.append(f"- {based} of the tails with the base, chosen on the prompt's end")
    hasty = [row for line in lines for row in line["at once"]]
    if hasty:
        distances, longest = [row["overall"] for row in hasty], max(row["seconds"] for row in hasty)
        text.append(
            f"- {AT_ONCE}: median over all {len(hasty)} tails {np.median(distances):.2f}, largest {max(distances):.2f},"
            f" longest {longest:.0f} s"
        )
    return text

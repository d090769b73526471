"""One self-contained HTML page on which one of several continuations of a prompt is chosen by ear."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audiogen.audio import Recording
from audiogen.output_names import sidecar_of
from audiogen.reports.continuation_page import Excerpt, excerpt_of, facts, note, seam_of
from audiogen.reports.figures import spectrograms
from audiogen.reports.panels import Panel, panels, write_template
from audiogen.reports.scorecard import Line, scorecard
from audiogen.text_files import dump_json, write_text

BEFORE, AFTER = 10.0, 45.0  # seconds of the prompt and of each tail
LONGEST = 600.0  # seconds in all players: 15 MB of page, 200 MB of memory
FIRST_SIGHT = ("texture", "copying", "looping", "level")  # measures that stand beside a player


@dataclass(frozen=True)
class Variation:
    """One continuation as the page shows it.

    Args:
        file: its name, in the page's folder.
        seed: that it was made by.
        excerpt: the prompt's end and the tail's beginning; of a loop alone, its own end and beginning.
        lines: its measures.
        figures: the most important of them, in a few words.
        roll: its piano roll, as `audiogen.reports.piano_rolls.rolls` draws it, or nothing.
    """

    file: str
    seed: int
    excerpt: Excerpt
    lines: Sequence[Line]
    figures: str = ""
    roll: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """What the page says of all variations.

    Args:
        prompt: its name.
        facts: what they have in common, by name.
        note: to be read last.
        warnings: of them all; each is shown once.
        mark: what the dashed line is: "join", or "seam" of a loop.
        judged: whether their measures say what is good.
    """

    prompt: str
    facts: Sequence[tuple[str, str]]
    note: str
    warnings: Sequence[str]
    mark: str = "join"
    judged: bool = True


def write_variations(
    path: Path, prompt: Recording, outs: Sequence[Path], sidecars: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page of a recording's continuations, and note it in their sidecars.

    Args:
        path: HTML file to write, in the folder of ``outs``.
        prompt: what was continued.
        outs: the audio files, `audiogen.output_names.MAX_ON_PAGE` at most.
        sidecars: of each, what `continue_variations` gave.

    Raises:
        InputError: an audio file cannot be read, or is not of the prompt's rate and channels.
    """
    before, after = spans(len(outs))
    settings = sidecars[0]["settings"]
    alone = settings["loop"] and settings["tail_only"]  # such a loop is not entered where the prompt ends
    variations = []
    for out, sidecar in zip(outs, sidecars, strict=True):
        join = sidecar["join_sample"]
        around = seam_of(out, before, after) if alone else excerpt_of(prompt, out, join, before, after)
        measures = sidecar["measures"]
        variations.append(Variation(out.name, sidecar["seed"], around, scorecard(measures), _in_words(measures)))
    given = prompt.cut(max(prompt.length - round(before * prompt.sample_rate), 0), prompt.length)
    about = About(
        prompt.path.name if prompt.path else "A recording",
        [fact for fact in facts(prompt, sidecars[0]) if fact[0] not in ("Seed", "Time taken")],
        "" if alone else note(prompt, variations[0].excerpt),
        [text for each in sidecars for text in each["warnings"]],
        "seam" if alone else "join",
    )
    write_page_of(path, Excerpt(given, given.length, 0), variations, about)
    note_page(path, outs, sidecars)


def note_page(path: Path, outs: Sequence[Path], sidecars: Sequence[Mapping[str, Any]]) -> None:
    """Write the sidecars anew, with the page that is there by now."""
    for out, sidecar in zip(outs, sidecars, strict=True):
        write_text(sidecar_of(out), dump_json({**sidecar, "page": path.name}))


def spans(count: int) -> tuple[float, float]:
    """Seconds before and after the join that each of so many players has: less where there are many."""
    each = LONGEST / count
    before = min(BEFORE, each / 3)
    return before, min(AFTER, each - before)


def write_page_of(path: Path, given: Excerpt, variations: Sequence[Variation], about: About) -> None:
    """Write the page.

    Args:
        path: HTML file to write.
        given: the prompt's end, alone; past its join, how it dies away.
        variations: one at least.
        about: what is said of them all.
    """
    count = len(variations)
    write_template(
        path,
        "variations.html.j2",
        {
            "title": f"{about.prompt}, continued" + (f" in {count} ways" if count > 1 else ""),
            "facts": about.facts,
            "note": about.note,
            "warnings": list(dict.fromkeys(about.warnings)),
            "mark": about.mark,
            "judged": about.judged,
            "panels": _panels(given, variations),
            "rows": _rows(variations),
        },
    )


def _panels(given: Excerpt, variations: Sequence[Variation]) -> list[dict[str, Any]]:
    """The prompt's end, then each variation: heard, seen on one colour scale, and in figures."""
    first, *pictures = spectrograms([given.joined, *(each.excerpt.joined for each in variations)])
    shown = [
        Panel(f"variation-{number}", each.file, each.excerpt.joined, picture, zero=each.excerpt.prompt.seconds)
        for number, (each, picture) in enumerate(zip(variations, pictures, strict=True), 1)
    ]
    heard, *others = panels(
        [Panel("prompt", "The prompt's end", given.joined, first, 10, given.prompt.seconds), *shown]
    )
    return [
        heard,
        *(
            panel
            | {
                "file": quote(os.fsencode(each.file)),
                "join": each.excerpt.prompt.seconds,
                "figures": f"seed {each.seed}" + (f", {each.figures}" if each.figures else ""),
                "remarkable": [line for line in each.lines if not line.good],
                **each.roll,
            }
            for panel, each in zip(others, variations, strict=True)
        ),
    ]


def _rows(variations: Sequence[Variation]) -> list[tuple[str, list[Line | None], str]]:
    """The measures side by side: label, a cell for each variation, what it says."""
    found = [{line.label: line for line in each.lines} for each in variations]
    sentences = {label: line.sentence for lines in found for label, line in lines.items()}
    return [(label, [lines.get(label) for lines in found], sentence) for label, sentence in sentences.items()]


def _in_words(measures: Mapping[str, Any]) -> str:
    lines = scorecard({name: measures[name] for name in FIRST_SIGHT if name in measures})
    return ", ".join(f"{line.label.lower()} {line.value}" for line in lines)

"""The page of several continuations of one prompt, to choose one by ear, in one HTML file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audiogen.audio import Recording
from audiogen.output_names import sidecar_of
from audiogen.reports.continuation_page import facts
from audiogen.reports.excerpts import Excerpt, playback_note, read_excerpt, read_loop_seam
from audiogen.reports.figures import spectrograms
from audiogen.reports.file_parts import FilePart, playable_part
from audiogen.reports.panels import MAX_WAV_SECONDS, Panel, audio_uri, panels, write_template
from audiogen.reports.scorecard import ScorecardLine, scorecard
from audiogen.text_files import dump_json, write_text

BEFORE_SECONDS, AFTER_SECONDS = 10.0, 45.0  # of the prompt and of each tail, where sounds are embedded
MAX_TOTAL_SECONDS = 600.0  # of all embedded players: a page of 15 MB, 200 MB of memory
SEAM_SECONDS = MAX_WAV_SECONDS / 2  # on either side of a loop's seam: embedded without compression
SUMMARY_MEASURES = ("texture", "copying", "looping", "level")  # measures shown beside a player


@dataclass(frozen=True)
class Variation:
    """One continuation as the page shows it.

    Args:
        file: its name, in the page's folder.
        seed: random seed of this variation.
        excerpt: end of the prompt and beginning of the tail; of a loop without the prompt, once around from its end; or
            the end of the prompt and the whole tail, or the whole loop, in a file that the page plays.
        lines: its measures.
        figures: the most important measures in one line.
        roll: its piano roll from `audiogen.reports.piano_rolls.piano_rolls`, or empty.
        seam: of a loop without the prompt, a moment of its end and of its beginning, which is played without a gap.
    """

    file: str
    seed: int
    excerpt: Excerpt | FilePart
    lines: Sequence[ScorecardLine]
    figures: str = ""
    roll: Mapping[str, Any] = field(default_factory=dict)
    seam: Recording | None = None

    @property
    def before(self) -> float:
        """Seconds from the beginning of the picture to the join."""
        return self.excerpt.before if isinstance(self.excerpt, FilePart) else self.excerpt.prompt.seconds


@dataclass(frozen=True)
class PageText:
    """Text of the page that concerns all variations.

    Args:
        prompt: name of the prompt.
        facts: common settings, as (name, value).
        note: last line of the page.
        warnings: of all variations; each is shown once.
        mark: meaning of the dashed line: "join", or "seam" of a loop.
        graded: whether the measures have a range that counts as good.
    """

    prompt: str
    facts: Sequence[tuple[str, str]]
    note: str
    warnings: Sequence[str]
    mark: str = "join"
    graded: bool = True


def write_variations_page(
    path: Path, prompt: Recording, outs: Sequence[Path], sidecars: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page of a recording's continuations, and record it in their sidecars.

    Whole tails are heard and seen. Those too long to be embedded are played from their files, which the page then needs
    beside it; where browsers do not play such a file, an excerpt is embedded. The seam of a loop is embedded, too.

    Args:
        path: HTML file to write, in the folder of ``outs``.
        prompt: the continued recording.
        outs: the audio files, at most `audiogen.output_names.MAX_ON_PAGE`.
        sidecars: of each, as `continue_variations` returns them.

    Raises:
        InputError: an audio file cannot be read, or its format differs from the prompt's.
    """
    before, after = excerpt_lengths(len(outs))
    settings = sidecars[0]["settings"]
    # A loop that is written without the prompt does not begin at the end of the prompt.
    alone = settings["loop"] and (settings["tail_only"] or settings["ambience"])
    variations = []
    for out, sidecar in zip(outs, sidecars, strict=True):
        measures = sidecar["measures"]
        lines, summary = scorecard(measures), _summary(measures)
        if alone:
            seam = read_loop_seam(out, SEAM_SECONDS, SEAM_SECONDS).joined
            around = _around_seam(out, before, after)
        else:
            seam, around = None, _around_join(prompt, out, sidecar, before, after)
        variations.append(Variation(out.name, sidecar["seed"], around, lines, summary, seam=seam))
    given = prompt.cut(max(prompt.length - round(before * prompt.sample_rate), 0), prompt.length)
    text = PageText(
        prompt.path.name if prompt.path else "A recording",
        [fact for fact in facts(prompt, sidecars[0]) if fact[0] not in ("Seed", "Time taken")],
        _note(prompt, variations, alone),
        [text for each in sidecars for text in each["warnings"]],
        "seam" if alone else "join",
    )
    write_page(path, Excerpt(given, given.length, 0), variations, text)
    record_page(path, outs, sidecars)


def _around_join(
    prompt: Recording, out: Path, sidecar: Mapping[str, Any], before: float, after: float
) -> Excerpt | FilePart:
    """What a player plays: an embedded excerpt if it holds the whole tail, else the file if browsers play it."""
    excerpt = read_excerpt(prompt, out, sidecar["join_sample"], before, after)
    if excerpt.tail_length <= excerpt.tail.length:
        return excerpt
    return playable_part(out, sidecar["join_sample"], before) or excerpt


def _around_seam(out: Path, before: float, after: float) -> Excerpt | FilePart:
    """The same of a loop without the prompt: once around, its seam inside, or its file from the seam on."""
    around = read_loop_seam(out, before, after)
    if around.tail_length <= around.joined.length:
        return around
    return playable_part(out, 0, 0) or around


def _note(prompt: Recording, variations: Sequence[Variation], alone: bool) -> str:
    first = variations[0].excerpt
    if isinstance(first, FilePart):
        return "The players play the files beside this page: keep them together."
    if alone:
        return ""
    return playback_note(prompt, first)


def record_page(path: Path, outs: Sequence[Path], sidecars: Sequence[Mapping[str, Any]]) -> None:
    """Write the sidecars again, with the name of the page."""
    for out, sidecar in zip(outs, sidecars, strict=True):
        write_text(sidecar_of(out), dump_json({**sidecar, "page": path.name}))


def excerpt_lengths(count: int) -> tuple[float, float]:
    """Seconds before and after the join in each of ``count`` players: fewer if there are many."""
    each = MAX_TOTAL_SECONDS / count
    before = min(BEFORE_SECONDS, each / 3)
    return before, min(AFTER_SECONDS, each - before)


def write_page(path: Path, given: Excerpt, variations: Sequence[Variation], text: PageText) -> None:
    """Write the page of variations of a recording or of a tune.

    Args:
        path: HTML file to write.
        given: the end of the prompt alone; after its join, its decay.
        variations: at least one.
        text: common to all variations.
    """
    count = len(variations)
    write_template(
        path,
        "variations.html.j2",
        {
            "title": f"{text.prompt}, continued" + (f" in {count} ways" if count > 1 else ""),
            "facts": text.facts,
            "note": text.note,
            "warnings": list(dict.fromkeys(text.warnings)),
            "mark": text.mark,
            "graded": text.graded,
            "panels": _panels(path, given, variations),
            "rows": _rows(variations),
        },
    )


def _panels(path: Path, given: Excerpt, variations: Sequence[Variation]) -> list[dict[str, Any]]:
    """Player, spectrogram and main measures of the prompt's end and of each variation, all on its colour scale."""
    sounds = [each.excerpt if isinstance(each.excerpt, FilePart) else each.excerpt.joined for each in variations]
    first, *pictures = spectrograms([given.joined, *sounds], contrast_of=0)
    shown = [
        Panel(f"variation-{number}", each.file, sound, picture, zero=each.before)
        for number, (each, sound, picture) in enumerate(zip(variations, sounds, pictures, strict=True), 1)
    ]
    prompt, *others = panels(
        [Panel("prompt", "The prompt's end", given.joined, first, 10, given.prompt.seconds), *shown], path
    )
    return [
        prompt | {"range": f"{first.span:.0f}"},
        *(
            panel
            | {
                "file": quote(os.fsencode(each.file)),
                "before": each.before,
                "figures": f"seed {each.seed}" + (f", {each.figures}" if each.figures else ""),
                "seam": audio_uri(each.seam) if each.seam is not None else None,
                "flagged": [line for line in each.lines if not line.good],
                **each.roll,
            }
            for panel, each in zip(others, variations, strict=True)
        ),
    ]


def _rows(variations: Sequence[Variation]) -> list[tuple[str, list[ScorecardLine | None], str]]:
    """The table of measures: label, a cell per variation, explanation."""
    by_label = [{line.label: line for line in each.lines} for each in variations]
    sentences = {label: line.sentence for lines in by_label for label, line in lines.items()}
    return [(label, [lines.get(label) for lines in by_label], sentence) for label, sentence in sentences.items()]


def _summary(measures: Mapping[str, Any]) -> str:
    lines = scorecard({name: measures[name] for name in SUMMARY_MEASURES if name in measures})
    return ", ".join(f"{line.label.lower()} {line.value}" for line in lines)

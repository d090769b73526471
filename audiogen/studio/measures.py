"""Measures of a take in the words of a designer; the figures stand beside them for whoever asks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audiogen.audio import Recording, read_segment
from audiogen.errors import InputError
from audiogen.metrics.copying import RepetitionDetector
from audiogen.reports.scorecard import CLOSE_TEXTURE, GOOD_TEXTURE, OTHER_TEXTURE, flatten, scorecard
from audiogen.sound.prompt_analysis import MATERIAL_SECONDS

MAX_TIMES = 5
MAX_REPEATED = 0.1  # of the tail, as on the scorecard
MAX_COMPARED_SECONDS = 120.0
Word = tuple[str, bool | None]
"""A sentence, and whether it is good news; None for neither."""


def describe(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """``words`` (sentence and whether it is good) and ``figures`` (label, value, explanation) of a sidecar."""
    measures = sidecar.get("measures") or {}
    flat = flatten(measures)
    words = [word for about in SENTENCES for word in about(flat)]
    if flat.get("looping.fraction", 0.0) > MAX_REPEATED:
        words += _repetitions(sidecar.get("repeats") or [])
    figures = [[line.label, line.value, line.sentence] for line in scorecard(measures)]
    if not figures:  # of a tune
        figures = [[name.replace("_", " "), f"{value:g}", ""] for name, value in flat.items() if _is_number(value)]
    return {"words": [list(word) for word in words], "figures": figures}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texture(flat: Mapping[str, Any]) -> Iterator[Word]:
    distance = flat.get("texture.overall")
    if distance is None:
        return
    if distance <= CLOSE_TEXTURE:
        yield "as close as another take of the same place", True
    elif distance <= GOOD_TEXTURE:
        yield "nearly as close as another take of the same place", True
    elif distance <= OTHER_TEXTURE:
        yield "a different moment of the place", False
    else:
        yield "another place", False


def _level(flat: Mapping[str, Any]) -> Iterator[Word]:
    change = flat.get("level.difference_db")
    if change is None:
        return
    if abs(change) < 1:
        yield "as loud as the recording", True
    else:
        yield f"{'louder' if change > 0 else 'quieter'} by {abs(change):.1f} dB", abs(change) <= 2


def _join(flat: Mapping[str, Any]) -> Iterator[Word]:
    for name, place in (("join", "the join"), ("loop_seam", "the loop's seam")):
        flux, click = flat.get(f"{name}.flux_percentile"), flat.get(f"{name}.click_percentile")
        if flux is None and click is None:
            continue
        if (click or 0) > 99:
            yield f"{place} may click", False
        elif (flux or 0) > 99:
            yield f"{place} stands out", False
        else:
            yield f"{place} does not stand out", True


def _copies(flat: Mapping[str, Any]) -> Iterator[Word]:
    copied = flat.get("copying.fraction")
    if copied is not None and copied > MAX_REPEATED:
        yield f"{copied:.0%} of it is copied from the recording", False


def _drift(flat: Mapping[str, Any]) -> Iterator[Word]:
    level, centroid = flat.get("drift.level_change_db"), flat.get("drift.centroid_change_percent")
    if level is not None and abs(level) > 1.5:
        yield f"becomes {'louder' if level > 0 else 'quieter'} towards its end, by {abs(level):.1f} dB", False
    if centroid is not None and abs(centroid) > 10:
        yield f"becomes {'brighter' if centroid > 0 else 'darker'} towards its end", False


def _stereo(flat: Mapping[str, Any]) -> Iterator[Word]:
    change = flat.get("stereo.correlation_difference")
    if change is not None and change > 0.15:
        yield "its stereo image is another one", False


def _tune(flat: Mapping[str, Any]) -> Iterator[Word]:
    copied = flat.get("longest_run_of_prompt_notes")
    if copied is not None:
        yield f"quotes at most {copied:g} notes of the tune in a row", None


SENTENCES = (_texture, _level, _join, _copies, _drift, _stereo, _tune)


def _repetitions(times: list[float]) -> list[Word]:
    if not times:
        return []
    shown = ", ".join(f"{time:.1f} s" for time in times[:MAX_TIMES])
    more = " and elsewhere" if len(times) > MAX_TIMES else ""
    return [(f"repeats itself at {shown}{more}", False)]


def repeated_times(prompt: Recording, out: Path, join_sample: int) -> list[float]:
    """Where in its tail a take repeats itself: seconds after the join, half a second apart at least."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        join = join_sample / prompt.sample_rate
        tail = read_segment(out, join, join + MAX_COMPARED_SECONDS)
    try:
        matches = RepetitionDetector(prompt.last(MATERIAL_SECONDS)).looping(tail)
    except InputError:  # too short
        return []
    times: list[float] = []
    for time in matches.times[matches.repeated]:
        if not times or time - times[-1] >= 0.5:
            times.append(round(float(time), 1))
    return times

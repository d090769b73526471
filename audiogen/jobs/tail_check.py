"""Check of a written tail: its measures, and one line for each that lies far from the recording's own.

What is usual is taken from segments of the recording wherever possible (`metrics.segments`). The margins beyond it
were set on recordings of rain, wind, water, fire, traffic, birds and insects, so that none of their tails is warned of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from audiogen.audio import Recording
from audiogen.jobs.loudness_target import amplified
from audiogen.jobs.request import Request
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.tail_measures import measure_continuation
from audiogen.progress import checkpoint
from audiogen.reports.scorecard import GOOD_TEXTURE, flatten
from audiogen.sound.prompt_analysis import PromptParts

MAX_WARNINGS = 3  # per tail
MIN_SECONDS = 1.0  # shorter tails are not warned of: their measures are too uncertain
MAX_REPEATED = 0.1  # fraction of half seconds that are copies or repetitions
TONALITY_DB, MIN_TONALITY_DB = 5.0, -3.0  # beyond the segments' range; tones over the rest, from which they matter
DIP_DB = 5.0  # beyond the recording's deepest dip
LEVEL_DB = 2.5  # beyond the segments' range
STEP_DB = 3.0  # at the join
CENTROID, VARIANCE, CORRELATION = 0.12, 2.0, 0.15  # beyond the segments' range: fraction; ratio; difference
FLUX, CLICK = 2.0, 6.0  # times the usual, if nothing in the recording reaches as much

LISTEN = "listen to it, and to one with another --seed"
EDGES = "cut a moment off the recording's end, or try another --seed"
ENCODED = "the codec makes it, which encodes the tail alone: write WAV or FLAC to lay it after the recording"
LEVEL = "try another --seed, or amplify it by {change} dB"
LONGER = "give a longer recording, or try another --seed"
STEADIER = "try --temperature 0.5 or another --seed"

Flat = Mapping[str, Any]


def check_tail(
    prompt: PromptParts,
    out: Path,
    join_sample: int,
    request: Request,
    kind: str = "",
    gain_db: float = 0.0,
    follows: bool = True,
    lossy: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """Measure a written tail.

    Args:
        prompt: what it continues; its material is what the tail is compared with.
        out: the file.
        join_sample: first sample of the tail in it.
        request: properties that were requested of it.
        kind: see `tail_warnings`.
        gain_db: by which prompt and tail were amplified for the file.
        follows: whether it is meant to be played after the prompt: a take of a set is not, and has no join.
        lossy: whether the file was encoded with losses.

    Returns:
        Its measures (`metrics.tail_measures.measure_continuation`), and `tail_warnings` about them.
    """
    evaluator = evaluator_of(prompt.material)
    checkpoint()
    material = amplified(prompt.material, gain_db) if gain_db else prompt.material
    measures = measure_continuation(material, out, join_sample, None, request.loop, evaluator, gain_db)
    rotated = request.loop and not request.writes_prompt  # such a loop does not start at the end of the prompt
    if rotated or not follows or not prompt.joins_material or prompt.bed is not None:
        measures["join"] = None
    elif lossy and not request.writes_prompt and measures["join"] is not None:
        measures["join"]["encoded_alone"] = True
    return measures, tail_warnings(measures, request, kind)


@lru_cache(maxsize=1)
def evaluator_of(material: Recording) -> TailEvaluator:
    """The analysis of a recording, kept for the next tail of the same one (not of an equal one)."""
    return TailEvaluator(material)


def tail_warnings(measures: Mapping[str, Any], request: Request, kind: str = "") -> list[str]:
    """Find what a user should know about a tail.

    Args:
        measures: see `metrics.tail_measures.measure_continuation`.
        request: a measure that the request changes on purpose is not warned of.
        kind: "morph" for a tail that morphs into another texture, "rhythm" for one of whole beats, "events" for
            one of separate events, whose level is that of the few that a segment happens to hold, else "".

    Returns:
        At most `MAX_WARNINGS` lines, the most important first, each with the figure, what is usual, and a cure.
    """
    flat = flatten(measures)
    if flat.get("seconds", MIN_SECONDS) < MIN_SECONDS:
        return []
    requested = {
        "level": request.level != 0,
        "brightness": request.brightness != 0,
        "density": request.density != 1,
        "temperature": request.temperature != 1,
        "morph": kind == "morph",
        "rhythm": kind == "rhythm",
        "events": kind == "events",
    }
    applicable = [check for check, excuses in CHECKS if not any(requested[name] for name in excuses)]
    return [text for check in applicable for text in check(flat)][:MAX_WARNINGS]


@dataclass(frozen=True)
class RangeCheck:
    """Compares the range of a measure over the tail's segments with its range over the recording's.

    Args:
        measure: name below ``segments``.
        limits: the recording's lowest and highest value -> the lowest and highest acceptable ones.
        above, below: texts with ``{value}``, ``{usual}`` (the recording's range) and ``{change}`` that would undo it.
        both: text where the range is exceeded at both ends, with ``{low}`` and ``{high}``; None for ``above``.
        form: of the numbers.
    """

    measure: str
    limits: Callable[[float, float], tuple[float, float]]
    above: str
    below: str
    both: str | None = None
    form: str = ".1f"

    def __call__(self, flat: Flat) -> Iterator[str]:
        edges = segment_range(flat, self.measure)
        if edges is None:
            return
        low, high, usual_low, usual_high = edges
        lowest, highest = self.limits(usual_low, usual_high)
        usual = f"from {usual_low:{self.form}} to {usual_high:{self.form}}"
        if low < lowest and high > highest and self.both is not None:
            yield self.both.format(low=f"{low:{self.form}}", high=f"{high:{self.form}}", usual=usual)
        elif high > highest:
            yield self.above.format(value=f"{high:{self.form}}", usual=usual, change=f"{usual_high - high:.0f}")
        elif low < lowest:
            yield self.below.format(value=f"{low:{self.form}}", usual=usual, change=f"{usual_low - low:.0f}")


def segment_range(flat: Flat, measure: str) -> tuple[float, float, float, float] | None:
    """Lowest and highest value of a measure over the tail's segments, then over the recording's; None if unknown."""
    edges = [flat.get(f"segments.{measure}.{edge}") for edge in ("low", "high", "usual_low", "usual_high")]
    low, high, usual_low, usual_high = edges
    if low is None or high is None or usual_low is None or usual_high is None:
        return None
    return low, high, usual_low, usual_high


_level = RangeCheck(
    "level_db",
    lambda low, high: (low - LEVEL_DB, high + LEVEL_DB),
    above=f"its level rises to {{value}} dBFS, the recording's is {{usual}}; {LEVEL}",
    below=f"its level falls to {{value}} dBFS, the recording's is {{usual}}; {LEVEL}",
    both=f"its level varies from {{low}} to {{high}} dBFS, the recording's {{usual}}; {STEADIER}",
)
_brightness = RangeCheck(
    "centroid_hz",
    lambda low, high: (low * (1 - CENTROID), high * (1 + CENTROID)),
    above=f"it becomes brighter: its spectral centroid rises to {{value}} Hz, the recording's is {{usual}}; {LISTEN}",
    below=f"it becomes darker: its spectral centroid falls to {{value}} Hz, the recording's is {{usual}}; {LISTEN}",
    form=".0f",
)
_variability = RangeCheck(
    "variance",
    lambda low, high: (low / VARIANCE, VARIANCE * high),
    above=f"it is rougher: the variance of its bands reaches {{value}} dB², the recording's is {{usual}}; {LISTEN}",
    below=f"it freezes: the variance of its bands falls to {{value}} dB², the recording's is {{usual}}; {LONGER}",
)
_stereo_image = RangeCheck(
    "correlation",
    lambda low, high: (low - CORRELATION, high + CORRELATION),
    above=f"its stereo image narrows: the channels correlate by {{value}}, the recording's {{usual}}; {LISTEN}",
    below=f"its stereo image widens: the channels correlate by {{value}}, the recording's {{usual}}; {LISTEN}",
    form=".2f",
)


def _tonality(flat: Flat) -> Iterator[str]:
    edges = segment_range(flat, "tonality_db")
    if edges is None:
        return
    low, high, usual_low, usual_high = edges
    if usual_low > MIN_TONALITY_DB and high < usual_low - TONALITY_DB:
        yield f"its tones became noise: {high:.0f} dB over the rest, {usual_low:.0f} in the recording; {LISTEN}"
    elif low > max(usual_high + TONALITY_DB, MIN_TONALITY_DB):
        yield f"it rings: its tones are {low:.0f} dB over the rest, {usual_high:.0f} in the recording; {LISTEN}"


def _dips(flat: Flat) -> Iterator[str]:
    if "dips.dip_db" not in flat:
        return
    dip, usual = flat["dips.dip_db"], flat["dips.usual_dip_db"]
    if dip <= usual + DIP_DB:
        return
    fades = {"in": flat["dips.fade_in_seconds"], "out": flat["dips.fade_out_seconds"]}
    named = " and ".join(f"{direction} over {seconds:.1f} s" for direction, seconds in fades.items() if seconds > 0)
    cure = f"the recording fades {named}: cut that off first" if named else STEADIER
    yield f"its level dips by {dip:.0f} dB below its median, the recording's by {usual:.0f} at most; {cure}"


def _texture(flat: Flat) -> Iterator[str]:
    overall = flat.get("texture.overall")
    if overall is None or overall <= GOOD_TEXTURE:
        return
    prefix = "texture.classes."
    classes = {key.removeprefix(prefix): value for key, value in flat.items() if key.startswith(prefix)}
    worst = max(classes, key=lambda name: classes[name])
    yield (
        f"its texture differs from the recording's: a distance of {overall:.1f} (1.0 between the recording's own"
        f" segments, up to {GOOD_TEXTURE:g} is good), most in {worst} ({classes[worst]:.1f}); {LISTEN}"
    )


def _join(flat: Flat) -> Iterator[str]:
    for prefix, position in (("join", "at the join"), ("loop_seam", "where the loop starts over")):
        flux, click, step = (flat.get(f"{prefix}.{name}", 0.0) for name in ("flux", "click", "level_step_db"))
        rare = {name: flat.get(f"{prefix}.{name}_percentile", 0.0) >= 99.5 for name in ("flux", "click", "level_step")}
        cure = ENCODED if flat.get(f"{prefix}.encoded_alone") else EDGES
        if rare["click"] and click > CLICK:
            yield f"there is a click {position}: {click:.0f} times the usual prediction error; {cure}"
        elif rare["flux"] and flux > FLUX:
            yield f"there is a break {position}: the spectrum changes {flux:.1f} times as much as usual; {cure}"
        elif rare["level_step"] and abs(step) > STEP_DB:
            yield f"the level steps by {step:+.1f} dB {position}, as it does nowhere in the recording; {cure}"


def _copying(flat: Flat) -> Iterator[str]:
    yield from _repeated(flat.get("copying.fraction", 0.0), "copies the recording")


def _looping(flat: Flat) -> Iterator[str]:
    yield from _repeated(flat.get("looping.fraction", 0.0), "repeats itself")


def _repeated(fraction: float, verb: str) -> Iterator[str]:
    if fraction > MAX_REPEATED:
        yield f"{fraction:.0%} of it {verb} (up to {MAX_REPEATED:.0%} is usual); {LONGER}"


CHECKS: tuple[tuple[Callable[[Flat], Iterator[str]], tuple[str, ...]], ...] = (
    (_tonality, ("brightness", "density", "morph")),
    (_dips, ("temperature", "density", "morph", "events")),
    (_texture, ("level", "brightness", "density", "temperature", "morph")),
    (_join, ()),
    (_copying, ("rhythm",)),
    (_looping, ("rhythm",)),
    (_level, ("level", "temperature", "density", "morph", "events")),
    (_brightness, ("brightness", "temperature", "density", "morph")),
    (_variability, ("brightness", "temperature", "density", "morph")),
    (_stereo_image, ("morph",)),
)
"""Checks, the most important first, each with the request's settings that change its measure on purpose."""

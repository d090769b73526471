"""What the measures of a tail say that a user should know: a line for each that is far from the recording's own.

What is usual is taken from the recording wherever it can be (`metrics.segments`); the margins beyond it were set on
recordings of rain, wind, water, fire, traffic, birds and insects, whose tails none of them may warn of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from audiogen.jobs.request import Request
from audiogen.reports.scorecard import flatten

MOST_WARNINGS = 3  # a tail
SHORTEST = 1.0  # seconds of a tail that enough can be said of
TEXTURE = 1.5  # times the distance between real stretches
SHARE = 0.1  # of half seconds that repeat something
TONES, TONAL = 5.0, -3.0  # dB beyond the segments' range; dB of tones over the rest from which they matter
DIP = 5.0  # dB deeper than the recording's deepest
LEVEL, STEP = 2.5, 3.0  # dB beyond the segments' range; dB at the join
COLOUR, VARIANCE, IMAGE = 0.12, 2.0, 0.15  # share of the centroid; ratio; correlation, beyond the segments' range
FLUX, CLICK = 2.0, 6.0  # times the usual, where nothing in the recording has as much

LISTEN = "listen to it; --variations 4 --page offers others to choose from"
EDGES = "cut a moment off the recording's end, or try another --seed"
LONGER = "give a longer recording, or try another --seed"

Flat = Mapping[str, Any]
Check = tuple[Callable[[Flat], Iterator[str]], tuple[str, ...]]


def tail_warnings(measures: Mapping[str, Any], request: Request, morphs: bool = False) -> list[str]:
    """The most important `MOST_WARNINGS`, the most important first, each with the figure, what is usual, and a cure.

    Args:
        measures: see `metrics.tail_measures.measure_continuation`.
        request: what was asked for: where it moves what a measure is about, that is no fault.
        morphs: whether the tail was to become another texture.
    """
    flat = flatten(measures)
    if flat.get("seconds", SHORTEST) < SHORTEST:
        return []
    asked = {
        "level": request.level != 0,
        "brightness": request.brightness != 0,
        "density": request.density != 0,
        "temperature": request.temperature != 1,
        "morph": morphs,
    }
    found = [text for check, excuses in CHECKS if not any(asked[name] for name in excuses) for text in check(flat)]
    return found[:MOST_WARNINGS]


def _tones(flat: Flat) -> Iterator[str]:
    own = _range(flat, "tonality_db")
    if own is None:
        return
    low, high, usual_low, usual_high = own
    if usual_low > TONAL and high < usual_low - TONES:
        yield f"its tones turned into noise: {high:.0f} dB over the rest, {usual_low:.0f} in the recording; {LISTEN}"
    elif low > max(usual_high + TONES, TONAL):
        yield f"it rings: its tones are {low:.0f} dB over the rest, {usual_high:.0f} in the recording; {LISTEN}"


def _dips(flat: Flat) -> Iterator[str]:
    if "dips.dip_db" not in flat:
        return
    own, usual = flat["dips.dip_db"], flat["dips.usual_dip_db"]
    if own <= usual + DIP:
        return
    fades = {"in": flat["dips.fade_in_seconds"], "out": flat["dips.fade_out_seconds"]}
    named = " and ".join(f"{way} over {seconds:.1f} s" for way, seconds in fades.items() if seconds > 0)
    cure = f"the recording fades {named}: cut that off first" if named else "try --temperature 0.5 or another --seed"
    yield f"its level dips by {own:.0f} dB below its median, the recording's by {usual:.0f} at most; {cure}"


def _texture(flat: Flat) -> Iterator[str]:
    overall = flat.get("texture.overall")
    if overall is None or overall <= TEXTURE:
        return
    prefix = "texture.classes."
    classes = {key.removeprefix(prefix): value for key, value in flat.items() if key.startswith(prefix)}
    worst = max(classes, key=lambda name: classes[name])
    yield (
        f"its texture is not the recording's: a distance of {overall:.1f} (1.0 between its own stretches, up to"
        f" {TEXTURE:g} is good), farthest in {worst} ({classes[worst]:.1f}); {LISTEN}"
    )


def _join(flat: Flat) -> Iterator[str]:
    for prefix, place in (("join", "at the join"), ("loop_seam", "where the loop starts over")):
        found = {name: flat.get(f"{prefix}.{name}", 0.0) for name in ("flux", "click", "level_step_db")}
        alone = {name: flat.get(f"{prefix}.{name}_percentile", 0.0) >= 99.5 for name in ("flux", "click", "level_step")}
        step = found["level_step_db"]
        if alone["click"] and found["click"] > CLICK:
            yield f"there is a click {place}: {found['click']:.0f} times the usual error of prediction; {EDGES}"
        elif alone["flux"] and found["flux"] > FLUX:
            yield f"there is a break {place}: the spectrum changes {found['flux']:.1f} times as much as usual; {EDGES}"
        elif alone["level_step"] and abs(step) > STEP:
            yield f"the level steps by {step:+.1f} dB {place}, as it does nowhere in the recording; {EDGES}"


def _copying(flat: Flat) -> Iterator[str]:
    share = flat.get("copying.share", 0.0)
    if share > SHARE:
        yield f"{share:.0%} of it copies the recording (up to {SHARE:.0%} is usual); {LONGER}"


def _looping(flat: Flat) -> Iterator[str]:
    share = flat.get("looping.share", 0.0)
    if share > SHARE:
        yield f"{share:.0%} of it repeats itself (up to {SHARE:.0%} is usual); {LONGER}"


def _level(flat: Flat) -> Iterator[str]:
    own = _range(flat, "level_db")
    if own is None:
        return
    low, high, usual_low, usual_high = own
    over, under = high - usual_high > LEVEL, usual_low - low > LEVEL
    usual = f"the recording from {usual_low:.1f} to {usual_high:.1f}"
    if over and under:
        yield f"its level strays from {low:.1f} to {high:.1f} dBFS, {usual}; try --temperature 0.5 or another --seed"
    elif over or under:
        move = usual_high - high if over else usual_low - low
        word, level = ("rises", high) if over else ("falls", low)
        yield f"its level {word} to {level:.1f} dBFS, {usual}; move it by --level {move:.0f}, or try another --seed"


def _colour(flat: Flat) -> Iterator[str]:
    own = _range(flat, "centroid_hz")
    if own is None:
        return
    low, high, usual_low, usual_high = own
    usual = f"the recording's from {usual_low:.0f} to {usual_high:.0f}"
    if high > usual_high * (1 + COLOUR):
        yield f"it turns brighter: its mean frequency goes up to {high:.0f} Hz, {usual}; {LISTEN}"
    elif low < usual_low * (1 - COLOUR):
        yield f"it turns darker: its mean frequency goes down to {low:.0f} Hz, {usual}; {LISTEN}"


def _liveliness(flat: Flat) -> Iterator[str]:
    own = _range(flat, "variance")
    if own is None:
        return
    low, high, usual_low, usual_high = own
    usual = f"the recording's from {usual_low:.1f} to {usual_high:.1f}"
    if high > VARIANCE * usual_high:
        yield f"it is rougher: its bands vary by up to {high:.1f} dB², {usual}; {LISTEN}"
    elif low < usual_low / VARIANCE:
        yield f"it freezes: its bands vary by only {low:.1f} dB², {usual}; try another --seed or a longer recording"


def _image(flat: Flat) -> Iterator[str]:
    own = _range(flat, "correlation")
    if own is None:
        return
    low, high, usual_low, usual_high = own
    usual = f"the recording's from {usual_low:.2f} to {usual_high:.2f}"
    if high > usual_high + IMAGE:
        yield f"its stereo image narrows: the channels correlate by up to {high:.2f}, {usual}; {LISTEN}"
    elif low < usual_low - IMAGE:
        yield f"its stereo image widens: the channels correlate by down to {low:.2f}, {usual}; {LISTEN}"


def _range(flat: Flat, name: str) -> tuple[float, float, float, float] | None:
    edges = [flat.get(f"segments.{name}.{edge}") for edge in ("low", "high", "usual_low", "usual_high")]
    low, high, usual_low, usual_high = edges
    if low is None or high is None or usual_low is None or usual_high is None:
        return None
    return low, high, usual_low, usual_high


CHECKS: tuple[Check, ...] = (
    (_tones, ("brightness", "density", "morph")),
    (_dips, ("temperature", "density", "morph")),
    (_texture, ("level", "brightness", "density", "temperature", "morph")),
    (_join, ()),
    (_copying, ()),
    (_looping, ()),
    (_level, ("level", "temperature", "density", "morph")),
    (_colour, ("brightness", "temperature", "density", "morph")),
    (_liveliness, ("brightness", "temperature", "density", "morph")),
    (_image, ("morph",)),
)
"""What is looked at, the most important first, and what the request may have moved on purpose."""

"""docs/method.md names every constant that decides the sound, with the value that the code has."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from audiogen.experiment import Experiment, to_tree

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "method.md").read_text("utf-8")
ROW = re.compile(r"^\| `([\w.]+)` \| `([^`]+)` \|", re.MULTILINE)
NAMED = dict(ROW.findall(PAGE))
DESCRIBED = (
    *(f"sound.{path.stem}" for path in (ROOT / "audiogen" / "sound").glob("[a-z]*.py")),
    *(f"rhythm.{path.stem}" for path in (ROOT / "audiogen" / "rhythm").glob("[a-z]*.py")),
    "dsp.decorrelation",
    "dsp.extrapolation",
    "dsp.limiter",
    "jobs.run_choice",
    "models.linear_prediction",
    "representation.cochleagram",
    "representation.recording_features",
    "representation.texture_statistics",
    "vocoders.block_stream",
    "vocoders.source",
    "vocoders.unit_selection",
)
# Chunk sizes, rounding and units are not audible; RIDGES and REGRESSORS are candidates.
TECHNICAL = {
    "rhythm.chroma.FRAMES_PER_TILE",
    "sound.controls.KEPT_TILTS",
    "sound.copy_detection.CONSTANT",
    "sound.rendering.MAX_MATCHERS",
    "sound.limits.MAX_SEED",
    "sound.limits.MAX_TEMPERATURE",
    "sound.live_engines.ENDLESS",
    "sound.live_engines.MAX_AHEAD_SECONDS",
    "sound.live_engines.MAX_PLACES",
    "sound.live_tail.SEEDS",
    "sound.live_tail.SEED_STEP",
    "sound.event_density.MIN_COUNTED",
    "sound.event_density.TOLERANCE",
    "sound.events.HOP_FRACTION",
    "sound.events.FLOOR_STEP_SECONDS",
    "sound.events.SMALLEST",
    "sound.line_refinement.FITTED_AT_ONCE",
    "sound.line_search.BATCH",
    "sound.line_search.DISTANCE_STEP",
    "sound.line_search.FAR_HERTZ",
    "sound.patch_selection.ENCODED_AT_ONCE",
    "sound.patch_selection.FIRST_CANDIDATES",
    "sound.seamless_loop.EPSILON",
    "sound.texture_matching.DB_PER_NEPER",
    "sound.texture_matching.EPSILON",
    "dsp.limiter.UNITY",
    "vocoders.source.MIN_WINDOWS",
    "vocoders.source.UNKNOWN",
    "vocoders.unit_selection.FORBIDDEN",
    "vocoders.unit_selection.CHUNK",
    "models.linear_prediction.RIDGES",
    "models.linear_prediction.REGRESSORS",
    "representation.cochleagram.SEGMENT_SECONDS",
    "representation.cochleagram.MARGIN_SECONDS",
    "representation.texture_statistics.DEFAULT_RESOLUTION",
}


def number(text: str) -> Any:
    """The value of a literal, or of a quotient of two."""
    top, _, bottom = text.partition(" / ")
    return ast.literal_eval(top) / ast.literal_eval(bottom) if bottom else ast.literal_eval(text)


def constants(module: str) -> dict[str, Any]:
    """The numbers, and tuples of them, that a module assigns to names in capitals."""
    found = importlib.import_module(f"audiogen.{module}")
    tree = ast.parse(Path(str(found.__file__)).read_text("utf-8"))
    assigned = [node for statement in tree.body if isinstance(statement, ast.Assign) for node in ast.walk(statement)]
    names = {node.id for node in assigned if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    values = {f"{module}.{name}": getattr(found, name) for name in sorted(names) if name.isupper()}
    return {name: value for name, value in values.items() if is_number(value)}


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, tuple) and all(map(is_number, value)))


def in_code(name: str) -> Any:
    """The value of a constant, or the default of a configuration key."""
    tree: Any = to_tree(Experiment())
    for key in name.split("."):
        tree = tree.get(key, {}) if isinstance(tree, dict) else {}
    if tree != {}:
        return tree
    module, _, constant = name.rpartition(".")
    try:
        return getattr(importlib.import_module(f"audiogen.{module}"), constant)
    except (AttributeError, ModuleNotFoundError):
        return None


def test_constants_have_the_values_that_the_page_gives() -> None:
    found = {name: in_code(name) for name in NAMED}
    wrong = {name: value for name, value in found.items() if value != pytest.approx(number(NAMED[name]), rel=1e-3)}
    assert not wrong


def test_no_constant_is_missing() -> None:
    decisive = {name for module in DESCRIBED for name in constants(module)} - TECHNICAL
    assert not decisive - set(NAMED)

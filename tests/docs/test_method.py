"""docs/method.md names every constant that decides the sound, with the value that the code has."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from audiogen.experiment import Experiment, to_tree

PAGE = (Path(__file__).parents[2] / "docs" / "method.md").read_text("utf-8")
ROW = re.compile(r"^\| `([\w.]+)` \| `([^`]+)` \|", re.MULTILINE)
NAMED = dict(ROW.findall(PAGE))
DESCRIBED = (
    "sound.copy_detection sound.controls sound.drift_guard sound.join sound.level_expansion sound.morph sound.onset_bias"
    " sound.patch_selection sound.patch_source sound.seamless_loop sound.texture_matching dsp.limiter"
    " vocoders.source vocoders.unit_selection vocoders.block_stream models.linear_prediction jobs.run_choice"
    " representation.cochleagram representation.texture_statistics representation.recording_features"
).split()
# Sizes of pieces, rounding, units, texts: they decide nothing that is audible. RIDGES and REGRESSORS are tried, not set.
TECHNICAL = {
    "sound.drift_guard.DB",
    "sound.texture_matching.DB",
    "sound.level_expansion.POWER_FLOOR",
    "dsp.limiter.UNITY",
    "vocoders.unit_selection.FORBIDDEN",
    "vocoders.unit_selection.CHUNK",
    "models.linear_prediction.RIDGES",
    "models.linear_prediction.REGRESSORS",
    "representation.cochleagram.SEGMENT",
    "representation.cochleagram.MARGIN",
    "representation.texture_statistics.FINEST",
}


def number(text: str) -> Any:
    """The value of a literal, or of a quotient of two."""
    top, _, bottom = text.partition(" / ")
    return ast.literal_eval(top) / ast.literal_eval(bottom) if bottom else ast.literal_eval(text)


def constants(module: str) -> dict[str, Any]:
    """The numbers, and tuples of them, that a module assigns to names in capitals."""
    found = vars(importlib.import_module(f"audiogen.{module}"))
    source = Path(str(found["__file__"])).read_text("utf-8")
    own = set(re.findall(r"^([A-Z][A-Z_]+)\b[^=\n]*=", source, re.MULTILINE))
    own |= {name for names in re.findall(r"^((?:[A-Z][A-Z_]+, )+[A-Z][A-Z_]+) =", source, re.M) for name in names.split(", ")}
    return {f"{module}.{name}": found[name] for name in sorted(own) if is_number(found[name])}


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
    return getattr(importlib.import_module(f"audiogen.{module}"), constant)


@pytest.mark.parametrize("name", NAMED)
def test_a_constant_has_the_value_that_the_page_gives(name: str) -> None:
    assert in_code(name) == pytest.approx(number(NAMED[name]), rel=1e-3)


@pytest.mark.parametrize("module", DESCRIBED)
def test_no_constant_is_missing(module: str) -> None:
    assert set(constants(module)) - TECHNICAL <= set(NAMED)

"""The colours of the page: text and fields stand out from what is behind them (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

STYLE = (files("audiogen.studio") / "static" / "style.css").read_text("utf-8")
PALETTES = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
TEXT = [
    ("text", "page"), ("text", "panel"), ("quiet", "page"), ("quiet", "panel"), ("good", "panel"), ("bad", "panel"),
    ("accent", "panel"), ("on-accent", "accent"),
]  # fmt: skip
SHAPES = [("field", "page"), ("field", "panel"), ("wave", "panel"), ("tail", "panel"), ("join", "panel")]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0..1."""
    values = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", PALETTES, ids=["light", "dark"])
def test_contrasts(palette: str) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", palette))
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for least, pairs in ((4.5, TEXT), (3.0, SHAPES)):
        for front, back in pairs:
            assert contrast(colours[front], colours[back]) >= least, (front, back)

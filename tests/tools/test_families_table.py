"""tools/compare_families.py: intervals, the table, and which Models the default is better than."""

from __future__ import annotations

from typing import Any

import pytest

from audiogen.models.backbones import BACKBONES
from audiogen.models.heads import HEADS
from tools import compare_families


def cell(model: str, recording: str, order: float, **others: Any) -> dict[str, Any]:
    ratios = {"order": order, "order without forecasts": order**2, "texture": 1.0, "copied": 0.0}
    return {"model": model, "recording": recording, "seed": 0, **ratios, **others}


RECORDINGS = ("river", "forest", "drums", "engine")
DEFAULT = (1.0, 2.0, 1.5, 0.8)
CELLS = [
    *(cell("default", name, order) for name, order in zip(RECORDINGS, DEFAULT, strict=True)),
    *(cell("gan", name, 3.0, **{"raw order": 4.0, "likelihood": None, "steps": 50, "training": 20.0})
      for name in RECORDINGS),
    *(cell("hmm", name, order, **{"raw order": 2.0, "likelihood": -1.5, "raw likelihood": -1.0})
      for name, order in zip(RECORDINGS, (0.9, 2.3, 1.4, 0.9), strict=True)),
    *(cell("oracle", name, order) for name, order in zip(RECORDINGS, (0.5, 1.0, 0.75, 0.4), strict=True)),
]  # fmt: skip


def test_intervals_are_of_geometric_means() -> None:
    assert compare_families.interval([2.0, 8.0]) == pytest.approx((4.0, 2.0, 8.0))
    assert compare_families.interval([3.0, None, 3.0]) == pytest.approx((3.0, 3.0, 3.0))
    assert compare_families.interval([None]) is None


def test_best_order_first_and_paired_with_the_default() -> None:
    lines = list(compare_families.lines_of(CELLS))
    assert [line[0] for line in lines] == ["oracle", "default", "hmm", "gan"]
    assert lines[0][3] == "0.50 (0.50–0.50)", "recording by recording it is half of the default's"
    assert lines[0][4] == "0.25 (0.25–0.25)", "of the squares, which stand for order without forecasts here"
    assert lines[1][3] == "–"
    assert lines[3][compare_families.TITLES.index("likelihood, real")] == "–", "a GAN has none"
    assert lines[2][compare_families.TITLES.index("likelihood, real")] == "-1.50"
    assert lines[3][compare_families.TITLES.index("raw order")] == "4.00 (4.00–4.00)"


def test_seeds_are_averaged_before_recordings_are_compared() -> None:
    cells = [cell("vae", "river", 1.0), cell("vae", "river", 4.0, seed=1), cell("vae", "drums", 8.0)]
    assert compare_families.by_recording(cells, "vae", "order") == pytest.approx({"river": 2.0, "drums": 8.0})
    default = [cell("default", name, 2.0) for name in ("river", "drums")]
    assert compare_families.paired([*cells, *default], "vae") == pytest.approx((2.0, 1.0, 4.0))
    assert compare_families.paired(cells, "vae") is None
    assert "3 recordings" not in compare_families.page([*cells, *default], 10.0)
    assert "2 seeds" in compare_families.page([*cells, *default], 10.0)


def test_all_backbones_and_heads_are_among_the_models() -> None:
    assert {f"{backbone}-flow" for backbone in BACKBONES} <= set(compare_families.MODELS)
    assert {f"lstm-{head}" for head in HEADS} <= set(compare_families.MODELS)
    assert all((compare_families.CONFIGS / f"{name}.yaml").is_file() for name in compare_families.MODELS)


def test_the_verdict_follows_from_the_intervals() -> None:
    assert compare_families.verdict(CELLS, "order").splitlines() == [
        "- worse than the default by order: gan",
        "- not distinguished from the default by order: hmm",
        "- better than the default by order: oracle",
    ]
    page = compare_families.page(CELLS, 20.0)
    assert "on 4 recordings (river, forest, drums, engine)" in page
    assert "take 20 CPU seconds" in page

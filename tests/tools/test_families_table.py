"""tools/compare_families.py: table and recommendations."""

from __future__ import annotations

from typing import Any

from tools import compare_families


def cell(config: str, recording: str, distance: float, training: float, **others: Any) -> dict[str, Any]:
    figures = {"copied": 0.0, "looped": 0.0, "steps": 100, "parameters": 250_000, "model": 0.004, "rendering": 0.2}
    return {"config": config, "recording": recording, "distance": distance, "training": training, **figures, **others}


CELLS = [
    cell("lstm-flow", "river", 1.0, 20.0),
    cell("lstm-flow", "forest", 1.21, 22.0),
    cell("gru-flow", "river", 1.1, 9.0, model=0.002),
    cell("gru-flow", "forest", 1.11, 9.0, model=0.002),
    cell("gru-point", "river", 4.0, 5.0),
    cell("gru-point", "forest", 4.0, 5.0),
    cell("walk", "river", 1.5, 0.1, copied=0.6, steps=0),
    cell("walk", "forest", 1.5, 0.1, copied=0.7, steps=0),
    cell("noise", "river", 3.0, 0.1, steps=0),
    cell("noise", "forest", 3.0, 0.1, steps=0),
    cell("hmm", "river", 2.0, 0.3, steps=0),
    cell("hmm", "forest", 2.0, 0.3, steps=0),
    cell("var", "river", 0.5, 0.1, steps=0),
]


def test_closest_first_and_incomplete_last() -> None:
    rows = compare_families.table_rows(CELLS)
    assert [row["config"] for row in rows] == ["lstm-flow", "gru-flow", "walk", "hmm", "noise", "gru-point", "var"]
    page = compare_families.page(CELLS)
    assert "| lstm-flow | 1.10 | 1.00 | 1.21 | 0% | 21.0 | 100 | 0.25 M | 4.0 | 200 |" in page
    assert "| var | 0.50 | 0.50 | – |" in page


def test_means_are_over_backbones_and_over_heads() -> None:
    page = compare_families.page(CELLS)
    assert "| gru | 2.10 | 7.0 | 3.0 |" in page
    assert "| flow | 1.10 | 15.0 | 3.0 |" in page
    assert "| lstm | 1.10 | 21.0 | 4.0 |" in page


def test_recommendations_follow_from_the_table() -> None:
    advice = "\n".join(compare_families.advice(compare_families.table_rows(CELLS)))
    assert "**The closest**: `lstm-flow` (1.10)" in advice
    assert "quickest to train**: `gru-flow` (1.10), 9.0 s" in advice
    assert "quickest to generate**: `gru-flow` (1.10), 2.0 ms" in advice
    assert "**No time to train**: `hmm` (2.00), 0.3 s" in advice
    assert "more than 5% copied): walk." in advice


def test_the_fastest_training_is_named() -> None:
    rows = compare_families.table_rows([cell for cell in CELLS if cell["config"].endswith("flow")])
    assert "**No time to train**: `gru-flow` (1.10), 9.0 s" in "\n".join(compare_families.advice(rows))


def test_configurations_that_copy_are_not_recommended() -> None:
    loop = [cell("loop", recording, 0.9, 0.1, copied=0.9, steps=0) for recording in ("river", "forest")]
    advice = compare_families.advice(compare_families.table_rows([*CELLS, *loop]))
    assert "`loop`" not in "\n".join(advice)
    assert advice[-1].endswith("copied): loop, walk.")

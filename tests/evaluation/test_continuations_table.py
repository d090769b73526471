"""tools/check_continuations.py: what it makes, what it does not make again, and how it is summed up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audiogen.audio import write
from audiogen.evaluation.baselines import BASELINES
from tests.conftest import TINY, synthetic
from tools.check_continuations import main, summary


def row(recording: str, candidate: str, overall: float, copied: float = 0.0, **more: Any) -> dict[str, Any]:
    classes = {"moments": overall + 0.5, "spectrum": 0.1}
    shares = {"overall": overall, "copied": copied, "looped": 0.0}
    return {"recording": recording, "candidate": candidate, **shares, **classes, **more}


def test_worst_first_and_only_what_does_not_repeat_is_held_against_it() -> None:
    rows = []
    for name, overall in (("calm", 1.1), ("wild", 1.9)):
        rows += [row(name, "real", 1.0), row(name, "loop", 0.9, copied=0.9), row(name, "grains", 1.5)]
        rows += [row(name, "output", overall + 0.1 * seed, seconds=7.0, seed=seed) for seed in range(3)]
    text, lines = summary(rows)
    assert [line["recording"] for line in lines] == ["wild", "calm"]
    assert [line["beats"] for line in lines] == [[False] * 3, [True] * 3]
    assert lines[0]["worst class"] == "moments 2.6"
    assert "| wild | 2.00 | 1.90 2.00 2.10 |" in text
    assert "0.90*" in text
    assert "closer than every baseline that does not repeat: 50% of tails" in text
    assert "median over recordings 1.60" in text
    assert "33% within 1.15" not in text  # 1 of 6
    assert "17% within 1.15, 50% above 1.8" in text


def test_what_is_finished_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.wav", synthetic(8.0), "PCM_16")
    asked = [str(tmp_path), "-o", str(tmp_path / "table.md"), "--seeds", "1", "--set", *TINY, "training.steps=4"]
    monkeypatch.setattr("sys.argv", ["check_continuations", *asked])
    main()
    made = (tmp_path / "table.jsonl").read_text()
    table = (tmp_path / "table.md").read_text()
    rows = [json.loads(line) for line in made.splitlines()]
    assert [found["candidate"] for found in rows] == ["real", *BASELINES, "output"]
    assert rows[-1]["length"] == 2.0
    assert f"| a | {rows[-1]['overall']:.2f} |" in table
    (tmp_path / "table.jsonl").write_text(made + '{"recording": "a", "candi')  # a crash while writing
    main()
    assert (tmp_path / "table.jsonl").read_text() == made
    assert (tmp_path / "table.md").read_text() == table

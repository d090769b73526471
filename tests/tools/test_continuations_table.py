"""tools/check_continuations.py: rows, resumption and summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audiogen.audio import write
from audiogen.metrics.waveform_baselines import BASELINES
from tests.conftest import TINY, synthetic
from tools.check_continuations import main
from tools.continuation_tables import AT_ONCE, summary


def row(recording: str, candidate: str, overall: float, copied: float = 0.0, **more: Any) -> dict[str, Any]:
    classes = {"moments": overall + 0.5, "spectrum": 0.1}
    shares = {"overall": overall, "scattering": 0.5 * overall, "copied": copied, "looped": 0.0}
    return {"recording": recording, "candidate": candidate, **shares, **classes, **more}


def test_worst_first_and_compared_with_baselines_that_do_not_repeat() -> None:
    rows = []
    for name, overall in (("calm", 1.1), ("wild", 1.9)):
        rows += [row(name, "real", 1.0, repeat=0.1), row(name, "loop", 0.9, copied=0.9), row(name, "grains", 1.5)]
        rows += [row(name, "output", overall + 0.1 * seed, seconds=7.0, seed=seed) for seed in range(3)]
    text, lines = summary(rows)
    assert [line["recording"] for line in lines] == ["wild", "calm"]
    assert [line["beats"] for line in lines] == [[False] * 3, [True] * 3]
    assert lines[0]["worst class"] == "moments 2.6"
    assert "| wild | 2.00 | 1.90 2.00 2.10 |" in text
    assert "0.90*" in text
    assert "closer than every baseline that counts: 50% of tails" in text
    assert "median over recordings 1.60" in text
    assert "by scattering moments: median 0.80" in text
    assert "closer than every such baseline: 50% of tails" in text
    assert "33% within 1.15" not in text  # 1 of 6
    assert "17% within 1.15, 50% above 1.8" in text
    assert "50% of tails, 1 of 2 recordings with every seed" in text
    assert AT_ONCE not in text


def test_recordings_that_repeat_their_samples_are_marked() -> None:
    rows = []
    for name, overall, repeat in (("calm", 1.1, 0.05), ("looped", 1.9, 0.98)):
        rows += [row(name, "real", 1.0, repeat=repeat), row(name, "grains", 1.5)]
        rows.append(row(name, "output", overall, seconds=7.0, seed=0))
    text, _ = summary(rows)
    assert "| looped† | 1.90 |" in text
    assert "| calm | 1.10 |" in text
    every, fresh = text.split("Without the 1 recordings marked †")
    assert "largest 1.90" in every
    assert "largest 1.10" in fresh
    assert "100% of tails" in fresh


def test_beats_are_counted_beside_what_is_original() -> None:
    rows = []
    for name, run in (("drums", 3.9), ("bells", 5.5)):
        rows += [row(name, "real", 1.0, repeat=0.1, run=0.4), row(name, "grains", 1.5)]
        rows.append(row(name, "output", 1.1, copied=0.9, seconds=7.0, run=run, bar=2.0))
    text, lines = summary(rows)
    assert not any(line["original"] for line in lines)
    assert "and 5 %): 0 of 2 recordings" in text
    assert "recordings continued by their own beats: 2; without a run beyond two bars: 1" in text
    assert "| drums‡ | 1.10 | 1.10 | moments 1.6 | 90% | 0% | 0% / 0% | 3.9 (1.9) / 0.4 |" in text


def test_a_tail_that_copies_has_to_outdo_a_loop() -> None:
    rows = [row("drums", "real", 1.0, repeat=0.1), row("drums", "loop", 0.9, copied=0.9), row("drums", "grains", 1.5)]
    honest, copied = (row("drums", "output", 1.0, copied=share, seconds=7.0) for share in (0.0, 0.9))
    assert summary([*rows, honest])[1][0]["beats"] == [True]
    assert summary([*rows, copied])[1][0]["beats"] == [False]
    assert summary([*rows, {**copied, "overall": 0.8}])[1][0]["beats"] == [True]


def test_tails_without_training_have_a_column() -> None:
    rows = [row("calm", "real", 1.0, repeat=0.1), row("calm", "grains", 1.5), row("calm", "output", 1.1, seconds=70.0)]
    rows += [row("calm", AT_ONCE, distance, seconds=10 * distance) for distance in (1.2, 1.3, 1.6)]
    text, _ = summary(rows)
    heads, _, cells = (line.split(" | ") for line in text.splitlines()[:3])
    assert heads[-1] == f"{AT_ONCE} |"
    assert cells[-1] == "1.30 (16 s) |"
    assert len(cells) == len(heads)
    assert f"- {AT_ONCE}: median over all 3 tails 1.30, largest 1.60, longest 16 s" in text
    assert "within 1.15" in text
    assert "geometric mean 1.10, largest 1.10" in text  # of the trained tail alone


def test_finished_rows_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / "rain", tmp_path / "songs"]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        write(folder / "a.wav", synthetic(8.0, seed), "PCM_16")
    arguments = [*map(str, folders), "-o", str(tmp_path / "table.md"), "--seeds", "1"]
    arguments += ["--set", *TINY, "training.steps=4"]
    monkeypatch.setattr("sys.argv", ["check_continuations", *arguments])
    main()
    made = (tmp_path / "table.jsonl").read_text()
    table = (tmp_path / "table.md").read_text()
    rows = [json.loads(line) for line in made.splitlines()]
    assert [found["candidate"] for found in rows] == 2 * ["real", *BASELINES, "output"]
    assert [found["section"] for found in rows] == [name for name in ("rain", "songs") for _ in range(len(rows) // 2)]
    assert rows[-1]["length"] == 2.0
    first, second = table.split("## Songs")
    assert f"| a | {rows[len(rows) // 2 - 1]['overall']:.2f} |" in first.split("## Rain")[1]
    assert f"| a | {rows[-1]['overall']:.2f} |" in second
    (tmp_path / "table.jsonl").write_text(made + '{"recording": "a", "candi')  # a crash while writing
    main()
    assert (tmp_path / "table.jsonl").read_text() == made
    assert (tmp_path / "table.md").read_text() == table


def test_at_once_does_not_combine_with_an_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [str(tmp_path), "-o", str(tmp_path / "table.md"), "--at-once", "--set", "training.steps=4"]
    monkeypatch.setattr("sys.argv", ["check_continuations", *arguments])
    with pytest.raises(SystemExit):
        main()

"""Every command and every Python block of the tutorials runs, one after the other in one folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, write
from audiogen.tunes.midi.writer import write_midi
from tests.docs.shell_blocks import blocks, commands, run, smaller
from tests.tune_fixtures import wandering

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
SMALL = {
    "--seconds": "1.2",
    "--budget": "1",
    "--variations": "2",
    "--loop-lengths": "0.6,1.2",
    "--seeds": "1",
    "--bars": "2",
    "--workers": "1",
    "--simulations": "8",
    "--takes": "2",
}
TINY = (
    "training.batch_size=2",
    "training.window=0.5",
    "training.log_media_every=0",
    "fine_tuning={prompt_bars: 1, bars: 1, group: 2, max_tokens: 16}",
)
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of copies and of short prompts, which the fixtures are
    pytest.mark.timeout(600),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texture: Callable[..., Recording]) -> Path:
    """What the tutorials read, small."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rain.wav", texture(3.0, 0), "PCM_16")
    write(tmp_path / "crowd.flac", texture(3.0, 1), "PCM_16")
    write(tmp_path / "interview.wav", interview(), "PCM_16")
    write(tmp_path / "prompt.wav", texture(3.0, 2), "PCM_16")
    write(tmp_path / "what-came-next.wav", texture(3.0, 3), "PCM_16")
    for name in ("library", "recordings"):
        (tmp_path / name).mkdir()
        for seed in range(3):
            write(tmp_path / name / f"{seed}.wav", texture(2.5, seed), "PCM_16")
    (tmp_path / "tunes").mkdir()
    for seed in range(4):
        write_midi(tmp_path / "tunes" / f"{seed}.mid", wandering(seed, 60))
    write_midi(tmp_path / "tune.mid", wandering(5, 40))
    write_midi(tmp_path / "melody.mid", wandering(6, 12))
    (tmp_path / "rules.yaml").write_text(blocks((TUTORIALS / "researcher.md").read_text("utf-8"), "yaml")[-1])
    return tmp_path


def interview() -> Recording:
    """Noise, over which something louder sounds every two seconds."""
    time = np.arange(6 * 22050) / 22050
    room = 0.003 * np.random.default_rng(0).standard_normal(len(time))
    return Recording(room + np.where(time % 2 < 0.8, 0.2 * np.sin(2 * np.pi * 300 * time), 0), 22050)


def run_all(page: str) -> None:
    text = (TUTORIALS / page).read_text("utf-8")
    for arguments in commands(text):
        run(smaller(arguments, SMALL, TINY))
    names: dict[str, object] = {}
    for block in blocks(text, "python"):
        exec(compile(re.sub(r"(seconds|budget)=[1-9]\d*", r"\1=1", block), page, "exec"), names)


def test_the_sound_designer_s(folder: Path) -> None:
    run_all("sound-designer.md")
    assert (folder / "takes.html").is_file()
    assert json.loads((folder / "both.json").read_text())["settings"]["runs"][0]["weight"] == 0.7


def test_the_researcher_s(folder: Path) -> None:
    run_all("researcher.md")
    assert (folder / "report" / "report.html").is_file()
    assert (folder / "comparison" / "index.html").is_file()


def test_the_script_author_s(folder: Path) -> None:
    text = (TUTORIALS / "script-author.md").read_text("utf-8")
    (folder / "jobs.csv").write_text(blocks(text, "csv")[0].replace("1:00", "1").replace(",45,", ",1,"))
    run_all("script-author.md")
    assert (folder / "clips" / "rain-calm.wav").is_file()

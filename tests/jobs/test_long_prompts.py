"""Prompts that are too long to be held: the tail is made of their part next to it, the rest goes from file to file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, LongRecording, Recording, read
from audiogen.jobs import continue_sound
from audiogen.jobs.backward import continue_backward
from audiogen.jobs.continue_sound import continue_recording, read_prompt
from audiogen.jobs.fill_gap import fill_gap, gap_in
from audiogen.jobs.request import Request
from audiogen.run import Run
from audiogen.sound import prompt_analysis
from audiogen.sound.prompt_analysis import PromptParts, divide_prompt

RATE, SECONDS, MATERIAL = 8000, 14, 4
pytestmark = pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of an untrained Model's tail


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of noise that fades in and out, longer than what serves as material here."""
    for module in (prompt_analysis, continue_sound):
        monkeypatch.setattr(module, "MATERIAL_SECONDS", float(MATERIAL))
    samples = 0.1 * np.random.default_rng(0).standard_normal((SECONDS * RATE, 2))
    samples[:RATE] *= np.linspace(0, 1, RATE)[:, None]
    samples[-RATE:] *= np.linspace(1, 0, RATE)[:, None]
    soundfile.write(tmp_path / "long.wav", samples, RATE, "PCM_16")
    return tmp_path / "long.wav"


@pytest.fixture
def run(untrained: Callable[..., Run], texture: Callable[..., Recording]) -> Run:
    return untrained(texture(4.0))


def same(first: PromptParts, second: PromptParts) -> None:
    assert (first.start, first.stop, first.edges) == (second.start, second.stop, second.edges)
    assert (first.material_range, first.joins_material, first.gap) == (
        second.material_range,
        second.joins_material,
        second.gap,
    )
    for name in ("material", "join_partner", "before_tail"):
        assert np.array_equal(getattr(first, name).samples, getattr(second, name).samples)


def test_the_material_ends_where_the_tail_begins(path: Path) -> None:
    long, _ = read_prompt(path)
    assert isinstance(long, LongRecording)
    with pytest.warns(AudioWarning, match=r"it lasts 0:14; the tail is made of the part from 0:0\d.* to 0:1\d"):
        parts = divide_prompt(long)
    same(parts, divide_prompt(read(path)))
    assert (SECONDS - 1.4) * RATE < parts.stop < SECONDS * RATE
    assert parts.material_range == (parts.stop - MATERIAL * RATE, parts.stop)
    assert not isinstance(parts.material, LongRecording)
    assert np.array_equal(parts.material.samples, read(path).samples[:, parts.stop - MATERIAL * RATE : parts.stop])


def test_a_kept_edge_is_joined_to(path: Path) -> None:
    parts = divide_prompt(read_prompt(path)[0], keep_edges=True)
    same(parts, divide_prompt(read(path), keep_edges=True))
    assert parts.stop == SECONDS * RATE
    assert parts.material.length == MATERIAL * RATE
    assert parts.join_partner.length == MATERIAL * RATE + parts.gap


def test_backwards_the_material_is_the_beginning(path: Path) -> None:
    parts = divide_prompt(read_prompt(path)[0], backward=True)
    same(parts, divide_prompt(read(path), backward=True))
    same(parts.reversed, divide_prompt(read(path), backward=True).reversed)
    assert 0.6 * RATE < parts.start < 1.4 * RATE
    assert parts.material_range == (parts.start, parts.start + MATERIAL * RATE)
    assert np.array_equal(parts.reversed.join_partner.samples[:, ::-1], parts.material.samples)


def test_the_loop_begins_after_the_edge_at_the_start(path: Path) -> None:
    parts = divide_prompt(read_prompt(path)[0], loop=True)
    same(parts, divide_prompt(read(path), loop=True))
    assert parts.start > 0.6 * RATE


def test_the_bed_of_a_long_recording_is_where_it_says(path: Path) -> None:
    steady = read(path).samples.T
    steady[-RATE:] = steady[-2 * RATE : -RATE]
    soundfile.write(path, steady, RATE, "PCM_16")
    parts = divide_prompt(read_prompt(path)[0], ambience=True)
    assert parts.bed is not None
    first, length = parts.bed.segments[0]
    assert first >= (SECONDS - MATERIAL) * RATE
    assert length <= MATERIAL * RATE
    assert parts.before_tail.length == 0


@pytest.mark.parametrize(
    "request_", [Request(seconds=1.0), Request(seconds=1.0, loop=True), Request(1.0, keep_edges=True)]
)
def test_the_prompt_is_written_whole(path: Path, run: Run, tmp_path: Path, request_: Request) -> None:
    given = read(path).samples
    prompt, _ = read_prompt(path)
    sidecar = continue_recording(prompt, tmp_path / "out.wav", request_, run)
    written = read(tmp_path / "out.wav").samples
    start, stop = sidecar["prompt_range"]
    assert sidecar["join_sample"] == stop - start
    assert np.array_equal(written[:, : stop - start], given[:, start:stop])
    assert written.shape[1] == stop - start + RATE
    # The same as from memory.
    assert sidecar["material_range"][1] - sidecar["material_range"][0] == MATERIAL * RATE
    again = continue_recording(read(path), tmp_path / "again.wav", request_, run)
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "out.wav").read_bytes()
    assert again["measures"] == sidecar["measures"]


def test_loudness_of_a_long_prompt(path: Path, run: Run, tmp_path: Path) -> None:
    request = Request(seconds=1.0, loudness=-20.0)
    sidecars = [
        continue_recording(prompt, tmp_path / "out.wav", request, run) for prompt in (read_prompt(path)[0], read(path))
    ]
    assert sidecars[0]["loudness"] == sidecars[1]["loudness"]


def test_backward_and_fill(path: Path, run: Run, tmp_path: Path) -> None:
    given = read(path).samples
    (sidecar,) = continue_backward(read_prompt(path)[0], [(tmp_path / "before.wav", Request(seconds=1.0))], run)
    start = sidecar["prompt_range"][0]
    assert np.array_equal(read(tmp_path / "before.wav").samples[:, sidecar["prompt_sample"] :], given[:, start:])
    gap = gap_in(read_prompt(path)[0], 6.0, 7.0)
    fill_gap(gap, tmp_path / "filled.wav", Request(), run)
    filled = read(tmp_path / "filled.wav").samples
    assert np.array_equal(filled[:, : 6 * RATE], given[:, : 6 * RATE])
    assert np.array_equal(filled[:, 7 * RATE :], given[:, 7 * RATE :])
    fill_gap(replace(gap, before=gap.before.loaded(), after=gap.after.loaded()), tmp_path / "again.wav", Request(), run)
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "filled.wav").read_bytes()


GROWTH = """
import resource, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from audiogen.sound import prompt_analysis
prompt_analysis.MATERIAL_SECONDS = 8.0
from audiogen.jobs.continue_sound import continue_recording, read_prompt
from audiogen.jobs.request import Request
peaks = []
for path in sys.argv[1:]:
    continue_recording(read_prompt(Path(path))[0], path + ".out.wav", Request(seconds=2.0, pulse=False))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(peaks[-1] - peaks[1])
"""


@pytest.mark.posix
def test_memory_does_not_grow_with_the_prompt(tmp_path: Path) -> None:
    """Half an hour takes as much memory as half a minute; its samples alone would take 115 MB."""
    noise = np.random.default_rng(0)
    for name, seconds in (("short.wav", 30), ("long.wav", 1800)):
        with soundfile.SoundFile(tmp_path / name, "w", RATE, 2) as file:
            for _ in range(seconds // 30):
                file.write(0.1 * noise.standard_normal((30 * RATE, 2)))
    files = [str(tmp_path / name) for name in ("short.wav", "short.wav", "long.wav")]
    made = subprocess.run([sys.executable, "-c", GROWTH, *files], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    assert int(made.stdout) * unit < 40e6
    assert soundfile.info(tmp_path / "long.wav.out.wav").frames == 1802 * RATE

"""Continuing backwards: the file ends with the recording, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, read, read_metadata, write
from audiogen.errors import InputError
from audiogen.jobs.backward import continue_backward
from audiogen.jobs.continue_sound import continue_recording
from audiogen.jobs.loudness_target import loudness_of
from audiogen.jobs.request import Request
from audiogen.run import Run
from audiogen.sound.prompt_analysis import reverse
from tests.audio.metadata.wave_files import RATE, everything, write_wav

Texture = Callable[..., Recording]
pytestmark = pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of an untrained Model's tail


def test_it_is_the_continuation_of_reversed_time(
    texture: Texture, untrained: Callable[..., Run], tmp_path: Path
) -> None:
    write(tmp_path / "prompt.wav", texture(3.0, channels=2), "PCM_16")
    prompt, run = read(tmp_path / "prompt.wav"), untrained(texture(4.0))
    outs = [tmp_path / "a.wav", tmp_path / "b.wav"]
    wanted = [(out, Request(seconds=2.0, seed=seed)) for seed, out in enumerate(outs)]
    first, _ = continue_backward(prompt, wanted, run)
    length = 2 * 44100
    assert (first["prompt_sample"], first["length"]) == (length, length + prompt.length)
    assert "join_sample" not in first
    assert first["settings"]["backward"]
    assert first["measures"]["join"]["click_percentile"] < 100
    written = read(outs[0]).samples
    np.testing.assert_array_equal(written[:, length:], prompt.samples)
    assert not np.array_equal(written[:, :length], read(outs[1]).samples[:, :length])
    continue_recording(reverse(prompt), tmp_path / "c.wav", Request(seconds=2.0, tail_only=True, subtype="FLOAT"), run)
    np.testing.assert_allclose(written[:, :length], read(tmp_path / "c.wav").samples[:, ::-1], atol=2**-22)


def test_metadata_move_with_the_recording(tmp_path: Path) -> None:
    prompt = read(write_wav(tmp_path / "clip.wav", np.zeros(RATE), *everything(RATE)))
    for tail_only in (False, True):
        list(continue_backward(prompt, [(tmp_path / "out.wav", Request(seconds=0.5, tail_only=tail_only))]))
        metadata = read_metadata(tmp_path / "out.wav")
        assert metadata.broadcast is not None
        assert metadata.broadcast.time_reference == 172_800_000 - RATE // 2
        moved = [] if tail_only else [(25_000, b"door"), (48_000, b"gust"), (24_000, b"join")]
        assert sorted((marker.position, marker.label) for marker in metadata.markers) == sorted(moved)


def test_a_fade_in_is_continued_from_after_it(untrained: Callable[..., Run], tmp_path: Path) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, 4 * RATE))
    samples[:, :RATE] *= np.linspace(0, 1, RATE)
    prompt, out = Recording(samples, RATE), tmp_path / "out.wav"
    run = untrained(prompt)
    for keep_edges in (False, True):
        request = Request(seconds=1.0, subtype="FLOAT", keep_edges=keep_edges)
        (sidecar,) = continue_backward(prompt, [(out, request)], run)
        start, stop = sidecar["prompt_range"]
        assert stop == prompt.length
        assert start == 0 if keep_edges else start / RATE == pytest.approx(1.05, abs=0.15)
        assert sidecar["settings"]["keep_edges"] == keep_edges
        assert sidecar["edges"]["start"]["fade"] == pytest.approx(1.0, abs=0.15)
        assert sidecar["edges"]["end"]["fade"] == 0
        assert "fades in" in " ".join(sidecar["warnings"])
        assert "fades out" not in " ".join(sidecar["warnings"])
        written = read(out).samples
        assert sidecar["loudness_lufs"] == pytest.approx(loudness_of(read(out)), abs=1e-6)
        assert sidecar["length"] == written.shape[1] == RATE + prompt.length - start
        np.testing.assert_array_equal(written[:, RATE:], prompt.samples[:, start:])
        assert 20 * np.log10(written[:, :RATE].std() / 0.1) == pytest.approx(0, abs=1.5)


def test_the_bed_of_an_ambience_is_where_the_recording_has_it(tmp_path: Path) -> None:
    samples = 0.01 * np.random.default_rng(0).standard_normal((1, 6 * RATE))
    samples[:, : 3 * RATE] *= np.repeat(np.random.default_rng(1).uniform(5, 50, 30), RATE // 10)
    request = Request(seconds=1.0, ambience=True)
    (sidecar,) = continue_backward(Recording(samples, RATE), [(tmp_path / "out.wav", request)])
    assert sidecar["prompt_range"] == [0, 0]
    assert all(start > 2.9 * RATE for start, _ in sidecar["ambience"]["segments"])


def test_what_cannot_go_backwards_is_refused(texture: Texture, tmp_path: Path) -> None:
    for request in (Request(loop=True), Request(loudness=-23.0)):
        with pytest.raises(InputError, match="cannot be combined"):
            list(continue_backward(texture(1.0), [(tmp_path / "out.wav", request)]))

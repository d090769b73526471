"""`audiogen vocode`: the same length, rate and channels come back, and the sound is recognisably the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import Recording, read, write
from audiogen.cli.vocode import vocode
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec

Texture = Callable[..., Recording]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(vocode, [str(argument) for argument in arguments], catch_exceptions=False)


def quiet(recording: Recording) -> Recording:
    """Far enough from full scale for any resynthesis to fit."""
    return Recording(0.25 * recording.samples, recording.sample_rate)


def level(recording: Recording) -> float:
    """RMS in dB."""
    return 10 * float(np.log10(np.mean(np.square(recording.samples, dtype=np.float64)) + 1e-12))


@pytest.mark.parametrize(("rate", "channels", "samples"), [(44100, 1, 30_001), (48000, 2, 41_237), (8000, 1, 4_321)])
def test_length_rate_and_channels_are_those_of_the_input(
    rate: int, channels: int, samples: int, texture: Texture, tmp_path: Path
):
    recording = quiet(texture(1.0, channels=channels, rate=rate)).cut(0, samples)
    write(tmp_path / "in.wav", recording)
    done = invoke(tmp_path / "in.wav", "-o", tmp_path / "out.wav")
    assert done.exit_code == 0
    out = read(tmp_path / "out.wav")
    assert (out.sample_rate, out.samples.shape) == (rate, (channels, samples))
    assert level(out) == pytest.approx(level(recording), abs=2.0)


def test_with_a_source_the_recording_is_its_own_vocoder(texture: Texture, tmp_path: Path):
    write(tmp_path / "in.wav", quiet(texture(0.5, 1)))
    write(tmp_path / "source.wav", quiet(texture(2.0, 0, rate=22050)))
    assert invoke(tmp_path / "in.wav", "-o", tmp_path / "out.wav", "--source", tmp_path / "source.wav").exit_code == 0
    assert read(tmp_path / "out.wav").length == 22050


def test_the_same_seed_writes_the_same_bytes(texture: Texture, tmp_path: Path):
    write(tmp_path / "in.wav", quiet(texture(0.4)))
    for name in ("a.wav", "b.wav"):
        invoke(tmp_path / "in.wav", "-o", tmp_path / name, "--seed", 7)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize("shape", [(9, 128), (2, 9, 128)])
def test_frames_of_an_array_are_a_hop_each(shape: tuple[int, ...], tmp_path: Path):
    np.save(tmp_path / "frames.npy", np.full(shape, -6.0))
    assert invoke(tmp_path / "frames.npy", "-o", tmp_path / "out.wav").exit_code == 0
    out = read(tmp_path / "out.wav")
    assert out.samples.shape == (shape[0] if len(shape) == 3 else 1, 9 * 512)
    assert out.sample_rate == MelSpec().sample_rate
    assert out.samples.any()


def test_silence_comes_back_silent(tmp_path: Path):
    write(tmp_path / "in.wav", Recording(np.zeros((2, 5000), np.float32), 44100))
    invoke(tmp_path / "in.wav", "-o", tmp_path / "out.wav")
    assert level(read(tmp_path / "out.wav")) < -90


def test_bad_input_is_named(texture: Texture, tmp_path: Path):
    wav, out = tmp_path / "in.wav", tmp_path / "out.wav"
    write(wav, quiet(texture(0.3)))
    write(tmp_path / "stereo.wav", quiet(texture(0.3, channels=2)))
    np.save(tmp_path / "shape.npy", np.zeros((4, 80)))
    np.save(tmp_path / "nan.npy", np.full((4, 128), np.nan))
    np.save(tmp_path / "decibels.npy", np.full((4, 128), 60.0))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    (tmp_path / "no.npy").write_text("text")
    for arguments, message in (
        ((wav, "--vocoder", "phase_locked"), "choose from griffin_lim, source"),
        ((wav, "--vocoder", "source"), "give --source"),
        ((wav, "--source", tmp_path / "stereo.wav"), "has 2 channels, the frames have 1"),
        ((wav, "iteration=3"), "did you mean iterations"),
        ((wav, "--vocoder", "bigvgan"), "weights=FOLDER"),
        ((wav, "--vocoder", "vocos", f"weights={tmp_path}"), "config.yaml: it cannot be read"),
        ((tmp_path / "missing.wav",), "there is no such file"),
        ((tmp_path / "shape.npy",), r"its shape \[4, 80\] is not that of mel frames"),
        ((tmp_path / "nan.npy",), "not finite"),
        ((tmp_path / "decibels.npy",), "its values reach 60: natural logarithms"),
        ((tmp_path / "text.npy",), "no array of real numbers"),
        ((tmp_path / "no.npy",), "cannot be read as a .npy array"),
    ):
        with pytest.raises(InputError, match=message):
            invoke(*arguments, "-o", out)
    assert not out.exists()
    with pytest.raises(InputError, match="it is an input"):
        invoke(wav, "-o", wav, "--force")
    (tmp_path / "made.wav").touch()
    with pytest.raises(InputError, match="it exists already"):
        invoke(wav, "-o", tmp_path / "made.wav")
    with pytest.raises(InputError, match="unknown suffix"):
        invoke(wav, "-o", tmp_path / "out.xyz")


def test_difficult_files_are_rendered_or_refused_in_one_line(shared_data: Path, tmp_path: Path):
    for name in ("one_sample.wav", "odd_rate_37123.wav", "half_window_500samples.wav", "dc_offset.wav"):
        assert invoke(shared_data / "corrupt" / name, "-o", tmp_path / name).exit_code == 0
        assert read(tmp_path / name).length == read(shared_data / "corrupt" / name).length
    with pytest.raises(InputError, match=r"text_renamed\.wav: "):
        invoke(shared_data / "corrupt" / "text_renamed.wav", "-o", tmp_path / "text.wav")

"""Samples with more bits than float32 are written unchanged, without being kept in memory."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, Recording, Writer, read, subtype_for, write

RATE = 48000
LENGTH = 150_000  # more than two chunks


def integers(channels: int = 2) -> np.ndarray:
    """``[time, channels]`` 32-bit codes at all levels, the last bit set and both rails included."""
    generator = np.random.default_rng(0)
    codes = generator.integers(-(2**31), 2**31, (LENGTH, channels)) >> generator.integers(0, 24, (LENGTH, channels)) | 1
    codes[:2, 0] = -(2**31), 2**31 - 1
    return codes.astype(np.int32)


def doubles(channels: int = 2) -> np.ndarray:
    samples = np.random.default_rng(0).uniform(-1, 1, (LENGTH, channels))
    samples[:4, 0] = 1.0, 0.5 + 2.0**-40, 1e-300, -0.0
    return samples


def saved(path: Path, samples: np.ndarray, subtype: str, format: str = "WAV") -> Path:
    soundfile.write(path, samples, RATE, subtype, format=format)
    return path


def held(path: Path, kind: str) -> np.ndarray:
    return soundfile.read(path, dtype=kind, always_2d=True)[0]


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("subtype", "format", "requested", "expected"),
    [
        ("PCM_32", "WAV", None, "PCM_32"),
        ("PCM_32", "AIFF", None, "PCM_32"),
        ("PCM_32", "WAV", "PCM_32", "PCM_32"),
        ("PCM_32", "WAV", "DOUBLE", "DOUBLE"),
        ("ALAC_32", "CAF", None, "PCM_32"),
        ("DOUBLE", "WAV", None, "DOUBLE"),
        ("DOUBLE", "CAF", "DOUBLE", "DOUBLE"),
    ],
)
def test_each_bit_of_integers_and_doubles_is_kept(
    tmp_path: Path, subtype: str, format: str, requested: str | None, expected: str, channels: int
) -> None:
    samples = doubles(channels) if subtype == "DOUBLE" else integers(channels)
    prompt = read(saved(tmp_path / "prompt", samples, subtype, format))
    assert prompt.samples.dtype == np.float32
    assert subtype_for(prompt, "out.wav") == (expected if requested is None else subtype.replace("ALAC", "PCM"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "out.wav", prompt, requested, exact=True)
    assert soundfile.info(tmp_path / "out.wav").subtype == expected
    kind = "float64" if "DOUBLE" in (subtype, expected) else "int32"
    np.testing.assert_array_equal(held(tmp_path / "out.wav", kind), held(tmp_path / "prompt", kind))


def test_a_cut_is_exact_and_a_resampled_recording_is_not_read_again(tmp_path: Path) -> None:
    codes = integers()
    prompt = read(saved(tmp_path / "prompt", codes, "PCM_32"))
    cut = prompt.cut(1000, LENGTH - 7).cut(70_000, 71_000)
    write(tmp_path / "out.wav", cut, exact=True)
    np.testing.assert_array_equal(held(tmp_path / "out.wav", "int32"), codes[71_000:72_000])
    other = prompt.resampled(44100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "out.wav", other, "DOUBLE", exact=True)
    np.testing.assert_array_equal(held(tmp_path / "out.wav", "float64").T, other.samples)


def test_nan_doubles_are_interpolated_as_in_the_recording(tmp_path: Path) -> None:
    samples = doubles(1)
    samples[100:110], samples[70_000] = np.nan, 1e300  # which no float32 holds
    with pytest.warns(AudioWarning, match="11 of"):
        prompt = read(saved(tmp_path / "prompt", samples, "DOUBLE"))
    write(tmp_path / "out.wav", prompt, exact=True)
    out = held(tmp_path / "out.wav", "float64")[:, 0]
    bad = np.r_[100:110, 70_000]
    np.testing.assert_array_equal(out[bad], prompt.samples[0, bad])
    np.testing.assert_array_equal(np.delete(out, bad), np.delete(samples[:, 0], bad))


@pytest.mark.parametrize("change", ["gone", "other samples", "shorter", "other rate", "no audio"])
def test_a_file_that_has_changed_meanwhile_is_warned_of(tmp_path: Path, change: str) -> None:
    codes, path = integers() // 2, tmp_path / "prompt"
    prompt = read(saved(path, codes, "PCM_32"))
    if change == "gone":
        path.unlink()
    elif change == "other samples":
        saved(path, np.concatenate([codes[:70_000], codes[70_000:] // 2]), "PCM_32")
    elif change == "shorter":
        saved(path, codes[:1000], "PCM_32")
    elif change == "other rate":
        soundfile.write(path, codes, 44100, "PCM_32", format="WAV")
    else:
        path.write_text("no audio" * 100)
    with pytest.warns(AudioWarning, match=r"has changed since it was read"):
        write(tmp_path / "out.wav", prompt, exact=True)
    np.testing.assert_array_equal(read(tmp_path / "out.wav").samples, prompt.samples)


@pytest.mark.parametrize(
    ("samples", "subtype", "name", "requested", "warned"),
    [
        (
            integers(),
            "PCM_32",
            "out.flac",
            None,
            "PCM_24 and were rounded; keep them with --subtype PCM_32 into a .wav",
        ),
        (integers(), "PCM_32", "out.wav", "PCM_24", "PCM_24 and were rounded; keep them with --subtype PCM_32"),
        (integers(), "PCM_32", "out.wav", "FLOAT", "FLOAT and were rounded; keep them with --subtype PCM_32"),
        (doubles(), "DOUBLE", "out.flac", None, "keep them with --subtype DOUBLE"),
        (doubles(), "DOUBLE", "out.wav", "PCM_32", "keep them with --subtype DOUBLE"),
        (doubles(), "FLOAT", "out.flac", None, "keep them with --subtype FLOAT"),
        (integers() >> 8 << 8, "PCM_24", "out.wav", "PCM_16", "keep them with --subtype PCM_24"),
        (integers() >> 8 << 8, "PCM_32", "out.flac", None, ""),
        (integers() >> 8 << 8, "PCM_24", "out.flac", None, ""),
        (doubles(), "FLOAT", "out.wav", None, ""),
        (doubles() * 0.5, "VORBIS", "out.flac", None, ""),  # lossy: not exact
        (doubles() * 0.5, "FLOAT", "out.ogg", None, ""),  # lossy by the choice of the user
    ],
)
def test_rounding_to_fewer_bits_is_warned_of_once(
    tmp_path: Path, samples: np.ndarray, subtype: str, name: str, requested: str | None, warned: str
) -> None:
    if subtype == "VORBIS":  # libsndfile overflows its stack with more at a time
        samples = samples[:20_000]
    prompt = read(saved(tmp_path / "prompt", samples, subtype, "OGG" if subtype == "VORBIS" else "WAV"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write(tmp_path / name, prompt, requested, exact=True)
    texts = [str(each.message) for each in caught]
    assert len(texts) == bool(warned)
    assert all(warned in text for text in texts)


def test_only_appended_samples_are_counted(tmp_path: Path) -> None:
    prompt = read(saved(tmp_path / "prompt", integers(), "PCM_32"))
    writer = Writer(tmp_path / "out.flac", RATE, 2)
    writer.__enter__()
    writer.append(prompt)
    before = writer.rounded
    writer.write(prompt.samples / 3)
    writer.write(prompt.samples / 3, exact=True)
    assert writer.rounded == before > LENGTH
    with pytest.warns(AudioWarning, match=rf"of {6 * LENGTH} samples have more bits"):
        writer.__exit__(None, None, None)


def test_a_recording_without_a_file_is_written_unchanged(tmp_path: Path) -> None:
    samples = doubles().T.astype("f4")
    write(tmp_path / "out.wav", Recording(samples, RATE, "DOUBLE"), exact=True)
    np.testing.assert_array_equal(held(tmp_path / "out.wav", "float64").T, samples)


def test_flac_of_32_bits_keeps_them(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    codes = integers(1)[:9600]
    with av.open(str(tmp_path / "a.flac"), "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", options={"strict": "experimental"})
        stream.format = "s32"
        frame = av.AudioFrame.from_ndarray(codes.T.copy(), "s32", "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "a.flac")) as container:
        decoded = np.concatenate([each.to_ndarray() for each in container.decode(audio=0)], axis=1)
    if not np.array_equal(decoded[0], codes[:, 0]):
        pytest.skip("this FFmpeg writes no FLAC of 32 bits")
    write(tmp_path / "out.wav", read(tmp_path / "a.flac"), exact=True)
    np.testing.assert_array_equal(held(tmp_path / "out.wav", "int32"), codes)

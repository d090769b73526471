"""Continuations preserve bit depth, channel masks and silent channels of their prompt."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, ChannelLayout, Recording, Writer, read
from audiogen.jobs.continue_sound import Request, continue_recording
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.vocode import vocode
from audiogen.run import Run

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"tail_only": True},
    {"loop": True},
    {"loop": True, "tail_only": True},
    {"brightness": 3.0, "level": 6.0},
    {"match_texture": False},
]


def quietly(
    prompt: Recording, out: Path, request: Request, run: Run, morph_target: MorphTarget | None = None
) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        return continue_recording(prompt, out, request, run, morph_target=morph_target)


def with_silent(recording: Recording, *channels: int) -> Recording:
    samples = recording.samples.copy()
    samples[list(channels)] = 0
    return Recording(samples, recording.sample_rate)


SIX = (6, 48000, (2, 3), OPTIONS[2])


@pytest.mark.parametrize(
    ("channels", "rate", "silent", "options"),
    [*((2, 32000, (0,), options) for options in OPTIONS), (2, 44100, (1,), OPTIONS[0]), SIX],
    ids=str,
)
def test_a_silent_channel_stays_digital_silence(
    texture: Texture,
    untrained: Untrained,
    tmp_path: Path,
    channels: int,
    rate: int,
    silent: tuple[int, ...],
    options: dict[str, Any],
) -> None:
    prompt = with_silent(texture(1.0, channels=channels, rate=rate), *silent)
    assert prompt.silent == silent
    quietly(prompt, tmp_path / "out.wav", Request(seconds=0.6, subtype="PCM_16", **options), untrained(prompt))
    out = read(tmp_path / "out.wav")
    assert out.silent == silent
    begin = 0 if options.get("tail_only") else prompt.length
    sounding = [channel for channel in range(channels) if channel not in silent]
    assert all(out.samples[channel, begin:].std() > 1e-3 for channel in sounding)


def test_a_silent_channel_stays_silent_in_a_morph_with_a_warning(
    texture: Texture, untrained: Untrained, tmp_path: Path
) -> None:
    prompt, target = with_silent(texture(1.0, channels=2), 1), texture(1.0, 1, channels=2)
    run = untrained(prompt)
    with pytest.warns(AudioWarning, match="channel 2 is digital silence in the prompt, so it stays silent"):
        sidecar = continue_recording(
            prompt, tmp_path / "out.wav", Request(seconds=0.6), run, morph_target=MorphTarget(target)
        )
    assert read(tmp_path / "out.wav").silent == (1,)
    assert any("stays silent" in text for text in sidecar["warnings"])
    same = continue_recording(prompt, tmp_path / "out.wav", Request(seconds=0.6), run, morph_target=MorphTarget(prompt))
    assert not any("stays silent" in text for text in same["warnings"])
    assert read(tmp_path / "out.wav").silent == (1,)


def test_dither_of_other_channels_does_not_depend_on_silent_ones(tmp_path: Path, texture: Texture) -> None:
    samples = with_silent(texture(0.5, channels=2), 1).samples
    written = []
    for silent in ((), (1,)):
        with Writer(tmp_path / "out.wav", 44100, 2, "PCM_16", silent=silent) as writer:
            writer.write(samples)
        written.append(read(tmp_path / "out.wav").samples)
    np.testing.assert_array_equal(written[0][0], written[1][0])
    assert written[0][1].any()
    assert not written[1][1].any()


def test_a_silent_channel_is_vocoded_to_silence(texture: Texture, tmp_path: Path) -> None:
    prompt = with_silent(texture(0.5, channels=2), 0)
    soundfile.write(tmp_path / "a.wav", prompt.samples.T, 44100, "PCM_16")
    vocode(tmp_path / "a.wav", tmp_path / "out.wav", overrides=("iterations=2",))
    assert read(tmp_path / "out.wav").silent == (0,)


@pytest.mark.parametrize("options", OPTIONS[:4], ids=str)
@pytest.mark.parametrize("subtype", ["PCM_32", "DOUBLE"])
def test_bits_of_a_prompt_are_kept(
    texture: Texture, untrained: Untrained, tmp_path: Path, options: dict[str, Any], subtype: str
) -> None:
    samples = texture(1.0, channels=2).samples.T.astype(np.float64) + 2.0**-31
    soundfile.write(tmp_path / "a.wav", samples, 44100, subtype)
    prompt = read(tmp_path / "a.wav")
    sidecar = continue_recording(prompt, tmp_path / "out.wav", Request(seconds=0.5, **options), untrained(prompt))
    assert sidecar["subtype"] == subtype
    known, out = (soundfile.read(tmp_path / name, dtype="float64")[0] for name in ("a.wav", "out.wav"))
    assert not any("rounded" in text for text in sidecar["warnings"])
    if not options.get("tail_only"):
        np.testing.assert_array_equal(out[: prompt.length], known)
        assert not np.array_equal(known, known.astype("f4"))


def test_bits_that_a_flac_cannot_store_are_reported_in_the_sidecar(
    texture: Texture, untrained: Untrained, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", texture(1.0).samples.T.astype(np.float64) / 3, 44100, "PCM_32")
    prompt = read(tmp_path / "a.wav")
    with pytest.warns(AudioWarning, match="rounded"):
        sidecar = continue_recording(prompt, tmp_path / "out.flac", Request(seconds=0.5), untrained(prompt))
    assert any("have more bits than PCM_24" in text for text in sidecar["warnings"])


@pytest.mark.parametrize(
    ("options", "subtype"),
    [({}, None), (OPTIONS[1], "PCM_16"), (OPTIONS[3], "FLOAT"), (OPTIONS[2], None), ("morph", None)],
)
def test_a_channel_mask_is_kept(
    texture: Texture, untrained: Untrained, tmp_path: Path, options: dict[str, Any] | str, subtype: str | None
) -> None:
    sound = texture(1.0, channels=2)
    with Writer(tmp_path / "a.wav", 44100, 2, "PCM_16", layout=ChannelLayout(0x30)) as writer:
        writer.write(sound.samples)
    prompt, run = read(tmp_path / "a.wav"), untrained(sound)
    morph_target = MorphTarget(texture(1.0, 1)) if options == "morph" else None
    request = Request(seconds=0.5, subtype=subtype, **(options if isinstance(options, dict) else {}))
    continue_recording(prompt, tmp_path / "out.wav", request, run, morph_target=morph_target)
    content = (tmp_path / "out.wav").read_bytes()
    place = content.index(b"fmt ") + 8
    assert struct.unpack("<I", content[place + 20 : place + 24]) == (0x30,)
    vocode(tmp_path / "a.wav", tmp_path / "out.wav", overrides=("iterations=2",))
    assert read(tmp_path / "out.wav").layout == ChannelLayout(0x30)

"""The cache of mel frames: hits and misses, damage, kills, memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from audiogen.audio import AudioWarning, Recording, Writer, read, write
from audiogen.data import cache as module
from audiogen.data.cache import CachedRecording, cache_recording, content_key, is_cache, open_cache, prepare
from audiogen.data.recordings import SplitFractions, find_recordings, split_recordings
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel

SPEC = MelSpec(sample_rate=8000, n_fft=256, win=256, hop=128, n_mels=16, fmax=4000.0)
Texture = Callable[..., Recording]


@pytest.fixture
def folder(tmp_path: Path, texture: Texture) -> Path:
    recordings = tmp_path / "recordings"
    (recordings / "sub").mkdir(parents=True)
    for index, name in enumerate(("a.wav", "b.wav", "sub/c.wav")):
        write(recordings / name, texture(0.5 + index / 10, index, channels=2, rate=8000), "PCM_16")
    return recordings


def prepared(folder: Path, cache: Path, spec: MelSpec = SPEC, channels: int = 1) -> list[CachedRecording]:
    def refuse(file: Path, error: Exception) -> None:
        raise error

    return list(prepare(find_recordings(folder), folder, cache, spec, channels, refuse))


def analyses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A list that receives the files that are analysed."""
    seen: list[Path] = []
    analyse = module.principal_blocks

    def noticed(path: Path, spec: MelSpec, channels: int) -> object:
        seen.append(path)
        return analyse(path, spec, channels)

    monkeypatch.setattr(module, "principal_blocks", noticed)
    return seen


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_cached_frames_are_those_of_the_principal_channels(folder: Path, tmp_path: Path, channels: int):
    found = prepared(folder, tmp_path / "cache", channels=channels)
    assert [item.name for item in found] == ["a.wav", "b.wav", "sub/c.wav"]
    for item in found:
        samples = torch.from_numpy(read(folder / item.name).samples)
        frames = torch.from_numpy(np.array(item.frames()))
        assert frames.shape == (samples.shape[1] // 128, 16 * channels)
        _, vectors = np.linalg.eigh((samples @ samples.T).double().numpy())
        first = torch.from_numpy(vectors.T[::-1].copy()).float()[:1] @ samples
        assert (frames[:, :16] - log_mel(first, SPEC)[0]).abs().max() < 1e-2
        if channels == 3:
            assert torch.equal(frames[:, 32:], torch.full_like(frames[:, 32:], SPEC.silence))


def test_another_rate_is_resampled(tmp_path: Path, texture: Texture):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write(recordings / "fast.wav", texture(1.0, rate=48000))
    (item,) = prepared(recordings, tmp_path / "cache")
    assert abs(len(item.frames()) - 8000 // 128) <= 1


def test_the_same_content_under_any_name_hits(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = [item.path for item in prepared(folder, tmp_path / "cache")]
    seen = analyses(monkeypatch)
    (folder / "a.wav").rename(folder / "z.wav")
    after = {item.name: item.path for item in prepared(folder, tmp_path / "cache")}
    assert seen == []
    assert after["z.wav"] == before[0]


def test_other_content_spec_or_channels_miss(
    folder: Path, tmp_path: Path, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    prepared(folder, tmp_path / "cache")
    seen = analyses(monkeypatch)
    write(folder / "a.wav", texture(0.5, 7, rate=8000), "PCM_16")
    prepared(folder, tmp_path / "cache")
    assert [path.name for path in seen] == ["a.wav"]
    prepared(folder, tmp_path / "cache", MelSpec(8000, 256, 256, 64, 16, 0, 4000.0))
    assert len(seen) == 4
    prepared(folder, tmp_path / "cache", channels=2)
    assert len(seen) == 7


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied", "garbled"])
def test_damaged_frames_are_detected_and_made_again(folder: Path, tmp_path: Path, damage: str):
    cache = tmp_path / "cache"
    first = prepared(folder, cache)[0]
    whole = first.path.read_bytes()
    damaged = {
        "truncated": whole[:-40],
        "flipped": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
        "emptied": b"",
        "garbled": b"not an array" * 9,
    }[damage]
    first.path.write_bytes(damaged)
    with pytest.warns(AudioWarning, match=r"left out: .*frames of a\.wav are damaged.*audiogen prepare"):
        assert [item.name for item in open_cache(cache, SPEC, 1)] == ["b.wav", "sub/c.wav"]
    assert prepared(folder, cache)[0].path.read_bytes() == whole
    assert len(open_cache(cache, SPEC, 1)) == 3


def test_a_cache_is_opened_with_its_own_spec_only(folder: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    assert not is_cache(cache)
    made = prepared(folder, cache)
    assert is_cache(cache)
    opened = open_cache(cache, SPEC, 1)
    assert opened == made
    assert isinstance(opened[0].frames(), np.memmap)
    with pytest.raises(InputError, match="another MelSpec"):
        open_cache(cache, MelSpec(), 1)
    with pytest.raises(InputError, match="another MelSpec"):
        open_cache(cache, SPEC, 2)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 1, "spec": 1, "channels": 1, "recordings": 3}'])
def test_a_damaged_index_is_named(tmp_path: Path, text: str):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InputError, match=r"index\.json cannot be read.*audiogen prepare"):
        open_cache(tmp_path, SPEC, 1)


@pytest.mark.parametrize("spec", [MelSpec(8000, 256, 256, 128, 16, 0, 4000)])
def test_whole_numbers_may_be_written_without_a_point(folder: Path, spec: MelSpec):
    assert spec == SPEC
    assert content_key(folder / "a.wav", spec, 1) == content_key(folder / "a.wav", SPEC, 1)


def test_unreadable_files_are_skipped_and_reported(folder: Path, tmp_path: Path):
    (folder / "bad.wav").write_bytes(b"no sound" * 100)
    told: list[str] = []
    files = find_recordings(folder)
    found = list(prepare(files, folder, tmp_path / "cache", SPEC, 1, lambda file, _: told.append(file.name)))
    assert told == ["bad.wav"]
    assert len(found) == 3
    only_bad = tmp_path / "bad"
    only_bad.mkdir()
    (only_bad / "bad.wav").write_bytes(b"no sound" * 100)
    with pytest.raises(InputError, match="none of its recordings"):
        list(prepare(find_recordings(only_bad), only_bad, tmp_path / "c", SPEC, 1, lambda *ignored: None))


def test_a_failure_leaves_no_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def failing(path: Path, spec: MelSpec, channels: int) -> object:
        yield torch.zeros(1, 4000)
        raise InputError(path, "it breaks off")

    monkeypatch.setattr(module, "principal_blocks", failing)
    with pytest.raises(InputError, match="breaks off"):
        cache_recording(folder / "a.wav", tmp_path, SPEC, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]


@pytest.mark.posix
def test_a_kill_leaves_no_partial_file_under_the_final_name(folder: Path, tmp_path: Path):
    script = f"""
        import os, signal, torch
        from pathlib import Path
        from audiogen.data import cache
        from audiogen.representation.mel import MelSpec
        def killed(path, spec, channels):
            yield torch.randn(1, 60000)
            os.kill(os.getpid(), signal.SIGKILL)
        analyse = cache.principal_blocks
        def blocks(path, *rest):
            return (killed if path.name == "b.wav" else analyse)(path, *rest)
        cache.principal_blocks = blocks
        spec = MelSpec(8000, 256, 256, 128, 16, 0, 4000.0)
        folder, target = Path({str(folder)!r}), Path({str(tmp_path / "cache")!r})
        list(cache.prepare(sorted(folder.rglob("*.wav")), folder, target, spec, 1, print))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    cache = tmp_path / "cache"
    finished = list(cache.glob("*.npy"))
    assert len(finished) == 1
    assert CachedRecording("a.wav", finished[0]).intact()
    assert any(path.suffix == ".part" for path in cache.iterdir())
    assert not is_cache(cache)
    assert len(prepared(folder, cache)) == 3
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy", ".npy", ".npy"]


def test_the_index_is_plain_json(folder: Path, tmp_path: Path):
    prepared(folder, tmp_path / "cache")
    index = json.loads((tmp_path / "cache" / "index.json").read_text())
    assert index["spec"]["n_mels"] == 16
    assert all(os.sep not in file for file in index["recordings"].values())


@pytest.mark.posix
def test_memory_does_not_grow_with_the_recording(tmp_path: Path):
    """Analysing five minutes takes no more memory than analysing one."""
    generator = np.random.default_rng(0)
    for minutes in (1, 5):
        with Writer(tmp_path / f"{minutes}.wav", 8000, 1, "PCM_16") as writer:
            for _ in range(minutes):
                writer.write(0.1 * generator.standard_normal((1, 60 * 8000)).astype(np.float32))
    script = f"""
        import resource, torch
        from pathlib import Path
        from audiogen.data.cache import cache_recording
        from audiogen.representation.mel import MelSpec
        torch.set_num_threads(1)
        spec, folder = MelSpec(8000, 256, 256, 32, 128, 0, 4000), Path({str(tmp_path)!r})
        for minutes in (1, 5):
            made = cache_recording(folder / f"{{minutes}}.wav", folder, spec, 1)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, made.stat().st_size)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True)
    (short, _), (long, written) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert written > 5 * 60 * 250 * 128 * 4
    assert long - short < 0.2 * written


class TestBadFiles:
    """One bad file is left out with a warning; it never ends the preparation of the others."""

    @pytest.mark.parametrize("error", [AttributeError("x"), OSError(5, "Input/output error"), RuntimeError("decoder")])
    def test_whatever_a_decoder_raises(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ):
        opened = module.open_blocks

        def failing(path: Path) -> object:
            if path.name == "b.wav":
                raise error
            return opened(path)

        monkeypatch.setattr(module, "open_blocks", failing)
        said: list[str] = []
        files = find_recordings(folder)
        found = list(prepare(files, folder, tmp_path / "c", SPEC, 1, lambda _, error: said.append(str(error))))
        assert [item.name for item in found] == ["a.wav", "sub/c.wav"]
        assert len(said) == 1
        assert "b.wav: it cannot be read" in said[0]
        assert not list((tmp_path / "c").glob("*.part"))

    def test_files_that_vanish_are_pipes_or_empty(self, folder: Path, tmp_path: Path):
        os.mkfifo(folder / "pipe.wav")
        (folder / "empty.wav").write_bytes(b"")
        (folder / "folder.wav").mkdir()
        (folder / "dangling.wav").symlink_to("nowhere")
        files = find_recordings(folder)
        (folder / "a.wav").unlink()
        said: list[str] = []
        found = list(prepare(files, folder, tmp_path / "c", SPEC, 1, lambda file, _: said.append(file.name)))
        assert [item.name for item in found] == ["b.wav", "sub/c.wav"]
        assert sorted(said) == ["a.wav", "dangling.wav", "empty.wav", "folder.wav", "pipe.wav"]

    def test_a_full_disk_is_an_error(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def full(*ignored: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module, "write_frames", full)
        with pytest.raises(OSError, match="No space"):
            prepared(folder, tmp_path / "cache")

    def test_all_frames_damaged_is_an_error(self, folder: Path, tmp_path: Path):
        for item in prepared(folder, tmp_path / "cache"):
            item.path.unlink()
        with pytest.raises(InputError, match="all of its recordings are damaged or missing; run `audiogen prepare`"):
            open_cache(tmp_path / "cache", SPEC, 1)

    @pytest.mark.parametrize("kind", ["wide", "double", "nan", "pickle", "zip"])
    def test_files_that_are_not_frames_are_left_out(self, folder: Path, tmp_path: Path, kind: str):
        cache = tmp_path / "cache"
        first = prepared(folder, cache)[0]
        frames = np.array(first.frames())
        if kind == "nan":
            frames[0, 0] = np.nan
        bad = {"wide": frames[:, :8], "double": frames.astype("f8"), "nan": frames}.get(kind, frames)
        if kind == "pickle":
            np.save(first.path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        elif kind == "zip":
            with first.path.open("wb") as file:
                np.savez(file, a=frames)
        else:
            np.save(first.path, bad)
        checksum = module._checksum(np.ascontiguousarray(bad))
        name = f"{first.path.stem[:32]}-{checksum:08x}.npy"
        first.path.rename(cache / name)
        index = (cache / "index.json").read_text().replace(first.path.name, name)
        (cache / "index.json").write_text(index)
        with pytest.warns(AudioWarning, match="left out"):
            assert len(open_cache(cache, SPEC, 1)) == 2


def test_a_cache_can_be_moved(folder: Path, tmp_path: Path):
    names = [item.name for item in prepared(folder, tmp_path / "cache")]
    assert str(tmp_path) not in (tmp_path / "cache/index.json").read_text()
    (tmp_path / "cache").rename(tmp_path / "moved")
    opened = open_cache(tmp_path / "moved", SPEC, 1)
    assert [item.name for item in opened] == names
    assert all(item.path.parent == tmp_path / "moved" for item in opened)


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.npy", "..\\x.npy", "C:\\x.npy", "sub/x.npy", "x.npy", "link"])
def test_an_index_that_names_files_outside_of_its_folder(folder: Path, tmp_path: Path, file: str):
    cache = tmp_path / "cache"
    first = prepared(folder, cache)[0]
    if file == "link":
        first.path.rename(tmp_path / first.path.name)
        first.path.symlink_to(tmp_path / first.path.name)
    index = json.loads((cache / "index.json").read_text())
    index["recordings"]["a.wav"] = first.path.name if file == "link" else file
    (cache / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="names a file outside of its folder"):
        open_cache(cache, SPEC, 1)


@pytest.mark.parametrize("name", ["../a.wav", "/a.wav", "sub\\..\\..\\a.wav"])
def test_an_index_that_names_recordings_outside_of_its_folder(folder: Path, tmp_path: Path, name: str):
    cache = tmp_path / "cache"
    prepared(folder, cache)
    index = json.loads((cache / "index.json").read_text())
    index["recordings"][name] = index["recordings"].pop("a.wav")
    (cache / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="names a file outside of its folder"):
        open_cache(cache, SPEC, 1)


def test_names_that_are_not_utf8(folder: Path, tmp_path: Path):
    odd = os.fsdecode(b"M\xfcnchen: 1.wav")
    (folder / "a.wav").rename(folder / odd)
    made = prepared(folder, tmp_path / "cache")
    assert odd in [item.name for item in made]
    json.loads((tmp_path / "cache/index.json").read_bytes().decode("utf-8"))
    assert open_cache(tmp_path / "cache", SPEC, 1) == made
    assert set(split_recordings([item.name for item in made], SplitFractions())) == {item.name for item in made}

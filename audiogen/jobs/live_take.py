"""Kept parts of a live stream: a WAV with a sidecar from which the same samples can be made again, offline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording, Writer
from audiogen.errors import InputError
from audiogen.file_names import require_name
from audiogen.jobs.live_stream import Kept
from audiogen.jobs.prepare_tail import PreparedTail
from audiogen.jobs.provenance import remove_output_on_failure, versions
from audiogen.jobs.request import Request
from audiogen.output_names import sidecar_of
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.continuation import Continuer
from audiogen.sound.live_engines import BeatEngine, Engine, MorphEngine, SilentEngine, TextureEngine
from audiogen.sound.live_settings import Change, LiveSettings
from audiogen.sound.live_tail import LiveTail, replayed
from audiogen.sound.morph import Morph
from audiogen.text_files import dump_json, write_text

Part = tuple[float | None, float | None]
"""Start and end in seconds of what is continued; None for those of the recording."""
WHOLE: Part = (None, None)
PREPARED = ("pulse", "longest_copy", "keep_edges", "ambience", "match_texture", "vocoder")
"""Fields of a request that decide how a prompt is prepared."""


def engine_of(prepared: PreparedTail) -> Engine:
    """The engine of a live tail.

    Raises:
        InputError: the tail is one that cannot be live.
    """
    if prepared.continuer is None:
        return SilentEngine(prepared.parts.recording.channels, prepared.parts.recording.sample_rate)
    if isinstance(prepared.continuer, BeatContinuer):
        return BeatEngine(prepared.continuer)
    if isinstance(prepared.continuer, Morph):
        return MorphEngine(prepared.continuer)
    if isinstance(prepared.continuer, Continuer):
        return TextureEngine(prepared.continuer)
    raise InputError("stream", "a raw tail cannot be changed while it is made", "leave out --raw")


def settings_of(request: Request) -> LiveSettings:
    """The settings that the tail of a request begins with."""
    return LiveSettings(request.seed, request.temperature, request.level, request.brightness, request.density)


@dataclass(frozen=True)
class TakeWriter:
    """Writes kept parts of one stream.

    Args:
        prompt: that is continued.
        request: by which its tail was prepared.
        run: folder of the Run that predicts; None for the base.
        morph: file of the recording that it can morph into.
        part: of the file that is continued.
        is_piped: whether it came through a pipe, so that its file cannot be named.
    """

    prompt: Recording
    request: Request
    run: Path | None = None
    morph: Path | None = None
    part: Part = WHOLE
    is_piped: bool = False

    def write(self, path: Path, kept: Kept) -> Path:
        """Write a WAV and its sidecar, whole or not at all; an existing file is not overwritten.

        Returns:
            The sidecar.

        Raises:
            InputError: the file exists, or cannot be written.
        """
        require_name(path)
        for each in (path, sidecar_of(path)):
            if each.exists():
                raise InputError(each, "it exists already", "name another file")
        _write(path, self.prompt, self.request, iter([kept.samples]))
        with remove_output_on_failure(path):
            write_text(sidecar_of(path), dump_json(self.describe(path, kept)))
        return sidecar_of(path)

    def describe(self, path: Path, kept: Kept) -> dict[str, Any]:
        """The sidecar's content."""
        return {
            "prompt": str(self.prompt.path) if self.prompt.path and not self.is_piped else None,
            "output": path.name,
            "sample_rate": self.prompt.sample_rate,
            "channels": self.prompt.channels,
            "length": kept.samples.shape[1],
            "seed": kept.settings.seed,
            "stream": {
                "prompt_sha256": fingerprint(self.prompt),
                "prompt_part": list(self.part),
                "range": [kept.start, kept.stop],
                "settings": kept.settings.as_json(),
                "changes": [change.as_json() for change in kept.changes],
                "request": {name: getattr(self.request, name) for name in PREPARED},
                "subtype": self.request.subtype,
                "run": str(self.run) if self.run else None,
                "morph": str(self.morph) if self.morph else None,
            },
            "versions": versions(),
        }


@dataclass(frozen=True)
class Take:
    """What a sidecar says of a kept part.

    Args:
        path: of the sidecar.
        request: by which the tail was prepared.
        settings: that it began with.
        changes: of the settings.
        start, stop: samples of the tail.
        run: folder of the Run; None for the base.
        morph: file of the recording that it can morph into.
        prompt: file that was continued; None if it was none.
        part: of that file.
        prompt_sha256: `fingerprint` of its samples.
    """

    path: Path
    request: Request
    settings: LiveSettings
    changes: tuple[Change, ...]
    start: int
    stop: int
    run: Path | None
    morph: Path | None
    prompt: Path | None
    part: Part
    prompt_sha256: str

    @classmethod
    def read(cls, path: Path) -> Take:
        """Read a sidecar.

        Raises:
            InputError: it is none of a kept part.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            stream = content["stream"]
            settings = LiveSettings(**stream["settings"])
            request = Request(seed=settings.seed, subtype=stream["subtype"], **stream["request"])
            changes = tuple(Change.from_json(change) for change in stream["changes"])
            start, stop = stream["range"]
            files = (stream["run"], stream["morph"], content["prompt"])
            run, morph, prompt = (Path(text) if text else None for text in files)
            begin, end = stream.get("prompt_part", WHOLE)  # of an earlier version without
            digest = stream["prompt_sha256"]
            return cls(path, request, settings, changes, start, stop, run, morph, prompt, (begin, end), digest)
        except InputError:
            raise
        except OSError as error:
            raise InputError(path, f"it cannot be read ({error.strerror})", "check the name") from error
        except (ValueError, KeyError, TypeError) as error:
            cause = "it is not the sidecar of a part that `audiogen stream` kept"
            raise InputError(path, cause, "name the .json beside the .wav") from error

    def render(self, path: Path, prompt: Recording, engine: Engine) -> None:
        """Make the same samples again, into another file.

        Raises:
            InputError: another prompt was continued.
        """
        if fingerprint(prompt) != self.prompt_sha256:
            raise InputError(
                prompt.path or "the prompt", "its samples are not those that were continued", f"name {self.prompt}"
            )
        _write(path, prompt, self.request, self.blocks(engine))

    def blocks(self, engine: Engine) -> Iterator[np.ndarray]:
        """The samples ``[channels, time]``; all before them are made, too, and dropped."""
        done = 0
        for block in replayed(LiveTail(engine, self.settings), self.changes):
            begin, end = max(self.start - done, 0), self.stop - done
            done += block.shape[1]
            if begin < block.shape[1]:
                yield block[:, begin:end]
            if done >= self.stop:
                return


def fingerprint(recording: Recording) -> str:
    """SHA-256 of the samples of a recording, in hexadecimal digits."""
    digest = hashlib.sha256()
    for channel in range(recording.channels):  # in the order of ``[channels, time]``
        for block in recording.blocks():
            digest.update(np.ascontiguousarray(block[channel]).tobytes())
    return digest.hexdigest()


def _write(path: Path, prompt: Recording, request: Request, blocks: Iterator[np.ndarray]) -> None:
    subtype = request.subtype or "FLOAT"
    with Writer(path, prompt.sample_rate, prompt.channels, subtype, request.seed, prompt.layout, prompt.silent) as out:
        for block in blocks:
            out.write(block)

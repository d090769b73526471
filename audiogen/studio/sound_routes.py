"""Routes that send sound and its pictures: only the part that the page shows or plays."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from audiogen.errors import InputError
from audiogen.studio.peaks import BASE_LEVEL, MAX_LEVEL
from audiogen.studio.project import RUNNING

if TYPE_CHECKING:
    from audiogen.studio.hub import Studio

MAX_FRAMES = 1 << 20  # of one answer
WAIT_SECONDS = 10.0  # for the next samples of a take that is being made
POLL_SECONDS = 0.02
FOREVER = "private, max-age=31536000, immutable"

sounds = APIRouter(prefix="/api/projects/{name}")


def _studio(request: Request) -> Studio:
    return request.app.state.studio


@sounds.get("/audio")
def audio(name: str, request: Request, start: int, stop: int, take: int | None = None) -> Response:
    """Interleaved little-endian float32 samples from ``start`` to ``stop``.

    Of a take that is being made, those of its tail so far; the answer waits for the first of them, and the header
    ``X-Growing`` says that more will follow.
    """
    if start < 0 or stop <= start:
        raise InputError("samples", f"{start} to {stop} is no range", "ask for some")
    stop = min(stop, start + MAX_FRAMES)
    studio = _studio(request)
    if take is not None and (growing := _grown(studio, name, take, start, stop)) is not None:
        return _samples(growing, growing=True)
    samples = studio.source(name, take).reader.read(start, stop)
    return _samples(np.ascontiguousarray(samples.T, "<f4").tobytes(), growing=False)


def _samples(content: bytes, growing: bool) -> Response:
    headers = {"cache-control": "no-store", "x-growing": str(int(growing))}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _grown(studio: Studio, name: str, take: int, start: int, stop: int) -> bytes | None:
    """Samples of the tail of a take that is being made; None once it is finished."""
    deadline = time.monotonic() + WAIT_SECONDS
    path = studio.preview(name, take)
    while studio.project(name).take(take).state in RUNNING:
        live = studio.live.get((name, take), {"frames": 0})
        if live["frames"] > start and "channels" in live:
            frame = 4 * live["channels"]
            try:
                with path.open("rb") as file:
                    file.seek(start * frame)
                    return file.read((min(stop, live["frames"]) - start) * frame)
            except FileNotFoundError:  # it was finished just now
                return None
        if time.monotonic() > deadline:
            return b""
        time.sleep(POLL_SECONDS)
    return None


@sounds.get("/peaks/{level}/{tile}")
def peaks(name: str, level: int, tile: int, request: Request, take: int | None = None) -> Response:
    """A tile of a waveform: int16 smallest and largest, ``[channels, columns, 2]``."""
    _require_tile(level, tile)
    found = _studio(request).source(name, take).peaks
    exact = found.complete or level <= BASE_LEVEL + 3
    content = found.tile(level, tile).astype("<i2")
    headers = {"cache-control": FOREVER if exact else "no-store", "x-columns": str(content.shape[1])}
    headers["x-estimate"] = str(int(not exact))
    return Response(content.tobytes(), media_type="application/octet-stream", headers=headers)


@sounds.get("/spectrogram/{level}/{tile}")
def spectrogram(name: str, level: int, tile: int, request: Request, take: int | None = None) -> Response:
    """A tile of a spectrogram: uint8 ``[rows, columns]``, with the contrast of the recording for all of its takes."""
    _require_tile(level, tile)
    studio = _studio(request)
    contrast = studio.source(name).spectrogram.contrast
    content = studio.source(name, take).spectrogram.tile(level, tile, contrast)
    headers = {"cache-control": FOREVER, "x-columns": str(content.shape[1])}
    return Response(content.tobytes(), media_type="application/octet-stream", headers=headers)


def _require_tile(level: int, tile: int) -> None:
    if not 0 <= level <= MAX_LEVEL or not 0 <= tile < 1 << 40:
        raise InputError("tile", f"{level}/{tile} does not exist", "ask for levels from 0 on")


@sounds.get("/source")
def describe_take(name: str, request: Request, take: int | None = None) -> dict[str, Any]:
    """Format and length of a take's file, and its notes if it is a tune."""
    source = _studio(request).source(name, take)
    if take is not None:
        source.start_peaks()
    return source.describe()


@sounds.get("/file")
def download(name: str, request: Request, take: int | None = None) -> FileResponse:
    """The file itself; ranges of it on request."""
    studio = _studio(request)
    if take is None:
        path = studio.shelf.find(name)
        return FileResponse(path, filename=path.name)
    project = studio.project(name)
    file = project.take(take).file
    path = project.folder / file
    if project.take(take).state != "made" or not path.is_file():
        raise InputError(file, "it is not made", "wait for it, or make it again")
    return FileResponse(path, filename=f"{Path(name).stem}-{file}")

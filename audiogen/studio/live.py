"""The live tab: an endless tail over a WebSocket, played by the page while its handles move.

The page says how much it has played, and is sent no more than `AHEAD_SECONDS` beyond that. Messages to the page: binary
ones hold interleaved little-endian float32 samples; text ones are JSON with a ``type``: ``begun``, ``change``, ``kept``,
``refused``. The page sends JSON: handles as `audiogen stream` takes them on stdin, ``{"played": frames}``, ``{"keep": 20}``.
"""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from audiogen.errors import InputError

if TYPE_CHECKING:
    from audiogen.jobs.live_stream import LiveStream
    from audiogen.jobs.live_take import TakeWriter
    from audiogen.studio.hub import Studio

AHEAD_SECONDS = 1.0  # that the page has not played yet
PREROLL_SECONDS = 2.0
HANDLES = ("seed", "temperature", "level", "brightness", "density")
PREPARED = ("pulse", "match_texture")

live_routes = APIRouter(prefix="/api/projects/{name}")
_playing = threading.Lock()


@live_routes.websocket("/live")
async def live(socket: WebSocket, name: str) -> None:
    """Play the tail of a recording until the page closes the connection; one at a time."""
    await socket.accept()
    if not _playing.acquire(blocking=False):
        await _refuse(socket, "a stream is playing in another tab; stop it there")
        return
    try:
        stream, writer = await asyncio.to_thread(open_stream, socket.app.state.studio, name)
        with stream:
            await _play(socket, stream, Session(stream, writer))
    except (InputError, OSError) as error:
        await _refuse(socket, str(error))
    except WebSocketDisconnect:
        pass
    finally:
        _playing.release()


async def _refuse(socket: WebSocket, text: str) -> None:
    await socket.send_json({"type": "refused", "text": text})
    await socket.close()


def open_stream(studio: Studio, name: str) -> tuple[LiveStream, TakeWriter]:
    """The stream of a recording with the settings of its table.

    Raises:
        InputError: it is a tune, or cannot be continued.
    """
    from audiogen.file_names import is_midi
    from audiogen.jobs.continue_sound import MorphTarget, read_prompt
    from audiogen.jobs.live_stream import LiveStream
    from audiogen.jobs.live_take import TakeWriter, engine_of, settings_of
    from audiogen.jobs.prepare_tail import prepare_tail
    from audiogen.jobs.request import Request

    path, settings = studio.shelf.find(name), studio.project(name).settings
    if is_midi(path):
        raise InputError(name, "it is a tune, which has no stream", "open a recording")
    chosen = {key: settings[key] for key in (*HANDLES, *PREPARED) if settings.get(key) is not None}
    request = Request(**chosen)
    recording, _ = read_prompt(path, *(studio.region(name) or (None, None)))
    morph = studio.shelf.find(settings["morph"]) if settings.get("morph") else None
    target = MorphTarget(read_prompt(morph)[0]) if morph is not None else None
    prepared = prepare_tail(recording, request, target)
    return LiveStream(engine_of(prepared), settings_of(request)), TakeWriter(recording, request, None, morph)


class Session:
    """What a page may ask of a stream.

    Args:
        stream: that plays.
        writer: of kept parts.

    Attributes:
        played: frames that the page has played.
    """

    def __init__(self, stream: LiveStream, writer: TakeWriter) -> None:
        self.stream, self.writer, self.played = stream, writer, 0

    def carry_out(self, text: str) -> list[dict[str, Any]]:
        """Carry out one message; the answers."""
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return [{"type": "refused", "text": "it is no JSON object"}]
        answers = []
        for key, value in content.items():
            try:
                if key == "played":
                    self.played = max(int(value), self.played)
                elif key == "keep":
                    answers.append({"type": "kept", "name": self.keep(value).name})
                else:
                    self.stream.set(key, value)
            except (InputError, OSError, TypeError, ValueError) as error:
                answers.append({"type": "refused", "text": str(error)})
        return answers

    def keep(self, seconds: float) -> Path:
        """Write the last seconds beside the recording, under the next free name."""
        prompt = self.writer.prompt.path
        assert prompt is not None
        number = 1
        while any((path := prompt.with_name(f"{prompt.stem}-live-{number}{end}")).exists() for end in (".wav", ".json")):
            number += 1
        path = prompt.with_name(f"{prompt.stem}-live-{number}.wav")
        self.writer.write(path, self.stream.keep(seconds))
        return path


async def _play(socket: WebSocket, stream: LiveStream, session: Session) -> None:
    await asyncio.to_thread(stream.wait, PREROLL_SECONDS)
    await socket.send_json(
        {
            "type": "begun",
            "sample_rate": stream.sample_rate,
            "channels": stream.channels,
            "handles": stream.handles,
            "settings": stream.settings.as_json(),
        }
    )
    listening = asyncio.create_task(_listen(socket, session))
    sent = reported = 0
    try:
        while not listening.done():
            if (sent - session.played) / stream.sample_rate > AHEAD_SECONDS:
                await asyncio.sleep(0.02)
                continue
            block = await asyncio.to_thread(stream.read)
            if block is None:
                return
            await socket.send_bytes(np.ascontiguousarray(block.T, "<f4").tobytes())
            sent += block.shape[1]
            for change in stream.changes[reported:]:
                await socket.send_json({"type": "change", **change.as_json()})
                reported += 1
    finally:
        stream.stop()
        listening.cancel()
    listening.result()  # raises what ended it


async def _listen(socket: WebSocket, session: Session) -> None:
    while True:
        for answer in await asyncio.to_thread(session.carry_out, await socket.receive_text()):
            await socket.send_json(answer)

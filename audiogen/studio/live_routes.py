"""The live tail: samples to the page by WebSocket, handles from it, while it plays."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from audiogen.errors import InputError
from audiogen.file_names import is_midi

if TYPE_CHECKING:
    from audiogen.studio.hub import Studio
    from audiogen.studio.live_session import LiveSession

EARLY_SECONDS = 0.4  # by which samples are sent before they are due: what the page holds ready
FIRST_SECONDS = 1.0  # that are made before the first are sent

live = APIRouter(prefix="/api/projects/{name}")


@live.websocket("/live")
async def play_live(name: str, socket: WebSocket) -> None:
    """Send the tail as interleaved float32 in real time, and carry out what the page asks for.

    Messages of the page are JSON objects: handles with their values, or ``{"keep": seconds}``.
    """
    studio: Studio = socket.app.state.studio
    await socket.accept()
    try:
        session = await asyncio.to_thread(_open, studio, name)
    except InputError as error:
        await socket.send_json({"error": str(error)})
        await socket.close()
        return
    with session.stream as stream:
        facts = {"sample_rate": stream.sample_rate, "channels": stream.channels, "handles": list(stream.handles)}
        await socket.send_json(facts | {"settings": stream.settings.as_json()})
        await asyncio.to_thread(stream.wait, FIRST_SECONDS)
        commands = asyncio.create_task(_obey(studio, session, socket))
        try:
            with suppress(WebSocketDisconnect, RuntimeError):  # the page was closed
                await _send(session, socket, commands)
        finally:
            stream.stop()
            commands.cancel()


def _open(studio: Studio, name: str) -> LiveSession:
    if is_midi(studio.shelf.find(name)):
        raise InputError(name, "a tune has no live tail", "make takes of it")
    from audiogen.studio.live_session import LiveSession

    return LiveSession.open(studio, name)


async def _send(session: LiveSession, socket: WebSocket, commands: asyncio.Task[None]) -> None:
    stream = session.stream
    due = time.monotonic()
    while not commands.done():
        block = await asyncio.to_thread(stream.read)
        if block is None:
            return
        await socket.send_bytes(np.ascontiguousarray(block.T, "<f4").tobytes())
        now = time.monotonic()
        due = max(due, now - EARLY_SECONDS) + block.shape[1] / stream.sample_rate
        await asyncio.sleep(max(due - now - EARLY_SECONDS, 0))


async def _obey(studio: Studio, session: LiveSession, socket: WebSocket) -> None:
    """Carry out messages until the page goes."""
    with suppress(WebSocketDisconnect):
        while True:
            try:
                content: Any = json.loads(await socket.receive_text())
                if not isinstance(content, dict):
                    raise InputError("message", "it is no JSON object", 'send for example {"temperature": 1.4}')
                if "keep" in content:
                    take = await asyncio.to_thread(session.keep, content.pop("keep"))
                    await socket.send_json({"kept": take})
                if content:
                    session.stream.update(content)
            except (InputError, OSError) as error:
                await socket.send_json({"error": str(error)})
            except ValueError:
                await socket.send_json({"error": "message: it is no JSON"})

"""The routes of the studio. They only translate: what happens is in `hub`, what is sent in `sound_routes`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict

from audiogen.errors import InputError
from audiogen.studio.hub import Studio
from audiogen.studio.live_routes import live
from audiogen.studio.sound_routes import sounds

STATIC = Path(__file__).parent / "static"
KEEP_ALIVE_SECONDS = 15.0

routes = APIRouter(prefix="/api")


class Change(BaseModel):
    """A setting, or the mark or note of a take, with its new value."""

    model_config = ConfigDict(extra="forbid")
    take: int | None = None
    field: str
    value: Any


class Order(BaseModel):
    """Takes to make."""

    model_config = ConfigDict(extra="forbid")
    count: int = 1
    seed: int | None = None


def create_app(studio: Studio) -> FastAPI:
    """The application; it is to be guarded by `security.Guard`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        studio.close()

    app = FastAPI(title="audiogen studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.studio = studio
    app.include_router(routes)
    app.include_router(sounds)
    app.include_router(live)
    app.add_exception_handler(InputError, _explain)
    app.add_api_route("/", _page, methods=["GET"])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _explain(request: Request, error: Exception) -> JSONResponse:
    """An InputError as the page shows it: one line with the cause and the cure."""
    return JSONResponse({"error": str(error)}, status_code=400)


async def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})


def studio_of(request: Request) -> Studio:
    """The studio that a request is for."""
    studio: Studio = request.app.state.studio
    return studio


@routes.get("/shelf")
def list_shelf(request: Request) -> dict[str, Any]:
    """The recordings and tunes of the folder."""
    studio = studio_of(request)
    return {"folder": studio.shelf.folder.name, "files": studio.shelf.names()}


@routes.put("/files/{name}")
async def receive_file(name: str, request: Request) -> dict[str, str]:
    """Copy a dropped file into the folder."""
    shelf = studio_of(request).shelf
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > shelf.max_upload:
        limit = f"{shelf.max_upload / 1024**2:,.0f} MB"
        raise InputError(name, f"it is larger than {limit}", f"put it into {shelf.folder} yourself")
    return {"name": (await shelf.receive(name, request.stream())).name}


@routes.get("/projects/{name}")
def open_project(name: str, request: Request) -> dict[str, Any]:
    """A recording or tune with its takes."""
    return studio_of(request).open(name)


@routes.post("/projects/{name}/change")
def change(name: str, body: Change, request: Request) -> dict[str, Any]:
    """Change a setting, or the mark or note of a take."""
    studio_of(request).change(name, body.take, body.field, body.value)
    return studio_of(request).news_of(name)


@routes.post("/projects/{name}/undo")
def undo(name: str, request: Request) -> dict[str, Any]:
    """Take the latest change back."""
    studio_of(request).step(name, back=True)
    return studio_of(request).news_of(name)


@routes.post("/projects/{name}/redo")
def redo(name: str, request: Request) -> dict[str, Any]:
    """Make the change again that was taken back."""
    studio_of(request).step(name, back=False)
    return studio_of(request).news_of(name)


@routes.post("/projects/{name}/takes")
def make_takes(name: str, body: Order, request: Request) -> dict[str, Any]:
    """Make takes with the settings of the table."""
    return {"takes": studio_of(request).make(name, body.count, body.seed), **studio_of(request).news_of(name)}


@routes.post("/projects/{name}/takes/{take}/cancel")
def cancel_take(name: str, take: int, request: Request) -> dict[str, Any]:
    """Cancel a take."""
    studio_of(request).cancel(name, take)
    return {}


@routes.post("/projects/{name}/export")
def export(name: str, request: Request) -> dict[str, Any]:
    """Export the kept takes."""
    return studio_of(request).export(name)


@routes.get("/events")
async def events(request: Request) -> StreamingResponse:
    """All news, as server-sent events."""
    studio = studio_of(request)
    news = studio.listen()

    async def stream() -> AsyncIterator[str]:
        try:
            yield ": hello\n\n"
            while True:
                try:
                    item = await asyncio.wait_for(news.get(), KEEP_ALIVE_SECONDS)
                    yield f"data: {json.dumps(item)}\n\n"
                    if item["type"] == "goodbye":
                        return
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            studio.forget(news)

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})

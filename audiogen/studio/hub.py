"""The studio behind its page: projects, the queue of takes, and the news that every open page receives."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from pathlib import Path
from typing import Any

from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.name_template import ucs_fields
from audiogen.output_names import sidecar_of
from audiogen.sound.limits import MAX_SEED
from audiogen.studio.command_lines import export_command, stream_command, take_command
from audiogen.studio.export import Export, copy_takes, export_folder, kept_takes, refuse_existing
from audiogen.studio.measures import describe
from audiogen.studio.options import DEFAULTS, check_setting, defaults, request_of
from audiogen.studio.project import RUNNING, Project
from audiogen.studio.shelf import Shelf
from audiogen.studio.sources import Source, Sources
from audiogen.studio.takes import TakeQueue, Ticket
from audiogen.studio.worker import Job

LONG_SECONDS = 120.0  # of a longer recording, its last LONG_REGION seconds are continued unless a region is chosen
LONG_REGION = 60.0
MAX_WAITING = 200


class Studio:
    """All that is open.

    Args:
        shelf: the folder.
        workers: processes that make takes.
        warm: see `worker.work`.
    """

    def __init__(self, shelf: Shelf, workers: int = 1, warm: bool = True) -> None:
        self.shelf, self.sources = shelf, Sources()
        self._projects: dict[str, Project] = {}
        self._tickets: dict[tuple[str, int], Ticket] = {}
        self.live: dict[tuple[str, int], dict[str, Any]] = {}
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self.queue = TakeQueue(self._receive, workers, warm)

    # --- projects -----------------------------------------------------------------------------------------------

    def project(self, name: str) -> Project:
        """The project of a recording or tune, begun if there is none."""
        path = self.shelf.find(name)
        with self._lock:
            if name not in self._projects:
                self._projects[name] = Project(self.shelf.project_folder(name), path.name)
            return self._projects[name]

    def source(self, name: str, take: int | None = None) -> Source:
        """What is played and drawn: the recording or tune, or a take that is made."""
        project = self.project(name)
        cache = project.folder / "cache"
        if take is None:
            return self.sources.get(self.shelf.find(name), cache)
        return self.sources.get(project.folder / project.take(take).file, cache)

    def open(self, name: str) -> dict[str, Any]:
        """All that the page needs to show a project."""
        source = self.source(name)
        source.start_peaks()
        tune = is_midi(Path(name))
        return {"name": name, "kind": "tune" if tune else "recording", **source.describe()} | self.news_of(name)

    def news_of(self, name: str) -> dict[str, Any]:
        """The state of a project, with the command that its next takes amount to."""
        project = self.project(name)
        content = project.as_json()
        content["settings"] = defaults(is_midi(Path(name))) | {"region": self.region(name)} | content["settings"]
        for take in content["takes"]:
            take["live"] = self.live.get((name, take["id"]))
            take["command"] = take_command(name, take["file"], take["request"], str(sidecar_of(Path(take["file"]))))
        content["command"] = self._next_command(name)
        content["export"] = self._planned_export(name)
        content["stream"] = None if is_midi(Path(name)) else stream_command(name, self._request(name))
        return {"project": content}

    def region(self, name: str) -> list[float] | None:
        """What is continued, seconds; None for all of it."""
        project = self.project(name)
        if "region" in project.settings:
            return project.settings["region"]
        if is_midi(Path(name)):
            return None
        reader = self.source(name).reader
        seconds = reader.length / reader.sample_rate
        return [seconds - LONG_REGION, seconds] if seconds > LONG_SECONDS else None

    def change(self, name: str, take: int | None, field: str, value: Any) -> None:
        """Change a setting, or the mark or note of a take."""
        project = self.project(name)
        if take is None:
            check_setting(field, value, project.settings, is_midi(Path(name)))
            if field == "morph" and value is not None:
                self.shelf.find(value)
        project.change(take, field, value)
        self.broadcast_project(name)

    def step(self, name: str, back: bool) -> None:
        """Undo or redo."""
        project = self.project(name)
        if project.undo() if back else project.redo():
            self.broadcast_project(name)

    # --- takes --------------------------------------------------------------------------------------------------

    def make(self, name: str, count: int, seed: int | None = None) -> list[int]:
        """Ask for takes with the settings of the table.

        Args:
            name: of the recording or tune.
            count: how many, with consecutive seeds.
            seed: of the first; None for one that no take has had.

        Returns:
            Their numbers.
        """
        project, tune = self.project(name), is_midi(Path(name))
        check_setting("count", count, project.settings, tune)
        if sum(take.state in RUNNING for take in project.takes.values()) + count > MAX_WAITING:
            raise InputError("takes", f"more than {MAX_WAITING} would wait", "cancel some first")
        if seed is None:
            seed = self._next_seed(name)
        if not 0 <= seed <= MAX_SEED - count:
            raise InputError("seed", f"{seed} is out of range", f"choose from 0 to {MAX_SEED - count}")
        made = [self._enqueue(name, project, self._request(name, each), tune) for each in range(seed, seed + count)]
        self.broadcast_project(name)
        return made

    def _enqueue(self, name: str, project: Project, request: dict[str, Any], tune: bool) -> int:
        take = project.add_take(Path(name).suffix.lower() if tune else ".wav", request)
        cache = project.folder / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        options = {key: value for key, value in request.items() if key not in ("region", "morph")}
        job = Job(
            kind="tune" if tune else "recording",
            prompt=self.shelf.find(name),
            out=project.folder / take.file,
            request=options,
            region=None if request.get("region") is None else (request["region"][0], request["region"][1]),
            morph=self.shelf.find(request["morph"]) if request.get("morph") else None,
            preview=None if tune else self.preview(name, take.id),
        )
        try:
            with self._lock:
                self._tickets[name, take.id] = self.queue.add(job, (name, take.id))
        except InputError as error:
            project.update(take.id, "failed", {"error": str(error)})
        return take.id

    def preview(self, name: str, take: int) -> Path:
        """The file that grows while a take is made."""
        return self.shelf.project_folder(name) / "cache" / f"preview-{take}.f32"

    def cancel(self, name: str, take: int) -> None:
        """Cancel a take that waits or is being made."""
        ticket = self._tickets.get((name, take))
        if ticket is None:
            raise InputError(f"take {take}", "it is not being made", "set it aside instead")
        self.queue.cancel(ticket)

    def _receive(self, word: str, ticket: Ticket, rest: tuple[Any, ...]) -> None:
        """Messages of the queue, in one of its threads."""
        name, number = ticket.owner
        key = name, number
        live = self.live.get(key)
        if number < 0:
            self._receive_export(word, name, number, rest)
            return
        if word == "started":
            self.live[key] = {"frames": 0, "done": 0.0, "label": "starting"}
            self.project(name).update(number, "making", {})
        elif live is not None and word == "progress":
            done, total, label = rest
            self.live[key] = live | {"done": done / total if total else 0.0, "label": label}
            self.broadcast({"type": "live", "name": name, "take": number, "live": self.live[key]})
            return
        elif live is not None and word == "begun":
            self.live[key] = live | rest[0]
        elif live is not None and word == "sound":
            self.live[key] = live | {"frames": live["frames"] + rest[0]}
            self.broadcast({"type": "live", "name": name, "take": number, "live": self.live[key]})
            return
        if word in ("made", "failed", "cancelled"):
            self.live.pop(key, None)
            self._tickets.pop(key, None)
            facts = facts_of(rest[0]) if word == "made" else {"error": rest[0]} if rest else {}
            self.project(name).update(number, word, facts)
        self.broadcast_project(name)

    # --- export -------------------------------------------------------------------------------------------------

    def export(self, name: str) -> dict[str, Any]:
        """Export the kept takes with the settings of the table; a set is made again by a worker, equally loud.

        Returns:
            ``files``, relative to the studio's folder, and ``waits``, whether they are still being made.
        """
        project, export = self.project(name), self._export_of(name)
        takes, paths = export.takes, export.paths()
        refuse_existing(paths)
        export.folder.mkdir(exist_ok=True)
        files = [f"{export.folder.name}/{path.name}" for path in paths]
        if not export.as_set:
            copy_takes(project, takes, paths)
            return {"files": files, "waits": False}
        region = tuple(takes[0].request.get("region") or ())
        requests = [{k: v for k, v in take.request.items() if k not in ("region", "morph")} for take in takes]
        job = Job("set", export.prompt, paths[0], {}, region or None, takes=tuple(zip(paths, requests, strict=True)))
        self.queue.add(job, (name, -next(self._numbers)))
        return {"files": files, "waits": True}

    def _export_of(self, name: str) -> Export:
        project, prompt = self.project(name), self.shelf.find(name)
        settings = DEFAULTS | project.settings
        folder = export_folder(self.shelf.folder, settings["folder"])
        as_set = bool(settings["as_set"]) and not is_midi(prompt)
        fields = settings.get("fields") or {}
        return Export(prompt, folder, kept_takes(project), settings["template"], fields, as_set)

    def _planned_export(self, name: str) -> dict[str, Any]:
        """The ``command`` that an export amounts to, or the ``problem``; and the ``fields`` of the recording's name."""
        planned: dict[str, Any] = {"command": "", "problem": "", "fields": ucs_fields(Path(name).stem)}
        project = self.project(name)
        if not any(take.mark == "kept" and take.state == "made" for take in project.takes.values()):
            return planned
        try:
            export = self._export_of(name)
            kept = [f"{project.folder.name}/{sidecar_of(Path(take.file))}" for take in export.takes]
            return planned | {"command": export_command(export, export.paths(), kept)}
        except InputError as error:
            return planned | {"problem": str(error)}

    def _receive_export(self, word: str, name: str, number: int, rest: tuple[Any, ...]) -> None:
        if word == "progress":
            done, total, label = rest
            self.broadcast({"type": "export", "name": name, "label": label, "done": done / total if total else 0.0})
        elif word in ("made", "failed", "cancelled"):
            text = rest[0]["report"] or "the set is written" if word == "made" else rest[0] if rest else word
            self.broadcast({"type": "exported", "name": name, "failed": word != "made", "text": text})

    # --- commands -----------------------------------------------------------------------------------------------

    def _next_seed(self, name: str) -> int:
        """A seed that no take has had."""
        return max((int(take.request["seed"]) + 1 for take in self.project(name).takes.values()), default=0)

    def _request(self, name: str, seed: int | None = None) -> dict[str, Any]:
        """Options of a take with the settings of the table, its region and morph; of the next one without a seed."""
        project, tune = self.project(name), is_midi(Path(name))
        place = {} if tune else {"region": self.region(name), "morph": project.settings.get("morph")}
        return request_of(project.settings, tune, self._next_seed(name) if seed is None else seed) | place

    def _next_command(self, name: str) -> str:
        count = int((DEFAULTS | self.project(name).settings)["count"])
        more = ("--variations", str(count)) if count > 1 else ()
        out = f"take{Path(name).suffix.lower() if is_midi(Path(name)) else '.wav'}"
        return take_command(name, out, self._request(name), "", more)

    # --- news ---------------------------------------------------------------------------------------------------

    def listen(self) -> asyncio.Queue[dict[str, Any]]:
        """A queue of all news from now on, for the event loop that calls this."""
        self._loop = asyncio.get_running_loop()
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listeners.add(news)
        return news

    def forget(self, news: asyncio.Queue[dict[str, Any]]) -> None:
        """End a queue of `listen`."""
        self._listeners.discard(news)

    def broadcast_project(self, name: str) -> None:
        """Send every page the state of a project."""
        self.broadcast({"type": "project", "name": name, **self.news_of(name)})

    def broadcast(self, news: dict[str, Any]) -> None:
        """Send news to every page, from any thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        for each in tuple(self._listeners):
            loop.call_soon_threadsafe(each.put_nowait, news)

    def say_goodbye(self) -> None:
        """End the news."""
        self.broadcast({"type": "goodbye"})

    def close(self) -> None:
        """End the queue, and close all files."""
        self.queue.close()
        self.sources.close()


def facts_of(sidecar: dict[str, Any]) -> dict[str, Any]:
    """What a project keeps of a sidecar."""
    facts: dict[str, Any] = {"join_sample": sidecar.get("join_sample"), "warnings": sidecar.get("warnings") or []}
    facts["stamp"] = str(time.time_ns())  # so that no browser shows the pictures of an earlier file of this name
    for key in ("sample_rate", "length", "prompt_range", "prompt_start", "join"):
        if key in sidecar:
            facts[key] = sidecar[key]
    level = (sidecar.get("measures") or {}).get("level") or {}
    return facts | {"level_db": level.get("difference_db"), **describe(sidecar)}

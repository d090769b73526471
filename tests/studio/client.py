"""A studio that runs in this process, and a client that speaks HTTP with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from audiogen.studio.server import StudioServer


@dataclass
class Answer:
    """An answer of the studio."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def samples(self) -> np.ndarray:
        return np.frombuffer(self.content, "<f4")


@dataclass
class Client:
    """Asks a studio; by default with its token."""

    server: StudioServer

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, token: bool = True
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        sent = {"authorization": f"Bearer {self.server.token}"} if token else {}
        sent |= {"content-type": "application/json"} | dict(headers or {})
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **settings: Any) -> Answer:
        return self.ask("GET", path, **settings)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.ask("POST", path, {} if body is None else body)

    def project(self, name: str) -> dict[str, Any]:
        answer = self.get(f"/api/projects/{quote(name)}")
        assert answer.status == 200, answer.content
        return answer.json["project"]

    def until(self, name: str, done: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """The takes of a project, once ``done`` holds of them."""
        for _ in range(2400):
            takes = self.project(name)["takes"]
            if done(takes):
                return takes
            time.sleep(0.05)
        raise AssertionError(takes)


def finished(takes: list[dict[str, Any]]) -> bool:
    """Whether no take waits or is being made."""
    return all(take["state"] not in ("waiting", "making") for take in takes)


@contextmanager
def studio_of(folder: Path, **settings: Any) -> Iterator[Client]:
    """A studio of a folder, with one worker that is not warmed up."""
    with StudioServer(folder, **{"workers": 1, "warm": False, **settings}) as server:
        yield Client(server)

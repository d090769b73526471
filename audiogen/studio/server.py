"""Serves the studio on the loopback address, until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
import threading
from pathlib import Path
from types import TracebackType

import uvicorn

from audiogen.errors import InputError
from audiogen.studio.app import create_app
from audiogen.studio.hub import Studio
from audiogen.studio.security import Guard
from audiogen.studio.shelf import MAX_UPLOAD, Shelf

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 1


class StudioServer:
    """A context manager: the studio answers inside its ``with``.

    Args:
        folder: of recordings.
        port: to listen at; 0 for a free one.
        workers: processes that make takes.
        max_upload: bytes of a dropped file.
        warm: see `worker.work`.

    Attributes:
        url: the address to open, with the token.

    Raises:
        InputError: the port is taken, or there is no such folder.
    """

    def __init__(
        self, folder: Path, port: int = 0, workers: int = 1, max_upload: int = MAX_UPLOAD, warm: bool = True
    ) -> None:
        shelf = Shelf(folder, max_upload)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise InputError("--port", f"{port} cannot be used ({error})", "choose another, or leave it out") from error
        self._socket.listen(128)  # connections made before the server is up wait
        self.port = int(self._socket.getsockname()[1])
        self.token = secrets.token_urlsafe(24)
        self.url = f"http://{HOST}:{self.port}/?token={self.token}"
        self.studio = Studio(shelf, workers, warm)
        guarded = Guard(create_app(self.studio), self.token, self.port)
        config = uvicorn.Config(
            guarded,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True, name="studio")

    def _serve(self) -> None:
        self._server.run([self._socket])

    def __enter__(self) -> StudioServer:
        self._thread.start()
        return self

    def wait(self) -> None:
        """Return when the server has ended, or raise the `KeyboardInterrupt` of Ctrl-C."""
        while self._thread.is_alive():
            self._thread.join(0.2)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.studio.say_goodbye()  # or open pages would keep the server from ending
        self._server.should_exit = True
        self._thread.join(SHUTDOWN_SECONDS + 4)
        self.studio.close()
        self._socket.close()

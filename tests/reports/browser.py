"""A headless browser for tests of pages, controlled by the Chrome DevTools Protocol through two pipes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
CODES = {"Enter": 13, "Escape": 27, " ": 32, "ArrowRight": 39, "ArrowLeft": 37, "PageUp": 33, "Tab": 9}
CODES |= {"ArrowUp": 38, "ArrowDown": 40}


class Pipe:
    """The browser's two pipes; messages are JSON, ended by a zero byte.

    Args:
        to, back: file descriptors.

    Attributes:
        errors: exceptions that no script of a page caught.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest, self._count = to, back, b"", 0
        self.errors: list[str] = []

    def call(self, session: str | None, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                read = os.read(self._back, 1 << 20)
                assert read, "the browser has gone"
                self._rest += read
            text, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(answer["params"]["exceptionDetails"]))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]


class Page:
    """An open page.

    Args:
        pipe: of its browser.
    """

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Runtime.enable")

    def another(self) -> Page:
        """A second page of the same browser."""
        return Page(self.pipe)

    def _call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        return self.pipe.call(self._session, method, parameters)

    def open(self, file: Path | str, folder: Path) -> None:
        """Load a file or an address; its downloads are saved in ``folder``."""
        self._call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self._call("Page.navigate", url=file if isinstance(file, str) else file.as_uri())
        self.until("document.readyState === 'complete'")

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in a file field."""
        document = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def drag(self, *points: tuple[float, float]) -> None:
        """Press the mouse at the first point, move it through the others, and release it."""
        pressed = {"button": "left", "clickCount": 1}
        for number, (x, y) in enumerate(points):
            self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, **(pressed if number else {}))
            if number == 0:
                self._call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **pressed)
        self._call("Input.dispatchMouseEvent", type="mouseReleased", x=points[-1][0], y=points[-1][1], **pressed)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, or the result of a promise."""
        found = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait for a JavaScript condition, at most 60 s."""
        turns = "for (let k = 0; k < 3000 && !(%s); k++) await new Promise(go => setTimeout(go, 20));" % condition  # noqa: UP031
        assert self.ask(f"(async () => {{ {turns} return Boolean({condition}); }})()"), condition

    def press(self, key: str) -> None:
        """Press and release a key."""
        code = CODES.get(key, ord(key[0].upper()))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        event = {"key": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    def picture(self, width: int = 1200, scheme: str = "light") -> bytes:
        """A PNG of the whole page."""
        import base64

        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self.ask("new Promise(done => setTimeout(done, 300))")  # what follows the new size
        return base64.b64decode(self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """An empty page in a new browser with its profile in ``folder``; skips the test if there is no browser."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"there is no browser: none of {', '.join(NAMES)}")
    theirs, to = os.pipe()
    back, answers = os.pipe()
    # The browser reads from descriptor 3 and writes to 4: bash puts the pipes there (other shells take one digit).
    command = [program, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    shell = ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{answers}', "bash", *command]
    process = subprocess.Popen(shell, pass_fds=(theirs, answers), stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.close(answers)
    try:
        yield Page(Pipe(to, back))
    finally:
        os.close(to)
        process.terminate()
        process.wait(20)
        os.close(back)

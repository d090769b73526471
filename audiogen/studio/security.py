"""Who may talk to the studio: this machine's browser, by the studio's own address, with its token.

Other web pages, which the same browser may have open, must not: the Host header must be the studio's own (so that no
foreign name can be made to point at the loopback address, "DNS rebinding"), an Origin header must be the studio's, and
a random token, which only the printed address holds, must be known. It is kept in a cookie that other sites' requests
do not carry.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

COOKIE = "audiogen-studio"
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware that refuses all others.

    Args:
        app: what it guards.
        token: that requests must carry.
        port: of the studio.
    """

    def __init__(self, app: Any, token: str, port: int) -> None:
        self.app, self.token, self.port = app, token, port
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        status, text = self._refusal(scope)
        if status:
            await _refuse(scope, receive, send, status, text)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["type"] == "http" and scope["path"] == "/" and "token" in query:
            cookie = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            await _respond(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        await self.app(scope, receive, send_with_headers)

    @property
    def cookie(self) -> str:
        """Name of the cookie: cookies know no ports, and several studios may run."""
        return f"{COOKIE}-{self.port}"

    def _refusal(self, scope: Any) -> tuple[int, str]:
        """Status and reason of a refusal; (0, "") for none."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        if len(headers.get(b"host", [])) != 1 or headers[b"host"][0] not in self._hosts:
            return 421, f"the studio answers at http://127.0.0.1:{self.port} only"
        if any(origin not in self._origins for origin in headers.get(b"origin", [])):
            return 403, "another site's page must not use the studio"
        if scope["type"] == "websocket" and b"origin" not in headers:
            return 403, "a WebSocket needs the studio's own page"
        if not any(
            secrets.compare_digest(token.encode(), self.token.encode()) for token in self._tokens(scope, headers)
        ):
            return 403, "the token is missing: open the address that `audiogen studio` printed"
        return 0, ""

    def _tokens(self, scope: Any, headers: dict[bytes, list[bytes]]) -> Iterable[str]:
        yield from parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        for value in headers.get(b"authorization", []):
            yield value.decode("latin-1").removeprefix("Bearer ")
        for value in headers.get(b"cookie", []):
            try:
                cookies = SimpleCookie(value.decode("latin-1"))
            except CookieError:
                continue
            if self.cookie in cookies:
                yield cookies[self.cookie].value


async def _refuse(scope: Any, receive: Any, send: Any, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await _respond(send, status, text.encode(), [(b"content-type", b"text/plain; charset=utf-8")])


async def _respond(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *HEADERS]})
    await send({"type": "http.response.body", "body": body})

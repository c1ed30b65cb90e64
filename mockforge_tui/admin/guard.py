"""Who may use the admin port: the right Host and Origin, and the token where there is one."""

import hmac

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Guard:
    """ASGI middleware. The Host check keeps web pages from reaching us by DNS rebinding, the
    Origin check keeps them from posting commands as any page may post to any address.

    `host` is the address that admin listens at; any Host is taken where that is not loopback,
    since a token is required there.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self._app = app
        self._any_host = host not in ("127.0.0.1", "::1", "localhost")
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            problem = self._problem(headers)
            if problem is not None:
                await _refuse(send, *problem)
                return
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            """It hung up amid its body: nobody is there to be answered."""

    def _problem(self, headers: dict[bytes, bytes]) -> tuple[int, bytes] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._any_host and _name(host) not in _LOOPBACK_HOSTS:
            return 421, b'{"error":"this Host is not served; use 127.0.0.1 or localhost"}'
        origin = headers.get(b"origin")
        if self._token is None and origin is not None and not _is_local(origin):
            return 403, b'{"error":"no commands from web pages of other sites"}'
        if self._token is not None:
            given = headers.get(b"authorization", b"")
            wanted = f"Bearer {self._token}".encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, wanted):
                return 401, b'{"error":"a bearer token is wanted (--token of `do`)"}'
        return None


def _name(host: str) -> str:
    """`[::1]` of `[::1]:9080`, `localhost` of `localhost:9080`."""
    name = host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return name.lower()


def _is_local(origin: bytes) -> bool:
    return _name(origin.decode("latin-1").partition("://")[2]) in _LOOPBACK_HOSTS


async def _refuse(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

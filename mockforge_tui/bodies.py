"""The bodies of HTTP requests, read as far as their limit goes."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from mockforge_brokers.usage import Usage

from .units import format_size


class Request(Protocol):
    """What has a body (Starlette's)."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def stream(self) -> AsyncIterator[bytes]: ...


class BodyTooLarge(Exception):
    """The text names the limit and how to set it."""


class Bodies:
    """Those that are on their way, at all HTTP ports of an instance."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._begun: set[_Body] = set()
        usage.gauge("http_body", lambda: max((each.size for each in self._begun), default=0))

    async def read(self, request: Request) -> bytes:
        """Raises BodyTooLarge, at once where the request's head says how long it is."""
        said = request.headers.get("content-length", "")
        if said.isdecimal():
            self._check(int(said) if len(said) <= 18 else 10**18)
        body = _Body()
        self._begun.add(body)
        try:
            async for piece in request.stream():
                body.pieces.append(piece)
                body.size += len(piece)
                self._check(body.size)
        finally:
            self._begun.discard(body)
        return b"".join(body.pieces)

    def _check(self, size: int) -> None:
        most = self._usage.limits.http_body
        if size > most:
            self._usage.count("http_body")
            raise BodyTooLarge(
                f"a body has {format_size(most)} at most: --limit http_body={format_size(2 * most)}"
                " allows more"
            )


class _Body:
    __slots__ = ("pieces", "size")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0

"""The admin port: bound at once, its web framework loaded when the first client knocks."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .runtime import Runtime

if TYPE_CHECKING:
    from .console.session import Session


_log = logging.getLogger(__name__)


class WebPort:
    """A bound port; requests wait in its backlog until there is an application to serve."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._task: asyncio.Task[None] | None = None
        self._server: Any = None
        self._loading: asyncio.Task[None] | None = None
        self._waits = False
        host, port = sock.getsockname()[:2]
        self.port: int = port
        shown = f"[{host}]" if ":" in host else host
        self.origin = f"http://{shown}:{port}"

    def serve_when_asked(self, modules: tuple[str, ...], build: Callable[[], Any]) -> None:
        """Serve the ASGI application that `build` makes from the first connection on.

        Most runs that test something else never ask. What serves takes longer to import than all
        the rest of a start, so it is imported beside the loop, which goes on with its clients.
        """
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(self._socket, self._begin, modules, build)
            self._waits = True
        except NotImplementedError:  # Windows' loop watches no sockets
            self._begin(modules, build)

    def _begin(self, modules: tuple[str, ...], build: Callable[[], Any]) -> None:
        self._stop_waiting()
        self._loading = asyncio.get_running_loop().create_task(self._load(modules, build))

    async def _load(self, modules: tuple[str, ...], build: Callable[[], Any]) -> None:
        try:
            await asyncio.to_thread(_import, ("uvicorn", *modules))
            self.serve(build())
        except Exception:
            _log.exception("%s cannot be served", self.origin)

    def _stop_waiting(self) -> None:
        if self._waits:
            self._waits = False
            asyncio.get_running_loop().remove_reader(self._socket)

    def serve(self, app: Any) -> None:
        """Serve an ASGI application; imports the web server."""
        import uvicorn

        config = uvicorn.Config(
            app,
            loop="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                """Signals are the front end's affair."""
                yield

        self._server = Server(config)
        self._task = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[self._socket])
        )

    async def close(self) -> None:
        self._stop_waiting()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait((self._loading,))
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._socket.close()


class Admin(WebPort):
    """The port of commands, metrics and what else programs ask."""

    def __init__(self, runtime: Runtime, sock: socket.socket) -> None:
        super().__init__(sock)
        self._runtime = runtime
        self._session: Session | None = None
        self.url = f"{self.origin}/__mockforge"

    def load(self, facts: dict[str, Any]) -> None:
        """Serve from the first request on; `facts` are what `info` answers."""

        def build() -> Any:
            from .admin.app import build
            from .console.session import Session

            self._session = session = Session(self._runtime)
            return build(self._runtime, session, facts)

        self.serve_when_asked((f"{__package__}.admin.app", f"{__package__}.console.session"), build)

    async def close(self) -> None:
        if self._session is not None:
            # What streams ends with its jobs.
            self._session.close()
        await super().close()


class Management(WebPort):
    """The port of RabbitMQ's management interface."""

    def __init__(self, runtime: Runtime, sock: socket.socket) -> None:
        super().__init__(sock)
        self._runtime = runtime
        self.url = f"{self.origin}/"

    def load(self) -> None:
        """Serve from the first request on."""

        def build() -> Any:
            from .management.app import build

            return build(self._runtime)

        self.serve_when_asked((f"{__package__}.management.app",), build)


def _import(modules: tuple[str, ...]) -> None:
    for name in modules:
        import_module(name)


async def open_admin(runtime: Runtime) -> Admin:
    """Bind the admin port. Raises CannotListen."""
    return Admin(runtime, await _open(runtime, "admin", runtime.config.admin_host))


async def open_management(runtime: Runtime) -> Management:
    """Bind the port of AMQP's management. Raises CannotListen."""
    return Management(runtime, await _open(runtime, "amqp-management", runtime.config.host))


async def _open(runtime: Runtime, service: str, host: str) -> socket.socket:
    opened: list[socket.socket] = []

    async def listen(port: int) -> int:
        opened.append(_bind(host, port))
        return int(opened[0].getsockname()[1])

    await runtime.listeners.take_port(service, host, listen)
    return opened[0]


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock

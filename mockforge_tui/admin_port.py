"""The admin port: bound at once, its web framework loaded once there is time."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .runtime import Runtime

if TYPE_CHECKING:
    from .console.session import Session


class Admin:
    """A bound port; requests wait in its backlog until `load` has brought the application."""

    def __init__(self, runtime: Runtime, sock: socket.socket) -> None:
        self._runtime = runtime
        self._socket = sock
        self._task: asyncio.Task[None] | None = None
        self._server: Any = None
        self._session: Session | None = None
        host, port = sock.getsockname()[:2]
        self.port: int = port
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/__mockforge"

    def load(self, facts: dict[str, Any]) -> None:
        """Import the web framework and serve; `facts` are what `info` answers."""
        import uvicorn

        from .admin.app import build
        from .console.session import Session

        runtime = self._runtime
        self._session = session = Session(runtime)
        config = uvicorn.Config(
            build(runtime, session, facts),
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
        if self._session is not None:
            # What streams ends with its jobs.
            self._session.close()
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        self._socket.close()


async def open_admin(runtime: Runtime) -> Admin:
    """Bind the admin port. Raises CannotListen."""
    host = runtime.config.admin_host
    opened: list[socket.socket] = []

    async def listen(port: int) -> int:
        opened.append(_bind(host, port))
        return int(opened[0].getsockname()[1])

    await runtime.take_port("admin", host, listen)
    return Admin(runtime, opened[0])


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

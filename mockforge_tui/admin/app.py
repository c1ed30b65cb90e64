"""The routes under /__mockforge."""

import json
from typing import Any, cast

from msgspec.structs import asdict
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from ..console.results import to_json
from ..console.session import Session
from ..metrics import render
from ..runtime import Runtime
from .guard import Guard
from .stream import Rows, Stream

PREFIX = "/__mockforge"


class Routes:
    """What each path answers."""

    def __init__(self, runtime: Runtime, session: Session, facts: dict[str, Any]) -> None:
        self._runtime = runtime
        self._session = session
        self._facts = facts

    async def health(self, request: Request) -> Response:
        """The process lives and its loop turns."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """200 once every listener accepts and the fixtures are loaded."""
        listening = self._runtime.listening
        status = 200 if listening else 503
        return JSONResponse({"status": "ready" if listening else "starting"}, status_code=status)

    async def info(self, request: Request) -> Response:
        """The ready line's values, and what clients asked for that is not served."""
        asked = [asdict(view) for view in self._runtime.environment.unserved.views()]
        facts = {**self._facts, "unserved": asked}
        return Response(to_json(facts), media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Prometheus text, true to the last message."""
        runtime = self._runtime
        text = render(runtime.brokers.values(), runtime.environment, runtime.loop_lag)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def commands(self, request: Request) -> Response:
        """`{"line": "..."}` runs one console command: 200 with its result, 400 if it is wrong.

        What streams (tail, export) comes as JSON lines, the result last. `width` is how many
        cells the text of a table may have.
        """
        try:
            asked = json.loads(await request.body())
            line, width = asked["line"], asked.get("width")
        except (ValueError, KeyError, TypeError):
            raise HTTPException(400, 'a JSON body is wanted: {"line": "topic ls"}') from None
        if not isinstance(line, str):
            raise HTTPException(400, f"line: a text is wanted, not {line!r}")
        if width is not None and (type(width) is not int or width < 1):
            raise HTTPException(400, f"width: a number of cells is wanted, not {width!r}")
        rows = Rows() if self._session.streams(line) else None
        session = self._session
        if rows is not None:
            session = session.heard_by(rows.report, rows.has_room)
        result = await session.execute(line)
        if rows is not None and result.ok:
            # Starlette takes any ASGI application for a response.
            return cast(Response, Stream(rows, result, session.jobs))
        return Response(
            to_json(result.as_json(width)), 200 if result.ok else 400, media_type="application/json"
        )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


def build(runtime: Runtime, session: Session, facts: dict[str, Any]) -> Guard:
    """The ASGI application with its guard in front."""
    routes = Routes(runtime, session, facts)
    app = Starlette(
        routes=[
            Mount(
                PREFIX,
                routes=[
                    Route("/health", routes.health),
                    Route("/ready", routes.ready),
                    Route("/info", routes.info),
                    Route("/metrics", routes.metrics),
                    Route("/commands", routes.commands, methods=["POST"]),
                ],
            )
        ],
        exception_handlers={HTTPException: _problem},
    )
    return Guard(app, runtime.config.admin_host, runtime.config.admin_token)

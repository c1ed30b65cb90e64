"""The routes under /__mockforge."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

from mockforge_brokers import __version__
from mockforge_brokers.errors import BrokerError
from msgspec.structs import asdict
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from ..bodies import Bodies, BodyTooLarge
from ..console.results import to_json
from ..console.session import Session
from ..filters import FilterError
from ..metrics import render
from ..runtime import Runtime
from ..text import encodable
from .endpoints import ENDPOINTS, Endpoint
from .events import EventStream
from .guard import Guard
from .hanging_up import unless_hung_up
from .openapi import describe
from .recorded import MEDIA_TYPE, Lines, NotThere
from .schema import problem
from .stream import Rows, Stream
from .verbs import Verbs

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?")
PREFIX = "/__mockforge"
_NOWHERE = HTTPException(404)
"""As the router says it of a path that it does not know."""


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
        listening = self._runtime.listeners.accepting
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
        text = render(
            runtime.brokers.values(), runtime.listeners, runtime.environment, runtime.loop_lag
        )
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def commands(self, request: Request) -> Response:
        """`{"line": "..."}` runs one console command: 200 with its result, 400 if it is wrong.

        What streams (tail, export) comes as JSON lines, the result last. `width` is how many
        cells the text of a table may have.
        """
        body = await _body(request, self._runtime.bodies)
        try:
            asked = json.loads(body)
            line, width = asked["line"], asked.get("width")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
        result = await session.settled(result)
        return Response(
            to_json(result.as_json(width)), 200 if result.ok else 400, media_type="application/json"
        )

    async def description(self, request: Request) -> Response:
        """OpenAPI 3.1."""
        token = self._runtime.config.admin_token is not None
        return JSONResponse(describe(__version__, PREFIX, token=token))

    async def events(self, request: Request) -> Response:
        """Server-sent events: `filter` in the filter language, `messages=1` what comes too."""
        query = request.query_params
        try:
            where = self._session.filter_of(query.get("filter", ""))
        except FilterError as error:
            raise HTTPException(400, f"filter: {error.text}") from None
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isdecimal() and len(last) < 16 else None
        messages = query.get("messages", "") in ("1", "true")
        stream = EventStream(self._runtime, where, messages=messages, after=after)
        return cast(Response, stream)


def _routes(verbs: Verbs, bodies: Bodies) -> Iterator[Route]:
    """A route for each path: body, query and path as one mapping to the method's verb."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method] = each
    for path, methods in paths.items():
        yield Route(path, _serving(methods, verbs, bodies), methods=list(methods))


def _serving(
    methods: dict[str, Endpoint], verbs: Verbs, bodies: Bodies
) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        asked = await _asked(endpoint, request, bodies)
        try:
            answer = await unless_hung_up(request.receive, verbs.answering(endpoint.name)(asked))
        except NotThere as error:
            raise HTTPException(404, str(error)) from None
        except BrokerError as error:
            raise HTTPException(400, str(error)) from None
        if answer is None:
            return Response(status_code=400)  # for nobody: the client has gone
        status, value = answer
        if isinstance(value, Lines):
            return Response(value.content, status, media_type=MEDIA_TYPE)
        return Response(to_json(value), status, media_type="application/json")

    return serve


async def _body(request: Request, bodies: Bodies) -> bytes:
    try:
        return await bodies.read(request)
    except BodyTooLarge as error:
        raise HTTPException(413, str(error)) from None


async def _asked(endpoint: Endpoint, request: Request, bodies: Bodies) -> dict[str, Any]:
    """What a request asks for. Raises HTTPException for what the endpoint does not know."""
    asked: dict[str, Any] = {}
    if endpoint.body is not None:
        data = await _body(request, bodies)
        try:
            asked = json.loads(data) if data or not endpoint.bare else {}
        except (ValueError, RecursionError):
            raise HTTPException(400, "a JSON body is wanted") from None
        if not isinstance(asked, dict):
            raise HTTPException(400, "the JSON body is to be an object")
        if wrong := problem(asked, endpoint.body):
            raise HTTPException(400, wrong)
    query: dict[str, Any] = {}
    for name, schema in endpoint.query.items():
        text = request.query_params.get(name)
        if text is not None:
            value = _number(text)
            if wrong := problem(value, schema, name):
                raise HTTPException(400, wrong)
            query[name] = value
    return {**asked, **query, **request.path_params}


def _number(text: str) -> Any:
    """A parameter's text as the number that it is, if it is one."""
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = error.detail
    if text == _NOWHERE.detail:
        text = f"there is no {request.url.path}: {PREFIX}/openapi.json lists what there is"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        text = f"{request.url.path} is not for {request.method}, but for {allowed}"
    return JSONResponse({"error": encodable(text)}, error.status_code, headers=error.headers)


def build(runtime: Runtime, session: Session, facts: dict[str, Any]) -> Guard:
    """The ASGI application with its guard in front."""
    routes = Routes(runtime, session, facts)
    verbs = Verbs(runtime, session)
    mount = Mount(
        PREFIX,
        routes=[
            Route("/health", routes.health),
            Route("/ready", routes.ready),
            Route("/info", routes.info),
            Route("/metrics", routes.metrics),
            Route("/commands", routes.commands, methods=["POST"]),
            Route("/events", routes.events),
            Route("/openapi.json", routes.description),
            *_routes(verbs, runtime.bodies),
        ],
    )
    # Or names with a line break (%0A) would be in no route, whatever answers for them.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    app = Starlette(routes=[mount], exception_handlers={HTTPException: _problem})
    return Guard(app, runtime.config.admin_host, runtime.config.admin_token)

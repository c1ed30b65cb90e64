"""The ASGI application: login, the way to a path's function, and its answer as JSON."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mockforge_brokers.amqp.attempts import HTTP, Source
from mockforge_brokers.amqp.codes import ReplyCode
from mockforge_brokers.amqp.state.queues.governed import GovernedQueue
from mockforge_brokers.errors import InvalidInput
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..admin.guard import Guard
from ..bodies import BodyTooLarge
from ..runtime import Runtime
from .changing import body_of
from .paths import OF_A_VHOST, OF_ANYBODY, OF_GET, PATHS, SINCE, UNTIL, Answer
from .refusals import NOT_FOUND, Refused
from .rendering import rendering
from .request import CREATED, Asked, Lengthy, Made
from .sight import ANYBODY, Sight
from .tags import problem

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_LOGIN = {"WWW-Authenticate": 'Basic realm="RabbitMQ Management"'}


class Application:
    """Paths are taken apart before they are decoded: `%2F` is a virtual host's name."""

    def __init__(self, runtime: Runtime) -> None:
        assert runtime.brokers.amqp is not None, "management is AMQP's"
        self._runtime = runtime
        self._broker = runtime.brokers.amqp
        release = self._broker.options.profile.release
        self._paths = [
            (tuple(path.split("/")), methods)
            for path, methods in PATHS.items()
            if SINCE.get(path, release) <= release and (path not in UNTIL or release < UNTIL[path])
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        raw = request.scope.get("raw_path") or request.url.path.encode()
        parts = raw.decode("latin-1").partition("?")[0].strip("/").split("/")
        of_anybody = parts[0] == "api" and "/".join(parts[1:]) in OF_ANYBODY
        user = ANYBODY if of_anybody else self._user(request)
        if user is None:
            return _LOGIN_FAILED
        if parts[0] != "api":
            return JSONResponse(NOT_FOUND, 404)
        users = self._runtime.environment.access.users
        for path, methods, names in self._matching(parts[1:]):
            method = "GET" if request.method == "HEAD" else request.method
            if not of_anybody and (reason := problem(users[user].tags, method, path)):
                return JSONResponse({"error": "not_authorised", "reason": reason}, 401)
            answer = methods.get(method)
            if answer is None:
                return Response(status_code=405, headers={"Allow": ", ".join(methods)})
            try:
                body = await self._runtime.bodies.read(request)
            except BodyTooLarge as error:
                refusal = Refused(413, "payload_too_large", str(error))
                return _Json(refusal.body, refusal.status)
            if path == OF_GET:
                await self._let_go(*names)
            if not of_anybody and user not in users:
                # It was removed while its request came in.
                return _LOGIN_FAILED
            place = names[0] if names and path.startswith(OF_A_VHOST) else None
            found = self._answer(request, answer, user, names, place, body)
            return await self._finished(found, user)
        return JSONResponse(NOT_FOUND, 404)

    def _matching(
        self, parts: list[str]
    ) -> Iterator[tuple[str, dict[str, Answer], tuple[str, ...]]]:
        for pattern, methods in self._paths:
            if len(pattern) == len(parts) and all(
                want in ("*", got) for want, got in zip(pattern, parts, strict=True)
            ):
                pairs = zip(pattern, parts, strict=True)
                names = tuple(unquote(got) for want, got in pairs if want == "*")
                yield "/".join(pattern), methods, names

    def _answer(
        self,
        request: Request,
        answer: Answer,
        user: str,
        names: tuple[str, ...],
        place: str | None,
        body: bytes,
    ) -> Response | Lengthy | tuple[int, Any]:
        """A response, its status and value, or what is to be done.

        `place` is the virtual host that the path is of.

        From the look at what the user may do to the end of the change nobody else has a turn.
        """
        try:
            sight = Sight(self._runtime.environment.access, user)
            if place is not None and place in self._broker.vhosts:
                sight.check_vhost(place)
            asked = Asked(
                self._runtime,
                self._broker,
                user,
                names,
                dict(request.query_params),
                body_of(body),
                sight,
                server=_server(request),
                reason=request.headers.get("x-reason", ""),
            )
            with self._broker.acting.in_name_of(user):
                found = answer(asked)
        except (Refused, InvalidInput) as error:
            return _refused(error)
        if isinstance(found, Lengthy):
            return found
        if isinstance(found, Made):
            return Response(status_code=CREATED, headers={"Location": found.location})
        status, value = found if isinstance(found, tuple) else (200, found)
        return Response(status_code=status) if value is None else (status, value)

    async def _let_go(self, vhost: str, name: str) -> None:
        """Of what is over before anybody gets a message: others have their turns meanwhile."""
        host = self._broker.vhosts.get(vhost)
        queue = None if host is None else host.queues.get(name)
        if isinstance(queue, GovernedQueue):
            queue.drain()
            while queue.ageing and not queue.gone:
                await asyncio.sleep(0)

    async def _finished(self, found: Response | Lengthy | tuple[int, Any], user: str) -> Response:
        match found:
            case Response():
                return found
            case Lengthy():
                return await self._worked(found, user)
            case status, value:
                return await self._in_steps(status, value)

    async def _worked(self, work: Lengthy, user: str) -> Response:
        turn, more = self._runtime.environment.turn, True
        while more:
            turn.begin()
            try:
                with self._broker.acting.in_name_of(user):
                    more = turn.work(work.steps)
            except (Refused, InvalidInput) as error:
                return _refused(error)
            await asyncio.sleep(0)
        return Response(status_code=work.status)

    async def _in_steps(self, status: int, value: Any) -> Response:
        """What is long is made while others have their turns between."""
        pieces: list[str] = []
        steps, turn = rendering(value, pieces), self._runtime.environment.turn
        turn.begin()
        while turn.work(steps):
            await asyncio.sleep(0)
            turn.begin()
        return Response("".join(pieces), status, media_type=_Json.media_type)

    def _user(self, request: Request) -> str | None:
        """Whom Basic authentication (RFC 7617) names, if that is the password."""
        scheme, _, coded = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
        except ValueError:
            name = password = ""
        access = self._runtime.environment.access
        right = scheme.lower() == "basic" and access.login("amqp", name, password)
        address = request.client.host if request.client else ""
        self._broker.quotas.attempts.note(Source(address, name, HTTP), succeeded=right)
        return name if right else None


class _Json(JSONResponse):
    """Names that are no UTF-8 are escaped, as everywhere."""

    def render(self, content: Any) -> bytes:
        from ..console.results import to_json

        return to_json(content).encode()


def _refused(error: Refused | InvalidInput) -> Response:
    if isinstance(error, Refused):
        return _Json(error.body, error.status)
    if error.code == ReplyCode.ACCESS_REFUSED:
        return _Json({"error": "not_authorised", "reason": str(error)}, 401)
    return _Json({"error": "bad_request", "reason": str(error)}, 400)


_LOGIN_FAILED = JSONResponse(
    {"error": "not_authorised", "reason": "Login failed"}, 401, headers=_LOGIN
)


def build(runtime: Runtime) -> Guard:
    """With the check of Host and Origin in front that the admin port has."""
    return Guard(Application(runtime), runtime.config.host, None)


def _server(request: Request) -> tuple[str, int]:
    host, port = request.scope.get("server") or ("127.0.0.1", 0)
    return host, port or 0

"""The OpenAPI 3.1 description of the admin port, made of the table of endpoints."""

from collections.abc import Mapping
from typing import Any, Final

from .endpoints import ENDPOINTS, Endpoint

_ANY: Final = {"application/json": {"schema": {"type": "object"}}}
_ERROR: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        }
    }
}
_TOO_LARGE: Final = {"description": "the body is larger than the limit", "content": _ERROR}
_LINE: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "line": {"type": "string"},
        "width": {"type": ["integer", "null"], "minimum": 1},
    },
    "required": ["line"],
    "examples": [{"line": "topic ls"}],
}


def describe(version: str, prefix: str, *, token: bool) -> dict[str, Any]:
    """The whole document; with `token` requests need one."""
    paths: dict[str, dict[str, Any]] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    paths["/commands"] = {"post": _commands()}
    paths |= {path: {"get": _plain(path, kind)} for path, kind in _PLAIN.items()}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "mockforge-tui",
            "version": version,
            "description": "Kafka, MQTT and AMQP brokers for tests: what they saw, and what to do.",
        },
        "servers": [{"url": prefix}],
        "paths": dict(sorted(paths.items())),
    }
    if token:
        document["components"] = {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}
        }
        document["security"] = [{"token": []}]
    return document


_PLAIN: Final = {
    "/health": "application/json",
    "/ready": "application/json",
    "/info": "application/json",
    "/metrics": "text/plain",
    "/openapi.json": "application/json",
    "/events": "text/event-stream",
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"} if endpoint.media_type in _ANY else {}
    done = {"description": "done", "content": {endpoint.media_type: {"schema": schema}}}
    responses: dict[str, Any] = {"200": done}
    for status, meaning in endpoint.statuses.items():
        content = _ANY if status == 406 else _ERROR
        responses[str(status)] = {"description": meaning, "content": content}
    if endpoint.body is not None:
        responses.setdefault("400", {"description": "no such body", "content": _ERROR})
        responses["413"] = _TOO_LARGE
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": responses,
    }
    parameters = [*_in_path(endpoint.path), *_in_query(endpoint.query)]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": not endpoint.bare,
            "content": {"application/json": {"schema": endpoint.body}},
        }
    return operation


def _in_path(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in names
    ]


def _in_query(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in query.items()]


def _commands() -> dict[str, Any]:
    rows = {"application/jsonl": {"schema": {}}, "application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "commands",
        "summary": "Run one line of the console; rows come as JSON lines, the result last.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _LINE}}},
        "responses": {
            "200": {"description": "its result", "content": rows},
            "400": {"description": "what is wrong with it", "content": _ERROR},
            "413": _TOO_LARGE,
        },
    }


def _plain(path: str, kind: str) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "ok", "content": {kind: {"schema": {}}}}}
    if path == "/ready":
        responses["503"] = {"description": "not yet", "content": _ANY}
    if path == "/events":
        responses["400"] = {"description": "no such filter", "content": _ERROR}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": _SUMMARIES[path],
        "responses": responses,
    }


_SUMMARIES: Final = {
    "/health": "The process lives and its loop turns.",
    "/ready": "200 once every listener accepts and the fixtures are loaded.",
    "/info": "The ready line's values.",
    "/metrics": "Prometheus text.",
    "/openapi.json": "This description.",
    "/events": "Server-sent events: what happens, and with messages=1 what comes.",
}

"""What HTTP serves beside commands, as one table: routes and the OpenAPI description read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

Schema = Mapping[str, Any]

_DURATION: Final[Schema] = {
    "description": "seconds, or a text such as 300ms",
    "oneOf": [
        {"type": "number", "minimum": 0, "maximum": 3600},
        {"type": "string", "pattern": r"^[0-9]{1,4}(ms|s)$"},
    ],
}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_AMQP: Final[Schema] = {
    "oneOf": [
        _NAME,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"exchange": _NAME, "routing_key": {"type": "string"}},
            "required": ["exchange"],
        },
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"queue": _NAME},
            "required": ["queue"],
        },
    ]
}
_WHERE: Final[Mapping[str, Schema]] = {
    "kafka": {**_NAME, "description": "a topic, or a glob"},
    "mqtt": {**_NAME, "description": "a topic filter"},
    "amqp": {**_AMQP, "description": "a queue, or an exchange with a routing key (* and #)"},
    "match": {
        "type": "object",
        "description": "parts of the message: key, value, headers, ...; operators as in files",
    },
    "exact": {"type": "boolean"},
}
_MESSAGE: Final[Mapping[str, Schema]] = {
    **_WHERE,
    "count": {**_COUNT, "description": "exactly so many"},
    "least": {**_COUNT, "minimum": 1},
    "within": _DURATION,
    "settle": _DURATION,
}


def _object(properties: Mapping[str, Schema], *required: str) -> Schema:
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
    }
    if required:
        schema["required"] = list(required)
    return schema


EXPECTATION: Final[Schema] = {
    **_object(
        {
            **_MESSAGE,
            "none": _object(_WHERE),
            "order": {"type": "array", "minItems": 1, "items": _object(_MESSAGE)},
            "group": {
                "oneOf": [_NAME, _object({"id": _NAME, "topic": _NAME, "lag": _COUNT}, "id")]
            },
            "drained": {**_NAME, "description": "a queue"},
            "client": _NAME,
            "gone": _NAME,
            "fault": {
                "oneOf": [_NAME, _object({"id": _NAME, "hits": {**_COUNT, "minimum": 1}}, "id")]
            },
            "lint": {"enum": ["clean", "spotless"]},
            "since": {**_COUNT, "description": "only messages after this number"},
        }
    ),
    "description": "One of kafka, mqtt, amqp, none, order, group, drained, client, gone, fault and"
    " lint, in the words of fixture files.",
    "examples": [{"kafka": "orders", "match": {"key": "o-1"}, "count": 1, "within": "5s"}],
}
_SOUGHT: Final[Schema] = _object({**_WHERE, "since": _COUNT, "limit": _COUNT})
_PUBLISHED: Final[Schema] = {
    **_object(
        {
            "to": {
                "type": "object",
                "description": "kafka with key, headers, partition; mqtt with qos, retain,"
                " properties; amqp with headers, properties: as in fixture files",
            },
            "value": {"description": "the payload; texts may hold templates"},
            "value_b64": {"type": "string", "description": "the payload's bytes instead"},
            "let": {"type": "object"},
        },
        "to",
    ),
    "examples": [{"to": {"kafka": "orders", "key": "o-1"}, "value": {"id": 1}}],
}
_FAULT: Final[Schema] = {
    **_object(
        {
            "id": _NAME,
            "where": {"oneOf": [{"type": "string"}, {"type": "object"}]},
            "do": {"oneOf": [_NAME, {"type": "object"}]},
            "p": {"oneOf": [{"type": "number", "minimum": 0, "maximum": 1}, _NAME]},
            "first": _COUNT,
            "after": _DURATION,
            "every": {**_COUNT, "minimum": 1},
            "times": {**_COUNT, "minimum": 1},
            "window": _DURATION,
            "for": _DURATION,
            "enabled": {"type": "boolean"},
        },
        "do",
    ),
    "description": "A fault as `faults:` of fixture files has it.",
    "examples": [
        {"where": {"kafka": {"api": "Produce"}}, "do": {"refuse": "NOT_LEADER_OR_FOLLOWER"}}
    ],
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path and method; `name` is the method of Verbs that answers.

    `statuses` are what it answers beside 200, and what that means.
    """

    method: str
    path: str
    name: str
    summary: str
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    statuses: Mapping[int, str] = field(default_factory=dict)


_WRONG: Final = {400: "what was asked for cannot be; the text says why"}
_UNMET: Final = {**_WRONG, 406: "not met: expected, seen, the nearest message and what differs"}
_LIMIT: Final[Mapping[str, Schema]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 100}
}

ENDPOINTS: Final = (
    Endpoint("POST", "/verify", "verify", "See whether messages and states are as expected;"
             " waits only where `within` says so.", EXPECTATION, statuses=_UNMET),
    Endpoint("GET", "/messages", "messages", "The newest messages that came.", query=_LIMIT,
             statuses=_WRONG),
    Endpoint("POST", "/messages", "publish", "Publish a message as if a client had.", _PUBLISHED,
             statuses=_WRONG),
    Endpoint("POST", "/messages/find", "find_messages", "Messages that came and fit, oldest first.",
             _SOUGHT, statuses=_WRONG),
    Endpoint("POST", "/messages/count", "count", "How many messages came that fit.", _SOUGHT,
             statuses=_WRONG),
    Endpoint("POST", "/messages/wait", "wait", "Wait for messages, 5 s unless told otherwise.",
             EXPECTATION, statuses=_UNMET),
    Endpoint("POST", "/reset", "reset", "Go back to the state right after loading."),
    Endpoint("GET", "/fixtures", "fixtures", "Generators with what they have sent."),
    Endpoint("PUT", "/fixtures", "load", "Load these files instead, and reset.",
             _object({"files": {"type": "object", "additionalProperties": {"type": "string"}},
                      "seed": {"type": "integer", "minimum": 0, "maximum": 2**53}}, "files"),
             statuses=_WRONG),
    Endpoint("GET", "/faults", "faults", "Faults with their hits."),
    Endpoint("POST", "/faults", "add_fault", "Put a fault into force.", _FAULT, statuses=_WRONG),
    Endpoint("GET", "/faults/{id}", "fault", "One fault.", statuses={404: "no such fault"}),
    Endpoint("DELETE", "/faults/{id}", "remove_fault", "Remove a fault.",
             statuses={404: "no such fault"}),
    Endpoint("GET", "/holds", "holds", "Rules that hold frames."),
    Endpoint("GET", "/scenarios", "scenarios", "The scenarios of the loaded files."),
    Endpoint("POST", "/scenarios/{name}/run", "run_scenario", "Run a scenario to its end.",
             statuses={404: "no such scenario", 406: "it did not pass; what went wrong"}),
    Endpoint("GET", "/journal", "journal", "The newest frames and events as lines.",
             query={**_LIMIT, "since": {"type": "number", "minimum": 0}}, statuses=_WRONG),
    Endpoint("GET", "/connections", "connections", "Who is connected."),
    Endpoint("GET", "/kafka/topics", "topics", "Kafka's topics."),
    Endpoint("GET", "/kafka/groups", "groups", "Consumer groups with their lag."),
    Endpoint("GET", "/mqtt/sessions", "sessions", "MQTT sessions."),
    Endpoint("GET", "/mqtt/retained", "retained", "Retained messages."),
    Endpoint("GET", "/amqp/queues", "queues", "AMQP's queues."),
    Endpoint("GET", "/amqp/exchanges", "exchanges", "AMQP's exchanges."),
    Endpoint("GET", "/clock", "clock", "The brokers' time, and how far it was moved ahead."),
    Endpoint("POST", "/clock/advance", "advance", "Move the brokers' time on at once.",
             _object({"by": _DURATION}, "by"), statuses=_WRONG),
)  # fmt: skip

LINES: Final = MappingProxyType(
    {
        "fixtures": "fixture ls",
        "faults": "fault ls",
        "holds": "hold ls",
        "scenarios": "scenario ls",
        "connections": "conn ls",
        "topics": "topic ls",
        "groups": "group ls",
        "sessions": "session ls",
        "retained": "retained ls",
        "queues": "queue ls",
        "exchanges": "exchange ls",
    }
)
"""Endpoints that answer with the table of a command."""

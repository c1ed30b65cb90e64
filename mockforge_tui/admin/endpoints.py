"""What HTTP serves beside commands, as one table: routes and the OpenAPI description read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ..fixtures.schema import COUNT, DURATION, EXPECTATION, FAULT, WHERE, Schema, object_of

_SINCE: Final[Schema] = {
    "oneOf": [
        {"type": "integer", "minimum": 0, "maximum": 10**18},
        {"type": "string", "pattern": "^[0-9]{1,18}(\\.[0-9]{1,18}){0,2}$"},
    ],
    "description": "a `mark`, or a message's number: only what came after it",
}
ASKED: Final[Schema] = {
    **EXPECTATION,
    "properties": {**EXPECTATION["properties"], "since": _SINCE},
}
_SOUGHT: Final[Schema] = object_of({**WHERE, "since": _SINCE, "limit": COUNT})
_HEADER_BYTES: Final[Schema] = {
    "type": "array",
    "prefixItems": [{"type": "string"}, {"type": ["string", "null"]}],
    "minItems": 2,
    "maxItems": 2,
}
_PUBLISHED: Final[Schema] = {
    **object_of(
        {
            "to": {
                "type": "object",
                "description": "kafka with key, headers, partition; mqtt with qos, retain,"
                " properties; amqp with headers, properties: as in fixture files",
            },
            "value": {"description": "the payload"},
            "value_b64": {"type": "string", "description": "the payload's bytes instead"},
            "key_b64": {"type": "string", "description": "kafka: the key's bytes instead"},
            "headers_b64": {
                "type": "array",
                "items": _HEADER_BYTES,
                "description": "headers as bytes: a name and base64 each, or null",
            },
            "templates": {
                "type": "boolean",
                "description": "texts hold templates; false where nothing says so and no `let`",
            },
            "let": {"type": "object", "description": "names for templates, as in fixture files"},
        },
        "to",
    ),
    "examples": [{"to": {"kafka": "orders", "key": "o-1"}, "value": {"id": 1}}],
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path and method; `name` is the method of Verbs that answers.

    `statuses` are what it answers beside 200, and what that means; where it is `bare` the body may
    be left out.
    """

    method: str
    path: str
    name: str
    summary: str
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    statuses: Mapping[int, str] = field(default_factory=dict)
    media_type: str = "application/json"
    bare: bool = False


_WRONG: Final = {400: "what was asked for cannot be; the text says why"}
_UNMET: Final = {**_WRONG, 406: "not met: expected, seen, the nearest message and what differs"}
_NO_RECORDING: Final = {404: "no such recording"}
_LIMIT: Final[Mapping[str, Schema]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 100}
}

ENDPOINTS: Final = (
    Endpoint("POST", "/verify", "verify", "See whether messages and states are as expected;"
             " waits only where `within` says so.", ASKED, statuses=_UNMET),
    Endpoint("GET", "/messages", "messages", "The newest messages that came, and a"
             " `mark`: as `since` it counts only what comes later.", query=_LIMIT,
             statuses=_WRONG),
    Endpoint("POST", "/messages", "publish", "Publish a message as if a client had.", _PUBLISHED,
             statuses=_WRONG),
    Endpoint("POST", "/messages/find", "find_messages", "Messages that came and fit, oldest first.",
             _SOUGHT, statuses=_WRONG),
    Endpoint("POST", "/messages/count", "count", "How many messages came that fit.", _SOUGHT,
             statuses=_WRONG),
    Endpoint("POST", "/messages/wait", "wait", "Wait for messages, 5 s where `within` is left out.",
             ASKED, statuses=_UNMET),
    Endpoint("POST", "/reset", "reset", "Go back to the state right after loading, or to a"
             " snapshot.", object_of({"to": {"type": "string", "description": "its name"}}),
             statuses=_WRONG, bare=True),
    Endpoint("GET", "/snapshots", "snapshots", "Snapshots of what the brokers keep."),
    Endpoint("POST", "/snapshots", "take_snapshot", "Keep what the brokers have now, as over a"
             " restart.", object_of({"name": {"type": "string"}}, "name"), statuses=_WRONG),
    Endpoint("DELETE", "/snapshots/{name}", "remove_snapshot", "Forget a snapshot.",
             statuses={404: "no such snapshot"}),
    Endpoint("GET", "/fixtures", "fixtures", "Generators with what they have sent."),
    Endpoint("PUT", "/fixtures", "load", "Load these files instead, and reset.",
             object_of({"files": {"type": "object", "additionalProperties": {"type": "string"}},
                      "seed": {"type": "integer", "minimum": 0, "maximum": 2**53},
                      "strict": {"type": "boolean", "default": False,
                                 "description": "refuse what only a new start gives, which is a"
                                 " warning else: another number of Kafka brokers"}}, "files"),
             statuses=_WRONG),
    Endpoint("GET", "/faults", "faults", "Faults with their hits."),
    Endpoint("POST", "/faults", "add_fault", "Put a fault into force.", FAULT, statuses=_WRONG),
    Endpoint("GET", "/faults/{id}", "fault", "One fault.", statuses={404: "no such fault"}),
    Endpoint("DELETE", "/faults/{id}", "remove_fault", "Remove a fault.",
             statuses={404: "no such fault"}),
    Endpoint("GET", "/holds", "holds", "Rules that hold frames."),
    Endpoint("GET", "/scenarios", "scenarios", "The scenarios of the loaded files."),
    Endpoint("POST", "/scenarios/{name}/run", "run_scenario", "Run a scenario to its end.",
             statuses={404: "no such scenario", 406: "it did not pass; what went wrong"}),
    Endpoint("GET", "/recordings", "recordings", "Recordings, those that ended among them."),
    Endpoint("POST", "/recordings", "start_recording", "Record what comes from now on.",
             object_of({"name": {"type": "string"},
                        "filter": {"type": "string", "description": "only what matches"}}),
             statuses=_WRONG),
    Endpoint("GET", "/recordings/{name}", "recording", "A recording's lines.",
             statuses={**_WRONG, **_NO_RECORDING}, media_type="application/jsonl"),
    Endpoint("PUT", "/recordings/{name}", "bring_recording", "Bring a recording along.",
             object_of({"lines": {"type": "string", "description": "as GET gives them"}}, "lines"),
             statuses=_WRONG),
    Endpoint("DELETE", "/recordings/{name}", "remove_recording", "End and forget a recording.",
             statuses=_NO_RECORDING),
    Endpoint("POST", "/recordings/{name}/stop", "stop_recording", "End a recording.",
             statuses=_NO_RECORDING),
    Endpoint("POST", "/recordings/{name}/replay", "replay", "Publish its messages again; answers"
             " when all are, unless `wait` is false.",
             object_of({"speed": {"oneOf": [{"type": "number", "exclusiveMinimum": 0},
                                            {"enum": ["max"]}], "default": "max"},
                        "wait": {"type": "boolean", "default": True}}),
             statuses={**_WRONG, **_NO_RECORDING}),
    Endpoint("GET", "/journal", "journal", "The newest frames and events as lines.",
             query={**_LIMIT, "since": {"type": "number", "minimum": 0}}, statuses=_WRONG),
    Endpoint("GET", "/connections", "connections", "Who is connected."),
    Endpoint("GET", "/kafka/topics", "topics", "Kafka's topics."),
    Endpoint("GET", "/kafka/groups", "groups", "Consumer groups with their lag."),
    Endpoint("GET", "/mqtt/sessions", "sessions", "MQTT sessions."),
    Endpoint("GET", "/mqtt/retained", "retained", "Retained messages."),
    Endpoint("GET", "/amqp/queues", "queues", "AMQP's queues."),
    Endpoint("GET", "/amqp/exchanges", "exchanges", "AMQP's exchanges."),
    Endpoint("GET", "/topology", "topology",
             "Who sends where, and who gets it: `nodes`, and `edges` with rates."),
    Endpoint("GET", "/clock", "clock", "The brokers' time, and how far it was moved ahead."),
    Endpoint("POST", "/clock/advance", "advance", "Move the brokers' time on at once.",
             object_of({"by": DURATION}, "by"), statuses=_WRONG),
)  # fmt: skip

LINES: Final = MappingProxyType(
    {
        "fixtures": "fixture ls",
        "faults": "fault ls",
        "holds": "hold ls",
        "scenarios": "scenario ls",
        "snapshots": "snapshot ls",
        "connections": "conn ls",
        "topics": "topic ls",
        "groups": "group ls",
        "sessions": "session ls",
        "retained": "retained ls",
        "queues": "queue ls",
        "exchanges": "exchange ls",
        "topology": "topology",
    }
)
"""Endpoints that answer with what a command finds: a table's records, or a graph."""

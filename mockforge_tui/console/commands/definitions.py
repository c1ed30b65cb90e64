"""`definitions`: all that AMQP has declared, in RabbitMQ's own form."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from ..lengthy import worked
from ..lookup import BadArgument, amqp
from ..payloads import Payload, as_it_is
from ..registry import Arg, command
from ..results import Result, done
from ..types import PAYLOAD

if TYPE_CHECKING:
    from ..session import Session


@command(
    "definitions export",
    group="queues",
    aliases=("export_definitions",),
    examples=("definitions export", "definitions export --json"),
)
def definitions_export(session: "Session") -> Result:
    """Print users, virtual hosts, permissions, policies, exchanges, queues and bindings as JSON.

    RabbitMQ imports it: with > definitions.json, then rabbitmqctl import_definitions. A password
    that is known as a scrypt hash only comes out empty.
    """
    found = amqp(session).definitions()
    return done(json.dumps(found, indent=2), found)


@command(
    "definitions load",
    group="queues",
    aliases=("definitions import", "import_definitions"),
    examples=("""definitions load {"queues":[{"name":"q.imported","durable":true}]}""",),
)
def definitions_load(
    session: "Session",
    document: Annotated[Payload, Arg(PAYLOAD, "@definitions.json, or the JSON itself")],
) -> Result:
    """Take up definitions that RabbitMQ exported; what is there already stays as it is.

    definitions load @definitions.json reads a file. Of very many, clients get their turn in
    between; then it is a job, whose end scripts wait for.
    """
    broker = amqp(session)
    steps = broker.loading_definitions(_object(as_it_is(document, files=session.files)))

    def taken_up(counts: Mapping[str, int]) -> Result:
        text = ", ".join(f"{count} {section}" for section, count in counts.items())
        return done(f"taken up: {text or 'nothing in them'}", counts)

    return worked(session, broker.environment.chores, "load", "definitions", steps, taken_up)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadArgument("document", f"this is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadArgument("document", 'definitions are an object: {"queues": [...]}')
    return found


COMMANDS = (definitions_export, definitions_load)

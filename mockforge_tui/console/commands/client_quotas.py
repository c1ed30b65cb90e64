"""`quota`: what Kafka's users, clients and addresses are held to."""

from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.kafka.state.quotas import (
    CONNECTIONS,
    CONSUME,
    IP,
    MUTATIONS,
    PRODUCE,
    REQUESTS,
    TYPES,
)

from ... import units
from ..lookup import BadArgument, kafka
from ..registry import Arg, Opt, Type, command
from ..results import Column, Result, done, table
from ..types import of_text, text

if TYPE_CHECKING:
    from mockforge_brokers.kafka.state.quotas import Entity

    from ..session import Session


def _bytes(value: str) -> float:
    return float(units.parse_size(value))


def _plain(value: str) -> float:
    try:
        return float(value.removesuffix("%"))
    except ValueError:
        raise ValueError(f"{value!r} is not a number") from None


_SIZE = Type("bytes", of_text(_bytes))
_AMOUNT = Type("number", of_text(_plain))
_ENTITY = text("entity", "quota-entities")


def entity_of(written: str) -> list[tuple[str, str | None]]:
    """`user:alice,client-id:app`; a bare type is the default of its type. Raises BadArgument."""
    found: list[tuple[str, str | None]] = []
    for part in written.split(","):
        kind, colon, name = part.partition(":")
        if kind not in TYPES or (colon and not name):
            raise BadArgument(
                "entity",
                f"{part!r} is no entity: user:NAME, client-id:NAME, ip:ADDRESS, with a comma both"
                " of user and client-id; without a name it is all that have no quota of their own",
            )
        found.append((kind, name if colon else None))
    return found


def _written(entity: "Entity") -> str:
    return ",".join(kind if name is None else f"{kind}:{name}" for kind, name in entity)


@command("quota ls", group="access", aliases=("quotas", "list quotas"), examples=("quota ls",))
def quota_ls(session: "Session") -> Result:
    """List Kafka's quotas, with the fastest that is held to each now (by the second)."""
    broker = kafka(session)
    used = broker.quota_use()
    rows = []
    for entity, values in broker.quotas():
        parts = dict(entity)
        for key, most in values.items():
            rates = [
                each.rate
                for each in used
                if each.key == key
                and each.most == most
                and (IP in parts or bool(each.user) == ("user" in parts))
                and (parts.get("user") is None or parts["user"] == each.user)
                and (parts.get("client-id") is None or parts["client-id"] == each.client_id)
            ]
            rows.append(
                {
                    "entity": _written(entity),
                    "quota": key,
                    "most": most,
                    "now": max(rates, default=0.0),
                }
            )
    return table(
        rows,
        Column("entity", "who"),
        Column("quota", "quota"),
        Column("most", "at most", _number, right=True),
        Column("now", "now", _number, right=True),
        empty="no quotas: nobody is throttled",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


@command(
    "quota set",
    group="access",
    examples=(
        "quota set user:alice --producer 1mb --consumer 2mb",
        "quota set user,client-id:app --requests 50",
        "quota set ip --connections 10",
    ),
)
def quota_set(
    session: "Session",
    entity: Annotated[str, Arg(_ENTITY, "user:NAME, client-id:NAME, ip:ADDRESS; user: all others")],
    *,
    producer: Annotated[
        float | None, Opt(("--producer",), _SIZE, "producer_byte_rate, by the second")
    ] = None,
    consumer: Annotated[float | None, Opt(("--consumer",), _SIZE, "consumer_byte_rate")] = None,
    requests: Annotated[
        float | None, Opt(("--requests",), _AMOUNT, "request_percentage of the broker's time")
    ] = None,
    mutations: Annotated[
        float | None,
        Opt(("--mutations",), _AMOUNT, "controller_mutation_rate: partitions made or deleted"),
    ] = None,
    connections: Annotated[
        float | None, Opt(("--connections",), _AMOUNT, "connection_creation_rate, of ip alone")
    ] = None,
) -> Result:
    """Hold clients to so many bytes, requests, partitions or connections a second.

    Who goes beyond is answered with throttle_time_ms, and not read for so long (KIP-219).
    """
    values = {
        key: value
        for key, value in (
            (PRODUCE, producer),
            (CONSUME, consumer),
            (REQUESTS, requests),
            (MUTATIONS, mutations),
            (CONNECTIONS, connections),
        )
        if value is not None
    }
    if not values:
        raise BadArgument("entity", "held to what? --producer, --consumer, --requests, ...")
    kafka(session).alter_quota(entity_of(entity), values)
    said = ", ".join(f"{key} {_number(value)}" for key, value in values.items())
    return done(f"{entity} is held to {said}", {"entity": entity, **values})


@command("quota rm", group="access", aliases=("delete quota",), examples=("quota rm user:alice",))
def quota_rm(
    session: "Session", entity: Annotated[str, Arg(_ENTITY, "an entity, as quota ls has it")]
) -> Result:
    """Take all quotas of an entity back; it holds at once."""
    wanted = tuple(sorted(entity_of(entity), key=lambda part: part[0]))
    values = dict(kafka(session).quotas()).get(wanted)
    if values is None:
        raise BadArgument("entity", f"no quota of {entity}; quota ls lists them")
    kafka(session).alter_quota(wanted, dict.fromkeys(values))
    return done(f"no quota of {entity} is left", {"entity": entity})


COMMANDS = (quota_ls, quota_set, quota_rm)

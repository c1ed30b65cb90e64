"""`why`: what keeps messages from a client, group, queue or topic."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from mockforge_brokers.ended import EndedConnection
from mockforge_brokers.journal import Row

from ..language import Token
from ..lookup import BadArgument, known, resolved, view
from ..lookup import amqp as amqp_broker
from ..registry import Arg, Type, command
from ..results import Result
from ..routing import queues
from ..targets import (
    SCHEMES,
    AmqpTarget,
    BareTarget,
    KafkaTarget,
    MqttTarget,
    Place,
    QueueTarget,
    name_of,
    parse_target,
)
from ..why import amqp as amqp_rules
from ..why import ended as ended_rules
from ..why import kafka as kafka_rules
from ..why import mqtt as mqtt_rules
from ..why import refusals
from ..why.about import ABOUT, About
from ..why.finding import Finding
from ..why.views import amqp_of, kafka_of, mqtt_of, seen_of

if TYPE_CHECKING:
    from ..session import Session

_NUMBER = re.compile(r"c(\d+)")
_ROW = re.compile(r"#(\d+)")


def _subject(token: Token) -> str:
    if not token.value:
        raise ValueError("whom is it about? A client, group, queue, topic, c7 or #1845")
    return token.value


_SUBJECT = Type("who", _subject, "subjects")


@command(
    "why",
    group="connections",
    aliases=("explain",),
    examples=(
        "why order-svc",
        "why billing",
        "why q.mail",
        "why mqtt:sensors/room1/temp",
        "why #1",
    ),
)
def why(
    session: "Session",
    about: Annotated[
        str, Arg(_SUBJECT, "a client, group, queue, topic or target; c7; #1845 (a row)", "WHO")
    ],
) -> Result:
    """Say why somebody gets nothing: the fact, and what to do about it.

    Looks at what the brokers hold right now: subscriptions, positions, bindings, prefetch, who
    shares. One sentence for each cause, the likely ones first. `help nothing` lists causes.
    """
    found = [*_of_stopped(session, about), *_about(session, about)]
    found = [*_on_the_way(session, about), *found]
    if all(finding.harmless or finding.cause in _NOTHING_CAME for finding in found):
        for protocol in _protocols(session, about):
            found += refusals.of_others(seen_of(session, protocol), about)
    found = list(dict.fromkeys(found))
    found.sort(key=lambda finding: finding.harmless)
    if not found:
        text = f"nothing is wrong with {about} that shows here: it gets what comes for it"
        return Result(text=text, data={"about": about, "findings": []})
    records = [
        {"about": f.about, "cause": f.cause, "text": f.text, "harmless": f.harmless} for f in found
    ]
    return Result(
        text="\n".join(finding.text for finding in found),
        data={"about": about, "findings": records},
    )


_NOTHING_CAME = frozenset(("unbound", "filter", "topic-empty"))
"""Causes that are guesses, made from that nothing has come yet."""
_MOST = 20
"""Consumers that are looked at one by one."""


def _on_the_way(session: "Session", about: str) -> Iterator[Finding]:
    """What holds keep from it, and what holds and faults do to who consumes it."""
    number = _NUMBER.fullmatch(about)
    if number is not None:
        about = next((c.client for c in session.connections() if c.id == int(number[1])), "")
    match _target(about):
        case KafkaTarget(topic=name) | MqttTarget(topic=name) | AmqpTarget(exchange=name):
            pass
        case QueueTarget(name=name):
            pass
        case _:
            name = about
    for protocol in sorted(_protocols(session, about)) if about else ():
        seen, rules = seen_of(session, protocol), ABOUT[protocol](session)
        if seen.unpublished:
            yield from refusals.held_for(seen, name, rules.wants(name))
        if seen.faults or seen.held:
            for client, numbers in islice(rules.consumers(name), _MOST):
                yield from refusals.done_to(seen, client, numbers)


def _target(about: str) -> Place | None:
    """What a target means; None where it is none, or not one that can be read."""
    try:
        target = parse_target(about) if about.startswith(SCHEMES) else None
    except ValueError:
        return None
    return None if isinstance(target, BareTarget) else target


def _of_stopped(session: "Session", about: str) -> Iterator[Finding]:
    """That a broker is stopped where it is, or was."""
    brokers = session.runtime.brokers
    ended = {each.view.protocol for each in session.runtime.ended.of_client(about)}
    for protocol in brokers.stopped & (_protocols(session, about) | ended):
        text = f"{protocol} is stopped, so that nobody can connect: broker start {protocol}"
        yield Finding(about, "stopped", text)


def _protocols(session: "Session", about: str) -> set[str]:
    """Those in which something has this name, or whose target it is."""
    if about.startswith(SCHEMES):
        target = _target(about)
        return set() if target is None else {target.protocol} & set(session.runtime.brokers)
    return {
        *(each.protocol for each in session.connections() if each.client == about),
        *(each.protocol for each in session.groups() if each.name == about),
        *(each.protocol for each in session.destinations() if each.name == about),
    }


def _about(session: "Session", about: str) -> list[Finding]:
    row = _ROW.fullmatch(about)
    if row is not None:
        return _of_row(session, int(row[1]))
    number = _NUMBER.fullmatch(about)
    if number is not None:
        return _of_connection(session, int(number[1]))
    if about.startswith(SCHEMES):
        return _of_target(session, about)
    ways = list(_meanings(session, about))
    left = _of_gone(session, about)
    if not ways and not left:
        known("about", about, _names(session), "client, group, queue or topic called")
    found = [*left, *(finding for explain in ways for finding in explain())]
    return list(dict.fromkeys(found))


def _of_connection(session: "Session", number: int) -> list[Finding]:
    for each in session.connections():
        if each.id == number:
            return _of_client(session, each.protocol, each.client, number)
    one = session.runtime.ended.find(number)
    if one is None:
        raise BadArgument("about", f"no connection c{number}; conn ls and conns --ended list them")
    return _of_ended(session, one)


def _of_gone(session: "Session", client: str) -> list[Finding]:
    """About a client that has no connection any more; nothing where it has one, or never had."""
    if any(each.client == client for each in session.connections()):
        return []
    one = next(session.runtime.ended.of_client(client), None) if client else None
    return _of_ended(session, one) if one is not None else []


def _of_ended(session: "Session", one: EndedConnection) -> list[Finding]:
    """About a connection that is over: why it went, and what may have kept messages from it."""
    client, protocol = one.view.client, one.view.protocol
    still = [
        each.id
        for each in session.connections()
        if client and each.client == client and each.protocol == protocol
    ]
    ended = [one]
    if client:
        ended = ended_rules.together(one, session.runtime.ended.of_client(client, protocol))
    found = ended_rules.of_ended(seen_of(session, protocol), ended, still)
    if still:
        return [*found, *_of_client(session, protocol, client)]
    return ABOUT[protocol](session).ended(client, [each.view for each in ended], found)


def _meanings(session: "Session", name: str) -> Iterator[Callable[[], list[Finding]]]:
    """All that a name may mean here: who has it gets its rules."""
    here = {each.protocol for each in session.connections() if each.client == name}
    for protocol, about in ABOUT.items():
        if protocol in here:
            yield partial(_of_client, session, protocol, name)
        elif (found := about(session)).remembers(name):
            yield partial(_as_remembered, found, name, bool(here))
    for each in session.groups():
        if name in (each.name, name_of(each)):
            yield partial(ABOUT[each.protocol](session).group, each.name)
    for view_ in session.destinations():
        if name in (view_.name, name_of(view_)):
            yield partial(ABOUT[view_.protocol](session).destination, view_)


def _as_remembered(about: About, client: str, elsewhere: bool) -> list[Finding]:
    """Of a client that is away here; it is no wonder where it is one of another protocol."""
    found = about.client(client)
    return [replace(each, harmless=True) for each in found] if elsewhere else found


def _of_client(
    session: "Session", protocol: str, client: str, number: int | None = None
) -> list[Finding]:
    """About all connections of a client; of one without a name, only that `number`."""
    mine = frozenset(
        each.id
        for each in session.connections()
        if each.client == client and each.protocol == protocol
    )
    who = client
    if not client and number is not None:
        who, mine = f"c{number}", frozenset((number,))
    done_to_it = refusals.of_client(seen_of(session, protocol), who, mine)
    return [*done_to_it, *ABOUT[protocol](session).client(client)]


def _of_target(session: "Session", about: str) -> list[Finding]:
    try:
        target = parse_target(about)
    except ValueError as error:
        raise BadArgument("about", str(error)) from None
    match target:
        case KafkaTarget(topic):
            kafka = kafka_of(session)
            return kafka_rules.of_topic(kafka, known("about", topic, list(kafka.topics), "topic"))
        case MqttTarget(topic):
            return mqtt_rules.of_topic(mqtt_of(session), topic)
        case QueueTarget(name):
            place = resolved(session, target, "about")
            amqp = amqp_of(session, getattr(place, "vhost", None) or "/")
            return amqp_rules.of_queue(amqp, known("about", name, amqp.queues, "queue"))
        case AmqpTarget(exchange, key, vhost):
            return _of_route(session, exchange, key, vhost or "/")
    raise BadArgument("about", f"{about} is not known")


def _of_route(session: "Session", exchange: str, key: str, vhost: str) -> list[Finding]:
    host = amqp_broker(session).vhost(vhost)
    amqp = amqp_of(session, vhost)
    if not key:
        names = [each.name for each in amqp.exchanges]
        return amqp_rules.of_exchange(amqp, known("about", exchange, names, "exchange"))
    return amqp_rules.of_route(
        amqp, exchange, key, (way.name for way in queues(host, exchange, key))
    )


def _of_row(session: "Session", number: int) -> list[Finding]:
    """About a row of the flow: who was to get this message."""
    rows = view(session, "why #N").numbered(number, number)
    if not rows:
        raise BadArgument("about", f"row #{number} is not there (any more)")
    row: Row = rows[0]
    if row.kind != "message":
        if row.connection:
            return _of_connection(session, row.connection)
        return _of_client(session, row.protocol, row.client)
    return ABOUT[row.protocol](session).row(row)


def _names(session: "Session") -> list[str]:
    return [
        *(each.client for each in session.connections()),
        *(each.name for each in session.groups()),
        *(each.name for each in session.destinations()),
    ]


COMMANDS = (why,)

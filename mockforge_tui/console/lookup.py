"""What commands share: how they refuse, and how they find what a name means."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.mqtt.state.topics import filter_problem

from ..filters.patterns import glob_regex, is_topic_filter
from ..nearest import get_close_matches
from .targets import (
    BareTarget,
    KafkaTarget,
    Place,
    QueueTarget,
    Target,
    at_host,
    parse_target,
    place_of,
    split_host,
)

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.amqp.state.virtual_host import VirtualHost
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.mqtt.broker import MqttBroker

    from .ports import View
    from .session import Session


class BadArgument(InvalidInput):
    """An argument that is well formed and cannot be all the same.

    `name` is its parameter, `place` a part of it that is to blame.
    """

    def __init__(self, name: str, text: str, place: tuple[int, int] | None = None) -> None:
        super().__init__(text)
        self.name = name
        self.place = place


def kafka(session: "Session") -> "KafkaBroker":
    broker = session.runtime.brokers.kafka
    if broker is None:
        raise InvalidInput("Kafka does not run here")
    return broker


def mqtt(session: "Session") -> "MqttBroker":
    broker = session.runtime.brokers.mqtt
    if broker is None:
        raise InvalidInput("MQTT does not run here")
    return broker


def amqp(session: "Session") -> "AmqpBroker":
    broker = session.runtime.brokers.amqp
    if broker is None:
        raise InvalidInput("AMQP does not run here")
    return broker


_ROWS = re.compile(r"#(\d+)(?:\.\.#?(\d+))?")


def numbers_of(text: str) -> range | None:
    """The rows of the flow that `#7` or `#7..9` names; None where a text is neither."""
    found = _ROWS.fullmatch(text)
    return None if found is None else range(int(found[1]), int(found[2] or found[1]) + 1)


def view(session: "Session", command: str) -> "View":
    if session.view is None:
        raise InvalidInput(f"{command} is for the full screen; there is none here")
    return session.view


def nobody_to_hit(session: "Session") -> str:
    """What is said behind a new fault or hold while there is nobody whose frames it could hit."""
    # No views: among very many clients each line of a preset would make them all.
    if any(True for broker in session.runtime.brokers.values() for _ in broker.clients()):
        return ""
    return (
        "; nobody is connected yet, and what fixtures and the prompt publish is no client's frame"
    )


def known(name: str, wanted: str, names: Iterable[str], what: str) -> str:
    """Returns the name if it is one of these; else the nearest one is in the complaint."""
    all_names = list(names)
    if wanted in all_names:
        return wanted
    close = get_close_matches(wanted, all_names, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise BadArgument(name, f"no {what} {wanted}{hint}")


def matching(names: Iterable[str], pattern: str | None) -> list[str]:
    """Names that fit a glob or an MQTT topic filter (None: all)."""
    if pattern is None:
        return list(names)
    regex = re.compile(glob_regex(pattern, topic_filter=is_topic_filter(pattern)), re.DOTALL)
    return [name for name in names if regex.fullmatch(name)]


def matching_topics(names: Iterable[str], pattern: str | None) -> list[str]:
    """The same of MQTT's topics; raises BadArgument for a filter that nobody can subscribe to."""
    if pattern is not None and set(pattern) & set("+#") and (problem := filter_problem(pattern)):
        raise BadArgument("pattern", problem)
    return matching(names, pattern)


def resolved(session: "Session", target: Target, argument: str = "target") -> Target:
    """What a bare name means, if it means one thing only; any other target as it is."""
    if isinstance(target, QueueTarget):
        return QueueTarget(target.name, _host_of(session, target, argument))
    if not isinstance(target, BareTarget):
        return target
    found = _part_of_topic(session, target.name)
    found += [place_of(each) for each in session.destinations() if each.name == target.name]
    if len(found) == 1:
        return found[0]
    if found:
        choices = " or ".join(map(str, found))
        raise BadArgument(argument, f"{target.name} means several things: write {choices}")
    close = get_close_matches(target.name, [each.name for each in session.destinations()], 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    text = f"nothing is called {target.name}{hint} (a new one needs kafka:, mqtt: or amqp:)"
    raise BadArgument(argument, text)


def named(argument: str, text: str) -> tuple[str | None, str]:
    """What `//VHOST/NAME` says, or a bare name. Raises BadArgument."""
    try:
        return split_host(text)
    except ValueError as error:
        raise BadArgument(argument, str(error)) from None


def host_with(
    session: "Session",
    argument: str,
    name: str,
    vhost: str | None,
    has: Callable[["VirtualHost"], bool],
    write: Callable[[str | None, str], str] = at_host,
) -> str:
    """The virtual host that was named, or else the one that has something of this name: `/` before
    the others, of those the only one. `write` spells what a person is to choose from."""
    hosts = amqp(session).vhosts
    if vhost is not None:
        return known(argument, vhost, hosts, "virtual host")
    having = [each for each, host in hosts.items() if has(host)]
    if "/" in having or not having:
        return "/"
    if len(having) > 1:
        choices = " or ".join(write(each, name) for each in having)
        raise BadArgument(argument, f"{name} is in several virtual hosts: write {choices}")
    return having[0]


def _host_of(session: "Session", queue: QueueTarget, argument: str) -> str | None:
    if session.runtime.brokers.amqp is None:
        return queue.vhost
    return host_with(
        session,
        argument,
        queue.name,
        queue.vhost,
        lambda host: queue.name in host.queues,
        lambda vhost, name: str(QueueTarget(name, vhost)),
    )


def _part_of_topic(session: "Session", name: str) -> list[Place]:
    """`orders[2]@118` of a Kafka topic that is there."""
    try:
        target = parse_target(f"kafka:{name}")
    except ValueError:
        return []
    if not isinstance(target, KafkaTarget) or target.topic == name:
        return []
    topics = [each.name for each in session.destinations() if each.protocol == target.protocol]
    return [target] if target.topic in topics else []

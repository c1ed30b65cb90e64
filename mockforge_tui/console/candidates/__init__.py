"""The values that an argument may have, from what the brokers hold right now."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from mockforge_brokers.protocols import protocol_of

from ... import units
from ..targets import at_host, name_of, place_of
from . import kafka, mqtt
from .source import Candidate as Candidate
from .source import Source

if TYPE_CHECKING:
    from ..session import Session

_FRESH = 0.5
_MOST = 2_000


class Candidates:
    """Values by completer name; asked once in half a second, however fast somebody types."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._kept: dict[str, tuple[float, Sequence[Candidate]]] = {}

    def __call__(self, name: str) -> Sequence[Candidate]:
        if name.startswith("codes:"):
            # By what the line is about, not by the line: there are few of those.
            name = f"codes:{' '.join(spoken_of(self._session, name[6:].split()))}"
        elif name.startswith(("configured:", "config-keys:")):
            completer, _, line = name.partition(":")
            name = f"{completer}:{kafka.kind_of(line.split())}"
        now = self._session.runtime.clock.now()
        kept = self._kept.get(name)
        if kept is not None and 0 <= now - kept[0] < _FRESH:
            return kept[1]
        found = list(self._find(name))[:_MOST]
        self._kept[name] = (now, found)
        return found

    def knows(self, name: str) -> bool:
        """Whether there is a completer of this name, with or without values."""
        return name in _SOURCES

    def _find(self, name: str) -> Iterable[Candidate]:
        if name.startswith("field:") and self._session.seen is not None:
            return self._session.seen(name.removeprefix("field:"))
        if name.startswith("codes:"):
            return _codes(self._session, name[6:].split())
        if name.startswith("configured:"):
            return kafka.configured(self._session, name.removeprefix("configured:"))
        if name.startswith("config-keys:"):
            return kafka.config_keys(self._session, name.removeprefix("config-keys:"))
        if name.startswith("field:"):
            return _FIELDS.get(name.removeprefix("field:"), _none)(self._session)
        return _SOURCES.get(name, _none)(self._session)


def _none(session: "Session") -> Iterable[Candidate]:
    return ()


def _destinations(*kinds: str, protocol: str = "") -> Callable[["Session"], Iterable[Candidate]]:
    def find(session: "Session") -> Iterable[Candidate]:
        for each in session.destinations():
            if each.kind in kinds and protocol in ("", each.protocol):
                yield each.name, each.note or each.protocol

    return find


def _queues(session: "Session") -> Iterable[Candidate]:
    for each in session.destinations():
        if each.kind == "queue":
            yield name_of(each), each.note or each.protocol


def _targets(session: "Session") -> Iterable[Candidate]:
    for each in session.destinations():
        if each.kind != "exchange":
            yield str(place_of(each)), each.note
    for name, kind in _exchanges(session):
        yield f"amqp:{name}/", kind
    yield from _schemes(session)


def _subjects(session: "Session") -> Iterable[Candidate]:
    found = [*_clients(session), *_groups(session)]
    found += [(each.name, each.note or each.protocol) for each in session.destinations()]
    return dict(found).items()


def _stored(session: "Session") -> Iterable[Candidate]:
    yield from (each for each in _targets(session) if not each[0].startswith("amqp:"))
    for name, note in mqtt.sessions(session):
        yield f"session:{name}", note


def _schemes(session: "Session") -> Iterable[Candidate]:
    for scheme, note in (
        ("kafka:", "a topic"),
        ("mqtt:", "a topic name"),
        ("amqp:", "exchange/routing-key"),
        ("queue:", "an AMQP queue"),
    ):
        protocol = {"queue:": "amqp"}.get(scheme, scheme[:-1])
        if protocol in session.runtime.brokers:
            yield scheme, note


def _exchanges(session: "Session") -> Iterable[Candidate]:
    amqp = session.runtime.brokers.amqp
    found = [
        (at_host(vhost, exchange.name), exchange.type, host.is_predeclared(exchange))
        for vhost, host in (amqp.vhosts.items() if amqp is not None else ())
        for exchange in host.exchanges.values()
        if exchange.name
    ]
    # Those that somebody declared are meant more often than RabbitMQ's own.
    for name, kind, _ in sorted(found, key=lambda each: each[2]):
        yield name, kind


def _connections(session: "Session") -> Iterable[Candidate]:
    for each in session.connections():
        yield f"c{each.id}", f"{each.protocol} {each.client}"


def _users(session: "Session") -> Iterable[Candidate]:
    for user in session.runtime.access.users.values():
        yield user.name, ", ".join(sorted(user.protocols))


def _clients(session: "Session") -> Iterable[Candidate]:
    return dict.fromkeys((each.client, each.protocol) for each in session.connections())


def _amqp_clients(session: "Session") -> Iterable[Candidate]:
    amqp = session.runtime.brokers.amqp
    for each in amqp.channels() if amqp is not None else ():
        yield each.client, f"channel {each.number}"


def _groups(session: "Session") -> Iterable[Candidate]:
    for each in session.groups():
        yield each.name, f"{each.state}, {each.members} members"


def _names(session: "Session") -> Iterable[Candidate]:
    """Whatever takes part in the traffic."""
    yield from _destinations("topic", "queue", "exchange")(session)
    yield from _groups(session)
    yield from ((client, note) for client, note in _clients(session) if client)


def _fixtures(session: "Session") -> Iterable[Candidate]:
    for each in session.runtime.production.engine.status():
        yield each.id, f"{'on' if each.on else 'off'} {', '.join(each.targets)}"


def _scenarios(session: "Session") -> Iterable[Candidate]:
    for each in session.runtime.production.engine.fixtures.scenarios:
        yield each.name, each.description or f"{len(each.steps)} steps"
    yield "all", "every scenario"


def _recordings(session: "Session") -> Iterable[Candidate]:
    for each in session.runtime.recordings.values():
        yield each.name, units.counted(each.messages, "message")


def _snapshots(session: "Session") -> Iterable[Candidate]:
    for each in session.runtime.snapshots.values():
        yield each.name, units.format_size(each.size)


def _fixtures_or_all(session: "Session") -> Iterable[Candidate]:
    yield from _fixtures(session)
    yield "all", "every fixture"


def _faults(session: "Session") -> Iterable[Candidate]:
    for rule in session.runtime.faults.rules.values():
        yield str(rule.id), f"{rule.kind} {rule.scope}"


def _presets(session: "Session") -> Iterable[Candidate]:
    from ..chaos.presets import PRESETS

    return [(preset.name, preset.summary) for preset in PRESETS.values()]


def _brokers(session: "Session") -> Iterable[Candidate]:
    for protocol, broker in session.runtime.brokers.items():
        yield protocol, "broker"
        nodes = broker.nodes.ids if broker.nodes is not None else ()
        if len(nodes) > 1:
            yield from ((f"{protocol}/{node}", "node") for node in nodes)


def _hold_rules(session: "Session") -> Iterable[Candidate]:
    for rule in session.runtime.holds.rules.values():
        yield str(rule.id), rule.scope


def spoken_of(session: "Session", words: Sequence[str]) -> list[str]:
    """The protocols that a filter or a held frame of a line is about; all where it names none."""
    running = list(session.runtime.brokers)
    about: set[str] = set()
    for word in words:
        field, colon, value = word.strip("()-!").partition(":")
        value = value.strip("\"'")
        if colon:
            about.update(_PROTOCOLS_OF[field](session, value) if field in _PROTOCOLS_OF else ())
        elif re.fullmatch(r"h\d+", word) or word == "@held":
            about.update(_holding(session, word))
    return [each for each in running if each in about] or running


def _holding(session: "Session", word: str) -> Iterable[str]:
    for frame in session.runtime.holds.held.values():
        if word in ("@held", f"h{frame.id}"):
            yield frame.rows[0].protocol


def _of_operation(session: "Session", value: str) -> Iterable[str]:
    """Packets are in capitals, methods have a dot or are small, APIs are in both."""
    if value.isupper():
        yield "mqtt"
    elif "." in value or value.islower():
        yield "amqp"
    elif value[:1].isupper():
        yield "kafka"


_PROTOCOLS_OF: dict[str, Callable[["Session", str], Iterable[str]]] = {
    "proto": lambda session, value: (value,),
    "op": _of_operation,
    "topic": lambda session, value: (
        each.protocol for each in session.destinations() if each.name == value
    ),
    "client": lambda session, value: (
        each.protocol for each in session.connections() if each.client == value
    ),
    "group": lambda session, value: (
        each.protocol for each in session.groups() if each.name == value
    ),
}


def _codes(session: "Session", protocols: Sequence[str] = ()) -> Iterable[Candidate]:
    found: dict[str, list[str]] = {}
    for protocol, codes in session.refusals.items():
        if protocols and protocol not in protocols:
            continue
        for name, number in codes.items():
            found.setdefault(name, []).append(f"{protocol} {number}")
    for name in sorted(found):
        yield name, ", ".join(found[name])


def _malformed(session: "Session") -> Iterable[Candidate]:
    for protocol in session.runtime.brokers:
        yield from protocol_of(protocol).malformed.items()


def _lint_clients(session: "Session") -> Iterable[Candidate]:
    for protocol, findings in session.runtime.brokers.findings():
        yield from dict.fromkeys((each.client, protocol) for each in findings.views())


def _rows(session: "Session") -> Iterable[Candidate]:
    yield "@focus", "the one under the cursor"
    yield "@marked", "those that are marked"


def _messages(session: "Session") -> Iterable[Candidate]:
    if session.view is not None:
        yield from _rows(session)
    yield from _targets(session)


def _held(session: "Session") -> Iterable[Candidate]:
    yield "@held", "all"
    for frame in session.runtime.holds.held.values():
        first = frame.rows[0]
        yield f"h{frame.id}", f"{first.operation} {first.destination}"


def _jobs(session: "Session") -> Iterable[Candidate]:
    for job in session.jobs:
        yield str(job.id), f"{job.kind} {job.what}"


def _commands(session: "Session") -> Iterable[Candidate]:
    return [(each.name, each.summary) for each in session.registry.commands]


def _themes(session: "Session") -> Iterable[Candidate]:
    return [(name, "") for name in session.view.themes()] if session.view is not None else ()


def _panes(session: "Session") -> Iterable[Candidate]:
    return [(name, "") for name in session.view.places()] if session.view is not None else ()


def _filters(session: "Session") -> Iterable[Candidate]:
    return [(name, each.text) for name, each in session.saved_filters.items()]


_SOURCES: dict[str, Source] = {
    **kafka.SOURCES,
    **mqtt.SOURCES,
    "targets": _targets,
    "sources": _targets,
    "stored": _stored,
    "subjects": _subjects,
    "topics": _destinations("topic", protocol="kafka"),
    "queues": _queues,
    "exchanges": _exchanges,
    "connections": _connections,
    "users": _users,
    "amqp-clients": _amqp_clients,
    "groups": _groups,
    "names": _names,
    "fixtures": _fixtures,
    "fixtures-or-all": _fixtures_or_all,
    "recordings": _recordings,
    "snapshots": _snapshots,
    "scenarios": _scenarios,
    "lint-clients": _lint_clients,
    "faults": _faults,
    "presets": _presets,
    "brokers": _brokers,
    "hold-rules": _hold_rules,
    "held": _held,
    "rows": _rows,
    "messages": _messages,
    "codes": _codes,
    "malformed": _malformed,
    "jobs": _jobs,
    "commands": _commands,
    "themes": _themes,
    "panes": _panes,
    "filters": _filters,
}
"""Commands' completers."""

_FIELDS: dict[str, Source] = {
    "client": _clients,
    "topic": _destinations("topic", "queue", "exchange"),
    "conn": _connections,
    "group": _groups,
}
"""Values of a filter's fields."""

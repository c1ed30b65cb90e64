"""What the brokers refused a client of late, and what is done to it on purpose: all protocols."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mockforge_brokers import events
from mockforge_brokers.amqp.events import ChannelClosed
from mockforge_brokers.kafka.events import ClientThrottled, MemberLeft
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.events import ConnectionRefused

from ...units import counted
from . import kafka_remedies
from .finding import Finding, ago, named

_LATELY = 600.0
_IN_PEACE = 200
_PUBLISHING: Final = frozenset(("Produce", "PUBLISH", "basic.publish", "transfer"))
_ELSEWHERE = (Reason.USE_ANOTHER_SERVER, Reason.SERVER_MOVED)

_STAYING = "poll more often than max.poll.interval.ms, and let heartbeats pass (session.timeout.ms)"


@dataclass(frozen=True, slots=True)
class Seen:
    """`history` with its times; frames held now by connection and hold; faults in force.

    `unpublished` are the messages among those that clients sent, by client, hold and destination.
    """

    history: Sequence[tuple[float, events.Event]]
    held: Mapping[tuple[int, int], int]
    unpublished: Mapping[tuple[str, int, str], int]
    faults: Mapping[int, str]
    now: float


def of_client(seen: Seen, client: str, connections: frozenset[int]) -> list[Finding]:
    """The newest refusal of each kind, frames that are held, and faults that hit it.

    What happened to its earlier connections counts too, where it has a name.
    """
    return [
        *done_to(seen, client, connections),
        *_refused(seen, client, connections),
    ]


def done_to(seen: Seen, client: str, connections: frozenset[int]) -> list[Finding]:
    """Only what holds and faults do to it."""
    return [*_held(seen, client, connections), *_faults(seen, client, connections)]


def held_for(seen: Seen, about: str, wants: Callable[[str], bool]) -> list[Finding]:
    """Messages that a hold keeps from a destination that this one gets messages from."""
    return [
        Finding(
            about,
            "held",
            f"hold {rule} holds {counted(count, 'message')} of {named(client)} to {destination}: "
            "release, or hold off",
        )
        for (client, rule, destination), count in seen.unpublished.items()
        if wants(destination)
    ]


def of_others(seen: Seen, about: str) -> list[Finding]:
    """What others publish and a hold or a fault of late kept: it may have been for this one."""
    held = Counter[tuple[str, int]]()
    for (client, rule, _), count in seen.unpublished.items():
        if client != about:
            held[client, rule] += count
    found = [
        Finding(
            about,
            "held",
            f"hold {rule} holds {counted(count, 'message')} of {named(client)}, perhaps for "
            f"{about}: release, or hold off",
        )
        for (client, rule), count in held.items()
    ]
    last: dict[tuple[int, str], float] = {}
    for time, event in _lately(seen):
        if isinstance(event, events.FaultFired) and event.operation in _PUBLISHING:
            last[event.rule, event.client] = time
    for (rule, client), time in last.items():
        if rule in seen.faults and client != about:
            text = (
                f"fault {rule} ({seen.faults[rule]}) hit what {named(client)} publishes, last "
                f"{ago(seen.now - time)}, perhaps for {about}: fault off {rule}"
            )
            found.append(Finding(about, "fault", text))
    return found


def _held(seen: Seen, client: str, connections: frozenset[int]) -> Iterator[Finding]:
    held = Counter[int]()
    for (connection, rule), count in seen.held.items():
        if connection in connections:
            held[rule] += count
    for rule, count in held.items():
        text = f"hold {rule} holds {counted(count, 'frame')} of {client}: release, or hold off"
        yield Finding(client, "held", text)


def _faults(seen: Seen, client: str, connections: frozenset[int]) -> Iterator[Finding]:
    fired = [
        (time, event.rule)
        for time, event in _lately(seen)
        if isinstance(event, events.FaultFired) and _is_of(event, client, connections)
    ]
    last = {rule: time for time, rule in fired}
    for rule, times in Counter(rule for _, rule in fired).items():
        if rule in seen.faults:
            text = (
                f"fault {rule} ({seen.faults[rule]}) hit {client} {counted(times, 'time')}, last "
                f"{ago(seen.now - last[rule])}: fault off {rule}"
            )
            yield Finding(client, "fault", text)


def _refused(seen: Seen, client: str, connections: frozenset[int]) -> Iterator[Finding]:
    reported: dict[str, Finding] = {}
    for time, event in _lately(seen):
        if not _is_of(event, client, connections):
            continue
        said = _said(event, client, ago(seen.now - time))
        if said is not None:
            # The newest of a kind stands for the others.
            reported[said[0]] = Finding(client, *said)
    yield from reported.values()


def _is_of(event: events.Event, client: str, connections: frozenset[int]) -> bool:
    number, name = getattr(event, "connection", 0), getattr(event, "client", "")
    return number in connections or (bool(name) and name == client)


def _said(event: events.Event, client: str, when: str) -> tuple[str, str] | None:
    match event:
        case events.ProtocolViolated(reason=reason):
            return "protocol", f"{client} broke the protocol {when} and was cut off: {reason}"
        case events.AccessDenied(operation=operation, reason=reason):
            return "access", f"{client} was denied {operation} {when}: {reason}"
        case events.FeatureNotServed(feature=feature, reason=reason):
            return (
                "not-served",
                f"{client} asked for {feature} {when}, which is not served: {reason}",
            )
        case events.RequestDenied(operation=operation, reason=reason):
            text = f"{operation} of {client} was refused {when}: {reason}"
            help_ = _remedy(event.protocol, event.code, reason)
            return "refused", f"{text}; {help_}" if help_ else text
        case ClientThrottled() | MemberLeft():
            return _kafka_said(event, client, when)
        case ConnectionRefused(code=code, reason=reason) if code in _ELSEWHERE:
            return "redirected", (
                f"{client} was sent to another server {when} ({reason}): it must follow the "
                "Server Reference of CONNACK, or redirect rm takes it back"
            )
        case ConnectionRefused(reason=reason):
            return "refused", f"{client} was not let in {when}: {reason}"
        case ChannelClosed(channel=channel, code=code, reason=reason) if code != _IN_PEACE:
            text = f"channel {channel} of {client} was closed {when} ({code}): {reason}"
            return "refused", f"{text}; it must open another one"
        case events.BrokerFailed(error=error):
            return "bug", f"a bug of ours ended {client}'s connection {when}: {error}; see the log"
    return None


def _kafka_said(
    event: ClientThrottled | MemberLeft, client: str, when: str
) -> tuple[str, str] | None:
    if isinstance(event, ClientThrottled):
        text = f"{client} was throttled {when}, by {event.seconds:.1f}s: a quota of {event.user}"
        return "throttled", f"{text} is used up; quota ls"
    if event.reason.startswith("left"):
        # By itself: it is in no need of an answer.
        return None
    return (
        "put-out",
        f"{client} was put out of {event.group} {when}: it {event.reason}; {_STAYING}",
    )


def _lately(seen: Seen) -> Iterator[tuple[float, events.Event]]:
    return ((time, event) for time, event in seen.history if seen.now - time <= _LATELY)


_REMEDIES: Final = {kafka_remedies.PROTOCOL: kafka_remedies.remedy}


def _remedy(protocol: str, code: int, reason: str) -> str:
    """What to do about a refusal by its code, where somebody wrote that down."""
    known = _REMEDIES.get(protocol)
    return known(code, reason) if known is not None else ""

"""AMQP: why a queue or its consumers get no messages."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mockforge_brokers.amqp.channel_views import ChannelView
from mockforge_brokers.amqp.events import ConsumerEnded
from mockforge_brokers.events import Event
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ...fixtures.addresses import amqp_matches
from ...nearest import get_close_matches
from ...units import counted
from .finding import Finding, ago, lookalike, named

_MADE_UP = re.compile(r"amq\.ctag|ctag\d|.*[0-9a-f]{16}")
"""Tags that servers and clients (pika, aio-pika) make for who gave none."""


_CANCELLED = ("cancelled by prompt", "queue '", "detached by the broker")
"""How the reasons begin for which a broker ends a consumer while its channel goes on."""


@dataclass(frozen=True, slots=True)
class Amqp:
    """What the broker shows; `groups` are the consumers of each queue by its name."""

    connections: Sequence[ConnectionView]
    queues: Mapping[str, DestinationView]
    exchanges: Sequence[DestinationView]
    groups: Mapping[str, GroupView]
    channels: Sequence[ChannelView] = ()
    low: Sequence[str] = ()
    """What an alarm says is low: while it does, who publishes waits."""
    namesakes: Mapping[str, str] = field(default_factory=dict)
    """Queues of other virtual hosts that got messages: by name, the host."""
    history: Sequence[tuple[float, Event]] = ()
    now: float = 0.0


def of_client(amqp: Amqp, client: str) -> list[Finding]:
    """What keeps messages from all consumers of a client."""
    found: list[Finding] = []
    mine = {each.id for each in amqp.connections if each.client == client}
    consumes = [
        name
        for name in amqp.groups
        if any(each["connection"] in mine for each in _consumers(amqp, name))
    ]
    for name in consumes:
        found += _of_queue(amqp, name, mine)
    for each in amqp.connections:
        if each.id in mine and each.state == "blocked":
            found.append(_blocked(amqp, client))
        if each.id in mine and (last := each.detail.get("unroutable_last")) is not None:
            text = (
                f"{counted(each.detail['unroutable'], 'message')} of {client} reached no queue: "
                f"{unrouted(amqp, *last).text}; with mandatory set it would get them back"
            )
            found.append(Finding(client, "unroutable", text))
    found += _cancelled(amqp, client, mine, consumes)
    if mine and not consumes and not found:
        publishes = any(each.messages_in for each in amqp.connections if each.id in mine)
        says = "publishes, and consumes" if publishes else "consumes"
        text = (
            f"{client} {says} from no queue: to consume it must send basic.consume (or basic.get)"
        )
        found.append(Finding(client, "no-consumer", text, harmless=publishes))
    return found


def _cancelled(
    amqp: Amqp, client: str, mine: set[int], consumes: Sequence[str]
) -> Iterator[Finding]:
    """Consumers that we ended, and that the client did not begin anew."""
    last = {
        event.queue: (time, event.reason)
        for time, event in amqp.history
        if isinstance(event, ConsumerEnded) and event.connection in mine
    }
    for queue, (time, reason) in last.items():
        if queue not in consumes and reason.startswith(_CANCELLED):
            text = (
                f"the consumer of {queue} that {client} had was cancelled {ago(amqp.now - time)} "
                f"({reason}): it must watch for basic.cancel and consume again"
            )
            yield Finding(client, "cancelled", text)


def consumers_of(amqp: Amqp, name: str) -> list[ConnectionView]:
    """The connections that consume from a queue."""
    numbers = {each["connection"] for each in _consumers(amqp, name)}
    return [each for each in amqp.connections if each.id in numbers]


def sources_of(amqp: Amqp, name: str) -> set[str]:
    """Where to publish for a client or a queue: its queues, and what they are bound to."""
    mine = {each.id for each in amqp.connections if each.client == name}
    queues = {name} | {
        queue
        for queue in amqp.groups
        if any(each["connection"] in mine for each in _consumers(amqp, queue))
    }
    exchanges = {
        exchange.name
        for exchange in amqp.exchanges
        for each in exchange.detail["bindings"]
        if each["kind"] == "queue" and each["destination"] in queues
    }
    return queues | exchanges - {"(default)"}


def of_queue(amqp: Amqp, name: str) -> list[Finding]:
    """What keeps messages from a queue, or in it."""
    return list(_of_queue(amqp, name, set()))


def of_exchange(amqp: Amqp, name: str) -> list[Finding]:
    """Where an exchange sends what comes, and what reached nobody."""
    view = next(each for each in amqp.exchanges if each.name == name)
    bindings = view.detail["bindings"]
    if not bindings and name != "(default)":
        text = f"nothing is bound to {name}: what is published there is gone; bind {name} QUEUE KEY"
        return [Finding(name, "unbound-exchange", text)]
    lost = view.detail["unroutable"]
    if not lost:
        return []
    keys = _quoted(each["routing_key"] for each in bindings)
    recent = _quoted(view.detail.get("recent_keys", ()))
    text = (
        f"{counted(lost, 'message')} of {name} reached no queue: it is bound by {keys}, "
        f"and what came of late had {recent}"
    )
    return [Finding(name, "unroutable", text)]


def of_route(amqp: Amqp, exchange: str, key: str, reached: Iterable[str]) -> list[Finding]:
    """What keeps a message of this exchange and routing key in the queues that it comes to."""
    names = [name for name in dict.fromkeys(reached) if name in amqp.queues]
    if not names:
        return [unrouted(amqp, exchange, key)]
    return [finding for name in names for finding in of_queue(amqp, name)]


def unrouted(amqp: Amqp, exchange: str, key: str) -> Finding:
    """Why one message of an exchange and routing key reached no queue."""
    view = next((each for each in amqp.exchanges if each.name == (exchange or "(default)")), None)
    about = f"{exchange or '(default)'}/{key}"
    if not exchange:
        near = get_close_matches(key, amqp.queues, 1)
        hint = f"; {near[0]} is near" if near else f"; queue add {key}"
        return Finding(about, "no-queue", f"there is no queue {key}{hint}")
    bindings = [each["routing_key"] for each in view.detail["bindings"]] if view else []
    if not bindings:
        text = f"nothing is bound to {exchange}: bind {exchange} QUEUE {key or 'KEY'}"
        return Finding(about, "unbound-exchange", text)
    # A key may be too long to be compared with others.
    near = get_close_matches(key, bindings, 1, 0.0) or bindings
    text = (
        f"no binding of {exchange} matches {key or 'an empty key'}: the nearest is "
        f"{near[0] or 'an empty key'}; publish by a key that fits, or "
        f"bind {exchange} QUEUE {key or 'KEY'}"
    )
    return Finding(about, "routing-key", text)


def _of_queue(amqp: Amqp, name: str, mine: set[int]) -> Iterator[Finding]:
    view = amqp.queues[name]
    consumers = _consumers(amqp, name)
    if not view.messages_in:
        yield from _never_reached(amqp, name)
        return
    standing_by = [each for each in consumers if each.get("standby")]
    if any(not mine or each["connection"] in mine for each in standing_by):
        active = next((each for each in consumers if not each.get("standby")), None)
        holder = _who(amqp, active) if active else "none"
        text = (
            f"{name} has a single active consumer, now {holder}: the others get messages only "
            "once it goes; leave x-single-active-consumer out to share"
        )
        yield Finding(name, "single-active", text)
    yield from _stuck(amqp, view, [each for each in consumers if not each.get("standby")], mine)
    yield from _gone(view)
    yield from _dead_letters_lost(view)
    if view.detail["redelivered"] > max(20, 5 * view.messages_in):
        text = (
            f"{name} redelivered {view.detail['redelivered']:,} times what was published "
            f"{counted(view.messages_in, 'time')}: a consumer rejects with requeue again and "
            "again; it must reject without, or acknowledge"
        )
        yield Finding(name, "requeue-loop", text)
    if view.depth and not consumers:
        text = f"{name} holds {counted(view.depth, 'message')} and has no consumer: start one"
        yield Finding(name, "no-consumer", text)
    if view.detail["arguments"].get("x-queue-type") == "stream":
        yield from _of_stream(
            amqp, view, [c for c in consumers if not mine or c["connection"] in mine]
        )
        return
    others = [each for each in consumers if each["connection"] not in mine]
    if standing_by:
        return
    if mine and any(each["delivered"] for each in others):
        yield _taken_by_others(amqp, view, consumers, others)
    elif not mine and len(consumers) > 1:
        yield _taken_by_others(amqp, view, consumers, consumers)
    elif not view.depth and not view.detail["unacked"]:
        yield from _empty(amqp, view)


def _empty(amqp: Amqp, view: DestinationView) -> Iterator[Finding]:
    """Nothing waits; who took what, as far as the figures tell."""
    yield from _uncommitted(amqp, view.name)
    if not view.messages_out and view.detail.get("expired"):
        return
    count = counted(view.messages_in, "message")
    taken = sum(view.detail.get(each, 0) for each in ("expired", "dropped"))
    if view.messages_out + taken < view.messages_in:
        went = f"of its {count} {view.messages_out:,} were delivered, the others were purged"
    elif not taken:
        went = f"all of its {count} were delivered"
    else:
        went = f"{count} came, {view.messages_out:,} were delivered"
    text = f"{view.name} is empty: {went}; publish something new"
    yield Finding(view.name, "empty", text, harmless=True)


def _of_stream(
    amqp: Amqp, view: DestinationView, consumers: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """A stream gives every consumer all that lies behind where it began."""
    for each in consumers:
        if each["behind"]:
            continue
        who = _who(amqp, each)
        if view.depth and each["delivered"] < view.depth:
            older = counted(view.depth - each["delivered"], "older message")
            text = (
                f"{who} began behind what the stream {view.name} held: {older} are not for it; "
                "consume with x-stream-offset first, or publish something new"
            )
            yield Finding(view.name, "stream-offset", text)
        else:
            text = f"{who} has read the stream {view.name} to its end: publish something new"
            yield Finding(view.name, "empty", text, harmless=True)


def _blocked(amqp: Amqp, client: str) -> Finding:
    low = " & ".join(amqp.low)
    why, remedy = (
        (f"the broker is low on {low}", "alarm clear, or take messages out of the queues")
        if low
        else ("a fault says so", "fault ls")
    )
    text = (
        f"{client} is blocked (connection.blocked), since {why}: what it publishes is not read; "
        f"{remedy}"
    )
    return Finding(client, "blocked", text)


def _uncommitted(amqp: Amqp, name: str) -> Iterator[Finding]:
    """Publishes in transactions of others, which no queue has before tx.commit."""
    for each in amqp.channels:
        if name in each.uncommitted_for:
            text = (
                f"{named(each.client)} published to {name} in a transaction that is not committed "
                f"(channel {each.number}): it must send tx.commit"
            )
            yield Finding(name, "uncommitted", text)


def _never_reached(amqp: Amqp, name: str) -> Iterator[Finding]:
    """Nothing ever came: blocked or misled publishers, else the way there."""
    if amqp.low:
        waiting = sum(each.state == "blocked" for each in amqp.connections)
        text = (
            f"{counted(waiting, 'publisher')} may not publish, since the broker is low on "
            f"{' & '.join(amqp.low)} (connection.blocked): alarm clear, or take messages out of "
            "the queues"
        )
        yield Finding(name, "blocked", text)
    yield from _uncommitted(amqp, name)
    for each in amqp.connections:
        exchange, key = each.detail.get("unroutable_last") or ("", "")
        if key and not exchange and key not in amqp.queues and lookalike(key, [name]):
            text = (
                f"{counted(each.detail['unroutable'], 'message')} of {named(each.client)} reached "
                f"no queue: there is no queue {key}, {name} is near; publish to {name}"
            )
            yield Finding(name, "queue-name", text)
    if name in amqp.namesakes:
        text = (
            f"nothing reached this {name}, but {name} of the virtual host "
            f"{amqp.namesakes[name]} has messages: connect to the same virtual host"
        )
        yield Finding(name, "virtual-host", text)
    yield _without_way(amqp, name)


def _without_way(amqp: Amqp, name: str) -> Finding:
    """No binding, another routing key, or no message."""
    bound = [
        (exchange, each["routing_key"])
        for exchange in amqp.exchanges
        for each in exchange.detail["bindings"]
        if each["kind"] == "queue" and each["destination"] == name and exchange.name != "(default)"
    ]
    if not bound:
        text = (
            f"{name} is bound to no exchange, so only the default exchange reaches it, with the "
            f"routing key {name}: bind EXCHANGE {name} KEY"
        )
        return Finding(name, "unbound", text)
    for exchange, _ in bound:
        keys = [key for other, key in bound if other is exchange]
        if exchange.messages_in:
            return _passed_by(exchange, name, keys)
    names = ", ".join(dict.fromkeys(exchange.name for exchange, _ in bound))
    text = f"nothing was published yet to {names}, which {name} is bound to"
    return Finding(name, "nothing-published", text, harmless=True)


def _gone(view: DestinationView) -> Iterator[Finding]:
    """What the queue's own arguments took away."""
    for cause, what in (
        ("expired", "the time to live was over before anybody took it"),
        ("dropped", "the queue was at its maximum length"),
    ):
        count = view.detail.get(cause, 0)
        if count:
            dead = view.detail.get("dead_lettered", 0)
            exchange = view.detail["arguments"].get("x-dead-letter-exchange")
            to = f", {dead:,} went to {exchange or 'the default exchange'}" if dead else ""
            is_gone = "is gone" if count == 1 else "are gone"
            text = (
                f"{counted(count, 'message')} of {view.name} {is_gone}, since {what}{to}: see "
                f"queue show {view.name} for its arguments"
            )
            yield Finding(view.name, cause, text)


def _dead_letters_lost(view: DestinationView) -> Iterator[Finding]:
    lost = view.detail.get("dead_letters_lost", 0)
    if not lost:
        return
    definition = view.detail.get("effective_policy", {})
    given = view.detail["arguments"]
    exchange, key = (
        given.get(f"x-dead-letter-{name}", definition.get(f"dead-letter-{name}"))
        for name in ("exchange", "routing-key")
    )
    by = f"the key {key}" if key else "the key that they came with"
    to = exchange or "the default exchange"
    text = (
        f"{counted(lost, 'dead letter')} of {view.name} went to {to} by {by} and reached no queue: "
        f"route {exchange or '(default)'} {key or 'KEY'} shows the way"
    )
    yield Finding(view.name, "dead-letter-nowhere", text)


def _passed_by(exchange: DestinationView, queue: str, keys: Sequence[str]) -> Finding:
    """Why nothing of what an exchange got reached a queue that is bound to it."""
    kind = exchange.detail["type"]
    recent = list(exchange.detail.get("recent_keys", ()))
    if kind == "headers":
        text = (
            f"nothing reached {queue}: {exchange.name} compares headers, and those of its "
            f"{counted(exchange.messages_in, 'message')} did not fit the binding's arguments"
        )
        return Finding(queue, "headers", text)
    if not recent or any(amqp_matches(kind, bound, key) for bound in keys for key in recent):
        text = (
            f"nothing reached {queue} since it was bound to {exchange.name}: what was published "
            "before is not for it; publish again"
        )
        return Finding(queue, "bound-later", text)
    ordered = list(dict.fromkeys(reversed(recent)))
    near = next(filter(None, (lookalike(key, recent) for key in keys)), None)
    if near is not None:
        # The key that was probably meant first, whatever else went by.
        ordered = [near, *(key for key in ordered if key != near)]
    case = any(near and near.casefold() == key.casefold() for key in keys)
    text = (
        f"nothing reached {queue}: it is bound to {exchange.name} by {_quoted(keys)}, but "
        f"what is published there has {_quoted(ordered)}{' (keys are case-sensitive)' * case}; "
        f"publish by a key that matches, or bind {exchange.name} {queue} {ordered[0] or 'KEY'}"
    )
    return Finding(queue, "routing-key", text)


def _stuck(
    amqp: Amqp, view: DestinationView, consumers: Sequence[Mapping[str, Any]], mine: set[int]
) -> Iterator[Finding]:
    """Consumers that may take no more."""
    for each in consumers:
        if mine and each["connection"] not in mine:
            continue
        who = _who(amqp, each)
        if each["timed_out"]:
            text = (
                f"{who} let the consumer timeout of {view.name} pass: what it had is for others, "
                "and it was cancelled (basic.cancel); it must consume anew, or settle what it has"
            )
            yield Finding(view.name, "timed-out", text)
        elif each["exhausted"]:
            text = (
                f"{who} holds {counted(each['prefetch'], 'unacked message')} of {view.name}, all "
                f"that its prefetch of {each['prefetch']} allows, and {view.depth or 0:,} wait: it "
                "must acknowledge them, or have a larger prefetch"
            )
            yield Finding(view.name, "prefetch", text)
        elif each["paused"] and view.depth:
            text = (
                f"{who} is paused on {view.name}: its client does not read, or its channel's "
                f"prefetch is used up; {view.depth:,} wait"
            )
            yield Finding(view.name, "paused", text)


def _taken_by_others(
    amqp: Amqp,
    view: DestinationView,
    consumers: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
) -> Finding:
    shares = [
        f"{_who(amqp, each)} got {each['delivered']:,}"
        for each in sorted(others, key=lambda each: -each["delivered"])[:3]
    ]
    text = (
        f"{view.name} has {counted(len(consumers), 'consumer')} and gives each message to one of "
        f"them: {', '.join(shares)}; stop the other one, or bind a queue of its own to each"
    )
    return Finding(view.name, "other-consumer", text)


def _who(amqp: Amqp, consumer: Mapping[str, Any]) -> str:
    """A consumer by its client; its tag only where somebody chose it."""
    number, tag = consumer["connection"], consumer["tag"]
    client = next((each.client for each in amqp.connections if each.id == number), "")
    who = f"{client} (c{number})" if client else f"c{number}"
    return who if _MADE_UP.match(tag) else f"consumer {tag} of {who}"


def _consumers(amqp: Amqp, name: str) -> Sequence[Mapping[str, Any]]:
    group = amqp.groups.get(name)
    consumers: Sequence[Mapping[str, Any]] = group.detail["consumers"] if group is not None else ()
    return consumers


def _quoted(keys: Any) -> str:
    shown = [key or "an empty key" for key in dict.fromkeys(keys)]
    return ", ".join(shown[:4]) + ("…" if len(shown) > 4 else "")

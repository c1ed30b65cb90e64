"""Filter terms and command lines made from what somebody points at."""

import json
import re

import msgspec
from mockforge_brokers.findings import Finding
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.protocols import protocol_of
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..console.again.spelling import typed_text
from ..console.completing import quoted
from ..console.language import quoted as in_quotes
from ..console.targets import (
    Place,
    SessionTarget,
    at_host,
    host_of,
    name_of,
    place_of,
    shared_by,
    store_of,
)
from ..feed.ring import Ring
from ..filters import quote
from ..fixtures.messages import properties_of
from .snapshot import ConnectionLine, DestinationLine, FaultLine, LintLine

_KIND = re.compile(r"([A-Z]{4,})\b")
_LOOKED_AT = 100_000
"""Rows in which a packet is looked for."""
_MEANING_MORE = ("-", "@", "hex:", "b64:")
"""How words begin that stand for something else than themselves."""
_OR, _AND, _NEGATIONS = "or", "and", ("not", "!", "-")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./$%")


def term(field: str, value: str) -> str:
    """`field:value` that means exactly this value, quoted if it must be."""
    if value and set(value) <= _PLAIN:
        return f"{field}:{value}"
    return f"{field}:{quote(value)}"


def term_of(row: Row, field: str) -> str | None:
    """The term that a cell of the flow stands for; None for an empty cell."""
    value = {
        "proto": row.protocol,
        "client": row.client,
        "op": row.operation,
        "topic": row.destination,
        "key": row.key.decode("utf-8", "replace") if row.key else "",
    }.get(field)
    if field == "client" and not value and row.connection:
        return f"conn:{row.connection}"
    if field == "size":
        return f"size>={row.size}"
    return term(field, value) if value else None


def combined(text: str, added: str, *, negated: bool = False) -> str:
    """A filter with one more term; a term that is there already goes instead."""
    added = f"-{added}" if negated else added
    kept = _without(text, added)
    if kept is not None:
        return kept
    if _OR in _terms(text):
        text = f"({text})"
    return f"{text} {added}".strip()


def replaced(text: str, before: str, added: str) -> tuple[str, str]:
    """A filter with `added` where `before` was, and what was added: nothing if it was there."""
    kept = _without(text, before) if before else None
    if kept is None:
        return combined(text, added), added
    if added == before:
        return kept, ""
    return combined(kept, added), added


def _terms(text: str) -> list[str]:
    """A filter in its parts with spaces between, words such as `or` among them.

    What is in parentheses is one part, and so is a quoted value.
    """
    found, begin, depth, within = [], 0, 0, False
    for at, sign in enumerate(text):
        if sign == '"':
            before = text[:at]
            escaped = (len(before) - len(before.rstrip("\\"))) % 2
            within = not within or bool(escaped)
        elif not within:
            depth += (sign == "(") - (sign == ")")
            if sign == " " and depth <= 0:
                found.append(text[begin:at])
                begin = at + 1
    return [each for each in (*found, text[begin:]) if each]


def _without(text: str, part: str) -> str | None:
    """A filter less one of its terms, or several that stand together; None where it has not.

    What stands in a choice (`a or b`) is no term of the whole.
    """
    terms, wanted = _terms(text), _terms(part)
    if _OR in terms and terms != wanted:
        return None
    for at in range(len(terms) - len(wanted) + 1):
        if terms[at : at + len(wanted)] == wanted and terms[max(0, at - 1)] not in _NEGATIONS:
            break
    else:
        return None
    kept = terms[:at] + terms[at + len(wanted) :]
    beside = max(0, at - 1)
    if kept[beside : beside + 1] == [_AND]:
        del kept[beside]
    inner = kept[0][1:-1] if len(kept) == 1 and kept[0].startswith("(") else ""
    # The parentheses around a choice came with the first term beside it.
    return inner if _OR in _terms(inner) else " ".join(kept)


def destination_term(view: DestinationView) -> str:
    """What shows only the traffic of a topic, an exchange or a queue; of all of a branch."""
    if view.detail.get("branch"):
        return term("topic", view.name.removesuffix("#")).replace("topic:", "topic^=", 1)
    shown = term("topic", view.name)
    # A queue of this name may be in another virtual host as well.
    return shown if name_of(view) == view.name else f"{shown} {term('vhost', view.detail['vhost'])}"


def publish_line(row: Row) -> str:
    """The `pub` command that would send this message again."""
    target = target_of(row.protocol, row.destination, row)
    parts = [f"pub {quoted(target)}", payload_word(row.payload)]
    detail = row.detail
    if protocol_of(row.protocol).keyed and row.key is not None:
        parts.append(f"-k {_spelled(_meant(row.key))}")
    for name, value in row.headers:
        # Tables and lists cannot be typed, and those that there are (x-death) brokers write.
        if not isinstance(value, dict | list | tuple):
            parts.append(f"-H {_spelled(f'{name}={_meant(value)}')}")
    if detail.get("qos"):
        parts.append(f"-q {detail['qos']}")
    if detail.get("retain"):
        parts.append("-r")
    for name, value in properties_of(row.protocol, detail).items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            name = name.replace("_", "-")
            parts.append(f"--prop {_spelled(f'{name}={_meant(value)}')}")
    return " ".join(parts)


def edit_line(row: Row) -> str:
    """The `edit` command that would leave this held message as it is; else ready for a field."""
    if row.kind != "message":
        return f"edit h{row.held} --set "
    return f"edit h{row.held} {payload_word(row.payload)}"


def target_of(protocol: str, name: str, row: Row | None = None) -> str:
    """`kafka:orders`, `mqtt:a/b`, `amqp:events/order.paid`, `queue:q`."""
    if not protocol_of(protocol).routed:
        return f"{protocol}:{name}"
    detail, vhost = (row.detail, host_of(row)) if row is not None else ({}, None)
    exchange = detail.get("exchange", name)
    key = detail.get("routing_key")
    if key is None:
        return f"queue:{at_host(vhost, name)}"
    return f"{protocol}:{at_host(vhost, f'{exchange}/{key}')}"


def stored_target(subject: object) -> tuple[Place | SessionTarget, str] | None:
    """Where a chosen thing keeps messages, and its name; None for what keeps none."""
    match subject:
        case DestinationLine(view=DestinationView(kind="exchange")):
            return None
        case DestinationLine(view=view):
            place: Place | SessionTarget = place_of(view)
        case GroupView() if (kept := store_of(subject)) is not None:
            place = kept
        case _:
            return None
    return place, place.title


def why_about(subject: object) -> str | None:
    """What `why` is asked about a chosen thing."""
    match subject:
        case Row() as row:
            if row.seq:
                return f"#{row.seq}"
            return quoted(target_of(row.protocol, row.destination, row))
        case ConnectionLine(view=view):
            return f"c{view.id}"
        case DestinationLine(view=view):
            return quoted(name_of(view) if view.kind == "exchange" else str(place_of(view)))
        case GroupView():
            return quoted(name_of(subject))
    return None


def connection_of(subject: object) -> int:
    """The number of the connection that a subject is or came by; 0 for none."""
    match subject:
        case ConnectionLine(view=view):
            return view.id
        case Row(connection=number):
            return number
        case FaultLine(what=HeldFrame(rows=rows)):
            return rows[0].connection
        case LintLine(finding=finding):
            return finding.connection
    return 0


def packets_term(finding: Finding) -> str:
    """What shows only the packets that a finding may be about: its client's, of their kind."""
    who = term("client", finding.client) if finding.client else f"conn:{finding.connection}"
    # What is wrong with a packet is said behind its name: `PUBLISH: DUP with QoS 0`.
    kind = _KIND.match(finding.text)
    return f"{who} op:{kind[1]}" if kind is not None else who


def packet_of(rows: Ring, finding: Finding) -> int | None:
    """The number of the packet that lint found last; None where it has left the flow."""
    found, kind = None, _KIND.match(finding.text)
    for row in rows.newest_first(_LOOKED_AT):
        if row.time < finding.last:
            break
        # A burst is written down once it is handled: its first packet of this kind is the one, or
        # is just in front of it.
        its_own = row.connection == finding.connection and row.direction == IN
        if its_own and (kind is None or row.operation == kind[1]):
            found = row.seq
    return found


def subject_term(subject: object) -> str | None:
    """What shows only the traffic of what is chosen in a pane; None where there is nothing."""
    match subject:
        case ConnectionLine(view=view):
            return connection_term(view)
        case DestinationLine(view=view):
            return destination_term(view)
        case LintLine(finding=finding):
            return packets_term(finding)
        case GroupView() if (shared := shared_by(subject)) is not None:
            return _topics_term(shared)
        case GroupView(protocol=protocol, name=name):
            shown = term(protocol_of(protocol).group_field, name)
            host = subject.detail.get("vhost")
            return shown if name_of(subject) == name else f"{shown} {term('vhost', str(host))}"
        case FaultLine(what=HeldFrame(rows=rows)):
            return term_of(rows[0], "client")
        case FaultLine(what=Rule(scope=scope) | HoldRule(scope=scope)):
            return f"({scope})" if " " in scope else scope or None
    return None


def _topics_term(topic_filter: str) -> str:
    """What shows the topics that a filter of MQTT is about."""
    if set(topic_filter) <= _PLAIN | {"#", "+"}:
        return f"topic:{topic_filter}"
    # In quotes + and # would mean themselves.
    before = re.split("[+#]", topic_filter, maxsplit=1)[0]
    return term("topic", before).replace("topic:", "topic^=", 1)


def connection_term(view: ConnectionView) -> str:
    return term("client", view.client) if view.client else f"conn:{view.id}"


def payload_word(payload: bytes | None) -> str:
    """A payload as one word of a command line that stands for exactly these bytes."""
    if payload is None:
        return "--null"
    text = typed_text(payload)
    if text is None or "{{" in text:
        # What looks like a template would be rendered.
        return f"hex:{payload.hex()}"
    if text[:1] in ("{", "[") and _is_json(text):
        # On one line, with strings and numbers as they were written.
        return msgspec.json.format(text, indent=0) if "\n" in text else text.strip()
    return _spelled(text)


def _spelled(text: str) -> str:
    return in_quotes(text) if not text or text.startswith(_MEANING_MORE) else quoted(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _meant(value: object) -> str:
    """What is typed for a key, a header or a property: bytes as they are, no template in it."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.replace("{{", "\\{{")

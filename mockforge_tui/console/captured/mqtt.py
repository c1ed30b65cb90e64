"""What MQTT clients did, as statements of a test with paho-mqtt.

A statement for each packet that a client sent and for each message that it got, in their order.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mockforge_brokers.journal import IN, Row

HEAD: Final = '''"""A captured sequence, played again. Needs mockforge-tui and paho-mqtt."""

from queue import Empty, Queue
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

WITHIN = 5.0
"""Seconds in which an answer or a message is to come."""


class Client:
    """One of the clients; each call waits for what answers it."""

    def __init__(self, url, name, version=5, clean_start=True, **properties):
        self.version, self.answers, self.got = version, Queue(), Queue()
        clean = {} if version == 5 else {"clean_session": clean_start}
        self.paho = paho.Client(
            CallbackAPIVersion.VERSION2, name, protocol=version, reconnect_on_failure=False, **clean
        )
        for answer in ("on_connect", "on_subscribe", "on_unsubscribe"):
            setattr(self.paho, answer, lambda *args: self.answers.put(args))
        self.paho.on_message = lambda client, data, message: self.got.put(message)
        more = {}
        if version == 5:
            more = {"clean_start": clean_start, "properties": self._made("CONNECT", properties)}
        self.paho.connect(urlsplit(url).hostname, urlsplit(url).port, **more)
        self.paho.loop_start()
        self.answers.get(timeout=WITHIN)

    def subscribe(self, *filters):
        """Each a filter and its QoS, and then what version 5 knows beside it."""
        asked = []
        for name, qos, *more in filters:
            asked.append((name, SubscribeOptions(qos, **more[0]) if more else qos))
        self.paho.subscribe(asked)
        self.answers.get(timeout=WITHIN)

    def unsubscribe(self, *filters):
        self.paho.unsubscribe(list(filters))
        self.answers.get(timeout=WITHIN)

    def publish(self, topic, payload, qos=0, retain=False, **properties):
        made = self._made("PUBLISH", properties) if self.version == 5 else None
        self.paho.publish(topic, payload, qos, retain, made).wait_for_publish(WITHIN)

    def receives(self, topic, payload):
        try:
            message = self.got.get(timeout=WITHIN)
        except Empty:
            raise AssertionError(f"{payload!r} did not come to {topic}") from None
        assert (message.topic, message.payload) == (topic, payload)

    def disconnect(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    @staticmethod
    def _made(packet, values):
        made = Properties(getattr(PacketTypes, packet))
        for name, value in values.items():
            setattr(made, name.title().replace("_", ""), value)
        return made


class Clients(dict):
    """By name; all are gone at the end."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.values():
            client.disconnect()


def test_captured(mockforge):
    url, clients = mockforge.mqtt.url, Clients()
    with clients:
'''

_VERSIONS: Final = {"3.1": 3, "3.1.1": 4, "5.0": 5, "5": 5}
_CARRIED: Final = (
    *("content_type", "response_topic", "correlation_data"),
    *("message_expiry_interval", "payload_format_indicator"),
)
_OPTIONS: Final = (
    ("no_local", "noLocal"),
    ("retain_as_published", "retainAsPublished"),
    ("retain_handling", "retainHandling"),
)
"""A subscription's, by our name and by paho's; each is 0 by default."""
_NOBODY: Final = "publisher"
"""Who publishes what no client did: the prompt, a fixture, or a message that is only stored."""


class Captured:
    """The statements of each row."""

    head = HEAD

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._delivered: dict[tuple[str, int], bytes] = {}
        """Payloads by client and packet identifier: what may come again with DUP."""

    def lines(self, row: Row) -> Iterator[str]:
        if row.error:
            return
        name = row.client if row.connection else _NOBODY
        if row.operation == "CONNECT":
            yield from self._connect(row)
            return
        done = _done(row)
        if done and not self._came_before(row, name):
            if name not in self._known:
                self._known.add(name)
                yield f"clients[{name!r}] = Client(url, {name!r})"
            yield f"clients[{name!r}].{done}"

    def _came_before(self, row: Row, name: str) -> bool:
        """A delivery that is sent again after a reconnect: the client had it before.

        In the replay paho acknowledges the first one, and it does not come again.
        """
        packet_id = row.detail.get("packet_id")
        if row.operation != "PUBLISH" or row.direction == IN or packet_id is None:
            return False
        payload = row.payload or b""
        if row.detail.get("dup") and self._delivered.get((name, packet_id)) == payload:
            return True
        self._delivered[name, packet_id] = payload
        return False

    def rest(self) -> Iterator[str]:
        return iter(())

    def _connect(self, row: Row) -> Iterator[str]:
        detail = row.detail
        name = row.client or str(detail.get("client_id", ""))
        arguments = [repr(name), f"version={_VERSIONS.get(str(detail.get('version')), 5)}"]
        if not detail.get("clean_start", True):
            arguments.append("clean_start=False")
        expiry = detail.get("session_expiry_interval")
        if expiry is not None:
            arguments.append(f"session_expiry_interval={expiry}")
        self._known.add(name)
        yield f"clients[{name!r}] = Client(url, {', '.join(arguments)})"
        for left_out in ("will", "user_name"):
            if left_out in detail:
                yield f"# It gave a {left_out.replace('_', ' ')} too: {detail[left_out]!r}"


def _done(row: Row) -> str:
    """What a client does, or what happens to it; empty for what only answers."""
    detail = row.detail
    match row.operation, row.direction:
        case "PUBLISH", direction if direction != IN:
            return f"receives({row.destination!r}, {row.payload or b''!r})"
        case "PUBLISH", _:
            return "" if detail.get("dup") else f"publish({', '.join(_published(row))})"
        case "SUBSCRIBE", _:
            return f"subscribe({', '.join(map(_wanted, detail['filters']))})"
        case "UNSUBSCRIBE", _:
            return f"unsubscribe({', '.join(map(repr, detail['filters']))})"
        case "DISCONNECT", direction if direction == IN:
            return "disconnect()"
    return ""


def _wanted(request: Mapping[str, Any]) -> str:
    more = {theirs: request[ours] for ours, theirs in _OPTIONS if request.get(ours)}
    wanted = (request["topic_filter"], request["qos"])
    return repr((*wanted, more) if more else wanted)


def _published(row: Row) -> Iterator[str]:
    yield repr(row.destination)
    yield repr(row.payload or b"")
    for name in ("qos", "retain"):
        if row.detail.get(name):
            yield f"{name}={row.detail[name]}"
    for name in _CARRIED:
        if name in row.detail:
            yield f"{name}={row.detail[name]!r}"
    if row.headers:
        yield f"user_property={list(row.headers)!r}"

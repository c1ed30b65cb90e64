"""What an argument about MQTT may be."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ... import units
from .source import Candidate, Source

if TYPE_CHECKING:
    from ..session import Session


def _retained(session: "Session") -> Iterable[Candidate]:
    mqtt = session.runtime.brokers.mqtt
    for topic, payload, _ in mqtt.retained() if mqtt is not None else ():
        yield topic, units.format_size(len(payload))


def _mqtt_topics(session: "Session") -> Iterable[Candidate]:
    mqtt = session.runtime.brokers.mqtt
    for each in mqtt.destinations() if mqtt is not None else ():
        yield each.name, f"{each.messages_in:,} messages"


def sessions(session: "Session") -> Iterable[Candidate]:
    mqtt = session.runtime.brokers.mqtt
    for each in mqtt.sessions() if mqtt is not None else ():
        yield str(each["client"]), "connected" if each.get("connected") else "away"


def _auth_methods(session: "Session") -> Iterable[Candidate]:
    broker = session.runtime.brokers.mqtt
    if broker is not None:
        yield from ((name, "scripted") for name in broker.methods.scripted)


SOURCES: dict[str, Source] = {
    "retained": _retained,
    "mqtt-topics": _mqtt_topics,
    "sessions": sessions,
    "auth-methods": _auth_methods,
}

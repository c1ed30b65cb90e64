"""Golden transcripts: conversations of clients with the broker, byte for byte."""

from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.options import MqttOptions

from brokers.playback import TRANSCRIPTS, Playback

ROOT = TRANSCRIPTS / "mqtt"

MINIMAL = MqttOptions(
    maximum_qos=0,
    retain_available=False,
    wildcards_available=False,
    shares_available=False,
    identifiers_available=False,
    session_expiry_maximum=60,
)

SETTINGS: dict[str, tuple[MqttOptions, Limits]] = {
    "each": (MqttOptions(merge_overlapping=False), Limits()),
    "minimal": (MINIMAL, Limits()),
    "outbound_aliases": (MqttOptions(outbound_topic_aliases=5), Limits()),
    "receive_maximum": (MqttOptions(receive_maximum=2), Limits()),
    "refused_filters": (MqttOptions(refused_filters={"secret": 0x87}), Limits()),
    "response_information": (MqttOptions(response_information="answers/"), Limits()),
    "scripted_auth": (
        MqttOptions(auth_methods=("TWO first second", "NO refuse=BANNED")),
        Limits(),
    ),
    "server_keep_alive": (MqttOptions(server_keep_alive=60), Limits()),
    "silent_about_subscribers": (MqttOptions(tell_no_subscribers=False), Limits()),
    "strict": (MqttOptions(lint="strict"), Limits()),
    "small_limits": (MqttOptions(), Limits(mqtt_session_queue=2)),
    "small_packets": (MqttOptions(), Limits(mqtt_packet=100)),
}
"""Options and limits of the transcripts in a folder of this name; all others have the default."""

FILES = sorted(ROOT.rglob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_transcript(file: Path) -> None:
    options, limits = SETTINGS.get(file.parent.name, (MqttOptions(), Limits()))
    clock = ManualClock()
    environment = Environment.create(clock, seed=1, limits=limits)
    broker = MqttBroker(environment, options)

    def publish(topic_name: str, payload: str, *words: str) -> None:
        how: dict[str, Any] = {
            "retain": "retain" in words,
            "qos": next((int(word[3:]) for word in words if word.startswith("qos")), 0),
        }
        broker.publish(topic_name, payload.encode(), **how)

    verbs = {"publish": publish, "end_session": broker.end_session, "reset": broker.reset}
    Playback(broker, environment, clock, verbs).play(file.read_text())

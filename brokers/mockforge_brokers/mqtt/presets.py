"""The limits and choices of other brokers, as their documentation has them (`--mqtt-as`)."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct


class Preset(Struct, frozen=True):
    """Fields of MqttOptions and of Limits; `server_keep_alive` stands among the options."""

    options: Mapping[str, Any]
    limits: Mapping[str, int]
    source: str


PRESETS: Final[Mapping[str, Preset]] = {
    "mosquitto": Preset(
        {
            "lint": "as-mosquitto",
            "receive_maximum": 20,
            "topic_alias_maximum": 10,
            "merge_overlapping": False,
            "merge_before_5": True,
            "qos2_hand_on": "release",
            "server_keep_alive": 65_535,
        },
        {"mqtt_session_queue": 1_000},
        "mosquitto.conf(5) of 2.0: max_inflight_messages, max_keepalive, max_queued_messages; "
        "what 2.0.11 answered",
    ),
    "hivemq": Preset(
        {"receive_maximum": 10, "topic_alias_maximum": 5, "server_keep_alive": 65_535},
        {"mqtt_session_queue": 1_000},
        "HiveMQ Community Edition, Configuration, MQTT settings: server-receive-maximum, "
        "topic-alias, keep-alive, queued-messages",
    ),
    "emqx": Preset(
        {
            "receive_maximum": 32,
            "topic_alias_maximum": 65_535,
            "topic_levels_maximum": 128,
            "merge_overlapping": False,
        },
        {"mqtt_session_queue": 1_000, "mqtt_packet": 1 << 20},
        "EMQX 5, Configuration, MQTT: max_inflight, max_topic_alias, max_topic_levels, "
        "max_mqueue_len, max_packet_size",
    ),
    "aws-iot": Preset(
        {
            "maximum_qos": 1,
            "receive_maximum": 100,
            "topic_alias_maximum": 8,
            "identifiers_available": False,
            "session_expiry_maximum": 3_600,
            "server_keep_alive": 1_200,
            "topic_levels_maximum": 8,
            "topic_bytes_maximum": 256,
            "client_id_maximum": 128,
            "filters_maximum": 8,
        },
        {"mqtt_packet": 128 << 10},
        "AWS IoT Core endpoints and quotas: message broker and protocol limits",
    ),
    "minimal": Preset(
        {
            "maximum_qos": 0,
            "retain_available": False,
            "wildcards_available": False,
            "shares_available": False,
            "identifiers_available": False,
            "topic_alias_maximum": 0,
            "session_expiry_maximum": 0,
            "sys_interval": 0.0,
        },
        {},
        "MQTT 5, 3.2.2.3: all that a server may leave out",
    ),
}

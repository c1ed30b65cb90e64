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
            "shared_redelivery": False,
            "server_keep_alive": 65_535,
        },
        {"mqtt_session_queue": 1_000},
        "mosquitto.conf(5) of 2.0: max_inflight_messages, max_keepalive, max_queued_messages; "
        "what 2.0.11 answered",
    ),
    "mosquitto-2.1": Preset(
        {
            "lint": "as-mosquitto",
            "receive_maximum": 20,
            "topic_alias_maximum": 10,
            "outbound_topic_aliases": 10,
            "merge_overlapping": False,
            "qos2_hand_on": "release",
            "shared_redelivery": False,
        },
        {"mqtt_session_queue": 1_000, "mqtt_packet": 2_000_000},
        "what 2.1.2 answered; ChangeLog of 2.1: max_packet_size 2,000,000, max_topic_alias_broker, "
        "allow_duplicate_messages true",
    ),
    "hivemq": Preset(
        {
            "receive_maximum": 10,
            "topic_alias_maximum": 5,
            "server_keep_alive": 65_535,
            "connect_timeout": 10.0,
        },
        {"mqtt_session_queue": 1_000, "mqtt_packet": 268_435_460},
        "docs.hivemq.com, MQTT-Specific Configuration: Server Receive Maximum 10, Max packet size "
        "268435460, Max Keep Alive 65535, Queued Messages 1000; HiveMQ Configuration: "
        "no-connect-idle-timeout 10000; HiveMQ CE, MqttConfigurationDefaults: 5 topic aliases",
    ),
    "emqx": Preset(
        {
            "receive_maximum": 32,
            "session_expiry_before_5": 7_200,
            "topic_alias_maximum": 65_535,
            "topic_levels_maximum": 128,
            "merge_overlapping": False,
        },
        {"mqtt_session_queue": 1_000, "mqtt_packet": 1 << 20},
        "docs.emqx.com/en/emqx/latest/configuration/mqtt.html: max_packet_size 1MB, "
        "max_topic_levels 128, max_topic_alias 65535, max_inflight 32, max_mqueue_len 1000, "
        "session_expiry_interval 2h (before MQTT 5 only), shared_subscription_strategy round_robin "
        "(turns, as without a preset)",
    ),
    "aws-iot": Preset(
        {
            "maximum_qos": 1,
            "receive_maximum": 100,
            "topic_alias_maximum": 8,
            "identifiers_available": False,
            "session_expiry_maximum": 3_600,
            "session_expiry_before_5": 3_600,
            "server_keep_alive": 1_200,
            "topic_levels_maximum": 8,
            "topic_bytes_maximum": 256,
            "client_id_maximum": 128,
            "filters_maximum": 8,
            "subscriptions_maximum": 50,
            "ingest_prefix": "$aws/rules/",
        },
        {"mqtt_packet": 128 << 10},
        "docs.aws.amazon.com/general/latest/gr/iot-core.html, message broker and protocol limits; "
        "docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html; "
        "AWS' device SDK has the same for clients (AwsIotCoreDefaults): 8 filters a SUBSCRIBE, 7 "
        "slashes, topics of 256 bytes, client identifiers of 128",
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

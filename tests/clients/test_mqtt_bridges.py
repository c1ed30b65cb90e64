"""Bridges of other brokers, replayed from their documentation and sources.

HiveMQ Edge's is a client of MQTT 5 (its BridgeMqttClient, RemotePublishConsumer); EMQX' with
`bridge_mode = true` is the one of Mosquitto before MQTT 5 (the highest bit of the protocol level).
Mosquitto itself runs in the matrix; here it bridges as AWS shows for AWS IoT Core.
"""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from benchmarks.common import free_port
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from clients.conftest import Servers, wait_for
from clients.paho_peer import connected
from clients.test_mqtt_paho import Client
from mockforge_tui import MockForge

pytestmark = pytest.mark.client

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
HOPS = "hmq-bridge-hop-count"


def properties(packet: int, **values: Any) -> Properties:
    made = Properties(packet)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def hivemq_edge(servers: Servers, topic_filter: str) -> tuple[Client, Any]:
    """Its session outlives it, retained messages are not sent at SUBSCRIBE, their flag is kept."""
    bridge = Client(servers, paho.MQTTv5, "edge-bridge")
    flags = bridge.connect(
        keepalive=240,
        clean_start=False,
        properties=properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=3600,
            UserProperty=("client-agent", "HiveMQ Edge (2026.1)"),
        ),
    )
    wanted = SubscribeOptions(qos=2, retainAsPublished=True, retainHandling=2)
    bridge.subscribe([(topic_filter, wanted)])
    return bridge, flags


def hops_of(message: paho.MQTTMessage) -> list[tuple[str, str]]:
    return list(getattr(message.properties, "UserProperty", []))


def test_a_bridge_of_hivemq_edge_counts_its_hops_and_misses_nothing(servers: Servers) -> None:
    plant = Client(servers, paho.MQTTv5, "plant")
    plant.connect()
    plant.subscribe("plant/#", 1)
    plant.publish("cloud/old", b"kept before", 1, retain=True)
    bridge, flags = hivemq_edge(servers, "cloud/#")
    assert flags.session_present is False

    # What was retained before is not sent; what comes now has its flag.
    plant.publish("cloud/set", b"live", 2, retain=True)
    came = bridge.next()
    assert (came.topic, came.retain, came.qos) == ("cloud/set", True, 2)
    assert hops_of(came) == []

    forwarded = properties(
        PacketTypes.PUBLISH, UserProperty=[("site", "b2"), (HOPS, "1")], MessageExpiryInterval=60
    )
    bridge.publish("plant/temp", b"21", 1, properties=forwarded)
    seen = plant.next()
    assert hops_of(seen) == [("site", "b2"), (HOPS, "1")]
    # Its own subscription has no No Local: what it forwards into it comes back with the count,
    # by which it knows not to hand it on.
    bridge.publish("cloud/loop", b"x", 1, properties=forwarded)
    assert (HOPS, "1") in hops_of(bridge.next())

    bridge.vanish()
    plant.publish("cloud/set", b"while away", 1)
    again, flags = hivemq_edge(servers, "cloud/#")
    assert flags.session_present is True
    assert again.next().payload == b"while away"
    for client in (again, plant):
        client.close()


@pytest.mark.parametrize("level", [0x83, 0x84])
def test_emqx_in_bridge_mode_gets_the_retained_flag_and_nothing_of_its_own(
    servers: Servers, level: int
) -> None:
    name = b"\0\6MQIsdp" if level == 0x83 else b"\0\4MQTT"
    head = name + bytes([level, 2, 0, 60]) + b"\0\x05emqx\x30"
    topic = f"emqx/{level}".encode()
    filters = len(topic).to_bytes(2, "big") + topic + b"\1"
    packet = len(topic).to_bytes(2, "big") + topic
    with socket.create_connection(("127.0.0.1", servers.ports["mqtt"]), 30) as bridge:
        bridge.sendall(bytes([0x10, len(head)]) + head)
        assert bridge.recv(4) == b"\x20\2\0\0"
        bridge.sendall(bytes([0x82, len(filters) + 2]) + b"\0\1" + filters)
        assert bridge.recv(5) == b"\x90\3\0\1\1"
        # Its own, which does not come back, then one of somebody else, retained.
        bridge.sendall(bytes([0x30, len(packet) + 1]) + packet + b"a")
        other = Client(servers, paho.MQTTv311, f"other-{level}")
        other.connect()
        other.publish(topic.decode(), b"b", 0, retain=True)
        assert bridge.recv(64) == bytes([0x31, len(packet) + 1]) + packet + b"b"
        other.close()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_mosquitto_bridges_as_aws_shows_it_for_aws_iot(tmp_path: Path) -> None:
    port = free_port()
    with MockForge(kafka=False, amqp=False, mqtt_as="aws-iot") as core:
        settings = tmp_path / "bridge.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\n"
            f"connection awsiot\naddress 127.0.0.1:{core.runtime.listeners.ports['mqtt']}\n"
            "topic awsiot_to_localgateway in 1\ntopic localgateway_to_awsiot out 1\n"
            "topic both_directions both 1\n"
            "bridge_protocol_version mqttv311\ncleansession true\nclientid bridgeawsiot\n"
            "start_type automatic\nnotifications false\nlog_type all\n"
        )
        process = subprocess.Popen([str(MOSQUITTO), "-c", str(settings)], stderr=subprocess.DEVNULL)
        try:
            cloud = connected(core.runtime.listeners.ports["mqtt"])
            gateway = wait_for(lambda: connected(port), what="mosquitto")
            seen: dict[str, list[bytes]] = {"cloud": [], "gateway": []}
            cloud.on_message = lambda _c, _d, message: seen["cloud"].append(message.payload)
            gateway.on_message = lambda _c, _d, message: seen["gateway"].append(message.payload)
            granted: list[int] = []
            cloud.on_subscribe = lambda *args: granted.append(args[2])
            for client in (cloud, gateway):
                client.subscribe([("both_directions", 1), ("localgateway_to_awsiot", 1)])
            gateway.subscribe("awsiot_to_localgateway", 1)
            wait_for(lambda: granted, what="the subscription of the one that does not publish")
            # What is published before the bridge is up does not cross it.
            wait_for(lambda: core.run("conns bridgeawsiot").data, what="the bridge")
            gateway.publish("localgateway_to_awsiot", b"up", 1)
            wait_for(lambda: b"up" in seen["cloud"], what="up")
            cloud.publish("awsiot_to_localgateway", b"down", 1)
            wait_for(lambda: b"down" in seen["gateway"], what="down")
            cloud.publish("both_directions", b"from the cloud", 1)
            wait_for(lambda: b"from the cloud" in seen["gateway"], what="both directions")
            gateway.publish("both_directions", b"last", 1)
            wait_for(lambda: b"last" in seen["cloud"], what="the last")
            assert seen["cloud"] == [b"up", b"from the cloud", b"last"]
            for client in (cloud, gateway):
                client.disconnect()
                client.loop_stop()
        finally:
            process.terminate()
            process.wait(20)

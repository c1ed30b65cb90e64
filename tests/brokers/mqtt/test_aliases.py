"""Topic aliases that we set: of each topic the client has seen the name before its alias stands."""

from mockforge_brokers.mqtt.wire.packets import Publish

from .scene import Scene


def test_a_packet_that_is_too_large_to_be_sent_sets_no_alias() -> None:
    """[MQTT-3.1.2-25] Its topic would stand behind an alias that the client never heard of."""
    scene = Scene(outbound_topic_aliases=5)
    asked = {"topic_alias_maximum": 5, "maximum_packet_size": 40}
    client = scene.connect("s", "#", properties=asked)
    scene.publish("t/1", b"x" * 50)
    scene.publish("t/1", b"x")
    scene.publish("t/1", b"y")
    assert scene.publishes(client) == [
        Publish("t/1", b"x", properties={"topic_alias": 1}),
        Publish("", b"y", properties={"topic_alias": 1}),
    ]

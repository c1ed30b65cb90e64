"""What clients see of faults, as the guide's page on them says."""

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from mockforge_brokers.misbehaviour.actions import ACTIONS, make_action
from mockforge_brokers.misbehaviour.rules import Match, Rule, Trigger
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import StreamLostError

from mockforge_tui.filters import compile_filter

from .conftest import SAME_BROKERS, Servers, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def fault(servers: Servers):
    """Adds a fault that fires once; all are removed at the end."""

    def add(kind, scope, *, direction=None, **parameters):
        match = Match(scope, compile_filter(scope).matches, direction)
        rule = Rule(match, make_action(ACTIONS[kind], parameters), Trigger(times=1))
        return servers.call(servers.environment.faults.add, rule)

    yield add
    servers.call(servers.environment.faults.clear)


@pytest.mark.parametrize(
    ("kind", "settings", "stored"),
    [
        ("drop", {"direction": 0}, 1),
        ("drop", {"direction": 1}, 2),
        ("disconnect", {"direction": 0}, 1),
    ],
    ids=["request dropped", "answer dropped", "disconnected"],
)
def test_a_kafka_producer_sends_again_and_a_lost_answer_makes_a_duplicate(
    servers, fault, kind, settings, stored
):
    topic = f"faults-{kind}-{settings['direction']}"
    servers.call(servers.brokers["kafka"].create_topic, topic, 1)
    rule = fault(kind, f"op:Produce topic:{topic}", **settings)
    errors = []
    producer = Producer(
        {
            "bootstrap.servers": f"127.0.0.1:{servers.ports['kafka']}",
            # Of a request that is lost; on a busy machine an answer may take longer than a second.
            "request.timeout.ms": 3000,
            "socket.timeout.ms": 3000,
            **SAME_BROKERS,
        }
    )
    producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0
    assert errors == [None]
    assert rule.hits == 1
    assert servers.call(servers.brokers["kafka"].offsets, topic) == [(0, stored)]


@pytest.mark.parametrize(
    ("kind", "settings", "stored"),
    [
        ("drop", {}, 1),
        ("disconnect", {"reset": True}, 0),
        ("disconnect", {"after": True}, 1),
    ],
    ids=["dropped", "reset", "disconnected after"],
)
def test_an_amqp_publish_without_confirms_is_lost_or_stored_without_a_word(
    servers, fault, kind, settings, stored
):
    queue = f"faults-{kind}-{'after' if settings.get('after') else ''}"
    connection = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", servers.ports["amqp"])
    )
    channel = connection.channel()
    channel.queue_declare(queue)
    rule = fault(kind, f"op:basic.publish rkey:{queue}", direction=0, **settings)
    if kind == "drop":
        channel.basic_publish("", queue, b"lost")
        channel.basic_publish("", queue, b"second")
        assert channel.queue_declare(queue, passive=True).method.message_count == stored
        connection.close()
    else:
        with pytest.raises(StreamLostError):
            channel.basic_publish("", queue, b"first")
            channel.queue_declare(queue, passive=True)
        found = servers.call(servers.brokers["amqp"].peek, queue)
        assert [message.payload for message in found] == [b"first"][:stored]
    assert rule.hits == 1


def test_an_mqtt_publish_is_sent_again_after_the_link_broke(servers, fault):
    rule = fault("disconnect", "op:PUBLISH topic:faults/a", direction=0)
    published, lost = [], []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="faults", clean_session=False)
    client.on_publish = lambda *args: published.append(args[2])
    client.on_disconnect = lambda *args: lost.append(args[3])
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", servers.ports["mqtt"])
    client.loop_start()
    client.publish("faults/a", b"x", qos=1)
    wait_for(lambda: published)
    assert lost
    assert rule.hits == 1
    client.disconnect()
    client.loop_stop()

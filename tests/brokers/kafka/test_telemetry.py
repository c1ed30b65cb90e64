"""Clients' own metrics (KIP-714), answered as Apache Kafka 4.4 does (recorded/telemetry.json)."""

import json
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.errors import InvalidInput, ProtocolError
from mockforge_brokers.kafka.codes import Compression
from mockforge_brokers.kafka.compression import compress
from mockforge_brokers.kafka.otlp import MetricValue, metric_values

from .scene import Scene
from .telemetering import ONE_METRIC, RECORDED, SCENARIOS, Pusher, play

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    ours = json.loads(json.dumps(play(Scene().call, name, "r")))
    assert ours == KAFKAS[name]


class Measured(Scene):
    """A client that was asked for all metrics and pushes."""

    def __init__(self, **options):
        super().__init__(client_metrics={"m": {"metrics": "*", "interval.ms": "1000"}}, **options)
        self.pusher = Pusher(self.call)

    def push(self, metrics, codec=0):
        self.pusher.push(self.pusher.ask(), metrics=metrics, codec=codec)
        return self.pusher.said[-1][1]

    def values(self):
        (view,) = self.broker.telemetry()
        return self.broker.telemetry_values(view.instance_id)


def message(number, *parts):
    data = b"".join(parts)
    return bytes([number << 3 | 2, len(data)]) + data


def fixed(number, data):
    return bytes([number << 3 | 1]) + data


def metric(name, kind, *points, more=b""):
    """MetricsData of one metric; `kind` is the field of its data."""
    data = message(kind, *(message(1, point) for point in points), more)
    return message(1, message(2, message(2, message(1, name), data)))


LABEL = message(7, message(1, b"topic"), message(2, message(1, b"orders")))
DELTA = bytes([2 << 3, 1])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (ONE_METRIC, MetricValue("a.b", (), 5.0)),
        (
            metric(b"n", 7, LABEL + fixed(6, (7).to_bytes(8, "little")), more=DELTA),
            MetricValue("n", (("topic", "orders"),), 7, delta=True),
        ),
        (
            metric(b"h", 9, fixed(4, (3).to_bytes(8, "little")) + fixed(5, struct.pack("<d", 1.5))),
            MetricValue("h", (), 1.5, count=3),
        ),
    ],
)
@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_what_was_pushed_is_read_in_every_compression(data, value, codec):
    scene = Measured()
    assert scene.push(compress(Compression(codec), data), codec) == [0]
    assert scene.values() == [value]


@given(st.binary(max_size=60))
def test_bytes_that_are_no_metrics_are_refused_in_words(data):
    with suppress(ProtocolError):
        metric_values(data)
    with pytest.raises(ProtocolError, match="no OpenTelemetry metrics"):
        metric_values(ONE_METRIC[:-1])


def test_what_a_client_pushed_is_counted_and_its_next_connection_begins_anew():
    scene = Measured()
    assert scene.push(ONE_METRIC) == [0]
    (view,) = scene.broker.telemetry()
    assert (view.client, view.pushes, view.bytes, view.interval) == ("shop", 1, 24, 1.0)
    assert (view.metrics, view.compression, view.ago) == (("*",), "none", 0)
    scene.broker.disconnect(view.connection, "test")
    assert not scene.broker.telemetry()[0].open
    assert scene.push(ONE_METRIC) == [0]
    assert scene.broker.telemetry()[0].pushes == 2


def test_the_end_of_a_connection_looks_at_its_own_clients_alone():
    class Others(dict):
        def values(self):
            raise AssertionError("all clients were looked at")

    scene = Measured()
    telemetry, asked = scene.broker.cluster.telemetry, {}
    telemetry.clients = Others()
    for connection in (71, 72):
        for number in (1, 2):
            instance = bytes([connection]) * 15 + bytes([number])
            asked[instance] = connection
            telemetry.subscribe(instance, {}, connection)
    telemetry.disconnected(71)
    ended = {instance for instance in asked if telemetry.clients[instance].ended}
    assert ended == {instance for instance, connection in asked.items() if connection == 71}
    # One that comes back by another connection ends with that.
    back = bytes([71]) * 15 + bytes([1])
    telemetry.subscribe(back, {}, 73)
    telemetry.disconnected(71)
    assert not telemetry.clients[back].ended
    telemetry.disconnected(73)
    assert telemetry.clients[back].ended


def test_no_client_that_made_room_is_remembered_of_its_connection(monkeypatch):
    monkeypatch.setattr("mockforge_brokers.kafka.state.telemetry._MOST_CLIENTS", 3)
    telemetry = Measured().broker.cluster.telemetry
    for number in range(9):
        telemetry.subscribe(bytes([1]) * 15 + bytes([number]), {}, 71)
    telemetry.disconnected(71)
    assert [one.ended for one in telemetry.clients.values()] == [True] * 3


def test_subscriptions_outlive_a_restart_and_a_reset_has_those_of_the_start():
    scene = Measured()
    scene.broker.subscribe("later", {"metrics": "a."})
    scene.broker.restart()
    assert list(scene.broker.subscriptions()) == ["m", "later"]
    scene.broker.reset()
    assert list(scene.broker.subscriptions()) == ["m"]
    with pytest.raises(InvalidInput, match="Illegal client matching pattern: nobody=x"):
        scene.broker.subscribe("later", {"match": "nobody=x"})

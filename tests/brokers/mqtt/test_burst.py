"""The hot road does what the general one does, however the bytes come."""

from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Pingreq, Publish, Request, Subscribe

from brokers.fake_peer import FakeClient, FakeNetwork

_publishes = st.builds(
    Publish,
    topic_name=st.sampled_from(["a", "b/c", "longer/topic", "nobody"]),
    payload=st.sampled_from([b"", b"x", b"y" * 64, b"z" * 130]),
    qos=st.integers(0, 1),
    retain=st.sampled_from([False, False, False, True]),
    packet_id=st.integers(1, 65_535),
)
_streams = st.lists(st.tuples(st.one_of(_publishes, st.just(Pingreq())), st.integers(1, 4)))


class Scene:
    """Two subscribers with wildcards, one publisher; all of one version."""

    def __init__(self, version: int, *, learning: bool) -> None:
        environment = Environment.create(ManualClock(), seed=1, journal=False)
        self.broker = MqttBroker(environment)
        if not learning:
            self.broker.router.learn = lambda dialect, topic_name: None  # type: ignore[method-assign]
        self.network = FakeNetwork(self.broker, environment)
        self.version = version
        self.takers = [self.client("zero", "#", 0), self.client("one", "+/c", 1)]
        self.takers.append(self.client("both", "longer/topic", 2))
        self.publisher = self.client("publisher")

    def client(self, name: str, topic_filter: str = "", qos: int = 0) -> FakeClient:
        client = self.network.connect()
        client.send(encode_packet(Connect(name, self.version), self.version))
        if topic_filter:
            wish = Subscribe(1, [Request(topic_filter, qos)])
            client.send(encode_packet(wish, self.version))
        client.take()
        return client

    def outcome(self) -> tuple[list[bytes], int, dict[str, tuple[int, int]]]:
        """What each subscriber got, how much the publisher got, and the counters."""
        counts = {
            name: (topic.published, topic.delivered)
            for name, topic in self.broker.router.topics.items()
        }
        return [taker.take() for taker in self.takers], len(self.publisher.take()), counts


@settings(max_examples=150, deadline=None)
@given(_streams, st.sampled_from([4, 5]), st.lists(st.integers(1, 90), max_size=30))
def test_bursts_and_single_packets_have_the_same_outcome(
    stream: list[tuple[Publish | Pingreq, int]], version: int, cuts: list[int]
) -> None:
    packets = [encode_packet(packet, version) for packet, times in stream for _ in range(times)]
    plain, hot = Scene(version, learning=False), Scene(version, learning=True)
    for packet in packets:
        plain.publisher.send(packet)
    data = b"".join(packets)
    for cut in cuts:
        hot.publisher.send(data[:cut])
        data = data[cut:]
    hot.publisher.send(data)
    assert hot.outcome() == plain.outcome()


def test_plain_publishes_of_one_topic_leave_as_one_piece() -> None:
    scene = Scene(4, learning=True)
    packet = encode_packet(Publish("a", b"x"), 4)
    scene.publisher.send(packet)
    scene.takers[0].take()
    scene.publisher.connection.receive(packet * 50)
    assert [len(piece) for piece in scene.takers[0].connection.out] == [
        len(packet),
        len(packet) * 49,
    ]
    scene.network.settle()

"""What `chaos report` says under each preset of a correct client and of a careless one beside it.

The rules of a run are off while both send their first message, on for the second, and off again for
the third, so that nothing depends on how fast anybody is.
"""

from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from typing import Any, Final, Protocol

import pika
import pytest
from confluent_kafka import Producer
from pika.exceptions import AMQPError, NackError

from mockforge_tui import MockForge

from .conftest import SAME_BROKERS, wait_for

pytestmark = pytest.mark.client

CLEAN: Final = "nothing lost, doubled or out of order"
LACKS: Final = "not sent again 1: careless-2"
"""It went on with the third."""
DOUBLES: Final = "doubled "


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def report(mockforge: MockForge, client: str) -> dict[str, Any]:
    found = [each for each in mockforge.run("chaos report").records if each["client"] == client]
    return found[0] if found else {"faults": {}}


def connections(mockforge: MockForge, client: str) -> list[int]:
    """Oldest first."""
    found = mockforge.run("conn ls").records
    return sorted(each["id"] for each in found if each["client"] == client)


def connected(mockforge: MockForge, client: str) -> bool:
    return bool(connections(mockforge, client))


def switch(mockforge: MockForge, way: str) -> None:
    for each in mockforge.run("fault ls").records:
        mockforge.run(f"fault {way} {each['id']}")


class Client(Protocol):
    name: str

    def send(self, number: int) -> None:
        """Until it is confirmed, or the client is content for a reason of its own."""
        ...

    def close(self) -> None: ...


class KafkaProducer:
    def __init__(self, mockforge: MockForge, name: str, **settings: Any) -> None:
        self.name = name
        self._producer = Producer(
            {
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "client.id": name,
                "retry.backoff.ms": 10,
                "retry.backoff.max.ms": 50,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "topic.metadata.refresh.fast.interval.ms": 20,
                "linger.ms": 0,
                "log_level": 0,
                **settings,
            }
        )
        self._producer.produce("warm", b"")
        assert self._producer.flush(40) == 0

    def send(self, number: int) -> None:
        self._producer.produce("orders", f"{self.name}-{number}".encode())
        assert self._producer.flush(40) == 0

    def close(self) -> None:
        self._producer.flush(0)


class Renewed(KafkaProducer):
    """It looks what became of each record: one that was refused it sends again, by a producer with
    another id."""

    def __init__(self, mockforge: MockForge, name: str, **settings: Any) -> None:
        super().__init__(mockforge, name, **settings)
        self._again = lambda: KafkaProducer(mockforge, name, **settings)

    def send(self, number: int) -> None:
        refused: list[object] = []
        while True:
            value = f"{self.name}-{number}".encode()
            self._producer.produce("orders", value, on_delivery=lambda *of: refused.append(of[0]))
            assert self._producer.flush(40) == 0
            if refused.pop() is None:
                return
            self._producer = self._again()._producer


class AmqpPublisher:
    """Correct as it is: confirms, a new connection where the old one ended, again after a nack."""

    confirms = True
    retries = True

    def __init__(self, mockforge: MockForge, name: str) -> None:
        self.name = name
        self._parameters = pika.URLParameters(mockforge.amqp.url)
        self._parameters.client_properties = {"connection_name": name}
        self._channel: Any = None
        self._connect()

    def _connect(self) -> None:
        self._channel = pika.BlockingConnection(self._parameters).channel()
        if self.confirms:
            self._channel.confirm_delivery()

    def _look(self) -> None:
        """A broken connection shows when somebody reads."""
        if self._channel.is_open:
            with suppress(AMQPError, OSError):
                self._channel.connection.process_data_events(0.05)

    def send(self, number: int) -> None:
        self._look()
        while True:
            try:
                if not self._channel.is_open:
                    self._connect()
                self._channel.basic_publish("", "orders", f"{self.name}-{number}".encode())
            except (AMQPError, NackError, OSError):
                if self.retries:
                    continue
            return

    def close(self) -> None:
        with suppress(AMQPError):
            self._channel.connection.close()


class Content(AmqpPublisher):
    """Goes on with the next, whatever became of the last."""

    retries = False


class Blind(AmqpPublisher):
    """Without confirms, and so it sends on into the dark."""

    confirms = False
    retries = False


class Patient(AmqpPublisher):
    """Gives up waiting for a confirm that is lost, and sends again."""

    def __init__(self, mockforge: MockForge, name: str) -> None:
        self._lost = lambda: sum(report(mockforge, name)["faults"].values())
        self._tag = 0
        self._confirmed: set[int] = set()
        super().__init__(mockforge, name)

    def _connect(self) -> None:
        self._channel = pika.BlockingConnection(self._parameters).channel()
        self._channel._impl.confirm_delivery(
            lambda frame: self._confirmed.add(frame.method.delivery_tag)
        )

    def send(self, number: int) -> None:
        while True:
            self._tag, lost = self._tag + 1, self._lost()
            self._channel._impl.basic_publish("", "orders", f"{self.name}-{number}".encode())
            # In place of a time-out, which would depend on how fast anybody is.
            while self._tag not in self._confirmed and self._lost() == lost:
                self._channel.connection.process_data_events(0.02)
            if self._tag in self._confirmed:
                return


PRODUCERS: Final = {
    # It sends again what may be there, and cannot say so.
    "impatient": {"enable.idempotence": False, **SAME_BROKERS},
    "resigned": {"enable.idempotence": False, "retries": 0, **SAME_BROKERS},
}
VANISHING: Final = ("half-open", "subway", "split-brain")
"""Under these a request goes nowhere, and only a time-out tells; elsewhere none may end early."""
TIMEOUTS: Final = {"socket.timeout.ms": 3000, "request.timeout.ms": 3000}

UNDER: Final = [
    ("lossy-answers -s loss=100%", "impatient", DOUBLES),
    ("lossy-answers -s loss=100%", "resigned", CLEAN),
    ("broker-full -s time=10m", "resigned", LACKS),
    # librdkafka tries this one again, whatever its retries are.
    ("leader-failover -s topic=orders -s time=10m", "resigned", CLEAN),
    ("flaky-wifi -s breaks=100%", "resigned", LACKS),
    ("half-open -s time=10m", "resigned", LACKS),
    ("subway -s gap=10m -s apart=20m", "resigned", LACKS),
    # What waits at the cut of a network arrives afterwards, beside what was sent instead.
    ("split-brain -s client=* -s time=10m", "impatient", DOUBLES),
    ("split-brain -s client=* -s time=10m", "resigned", CLEAN),
    ("nack-storm -s times=1000000", Content, LACKS),
    ("flaky-wifi -s breaks=100%", Blind, LACKS),
    ("half-open -s time=10m", Blind, LACKS),
    ("subway -s gap=10m -s apart=20m", Blind, LACKS),
    ("split-brain -s client=* -s time=10m", Blind, CLEAN),
    ("broker-full -s time=10m", Blind, CLEAN),
]


@pytest.mark.parametrize(("preset", "kind", "verdict"), UNDER)
def test_the_report_tells_careless_from_correct(
    mockforge: MockForge, preset: str, kind: Any, verdict: str
) -> None:
    mockforge.run("topic add orders -p 1")
    mockforge.run("topic add warm -p 1")
    mockforge.run("queue add orders")
    clients: list[Client]
    if isinstance(kind, str):
        given = TIMEOUTS if preset.startswith(VANISHING) else {}
        correct = KafkaProducer(mockforge, "correct", **{"enable.idempotence": True}, **given)
        clients = [correct, KafkaProducer(mockforge, "careless", **PRODUCERS[kind], **given)]
    else:
        clients = [AmqpPublisher(mockforge, "correct"), kind(mockforge, "careless")]
    mockforge.run(f"chaos start {preset} --seed 5")
    switch(mockforge, "off")
    for client in clients:
        client.send(1)
    switch(mockforge, "on")
    sending = [Thread(target=client.send, args=(2,), daemon=True) for client in clients]
    for each in sending:
        each.start()
    # Who doubles has to come again, and who gives up to do so.
    least = 2 if verdict is DOUBLES else 1
    for client in clients:
        wait_for(lambda name=client.name: sum(report(mockforge, name)["faults"].values()) >= least)
    if verdict is LACKS:
        sending[1].join(40)
    switch(mockforge, "off")
    for each in sending:
        each.join(40)
        assert not each.is_alive()
    for client in clients:
        client.send(3)
    mockforge.run("chaos stop")
    assert mockforge.run("fault ls").records == []
    one, other = (report(mockforge, client.name) for client in clients)
    assert (one["verdict"], one["clean"]) == (CLEAN, True)
    assert other["verdict"] == verdict or (verdict is DOUBLES and other["doubled"]), other
    assert other["clean"] == (verdict is CLEAN)
    for client in clients:
        client.close()


def test_a_replaced_producer_begins_anew_or_has_lost_what_it_sent(mockforge: MockForge) -> None:
    mockforge.run("topic add orders -p 1")
    mockforge.run("topic add warm -p 1")
    idempotent = {"enable.idempotence": True}
    correct = Renewed(mockforge, "correct", **idempotent)
    careless = KafkaProducer(mockforge, "careless", **idempotent)
    for client in (correct, careless):
        client.send(1)
        mockforge.run(f"chaos start zombie-producer -s client={client.name} -s topic=orders")
        client.send(2)
        client.send(3)
        mockforge.run("chaos stop")
        found = report(mockforge, client.name)
        assert found["faults"] == {"refuse": 1}
        assert found["verdict"] == (CLEAN if client is correct else LACKS)
        client.close()


def test_who_sends_again_when_a_confirm_is_lost_doubles_and_who_wants_none_does_not(
    mockforge: MockForge,
) -> None:
    mockforge.run("queue add orders")
    correct, careless = Patient(mockforge, "correct"), Blind(mockforge, "careless")
    mockforge.run("chaos start lossy-answers -s loss=100%")
    switch(mockforge, "off")
    for client in (correct, careless):
        client.send(1)
    switch(mockforge, "on")
    sending = Thread(target=correct.send, args=(2,), daemon=True)
    sending.start()
    careless.send(2)
    wait_for(lambda: sum(report(mockforge, "correct")["faults"].values()) >= 2)
    switch(mockforge, "off")
    sending.join(40)
    assert not sending.is_alive()
    for client in (correct, careless):
        client.send(3)
    wait_for(lambda: report(mockforge, "careless").get("sent") == 3)
    mockforge.run("chaos stop")
    one, other = (report(mockforge, name) for name in ("correct", "careless"))
    # Nothing is missing: whoever receives it knows it by its id.
    assert one["verdict"].startswith(DOUBLES)
    assert set(one["doubled"]) == {"correct-2"}
    assert (other["verdict"], other["faults"]) == (CLEAN, {})
    for client in (correct, careless):
        client.close()


@pytest.mark.parametrize(
    "preset",
    [
        "rolling-restart -s down=10ms -s apart=20m -s later=0s",
        "thundering-herd -s broker=amqp -s wait=10ms -s time=10m",
    ],
)
def test_an_amqp_client_that_does_not_come_back_gave_up(mockforge: MockForge, preset: str) -> None:
    mockforge.run("queue add orders --durable")
    correct, careless = AmqpPublisher(mockforge, "correct"), Content(mockforge, "careless")
    mockforge.run(f"chaos start {preset}")
    wait_for(lambda: not connected(mockforge, "careless"))
    correct.send(1)
    one, other = (report(mockforge, name) for name in ("correct", "careless"))
    assert (one["verdict"], one["lost"], len(one["tries"])) == (CLEAN, 1, 1)
    assert (other["verdict"], other["now"]) == ("gave up", "gave up")
    for client in (correct, careless):
        client.close()


@pytest.mark.parametrize(
    "preset",
    [
        "rolling-restart -s down=10ms -s apart=20m -s later=20m",
        "thundering-herd -s broker=kafka -s wait=10ms -s time=10m",
        "clock-skew",
    ],
)
def test_kafka_producers_come_back_by_themselves(mockforge: MockForge, preset: str) -> None:
    mockforge.run("topic add orders -p 1")
    mockforge.run("topic add warm -p 1")
    clients = [
        KafkaProducer(mockforge, "correct", **{"enable.idempotence": True}),
        KafkaProducer(mockforge, "careless", **PRODUCERS["impatient"]),
    ]
    # librdkafka closes the one that it began with whenever it likes, a moment later as a rule.
    newest = [connections(mockforge, client.name)[-1] for client in clients]
    mockforge.run(f"chaos start {preset}")
    for client, first in zip(clients, newest, strict=True):
        client.send(1)
        found = report(mockforge, client.name)
        assert (found["verdict"], found["now"]) == (CLEAN, "")
        assert bool(found["lost"]) or preset == "clock-skew"
        assert (first in connections(mockforge, client.name)) == (preset == "clock-skew")
        client.close()

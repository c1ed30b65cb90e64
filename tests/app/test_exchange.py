"""Rows that belong together: what answers what, for each protocol as its rows are read."""

from typing import Any

import pytest
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.rows import read_rows
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
)

from mockforge_tui.feed.exchange import Exchange
from mockforge_tui.feed.ring import Ring

P = PacketType


def mqtt(direction: int, packet: Packet) -> Row:
    [row] = read_rows(direction, encode_packet(packet, 5), 5, {})
    return row


def publish(direction: int, packet_id: int, qos: int = 1) -> Row:
    return mqtt(direction, Publish("t", b"x", qos, packet_id=packet_id))


def ack(direction: int, kind: PacketType, packet_id: int) -> Row:
    return mqtt(direction, Ack(kind, packet_id))


def said(protocol: str, direction: int, operation: str, **values: Any) -> Row:
    """A row with a frame of its own; `tag` and `multiple` are those of AMQP's acknowledgements."""
    row = Row(protocol, direction, operation, frame=bytes(bytearray(b"frame")))
    row.correlation = values.pop("correlation", None)
    row.detail = {{"tag": "delivery_tag"}.get(name, name): value for name, value in values.items()}
    return row


def amqp(direction: int, operation: str, **values: Any) -> Row:
    return said("amqp", direction, operation, channel=1, **values)


def ring_of(*rows: Row, connection: int = 1) -> Ring:
    ring = Ring()
    for row in rows:
        row.connection = row.connection or connection
        ring.add(row)
    return ring


def test_what_a_confirm_is_of_is_not_said_where_rows_since_confirm_select_are_a_sample() -> None:
    numbers = range(1, len(CONFIRMS) + 1)
    for first, last, known in ((1, 1, True), (1, 2, False), (3, 4, False), (7, 7, True)):
        ring = ring_of(*CONFIRMS[: first - 1])
        for row in (*CONFIRMS, amqp(IN, "basic.get"))[first - 1 : last]:
            row.connection = 1
            ring.add(row)
        ring.is_sample(first)
        for row in CONFIRMS[last:]:
            row.connection = 1
            ring.add(row)
        said_of = [found(ring, number) for number in numbers]
        assert (said_of[5] == ([4], [])) is known
        assert (said_of[2] == ([], [5])) is known
        assert known or said_of[5] == ([], [])


def found(ring: Ring, number: int) -> tuple[list[int], list[int]]:
    """The numbers of the rows that one answers, and of those that answer it."""
    row = ring.row(number)
    assert row is not None
    exchange = Exchange(ring, row)
    exchange.look()
    return [each.seq for each in exchange.asked], [each.seq for each in exchange.answered]


QOS_2 = [
    publish(IN, 7, qos=2),
    ack(OUT, P.PUBREC, 7),
    ack(IN, P.PUBREL, 7),
    ack(OUT, P.PUBCOMP, 7),
]
# The client's packet identifier 7 is used again, and ours is 7 as well.
AGAIN = [publish(IN, 7), publish(OUT, 7), ack(OUT, P.PUBACK, 7), ack(IN, P.PUBACK, 7)]
KAFKA = [
    said("kafka", IN, "Produce", correlation=1),
    said("kafka", IN, "Fetch", correlation=2),
    said("kafka", OUT, "Produce", correlation=1),
    said("kafka", OUT, "Fetch", correlation=2),
    said("kafka", IN, "Produce", correlation=1),
]
DECLARES = [
    amqp(IN, "queue.declare", correlation=(1, "queue.declare")),
    amqp(OUT, "queue.declare-ok", correlation=(1, "queue.declare")),
    amqp(IN, "queue.declare", correlation=(1, "queue.declare")),
    amqp(OUT, "queue.declare-ok", correlation=(1, "queue.declare")),
]
CONFIRMS = [
    amqp(IN, "confirm.select"),
    amqp(IN, "basic.publish"),
    amqp(IN, "basic.publish"),
    amqp(IN, "basic.publish"),
    amqp(OUT, "basic.ack", tag=2, multiple=True),
    amqp(OUT, "basic.nack", tag=3, multiple=False),
]
DELIVERIES = [
    amqp(OUT, "basic.deliver", tag=1),
    amqp(OUT, "basic.deliver", tag=2),
    said("amqp", IN, "basic.ack", channel=2, tag=1, multiple=False),
    amqp(IN, "basic.ack", tag=2, multiple=False),
    amqp(IN, "basic.reject", tag=1),
]


@pytest.mark.parametrize(
    ("rows", "number", "asked", "answered"),
    [
        (QOS_2, 1, [], [2, 3, 4]),
        (QOS_2, 3, [1, 2], [4]),
        (QOS_2, 4, [1, 2, 3], []),
        (QOS_2 + AGAIN, 1, [], [2, 3, 4]),
        (QOS_2 + AGAIN, 5, [], [7]),
        (QOS_2 + AGAIN, 6, [], [8]),
        (QOS_2 + AGAIN, 8, [6], []),
        (QOS_2[1:], 1, [], [2, 3]),
        ([mqtt(IN, Pingreq()), mqtt(OUT, Pingresp())], 1, [], [2]),
        (
            [mqtt(IN, Subscribe(3, [Request("t")])), publish(OUT, 3), mqtt(OUT, Suback(3, [0]))],
            3,
            [1],
            [],
        ),
        ([mqtt(IN, Publish("t", b"x"))], 1, [], []),
        (KAFKA, 1, [], [3]),
        (KAFKA, 2, [], [4]),
        (KAFKA, 3, [1], []),
        (KAFKA, 5, [], []),
        (DECLARES, 1, [], [2]),
        (DECLARES, 4, [3], []),
        (CONFIRMS, 2, [], [5]),
        (CONFIRMS, 3, [], [5]),
        (CONFIRMS, 4, [], [6]),
        (CONFIRMS, 5, [3], []),
        (CONFIRMS[1:], 1, [], []),
        (DELIVERIES, 1, [], [5]),
        (DELIVERIES, 4, [2], []),
    ],
)
def test_a_row_has_those_that_it_answers_and_that_answer_it(
    rows: list[Row], number: int, asked: list[int], answered: list[int]
) -> None:
    assert found(ring_of(*rows), number) == (asked, answered)


def test_records_of_one_response_are_one_answer() -> None:
    """Rows of one frame share its bytes, and one of them is gone to."""
    request = said("kafka", IN, "Fetch", correlation=9)
    first, second = (said("kafka", OUT, "Fetch", correlation=9) for _ in range(2))
    second.frame, second.part = first.frame, 1
    ring = ring_of(request, first, second)
    assert found(ring, 1) == ([], [2])
    assert found(ring, 3) == ([1], [])


def test_an_answer_that_a_fault_sent_twice_is_two() -> None:
    """The same bytes are the same object; and old rows have none any more."""
    request, first, second = publish(IN, 7), ack(OUT, P.PUBACK, 7), ack(OUT, P.PUBACK, 7)
    second.frame = first.frame
    for frames in (True, False):
        if not frames:
            request.frame = first.frame = second.frame = b""
        ring = ring_of(request, first, second)
        assert found(ring, 1) == ([], [2, 3])
        assert found(ring, 3) == ([1], [])


def test_other_connections_have_the_same_numbers() -> None:
    mine, theirs, answer = publish(IN, 1), publish(IN, 1), ack(OUT, P.PUBACK, 1)
    theirs.connection = answer.connection = 2
    ring = ring_of(mine, theirs, answer)
    assert found(ring, 1) == ([], [])
    assert found(ring, 2) == ([], [3])


def test_an_answer_is_waited_for_until_it_comes() -> None:
    ring = ring_of(publish(IN, 1))
    first = ring.row(1)
    assert first is not None
    exchange = Exchange(ring, first)
    assert (exchange.look(), exchange.waits) == (False, True)
    answer = ack(OUT, P.PUBACK, 1)
    answer.connection = 1
    ring.add(answer)
    assert (exchange.look(), exchange.waits) == (True, False)
    assert exchange.answered == [answer]
    assert not exchange.look(), "nothing more has come"


def test_what_is_published_inside_waits_for_no_answer() -> None:
    row = publish(IN, 1)
    row.client = "∗orders"
    assert not Exchange(ring_of(row), row).waits


def test_what_passed_before_on_the_connection_is_known() -> None:
    early, other, row = publish(IN, 1), publish(IN, 2), publish(IN, 3)
    other.connection = 2
    ring = ring_of(early, other, row)
    assert Exchange(ring, row).previous is early
    assert Exchange(ring, early).previous is None
    event = Row("mqtt", IN, "ConnectionOpened", kind="event", connection=1)
    ring.add(event)
    assert not Exchange(ring, event).waits

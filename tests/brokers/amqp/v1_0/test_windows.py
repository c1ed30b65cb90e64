"""The two windows of a session, counted without a connection (2.5.6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.v1_0.failures import SessionFailed
from mockforge_brokers.amqp.v1_0.serial_numbers import SERIAL
from mockforge_brokers.amqp.v1_0.windows import ENDLESS, INCOMING_WINDOW, Windows
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite


def windows(incoming_window: int = 3) -> Windows:
    return Windows(
        Composite(
            "begin",
            {"next_outgoing_id": 7, "incoming_window": incoming_window, "outgoing_window": 9},
        )
    )


def flow(seen: int | None, window: int) -> dict[str, Any]:
    fields = {"incoming_window": window, "next_outgoing_id": 0, "outgoing_window": 1}
    return fields if seen is None else {"next_incoming_id": seen, **fields}


def pieces(first: int, count: int) -> list[bytes]:
    return [bytes((first + at,)) for at in range(count)]


def test_what_the_client_has_no_room_for_waits_for_its_flow() -> None:
    made = windows(3)
    assert made.pass_on(pieces(0, 2)) == pieces(0, 2)
    assert made.pass_on(pieces(2, 3)) == pieces(2, 1)
    assert made.shut
    assert not made.free
    made.note(flow(3, 4))
    assert made.let_go() == pieces(3, 2)
    assert made.free
    assert made.figures()["remote_incoming_window"] == 2


def test_nothing_overtakes_what_waits() -> None:
    made = windows(1)
    assert made.pass_on(pieces(0, 3)) == pieces(0, 1)
    made.note(flow(1, 1))
    assert not made.free
    assert made.pass_on(pieces(3, 1)) == pieces(1, 1)


@pytest.mark.parametrize(
    ("seen", "window", "room"),
    [
        (None, 5, 3),
        (0, 5, 3),
        (2, 5, 5),
        # It has not seen what is on its way, and shrinks its window below that: no room.
        (0, 1, 0),
        (2, 0, 0),
        (2, ENDLESS, ENDLESS),
        (2, SERIAL // 2, ENDLESS),
    ],
)
def test_room_is_what_a_flow_says_less_what_is_on_its_way(
    seen: int | None, window: int, room: int
) -> None:
    made = windows(9)
    made.pass_on(pieces(0, 2))
    made.note(flow(seen, window))
    assert made.figures()["remote_incoming_window"] == room
    assert made.shut == (room == 0)


def test_a_window_below_what_is_on_its_way_sends_nothing_and_loses_nothing() -> None:
    made = windows(2)
    made.pass_on(pieces(0, 4))
    made.note(flow(0, 1))
    assert made.let_go() == []
    made.note(flow(2, 9))
    assert made.let_go() == pieces(2, 2)


def test_a_client_that_has_seen_more_than_was_sent_ends_the_session() -> None:
    with pytest.raises(SessionFailed, match=r"next-incoming-id from FLOW \(1\) leads"):
        windows().note(flow(1, 9))


def test_our_window_is_widened_when_half_of_it_is_used() -> None:
    made = windows()
    half = INCOMING_WINDOW // 2
    heard = []
    for _ in range(INCOMING_WINDOW):
        made.count()
        heard.append(made.widen())
    assert [at + 1 for at, wide in enumerate(heard) if wide] == [half, 2 * half]
    assert made.figures()["next_incoming_id"] == 7 + INCOMING_WINDOW


def test_a_transfer_without_room_ends_the_session() -> None:
    made = windows()
    for _ in range(INCOMING_WINDOW):
        made.count()
    with pytest.raises(SessionFailed, match="incoming window violation"):
        made.count()


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), max_size=20))
def test_every_transfer_goes_out_once_and_in_order(steps: list[tuple[int, int]]) -> None:
    made = windows(2)
    given_, sent = 0, []
    for count, window in steps:
        sent += made.pass_on(pieces(given_, count))
        given_ += count
        made.note(flow(len(sent), window))
        sent += made.let_go()
    made.note(flow(len(sent), 255))
    sent += made.let_go()
    assert sent == pieces(0, given_)

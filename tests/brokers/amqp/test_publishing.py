"""What a channel's publisher hears: confirms of a burst as one, returns before them, refusals."""

from collections.abc import Callable

import pytest

from .client import Client, Got, Scene, names, publish

Heard = tuple[str, int, bool]


def heard(came: list[Got]) -> list[Heard]:
    """Name, delivery tag and `multiple` of what answers publishes; a return has neither."""
    return [
        (got.name, got.values.get("delivery_tag", 0), got.values.get("multiple", False))
        for got in came
    ]


def confirming(scene: Scene) -> Client:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send(
        "queue.declare", queue="full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    client.send("confirm.select")
    return client


ROUTED = publish("", "q", b"one")
NOWHERE = publish("", "nobody", b"two")
RETURNED = publish("", "nobody", b"three", mandatory=True)
TO_FULL = publish("", "full", b"four")


@pytest.mark.parametrize(
    ("burst", "answers"),
    [
        (ROUTED, [("basic.ack", 1, False)]),
        (ROUTED * 5, [("basic.ack", 5, True)]),
        (NOWHERE * 2, [("basic.ack", 2, True)]),
        (RETURNED, [("basic.return", 0, False), ("basic.ack", 1, False)]),
        (ROUTED + RETURNED, [("basic.return", 0, False), ("basic.ack", 2, True)]),
        # The second one finds the queue full: what was owed before it goes first.
        (TO_FULL * 2, [("basic.ack", 1, False), ("basic.nack", 2, True)]),
        (
            ROUTED + TO_FULL * 2 + ROUTED,
            [("basic.ack", 2, True), ("basic.nack", 3, True), ("basic.ack", 4, False)],
        ),
    ],
    ids=["one", "five", "nowhere", "returned", "mixed", "refused", "numbers go on"],
)
def test_a_burst_is_confirmed_by_as_few_frames_as_its_outcomes_allow(
    scene: Scene, burst: bytes, answers: list[Heard]
) -> None:
    client = confirming(scene)
    client.fake.send(burst)
    assert heard(client.received()) == answers


def test_numbers_of_confirms_go_on_from_burst_to_burst(scene: Scene) -> None:
    client = confirming(scene)
    answers: list[Heard] = []
    for count in (1, 3, 1):
        client.fake.send(ROUTED * count)
        answers += heard(client.received())
    assert answers == [("basic.ack", 1, False), ("basic.ack", 4, True), ("basic.ack", 5, False)]


@pytest.mark.parametrize(
    ("prepare", "frames", "code"),
    [
        (lambda client: None, publish("missing", "a"), 404),
        (
            lambda client: client.send(
                "exchange.declare", exchange="x", exchange_type="fanout", internal=True
            ),
            publish("x", "a"),
            403,
        ),
        (lambda client: None, publish("", "q", user_id="somebody"), 406),
        (lambda client: None, publish("", "q", expiration="x"), 406),
    ],
    ids=["no exchange", "internal exchange", "user-id", "expiration"],
)
def test_what_is_owed_is_confirmed_before_a_publish_closes_the_channel(
    scene: Scene, prepare: Callable[[Client], object], frames: bytes, code: int
) -> None:
    client = confirming(scene)
    prepare(client)
    client.fake.send(ROUTED * 2 + frames + ROUTED)
    ack, close = client.received()
    assert (ack.name, ack["delivery_tag"], ack["multiple"]) == ("basic.ack", 2, True)
    assert (close.name, close["reply_code"]) == ("channel.close", code)


def test_without_confirms_a_full_queue_says_nothing(scene: Scene) -> None:
    client = scene.client()
    client.send(
        "queue.declare", queue="full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    client.fake.send(TO_FULL * 2)
    assert names(client.received()) == []


def test_publishes_of_a_transaction_are_routed_at_its_commit(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("tx.select")
    client.fake.send(ROUTED * 2 + RETURNED)
    assert client.received() == []
    assert client.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 0
    assert names(client.send("tx.commit")) == ["basic.return", "tx.commit-ok"]
    assert client.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 2


def test_a_transaction_refuses_at_once_what_has_no_exchange(scene: Scene) -> None:
    client = scene.client()
    client.send("tx.select")
    (close,) = client.publish("missing", "a")
    assert (close.name, close["reply_code"]) == ("channel.close", 404)

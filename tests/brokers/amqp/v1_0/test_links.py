"""Links, deliveries and their settlement, as RabbitMQ 4 does them (rabbit_amqp_session)."""

from typing import Any

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.events import ConsumerEnded, MessageUnroutable
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.v1_0.wire import message, performatives
from mockforge_brokers.amqp.v1_0.wire.frames import frame
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import Described, Symbol
from mockforge_brokers.events import Warned
from mockforge_brokers.limits import Limits

from ..client import Scene
from .client import Client, Got, bodies, names


def _depth(scene: Scene, queue: str = "q") -> int:
    return len(scene.broker.vhost().queues[queue].messages)


def _detached(came: list[Got]) -> tuple[str, str]:
    assert names(came)[-1] == "detach"
    return came[-1].error


# Sending.


def test_a_sender_is_granted_credit_and_its_message_is_accepted(
    scene: Scene, client: Client
) -> None:
    attach, flow = client.sender("/queues/q")
    assert (attach["role"], attach["max_message_size"]) == (True, 16 * 1024 * 1024)
    assert (flow["link_credit"], flow["delivery_count"], flow["incoming_window"]) == (170, 0, 400)
    (disposition,) = client.transfer(b"one")
    assert (disposition.state, disposition["first"], disposition["settled"]) == (
        "accepted",
        0,
        True,
    )
    assert _depth(scene) == 1


def test_messages_of_one_burst_are_accepted_by_one_disposition(client: Client) -> None:
    client.sender("/queues/q")
    burst = b"".join(
        frame(
            0,
            performatives.write("transfer", handle=0, delivery_id=number, delivery_tag=b"t")
            + message.data_section(b"x"),
        )
        for number in range(3)
    )
    client.fake.send(burst)
    (disposition,) = client.received()
    assert (disposition["first"], disposition["last"]) == (0, 2)


def test_what_is_sent_settled_is_not_answered(scene: Scene, client: Client) -> None:
    client.sender("/queues/q")
    assert client.transfer(b"one", settled=True) == []
    assert _depth(scene) == 1


def test_credit_is_topped_up_at_its_half(client: Client) -> None:
    client.sender("/queues/q")
    flows = [got for _ in range(170) for got in client.transfer(b"") if got.name == "flow"]
    grants = [got for got in flows if got["handle"] is not None]
    assert [(got["delivery_count"], got["link_credit"]) for got in grants] == [
        (85, 170),
        (170, 170),
    ]


def test_a_message_of_several_transfers_is_one_message(scene: Scene, client: Client) -> None:
    client.sender("/queues/q")
    whole = message.data_section(b"a" * 100)
    assert client.transfer(payload=whole[:40], delivery_id=7, more=True) == []
    assert client.transfer(payload=whole[40:50], delivery_id=7, more=True) == []
    (disposition,) = client.transfer(payload=whole[50:], delivery_id=7)
    assert (disposition.state, disposition["first"]) == ("accepted", 7)
    assert scene.broker.get("q").payload == b"a" * 100  # type: ignore[union-attr]


def test_an_aborted_message_is_forgotten(scene: Scene, client: Client) -> None:
    client.sender("/queues/q")
    client.transfer(payload=message.data_section(b"no"), delivery_id=0, more=True)
    assert client.transfer(delivery_id=0, aborted=True, payload=b"\x00") == []
    (disposition,) = client.transfer(b"yes")
    assert disposition["first"] == 1
    assert scene.broker.get("q").payload == b"yes"  # type: ignore[union-attr]


def test_what_reaches_no_queue_is_released_and_reported(scene: Scene, client: Client) -> None:
    client.sender("/exchanges/amq.direct/nobody")
    (disposition,) = client.transfer(b"x")
    assert disposition.state == "released"
    (event,) = scene.emitted(MessageUnroutable)
    assert (event.exchange, event.routing_key) == ("amq.direct", "nobody")


def test_what_a_full_queue_rejects_is_rejected_with_its_name(scene: Scene, client: Client) -> None:
    scene.broker.declare_queue(
        "full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    client.sender("/queues/full")
    client.transfer(b"1")
    (disposition,) = client.transfer(b"2")
    assert disposition.state == "rejected"
    error = disposition["state"].get("error")
    assert error.get("condition") == "amqp:resource-limit-exceeded"
    assert error.get("description") == "queue 'full' exceeded maximum length"
    assert error.get("info") == {"queue": "full", "reason": "maxlen"}


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("/queues/none", ("amqp:not-found", "no queue 'none' in vhost '/'")),
        ("/exchanges/none/k", ("amqp:not-found", "no exchange 'none' in vhost '/'")),
        (
            "/exchanges/a/b/c",
            ("amqp:invalid-field", 'Attach refused: {bad_address_string,<<"/exchanges/a/b/c">>}'),
        ),
        ("/exchanges/amq.default/k", None),
        ("/queues/", None),
        ("/queues/%zz", None),
        (
            "/exchanges/amq.rabbitmq.trace/k",
            (
                "amqp:unauthorized-access",
                "forbidden to publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'",
            ),
        ),
    ],
)
def test_a_target_that_cannot_be_is_refused_by_attach_and_detach(
    client: Client, address: str, error: tuple[str, str] | None
) -> None:
    came = client.sender(address)
    assert names(came) == ["attach", "detach"]
    assert came[0]["target"] is None
    assert came[1]["closed"] is True
    expected = error or ("amqp:invalid-field", f"Attach refused: {{bad_address,{address}}}")
    assert came[1].error == expected or (error is None and came[1].error[0] == expected[0])
    assert names(client.sender("/queues/q")) == ["attach", "flow"]


@pytest.mark.parametrize(
    ("address", "queue"),
    [("/queues/q%2Fx", "q/x"), ("q/x", "q/x"), ("/queue/q%2Fx", "q/x"), ("/amq/queue/q", "q")],
)
def test_addresses_of_both_versions_name_queues(
    scene: Scene, client: Client, address: str, queue: str
) -> None:
    if address.startswith("/queues/"):
        scene.broker.declare_queue(queue)
    client.sender(address)
    (disposition,) = client.transfer(b"x")
    assert disposition.state == "accepted"
    assert _depth(scene, queue) == 1


def test_an_anonymous_sender_takes_each_message_where_it_says(scene: Scene, client: Client) -> None:
    client.sender(None)
    body = message.data_section(b"x")
    to = {name: message.bare_message({"to": name}, {}, body) for name in ("/queues/q", "nowhere")}
    (accepted,) = client.transfer(payload=to["/queues/q"])
    (rejected,) = client.transfer(payload=to["nowhere"])
    (without,) = client.transfer(b"x")
    assert (accepted.state, rejected.state, without.state) == ("accepted", "rejected", "rejected")
    assert rejected["state"].get("error").get("description") == "bad 'to' address string: nowhere"
    assert _depth(scene) == 1


def test_a_message_that_cannot_be_read_ends_its_link_alone(client: Client) -> None:
    client.sender("/queues/q")
    condition, text = _detached(client.transfer(payload=b"\x00\x53\x75\x41"))
    assert (condition, text) == (
        "amqp:decode-error",
        "failed to parse message: a data section is no binary",
    )
    assert names(client.sender("/queues/q", handle=5)) == ["attach", "flow"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"snd_settle_mode": 1}, "sender settle mode is 'settled'"),
        ({"snd_settle_mode": 0, "settled": True}, "sender settle mode is 'unsettled'"),
        ({"rcv_settle_mode": 1, "snd_settle_mode": 1}, "sender settle mode"),
    ],
)
def test_a_transfer_against_its_links_mode_ends_the_link(
    client: Client, fields: dict[str, object], why: str
) -> None:
    settled = fields.pop("settled", None)
    client.sender("/queues/q", **fields)
    condition, text = _detached(client.transfer(b"x", settled=settled))
    assert condition == "amqp:invalid-field"
    assert why in text


def test_a_transfer_without_a_link_ends_the_session(client: Client) -> None:
    (end,) = client.transfer(b"x", handle=9)
    assert end.error == ("amqp:session:unattached-handle", "Unknown link handle: 9")
    assert names(client.begin()) == ["begin"]


def test_somebody_elses_user_id_ends_the_link(client: Client) -> None:
    client.sender("/queues/q")
    payload = message.bare_message({"user_id": b"root"}, {}, message.data_section(b""))
    condition, text = _detached(client.transfer(payload=payload))
    assert condition == "amqp:unauthorized-access"
    assert text == "user_id property set to 'root' but authenticated user was 'guest'"


def test_an_impersonator_may_send_in_anybodys_name(scene: Scene) -> None:
    scene.environment.access.tag_user("guest", ("impersonator",))
    scene.broker.declare_queue("q")
    client = Client(scene).connect()
    client.sender("/queues/q")
    payload = message.bare_message({"user_id": b"root"}, {}, message.data_section(b""))
    (disposition,) = client.transfer(payload=payload)
    assert disposition.state == "accepted"


# Receiving.


def test_nothing_is_sent_without_credit_and_no_more_than_it(scene: Scene, client: Client) -> None:
    for body in (b"1", b"2", b"3"):
        scene.broker.publish("", "q", body)
    (attach,) = client.receiver("/queues/q")
    assert (attach["role"], attach["initial_delivery_count"]) == (False, 0)
    assert bodies(client.grant(credit=2)) == [b"1", b"2"]
    assert bodies(client.grant(credit=2, delivery_count=2)) == [b"3"]


def test_credit_counts_from_what_the_receiver_saw(scene: Scene, client: Client) -> None:
    client.receiver("/queues/q", credit=2)
    scene.broker.publish("", "q", b"1")
    # It granted two more than the none that it had seen then: one of them is used up.
    assert bodies(client.grant(credit=2, delivery_count=0)) == [b"1"]
    scene.broker.publish("", "q", b"2")
    scene.broker.publish("", "q", b"3")
    scene.network.settle()
    assert bodies(client.received()) == [b"2"]


def test_drained_credit_is_used_up_and_said(scene: Scene, client: Client) -> None:
    client.receiver("/queues/q")
    scene.broker.publish("", "q", b"1")
    transfer, flow = client.grant(credit=10, drain=True)
    assert bodies([transfer]) == [b"1"]
    assert (flow["drain"], flow["link_credit"], flow["delivery_count"]) == (True, 0, 10)
    scene.broker.publish("", "q", b"2")
    scene.network.settle()
    assert client.received() == []


def test_echo_is_answered_with_what_there_is(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"1")
    scene.broker.publish("", "q", b"2")
    client.receiver("/queues/q")
    came = client.grant(credit=1, echo=True)
    assert names(came) == ["transfer", "flow"]
    assert (came[1]["available"], came[1]["link_credit"]) == (1, 0)


@pytest.mark.parametrize(
    ("outcome", "fields", "ready", "dead"),
    [
        ("accepted", {}, 0, 0),
        ("rejected", {}, 0, 1),
        ("released", {}, 1, 0),
        ("modified", {"delivery_failed": True}, 1, 0),
        ("modified", {"undeliverable_here": True}, 0, 1),
    ],
)
def test_what_becomes_of_a_delivery(
    scene: Scene, client: Client, outcome: str, fields: dict[str, bool], ready: int, dead: int
) -> None:
    scene.broker.declare_queue("dead")
    scene.broker.declare_queue(
        "work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    )
    scene.broker.publish("", "work", b"1")
    came = client.receiver("/queues/work", credit=1)
    assert client.settle(0, outcome, **fields) == []
    assert bodies(came) == [b"1"]
    assert (_depth(scene, "work"), _depth(scene, "dead")) == (ready, dead)
    assert scene.broker.vhost().queues["work"].unacked == 0


@pytest.mark.parametrize(
    ("outcome", "fields", "failures"),
    [
        ("released", {}, 0),
        ("modified", {}, 0),
        ("modified", {"delivery_failed": True}, 1),
    ],
)
@pytest.mark.parametrize("release", ["3.13", "4.1", "4.3"])
def test_a_quorum_queue_counts_what_failed_and_no_release(
    release: str, outcome: str, fields: dict[str, bool], failures: int
) -> None:
    scene = Scene(AmqpOptions(as_version=release))
    quorum = {"x-queue-type": "quorum"}
    scene.broker.declare_queue("votes", durable=True, arguments=quorum)
    scene.broker.publish("", "votes", b"1")
    client = Client(scene).connect()
    client.receiver("/queues/votes", credit=2)
    (again,) = client.settle(0, outcome, **fields)
    assert again.sections is not None
    assert again.sections.header.get("delivery_count", 0) == failures
    assert again.sections.header["first_acquirer"] is False
    counts = {
        name: int(count) for name, count in again.sections.annotations.items() if "count" in name
    }
    if release == "4.3":
        more = {"x-delivery-count": failures} if failures else {}
        assert counts == {"x-acquired-count": 1, **more}
    else:
        assert counts == {"x-delivery-count": 1}


@pytest.mark.parametrize("here", [False, True])
def test_a_modified_message_of_a_quorum_queue_says_what_was_added(here: bool) -> None:
    scene = Scene()
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    scene.broker.declare_queue("dead")
    scene.broker.declare_queue("votes", durable=True, arguments={"x-queue-type": "quorum", **dead})
    client = Client(scene).connect()
    client.sender("/queues/votes")
    client.transfer(b"1")
    client.receiver("/queues/votes", credit=1)
    more = {Symbol("x-opt-why"): "busy", Symbol("reserved"): 1, "x-text": 1}
    client.settle(0, "modified", undeliverable_here=here, message_annotations=more)
    (_, again) = client.receiver("/queues/dead" if here else "/queues/votes", handle=2, credit=1)
    assert again.sections is not None
    assert again.sections.annotations[Symbol("x-opt-why")] == "busy"
    assert not {"reserved", "x-text"} & again.sections.annotations.keys()
    assert again.sections.body == b"1"


@pytest.mark.parametrize("longest", ["x-" + "a" * 253, "x-" + "a" * 254])
def test_what_is_added_under_a_name_that_no_header_has_is_left_out(longest: str) -> None:
    scene = Scene()
    scene.broker.declare_queue("votes", durable=True, arguments={"x-queue-type": "quorum"})
    scene.broker.publish("", "votes", b"1")
    client = Client(scene).connect()
    client.receiver("/queues/votes", credit=2)
    deep: Any = 1
    for _ in range(55):
        deep = [deep]
    more = {Symbol(longest): 1, Symbol("x-why"): "busy", Symbol("x-deep"): deep}
    for number in range(2):
        client.settle(number, "modified", message_annotations=more)
    (_, again) = Client(scene).connect().receiver("/queues/votes", credit=1)
    assert again.sections is not None
    assert again.sections.annotations[Symbol("x-why")] == "busy"
    assert (Symbol(longest) in again.sections.annotations) == (len(longest) <= 255)


@pytest.mark.parametrize("release", ["3.13", "4.3"])
def test_what_is_added_again_and_again_has_an_end(release: str) -> None:
    scene = Scene(AmqpOptions(as_version=release))
    scene.broker.declare_queue("votes", durable=True, arguments={"x-queue-type": "quorum"})
    scene.broker.publish("", "votes", b"1")
    client = Client(scene).connect()
    client.receiver("/queues/votes", credit=20)
    for number in range(20):
        more = {Symbol(f"x-{number}"): "a" * 10_000}
        client.settle(number, "modified", message_annotations=more)
    again = Client(scene).connect().receiver("/queues/votes", credit=1)[-1]
    assert again.sections is not None
    added = {name for name in again.sections.annotations if name.removeprefix("x-").isdecimal()}
    assert added == {f"x-{number}" for number in range(13)}
    assert [each.text for each in scene.emitted(Warned)] == [
        "annotations are left out: a message's headers have at most 131072 bytes"
    ]


def test_a_classic_queue_keeps_a_modified_message_as_it_was(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"1")
    client.receiver("/queues/q", credit=2)
    (again,) = client.settle(0, "modified", message_annotations={Symbol("x-opt-why"): "busy"})
    assert again.sections is not None
    assert "x-opt-why" not in again.sections.annotations


@pytest.mark.parametrize(("how", "failures"), [("detach", 0), ("end", 1)])
def test_a_link_that_is_detached_fails_nothing_and_a_session_that_ends_does(
    how: str, failures: int
) -> None:
    scene = Scene(AmqpOptions(as_version="4.3"))
    quorum = {"x-queue-type": "quorum"}
    scene.broker.declare_queue("votes", durable=True, arguments=quorum)
    scene.broker.publish("", "votes", b"1")
    client = Client(scene).connect()
    client.receiver("/queues/votes", credit=1)
    client.send(how, **({"handle": 1, "closed": True} if how == "detach" else {}))
    again = Client(scene).connect().receiver("/queues/votes", credit=1)[-1]
    assert again.sections is not None
    assert again.sections.header.get("delivery_count", 0) == failures


def test_an_unsettled_disposition_is_answered_settled(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"1")
    client.receiver("/queues/q", credit=1)
    (answer,) = client.send(
        "disposition", role=True, first=0, settled=False, state=Composite("accepted", {})
    )
    assert (answer["role"], answer["settled"], answer.state) == (False, True, "accepted")


def test_a_range_settles_what_is_in_it(scene: Scene, client: Client) -> None:
    for _ in range(5):
        scene.broker.publish("", "q", b"x")
    client.receiver("/queues/q", credit=5)
    client.settle(1, "accepted", last=3)
    client.settle(0, "released", last=2**30)
    assert _depth(scene) == 2


def test_a_state_that_is_no_outcome_ends_the_session(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"x")
    client.receiver("/queues/q", credit=1)
    (end,) = client.settle(0, "received", section_number=0, section_offset=0)
    assert end.error[0] == "amqp:invalid-field"
    assert _depth(scene) == 1


def test_what_is_sent_settled_is_gone(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"1")
    scene.broker.publish("", "q", b"2")
    came = client.receiver("/queues/q", credit=1, snd_settle_mode=1)
    assert bodies(came) == [b"1"]
    assert came[-1]["settled"] is True
    assert (_depth(scene), scene.broker.vhost().queues["q"].unacked) == (1, 0)


def test_a_released_message_says_that_it_was_acquired_before(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"1")
    (_, transfer) = client.receiver("/queues/q", credit=1)
    assert transfer.sections is not None
    assert transfer.sections.header["first_acquirer"] is True
    client.settle(0, "released")
    (again,) = client.grant(credit=1, delivery_count=1)
    assert again.sections is not None
    assert again.sections.header["first_acquirer"] is False


def test_transfers_wait_for_the_session_window(scene: Scene) -> None:
    scene.broker.declare_queue("q")
    client = Client(scene).connect(window=2)
    for body in (b"1", b"2", b"3"):
        scene.broker.publish("", "q", body)
    client.receiver("/queues/q")
    assert bodies(client.grant(credit=10, incoming_window=2)) == [b"1", b"2"]
    assert bodies(client.grant(credit=8, delivery_count=2, next_incoming_id=2)) == [b"3"]


def test_a_large_message_is_cut_to_frames_and_waits_for_the_window(scene: Scene) -> None:
    scene.broker.declare_queue("q")
    client = Client(scene).connect(max_frame_size=512)
    scene.broker.publish("", "q", b"x" * 1500)
    scene.broker.publish("", "q", b"y")
    came = client.receiver("/queues/q")
    came = client.grant(credit=5, incoming_window=2)
    assert [got["more"] for got in came] == [True, True]
    parts = [got.payload for got in came]
    came = client.grant(credit=5, delivery_count=0, next_incoming_id=2)
    parts += [got.payload for got in came if got["delivery_id"] == 0]
    assert message.read(b"".join(parts)).body == b"x" * 1500
    assert bodies(came)[-1:] == [b"y"]


def test_a_slow_reader_gets_nothing_until_it_reads(scene: Scene, client: Client) -> None:
    client.receiver("/queues/q", credit=10)
    client.fake.set_writable(False)
    scene.broker.publish("", "q", b"1")
    assert _depth(scene) == 1
    client.fake.set_writable(True)
    assert bodies(client.received()) == [b"1"]


@pytest.mark.parametrize("how", ["detach", "end", "close", "vanish"])
def test_what_is_unsettled_is_ready_again_however_it_ends(
    scene: Scene, client: Client, how: str
) -> None:
    scene.broker.publish("", "q", b"1")
    client.receiver("/queues/q", credit=1)
    assert _depth(scene) == 0
    if how == "vanish":
        client.fake.vanish()
    else:
        came = client.send(how, **({"handle": 1, "closed": True} if how == "detach" else {}))
        assert names(came) == [how]
    queue = scene.broker.vhost().queues["q"]
    assert (len(queue.messages), queue.unacked, queue.consumers) == (1, 0, [])
    assert len(scene.emitted(ConsumerEnded)) == 1


def test_a_deleted_queue_detaches_its_receivers(scene: Scene, client: Client) -> None:
    client.receiver("/queues/q", credit=1)
    scene.broker.delete_queue("q")
    scene.network.settle()
    assert _detached(client.received())[0] == "amqp:resource-deleted"
    assert client.send("detach", handle=1, closed=True) == []


def test_what_was_unsettled_of_a_deleted_queue_takes_no_memory(
    scene: Scene, client: Client
) -> None:
    scene.broker.publish("", "q", b"x" * 1000)
    client.receiver("/queues/q", credit=1)
    assert scene.broker.memory.used > 1000
    scene.broker.delete_queue("q")
    assert scene.broker.memory.used == 0


def test_what_a_kind_of_queue_does_not_do_refuses_the_link_alone(
    scene: Scene, client: Client
) -> None:
    scene.broker.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    came = client.receiver("/queues/s", snd_settle_mode=1)
    assert came[-1].error[0] == "amqp:not-implemented"
    assert "automatic acknowledgement not supported" in came[-1].error[1]
    assert names(client.sender("/queues/q")) == ["attach", "flow"]


def test_a_dynamic_source_is_a_queue_for_its_link(scene: Scene, client: Client) -> None:
    source = {"address": None, "dynamic": True, "capabilities": ("temporary-queue",)}
    (attach,) = client.receiver("", source=source)
    address = str(attach["source"].get("address"))
    assert address.startswith("/queues/amq.dyn-c1-r1-")
    client.sender(address)
    (disposition,) = client.transfer(b"reply")
    assert disposition.state == "accepted"
    client.send("detach", handle=1, closed=True)
    assert [name for name in scene.broker.vhost().queues if name.startswith("amq.dyn")] == []


@pytest.mark.parametrize("refused", ["read", "outcome"])
def test_a_dynamic_source_that_is_refused_leaves_no_queue(
    scene: Scene, client: Client, refused: str
) -> None:
    source: dict[str, Any] = {
        "address": None,
        "dynamic": True,
        "capabilities": ("temporary-queue",),
    }
    if refused == "read":
        scene.environment.access.add_rule(rule_of("allow guest configure,write amqp:/:*"))
    else:
        source["outcomes"] = ("amqp:other:list",)
    came = client.receiver("", source=source)
    assert came[-1].name in ("detach", "end")
    assert not scene.broker.vhost().queues.keys() - {"q"}


def test_a_dynamic_source_of_another_kind_is_not_served(client: Client) -> None:
    came = client.receiver("", source={"address": None, "dynamic": True})
    assert came[-1].error[0] == "amqp:not-implemented"


def test_a_stream_is_read_from_an_offset_and_keeps_what_is_accepted(
    scene: Scene, client: Client
) -> None:
    scene.broker.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    for number in range(4):
        scene.broker.publish("", "s", b"%d" % number)
    spec = Symbol("rabbitmq:stream-offset-spec")
    source = {"filter": {spec: Described(spec, "first")}}
    came = client.receiver("/queues/s", credit=2, source=source)
    assert came[0]["source"].get("filter") == source["filter"]
    assert bodies(came) == [b"0", b"1"]
    assert came[-1].sections is not None
    assert came[-1].sections.annotations[Symbol("x-stream-offset")] == 1
    client.settle(0, "accepted", last=1)
    assert bodies(client.grant(credit=2, delivery_count=2)) == [b"2", b"3"]
    assert _depth(scene, "s") == 4


def test_an_exclusive_queue_is_somebody_elses(scene: Scene, client: Client) -> None:
    other = scene.client()
    other.send("queue.declare", queue="mine", exclusive=True)
    assert client.receiver("/queues/mine")[-1].error[0] == "amqp:resource-locked"


def test_handles_are_used_once(client: Client) -> None:
    client.sender("/queues/q", handle=3)
    (end,) = client.sender("/queues/q", handle=3)
    assert end.error[0] == "amqp:session:handle-in-use"


def test_what_is_not_served_is_refused_by_name(client: Client) -> None:
    came = client.send(
        "attach",
        name="t",
        handle=0,
        role=False,
        target=Composite("coordinator", {}),
        initial_delivery_count=0,
    )
    assert came[-1].error == ("amqp:not-implemented", "Transactions not supported")
    came = client.receiver("/queues/q", rcv_settle_mode=1)
    assert came[-1].error == ("amqp:not-implemented", "rcv-settle-mode second not supported")
    came = client.receiver("/queues/q", unsettled={b"t": None})
    assert came[-1].error == ("amqp:not-implemented", "Link recovery not supported")


# The largest message that either side takes (2.7.3).


def test_a_message_over_the_limit_of_messages_ends_its_session() -> None:
    scene = Scene(limits=Limits(amqp_message=1000))
    scene.broker.declare_queue("q")
    client = Client(scene).connect()
    attach, _ = client.sender("/queues/q")
    assert attach["max_message_size"] == 1000
    (accepted,) = client.transfer(payload=message.data_section(b"x" * 900))
    assert accepted.state == "accepted"
    assert not client.transfer(payload=message.data_section(b"x" * 900), more=True)
    (end,) = client.transfer(payload=b"x" * 900, delivery_id=1)
    assert (end.name, *end.error) == (
        "end",
        "amqp:link:message-size-exceeded",
        "message size (1808 bytes) > maximum message size (1000 bytes)",
    )
    (row,) = (row for row in scene.environment.usage.views() if row.name == "amqp_message")
    assert row.met == 1


@pytest.mark.parametrize("settled", [0, 1])
def test_a_message_over_what_the_client_takes_ends_its_session(
    scene: Scene, client: Client, settled: int
) -> None:
    (attach,) = client.receiver("/queues/q", max_message_size=200, snd_settle_mode=settled)
    assert attach["max_message_size"] == 200
    scene.broker.publish("", "q", b"small")
    scene.broker.publish("", "q", b"x" * 200)
    scene.broker.publish("", "q", b"x" * 300)
    assert bodies(client.grant(credit=10)) == [b"small"]
    scene.advance(0)
    (end,) = client.received()
    assert (end.name, *end.error) == (
        "end",
        "amqp:link:message-size-exceeded",
        "message size (254 bytes) > maximum message size (200 bytes)",
    )
    assert _depth(scene) == (1 if settled else 3)


def test_no_limit_and_a_limit_of_0_are_the_same(scene: Scene, client: Client) -> None:
    scene.broker.publish("", "q", b"x" * 10_000)
    client.receiver("/queues/q", max_message_size=0)
    assert bodies(client.grant(credit=1)) == [b"x" * 10_000]


@pytest.mark.parametrize("symbol", [b"amqp:header:map", b"amqp:properties:map", b"amqp:data:list"])
def test_a_section_of_a_name_that_there_is_not_ends_its_link_alone(
    client: Client, symbol: bytes
) -> None:
    client.sender("/queues/q")
    head = b"\x00\xa3" + bytes((len(symbol),)) + symbol + b"\x45"
    assert "no section" in _detached(client.transfer(payload=head + message.data_section(b"x")))[1]


def test_a_receiver_whose_outcomes_cannot_be_leaves_nothing_behind(
    scene: Scene, client: Client
) -> None:
    came = client.receiver("/queues/q", source={"outcomes": (Symbol("amqp:odd:list"),)})
    assert _detached(came) == (
        "amqp:not-implemented",
        'Outcomes not supported: [{symbol,<<"amqp:odd:list">>}]',
    )
    assert not scene.broker.vhost().queues["q"].consumers
    assert names(client.receiver("/queues/q")) == ["attach"]


def test_a_settle_mode_that_there_is_not_refuses_the_link(client: Client) -> None:
    assert _detached(client.sender("/queues/q", snd_settle_mode=7))[0] == "amqp:invalid-field"


@pytest.mark.parametrize(
    "address", ["/queues/" + "%C3%A9" * 128, "/exchanges/amq.topic/" + "k" * 256, "q" * 256]
)
def test_a_name_that_no_client_of_0_9_1_could_be_told_is_refused(
    client: Client, address: str
) -> None:
    assert "more than 255 bytes" in _detached(client.sender(address))[1]


def test_a_key_that_no_client_of_0_9_1_could_be_told_is_refused(
    scene: Scene, client: Client
) -> None:
    scene.broker.bind("amq.topic", "q", "#")
    client.sender("/exchange/amq.topic")
    payload = message.bare_message({"subject": "k" * 256}, {}, message.data_section(b"x"))
    assert "more than 255 bytes" in _detached(client.transfer(payload=payload))[1]
    client.sender(None, handle=2)
    to = "/exchanges/amq.topic/" + "k" * 256
    payload = message.bare_message({"to": to}, {}, message.data_section(b"x"))
    (answer,) = client.transfer(handle=2, payload=payload)
    assert answer.state == "rejected"
    assert _depth(scene) == 0


def test_transfers_of_nothing_are_not_kept(scene: Scene, client: Client) -> None:
    client.sender("/queues/q")
    for _ in range(5):
        client.send("transfer", handle=0, delivery_id=0, delivery_tag=b"t", more=True)
    (session,) = scene.broker.management._later[client.peer.id].sessions.open.values()
    partial = session.links.incoming[0].partial
    assert partial is not None
    assert (partial.pieces, partial.size) == ([], 0)
    assert client.transfer(b"x", delivery_id=0)[0].state == "accepted"

"""HTTP over AMQP: the statuses, words and maps of RabbitMQ 4's rabbit_amqp_management."""

from typing import Any

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import Symbol, ULong

from ..client import Scene
from .client import Client, names

PAIRED = {Symbol("paired"): True}


class Manager:
    """A client with a pair of management links."""

    def __init__(self, scene: Scene) -> None:
        self.client = Client(scene).connect()
        node = {"address": "/management"}
        self.client.send(
            "attach",
            name="m",
            handle=0,
            role=False,
            snd_settle_mode=1,
            source=Composite("source", {"address": "me"}),
            target=Composite("target", node),
            initial_delivery_count=0,
            properties=PAIRED,
        )
        self.client.send(
            "attach",
            name="m",
            handle=1,
            role=True,
            snd_settle_mode=1,
            source=Composite("source", node),
            target=Composite("target", {"address": "me"}),
            properties=PAIRED,
        )
        self.client.grant(credit=100)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        properties = {"message_id": ULong(9), "to": path, "subject": method, "reply_to": "$me"}
        payload = message.bare_message(properties, {}, message.value_section(body))
        came = self.client.transfer(payload=payload, settled=True)
        sections = came[0].sections
        assert sections is not None
        assert sections.properties["correlation_id"] == 9
        assert sections.application == {"http:response": "1.1"}
        return int(sections.properties["subject"]), message.body_value(sections.body)


@pytest.fixture
def manager(scene: Scene) -> Manager:
    return Manager(scene)


def test_a_queue_is_declared_found_purged_and_deleted(scene: Scene, manager: Manager) -> None:
    status, made = manager.ask("PUT", "/queues/a%2Fb", {"arguments": {"x-max-length": ULong(5)}})
    assert (status, made["name"], made["type"], made["durable"]) == (201, "a/b", "classic", True)
    assert manager.ask("PUT", "/queues/a%2Fb", {"arguments": {"x-max-length": ULong(5)}})[0] == 200
    scene.broker.publish("", "a/b", b"x")
    assert manager.ask("GET", "/queues/a%2Fb")[1]["message_count"] == 1
    assert manager.ask("DELETE", "/queues/a%2Fb/messages") == (200, {"message_count": 1})
    assert manager.ask("DELETE", "/queues/a%2Fb") == (200, {"message_count": 0})
    assert manager.ask("GET", "/queues/a%2Fb") == (404, "queue 'a/b' in vhost '/' not found")


def test_of_a_quorum_queue_with_a_single_active_consumer_that_one_counts(
    scene: Scene, manager: Manager
) -> None:
    arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    scene.broker.declare_queue("q", durable=True, arguments=arguments)
    for handle in (2, 3):
        manager.client.receiver("/queues/q", handle=handle)
    assert manager.ask("GET", "/queues/q")[1]["consumer_count"] == 1


def test_an_exchange_and_its_bindings(scene: Scene, manager: Manager) -> None:
    scene.broker.declare_queue("q")
    assert manager.ask("PUT", "/exchanges/x", {"type": "topic"}) == (204, None)
    for arguments in ({}, {"a": "1"}):
        binding = {
            "source": "x",
            "destination_queue": "q",
            "binding_key": "k.#",
            "arguments": arguments,
        }
        assert manager.ask("POST", "/bindings", binding) == (204, None)
    status, found = manager.ask("GET", "/bindings?src=x&dstq=q&key=k.%23")
    assert (status, len(found)) == (200, 2)
    assert manager.ask("DELETE", found[0]["location"]) == (204, None)
    assert manager.ask("GET", "/bindings?src=x&dstq=q&key=k.%23")[1] == [found[1]]
    assert manager.ask("DELETE", "/exchanges/x") == (204, None)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("PUT", "/queues/q", {"durable": False}, 409, "PRECONDITION"),
        ("PUT", "/queues/amq.x", {}, 403, "starts with reserved prefix 'amq.'"),
        ("PUT", "/queues/", {}, 400, "empty name"),
        ("PUT", "/queues/a%0Ab", {}, 400, "line feed and carriage return"),
        ("PUT", "/queues/b", {"size": 1}, 400, 'bad queue property {{utf8,<<"size">>},{long,1}}'),
        ("PUT", "/exchanges/", {}, 403, "operation not permitted on the default exchange"),
        ("PUT", "/exchanges/x", {"type": "none"}, 400, "invalid exchange type 'none'"),
        ("PUT", "/exchanges/amq.topic", {"type": "direct"}, 409, "inequivalent arg 'type'"),
        ("DELETE", "/bindings/nonsense", None, 400, "bad binding path segment 'nonsense'"),
        ("GET", "/bindings?src=x&key=k", None, 400, "missing 'dste' or 'dstq'"),
        ("GET", "/nothing", None, 404, "no such request: GET /nothing"),
        ("POST", "/bindings", {"source": "x", "destination_queue": "none"}, 400, "no queue 'none'"),
    ],
)
def test_what_cannot_be_is_a_status_and_a_word(
    scene: Scene, manager: Manager, method: str, path: str, body: Any, status: int, text: str
) -> None:
    scene.broker.declare_queue("q", durable=True)
    scene.broker.declare_exchange("x")
    answer = manager.ask(method, path, body)
    assert answer[0] == status
    assert text == "PRECONDITION" or text in answer[1]


def test_a_link_that_is_not_paired_is_refused(client: Client) -> None:
    came = client.sender("/management", snd_settle_mode=1)
    assert came[-1].error == (
        "amqp:invalid-field",
        "Link property 'paired' is not set to boolean value 'true'",
    )


def test_a_request_on_half_a_pair_ends_the_session(client: Client) -> None:
    client.sender("/management", properties=PAIRED, snd_settle_mode=1)
    (end,) = client.transfer(b"", settled=True)
    assert end.error[1] == "received transfer on half open management link pair"


def test_a_second_half_of_the_same_kind_is_refused(client: Client) -> None:
    paired = {"name": "s0", "properties": PAIRED, "snd_settle_mode": 1}
    client.sender("/management", **paired)
    came = client.sender("/management", handle=4, **paired)
    assert came[-1].error[0] == "amqp:precondition-failed"


def test_a_pair_ends_half_by_half(manager: Manager) -> None:
    assert names(manager.client.send("detach", handle=0, closed=True)) == ["detach"]
    assert names(manager.client.send("detach", handle=1, closed=True)) == ["detach"]
    came = manager.client.sender("/management", name="m", properties=PAIRED, snd_settle_mode=1)
    assert names(came) == ["attach", "flow"]


def test_rights_are_asked(scene: Scene) -> None:
    scene.environment.access.add_rule(rule_of("allow guest read amqp:/:*"))
    manager = Manager(scene)
    body = message.bare_message(
        {"to": "/queues/q", "subject": "PUT"}, {}, message.value_section({})
    )
    (end,) = manager.client.transfer(payload=body, settled=True)
    assert end.error[0] == "amqp:unauthorized-access"


def test_one_client_writes_its_body_first(manager: Manager) -> None:
    """Proton 0.40 writes a body of null before the properties, and RabbitMQ takes it."""
    body = message.value_section(None) + message.bare_message(
        {"to": "/queues/none", "subject": "GET"}, {}, b""
    )
    came = manager.client.transfer(payload=body, settled=True)
    assert came[0].sections is not None
    assert came[0].sections.properties["subject"] == "404"


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "//[", None, "no such request"),
        ("PUT", "/queues/x", "text", "is a map, not 'text'"),
        ("PUT", "/queues/x", b"bytes", "is a map"),
        ("PUT", "/queues/x", [1], "is a map"),
        ("POST", "/bindings", "text", "is a map"),
        ("PUT", "/queues/" + "q" * 256, {}, "more than 255 bytes"),
        ("PUT", "/exchanges/" + "%C3%A9" * 128, {}, "more than 255 bytes"),
    ],
)
def test_a_request_that_cannot_be_is_answered(
    manager: Manager, method: str, path: str, body: Any, words: str
) -> None:
    status, text = manager.ask(method, path, body)
    assert (status in (400, 404), words in text) == (True, True), text


def test_who_takes_no_answer_is_granted_no_more_requests(scene: Scene, manager: Manager) -> None:
    client = manager.client
    client.grant(credit=100, incoming_window=0)
    properties = {"message_id": ULong(9), "to": "/queues/x", "subject": "PUT"}
    request = message.bare_message(properties, {}, message.value_section({}))
    came = [client.transfer(payload=request, settled=True) for _ in range(8)]
    assert came == [[]] * 8
    waited = client.grant(credit=100)
    assert names(waited) == ["transfer"] * 8 + ["flow"]
    assert (waited[-1]["handle"], waited[-1]["link_credit"]) == (0, 8)

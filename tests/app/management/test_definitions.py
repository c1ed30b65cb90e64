"""Definitions over RabbitMQ's management interface: out of one broker and into another."""

from .test_management import Place

QUEUE = {"name": "q", "durable": True, "auto_delete": False, "arguments": {"x-max-length": 5}}


def test_what_one_broker_exports_another_takes():
    first, second = Place(), Place()
    first.scene.broker.add_vhost("shop")
    first.scene.broker.declare_queue("q", durable=True, vhost="shop")
    first.scene.broker.set_policy("p", "^q", {"max-length": 3}, vhost="shop")
    exported = first.ask("GET", "definitions")
    assert exported.status_code == 200
    assert second.ask("POST", "definitions", exported.json()).status_code == 204
    shop = second.scene.broker.vhost("shop")
    assert shop.queues["q"].policy.max_length == 3


def test_definitions_of_a_virtual_host_name_none():
    place = Place()
    place.scene.broker.add_vhost("shop")
    assert place.ask("POST", "definitions/shop", {"queues": [QUEUE]}).status_code == 204
    found = place.ask("GET", "definitions/shop").json()
    assert found["queues"] == [QUEUE]
    assert place.ask("GET", "definitions/%2F").json()["queues"] == []
    answer = place.ask("GET", "definitions/none")
    assert (answer.status_code, answer.json()["reason"]) == (400, "vhost_not_found")
    answer = place.ask("POST", "definitions/none", {"queues": [QUEUE]})
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "not_found", "reason": "vhost_not_found"},
    )


def test_definitions_that_cannot_be_are_refused_with_the_reason():
    answer = Place().ask("POST", "definitions", {"queues": [{"durable": True}]})
    assert answer.status_code == 400
    assert "'name' is missing" in answer.json()["reason"]

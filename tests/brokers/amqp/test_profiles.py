"""What releases of RabbitMQ differ in (`--amqp-as-version`), and lint's word on it.

The texts of 4.3 are those that clients reported of RabbitMQ 4.3.0 to 4.3.6.
"""

from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.profiles import OUTDATED, PROFILES, flags_of, in_words
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import LintFound
from mockforge_brokers.limits import Limits

from .client import Client, Got, Scene, names

TRANSIENT = (
    "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\n"
    "By default, this feature is not permitted anymore.\n"
    "The feature will be removed from a future major RabbitMQ version, regardless of the "
    "configuration; actual version to be determined.\nTo..."
)


def house_of(release: str) -> Scene:
    return Scene(AmqpOptions(as_version=release))


def declare(client: Client, queue: str = "q", *, durable: bool = True, **given: Any) -> list[Got]:
    arguments = {name.replace("_", "-"): value for name, value in given.items()}
    return client.send("queue.declare", queue=queue, durable=durable, arguments=arguments)


def findings(scene: Scene) -> list[tuple[str, str, int]]:
    return [(each.statement, each.severity, each.ended) for each in scene.broker.findings.views()]


@pytest.mark.parametrize("release", PROFILES)
def test_a_client_is_told_the_release(release: str) -> None:
    stranger = house_of(release).stranger()
    stranger.fake.send(b"AMQP\0\0\x09\x01")
    (start,) = stranger.received()
    assert start["server_properties"]["version"] == PROFILES[release].version
    assert PROFILES[release].version.startswith(f"{release}.")


@pytest.mark.parametrize("mode", [0, 3, 255])
@pytest.mark.parametrize("release", PROFILES)
def test_a_delivery_mode_that_is_none_is_refused_up_to_3_12(release: str, mode: int) -> None:
    client = house_of(release).client()
    client.send("queue.declare", queue="q", durable=True)
    refused = client.publish("", "q", b"x", delivery_mode=mode)
    if release != "3.10":
        (got,) = client.send("basic.get", queue="q")
        assert (refused, got.properties) == ([], {"delivery_mode": mode})
        return
    text = f"PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}"
    assert [each["reply_text"] for each in refused] == [text]


@pytest.mark.parametrize("release", ["3.10", "3.13", "4.1"])
def test_a_transient_queue_is_served_and_named_up_to_4_2(release: str) -> None:
    scene = house_of(release)
    client = scene.client(name="shop")
    assert names(declare(client, durable=False)) == ["queue.declare-ok"]
    assert findings(scene) == [("transient-queue", "warning", 0)]
    (found,) = scene.emitted(LintFound)
    assert (found.client, found.text) == (
        "shop",
        "queue 'q' in vhost '/' is neither durable nor exclusive: RabbitMQ from 4.3 on closes the "
        "connection with 541; declare it durable or exclusive",
    )


def test_a_transient_queue_ends_the_connection_from_4_3_on() -> None:
    scene = house_of("4.3")
    client = scene.client()
    (closed,) = declare(client, durable=False)
    assert (closed.name, closed["reply_code"], closed["reply_text"]) == (
        "connection.close",
        541,
        TRANSIENT,
    )
    assert (closed["class_id"], closed["method_id"]) == (50, 10)
    assert findings(scene) == [("transient-queue", "error", 1)]
    assert not scene.broker.vhost().queues


def test_a_transient_queue_may_be_exclusive() -> None:
    scene = house_of("4.3")
    came = scene.client().send("queue.declare", queue="q", exclusive=True)
    assert names(came) == ["queue.declare-ok"]
    assert findings(scene) == []


def test_a_queue_that_is_there_as_a_durable_one_is_not_equivalent_and_no_more() -> None:
    client = house_of("4.3").client()
    declare(client)
    (closed,) = declare(client, durable=False)
    assert (closed.name, closed["reply_code"]) == ("channel.close", 406)


def test_the_same_finding_of_a_client_is_reported_once_and_counted_each_time(scene: Scene) -> None:
    client = scene.client()
    for queue in ("a", "b", "c"):
        declare(client, queue, durable=False)
    assert len(scene.emitted(LintFound)) == 1
    (finding,) = scene.broker.findings.views()
    assert finding.times == 3
    (metric,) = [each for each in scene.broker.metrics() if each.name == "amqp_lint_findings_total"]
    assert metric.samples == [(("transient-queue", "warning"), 3.0)]


@pytest.mark.parametrize(
    ("arguments", "statement", "reply"),
    [
        (
            {"x_queue_mode": "lazy"},
            "queue-mode",
            "PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'q' in vhost '/' of queue "
            "type rabbit_classic_queue",
        ),
        (
            {"x_queue_version": 1},
            "queue-version-1",
            "PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/': "
            "\"unsupported queue version '1'\"",
        ),
        (
            {"x_queue_master_locator": "client-local"},
            "queue-master-locator",
            "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.",
        ),
    ],
)
def test_arguments_of_old_are_refused_from_4_3_on_and_named_before(
    arguments: dict[str, Any], statement: str, reply: str
) -> None:
    old, new = house_of("4.1"), house_of("4.3")
    assert names(declare(old.client(), **arguments)) == ["queue.declare-ok"]
    assert findings(old) == [(statement, "warning", 0)]
    (closed,) = declare(new.client(), **arguments)
    assert closed["reply_text"].startswith(reply)
    assert findings(new) == [(statement, "error", 1)]


def test_the_second_version_of_classic_queues_is_the_one_that_stays() -> None:
    scene = house_of("4.3")
    assert names(declare(scene.client(), x_queue_version=2)) == ["queue.declare-ok"]
    assert findings(scene) == []


@pytest.mark.parametrize(("release", "count"), [("3.13", 2), ("4.3", 4)])
def test_a_prefetch_for_the_channel_is_one_for_each_consumer_from_4_3_on(
    release: str, count: int
) -> None:
    scene = house_of(release)
    client = scene.client()
    declare(client)
    client.send("basic.qos", prefetch_count=2, is_global=True)
    for tag in ("a", "b"):
        client.send("basic.consume", queue="q", consumer_tag=tag)
    for number in range(9):
        client.publish("", "q", b"%d" % number)
    assert scene.broker.vhost().queues["q"].unacked == count
    assert [each[0] for each in findings(scene)] == ["global-qos"]


def test_three_hashes_in_a_topic_key_are_refused_from_4_3_on() -> None:
    old, new = house_of("3.13"), house_of("4.3")
    for scene in (old, new):
        declare(scene.client())
    bound = {"queue": "q", "exchange": "amq.topic", "routing_key": "#.*.#.*.#"}
    assert names(old.client().send("queue.bind", **bound)) == ["queue.bind-ok"]
    (closed,) = new.client().send("queue.bind", **bound)
    assert closed["reply_text"] == (
        "PRECONDITION_FAILED - Topic binding key '#.*.#.*.#' uses 3 '#' wildcards, at most 2 are "
        "allowed"
    )
    assert findings(old) == [("three-hashes", "warning", 0)]
    assert findings(new) == [("three-hashes", "error", 1)]
    client = new.client()
    for exchange, key in (("amq.topic", "a.#.b.#.c"), ("amq.direct", "#.#.#")):
        came = client.send("queue.bind", queue="q", exchange=exchange, routing_key=key)
        assert names(came) == ["queue.bind-ok"]


@pytest.mark.parametrize(("release", "ended"), [("3.13", False), ("4.1", True), ("4.3", True)])
def test_frames_of_4096_bytes_reset_the_connection_from_4_1_on(release: str, ended: bool) -> None:
    scene = house_of(release)
    stranger = scene.stranger()
    stranger.connect(tune=(2047, 4096, 60))
    scene.advance(5)
    assert bool(stranger.peer.ended) == ended
    assert findings(scene) == [("small-frames", "error" if ended else "warning", int(ended))]


@pytest.mark.parametrize(("release", "name", "code"), [("3.13", "connection.close", 503),
                                                       ("4.3", "channel.close", 406)])  # fmt: skip
def test_an_unknown_exchange_type_ends_the_channel_alone_from_4_3_on(
    release: str, name: str, code: int
) -> None:
    client = house_of(release).client()
    (closed,) = client.send("exchange.declare", exchange="x", exchange_type="odd")
    assert (closed.name, closed["reply_code"]) == (name, code)
    assert closed["reply_text"].endswith(" - unknown exchange type 'odd'")


@pytest.mark.parametrize(("release", "kept"), [("4.1", False), ("4.3", True)])
def test_cc_stays_in_a_dead_letter_with_a_key_of_its_own_from_4_3_on(
    release: str, kept: bool
) -> None:
    """It leads nowhere there: 4.3.6 was asked."""
    scene = house_of(release)
    client = scene.client()
    for queue in ("dead", "copy"):
        declare(client, queue)
    declare(client, x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    client.publish("", "q", b"x", headers={"CC": ["copy"]})
    assert scene.broker.get("copy") is not None
    scene.broker.get_all("q", 1, "reject")
    (seen,) = scene.broker.peek("dead")
    assert ("CC" in dict(seen.headers)) == kept
    assert scene.broker.get("copy") is None


@pytest.mark.parametrize(("release", "taken"), [("3.13", True), ("4.1", False), ("4.3", False)])
def test_policies_of_mirrors_are_refused_from_4_0_on(release: str, taken: bool) -> None:
    broker = house_of(release).broker
    document = {
        "name": "ha", "pattern": "^q", "vhost": "/", "definition": {"ha-mode": "all"}
    }  # fmt: skip
    with nullcontext() if taken else pytest.raises(InvalidInput, match="ha-mode is not recognised"):
        broker.load_definitions({"policies": [document]})


@pytest.mark.parametrize(("release", "tries"), [("3.13", None), ("4.1", 21)])
def test_a_quorum_queue_delivers_21_times_from_4_0_on(release: str, tries: int | None) -> None:
    client = house_of(release).client()
    declare(client, x_queue_type="quorum")
    client.publish("", "q", b"x")
    for tag in range(1, 40):
        (got,) = client.send("basic.get", queue="q")
        if got.name == "basic.get-empty":
            break
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert (tag - 1 if got.name == "basic.get-empty" else None) == tries


def test_a_negative_delivery_limit_is_none() -> None:
    client = house_of("4.1").client()
    declare(client, x_queue_type="quorum", x_delivery_limit=-1)
    client.publish("", "q", b"x")
    for tag in range(1, 40):
        (got,) = client.send("basic.get", queue="q")
        client.send("basic.nack", delivery_tag=tag, requeue=True)
    assert got.name == "basic.get-ok"


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("release", ["4.1", "4.3"])
def test_consumers_of_classic_queues_have_any_time_from_4_3_on(release: str, kind: str) -> None:
    scene = Scene(AmqpOptions(as_version=release, consumer_timeout=10, heartbeat=600))
    client = scene.client(tune=(2047, 131_072, 0))
    declare(client, x_queue_type=kind)
    client.publish("", "q", b"x")
    client.send("basic.consume", queue="q")
    scene.advance(30)
    late = {"4.1": ["channel.close"], "4.3": ["basic.cancel"] if kind == "quorum" else []}
    assert [got.name for got in client.received()] == late[release]


@pytest.mark.parametrize(("release", "refused"), [("4.1", False), ("4.3", True)])
def test_a_passive_declare_needs_the_right_to_configure_from_4_3_on(
    release: str, refused: bool
) -> None:
    scene = house_of(release)
    access = scene.environment.access
    scene.broker.declare_queue("q", durable=True)
    access.add_user("guest", "guest", ("amqp",))
    access.add_rule(rule_of("allow guest read amqp:/:q"))
    client = scene.client()
    (came,) = client.send("queue.declare", queue="q", passive=True)
    assert (came.name == "channel.close") == refused
    assert findings(scene) == [("passive-declare", "error" if refused else "warning", refused)]
    access.add_rule(rule_of("allow guest configure amqp:/:q"))
    other = scene.client()
    assert names(other.send("queue.declare", queue="q", passive=True)) == ["queue.declare-ok"]
    assert len(scene.emitted(LintFound)) == 1


@pytest.mark.parametrize(
    ("release", "came", "severity"), [("3.13", [], "warning"), ("4.1", ["channel.close"], "error")]
)
def test_a_body_of_more_than_16_mib_is_named(release: str, came: list[str], severity: str) -> None:
    profile = PROFILES[release]
    scene = Scene(AmqpOptions(as_version=release), Limits(amqp_message=profile.message_size))
    client = scene.client()
    assert client.publish("", "q", bytes(16 << 20)) == []
    assert findings(scene) == []
    assert names(client.publish("", "q", bytes((16 << 20) + 1))) == came
    assert findings(scene) == [("large-body", severity, severity == "error")]


@pytest.mark.parametrize(
    ("release", "came", "severity"),
    [("3.13", "connection.close", "warning"), ("4.3", "channel.close", "error")],
)
def test_an_exchange_type_that_is_none_is_named(release: str, came: str, severity: str) -> None:
    scene = house_of(release)
    client = scene.client()
    got = client.send("exchange.declare", exchange="x", exchange_type="nope")
    assert names(got) == [came]
    ((name, found, _),) = findings(scene)
    assert (name, found) == ("unknown-exchange-type", severity)


def test_every_release_has_the_flags_of_those_before() -> None:
    flags = [set(flags_of(profile)) for profile in PROFILES.values()]
    assert all(older < newer for older, newer in pairwise(flags))


@pytest.mark.parametrize("name", OUTDATED)
def test_what_is_outdated_has_its_release_and_a_remedy(name: str) -> None:
    assert in_words(name).startswith("RabbitMQ from 4.")
    assert "; " in in_words(name)


DEATHS = [
    # What its last consumer publishes again, and the counts that it has when it died twice more.
    # 3.10 as 3.10.8 answered, 3.13 as of 3.13.3, 4.0 as of mc:record_death.
    ("3.10", [2, 3], set()),
    ("3.13", [2, 3], {"x-last-death-queue", "x-last-death-reason", "x-last-death-exchange"}),
    ("4.1", [1, 2], {"x-last-death-queue", "x-last-death-reason", "x-last-death-exchange"}),
]


@pytest.mark.parametrize(("release", "counts", "last"), DEATHS)
def test_a_clients_x_death_counts_on_up_to_3_13(
    release: str, counts: list[int], last: set[str]
) -> None:
    scene = house_of(release)
    client = scene.client()
    declare(client, "q", x_dead_letter_exchange="", x_dead_letter_routing_key="again")
    to_q = {"x_dead_letter_exchange": "", "x_dead_letter_routing_key": "q"}
    declare(client, "again", **to_q)

    def die(queue: str) -> None:
        (got,) = client.send("basic.get", queue=queue)
        client.send("basic.reject", delivery_tag=got["delivery_tag"], requeue=False)

    client.publish("", "q")
    die("q")
    (letter,) = client.send("basic.get", queue="again", no_ack=True)
    client.publish("", "q", headers=letter.properties["headers"])
    found = []
    for _ in counts:
        die("q")
        (letter,) = client.send("basic.get", queue="again", no_ack=False)
        headers = letter.properties["headers"]
        deaths = [each.value for each in headers["x-death"].value]
        (count,) = (each["count"].value for each in deaths if each["queue"].value == "q")
        found.append(count)
        # By the broker's own hand it goes round: that counts in every release.
        client.send("basic.reject", delivery_tag=letter["delivery_tag"], requeue=False)
    assert found == counts
    assert {name for name in headers if name.startswith("x-last")} == last
    (found,) = [each for each in scene.emitted(LintFound) if each.statement == "x-death-of-client"]
    assert "queue 'q' in vhost '/'" in found.text
    assert "RabbitMQ from 4.0 on does not count on from it" in found.text
    assert found.severity == ("error" if release == "4.1" else "warning")


def test_in_4_0_a_clients_x_death_is_as_if_it_were_not_there() -> None:
    scene = house_of("4.1")
    client = scene.client()
    declare(client, "q", x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    declare(client, "dead")
    for sent in ([{"queue": "q", "reason": "rejected", "count": 7}], "text"):
        client.publish("", "q", headers={"x-death": sent, "x-first-death-queue": "mine"})
        (got,) = client.send("basic.get", queue="q")
        # Until it dies its consumers see what its publisher sent.
        assert got.properties["headers"]["x-first-death-queue"].value == "mine"
        client.send("basic.reject", delivery_tag=got["delivery_tag"], requeue=False)
        (letter,) = client.send("basic.get", queue="dead", no_ack=True)
        headers = letter.properties["headers"]
        assert [each.value["count"].value for each in headers["x-death"].value] == [1]
        assert headers["x-first-death-queue"].value == "q"


def test_long_texts_end_in_dots_as_rabbitmqs_do(client: Client) -> None:
    (closed,) = client.send("queue.declare", queue="q" * 255, passive=True)
    assert closed["reply_text"] == f"NOT_FOUND - no queue '{'q' * 230}..."

"""What AMQP has on disk: durable entities and persistent messages, once each."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.records import Buried, packed, plain, unpacked
from mockforge_brokers.amqp.state.queues import message_rows
from mockforge_brokers.amqp.wire.frames import HEADER
from msgspec import msgpack

from ..storage.memory_disk import MemoryDisk
from .client import Client, Scene, bodies, names

PERSISTENT = {"delivery_mode": 2}
TYPES = [
    {},
    {"x-max-length": 1000},
    {"x-queue-type": "quorum"},
]


def on_disk() -> tuple[Scene, MemoryDisk]:
    disk = MemoryDisk()
    return Scene(disk=disk), disk


def reopened(scene: Scene, disk: MemoryDisk, *, clean: bool = False) -> Scene:
    """Another broker that begins with what is on disk."""
    scene.advance(0.01)
    return Scene(disk=MemoryDisk(), found=disk.kept(clean=clean))


def drain(client: Client, queue: str) -> list[tuple[bytes, bool]]:
    found = []
    while (got := client.send("basic.get", queue=queue, no_ack=True)[0]).name == "basic.get-ok":
        found.append((got.body, got["redelivered"]))
    return found


def rows(disk: MemoryDisk) -> int:
    return len(disk.rows)


def test_what_is_declared_is_there_again() -> None:
    scene, disk = on_disk()
    scene.broker.add_vhost("other")
    scene.broker.add_vhost("gone")
    scene.broker.remove_vhost("gone")
    scene.broker.limit_vhost("other", {"max-queues": 7})
    client = scene.client()
    for name in ("kept", "gone"):
        client.send("queue.declare", queue=name, durable=True, arguments={"x-max-length": 9})
        client.send("exchange.declare", exchange=name, exchange_type="topic", durable=True)
        client.send("queue.bind", queue=name, exchange=name, routing_key="k.#")
    client.send("queue.bind", queue="kept", exchange="amq.topic", routing_key="a")
    client.send("queue.unbind", queue="kept", exchange="amq.topic", routing_key="a")
    client.send("exchange.bind", destination="kept", source="amq.fanout", routing_key="z")
    client.send("queue.bind", queue="kept", exchange="amq.headers", arguments={"n": 1})
    client.send("queue.delete", queue="gone")
    client.send("exchange.delete", exchange="gone")
    client.send("queue.declare", queue="mine", durable=True, exclusive=True)
    client.send("queue.declare", queue="transient")
    scene.broker.set_policy("ttl", "^kept", {"message-ttl": 5000})
    again = reopened(scene, disk).broker
    assert sorted(again.vhosts) == ["/", "other"]
    assert again.vhosts["other"].limits == {"max-queues": 7}
    assert list(again.vhosts["/"].queues) == ["kept"]
    assert sorted(again.bindings()) == [
        ("amq.fanout", "kept", "z"),
        ("amq.headers", "kept", ""),
        ("kept", "kept", "k.#"),
    ]
    assert again.vhosts["/"].queues["kept"].policy.message_ttl == 5


def test_what_is_of_no_virtual_host_and_what_is_said_of_one_are_there_again() -> None:
    scene, disk = on_disk()
    broker = scene.broker
    broker.add_vhost("shop", description="of shops", tags=["a", "b"])
    broker.describe_vhost("/", "", ["main"])
    for user in ("guest", "ada", "bob"):
        scene.environment.access.add_user(user, "x", ("amqp",))
        broker.limit_user(user, {"max-channels": 7})
    broker.remove_user("bob")
    broker.limit_user("ada", {})
    numbers = {"large": 2**70, "half": "\ud800", "list": [None, 1.5]}
    broker.set_global_parameter("kept", numbers)
    broker.set_global_parameter("gone", 1)
    broker.remove_global_parameter("gone")
    again = reopened(scene, disk).broker
    said = {name: (host.description, host.tags) for name, host in again.vhosts.items()}
    assert said == {"/": ("", ("main",)), "shop": ("of shops", ("a", "b"))}
    assert again.global_parameters == {"kept": numbers}
    assert again.quotas.users == {"guest": {"max-channels": 7}, "ada": {}}
    again.restart(hard=True)
    assert again.vhost("shop").description == "of shops"


def test_a_kill_loses_what_is_of_no_virtual_host_and_was_not_written() -> None:
    scene, _ = on_disk()
    broker = scene.broker
    broker.limit_user("guest", {"max-channels": 7})
    broker.set_global_parameter("kept", 1)
    broker.set_global_parameter("other", 2)
    scene.advance(0.01)
    broker.limit_user("guest", {"max-channels": 8})
    broker.limit_user("ada", {"max-channels": 9})
    broker.set_global_parameter("lost", 3)
    broker.remove_global_parameter("other")
    broker.restart(hard=True)
    assert broker.quotas.users == {"guest": {"max-channels": 7}}
    assert broker.global_parameters == {"kept": 1, "other": 2}


@pytest.mark.parametrize("arguments", TYPES)
def test_persistent_messages_are_there_again_once_and_in_order(arguments: dict[str, Any]) -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    for number in range(6):
        mode = 2 if number % 2 or arguments.get("x-queue-type") else 1
        client.publish("", "q", b"%d" % number, delivery_mode=mode)
    expected = [body for body, _ in drain(reopened(scene, disk).client(), "q")]
    assert expected == [b"%d" % n for n in range(6) if n % 2 or arguments.get("x-queue-type")]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("kind", "there"), [("quorum", [b"transient", b"kept"]), ("classic", [b"kept"])]
)
def test_a_quorum_queue_keeps_transient_messages_too(
    kind: str, there: list[bytes], stored: bool
) -> None:
    """Asked of RabbitMQ 3.10.8, which was killed."""
    scene, disk = on_disk() if stored else (Scene(), None)
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments={"x-queue-type": kind})
    client.publish("", "q", b"transient")
    client.publish("", "q", b"kept", **PERSISTENT)
    if disk is None:
        scene.broker.restart()
    else:
        scene = reopened(scene, disk)
    assert [body for body, _ in drain(scene.client(), "q")] == there


@pytest.mark.parametrize("arguments", TYPES)
def test_what_was_acknowledged_is_gone(arguments: dict[str, Any]) -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    client.send("basic.qos", prefetch_count=9)
    for number in range(9):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    assert len(bodies(client.send("basic.consume", queue="q", consumer_tag="c"))) == 9
    client.send("basic.ack", delivery_tag=1)
    client.send("basic.ack", delivery_tag=3, multiple=True)
    client.send("basic.reject", delivery_tag=4, requeue=False)
    client.send("basic.cancel", consumer_tag="c")
    client.send("basic.nack", delivery_tag=9, multiple=True, requeue=True)
    client.send("basic.get", queue="q", no_ack=True)
    scene.advance(0.01)
    # Of those that came back a quorum queue has the counts beside them.
    assert rows(disk) == (8 if "x-queue-type" in arguments else 4)
    assert {body for body, _ in drain(reopened(scene, disk).client(), "q")} == {
        b"5", b"6", b"7", b"8"
    }  # fmt: skip


@pytest.mark.parametrize("arguments", TYPES)
def test_who_takes_without_acknowledging_leaves_nothing(arguments: dict[str, Any]) -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    client.publish("", "q", b"waits", **PERSISTENT)
    scene.advance(0.01)
    client.send("basic.consume", queue="q", no_ack=True)
    client.publish("", "q", b"handed on", **PERSISTENT)
    scene.advance(0.01)
    assert rows(disk) == 0


def test_purged_and_deleted_queues_leave_nothing() -> None:
    scene, disk = on_disk()
    client = scene.client()
    for name in ("purged", "deleted"):
        client.send("queue.declare", queue=name, durable=True)
        client.publish("", name, b"x", **PERSISTENT)
    client.send("basic.get", queue="purged")
    client.publish("", "purged", b"y", **PERSISTENT)
    scene.advance(0.01)
    client.send("queue.purge", queue="purged")
    client.send("queue.delete", queue="deleted")
    scene.advance(0.01)
    assert rows(disk) == 1
    assert drain(reopened(scene, disk).client(), "purged") == [(b"x", True)]


def test_what_dies_goes_where_dead_letters_go_and_only_there() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="dead", durable=True)
    client.send(
        "queue.declare",
        queue="q",
        durable=True,
        arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
            "x-message-ttl": 1000,
            "x-max-length": 2,
        },
    )
    for number in range(3):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    assert [body for body, _ in drain(reopened(scene, disk).client(), "dead")] == [b"0"]
    scene.advance(2)
    assert rows(disk) == 3
    again = reopened(scene, disk).client()
    assert [body for body, _ in drain(again, "dead")] == [b"0", b"1", b"2"]


def test_time_to_live_goes_on_while_the_program_does_not_run() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.publish("", "q", b"short", expiration="1000", **PERSISTENT)
    client.publish("", "q", b"long", expiration="9000", **PERSISTENT)
    scene.advance(0.01)
    later = Scene(disk=MemoryDisk())
    later.clock.advance(2)
    later.broker.take_up(disk.kept())
    assert [body for body, _ in drain(later.client(), "q")] == [b"long"]


def test_a_stream_keeps_its_offsets() -> None:
    scene, disk = on_disk()
    client = scene.client()
    stream = {"x-queue-type": "stream"}
    client.send("queue.declare", queue="s", durable=True, arguments=stream)
    for number in range(4):
        client.publish("", "s", b"%d" % number)
    again = reopened(scene, disk)
    client = again.client()
    client.send("basic.qos", prefetch_count=9)
    client.publish("", "s", b"4")
    came = client.send("basic.consume", queue="s", arguments={"x-stream-offset": 3})
    assert bodies(came) == [b"3", b"4"]


def test_redelivered_is_exact_after_an_end_and_on_the_safe_side_after_a_kill() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    for number in range(3):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    client.send("basic.get", queue="q")
    scene.advance(0.01)
    killed = Scene(disk=MemoryDisk(), found=disk.kept(clean=False))
    assert [again for _, again in drain(killed.client(), "q")] == [True, True, True]
    disk.store.close()
    ended = Scene(disk=MemoryDisk(), found=disk.kept())
    assert [again for _, again in drain(ended.client(), "q")] == [True, False, False]


def test_what_may_have_been_delivered_before_a_kill_says_so_after_a_clean_end_too() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.publish("", "q", b"0", **PERSISTENT)
    scene.advance(0.01)
    again = MemoryDisk()
    again.rows, again.entities = disk.rows, disk.entities
    killed = Scene(disk=again, found=disk.kept(clean=False))
    again.store.close()
    ended = Scene(disk=MemoryDisk(), found=again.kept())
    assert drain(killed.client(), "q") == drain(ended.client(), "q") == [(b"0", True)]


QUORUM = {"x-queue-type": "quorum"}


def counted(scene: Scene) -> list[tuple[bytes, bool, int]]:
    """(body, redelivered, x-delivery-count) of all in the queue."""
    client, found = scene.client(), []
    while (got := client.send("basic.get", queue="q")[0]).name == "basic.get-ok":
        count = plain(got.properties["headers"])["x-delivery-count"]
        found.append((got.body, got["redelivered"], count))
    return sorted(found)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("how", ["nobody", "consumer", "get"])
def test_of_a_quorum_queue_what_was_delivered_says_so_and_nothing_else(
    how: str, clean: bool
) -> None:
    """Asked of RabbitMQ 3.10.8, which was killed, or ended: both times the same."""
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    for number in range(6):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    taken = {"nobody": 0, "consumer": 3, "get": 2}[how]
    if how == "consumer":
        client.send("basic.qos", prefetch_count=3)
        assert len(bodies(client.send("basic.consume", queue="q"))) == 3
    for _ in range(2 if how == "get" else 0):
        client.send("basic.get", queue="q")
    scene.advance(0.01)
    if clean:
        disk.store.close()
    again = Scene(disk=MemoryDisk(), found=disk.kept(clean=clean))
    assert counted(again) == [
        (b"%d" % number, number < taken, int(number < taken)) for number in range(6)
    ]


def come_back(scene: Scene, **arguments: Any) -> Client:
    """Six messages: 1 and 3 came back three times, 0 as often and is out; so are 2, 4 and 5."""
    client = scene.client()
    arguments = {**QUORUM, **arguments}
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    for number in range(6):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    for _ in range(6):
        client.send("basic.get", queue="q")
    for tag in (1, 2, 4, 7, 8, 9, 10, 11, 12):
        if tag > 6:
            client.send("basic.get", queue="q")
        client.send("basic.nack", delivery_tag=tag, requeue=True)
        scene.advance(0.01)
    client.send("basic.get", queue="q")
    return client


def in_order(scene: Scene) -> list[tuple[bytes, int]]:
    """(body, x-delivery-count) of all in the queue, as they come."""
    client, found = scene.client(), []
    while (got := client.send("basic.get", queue="q", no_ack=True)[0]).name == "basic.get-ok":
        assert got["redelivered"]
        found.append((got.body, plain(got.properties["headers"])["x-delivery-count"]))
    return found


@pytest.mark.parametrize("limit", [{}, {"x-delivery-limit": 9}])
@pytest.mark.parametrize("how", ["ended", "killed", "restarted", "restarted in memory"])
def test_how_often_messages_came_back_and_where_they_stand_outlives_a_start(
    how: str, limit: dict[str, Any]
) -> None:
    """Asked of RabbitMQ 3.10.8, which was killed, or ended: both times it had the counts."""
    scene, disk = (Scene(), MemoryDisk()) if how == "restarted in memory" else on_disk()
    come_back(scene, **limit).fake.vanish()
    scene.advance(0.01)
    alike = Scene()
    come_back(alike, **limit).fake.vanish()
    expected = in_order(alike)
    assert sorted(expected) == [(b"%d" % at, count) for at, count in enumerate((4, 3, 1, 3, 1, 1))]
    if how.startswith("restarted"):
        scene.broker.restart()
    else:
        scene = reopened(scene, disk, clean=how == "ended")
    assert in_order(scene) == expected


@pytest.mark.parametrize(("before", "after"), [("4.1", "4.3"), ("4.3", "4.1")])
def test_what_went_to_the_end_is_there_in_another_release_too(before: str, after: str) -> None:
    disk = MemoryDisk()
    scene = Scene(AmqpOptions(as_version=before), disk=disk)
    client = scene.client()
    arguments = {**QUORUM, "x-delivery-limit": -1}
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    for body in (b"back", b"usual"):
        client.publish("", "q", body, **PERSISTENT)
    client.send("basic.get", queue="q")
    client.send("basic.nack", delivery_tag=1, requeue=True)
    scene.advance(0.01)
    options = AmqpOptions(as_version=after)
    client = Scene(options, disk=MemoryDisk(), found=disk.kept(clean=True)).client()
    client.publish("", "q", b"low", priority=1, **PERSISTENT)
    assert [body for body, _ in drain(client, "q")] == [b"usual", b"back", b"low"]


def test_a_restart_itself_counts_as_the_end_of_the_clients_who_had_a_message() -> None:
    scene = Scene()
    come_back(scene)
    scene.broker.restart()
    found = in_order(scene)
    assert sorted(found) == [(b"%d" % at, count) for at, count in enumerate((4, 3, 1, 3, 1, 1))]
    # What had no end of its own client stands behind, as it did.
    assert [body for body, _ in found][-2:] == [b"1", b"3"]


def test_who_gives_messages_back_does_not_wait_for_the_disk() -> None:
    scene, disk = on_disk()
    client = come_back(scene)
    before, on_it = disk.store.facts, dict(disk.rows)
    client.send("basic.recover", requeue=True)
    assert disk.store.facts == before
    scene.advance(0.01)
    assert disk.rows != on_it


@pytest.mark.parametrize("how", ["acknowledged", "rejected", "together", "purged", "deleted"])
def test_of_what_is_gone_no_count_stays(how: str) -> None:
    scene, disk = on_disk()
    come_back(scene).fake.vanish()
    scene.advance(0.01)
    # Once more behind a start: what was found is to be let go of, too.
    again = MemoryDisk()
    again.rows, again.entities = dict(disk.rows), disk.entities
    scene = Scene(disk=again, found=disk.kept(clean=True))
    assert rows(again) == 12
    client = scene.client()
    if how in ("purged", "deleted"):
        client.send({"purged": "queue.purge", "deleted": "queue.delete"}[how], queue="q")
    else:
        for _ in range(6):
            client.send("basic.get", queue="q")
        for tag in (6,) if how == "together" else range(1, 7):
            name = "basic.reject" if how == "rejected" else "basic.ack"
            more = {"requeue": False} if how == "rejected" else {"multiple": how == "together"}
            client.send(name, delivery_tag=tag, **more)
    scene.advance(0.01)
    assert rows(again) == 0


RANKED = AmqpOptions(as_version="4.3")


def carried_over(
    disk: MemoryDisk, *, clean: bool, version: str = "4.3"
) -> tuple[Scene, MemoryDisk]:
    """A broker of this version that goes on with what is on the disk, as a new one does."""
    again = MemoryDisk()
    again.rows = dict(disk.rows)
    again.entities = {kind: dict(rows) for kind, rows in disk.entities.items()}
    return Scene(AmqpOptions(as_version=version), disk=again, found=disk.kept(clean=clean)), again


def ranked(*priorities: int | None) -> tuple[Scene, MemoryDisk, Client]:
    """A quorum queue with a message of each of these, named by its number."""
    disk = MemoryDisk()
    scene = Scene(RANKED, disk=disk)
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    for number, priority in enumerate(priorities):
        more = {} if priority is None else {"priority": priority}
        client.publish("", "q", b"%d" % number, **PERSISTENT, **more)
    return scene, disk, client


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("version", ["4.3", "3.13"])
def test_what_was_delivered_by_priority_says_so_and_nothing_that_came_before(
    version: str, clean: bool
) -> None:
    scene, disk, client = ranked(1, 1, 9, 40, 9, None)
    assert [client.send("basic.get", queue="q")[0].body for _ in range(2)] == [b"3", b"2"]
    # It is in another lane now.
    client.send("basic.nack", delivery_tag=2, requeue=True)
    scene.advance(0.01)
    if clean:
        disk.store.close()
    second, _ = carried_over(disk, clean=clean, version=version)
    found = drain(second.client(), "q")
    assert sorted(found) == [(b"%d" % number, number in (2, 3)) for number in range(6)]
    # What another release delivers in its own order counts as well.
    third, again = carried_over(disk, clean=clean, version=version)
    taker = third.client()
    taken = {2, 3} | {int(taker.send("basic.get", queue="q")[0].body) for _ in range(3)}
    third.advance(0.01)
    fourth, _ = carried_over(again, clean=False)
    say_so = {int(body) for body, redelivered in drain(fourth.client(), "q") if redelivered}
    assert say_so == (taken if version == "4.3" else {0, 1, 2, 3})


def test_a_folder_in_which_priorities_were_not_told_apart_has_one_mark_for_all() -> None:
    scene, disk, client = ranked(1, 9)
    client.send("basic.get", queue="q")
    scene.advance(0.01)
    rows = disk.entities["amqp.queue"]
    for name, value in rows.items():
        row = msgpack.decode(value, strict=False)
        del row["marks"]
        rows[name] = msgpack.encode(row)
    second, again = carried_over(disk, clean=False)
    client = second.client()
    client.publish("", "q", b"2", **PERSISTENT, priority=20)
    client.publish("", "q", b"3", **PERSISTENT, priority=19)
    client.send("basic.get", queue="q")
    second.advance(0.01)
    third, _ = carried_over(again, clean=False)
    found = [(b"2", True), (b"3", False), (b"1", True), (b"0", True)]
    assert drain(third.client(), "q") == found


def test_a_queue_of_which_nobody_got_anything_has_no_marks_after_a_start_either() -> None:
    scene, disk, _ = ranked(1, 9)
    scene.advance(0.01)
    again, _ = carried_over(disk, clean=False)
    assert again.broker.vhost().queues["q"].keeping.marks == {}


def test_a_quorum_queue_of_an_older_folder_says_of_all_that_it_may_have_been_delivered() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    client.publish("", "q", b"0", **PERSISTENT)
    scene.advance(0.01)
    rows = disk.entities["amqp.queue"]
    for name, value in rows.items():
        row = msgpack.decode(value)
        del row["bound"]
        rows[name] = msgpack.encode(row)
    again = Scene(disk=MemoryDisk(), found=disk.kept(clean=False))
    assert counted(again) == [(b"0", True, 1)]


def test_a_first_delivery_waits_until_the_disk_knows_of_it_and_few_others_do() -> None:
    """Else a kill would leave a message that says that nobody has seen it."""
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    client.send("basic.consume", queue="q")
    worked = 0
    work = client.peer.work

    def counted_work(call: Callable[[], object]) -> None:
        nonlocal worked
        worked += 1
        work(call)

    client.peer.work = counted_work
    for number in range(4000):
        facts = disk.store.facts
        before = worked
        client.publish("", "q", b"%d" % number, **PERSISTENT)
        # The message itself, and the note of the queue.
        assert disk.store.facts - facts == 1 + (worked - before)
    assert 32 < worked < 200


def bound_of(disk: MemoryDisk) -> int:
    """What the disk has of its one queue."""
    (value,) = disk.entities["amqp.queue"].values()
    return int(msgpack.decode(value)["bound"])


def test_whichever_consumer_gets_what_the_disk_does_not_know_of_waits_for_it() -> None:
    """One raises the bound for all; the others' deliveries behind it wait for the same."""
    scene, disk = on_disk()
    publisher = scene.client()
    publisher.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    scene.advance(0.01)
    due = [0, 0, 0]

    def waits_in(number: int, call: Callable[[], object]) -> None:
        # As the socket of a client does it.
        facts = disk.store.facts
        call()
        if disk.store.facts != facts:
            due[number] = disk.store.group

    clients = [scene.client() for _ in due]
    for number, client in enumerate(clients):
        client.send("basic.consume", queue="q")
        client.peer.work = partial(waits_in, number)
    waited = 0
    for position in range(1, 1500):
        publisher.publish("", "q", b"%d" % position, **PERSISTENT)
        (number,) = (at for at, client in enumerate(clients) if bodies(client.received()))
        if position > bound_of(disk):
            assert due[number] > disk.store.committed, position
            waited += 1
        if position % 11 == 0:
            scene.advance(0.01)
    assert waited > 100


def test_two_who_get_what_the_disk_does_not_know_of_both_wait_for_it() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    for number in range(68):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    for _ in range(66):
        client.send("basic.get", queue="q")
    scene.advance(0.01)
    before = disk.store.facts
    for _ in range(2):
        assert bound_of(disk) == 66
        assert names(scene.client().send("basic.get", queue="q")) == ["basic.get-ok"]
        assert disk.store.facts > before
        before = disk.store.facts


def test_a_restart_writes_nothing_and_goes_on_with_the_same_rows() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    for number in range(3):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    scene.advance(0.01)
    before = dict(disk.rows)
    scene.broker.restart(hard=True)
    scene.advance(0.01)
    assert disk.rows == before
    client = scene.client()
    client.send("basic.get", queue="q", no_ack=True)
    client.publish("", "q", b"3", **PERSISTENT)
    assert [body for body, _ in drain(reopened(scene, disk).client(), "q")] == [b"1", b"2", b"3"]


def test_a_reset_leaves_an_empty_disk() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("exchange.declare", exchange="e", exchange_type="topic", durable=True)
    client.send("queue.bind", queue="q", exchange="e", routing_key="k")
    client.publish("", "q", b"x", **PERSISTENT)
    scene.advance(0.01)
    scene.broker.reset()
    scene.advance(0.01)
    assert disk.rows == {}
    assert {kind for kind, names in disk.entities.items() if names} == {"amqp.vhost"}


def test_while_nothing_can_be_written_publishers_are_blocked_and_nothing_is_confirmed() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("confirm.select")
    client.publish("", "q", b"kept", **PERSISTENT)
    disk.at_once = False
    scene.advance(0.01)
    disk.store.failed("the disk is full")
    assert scene.broker.memory.low == ["disk"]
    assert names(client.publish("", "q", b"waits", **PERSISTENT)) == ["connection.blocked"]
    disk.commit()
    assert scene.broker.memory.low == []
    disk.at_once = True
    scene.advance(0.01)
    assert "basic.ack" in names(client.received())
    assert isinstance(scene.broker, AmqpBroker)
    assert [body for body, _ in drain(scene.client(), "q")] == [b"kept", b"waits"]


def test_a_dead_letter_is_known_as_one_after_a_start() -> None:
    """Its x-death is the broker's own: a client's counts no more in 4.0."""
    content = bytes((HEADER,)) + b"frames"
    for made in (Buried(content), content):
        again = unpacked(packed(made))
        assert (type(again), again) == (type(made), made)


def test_what_is_acknowledged_before_it_is_written_never_is() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("basic.consume", queue="q", consumer_tag="c")
    scene.advance(0.01)
    assert disk.store is not None
    before = disk.store.rows_written
    for number in range(6):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    for tag in (1, 3, 4):
        client.send("basic.ack", delivery_tag=tag)
    client.send("basic.reject", delivery_tag=2, requeue=False)
    scene.advance(0.01)
    assert disk.store.rows_written - before == 2
    assert drain(reopened(scene, disk).client(), "q") == [(b"4", True), (b"5", True)]


def test_what_could_not_be_written_down_is_written_down_the_next_time(monkeypatch) -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    scene.advance(0.01)
    client.publish("", "q", b"kept", **PERSISTENT)
    with monkeypatch.context() as failing:
        failing.setattr(message_rows, "packed", lambda content: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            scene.advance(0.01)
    assert drain(reopened(scene, disk).client(), "q") == [(b"kept", True)]


def test_messages_of_any_header_keep_all_that_they_have() -> None:
    """Those that begin alike are told apart from those that do not, one by one."""
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("queue.bind", queue="q", exchange="amq.topic", routing_key="#")
    kinds = [
        ("", "q", b"short", PERSISTENT),
        ("", "q", b"short", {}),
        ("amq.topic", "a.b", b"other", PERSISTENT),
        ("amq.topic", "a.c", b"longer than it", {**PERSISTENT, "message_id": "1"}),
        ("", "q", b"", PERSISTENT),
        ("", "q", b"x" * 70_000, {**PERSISTENT, "content_type": "t"}),
    ]
    for exchange, key, body, properties in (*kinds, *kinds):
        client.publish(exchange, key, body, **properties)
    again = reopened(scene, disk).client()
    found = []
    while (got := again.send("basic.get", queue="q", no_ack=True)[0]).name == "basic.get-ok":
        found.append((got["exchange"], got["routing_key"], got.body, got.properties))
    assert found == [each for each in kinds if each[3]] * 2


@pytest.mark.parametrize("odd", ["nothing", "body", "size", "key", "header", "dead letter"])
def test_a_burst_of_messages_that_are_alike_is_kept_as_each_would_be(
    monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    def rows_of(many: int) -> dict[int, bytes]:
        monkeypatch.setattr(message_rows, "_MANY", many)
        scene, disk = on_disk()
        client = scene.client()
        client.send("queue.declare", queue="q", durable=True)
        client.send("queue.bind", queue="q", exchange="amq.topic", routing_key="#")
        client.send("basic.consume", queue="q")
        for number in range(20):
            key = "b" if odd == "key" and number == 7 else "a"
            body = b"%02d" % number + b"x" * (odd == "size" and number == 7)
            more = {"priority": 1} if odd == "header" and number == 7 else {}
            client.publish("amq.topic", key, body, **PERSISTENT, **more)
        queue = scene.broker.vhosts["/"].queues["q"]
        if odd == "dead letter":
            message = queue.keeping.fresh[7]
            message.content = Buried(message.content[1:])
        for tag in (1, 2, 9, 20):
            client.send("basic.ack", delivery_tag=tag)
        scene.advance(0.02)
        return disk.rows

    alike, each = rows_of(8), rows_of(1000)
    assert (alike, len(alike)) == (each, 16)


def test_a_queue_that_gets_rules_goes_on_with_what_is_not_written_yet() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    client.send("basic.consume", queue="q", consumer_tag="c")
    for number in range(4):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    scene.broker.set_policy("short", "^q", {"max-length": 100})
    client.send("basic.ack", delivery_tag=2)
    client.publish("", "q", b"4", **PERSISTENT)
    assert [body for body, _ in drain(reopened(scene, disk).client(), "q")] == [
        b"0", b"2", b"3", b"4"
    ]  # fmt: skip


def test_a_restart_in_the_group_in_which_messages_came_keeps_each_once() -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True)
    for number in range(3):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
    scene.broker.restart()
    client = scene.client()
    assert client.send("basic.get", queue="q", no_ack=True)[0].body == b"0"
    client.publish("", "q", b"3", **PERSISTENT)
    client.send("queue.purge", queue="q")
    client.publish("", "q", b"4", **PERSISTENT)
    assert [body for body, _ in drain(reopened(scene, disk).client(), "q")] == [b"4"]


@pytest.mark.parametrize("arguments", [*TYPES, {"x-queue-type": "stream"}])
def test_a_kill_in_the_group_in_which_something_came_loses_that_alone(
    arguments: dict[str, Any],
) -> None:
    scene, disk = on_disk()
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=arguments)
    client.send("queue.declare", queue="stays", durable=True)
    for number in range(3):
        client.publish("", "q", b"%d" % number, **PERSISTENT)
        client.publish("", "stays", b"%d" % number, **PERSISTENT)
    scene.advance(0.01)
    before = dict(disk.rows)
    # All of it is in one group, which nobody was told of.
    client.publish("", "q", b"lost", **PERSISTENT)
    client.send("queue.declare", queue="lost", durable=True)
    client.publish("", "lost", b"lost", **PERSISTENT)
    client.send("queue.delete", queue="stays")
    scene.broker.restart(hard=True)
    queues = scene.broker.vhosts["/"].queues
    assert {name: len(queue.messages) for name, queue in queues.items()} == {"q": 3, "stays": 3}
    scene.advance(0.01)
    assert disk.rows == before
    client = scene.client()
    client.publish("", "q", b"3", **PERSISTENT)
    # Of who got what nothing is known after a kill.
    assert drain(client, "stays") == [(b"%d" % number, True) for number in range(3)]
    again = reopened(scene, disk).broker.vhosts["/"].queues
    assert {name: len(queue.messages) for name, queue in again.items()} == {"q": 4, "stays": 0}

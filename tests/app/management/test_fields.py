"""Every field that RabbitMQ 3.10.8's management interface has: ours has it, or here is why not."""

from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote

import pytest
from mockforge_brokers.listener import Listener

from .test_management import Place

_ERLANG = "a figure of Erlang's processes, of which there is none"
_STORE = "a figure of RabbitMQ's stores of messages and facts"
_BY_WAY = "deliveries are counted together: whether by get, and with which ack, costs each message"
_BY_CHANNEL = "messages are counted by queue and exchange; to count by channel costs each message"
_LOOKS = "it would look into each message"
LEFT_OUT = {
    "*garbage_collection.*": _ERLANG,
    "*reductions*": _ERLANG,
    "nodes/NODE proc_total": _ERLANG,
    "nodes/NODE proc_used_details*": _ERLANG,
    "nodes/NODE context_switches*": _ERLANG,
    "nodes/NODE gc_bytes_reclaimed*": _ERLANG,
    "nodes/NODE gc_num_details*": _ERLANG,
    "nodes/NODE metrics_gc_queue_length.*": _ERLANG,
    "nodes/NODE ra_open_file_metrics.*": _ERLANG,
    "* contexts[[]].cowboy_opts": _ERLANG,
    "overview listeners[[]].socket_opts.[bel]*": "the system's own are in force",
    "nodes/NODE db_dir": "there is none, but with a data folder of all protocols",
    "nodes/NODE io_*": _STORE,
    "nodes/NODE m[ns]*_count*": _STORE,
    "nodes/NODE queue_index_*": _STORE,
    "overview message_stats.disk_*": _STORE,
    "queues/* backing_queue_status.[adnpqt]*": _STORE,
    "nodes/NODE disk_free_details*": "looked at when it is asked for",
    "nodes/NODE fd_used_details*": "looked at when it is asked for",
    "nodes/NODE mem_used_details*": "looked at when it is asked for",
    "nodes/NODE sockets_used_details*": "looked at when it is asked for",
    "overview sample_retention_policies.*": "rates are those of the last seconds, nothing is kept",
    "connections/NAME *_cnt": "bytes are counted, not reads and writes",
    "connections/NAME *_oct_details*": "rates are those of queues and exchanges",
    "vhosts/* *_oct*": "bytes are counted by connection",
    "channels/* message_stats*": _BY_CHANNEL,
    "channels/* idle_since": "no message is timed",
    "queues/* idle_since": "no message is timed",
    "*message_stats.deliver": _BY_WAY,
    "*message_stats.deliver_details*": _BY_WAY,
    "*message_stats.deliver_no_ack*": _BY_WAY,
    "*message_stats.get*": _BY_WAY,
    "*message_stats.confirm*": "confirms are counted as the methods they come in (metrics)",
    "*message_stats.*_unroutable*": "exchanges have what came in and what went out",
    "queues/* message*_persistent": _LOOKS,
    "queues/* message_bytes_ram": _LOOKS,
}
_FIELDS = Path(__file__).with_name("fields.txt")


def recorded() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in _FIELDS.read_text().splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            fields = found[line] = set()
            continue
        for word in line.split():
            name = word.rstrip("*")
            fields |= {name, f"{name}_details.rate"} if word != name else {name}
    return found


def fields_of(value: object, at: str = "") -> set[str]:
    """Each with its way from the top; an empty object is a field itself."""
    if isinstance(value, list):
        nested = bool(value) and isinstance(value[0], dict)
        return fields_of(value[0], f"{at}[]") if nested else {f"{at}[]"}
    if not isinstance(value, dict) or not value:
        return {at}
    found: set[str] = set()
    for key, inner in value.items():
        name = "NODE" if "@" in key else key
        found |= fields_of(inner, f"{at}.{name}" if at else name)
    return found


@pytest.fixture(scope="module")
def furnished() -> Place:
    """As RabbitMQ was when it was asked."""
    place = Place()
    place.scene.environment.listeners.append(Listener("amqp", port=5672))
    broker, client = place.scene.broker, place.scene.client()
    broker.set_policy("fp", "^f-", {"max-length": 100}, apply_to="queues")
    broker.declare_exchange("f-x", "topic")
    rich = {"x-max-priority": 5, "x-single-active-consumer": True}
    for name, arguments in (
        ("f-classic", {}),
        ("f-rich", rich),
        ("f-quorum", {"x-queue-type": "quorum"}),
        ("f-stream", {"x-queue-type": "stream"}),
    ):
        client.send("queue.declare", queue=name, durable=True, arguments=arguments)
        if name != "f-stream":
            client.send("basic.consume", queue=name, consumer_tag=name)
    client.send("channel.open", channel=2)
    client.send("confirm.select", channel=2)
    for name in ("f-classic", "f-rich", "f-quorum", "f-stream"):
        client.publish("", name, b"four")
    place.scene.advance(10)
    return place


def asked(place: Place, path: str) -> dict[str, object]:
    name = place.get("connections")[0]["name"]
    node = place.get("overview")["node"]
    path = path.replace("connections/NAME", f"connections/{quote(name, safe='')}")
    for number, which in enumerate(("CONSUMING", "PUBLISHING"), 1):
        path = path.replace(which, quote(f"{name} ({number})", safe=""))
    found = place.get(path.replace("NODE", node))
    return found[0] if isinstance(found, list) else found


def test_each_field_of_rabbitmqs_management_is_there_or_left_out_for_a_reason(
    furnished: Place,
) -> None:
    missing, used = [], set()
    for path, fields in recorded().items():
        ours = fields_of(asked(furnished, path))
        for field in sorted(fields - ours):
            # A list of objects is there when it is empty too.
            if any(f"{field.partition('[].')[0]}[]" == each for each in ours):
                continue
            reasons = [each for each in LEFT_OUT if fnmatch(f"{path} {field}", each)]
            used.update(reasons)
            if not reasons:
                missing.append(f"{path} {field}")
    assert not missing, "\n".join(missing)
    assert set(LEFT_OUT) == used


def test_bytes_are_those_of_ready_and_unacked_messages(furnished: Place) -> None:
    found = furnished.get("queues/%2F/f-classic")
    assert (found["message_bytes"], found["message_bytes_unacknowledged"]) == (4, 4)
    assert (found["message_bytes_ready"], found["messages_ram"]) == (0, 1)
    stream = furnished.get("queues/%2F/f-stream")
    assert (stream["message_bytes"], stream["readers"]) == (4, {stream["node"]: 0})


def test_a_queue_says_when_its_first_message_was_made() -> None:
    place = Place()
    place.scene.broker.declare_queue("q")
    assert place.get("queues/%2F/q")["head_message_timestamp"] is None
    place.scene.broker.publish("", "q", b"x", properties={"timestamp": 1_700_000_000})
    assert place.get("queues/%2F/q")["head_message_timestamp"] == 1_700_000_000

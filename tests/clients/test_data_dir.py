"""`--data-dir` as clients see it: kills, a full disk, a folder that is in use, restarts."""

import json
import resource
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests import kills

pytestmark = pytest.mark.client
PROGRAM = [
    sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports", "--no-admin",
]  # fmt: skip


@pytest.mark.parametrize("protocol", kills.PROTOCOLS)
@pytest.mark.parametrize("seed", range(2))
def test_what_was_confirmed_before_a_kill_is_there_once(protocol, seed):
    assert kills.round_of(protocol, 2000, seed + 100).confirmed


def started(folder, *options, **how):
    process = subprocess.Popen(
        [*PROGRAM, "--data-dir", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )
    return process, json.loads(process.stdout.readline())


def ended(process):
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=150)[1]


def limited():
    """Of each file the disk takes so much, and no more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))


def make_room(process):
    """The limit is the process's own: what waited is written by and by."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1 << 40, resource.RLIM_INFINITY))


def goes_on_after_a_kill(process, folder):
    """The one and the next run have nothing to complain of but the disk."""
    process.kill()
    errors = process.communicate(timeout=150)[1]
    assert "kept-00000001.seg" in errors
    assert "Traceback" not in errors
    return started(folder)


def test_on_a_full_disk_mqtt_publishers_hear_of_it_and_nothing_confirmed_is_lost(tmp_path):
    import paho.mqtt.client as paho

    process, facts = started(tmp_path, preexec_fn=limited)

    def client(name, heard=None, **how):
        """What a session kept comes with the connection: who hears it is there before."""
        made = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, **how)
        made.on_message = heard
        made.reconnect_delay_set(1, 1)
        place = urlsplit(facts["mqtt"]["url"])
        made.connect(place.hostname, place.port, **({} if how else {"clean_start": False}))
        made.loop_start()
        return made

    def reader():
        """Its session outlasts it: what comes meanwhile is kept for it."""
        subscribed, got = [], []
        made = client(
            "reader",
            lambda *args: got.append(args[2].payload[:3]),
            clean_session=False,
            protocol=paho.MQTTv311,
        )
        made.on_subscribe = lambda *args: subscribed.append(1)
        made.subscribe("t", 1)
        kills.until(lambda: subscribed, "subscribed")
        return made, got

    def ends(each):
        each.disconnect()
        each.loop_stop()

    ends(reader()[0])
    codes = {}
    writer = client("writer", protocol=paho.MQTTv5)
    writer.on_publish = lambda *args: codes.__setitem__(args[2], args[3].value)

    def publish(number):
        return writer.publish("t", b"%03d" % number + bytes(10_000), 1).mid

    sent = {}
    for number in range(200):
        sent[publish(number)] = number
        kills.until(lambda: len(codes) == len(sent) or 0x97 in codes.values(), "each is answered")
        if 0x97 in codes.values():
            break
    assert 0 in codes.values()
    make_room(process)
    last = 900
    while sent.get(max(codes)) != last or codes[max(codes)]:
        sent[publish(last)] = last
        kills.until(lambda: len(codes) == len(sent), "each is answered")
    ends(writer)
    confirmed = {b"%03d" % sent[mid] for mid, code in codes.items() if not code}
    process, facts = goes_on_after_a_kill(process, tmp_path)
    again, got = reader()
    kills.until(lambda: b"900" in got, "all that was kept")
    ends(again)
    assert confirmed <= set(got)
    assert "Traceback" not in ended(process)


def test_on_a_full_disk_amqp_publishers_are_blocked_and_nothing_confirmed_is_lost(tmp_path):
    import pika
    from pika.exceptions import AMQPError

    process, facts = started(tmp_path, preexec_fn=limited)
    lasting = pika.BasicProperties(delivery_mode=2)
    confirmed, blocked, open_again = [], [], []

    def watch(connection):
        connection.add_on_connection_blocked_callback(lambda *args: blocked.append(1))
        connection.add_on_connection_unblocked_callback(lambda *args: open_again.append(1))

    def connected():
        connection = pika.BlockingConnection(pika.URLParameters(facts["amqp"]["url"]))
        watch(connection)
        channel = connection.channel()
        channel.queue_declare("q", durable=True)
        channel.confirm_delivery()
        return connection, channel

    def publish(channel, number):
        channel.basic_publish("", "q", b"%03d" % number + bytes(10_000), lasting)
        confirmed.append(b"%03d" % number)

    connection, channel = connected()
    with pytest.raises(AMQPError):
        # Cut off in the midst of it, or answered by basic.nack.
        for number in range(200):
            publish(channel, number)
    assert confirmed
    # Who publishes is blocked, and what else is asked waits with it: nothing is asked then.
    if not connection.is_open:
        connection = pika.BlockingConnection(pika.URLParameters(facts["amqp"]["url"]))
        watch(connection)
        channel = connection.channel()
        channel.basic_publish("", "q", b"899", lasting)
    while not blocked:
        connection.process_data_events(0.1)
    make_room(process)
    while not open_again:
        connection.process_data_events(0.1)
    channel.confirm_delivery()
    publish(channel, 900)
    connection.close()
    process, facts = goes_on_after_a_kill(process, tmp_path)
    connection, channel = connected()
    got = []
    while (found := channel.basic_get("q", auto_ack=True))[0]:
        got.append(found[2][:3])
    connection.close()
    assert set(confirmed) <= set(got)
    assert "Traceback" not in ended(process)


def test_what_waits_outside_of_a_queue_is_there_after_a_kill(tmp_path):
    """A dead letter that found no queue yet, and a message that is delayed."""
    import pika

    process, facts = started(tmp_path)
    lasting = {"delivery_mode": 2}
    dead_lettered = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "dlx",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }

    def connected():
        connection = pika.BlockingConnection(pika.URLParameters(facts["amqp"]["url"]))
        channel = connection.channel()
        channel.confirm_delivery()
        return connection, channel

    connection, channel = connected()
    channel.exchange_declare("dlx", "fanout", durable=True)
    channel.queue_declare("orders", durable=True, arguments=dead_lettered)
    channel.exchange_declare(
        "later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"}
    )
    for name in ("dead", "due"):
        channel.queue_declare(name, durable=True)
    channel.queue_bind("due", "later", "due")
    channel.basic_publish("", "orders", b"poison", pika.BasicProperties(**lasting))
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.basic_publish(
        "later", "due", b"delayed", pika.BasicProperties(headers={"x-delay": 1500}, **lasting)
    )
    # Too late for the dead letter, which is tried again after three minutes, or at a start.
    channel.queue_bind("dead", "dlx")
    connection.close()
    process.kill()
    assert "Traceback" not in process.communicate(timeout=150)[1]
    process, facts = started(tmp_path)
    connection, channel = connected()
    came = {}

    def took(name):
        found = channel.basic_get(name, auto_ack=True)
        if found[0]:
            came.setdefault(name, []).append((found[2], found[1].headers))
        return name in came

    for name in ("dead", "due"):
        kills.until(lambda name=name: took(name), f"{name} got its message")
    for name in ("dead", "due"):
        took(name)
    connection.close()
    ((poison, headers),), ((delayed, held),) = came["dead"], came["due"]
    assert (poison, headers["x-death"][0]["reason"]) == (b"poison", "rejected")
    assert (delayed, held["x-delay"]) == (b"delayed", -1500)
    assert "Traceback" not in ended(process)


def test_on_a_full_disk_producers_hear_of_it_and_the_program_goes_on(tmp_path):
    from confluent_kafka import KafkaError, KafkaException, Producer
    from confluent_kafka.admin import AdminClient

    process, facts = started(tmp_path, preexec_fn=limited)
    address = {"bootstrap.servers": facts["kafka"]["bootstrap"], "log_level": 0}
    heard = []
    producer = Producer({**address, "retries": 0, "message.timeout.ms": 20_000, "linger.ms": 0})

    def refused():
        producer.produce(
            "t", b"x" * 10_000, on_delivery=lambda error, _: heard.append(error and error.code())
        )
        producer.poll(0.01)
        return KafkaError.KAFKA_STORAGE_ERROR in heard

    # The first one alone: a batch of many may find no room. What is under way when the disk is full
    # waits and hears nothing, and what comes behind it is refused.
    refused()
    producer.flush(30)
    assert heard == [None]
    kills.until(refused, "a refusal")
    try:
        assert "t" in AdminClient(address).list_topics(timeout=30).topics
    except KafkaException as error:
        pytest.fail(f"the program does not go on: {error}")
    make_room(process)
    producer = Producer({**address, "message.timeout.ms": 20_000})
    kept = []
    kills.until(lambda: _produced(producer, kept), "room again")
    errors = ended(process)
    assert "kept-00000001.seg" in errors
    assert "Traceback" not in errors


def _produced(producer, kept):
    producer.produce("t", b"last", on_delivery=lambda error, _: error or kept.append(1))
    producer.flush(20)
    return kept


def test_a_second_program_on_one_folder_is_refused_with_who_has_it(tmp_path):
    process, _ = started(tmp_path)
    second = subprocess.run(
        [*PROGRAM, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    ended(process)
    assert second.returncode == 3
    assert f"--data-dir {tmp_path} is in use by process {process.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def test_fixtures_that_declare_what_is_there_already_change_nothing(tmp_path):
    fixtures = tmp_path / "shop.yaml"
    fixtures.write_text(
        "mockforge: 1\nkafka:\n  topics:\n    orders: {partitions: 2}\n"
        "amqp:\n  exchanges:\n    - {name: shop, type: topic}\n  queues:\n"
        "    - {name: bills, durable: true}\n"
        "  bindings:\n    - {exchange: shop, queue: bills, routing_key: '#'}\n"
    )
    folder = tmp_path / "data"
    for _ in range(2):
        process, facts = started(folder, str(fixtures))
        assert facts["fixtures"]["files"] == 1
        assert "Traceback" not in ended(process)

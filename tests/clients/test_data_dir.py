"""`--data-dir` as clients see it: kills, a full disk, a folder that is in use, restarts."""

import json
import resource
import signal
import subprocess
import sys

import pytest

from tests import kills

pytestmark = pytest.mark.client
PROGRAM = [
    sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports", "--no-admin",
]  # fmt: skip


@pytest.mark.parametrize("protocol", kills.PROTOCOLS)
@pytest.mark.parametrize("seed", range(2))
def test_what_was_confirmed_before_a_kill_is_there_once(protocol, seed):
    assert "none twice" in kills.round_of(protocol, 2000, seed + 100)


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
    return process.communicate(timeout=30)[1]


def test_on_a_full_disk_producers_hear_of_it_and_the_program_goes_on(tmp_path):
    from confluent_kafka import KafkaError, KafkaException, Producer
    from confluent_kafka.admin import AdminClient

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))

    process, facts = started(tmp_path, preexec_fn=limited)
    address = {"bootstrap.servers": facts["kafka"]["bootstrap"], "log_level": 0}
    heard = []
    producer = Producer({**address, "retries": 0, "message.timeout.ms": 2000, "linger.ms": 0})
    for _ in range(100):
        producer.produce(
            "t", b"x" * 10_000, on_delivery=lambda error, _: heard.append(error and error.code())
        )
        producer.poll(0.01)
    producer.flush(10)
    assert heard[0] is None
    assert KafkaError.KAFKA_STORAGE_ERROR in heard
    try:
        assert "t" in AdminClient(address).list_topics(timeout=10).topics
    except KafkaException as error:
        pytest.fail(f"the program does not go on: {error}")
    # The limit is the process's own: with room again all that waited is written.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1 << 40, resource.RLIM_INFINITY))
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

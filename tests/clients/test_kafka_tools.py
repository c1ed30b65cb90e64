"""Kafka's command line tools, asked the same of our Kafka broker and of Apache Kafka.

Each line of `differential/kafka_tools.txt` is run against both: status and output are the same, but
for what is known to differ with its reason (`kafka_tools_known.py`).
"""

import os
import re
import shutil
import time

import pytest
from benchmarks.common import Skipped
from benchmarks.kafka_apache import apache_kafka, jars
from differential.kafka_tools import read_asked, tools
from differential.kafka_tools_known import KNOWN

from .conftest import Servers

pytestmark = [
    pytest.mark.client,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif("KAFKA_TOOLS" not in os.environ, reason="KAFKA_TOOLS=1 runs it (3 minutes)"),
]

ASKED = read_asked()
CONFIGS = (
    "num.partitions=1",
    "transaction.state.log.num.partitions=4",
    "group.consumer.assignment.interval.ms=0",
    # When groups without members go, which each server looks for by a clock of its own.
    "offsets.retention.check.interval.ms=86400000",
)
PROPERTIES = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
offsets.topic.num.partitions=4
offsets.retention.check.interval.ms=86400000
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Status and output of a line, of Apache Kafka and of ours."""
    if shutil.which("javac") is None:
        pytest.skip("no JDK on this machine")
    try:
        original, library = apache_kafka(PROPERTIES), f"{jars()}/*"
    except Skipped as reason:
        pytest.skip(str(reason))
    with (
        original.start() as port,
        Servers(
            mqtt=False,
            amqp=False,
            kafka_configs=CONFIGS,
            kafka_authorizer=True,
            kafka_super_users=("ANONYMOUS",),
        ) as ours,
        tools(library, tmp_path_factory.mktemp("tools"), ASKED.files) as java,
    ):
        servers = [f"127.0.0.1:{int(one)}" for one in (port, ours.ports["kafka"])]
        yield lambda line: java.ask(line, servers)


@pytest.fixture(scope="module")
def met():
    """What is known and was seen."""
    return set()


def difference(ask, line, met):
    """The answers of both, if they are not the same. What was altered comes into force a little
    later in Apache Kafka: where a line only reads, it is asked again."""
    known = next((one for one in KNOWN if re.fullmatch(one.lines, line.text)), None)
    for _ in range(10 if line.only_reads else 1):
        answers = ask(line)
        if answers[0] == answers[1]:
            return []
        if known is not None and alike(answers, known.left_out):
            met.add(known.reason)
            return []
        time.sleep(0.3)
    return answers


def alike(answers, left_out):
    if not left_out:
        return True
    theirs, ours = (one._replace(text=re.sub(left_out, "", one.text)) for one in answers)
    return theirs == ours


@pytest.mark.parametrize("section", ASKED.lines)
def test_tools_say_the_same_of_both(asked, section, met):
    found = {line.text: difference(asked, line, met) for line in ASKED.lines[section]}
    assert {text: answers for text, answers in found.items() if answers} == {}


def test_each_reason_is_needed(met):
    assert {one.reason for one in KNOWN} - met == set()

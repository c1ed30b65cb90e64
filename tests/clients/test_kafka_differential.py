"""Our Kafka broker and Apache Kafka, asked the same: every field of every answer.

Apache Kafka is started from its jars (`KAFKA_LIB`, or fetched by Maven); without Java and them this
is skipped. What differs for a reason stands in `DIFFERENT`.
"""

import json
import os
import re
import time
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
from benchmarks.common import Skipped
from benchmarks.kafka_apache import SECURED, apache_cluster, apache_kafka
from brokers.kafka import (
    clustering,
    describing,
    gathering,
    internal_topics,
    member_grid,
    migrating,
    probing,
    rejoining,
    repeating,
    sourcing,
    telemetering,
    transacting,
    transaction_grid,
)
from brokers.kafka.asked import NOW, answers
from brokers.kafka.asking import Asking
from brokers.kafka.authorizing import RECORDED as RIGHTS
from brokers.kafka.authorizing import caller, grid
from brokers.kafka.batching import CASES, codes
from brokers.kafka.scene import Scene
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.wire.messages.transactions import AddPartitionsToTxnRequest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(900)]

DIFFERENT = {
    r"Metadata v0: empty": "topics in another order",
    r"OffsetCommit .*: no group": "a group without a name is refused here",
    r"ListGroups .*: empty": "Kafka made the group without a name",
    r"ApiVersions v[012]: empty": "APIs that are not served here are not shown",
    r"AddPartitionsToTxn v[45]: empty": "Kafka never answers an empty batch of transactions",
    r"GetTelemetrySubscriptions v0: empty": "ids are made up",
    r"ListConfigResources v1: empty": "Kafka makes and lists its internal topics; and loggers",
    r"DescribeTopicPartitions v0: empty": "Kafka makes and lists its internal topics",
    r"IncrementalAlterConfigs .*: an operation that is none": "Kafka says UNKNOWN_SERVER_ERROR",
    r"IncrementalAlterConfigs .*: a session too short": "so that tests need not wait for 45 s",
    r"AlterConfigs .*: a group": "so that tests need not wait for 45 s",
}
"""By request, why the answers are not the same."""
if find_spec("re2") is None:
    DIFFERENT[r"ConsumerGroupHeartbeat .*: wrong: the pattern .*"] = "the words are Python's"

SAYS_NOTHING = (
    None,
    "",
    "This server does not host this topic-partition.",
    "This most likely occurs because of a request being malformed by the client library or the"
    " message was sent to an incompatible broker. See the broker logs for more details.",
)
"""Texts of Kafka's that say no more than the code: ours may name what is wrong."""
WORDS = ("error_message", "batch_index_error_message")
VARIES = re.compile(r"-?\d{13,}|cluster id \".*\"")
"""Of texts: times, and the id of the cluster."""

NOT_YET = {
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
}


def started(more=""):
    """A new Apache Kafka, when it is entered."""
    try:
        return apache_kafka(more).start()
    except Skipped as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def kafka():
    with started() as port:
        yield int(port)


@pytest.fixture
def kafkas(kafka):
    """That of all tests of the file, and a new one."""
    return nullcontext(kafka), started()


def agree(heard, wanted, *kafkas):
    """`heard` tells what a port says. On a busy machine a part of Kafka may be late with what no
    answer shows: then the next one is asked, and what the last one says too is a difference."""
    for kafka in kafkas:
        with kafka as port:
            said = json.loads(json.dumps(heard(int(port))))
        if said == wanted:
            return
    assert said == wanted


def asking(play, *names):
    """What `play` hears over one connection."""

    def heard(port):
        with Asking("127.0.0.1", port) as asked:
            return play(patiently(asked.call), *names)

    return heard


def patiently(call):
    """As a client does: ask again where a coordinator that has only just started says so."""

    def again(message, version):
        for _ in range(60):
            answer = call(message, version)
            if getattr(answer, "error_code", 0) not in NOT_YET:
                break
            time.sleep(0.25)
        return answer

    return again


def test_every_answer_is_apache_kafkas(kafkas):
    ours = answers(Scene(wall=NOW / 1000).call)

    def heard(port):
        def fresh(message, version):
            unanswered = isinstance(message, AddPartitionsToTxnRequest) and not message.transactions
            with Asking("127.0.0.1", port, timeout=5 if unanswered else 60) as asked:
                return asked.call(message, version)

        theirs = answers(fresh)
        assert len(theirs) >= 1_400
        unlike = [
            name for name, answer in ours.items() if unlike_but_in_words(answer, theirs[name])
        ]
        unknown = [name for name in unlike if not any(re.fullmatch(one, name) for one in DIFFERENT)]
        return {
            "unlike": {name: [ours[name], theirs[name]] for name in unknown},
            "not unlike any more": [
                one for one in DIFFERENT if not any(re.fullmatch(one, name) for name in unlike)
            ],
        }

    agree(heard, {"unlike": {}, "not unlike any more": []}, *kafkas)


def worded(answer):
    """Without what varies in its texts."""
    if isinstance(answer, str):
        return answer
    return {
        path: VARIES.sub("#", value) if isinstance(value, str) and path.endswith(WORDS) else value
        for path, value in answer.items()
    }


def unlike_but_in_words(ours, theirs):
    ours, theirs = worded(ours), worded(theirs)
    if isinstance(ours, str) or isinstance(theirs, str):
        return ours != theirs
    return any(
        ours.get(path) != theirs.get(path)
        for path in ours.keys() | theirs.keys()
        if not (path.endswith(WORDS) and theirs.get(path) in SAYS_NOTHING)
    )


def test_batches_that_are_not_what_they_say_get_apache_kafkas_codes(kafkas):
    wanted = {name: code for name, (_, code) in CASES.items()}
    agree(asking(codes, "batches"), wanted, *kafkas)


@pytest.mark.parametrize("grid", [transaction_grid, member_grid])
def test_recorded_grids_are_what_apache_kafka_says(kafkas, grid):
    prefix = f"{grid.__name__.rpartition('.')[2]}."
    agree(asking(grid.play, prefix), json.loads(grid.RECORDED.read_text()), *kafkas)


def test_recorded_rights_are_what_apache_kafka_says():
    def heard(port):
        admin = caller("127.0.0.1", port, "admin", "admin")
        return grid(admin, caller("127.0.0.1", port, "alice", "secret"))

    agree(heard, json.loads(RIGHTS.read_text()), started(SECURED), started(SECURED))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in (transacting, migrating, rejoining, telemetering)
        for name in kind.SCENARIOS
        # What is pushed is read only where Kafka has a plugin for it.
        if name != "what is pushed"
    ],
)
def test_recorded_scenarios_are_what_apache_kafka_says(kafkas, kind, name):
    recorded = json.loads(kind.RECORDED.read_text())[name]
    agree(asking(kind.play, name, f"{name.replace(' ', '')}."), recorded, *kafkas)


def test_recorded_clusters_are_what_three_nodes_of_apache_kafka_say():
    """What stops nodes is left to `python -m tests.brokers.kafka.clustering`, for its time."""
    if "KAFKA_CLUSTER" not in os.environ:
        pytest.skip("three servers take a minute to start: set KAFKA_CLUSTER to compare with them")
    recorded = json.loads(clustering.RECORDED.read_text())
    try:
        with apache_cluster() as nodes:
            servers = clustering.Servers(nodes)
            for number, name in enumerate(clustering.SCENARIOS):
                if name not in clustering.STOPPING:
                    said = clustering.play(servers, name, f"d{number}.")
                    assert json.loads(json.dumps(said)) == recorded[name], name
    except Skipped as reason:
        pytest.skip(str(reason))


def test_recorded_apis_features_and_keys_are_what_apache_kafka_shows(kafkas):
    agree(asking(describing.play), json.loads(describing.RECORDED.read_text()), *kafkas)


def test_recorded_repetitions_are_what_apache_kafka_says(kafkas):
    agree(asking(repeating.play), json.loads(repeating.RECORDED.read_text()), *kafkas)


def test_recorded_probes_are_what_apache_kafka_says(kafkas):
    agree(asking(probing.play), json.loads(probing.RECORDED.read_text()), *kafkas)


def test_recorded_sources_of_values_are_what_apache_kafka_shows(kafkas):
    agree(asking(sourcing.play), json.loads(sourcing.RECORDED.read_text()), *kafkas)


@pytest.mark.parametrize("name", gathering.SCENARIOS)
def test_recorded_groups_of_several_members_are_what_apache_kafka_says(kafka, name):
    if "KAFKA_GROUPS" not in os.environ:
        pytest.skip("their timeouts are waited for: set KAFKA_GROUPS to compare with them")
    with gathering.Room("127.0.0.1", kafka) as room:
        said = gathering.play(room, name, "d.")
    assert said == json.loads(gathering.RECORDED.read_text())[name]


def test_recorded_internal_topics_are_what_apache_kafka_says(kafkas):
    """The last one: Kafka's own topics are made anew."""
    agree(asking(internal_topics.play), json.loads(internal_topics.RECORDED.read_text()), *kafkas)

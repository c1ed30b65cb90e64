"""The broker's plain counters as families of figures."""

from collections.abc import Iterator

from ..durations import Durations, Histogram
from ..snapshots import Metric
from .apis.caller import Counters
from .codes import ApiKey, ErrorCode
from .state.cluster import Cluster
from .state.logs.topic import Topic
from .views import committed

_ERRORS = {int(code): code.name for code in ErrorCode}


def families(cluster: Cluster, counters: Counters) -> list[Metric]:
    return [
        *_of_topics(cluster),
        *_of_transactions(cluster),
        *_of_groups(cluster),
        *_of_requests(cluster, counters),
    ]


def latency(counters: Counters) -> Histogram:
    def read() -> list[tuple[tuple[str, ...], Durations]]:
        return [
            ((api.title,), counters.latency[api]) for api in ApiKey if counters.latency[api].count
        ]

    return Histogram(
        "kafka_request_seconds",
        "From a request's turn to its answer, with what it waited for records or members",
        ("api",),
        read,
    )


def _of_topics(cluster: Cluster) -> Iterator[Metric]:
    # Each log is asked once: there may be ten thousand.
    sums = [(topic.name, _sums(topic)) for topic in cluster.topics.values()]
    for at, (name, text) in enumerate(
        (
            ("kafka_messages_produced_total", "Records appended"),
            ("kafka_messages_consumed_total", "Records fetched"),
            ("kafka_bytes_produced_total", "Bytes of appended batches"),
            ("kafka_bytes_consumed_total", "Bytes of fetched batches"),
        )
    ):
        yield Metric(
            name, text, "counter", ("topic",), [((topic,), each[at]) for topic, each in sums]
        )
    yield Metric(
        "kafka_log_records",
        "Records that a topic holds",
        "gauge",
        ("topic",),
        [((topic,), each[-1]) for topic, each in sums],
    )
    yield Metric(
        "kafka_records_truncated_total",
        "Records that left by retention, by a limit, or by hand",
        "counter",
        (),
        [((), float(cluster.bounds.truncated))],
    )
    yield Metric(
        "kafka_log_bytes", "Bytes of all logs", "gauge", (), [((), float(cluster.bounds.cost))]
    )


def _of_transactions(cluster: Cluster) -> Iterator[Metric]:
    known = cluster.transactions
    yield Metric(
        "kafka_transactions_open",
        "Transactions that are open",
        "gauge",
        (),
        [((), float(sum(one.is_open for one in known.by_id.values())))],
    )
    yield Metric(
        "kafka_transactions_total",
        "Transactions that ended",
        "counter",
        ("result",),
        [(("commit",), float(known.committed)), (("abort",), float(known.aborted))],
    )


def _of_groups(cluster: Cluster) -> Iterator[Metric]:
    groups = list(cluster.groups.by_id.values())
    yield Metric(
        "kafka_consumer_lag",
        "Records between what a group committed and the end of the log",
        "gauge",
        ("group", "topic", "partition"),
        [
            ((group.group_id, one.topic, str(one.partition)), float(one.lag))
            for group in groups
            for one in committed(cluster, group)
            if one.lag is not None
        ],
    )
    yield Metric(
        "kafka_group_members",
        "Members of each group",
        "gauge",
        ("group",),
        [((group.group_id,), float(len(group.members))) for group in groups],
    )
    yield Metric(
        "kafka_group_generation",
        "How many generations each group had",
        "gauge",
        ("group",),
        [((group.group_id,), float(group.generation_id)) for group in groups],
    )


def _of_requests(cluster: Cluster, counters: Counters) -> Iterator[Metric]:
    yield Metric(
        "kafka_requests_total",
        "Requests handled",
        "counter",
        ("api",),
        [
            ((ApiKey(key).title,), float(count))
            for key, count in enumerate(counters.requests)
            if count
        ],
    )
    yield Metric(
        "kafka_errors_total",
        "Error codes in responses",
        "counter",
        ("api", "code"),
        [
            ((ApiKey(api_key).title, _ERRORS.get(code, str(code))), float(count))
            for (api_key, code), count in sorted(counters.errors.items())
        ],
    )
    yield Metric(
        "kafka_requests_refused_total",
        "Requests of an API or version that is not served",
        "counter",
        (),
        [((), float(counters.refused))],
    )


def _sums(topic: Topic) -> tuple[float, float, float, float, float]:
    """Records in and out, bytes in and out, and records that it holds, in the order above."""
    records_in = records_out = bytes_in = bytes_out = held = 0
    for log in topic.logs:
        records_in += log.records_in
        records_out += log.records_out
        bytes_in += log.bytes_in
        bytes_out += log.bytes_out
        held += log.records
    return float(records_in), float(records_out), float(bytes_in), float(bytes_out), float(held)

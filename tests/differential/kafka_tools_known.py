"""Where Kafka's tools print another thing of us than of Apache Kafka 4.4, and why.

A reason that no line needs any more fails the test, as a difference without a reason does.
"""

from typing import Final, NamedTuple


class Known(NamedTuple):
    lines: str
    """A pattern of the lines of kafka_tools.txt."""
    reason: str
    left_out: str = ""
    """A pattern of what is left out of both before they are compared; empty: all may differ."""


_APIS: Final = r"\t[^\n(]*\((7[126-9]|8[3-9]|9\d)\)[^\n]*\n"

KNOWN: Final = (
    Known(
        "broker-api-versions|cluster api-versions %",
        "groups of sharing consumers and of Streams are left out, as UnregisterController; what"
        " clients measure is taken, which Kafka does with a plugin alone",
        _APIS,
    ),
    Known(
        "features % describe",
        "the features that are left out",
        r"(?m)^Feature: (share|streams).*\n",
    ),
    Known(
        "metadata-quorum % describe .*--status",
        "the metadata is no log, and the controller listens where the broker does",
        r"HighWatermark: +\d+|(?<=CONTROLLER://)[^\"]*",
    ),
    Known(
        "metadata-quorum % describe .*--replication.*",
        "the metadata is no log",
        r"(?<=UUID\t)\d+ *",
    ),
    Known(
        "configs --describe --entity-type broker-loggers --entity-name 1",
        "each program has loggers of its own",
    ),
    Known(
        "(share-groups|share-consumer-perf-test|8s verifiable-share-consumer) .*",
        "groups of sharing consumers are left out: refused by the name of the API",
    ),
    Known(
        "streams-groups .*",
        "Kafka Streams' own groups are left out: refused by the name of the API",
    ),
)

"""Presets: known kinds of trouble as lines of the console, with parameters."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.protocols import PROTOCOLS

from ...filters import quote
from ...units import parse_duration, parse_share


class Step(NamedTuple):
    """A line, `after` a while (a duration, perhaps of a parameter) from the preset's start.

    `of`: the protocol without which it cannot run. `NEWEST` in it is the number of the newest
    connection as it runs. A line with `NODE` is for each node of a cluster, one after the other:
    each is `away` for so long, and there again for as long before the next one goes.
    """

    line: str
    after: str = "0s"
    of: str = ""
    away: str = "0s"


class Preset(NamedTuple):
    """`parameters` stand in the lines as {name}; each has a default."""

    name: str
    summary: str
    healthy: str
    """What a healthy client does under it."""
    parameters: Mapping[str, str]
    steps: tuple[Step, ...]


_SEVERAL: Final = re.compile(r"[\s()'\"]")
NEWEST: Final = "{newest}"
NODE: Final = "{node}"
"""Behind a protocol's name: the number of a node with its slash, nothing where there is one."""
_DELIVERED: Final = "(op:Fetch or op:basic.deliver or op:PUBLISH)"

_PRESETS: Final = (
    Preset(
        "flaky-wifi",
        "a radio link: late, now and then very late, and it breaks",
        "reconnects with a growing pause and resends what was not confirmed; nothing is lost",
        {"client": "*", "delay": "40ms", "jitter": "80ms", "breaks": "1%"},
        (
            Step("fault add disconnect client:{client} --rst --p {breaks}"),
            Step("fault add delay client:{client} {delay} --jitter {jitter} --log-normal"),
        ),
    ),
    Preset(
        "subway",
        "long gaps in which nothing passes, twice",
        "notices by keep alive or heartbeat, and catches up after each gap without doubling",
        {"client": "*", "gap": "20s", "apart": "60s"},
        (
            Step("fault add blackhole client:{client} {gap} --for {gap}"),
            Step("fault add blackhole client:{client} {gap} --for {gap}", "{apart}"),
        ),
    ),
    Preset(
        "slow-consumer",
        "clients get their messages at a trickle",
        "bounds what it buffers, and its producers do not fail for it",
        {"client": "*", "rate": "2/s"},
        (
            Step(
                f"fault add throttle client:{{client}} {_DELIVERED} --dir out --messages {{rate}}"
            ),
            # A Fetch response is one frame, however many batches are in it: here it has one.
            Step("fault add set client:{client} op:Fetch max_bytes=1 --dir in", of="kafka"),
        ),
    ),
    Preset(
        "leader-failover",
        "Kafka partitions without a leader for a while, and then with another one",
        "asks for metadata again and retries; an idempotent producer stores each record once",
        {"topic": "*", "time": "10s"},
        (
            Step(
                "fault add refuse op:Produce topic:{topic} NOT_LEADER_OR_FOLLOWER --for {time}",
                of="kafka",
            ),
            Step(
                "fault add refuse op:Fetch topic:{topic} NOT_LEADER_OR_FOLLOWER --for {time}",
                of="kafka",
            ),
            Step("leader move {topic}", of="kafka"),
        ),
    ),
    Preset(
        "coordinator-loss",
        "Kafka groups whose coordinator does not answer for them",
        "looks for its coordinator again, keeps its partitions, and commits later",
        {"time": "10s"},
        (
            Step("fault add refuse op:Heartbeat NOT_COORDINATOR --for {time}", of="kafka"),
            Step(
                "fault add refuse op:ConsumerGroupHeartbeat NOT_COORDINATOR --for {time}",
                of="kafka",
            ),
            Step("fault add refuse op:OffsetCommit NOT_COORDINATOR --for {time}", of="kafka"),
            Step(
                "fault add refuse op:FindCoordinator COORDINATOR_NOT_AVAILABLE --for {time}",
                of="kafka",
            ),
        ),
    ),
    Preset(
        "rebalance-storm",
        "Kafka groups that must agree anew again and again",
        "commits before it gives partitions up, and takes up where it was",
        {"every": "3", "time": "1m"},
        (
            Step(
                "fault add refuse op:Heartbeat REBALANCE_IN_PROGRESS --every {every} --for {time}",
                of="kafka",
            ),
            Step(
                "fault add refuse op:ConsumerGroupHeartbeat FENCED_MEMBER_EPOCH --every {every}"
                " --for {time}",
                of="kafka",
            ),
        ),
    ),
    Preset(
        "zombie-producer",
        "a Kafka producer that was replaced by another one",
        "stops: what it sends would be another's",
        {"client": "*", "topic": "*", "times": "1"},
        (
            Step(
                "fault add refuse op:Produce client:{client} topic:{topic} INVALID_PRODUCER_EPOCH"
                " --times {times}",
                of="kafka",
            ),
        ),
    ),
    Preset(
        "rolling-restart",
        "each broker (each node of a Kafka cluster) goes away for a while, one after the other",
        "waits with a growing pause, and loses nothing that was confirmed",
        {"down": "3s", "apart": "10s", "later": "20s"},
        (
            Step("broker stop kafka{node} --for {down} -y", of="kafka", away="{down}"),
            Step("broker stop mqtt --for {down} -y", "{apart}", "mqtt"),
            Step("broker stop amqp --for {down} -y", "{later}", "amqp"),
        ),
    ),
    Preset(
        "thundering-herd",
        "all clients lose their connections at once, and are let in slowly",
        "comes back at a random moment with a growing pause, not with all the others",
        {"broker": "mqtt", "wait": "2s", "time": "30s"},
        (
            Step(
                "fault add delay op=open proto:{broker} {wait} --jitter {wait} --for {time}",
                of="{broker}",
            ),
            Step("broker restart {broker} --hard -y", of="{broker}"),
        ),
    ),
    Preset(
        "poison-message",
        "a message that cannot be read",
        "puts it aside (a dead letter), says so, and goes on with the next",
        {"target": "kafka:poison", "payload": "hex:fffe007b"},
        (Step("pub {target} {payload}"),),
    ),
    Preset(
        "nack-storm",
        "AMQP publishes that the broker does not take",
        "publishes them again after a pause, each until it is confirmed",
        {"exchange": "*", "times": "20"},
        (
            Step(
                "fault add refuse op:basic.publish topic:{exchange} NACK --times {times}", of="amqp"
            ),
        ),
    ),
    Preset(
        "broker-full",
        "no room: publishers are blocked or refused",
        "stops publishing, keeps what it has within bounds, and goes on when there is room",
        {"time": "10s"},
        (
            Step("fault add block op:basic.publish {time} --for {time}", of="amqp"),
            Step("fault add refuse proto:mqtt op:PUBLISH QUOTA_EXCEEDED --for {time}", of="mqtt"),
            Step("fault add refuse op:Produce KAFKA_STORAGE_ERROR --for {time}", of="kafka"),
        ),
    ),
    Preset(
        "clock-skew",
        "the brokers' clock is ahead, and stays so when the run is over",
        "does not take its own clock for the brokers'",
        {"by": "1h"},
        (Step("clock advance {by}"),),
    ),
    Preset(
        "half-open",
        "the connections that are there are dead, and do not look it; new ones live",
        "finds out by its own time-out, keep alive or heartbeat, and connects anew",
        {"client": "*", "time": "30s"},
        (Step("fault add blackhole client:{client} conn<={newest} {time} --for {time}"),),
    ),
    Preset(
        "lossy-answers",
        "messages arrive, and their confirms do not",
        "gives up waiting and sends again (MQTT: on a new connection); idempotent, of QoS 2, or its"
        " receivers know a message by its id",
        {"client": "*", "loss": "20%"},
        (
            # Behind an answer that is missing no other comes: its connection broke.
            Step("fault add disconnect client:{client} op:Produce --after --p {loss}"),
            Step(
                "fault add drop client:{client} (op:PUBACK or op:PUBREC or op:PUBCOMP) --dir out"
                " --p {loss}"
            ),
            Step("fault add drop client:{client} op:basic.ack --dir out --p {loss}"),
        ),
    ),
    Preset(
        "cert-expiry",
        "new TLS connections meet a certificate that has expired (--tls auto)",
        "does not connect, says why, and tries again with a growing pause until it is renewed",
        {"time": "30s"},
        (Step("tls expire --for {time}"),),
    ),
    Preset(
        "observe",
        "nothing: clients are only watched, beside faults that you add yourself",
        "does what it always does",
        {},
        (),
    ),
    Preset(
        "split-brain",
        "the network parts: some clients are cut off from the brokers, and so from all others",
        "does not act on what it knew before: it asks first, and what it sent may arrive late",
        {"client": "a-*", "time": "30s"},
        (Step("fault add partition client:{client} --for {time}"),),
    ),
)

PRESETS: Final[Mapping[str, Preset]] = {preset.name: preset for preset in _PRESETS}


def lines_of(
    preset: Preset,
    given: Iterable[tuple[str, str]] = (),
    served: Collection[str] = tuple(PROTOCOLS),
    nodes: Callable[[str], Sequence[int]] = lambda protocol: (),
) -> list[tuple[float, str]]:
    """Each line with its parameters in, and when it is due (s); raises InvalidInput.

    Those of protocols that are not `served` are left out, unless all of them are. `nodes` says
    which are there of a protocol's cluster: what comes behind their lines is due as much later.
    """
    values = {"newest": NEWEST, "node": NODE, **preset.parameters}
    for name, value in given:
        if name not in preset.parameters:
            known = ", ".join(preset.parameters)
            raise InvalidInput(f"{preset.name} has no parameter {name!r}; it has {known}")
        # As one word of its line, whatever is in it: the name of a client may have blanks.
        values[name] = quote(value) if _SEVERAL.search(value) else value
    steps = [Step(*(part.format_map(values) for part in step)) for step in preset.steps]
    needed = {step.of for step in steps}
    if steps and needed.isdisjoint({"", *served}):
        raise InvalidInput(f"{preset.name} takes {' or '.join(sorted(needed))}: not served here")
    try:
        wanted = [one for one in steps if (not one.of or one.of in served) and _happens(one)]
        return list(_in_time(wanted, nodes))
    except ValueError as error:
        raise InvalidInput(f"{preset.name}: {error}") from None


def _happens(step: Step) -> bool:
    """A fault of no probability is one that nobody wants."""
    _, likely, share = step.line.partition(" --p ")
    return not likely or parse_share(share) > 0


def _in_time(
    steps: Iterable[Step], nodes: Callable[[str], Sequence[int]]
) -> Iterator[tuple[float, str]]:
    later = 0.0
    for step in steps:
        after, apart = parse_duration(step.after) + later, 2 * parse_duration(step.away)
        names = [f"/{node}" for node in nodes(step.of)] if NODE in step.line else []
        for turn, name in enumerate(names or [""]):
            yield after + turn * apart, step.line.replace(NODE, name)
        later += max(0, len(names) - 1) * apart

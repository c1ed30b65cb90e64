"""A state machine beside two brokers: each of its steps goes to RabbitMQ and to us.

`python -m tests.differential.machine PORT OUR-PORT --examples 200` looks for steps that the two
answer differently, and shrinks what it finds to the fewest that do. Time goes by for both: they
wait for it. The situations of amqp.py are what was found so and kept.

Left out is what is known to differ (amqp.REASONS): a prefetch for the whole channel, while it has
several consumers. So does how many consumers a quorum queue says that it has: RabbitMQ counts one
that was cancelled until all of its deliveries are settled. What may differ still: a message that
expires and comes above those of lower priorities. RabbitMQ looks at its time only when it looks at
the head next, and may hand it out when that is over; here it has a timer as every head has.
"""

import argparse
import sys
import time
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .amqp import Player
from .broken_off import HOWS
from .situations import (
    APPLY_TO,
    ARGUMENTS,
    BINDING_KEYS,
    EXCHANGES,
    KEYS,
    PATTERNS,
    POLICY_NAMES,
    QUEUES,
    flow_arguments,
    policies,
)

TTL = 3.0
"""Seconds of what is to end within an example."""
HURRY = TTL / 2
"""Seconds after a wait at which the next one is due: nothing may end between two steps but in it,
since the two brokers meet a step at different moments."""

MORE_ARGUMENTS: tuple[dict[str, Any], ...] = (
    {
        "x-max-length": 1,
        "x-overflow": "reject-publish-dlx",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "diff.b",
    },
    {"x-queue-mode": "lazy", "x-max-length": 2},
    {"x-queue-version": 2, "x-max-priority": 3},
    {"x-queue-version": 1},
    {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "diff.b",
    },
    {"x-queue-type": "stream"},
    {"x-queue-type": "stream", "x-max-length-bytes": 1_000_000, "x-max-age": "1h"},
)
"""What the situations of situations.py, which go by number, do not have. Streams and at-least-once
dead letters come when RabbitMQ gets to them: on a busy machine give it patience."""

queues = st.sampled_from(QUEUES)
exchanges = st.sampled_from(EXCHANGES)
tags = st.sampled_from(("c1", "c2", "c3-auto"))
arguments = st.one_of(
    st.sampled_from((*ARGUMENTS, *flow_arguments(TTL))), st.sampled_from(MORE_ARGUMENTS)
)


class Beside(RuleBasedStateMachine):
    """`original` and `ours` are players of running brokers."""

    original: Player
    ours: Player
    more = False
    """With MORE_ARGUMENTS too."""

    def __init__(self) -> None:
        super().__init__()
        self.players = (self.original, self.ours)
        self.consuming: set[str] = set()
        self.common = False
        self.begun = False
        self.count = 0
        self.waited = time.monotonic()

    @initialize(first=arguments, second=arguments)
    def begin(self, first: dict[str, Any], second: dict[str, Any]) -> None:
        for player in self.players:
            player.begin()
            # From the first step on they say what came to their consumers.
            player.consuming = True
        self.begun = True
        for exchange in EXCHANGES:
            self.both("exchange", exchange=exchange)
        for queue, given in zip(QUEUES, (first, second), strict=True):
            self.declare(queue, given)
            self.both("bind", queue=queue, exchange="diff.fanout", key="")
        self.waited = time.monotonic()

    def both(self, name: str, /, **values: Any) -> str:
        """Do a step on both; they must say the same."""
        step = (name, values)
        if time.monotonic() - self.waited > HURRY:
            self.wait()
        theirs, mine = (player.step(step) for player in self.players)
        assert mine == theirs, f"{step}\n   RabbitMQ: {theirs}\n   ours:     {mine}"
        if "ChannelClosed" in theirs or "ConnectionClosed" in theirs:
            self.forget()
        return theirs

    def forget(self) -> None:
        """A new connection: what belonged to the channel is over."""
        self.consuming.clear()
        self.common = False

    # Topology.

    @rule(queue=queues, given=arguments)
    def declare(self, queue: str, given: dict[str, Any]) -> None:
        if given in MORE_ARGUMENTS and not self.more:
            given = {}
        self.both("declare", queue=queue, arguments=given)

    @rule(queue=queues, exchange=exchanges, key=st.sampled_from(BINDING_KEYS))
    def bind(self, queue: str, exchange: str, key: str) -> None:
        self.both("bind", queue=queue, exchange=exchange, key=key)

    @rule(queue=queues, exchange=exchanges, key=st.sampled_from(BINDING_KEYS))
    def unbind(self, queue: str, exchange: str, key: str) -> None:
        self.both("unbind", queue=queue, exchange=exchange, key=key)

    @rule(queue=queues, if_empty=st.booleans())
    def delete(self, queue: str, if_empty: bool) -> None:
        self.both("delete", queue=queue, if_empty=if_empty)

    @rule(queue=queues)
    def purge(self, queue: str) -> None:
        self.both("purge", queue=queue)

    # Policies.

    @precondition(lambda self: self.ours.management)
    @rule(
        name=st.sampled_from(POLICY_NAMES),
        pattern=st.sampled_from(PATTERNS),
        definition=st.sampled_from(policies(TTL)),
        apply_to=st.sampled_from(APPLY_TO),
        priority=st.sampled_from((0, 0, 1)),
    )
    def set_policy(
        self, name: str, pattern: str, definition: dict[str, Any], apply_to: str, priority: int
    ) -> None:
        given = {"definition": definition, "apply_to": apply_to, "priority": priority}
        self.both("policy", name=name, pattern=pattern, **given)

    @precondition(lambda self: self.ours.management)
    @rule(name=st.sampled_from(POLICY_NAMES))
    def clear_policy(self, name: str) -> None:
        self.both("unpolicy", name=name)

    # Messages.

    @rule(
        exchange=st.sampled_from((*EXCHANGES, "", "")),
        key=st.sampled_from((*KEYS, *QUEUES, *QUEUES)),
        length=st.sampled_from((0, 3, 10)),
        priority=st.sampled_from((None, None, None, 0, 2, 5)),
        expiration=st.sampled_from((None, None, None, None, "0", str(int(TTL * 1000)), "x")),
        copied=st.booleans(),
        mandatory=st.booleans(),
    )
    def publish(
        self,
        exchange: str,
        key: str,
        length: int,
        priority: int | None,
        expiration: str | None,
        copied: bool,
        mandatory: bool,
    ) -> None:
        self.count += 1
        values: dict[str, Any] = {"priority": priority, "expiration": expiration}
        if copied:
            values["headers"] = {"CC": ["a"]}
        values = {name: value for name, value in values.items() if value is not None}
        body = f"message {self.count}"[:length]
        self.both("publish", exchange=exchange, key=key, body=body, mandatory=mandatory, **values)

    @rule(queue=queues, how=st.sampled_from(HOWS))
    def break_off(self, queue: str, how: str) -> None:
        self.both("break_off", queue=queue, how=how)

    @rule(queue=queues, auto_ack=st.booleans())
    def get(self, queue: str, auto_ack: bool) -> None:
        self.both("get", queue=queue, auto_ack=auto_ack)

    @rule(
        how=st.sampled_from(("ack", "ack", "requeue", "drop")),
        at=st.integers(0, 5),
        multiple=st.booleans(),
    )
    def settle(self, how: str, at: int, multiple: bool) -> None:
        self.both("settle", how=how, at=at, multiple=multiple)

    @rule()
    def recover(self) -> None:
        self.both("recover")

    # Consumers.

    @precondition(lambda self: not (self.common and self.consuming))
    @rule(queue=queues, tag=tags, exclusive=st.booleans(), priority=st.sampled_from((0, 0, 1, 5)))
    def consume(self, queue: str, tag: str, exclusive: bool, priority: int) -> None:
        said = self.both("consume", queue=queue, tag=tag, exclusive=exclusive, priority=priority)
        if "Closed" not in said:
            self.consuming.add(tag)

    @rule(tag=tags)
    def cancel(self, tag: str) -> None:
        self.both("cancel", tag=tag)
        self.consuming.discard(tag)

    @rule(count=st.integers(0, 3))
    def qos(self, count: int) -> None:
        self.both("qos", count=count, is_global=False)
        self.common = False

    @precondition(lambda self: len(self.consuming) < 2)
    @rule(count=st.integers(0, 3))
    def common_qos(self, count: int) -> None:
        self.both("qos", count=count, is_global=True)
        self.common = True

    # Channels, connections, time.

    @rule(how=st.sampled_from(("select", "commit", "commit", "rollback")))
    def transact(self, how: str) -> None:
        self.both("tx", how=how)

    @rule()
    def confirm(self) -> None:
        self.both("confirm")

    @rule()
    def reopen(self) -> None:
        self.both("reopen")
        self.forget()

    @rule()
    def reconnect(self) -> None:
        self.both("reconnect")
        self.forget()

    @rule()
    def wait(self) -> None:
        """What lives for TTL is over behind it, whenever it came."""
        time.sleep(TTL * 1.3)
        theirs, mine = (player.step(("wait", {"seconds": 0})) for player in self.players)
        self.waited = time.monotonic()
        assert mine == theirs, f"waited\n   RabbitMQ: {theirs}\n   ours:     {mine}"

    def teardown(self) -> None:
        if self.begun:
            for queue in QUEUES:
                self.both("count", queue=queue)
            for player in self.players:
                player.end()


def beside(
    original: Player,
    ours: Player,
    *,
    examples: int,
    steps: int,
    more: bool = False,
    seed: int | None = None,
    shrinking: bool = True,
) -> None:
    """Raises AssertionError, and prints the steps that differ: by `shrinking` the fewest.

    Policies are set where both have a management port.
    """

    class Machine(Beside):
        pass

    Machine.original, Machine.ours = original, ours
    Machine.more = more
    seeded = Machine if seed is None else hypothesis.seed(seed)(Machine)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        seeded,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=tuple(Phase) if shrinking else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("original", help="RabbitMQ's port", type=int)
    parser.add_argument("ours", type=int)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--steps", type=int, default=25, help="of an example")
    parser.add_argument("--patience", type=float, default=0.02, help="seconds after a step")
    parser.add_argument("--more", action="store_true", help="streams, at-least-once, modes as well")
    parser.add_argument(
        "--management", nargs=2, type=int, metavar="PORT", default=(0, 0),
        help="of both: policies are set and cleared as well",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, help="the same examples again")
    asked = parser.parse_args()
    original = Player(asked.original, asked.management[0])
    ours = Player(asked.ours, asked.management[1])
    original.patience = asked.patience
    try:
        beside(
            original,
            ours,
            examples=asked.examples,
            steps=asked.steps,
            more=asked.more,
            seed=asked.seed,
        )
    except AssertionError as difference:
        # Its notes are the steps.
        print(difference, *getattr(difference, "__notes__", ()), sep="\n")
        return 1
    print(f"{asked.examples} examples of up to {asked.steps} steps: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())

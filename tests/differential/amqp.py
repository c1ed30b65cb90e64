"""The same steps to RabbitMQ and to us: `python -m tests.differential.amqp PORT OUR-PORT`.

Situations are made by their numbers, so that one that differs can be looked at again
(`--only 17`). What is known to differ, and why, stands in KNOWN. `--record` keeps what RabbitMQ
answered in amqp-rabbitmq.json, which tests/clients/test_amqp_differential.py plays to us alone.

Where time goes by both sides wait, or have it pass at once where they can (`Player.pass_time`).
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

from .broken_off import broken_off
from .situations import (
    EXCHANGES,
    POLICIED,
    POLICY_NAMES,
    QUEUES,
    TTL,
    Step,
    situation,
    time_to_live,
)

Trace = list[str]
_TRIES = 20

KEPT = Path(__file__).parent / "amqp-rabbitmq.json"
KNOWN: dict[str, str] = {}
"""Part of a line that differs, and why it may."""

_TURNS = (
    "a prefetch for the whole channel: RabbitMQ finds out that there is no room when a consumer's "
    "turn comes, here consumers leave the rotation once there is none; so another one is next"
)
REASONS: dict[int, str] = dict.fromkeys((240, 256, 367, 413, 523, 524), _TURNS) | {
    116: "x-last-death-* came with 3.13, our default profile"
}
"""Situations that differ as a whole, and why they may."""


@dataclass
class Player:
    """One broker: plays the steps of a situation, and writes down what a client sees."""

    port: int
    management: int = 0
    """The port of its management interface, by which policies are set."""
    trace: Trace = field(default_factory=list)
    came: list[Any] = field(default_factory=list)
    """What consumers were sent since the last step."""
    pass_time: Callable[[float], object] = time.sleep

    def play_in_time(self, steps: list[Step], ttl: float = TTL) -> Trace:
        """As `play`, once more where a busy machine took so long that messages were over by it."""
        for _ in range(_TRIES):
            began = time.monotonic()
            self._waited = 0.0
            trace = self.play(steps)
            if time.monotonic() - began - self._waited < ttl / 2:
                break
        return trace

    def play(self, steps: list[Step]) -> Trace:
        self.begin()
        for step in steps:
            self.step(step)
        self.end()
        return self.trace

    def begin(self) -> None:
        """A connection and its channel; nothing is declared."""
        self.trace = []
        self.tags: list[int] = []
        self.consuming = False
        self._connect()
        self._clear()

    def step(self, step: Step) -> str:
        """Do it, and say what was seen; what closes a channel is followed by a new connection."""
        name, values = step
        try:
            seen = f"{name} {getattr(self, name)(**values)}"
            self.trace.append(seen + self._arrived())
        except AMQPError as error:
            self.came.clear()
            self.trace.append(f"{name} {type(error).__name__} {error.args}")
            self._connect()
        return self.trace[-1]

    def end(self) -> None:
        self._clear()
        self.connection.close()

    def _connect(self) -> None:
        with suppress(AttributeError, AMQPError):
            self.connection.close()
        self.connection = pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", self.port, heartbeat=0)
        )
        self._open()
        self.anchor = self.channel.queue_declare("", exclusive=True).method.queue
        self.tags = []

    def _open(self) -> None:
        self.channel = self.connection.channel()
        self.channel.add_on_cancel_callback(
            lambda frame: self.came.append((0, "cancelled", frame.method.consumer_tag))
        )
        self.channel.add_on_return_callback(
            lambda _, method, properties, body: self.came.append(
                (0, "returned", method.reply_text, method.exchange, method.routing_key, body)
            )
        )

    def _arrived(self) -> str:
        """What came meanwhile, by consumer and without delivery tags.

        Two queues of RabbitMQ are two processes, which hand out in any order.
        """
        if not self.consuming:
            return ""
        self._settle()
        self.connection.process_data_events(0)
        came, self.came = sorted(self.came, key=lambda one: str(one[1:3])), []
        self.tags += [tag for tag, *_ in came if tag]
        return f" | {[tuple(rest) for _, *rest in came]}" if came else ""

    def _take(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        tag = method.consumer_tag
        unacked = 0 if tag.endswith("auto") else method.delivery_tag
        deaths = (properties.headers or {}).get("x-death", [])
        reasons = [(each["queue"], each["reason"], each["count"]) for each in deaths]
        place = (method.exchange, method.routing_key)
        self.came.append((unacked, tag, body, method.redelivered, *place, reasons))

    def _clear(self) -> None:
        self.clear_policies()
        for queue in QUEUES:
            self.channel.queue_delete(queue)
        for exchange in EXCHANGES:
            self.channel.exchange_delete(exchange)

    # Steps; each returns what is compared.

    def declare(self, queue: str, arguments: dict[str, Any]) -> object:
        return self.channel.queue_declare(
            queue, durable=True, arguments=arguments
        ).method.consumer_count

    def exchange(self, exchange: str) -> object:
        kind = exchange.partition(".")[2]
        self.channel.exchange_declare(exchange, kind)
        return ""

    def bind(self, queue: str, exchange: str, key: str) -> object:
        self.channel.queue_bind(queue, exchange, key)
        return ""

    def unbind(self, queue: str, exchange: str, key: str) -> object:
        self.channel.queue_unbind(queue, exchange, key)
        return ""

    def publish(self, exchange: str, key: str, body: str, **properties: Any) -> object:
        mandatory = properties.pop("mandatory", False)
        given = pika.BasicProperties(**properties)
        try:
            self.channel.basic_publish(exchange, key, body.encode(), given, mandatory)
        except (UnroutableError, NackError) as error:
            return type(error).__name__
        self._settle()
        return ""

    def get(self, queue: str, auto_ack: bool) -> object:
        method, properties, body = self.channel.basic_get(queue, auto_ack=auto_ack)
        if method is None:
            return None
        if not auto_ack:
            self.tags.append(method.delivery_tag)
        deaths = (properties.headers or {}).get("x-death", [])
        return (
            body,
            method.redelivered,
            method.exchange,
            method.routing_key,
            sorted(properties.headers or {}),
            [(each["queue"], each["reason"], each["count"], each["exchange"]) for each in deaths],
        )

    def settle(self, how: str, at: int, multiple: bool) -> object:
        if self.consuming and not self.tags:
            return "nothing"
        tag = self.tags[at % len(self.tags)] if self.tags else 99
        if how == "ack":
            self.channel.basic_ack(tag, multiple)
        else:
            self.channel.basic_nack(tag, multiple, requeue=how == "requeue")
        self.tags = [each for each in self.tags if each > tag or (each < tag and not multiple)]
        self._settle()
        return ""

    def purge(self, queue: str) -> object:
        return self.channel.queue_purge(queue).method.message_count

    def delete(self, queue: str, if_empty: bool) -> object:
        return self.channel.queue_delete(queue, if_empty=if_empty).method.message_count

    def count(self, queue: str) -> object:
        self._settle()
        return self.channel.queue_declare(queue, passive=True).method.message_count

    def break_off(self, queue: str, how: str) -> object:
        """Another client goes, or goes on otherwise, between a header and its body."""
        said = broken_off(self.port, queue, how)
        self._settle()
        return said

    def recover(self) -> object:
        self.channel.basic_recover(requeue=True)
        self.tags = []
        self._settle()
        return ""

    def reopen(self) -> object:
        self.channel.close()
        self._open()
        self.tags = []
        self._settle()
        return ""

    def consume(self, queue: str, tag: str, exclusive: bool, priority: int) -> object:
        self.consuming = True
        self.channel.basic_consume(
            queue,
            self._take,
            auto_ack=tag.endswith("auto"),
            exclusive=exclusive,
            consumer_tag=tag,
            arguments={"x-priority": priority} if priority else None,
        )
        return ""

    def cancel(self, tag: str) -> object:
        self.channel.basic_cancel(tag)
        return ""

    def qos(self, count: int, is_global: bool) -> object:
        self.channel.basic_qos(prefetch_count=count, global_qos=is_global)
        return ""

    def tx(self, how: str) -> object:
        getattr(self.channel, f"tx_{how}")()
        return ""

    def confirm(self) -> object:
        self.channel.confirm_delivery()
        return ""

    def reconnect(self) -> object:
        self._connect()
        return ""

    # Policies, by the management interface.

    def policy(
        self, name: str, pattern: str, definition: dict[str, Any], apply_to: str, priority: int
    ) -> object:
        asked = {"pattern": pattern, "definition": definition, "apply-to": apply_to}
        said = self._manage("PUT", f"policies/%2F/{name}", asked | {"priority": priority})
        # Each of RabbitMQ's queues hears of it by itself.
        self._settle()
        return said

    def unpolicy(self, name: str) -> object:
        said = self._manage("DELETE", f"policies/%2F/{name}")
        self._settle()
        return said

    def clear_policies(self) -> None:
        for name in POLICY_NAMES if self.management else ():
            self._manage("DELETE", f"policies/%2F/{name}")

    def _manage(self, method: str, path: str, body: dict[str, Any] | None = None) -> object:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.management}/api/{path}",
            None if body is None else json.dumps(body).encode(),
            # guest:guest
            {"Content-Type": "application/json", "Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or b"{}").get("reason")

    def wait(self, seconds: float) -> object:
        began = time.monotonic()
        self.pass_time(seconds)
        self._waited += time.monotonic() - began
        return ""

    def _settle(self) -> None:
        """See what was refused; RabbitMQ's queues are processes of their own, so wait for them."""
        self.channel.queue_declare(self.anchor, passive=True)
        time.sleep(self.patience)

    patience = 0.0
    _waited = 0.0
    """Seconds of the steps that do nothing else."""


def differences(steps: list[Step], theirs: Trace, mine: Trace) -> list[tuple[Step, str, str]]:
    """The steps that both saw differently, but for what is known."""
    return [
        (step, one, other)
        for step, one, other in zip(steps, theirs, mine, strict=True)
        if one != other and not any(part in one for part in KNOWN)
    ]


def record(original: Player, numbers: Sequence[int]) -> None:
    traces = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for number in numbers:
        traces[str(number)] = original.play_in_time(situation(number), time_to_live(number))
        KEPT.write_text(json.dumps(traces, indent=0) + "\n")


def chosen(asked: argparse.Namespace) -> Sequence[int]:
    """The situations to play; those with policies need the management interface."""
    numbers: Sequence[int] = range(asked.first, asked.situations)
    if asked.only is not None:
        numbers = [asked.only]
    if all(asked.management[: 1 if asked.record else 2]):
        return numbers
    without = [number for number in numbers if number < POLICIED]
    if left := len(numbers) - len(without):
        print(f"{left} situations with policies are left out: --management PORT PORT")
    return without


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("original", help="RabbitMQ's port", type=int)
    parser.add_argument("ours", type=int, nargs="?")
    parser.add_argument("--situations", type=int, default=700)
    parser.add_argument("--first", type=int, default=0, help="number of the first situation")
    parser.add_argument("--only", type=int)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--patience", type=float, default=0.02, help="seconds after a step")
    parser.add_argument(
        "--management", nargs=2, type=int, metavar="PORT", default=(0, 0),
        help="of both, for the situations with policies",
    )  # fmt: skip
    return parser


def main() -> int:
    asked = options().parse_args()
    numbers = chosen(asked)
    original = Player(asked.original, asked.management[0])
    ours = Player(asked.ours, asked.management[1])
    original.patience = asked.patience
    if asked.record:
        record(original, numbers)
        return 0
    different = 0
    for number in numbers:
        steps = situation(number)
        ttl = time_to_live(number)
        theirs, mine = original.play_in_time(steps, ttl), ours.play_in_time(steps, ttl)
        found = differences(steps, theirs, mine)
        different += bool(found)
        if found and number in REASONS:
            print(f"{number}: {REASONS[number]}")
            continue
        for step, one, other in found[: None if asked.only is not None else 1]:
            print(f"{number}: {step}\n   RabbitMQ: {one}\n   ours:     {other}")
    print(f"{len(numbers) - different} of {len(numbers)} situations are the same")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

"""Situations that RabbitMQ 3.10.8 was played, and what pika saw there, step by step.

Where RabbitMQ had to be waited for, our time is moved on.
"""

import json
from typing import Any

import pytest
from differential.amqp import KEPT, REASONS, Player, chosen, differences, options
from differential.situations import POLICIED, POLICY_NAMES, situation, time_to_live

from clients.conftest import Servers

pytestmark = pytest.mark.client

TRACES: dict[str, list[str]] = json.loads(KEPT.read_text())
TOGETHER = 25


class Prompted(Player):
    """Sets policies without a management interface, and says what that would have answered."""

    servers: Servers

    def policy(self, name: str, **given: Any) -> object:
        def set_policy() -> int:
            amqp = self.servers.brokers["amqp"]
            new = name not in amqp.vhost().policies.table(operator=False)
            amqp.set_policy(name, **given)
            return 201 if new else 204

        return self.servers.call(set_policy)

    def unpolicy(self, name: str) -> object:
        def remove() -> object:
            amqp = self.servers.brokers["amqp"]
            if name not in amqp.vhost().policies.table(operator=False):
                return 404, "Not Found"
            amqp.remove_policy(name)
            return 204

        return self.servers.call(remove)

    def clear_policies(self) -> None:
        for name in POLICY_NAMES:
            self.unpolicy(name)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("1 2", POLICIED - 1),
        ("1 --record", POLICIED - 1),
        ("1 2 --management 3 4", 699),
        ("1 --record --management 3 0", 699),
        ("1 2 --only 7", 7),
    ],
)
def test_situations_with_policies_are_played_where_policies_can_be_set(
    words: str, last: int
) -> None:
    assert chosen(options().parse_args(words.split()))[-1] == last


@pytest.mark.parametrize("first", range(0, len(TRACES), TOGETHER))
def test_client_sees_what_it_saw_of_rabbitmq(servers: Servers, first: int) -> None:
    player = Prompted(servers.ports["amqp"])
    player.servers = servers
    player.pass_time = lambda seconds: servers.run(f"clock advance {seconds:g}s")
    found = {}
    for number in range(first, min(first + TOGETHER, len(TRACES))):
        if number in REASONS:
            continue
        steps, ttl = situation(number), time_to_live(number)
        if lines := differences(steps, TRACES[str(number)], player.play_in_time(steps, ttl)):
            found[number] = lines
    assert found == {}

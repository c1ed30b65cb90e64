"""Situations that RabbitMQ 3.10.8 was played, and what pika saw there, step by step.

Where RabbitMQ had to be waited for, our time is moved on.
"""

import json

import pytest
from differential.amqp import KEPT, REASONS, Player, differences
from differential.situations import situation, time_to_live

from clients.conftest import Servers

pytestmark = pytest.mark.client

TRACES: dict[str, list[str]] = json.loads(KEPT.read_text())
TOGETHER = 25


@pytest.mark.parametrize("first", range(0, len(TRACES), TOGETHER))
def test_client_sees_what_it_saw_of_rabbitmq(servers: Servers, first: int) -> None:
    player = Player(servers.ports["amqp"])
    player.pass_time = lambda seconds: servers.run(f"clock advance {seconds:g}s")
    found = {}
    for number in range(first, min(first + TOGETHER, len(TRACES))):
        if number in REASONS:
            continue
        steps, ttl = situation(number), time_to_live(number)
        if lines := differences(steps, TRACES[str(number)], player.play_in_time(steps, ttl)):
            found[number] = lines
    assert found == {}

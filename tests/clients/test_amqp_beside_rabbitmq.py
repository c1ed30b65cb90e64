"""A state machine whose steps go to a RabbitMQ, where there is one, and to us: both say the same.

A few examples; `python -m tests.differential.machine` plays as many as one likes.
"""

import pytest
from benchmarks.amqp import rabbitmq
from benchmarks.common import Skipped
from differential.amqp import Player
from differential.machine import beside

from clients.conftest import Servers

pytestmark = [pytest.mark.client, pytest.mark.slow]


@pytest.mark.timeout(300)
def test_a_program_cannot_tell_us_from_rabbitmq(servers: Servers) -> None:
    try:
        original = rabbitmq()
    except Skipped as reason:
        pytest.skip(str(reason))
    with original.start() as port:
        theirs, ours = Player(int(port)), Player(servers.ports["amqp"])
        theirs.patience = 0.02
        beside(theirs, ours, examples=2, steps=15)

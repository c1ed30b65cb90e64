"""A state machine whose steps go to a RabbitMQ, where there is one, and to us: both say the same.

A few examples, always the same; `python -m tests.differential.machine` plays as many as one likes.
"""

import pytest
from benchmarks.amqp import rabbitmq
from benchmarks.common import Skipped
from differential.amqp import Player
from differential.machine import beside
from hypothesis.errors import Flaky

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
        # What is no difference once RabbitMQ's processes have had time is none.
        for theirs.patience in (0.02, 0.2, 1.0):
            try:
                beside(theirs, ours, examples=6, steps=15, seed=4, shrinking=False)
            except (AssertionError, Flaky):
                if theirs.patience == 1.0:
                    raise
            else:
                break

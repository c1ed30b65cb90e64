"""Connections end as RabbitMQ's do: who, when and in which order, on real sockets."""

import asyncio

import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.listener import Listener
from mockforge_brokers.transport import Server

from .endings import ENDINGS, Ending, play

SHORT = AmqpOptions(close_timeout=1.0)
"""How long is a matter of the state tests; here it is who and how."""


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.case)
def test_connection_ends_as_at_rabbitmq(ending: Ending) -> None:
    async def main() -> list[str]:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        server = Server(AmqpBroker(environment, SHORT if ending.seconds else None), environment)
        listener = await server.listen(Listener("amqp", host="127.0.0.1", port=0))
        try:
            return await asyncio.to_thread(play, ending, listener.port)
        finally:
            await server.close()

    assert asyncio.run(main()) == ending.expected

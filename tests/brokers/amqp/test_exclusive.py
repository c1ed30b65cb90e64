"""Exclusive queues by their connection: in order, and none left behind."""

from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.amqp.state.direct_replies import DirectReplies
from mockforge_brokers.amqp.state.exclusive import ExclusiveQueues
from mockforge_brokers.amqp.state.memory import Memory
from mockforge_brokers.amqp.state.queues.queue import Queue

MEMORY = Memory(2**30, lambda: None)


@given(st.lists(st.integers(0, 3), max_size=12))
def test_queues_of_a_connection_end_in_the_order_in_which_they_were_declared(
    owners: list[int],
) -> None:
    exclusive = ExclusiveQueues()
    queues = [Queue(f"q{at}", MEMORY, owner=owner) for at, owner in enumerate(owners)]
    for queue in queues:
        exclusive.add(queue)
    for connection in (1, 2, 3):
        ended = []
        while queue := exclusive.oldest(connection):
            exclusive.remove(queue)
            ended.append(queue)
        assert ended == [each for each in queues if each.owner == connection]
    assert exclusive.oldest(0) is None, "a queue without an owner is nobody's"


def test_a_queue_without_an_owner_is_removed_without_a_word() -> None:
    ExclusiveQueues().remove(Queue("q", MEMORY))


def test_replies_are_found_by_name_while_their_channel_consumes_them() -> None:
    replies = DirectReplies()
    queue = replies.open("amq.rabbitmq.reply-to.1.2", MEMORY, 7)
    assert (replies[queue.name], queue.owner) == (queue, 7)
    replies.close(queue)
    assert (replies, queue.gone) == ({}, True)

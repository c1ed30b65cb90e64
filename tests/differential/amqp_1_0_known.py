"""Where AMQP 1.0 here and RabbitMQ 4.3.6 differ, and why: by script, then by how steps begin.

A reason that no step needs any more fails the test, as a difference without a reason does.
"""

from typing import Final

_PARSER: Final = "a person reads what is wrong, RabbitMQ has the term of its parser with a position"
_ECHO: Final = (
    "a session's flow with echo is answered (2.7.4), RabbitMQ answers to that of links alone"
)
_SILENT: Final = "RabbitMQ hangs up and says why in its log alone"
_LONG: Final = "no client of 0-9-1 could be told such a name"

KNOWN: Final[dict[str, dict[str, str]]] = {
    "several_transfers": {
        "({'delivery_id': 7": "RabbitMQ takes a message that is aborted (2.7.5)",
        "({'delivery_id': 10": "as above, so that its next transfer is the first one",
    },
    "bad_messages": {"": _PARSER},
    "credit_of_a_sender": {"": _ECHO},
    "credit_of_a_receiver": {
        "quorum": "a flow with echo is answered, RabbitMQ's quorum queue does so from its second on"
    },
    "credit_without_a_count": {"": "a flow without link-credit has RabbitMQ's session crash"},
    "windows_of_a_receiver": {"": _ECHO},
    "a_queue_that_goes_away": {"": "the detach says why in words, too"},
    "dynamic_nodes": {
        "{": "the refusal says what is missing, not the terminus as RabbitMQ's record; the source "
        "of direct reply-to has the fields of any source"
    },
    "opens": {
        "{'hostname': 'vhost:": _SILENT,
        "{'max_frame_size'": _SILENT,
        "{'idle_time_out'": _SILENT,
    },
    "headers": {
        "PLAIN b'\\x00guest\\x00wrong'": "RabbitMQ says so 3 s later",
        "PLAIN b'other": "an authorization identity is ignored, RabbitMQ refuses the login",
    },
    "management_of_queues": {
        "PUT /queues/t1": "Debian's RabbitMQ 4.3 is patched to take transient queues",
        "PUT /queues/nnn": _LONG,
    },
    "management_of_exchanges": {
        "PUT /exchanges/nnn": _LONG,
        "PUT /exchanges/v": "one check of the argument for all clients, in the words of 0-9-1",
        "GET /bindings?src=x&dstq=q&key=k": "bindings have no order",
        "GET /bindings?src=x&key=k": "the query as Python writes it",
    },
    "management_links": {"requests": "without reply-to RabbitMQ's session crashes"},
    "dead_letters_of_1_0": {"": "a table of x-death has its original-expiration last, as in 3.10"},
    "streams": {
        "{'rabbitmq:stream-offset-spec': Described(descriptor='rabbitmq:stream-offset-spec', "
        "value='wrong'": "the words of 0-9-1",
        "{'rabbitmq:stream-offset-spec': Described(descriptor='rabbitmq:stream-offset-spec', "
        "value='first'), 'other'": "a stream is read unsettled; a drained link is told how many "
        "messages its stream has",
    },
}

"""What RabbitMQ 3.10.8 answers, recorded over loopback: who closes, with which code and text.


Each case is a few steps and then the one that is refused. A step is (method, fields), or
("publish", fields); steps before the last one must succeed. Steps of a second connection begin
with `other`.
"""

# ruff: noqa: E501 (a recorded answer is a line)

from typing import Any, NamedTuple

Step = tuple[str, dict[str, Any]]


class Reply(NamedTuple):
    """`closes`: channel, connection, or ok with the name of the answer in `text`."""

    case: str
    steps: list[Step]
    closes: str
    code: int
    text: str


LOCKED = (
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. "
    "It could be originally declared on another connection or the exclusive property value does "
    "not match that of the original declaration."
)
DEFAULT = "ACCESS_REFUSED - operation not permitted on the default exchange"


def queue(name: str = "q", **more: Any) -> Step:
    return ("queue.declare", {"queue": name, **more})


def exchange(name: str = "x", kind: str = "direct", **more: Any) -> Step:
    return ("exchange.declare", {"exchange": name, "exchange_type": kind, **more})


def consume(name: str = "q", **more: Any) -> Step:
    return ("basic.consume", {"queue": name, **more})


def publish(name: str = "", key: str = "q", **more: Any) -> Step:
    return ("publish", {"exchange": name, "routing_key": key, **more})


def argument(name: str, value: Any) -> list[Step]:
    return [queue("qarg", durable=True, arguments={name: value})]


def quorum(**more: Any) -> list[Step]:
    more = {"queue": "qq", "durable": True, "arguments": {"x-queue-type": "quorum"}} | more
    return [("queue.declare", more)]


def missing(kind: str, name: str = "nope") -> str:
    return f"NOT_FOUND - no {kind} '{name}' in vhost '/'"


def different(what: str, name: str, received: str, current: str) -> str:
    return (
        f"PRECONDITION_FAILED - inequivalent arg '{name}' for {what} in vhost '/': "
        f"received {received} but current is {current}"
    )


def invalid(name: str, reason: str, sep: str = ": ") -> str:
    return f"PRECONDITION_FAILED - invalid arg '{name}' for queue 'qarg' in vhost '/'{sep}{reason}"


ACK = ("basic.ack", {"delivery_tag": 99})
CLASSIC = " of queue type rabbit_classic_queue"

REPLIES = [
    # What is not there.
    Reply("passive queue", [queue("nope", passive=True)], "channel", 404, missing("queue")),
    Reply("passive empty name", [queue("", passive=True)], "channel", 404, missing("queue", "")),
    Reply("passive exchange", [exchange("nope", passive=True)], "channel", 404, missing("exchange")),
    Reply("publish", [publish("nope")], "channel", 404, missing("exchange")),
    Reply("consume", [consume("nope")], "channel", 404, missing("queue")),
    Reply("get", [("basic.get", {"queue": "nope"})], "channel", 404, missing("queue")),
    Reply("purge", [("queue.purge", {"queue": "nope"})], "channel", 404, missing("queue")),
    Reply("delete missing queue", [("queue.delete", {"queue": "nope"})], "ok", 0, "queue.delete-ok"),
    Reply("delete missing exchange", [("exchange.delete", {"exchange": "nope"})], "ok", 0, "exchange.delete-ok"),
    Reply("bind missing exchange", [queue(), ("queue.bind", {"queue": "q", "exchange": "nopex"})], "channel", 404, missing("exchange", "nopex")),
    Reply("bind missing queue", [("queue.bind", {"queue": "nopeq", "exchange": "amq.direct"})], "channel", 404, missing("queue", "nopeq")),
    Reply("unbind missing", [queue(), ("queue.unbind", {"queue": "q", "exchange": "amq.direct", "routing_key": "zz"})], "ok", 0, "queue.unbind-ok"),
    Reply("no declared queue", [consume("")], "channel", 404, "NOT_FOUND - no previously declared queue"),
    Reply("bind missing exchanges", [("exchange.bind", {"destination": "nopeB", "source": "nopeA"})], "channel", 404, missing("exchange", "nopeA")),
    Reply("server-named, then empty", [queue(""), ("queue.bind", {"exchange": "amq.fanout"})], "ok", 0, "queue.bind-ok"),
    # The default exchange, reserved names, system exchanges.
    Reply("bind default", [queue(), ("queue.bind", {"queue": "q"})], "channel", 403, DEFAULT),
    Reply("delete default", [("exchange.delete", {})], "channel", 403, DEFAULT),
    Reply("declare default", [exchange("")], "channel", 403, DEFAULT),
    Reply("amq. exchange", [exchange("amq.foo")], "channel", 403, "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'"),
    Reply("amq. queue", [queue("amq.foo")], "channel", 403, "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'"),
    Reply("delete amq.direct", [("exchange.delete", {"exchange": "amq.direct"})], "channel", 403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed"),
    Reply("delete amq.none", [("exchange.delete", {"exchange": "amq.none"})], "channel", 403, "ACCESS_REFUSED - deletion of system exchange 'amq.none' in vhost '/' not allowed"),
    Reply("publish internal", [exchange("xi", internal=True), publish("xi")], "channel", 403, "ACCESS_REFUSED - cannot publish to internal exchange 'xi' in vhost '/'"),
    # Declared again with other properties.
    Reply("queue durable", [queue(), queue(durable=True)], "channel", 406, different("queue 'q'", "durable", "'true'", "'false'")),
    Reply("queue auto-delete", [queue(), queue(auto_delete=True)], "channel", 406, different("queue 'q'", "auto_delete", "'true'", "'false'")),
    Reply("queue ttl", [queue(), queue(arguments={"x-message-ttl": 1000})], "channel", 406, different("queue 'q'", "x-message-ttl", "the value '1000' of type 'signedint'", "none")),
    Reply("queue ttl, other value", [queue(arguments={"x-message-ttl": 5}), queue(arguments={"x-message-ttl": 6})], "channel", 406, different("queue 'q'", "x-message-ttl", "'6'", "'5'")),
    Reply("queue ttl, left out", [queue(arguments={"x-message-ttl": 5}), queue()], "channel", 406, different("queue 'q'", "x-message-ttl", "none", "the value '5' of type 'signedint'")),
    Reply("single active, other value", [queue(arguments={"x-single-active-consumer": True}), queue(arguments={"x-single-active-consumer": False})], "channel", 406, different("queue 'q'", "x-single-active-consumer", "'false'", "'true'")),
    Reply("queue dlx", [queue(), queue(arguments={"x-dead-letter-exchange": "d"})], "channel", 406, different("queue 'q'", "x-dead-letter-exchange", "the value 'd' of type 'longstr'", "none")),
    Reply("queue type", [queue(durable=True), queue(durable=True, arguments={"x-queue-type": "quorum"})], "channel", 406, different("queue 'q'", "x-queue-type", "the value 'quorum' of type 'longstr'", "none")),
    Reply("queue exclusive", [queue(), queue(exclusive=True)], "channel", 405, LOCKED),
    Reply("exchange type", [exchange(), exchange(kind="fanout")], "channel", 406, different("exchange 'x'", "type", "'fanout'", "'direct'")),
    Reply("exchange durable", [exchange(), exchange(durable=True)], "channel", 406, different("exchange 'x'", "durable", "'true'", "'false'")),
    Reply("exchange internal", [exchange(), exchange(internal=True)], "channel", 406, different("exchange 'x'", "internal", "'true'", "'false'")),
    Reply("exchange alternate", [exchange(), exchange(arguments={"alternate-exchange": "z"})], "channel", 406, different("exchange 'x'", "alternate-exchange", "the value 'z' of type 'longstr'", "none")),
    Reply("exchange alternate type", [exchange(arguments={"alternate-exchange": 5})], "channel", 406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"),
    Reply("unknown exchange type", [exchange(kind="zzz")], "connection", 503, "COMMAND_INVALID - unknown exchange type 'zzz'"),
    Reply("empty exchange type", [exchange(kind="")], "connection", 503, "COMMAND_INVALID - invalid exchange type ''"),
    Reply("exchange type of a plugin that is not there", [exchange(kind="x-own")], "connection", 503, "COMMAND_INVALID - unknown exchange type 'x-own'"),
    # In use, not empty, someone else's.
    Reply("exchange in use", [exchange(), queue(), ("queue.bind", {"queue": "q", "exchange": "x"}), ("exchange.delete", {"exchange": "x", "if_unused": True})], "channel", 406, "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use"),
    Reply("queue not empty", [queue(), publish(), ("queue.delete", {"queue": "q", "if_empty": True})], "channel", 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty"),
    Reply("queue in use", [queue(), consume(), ("queue.delete", {"queue": "q", "if_unused": True})], "channel", 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use"),
    Reply("exclusive: other passive", [("other queue.declare", {"queue": "q", "exclusive": True}), queue(passive=True)], "channel", 405, LOCKED),
    Reply("exclusive: other consumes", [("other queue.declare", {"queue": "q", "exclusive": True}), consume()], "channel", 405, LOCKED),
    Reply("exclusive consumer, busy", [queue(), consume(exclusive=True), consume()], "channel", 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
    Reply("exclusive consumer, late", [queue(), consume(), consume(exclusive=True)], "channel", 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
    Reply("consumer tag again", [queue(), consume(consumer_tag="a"), consume(consumer_tag="a")], "connection", 530, "NOT_ALLOWED - attempt to reuse consumer tag 'a'"),
    Reply("consumer priority", [queue(), consume(arguments={"x-priority": "a"})], "channel", 406, "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\""),
    # Delivery tags, modes, what is not implemented.
    Reply("ack unknown", [ACK], "channel", 406, "PRECONDITION_FAILED - unknown delivery tag 99"),
    Reply("nack unknown", [("basic.nack", {"delivery_tag": 99, "multiple": True})], "channel", 406, "PRECONDITION_FAILED - unknown delivery tag 99"),
    Reply("ack twice", [queue(), publish(), ("basic.get", {"queue": "q"}), ("basic.ack", {"delivery_tag": 1}), ("basic.ack", {"delivery_tag": 1})], "channel", 406, "PRECONDITION_FAILED - unknown delivery tag 1"),
    Reply("tx after confirm", [("confirm.select", {}), ("tx.select", {})], "channel", 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode"),
    Reply("confirm after tx", [("tx.select", {}), ("confirm.select", {})], "channel", 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode"),
    Reply("commit without tx", [("tx.commit", {})], "channel", 406, "PRECONDITION_FAILED - channel is not transactional"),
    Reply("rollback without tx", [("tx.rollback", {})], "channel", 406, "PRECONDITION_FAILED - channel is not transactional"),
    Reply("immediate", [queue(), publish(immediate=True)], "connection", 540, "NOT_IMPLEMENTED - immediate=true"),
    Reply("prefetch size", [("basic.qos", {"prefetch_size": 100})], "connection", 540, "NOT_IMPLEMENTED - prefetch_size!=0 (100)"),
    Reply("recover without requeue", [("basic.recover", {"requeue": False})], "connection", 540, "NOT_IMPLEMENTED - requeue=false"),
    Reply("server's method", [("queue.declare-ok", {"queue": "q"})], "connection", 503, "COMMAND_INVALID - unimplemented method"),
    Reply("flow off", [("channel.flow", {"active": False})], "connection", 540, "NOT_IMPLEMENTED - active=false"),
    Reply("update secret", [("connection.update-secret", {"channel": 0, "new_secret": "s", "reason": "r"})], "ok", 0, "connection.update-secret-ok"),
    # Properties of messages.
    Reply("expiration no number", [queue(), publish(expiration="abc")], "channel", 406, "PRECONDITION_FAILED - invalid expiration 'abc': no_integer"),
    Reply("expiration 1.5", [queue(), publish(expiration="1.5")], "channel", 406, "PRECONDITION_FAILED - invalid expiration '1.5': {leftover_string,\".5\"}"),
    Reply("expiration of years", [queue(), publish(expiration="99999999999999")], "channel", 406, "PRECONDITION_FAILED - invalid expiration '99999999999999': {value_too_large,99999999999999}"),
    Reply("expiration negative", [queue(), publish(expiration="-1")], "channel", 406, "PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}"),
    Reply("user id", [queue(), publish(user_id="someone")], "channel", 406, "PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user was 'guest'"),
    Reply("CC no array", [queue(), publish(headers={"CC": "a"})], "channel", 406, 'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}'),
    Reply("x-match", [queue(), ("queue.bind", {"queue": "q", "exchange": "amq.headers", "arguments": {"x-match": "zz"}})], "channel", 406, 'PRECONDITION_FAILED - Invalid x-match field value <<"zz">>; expected all, any, all-with-x, or any-with-x'),
    # Queue arguments.
    Reply("ttl -1", argument("x-message-ttl", -1), "channel", 406, invalid("x-message-ttl", "{value_negative,-1}")),
    Reply("ttl '1'", argument("x-message-ttl", "1"), "channel", 406, invalid("x-message-ttl", '"expected integer, got longstr"')),
    Reply("ttl of ten years and more", argument("x-message-ttl", 315_360_000_001), "channel", 406, invalid("x-message-ttl", "{value_too_large,315360000001}")),
    Reply("ttl of years", argument("x-message-ttl", 2**40), "channel", 406, invalid("x-message-ttl", "{value_too_large,1099511627776}")),
    Reply("expires of years", argument("x-expires", 2**40), "channel", 406, invalid("x-expires", "{value_too_large,1099511627776}")),
    Reply("expires 0", argument("x-expires", 0), "channel", 406, invalid("x-expires", "{value_zero,0}")),
    Reply("max-length -1", argument("x-max-length", -1), "channel", 406, invalid("x-max-length", "{value_negative,-1}")),
    Reply("max-priority 256", argument("x-max-priority", 256), "channel", 406, invalid("x-max-priority", "{max_value_exceeded,256}")),
    Reply("max-priority -1", argument("x-max-priority", -1), "channel", 406, invalid("x-max-priority", "{value_negative,-1}")),
    Reply("overflow", argument("x-overflow", "zz"), "channel", 406, invalid("x-overflow", "invalid_overflow")),
    Reply("queue type zz", argument("x-queue-type", "zz"), "channel", 406, invalid("x-queue-type", "\"unsupported queue type 'zz'\"")),
    Reply("queue mode zz", argument("x-queue-mode", "zz"), "channel", 406, invalid("x-queue-mode", "\"unsupported queue mode 'zz'\"")),
    Reply("dead-letter key only", argument("x-dead-letter-routing-key", "only"), "channel", 406, invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")),
    Reply("dead-letter exchange 5", argument("x-dead-letter-exchange", 5), "channel", 406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'qarg' in vhost '/'"),
    Reply("single active 'yes'", argument("x-single-active-consumer", "yes"), "channel", 406, invalid("x-single-active-consumer", "{unacceptable_type,longstr}")),
    Reply("unknown argument", argument("x-unknown", 1), "ok", 0, "queue.declare-ok"),
    Reply("delivery limit, classic", argument("x-delivery-limit", 5), "channel", 406, invalid("x-delivery-limit", CLASSIC, "")),
    Reply("max age, classic", argument("x-max-age", "1D"), "channel", 406, invalid("x-max-age", CLASSIC, "")),
    Reply("quorum not durable", quorum(durable=False), "channel", 406, "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'qq' in vhost '/'"),
    Reply("quorum exclusive", quorum(exclusive=True), "channel", 406, "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'qq' in vhost '/'"),
    Reply("quorum auto-delete", quorum(auto_delete=True), "channel", 406, "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'qq' in vhost '/'"),
    Reply("quorum exclusive, not durable", quorum(exclusive=True, durable=False), "channel", 406, "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'qq' in vhost '/'"),
    Reply("quorum auto-delete, not durable", quorum(auto_delete=True, durable=False), "channel", 406, "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'qq' in vhost '/'"),
    Reply("quorum auto-delete, exclusive", quorum(auto_delete=True, exclusive=True), "channel", 406, "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'qq' in vhost '/'"),
    Reply("stream segments of 3 GB", quorum(arguments={"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 3_000_000_000}), "ok", 0, "queue.declare-ok"),
    Reply("stream segments of more", quorum(arguments={"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 3_000_000_001}), "channel", 406, "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes"),
    Reply("quorum server-named", quorum(queue=""), "channel", 406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"),
    Reply("quorum priority", quorum(arguments={"x-queue-type": "quorum", "x-max-priority": 5}), "channel", 406, "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'qq' in vhost '/' of queue type rabbit_quorum_queue"),
]  # fmt: skip
"""Streams have their refusals in test_streams, consistent hashing in test_plugin_exchanges."""

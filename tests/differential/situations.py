"""Situations by their numbers: steps for any broker, the same ones each time.

From FLOWS on they have consumers, prefetch, transactions, confirms, reconnecting, and time that
goes by.
"""

from collections.abc import Callable
from random import Random
from typing import Any

Step = tuple[str, dict[str, Any]]

QUEUES = ("diff.a", "diff.b")
EXCHANGES = ("diff.topic", "diff.direct", "diff.fanout")
POLICY_NAMES = ("p1", "p2")
PATTERNS = ("^diff", "a$", "b$", "direct|topic")
"""Of policies: all queues and exchanges, or some of them."""
APPLY_TO = ("all", "all", "queues", "exchanges")
KEYS = ("a", "a.b", "b", "")
BINDING_KEYS = (*KEYS, "#", "*", "a.#")

ARGUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"x-max-length": 2},
    {"x-max-length": 2, "x-overflow": "reject-publish"},
    {"x-max-length-bytes": 10},
    {"x-max-priority": 3},
    {"x-dead-letter-exchange": "diff.fanout"},
    {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "diff.b", "x-max-length": 1},
    {"x-message-ttl": 0},
    {"x-message-ttl": 60_000, "x-dead-letter-exchange": "diff.direct"},
    {"x-single-active-consumer": True},
    {"x-queue-type": "quorum"},
    {"x-queue-type": "quorum", "x-delivery-limit": 1, "x-dead-letter-exchange": "diff.fanout"},
)

FLOWS = 200
"""The first number of a situation with consumers."""
SLOWER = 450
"""The first number of a situation whose messages have more time: machines are busy."""
POLICIED = 650
"""The first number of a situation in which policies come and go."""
TTL = 1.0
"""Seconds that messages and queues have which end within a situation; one without waiting is over
much sooner."""
LONGER_TTL = 4.0


def time_to_live(number: int) -> float:
    """Of what ends within a situation, in seconds."""
    return TTL if number < SLOWER else LONGER_TTL


def flow_arguments(ttl: float) -> tuple[dict[str, Any], ...]:
    """Of queues that have consumers; `ttl` in seconds."""
    milliseconds = int(ttl * 1000)
    return (
        *ARGUMENTS[:8],
        {},
        {"x-message-ttl": milliseconds},
        {"x-message-ttl": milliseconds, "x-dead-letter-exchange": "diff.fanout"},
        {"x-expires": milliseconds},
        {"x-single-active-consumer": True},
        {"x-max-priority": 3, "x-max-length": 3},
    )


def situation(number: int, length: int = 14) -> list[Step]:
    """The steps of one situation, always the same."""
    if number >= POLICIED:
        return _with_policies(number)
    if number >= FLOWS:
        return _flow(number)
    random = Random(number)
    steps: list[Step] = [("exchange", {"exchange": each}) for each in EXCHANGES]
    steps += [
        ("declare", {"queue": queue, "arguments": random.choice(ARGUMENTS)}) for queue in QUEUES
    ]
    steps += [("bind", _binding(random, queue)) for queue in QUEUES]
    steps += [_step(random, at) for at in range(length)]
    return [*steps, *(("count", {"queue": queue}) for queue in QUEUES)]


def _binding(random: Random, queue: str) -> dict[str, str]:
    return {
        "queue": queue,
        "exchange": random.choice(EXCHANGES),
        "key": random.choice(BINDING_KEYS),
    }


def _publish(random: Random, at: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "exchange": random.choice((*EXCHANGES, "")),
        "key": random.choice((*KEYS, *QUEUES)),
        "body": f"message {at}"[: random.choice((0, 3, 10))],
    }
    if random.random() < 0.2:
        values["priority"] = random.randint(0, 5)
    if random.random() < 0.2:
        values["headers"] = {"CC": ["a"]}
    if random.random() < 0.1:
        values["expiration"] = random.choice(("0", "60000", "x"))
    return values


_MAKERS: tuple[tuple[int, str, Callable[[Random, int], dict[str, Any]]], ...] = (
    (8, "publish", _publish),
    (4, "get", lambda random, _: {
        "queue": random.choice(QUEUES), "auto_ack": random.random() < 0.3}),
    (4, "settle", lambda random, _: {
        "how": random.choice(("ack", "requeue", "drop")), "at": random.randint(0, 5),
        "multiple": random.random() < 0.3}),
    (1, "recover", lambda *_: {}),
    (1, "reopen", lambda *_: {}),
    (1, "purge", lambda random, _: {"queue": random.choice(QUEUES)}),
    (1, "delete", lambda random, _: {
        "queue": random.choice(QUEUES), "if_empty": random.random() < 0.5}),
    (1, "declare", lambda random, _: {
        "queue": random.choice(QUEUES), "arguments": random.choice(ARGUMENTS)}),
    (1, "bind", lambda random, _: _binding(random, random.choice(QUEUES))),
    (1, "unbind", lambda random, _: _binding(random, random.choice(QUEUES))),
)  # fmt: skip


def _step(random: Random, at: int) -> Step:
    weights = [weight for weight, _, _ in _MAKERS]
    _, name, make = random.choices(_MAKERS, weights)[0]
    return name, make(random, at)


def _flow(number: int, length: int = 16) -> list[Step]:
    """Consumers come before and amid the messages."""
    random = Random(number)
    ttl = time_to_live(number)
    kinds = flow_arguments(ttl)
    steps: list[Step] = [("exchange", {"exchange": each}) for each in EXCHANGES]
    steps += [("declare", {"queue": each, "arguments": random.choice(kinds)}) for each in QUEUES]
    steps += [("bind", _binding(random, queue)) for queue in QUEUES]
    steps.append(("bind", {"queue": QUEUES[1], "exchange": "diff.fanout", "key": ""}))
    if random.random() < 0.5:
        steps.append(("qos", _qos(random, 0)))
    mode = random.choices(("plain", "tx", "confirm"), (6, 2, 2))[0]
    if mode != "plain":
        steps.append(("tx", {"how": "select"}) if mode == "tx" else ("confirm", {}))
    steps.append(("consume", _consumer(random, 0)))
    weights = [weight for weight, _, _ in _FLOW_MAKERS]
    for at in range(length):
        _, name, make = random.choices(_FLOW_MAKERS, weights)[0]
        if name == "tx" and mode != "tx" and random.random() < 0.8:
            name, make = "publish", _flow_publish
        steps.append((name, _longer(make(random, at), ttl)))
    waits = sum(name == "wait" for name, _ in steps)
    if not waits and random.random() < 0.3:
        steps.append(("wait", {"seconds": ttl * 1.3}))
    return [*steps, *(("count", {"queue": queue}) for queue in QUEUES)]


def policies(ttl: float) -> tuple[dict[str, Any], ...]:
    """Definitions for queues and exchanges; `ttl` in seconds."""
    milliseconds = int(ttl * 1000)
    return (
        {"max-length": 2},
        {"max-length": 0},
        {"max-length": 1, "overflow": "reject-publish"},
        {"max-length-bytes": 10},
        {"max-length": 1, "overflow": "reject-publish-dlx", "dead-letter-exchange": "diff.direct"},
        {"overflow": "drop-head"},
        {"message-ttl": 0},
        {"message-ttl": milliseconds},
        {"message-ttl": milliseconds, "dead-letter-exchange": "diff.fanout"},
        {"expires": milliseconds},
        {"dead-letter-exchange": "diff.fanout"},
        {"max-length": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "diff.b"},
        {"delivery-limit": 1},
        {"queue-mode": "lazy"},
        {"alternate-exchange": "diff.fanout"},
        {"alternate-exchange": "diff.topic", "max-length": 2},
    )


def _with_policies(number: int) -> list[Step]:
    """As `_flow`: policies are set, changed and cleared before and amid its steps."""
    steps, random = _flow(number), Random(-number)
    kinds = policies(time_to_live(number))
    for _ in range(random.randint(3, 6)):
        name = random.choice(POLICY_NAMES)
        step: Step = ("unpolicy", {"name": name})
        if random.random() < 0.75:
            given = {"definition": random.choice(kinds), "priority": random.choice((0, 0, 1))}
            given["apply_to"] = random.choice(APPLY_TO)
            step = ("policy", {"name": name, "pattern": random.choice(PATTERNS), **given})
        steps.insert(random.randrange(len(EXCHANGES), len(steps) - len(QUEUES)), step)
    return steps


def _longer(values: dict[str, Any], ttl: float) -> dict[str, Any]:
    """Makers count in TTL."""
    if "seconds" in values:
        return values | {"seconds": values["seconds"] * ttl / TTL}
    if values.get("expiration") == str(int(TTL * 1000)):
        return values | {"expiration": str(int(ttl * 1000))}
    return values


def _qos(random: Random, at: int) -> dict[str, Any]:
    return {"count": random.choice((0, 1, 1, 2, 3)), "is_global": random.random() < 0.3}


def _consumer(random: Random, at: int) -> dict[str, Any]:
    return {
        "queue": random.choice(QUEUES),
        "tag": f"c{at}{random.choice(('', '', '-auto'))}",
        "exclusive": random.random() < 0.1,
        "priority": random.choice((0, 0, 0, 1, 5)),
    }


def _flow_publish(random: Random, at: int) -> dict[str, Any]:
    values = _publish(random, at)
    if random.random() < 0.6:
        values |= {"exchange": "", "key": random.choice(QUEUES), "body": f"message {at}"}
    if random.random() < 0.2:
        values["mandatory"] = True
    if values.get("expiration") == "60000":
        values["expiration"] = str(int(TTL * 1000))
    return values


_FLOW_MAKERS: tuple[tuple[int, str, Callable[[Random, int], dict[str, Any]]], ...] = (
    (18, "publish", _flow_publish),
    (8, "settle", lambda random, _: {
        "how": random.choice(("ack", "ack", "requeue", "drop")), "at": random.randint(0, 5),
        "multiple": random.random() < 0.3}),
    (6, "consume", _consumer),
    (3, "cancel", lambda random, at: {"tag": f"c{random.randint(0, at)}"}),
    (3, "get", lambda random, _: {
        "queue": random.choice(QUEUES), "auto_ack": random.random() < 0.3}),
    (3, "qos", _qos),
    (3, "tx", lambda random, _: {"how": random.choice(("select", "commit", "commit", "rollback"))}),
    (1, "confirm", lambda *_: {}),
    (2, "recover", lambda *_: {}),
    (1, "reopen", lambda *_: {}),
    (1, "reconnect", lambda *_: {}),
    (2, "wait", lambda *_: {"seconds": TTL * 1.3}),
    (1, "purge", lambda random, _: {"queue": random.choice(QUEUES)}),
    (1, "delete", lambda random, _: {
        "queue": random.choice(QUEUES), "if_empty": random.random() < 0.5}),
    (1, "bind", lambda random, _: _binding(random, random.choice(QUEUES))),
)  # fmt: skip

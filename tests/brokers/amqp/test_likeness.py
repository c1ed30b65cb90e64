"""Headers that pass for alike are as right as the one that was checked (wire/likeness.py)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mockforge_brokers.amqp.channel.headers import examine
from mockforge_brokers.amqp.profiles import PROFILES
from mockforge_brokers.amqp.records import Field
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.amqp.wire.content import encode_header
from mockforge_brokers.amqp.wire.likeness import build_of, builds, read_values, varying
from mockforge_brokers.errors import ProtocolError, RequestRefused

IDS = {"content_type": "text/plain", "delivery_mode": 1, "message_id": "17", "timestamp": 5}
TABLES = ({}, {"n": Field("I", 1)}, {"CC": Field("A", [Field("S", "q")])})
texts = st.sampled_from(["", "a", "b", "amq.rabbitmq.reply-to", "\2CC"])
numbers = st.sampled_from([0, 1, 2, 3])
properties = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("content_type", "correlation_id", "reply_to", "message_id"), texts),
        **dict.fromkeys(("delivery_mode", "priority", "timestamp"), numbers),
        "headers": st.sampled_from(TABLES),
        "app_id": texts,
    },
)


def header(size: int = 4, channel: int = 1, **values: Any) -> bytes:
    return frames.frame(frames.HEADER, channel, encode_header(size, values))


def flags_of(made: bytes) -> int:
    return int.from_bytes(made[19:21], "big")


def place(one: dict[str, Any], other: dict[str, Any]) -> tuple[int, int] | None:
    return varying(header(**other), header(**one), flags_of(header(**other)))


def judged(made: bytes) -> object:
    """What the examination says; None: in order, and nothing in it matters to anyone."""
    try:
        return examine(made, flags_of(made), "guest", "", PROFILES["3.10"], read_headers=False)
    except (RequestRefused, ProtocolError) as refusal:
        return str(refusal)


def test_what_varies_is_where_ids_and_times_stand_beside_each_other() -> None:
    changed = IDS | {"message_id": "18", "timestamp": 6}
    start, end = place(IDS, changed) or (0, 0)
    assert header(**changed)[start:end] == b"18" + (6).to_bytes(8, "big")
    for differing in (
        {"message_id": "180"},
        {"delivery_mode": 2},
        # In two places: what is between them would have to be compared, too.
        {"content_type": "text/other"[:10], "message_id": "18"},
    ):
        assert place(IDS, IDS | differing) is None, differing
    assert place(IDS, {**IDS, "size": 5}) is None


def test_what_is_read_are_mode_headers_and_where_replies_go() -> None:
    assert read_values(header()) == []
    assert read_values(header(**IDS)) == [("delivery_mode", b"\1")]
    given = {**IDS, "headers": {"n": Field("I", 1)}, "reply_to": "here", "app_id": "shop"}
    table = b"\0\0\0\7\1nI\0\0\0\1"
    assert read_values(header(**given)) == [
        ("headers", table),
        ("delivery_mode", b"\1"),
        ("reply_to", b"here"),
    ]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(properties, properties)
def test_what_differs_in_the_varying_place_alone_is_judged_alike(
    one: dict[str, Any], changes: dict[str, Any]
) -> None:
    other = one | {name: value for name, value in changes.items() if name in one}
    if judged(header(**one)) is None and place(other, one) is not None:
        assert judged(header(**other)) is None


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(properties, min_size=1, max_size=3), properties, st.sampled_from([0, 4, 2**31]))
def test_what_a_build_matches_is_judged_alike_whatever_its_size(
    known: list[dict[str, Any]], changes: dict[str, Any], size: int
) -> None:
    other = known[0] | {name: value for name, value in changes.items() if name in known[0]}
    right = [made for each in known if judged(made := header(**each)) is None]
    matches = builds(b"\0\1", tuple(build_of(each, flags_of(each)) for each in right))
    made = header(size, **other)
    body = frames.head.pack(frames.BODY, 1, size)
    found = matches(b"before" + made + body, 6)
    if found is not None and right:
        assert judged(made) is None
        assert int.from_bytes(found[found.lastindex or 0], "big") == size
        assert found.end() == 6 + len(made) + len(body)
    elif made in right:
        raise AssertionError("it does not even match itself")


def test_a_build_is_of_one_channel_and_of_one_body_frame() -> None:
    made = header(**IDS)
    matches = builds(b"\0\1", (build_of(made, flags_of(made)),))
    assert matches(made + frames.head.pack(frames.BODY, 1, 4), 0)
    for behind in (
        frames.head.pack(frames.BODY, 2, 4),
        frames.head.pack(frames.BODY, 1, 5),
        frames.head.pack(frames.METHOD, 1, 4),
        frames.head.pack(frames.BODY, 1, 4)[:-1],
    ):
        assert not matches(made + behind, 0)
    assert not matches(header(channel=2, **IDS) + frames.head.pack(frames.BODY, 2, 4), 0)

"""Who wants all that the journal has gets every frame once, and others' bytes are not decoded."""

from collections.abc import Iterable

import pytest
from mockforge_brokers.journal import Origin, Row, Tape
from mockforge_brokers.limits import Limits

from mockforge_tui.feed import Decoder, may_match
from mockforge_tui.filters import compile_filter

from .test_feed import Ticking
from .traffic import Client, Traffic, frame


class _From:
    """Where a connection comes from."""

    def origin(self) -> Origin:
        return Origin("ann", "127.0.0.1:5000", ("ws", "mqtt-ws", "8083"), "staging")


def _payloads(portions: Iterable[list[Row]]) -> list[str]:
    return [(row.payload or b"").decode() for rows in portions for row in rows]


def test_every_frame_comes_once_in_order_in_portions_of_the_time_that_there_is() -> None:
    traffic = Traffic()
    for number in range(20):
        traffic.say(f"dev-{number % 3}", payload=f"{number}")
    portions = list(Decoder(traffic.journal, Ticking(1)).decode_all(3, lambda tape: True))
    assert _payloads(portions) == [str(number) for number in range(20)]
    assert len(portions) > 10


def test_bytes_of_connections_that_cannot_match_are_not_decoded() -> None:
    traffic = Traffic()
    for number in range(50):
        traffic.say("loud", payload=f"{number}")
        if number % 25 == 0:
            traffic.say("wanted", payload=f"mine {number}")
    decoder = Decoder(traffic.journal, Ticking(0))
    wanted = may_match(compile_filter("client:wanted op:send"))
    assert _payloads(decoder.decode_all(1, wanted)) == ["mine 0", "mine 25"]
    assert decoder.decoded == sum(len(frame(payload=f"mine {each}")) for each in (0, 25))


def test_the_journal_is_listed_once_and_what_comes_meanwhile_is_not_waited_for() -> None:
    traffic = Traffic()
    for number in range(20):
        traffic.say("dev", payload=f"{number}")
    lists = []
    since = traffic.journal.since
    traffic.journal.since = lambda *asked: lists.append(asked) or since(*asked)  # type: ignore[func-returns-value, method-assign]
    found: list[list[Row]] = []
    for portion in Decoder(traffic.journal, Ticking(1)).decode_all(1, lambda tape: True):
        found.append(portion)
        traffic.say("dev", payload="later")
    assert _payloads(found) == [str(number) for number in range(20)]
    assert len(lists) == 1


def test_chunks_that_leave_while_others_are_decoded_are_passed_over() -> None:
    traffic = Traffic(Limits(journal_connection=3_000))
    for number in range(10):
        traffic.say("dev", payload=f"{number}")
    portions = Decoder(traffic.journal, Ticking(1)).decode_all(1, lambda tape: True)
    found = next(portions)
    for _ in range(100):
        traffic.say("dev", payload="later")
    assert _payloads([found, *portions]) == ["0"]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("", True),
        ("op:PUBLISH", True),
        ("client:dev-7", True),
        ("client:dev-8", False),
        ("client:dev-* proto:mqtt conn:c7 op:PUBLISH", True),
        ("proto:kafka", False),
        ("proto:kafka or op:PUBLISH", True),
        ("(proto:kafka or conn:8) op:PUBLISH", False),
        ("not client:dev-7", False),
        ("not (client:dev-7 op:PUBLISH)", True),
        ("conn>7", False),
        ("user:ann address:127.0.0.1 listener:ws", True),
        ("user:bob", False),
        ("vhost:staging channel:2", True),
        ("vhost:/ channel:2", False),
        ("listener:tls size>1k", False),
        ("@fault", True),
    ],
)
def test_a_filter_says_which_connections_can_match(where: str, wanted: bool) -> None:
    journal = Traffic().journal
    tape = journal.open("mqtt", 7, Client("dev-7"), _From())
    assert may_match(compile_filter(where))(tape) is wanted


def test_a_connection_without_a_name_is_judged_by_the_rest() -> None:
    # Its frames may say names of their own.
    tape: Tape = Traffic().journal.open("kafka", 7, Client(""))
    assert may_match(compile_filter("client:dev-7"))(tape)
    assert not may_match(compile_filter("client:dev-7 proto:mqtt"))(tape)


def test_each_connection_is_asked_once_for_whether_it_is_wanted_however_many_chunks_it_has() -> (
    None
):
    traffic = Traffic()
    asked: list[Tape] = []

    def wanted(tape: Tape) -> bool:
        asked.append(tape)
        return True

    decoder = Decoder(traffic.journal, Ticking(1))
    for number in range(50):
        traffic.say(f"dev-{number % 2}", payload=f"{number}")
    assert len(decoder.decode_on(1_000, wanted)) == 50
    assert len(asked) == 2

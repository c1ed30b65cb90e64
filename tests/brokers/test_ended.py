"""What is kept of connections that are over, and how much of it."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.ended import EndedConnections
from mockforge_brokers.kafka.snapshots import FetchView
from mockforge_brokers.limits import Limits
from mockforge_brokers.snapshots import ConnectionView


def made(most: int = 3) -> EndedConnections:
    return EndedConnections(ManualClock(), Limits(ended_connections=most))


def view(number: int, client: str = "a", **detail: object) -> ConnectionView:
    return ConnectionView(number, "mqtt", client, "127.0.0.1:1", "open", 1.0, detail=detail)


def test_the_newest_stay_and_the_others_are_counted() -> None:
    ended = made()
    for number in range(1, 6):
        ended.add(view(number), "it left")
    assert [one.view.id for one in ended] == [5, 4, 3]
    assert (ended.total, ended.forgotten) == (5, 2)
    assert ended.find(2) is None
    found = ended.find(4)
    assert found is not None
    assert (found.view.state, found.reason) == ("ended", "it left")


def test_a_clients_connections_are_found_the_newest_first() -> None:
    ended = made()
    for number, client in enumerate(("a", "b", "a")):
        ended.add(view(number, client), "it left")
    assert [one.view.id for one in ended.of_client("a")] == [2, 0]
    assert not list(ended.of_client("a", "kafka"))


def test_large_ones_leave_before_their_number_is_reached() -> None:
    ended = made(1_000)
    for number in range(200):
        ended.add(view(number, "x" * 60_000, topics=["t" * 249] * 10), "it left")
    assert 40 < len(ended) < 80
    assert next(iter(ended)).view.id == 199


def test_one_that_sent_little_may_be_large_all_the_same() -> None:
    """A few bytes ask for all that somebody else named before."""
    ended = made(1_000)
    for number in range(200):
        fetching = [FetchView("t", each, 0, 0, 0) for each in range(1_000)]
        ended.add(view(number, fetching=fetching, unknown_topics=[]), "it left")
    assert 20 < len(ended) < 80


def test_one_that_is_larger_than_all_may_be_is_kept_alone() -> None:
    ended = made()
    ended.add(view(1), "it left")
    ended.add(view(2, "x" * 10_000_000), "it left")
    assert [one.view.id for one in ended] == [2]

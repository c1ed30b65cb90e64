"""The exposition text that a scraper gets."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.listener import Listener
from mockforge_brokers.snapshots import ConnectionView, Metric
from prometheus_client.parser import text_string_to_metric_families

from mockforge_tui.metrics import MOST_LABELS, render


def scraped(*metrics: Metric, connections: Iterable[Any] = (), journal: bool = True) -> list[str]:
    broker: Any = SimpleNamespace(
        protocol="kafka", metrics=lambda: metrics, connections=lambda: list(connections)
    )
    environment = Environment.create(ManualClock(), seed=1, journal=journal)
    listeners = [Listener("kafka", port=9092), Listener("kafka", port=9093, tls=object())]
    text = render([broker], listeners, environment, 0.25).decode()
    assert list(text_string_to_metric_families(text))
    return text.splitlines()


def counter(samples: list[tuple[tuple[str, ...], float]]) -> Metric:
    return Metric("messages_total", "Messages", "counter", ("topic",), samples)


def test_counters_keep_their_names_and_labels():
    lines = scraped(counter([(("orders",), 3.0)]))
    assert "# TYPE messages_total counter" in lines
    assert 'messages_total{topic="orders"} 3.0' in lines


def test_labels_are_escaped():
    assert r'messages_total{topic="a\"b\\c\nd"} 1.0' in scraped(counter([(('a"b\\c\nd',), 1.0)]))


def test_labels_beyond_the_bound_become_one_other():
    lines = scraped(counter([((f"t{n}",), 1.0) for n in range(MOST_LABELS + 5)]))
    samples = [line for line in lines if line.startswith("messages_total{")]
    assert len(samples) == MOST_LABELS + 1
    assert samples[-1] == 'messages_total{topic="other"} 5.0'


def test_what_all_brokers_share_is_told():
    one = ConnectionView(
        1, "kafka", "a", "127.0.0.1:50001", "open", 0.0, bytes_in=7, bytes_out=9, listener="tls"
    )
    lines = scraped(connections=[one, one])
    assert 'mockforge_connections{listener="tls",protocol="kafka"} 2.0' in lines
    assert 'mockforge_connections{listener="plain",protocol="kafka"} 0.0' in lines
    assert 'mockforge_connection_bytes_in{listener="tls",protocol="kafka"} 14.0' in lines
    assert 'mockforge_connection_bytes_out{listener="tls",protocol="kafka"} 18.0' in lines
    assert "mockforge_held_frames 0.0" in lines
    assert "mockforge_event_loop_lag_seconds 0.25" in lines
    assert "mockforge_journal_bytes 0.0" in lines


def test_without_a_journal_there_is_no_figure_of_it():
    assert not any(line.startswith("mockforge_journal") for line in scraped(journal=False))

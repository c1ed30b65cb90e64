"""The exposition text that a scraper gets."""

from collections.abc import Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.durations import Durations, Histogram
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


def test_durations_are_a_histogram_of_all_who_measure_them():
    one, other = Durations(), Durations()
    for seconds in (0.000_001, 0.000_020, 0.000_050, 0.003):
        one.add(seconds)
    other.add(100.0)
    environment = Environment.create(ManualClock(), seed=1)
    for name, durations in (("kafka", one), ("mqtt", other)):
        read = partial(lambda labels, found: [(labels, found)], (name,), durations)
        environment.histograms.append(Histogram("burst_seconds", "Time", ("protocol",), read))
    text = render([], [], environment, 0.0).decode()
    (family,) = [
        each for each in text_string_to_metric_families(text) if each.name == "burst_seconds"
    ]
    assert family.type == "histogram"
    found = {
        (each.name, each.labels["protocol"], each.labels.get("le", "")): each.value
        for each in family.samples
    }
    below = [found["burst_seconds_bucket", "kafka", bound] for bound in ("1.6e-05", "6.4e-05")]
    assert below == [1, 3]
    assert found["burst_seconds_bucket", "kafka", "0.004096"] == 4
    assert found["burst_seconds_count", "kafka", ""] == 4
    assert found["burst_seconds_sum", "kafka", ""] == pytest.approx(0.003_071)
    assert found["burst_seconds_bucket", "mqtt", "16.777216"] == 0
    assert found["burst_seconds_bucket", "mqtt", "+Inf"] == 1


def test_without_a_journal_there_is_no_figure_of_it():
    assert not any(line.startswith("mockforge_journal") for line in scraped(journal=False))

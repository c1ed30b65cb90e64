"""Prometheus text from the plain counters of the brokers, made when it is asked for."""

from collections.abc import Iterable, Iterator
from itertools import chain

from mockforge_brokers.contract import Broker
from mockforge_brokers.durations import Durations, Histogram
from mockforge_brokers.environment import Environment
from mockforge_brokers.listener import Listener
from mockforge_brokers.snapshots import ConnectionView, Metric
from mockforge_brokers.storage.store import Store
from msgspec import structs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from . import text

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
MOST_LABELS = 1_000
"""Label sets of one family; what is beyond goes into one sample labelled `other`."""


def render(
    brokers: Iterable[Broker],
    listeners: Iterable[Listener],
    environment: Environment,
    loop_lag: float,
) -> bytes:
    """The exposition format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(list(brokers), list(listeners), environment, loop_lag))
    return generate_latest(registry)


def _of_data(store: Store) -> Iterator[Metric]:
    sizes: list[tuple[tuple[str, ...], float]] = [
        ((part,), float(size)) for part, size in store.disk.sizes().items()
    ]
    yield Metric("mockforge_data_bytes", "Size of the data folder", "gauge", ("part",), sizes)
    for name, help_, count in (
        ("commits_total", "Commits of the data folder", store.commits),
        ("rows_total", "Rows written to the data folder", store.rows_written),
        ("written_bytes_total", "Bytes of these rows", store.bytes_written),
    ):
        yield Metric(f"mockforge_data_{name}", help_, "counter", (), [((), float(count))])
    for name, help_, value in (
        ("lag_seconds", "Age of the oldest fact that is not on disk", store.lag),
        ("failing", "1 while nothing can be written", float(bool(store.failing))),
    ):
        yield Metric(f"mockforge_data_{name}", help_, "gauge", (), [((), value)])


class Figures(Collector):
    """All that is counted, as Prometheus' client collects it."""

    def __init__(
        self,
        brokers: list[Broker],
        listeners: list[Listener],
        environment: Environment,
        loop_lag: float,
    ) -> None:
        self._brokers = brokers
        self._listeners = listeners
        self._environment = environment
        self._loop_lag = loop_lag

    def collect(self) -> Iterator[_Family]:
        yield from map(_family, self.metrics())
        yield from map(_histogram, joined(self._environment.histograms))

    def metrics(self) -> Iterator[Metric]:
        """Our own figures, then the brokers'."""
        yield from self._own()
        for broker in self._brokers:
            yield from broker.metrics()

    def _own(self) -> Iterator[Metric]:
        faults = self._environment.faults
        yield Metric(
            "mockforge_faults_fired_total",
            "How often each fault rule in force fired",
            "counter",
            ("rule", "kind"),
            [((str(rule.id), rule.kind), rule.hits) for rule in faults.rules.values()],
        )
        held = float(len(self._environment.holds.held))
        yield Metric(
            "mockforge_held_frames", "Frames that wait for a person", "gauge", (), [((), held)]
        )
        yield from self._connections()
        store = self._environment.store
        if store is not None:
            yield from _of_data(store)
        journal = self._environment.journal
        if journal is not None:
            size = float(journal.size)
            yield Metric(
                "mockforge_journal_bytes", "Bytes the journal holds", "gauge", (), [((), size)]
            )
        yield Metric(
            "mockforge_event_loop_lag_seconds",
            "How late the event loop was when it last looked",
            "gauge",
            (),
            [((), self._loop_lag)],
        )

    def _connections(self) -> Iterator[Metric]:
        """By protocol and listener; a listener that nobody came by is there too, as 0."""
        found: dict[tuple[str, str], list[ConnectionView]] = {
            (each.protocol, each.name): [] for each in self._listeners
        }
        for broker in self._brokers:
            for each in broker.connections():
                found.setdefault((each.protocol, each.listener), []).append(each)
        labels = ("protocol", "listener")
        yield Metric(
            "mockforge_connections",
            "Open connections",
            "gauge",
            labels,
            [(place, float(len(views))) for place, views in found.items()],
        )
        for direction in ("in", "out"):
            field = f"bytes_{direction}"
            yield Metric(
                f"mockforge_connection_bytes_{direction}",
                f"Bytes {direction} of the connections that are open",
                "gauge",
                labels,
                [
                    (place, float(sum(getattr(view, field) for view in views)))
                    for place, views in found.items()
                ],
            )


def joined(histograms: Iterable[Histogram]) -> Iterator[Histogram]:
    """Those of one name, which several measure, as one family."""
    by_name: dict[str, list[Histogram]] = {}
    for each in histograms:
        by_name.setdefault(each.name, []).append(each)
    for several in by_name.values():
        first, read = several[0], [each.read for each in several]
        yield structs.replace(first, read=lambda read=read: chain(*(each() for each in read)))


def _histogram(histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(histogram.name, histogram.help, labels=histogram.labels)
    for labels, durations in histogram.read():
        family.add_metric(labels, _buckets(durations), durations.total)
    return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [(str(bound), float(count)) for bound, count in durations.below()]
    return [*bounds, ("+Inf", float(durations.count))]


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    samples = metric.samples
    for values, figure in samples[:MOST_LABELS]:
        family.add_metric([text.encodable(value) for value in values], figure)
    if len(samples) > MOST_LABELS:
        rest = sum(figure for _, figure in samples[MOST_LABELS:])
        family.add_metric(["other"] * len(metric.labels), rest)
    return family

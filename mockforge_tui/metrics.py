"""Prometheus text from the plain counters of the brokers, made when it is asked for."""

from collections.abc import Iterable, Iterator

from mockforge_brokers.contract import Broker
from mockforge_brokers.environment import Environment
from mockforge_brokers.snapshots import Metric
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from . import text

MOST_LABELS = 1_000
"""Label sets of one family; what is beyond goes into one sample labelled `other`."""


def render(brokers: Iterable[Broker], environment: Environment, loop_lag: float) -> bytes:
    """The exposition format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Brokers(list(brokers), environment, loop_lag))
    return generate_latest(registry)


class _Brokers(Collector):
    def __init__(self, brokers: list[Broker], environment: Environment, loop_lag: float) -> None:
        self._brokers = brokers
        self._environment = environment
        self._loop_lag = loop_lag

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        for metric in self._own():
            yield _family(metric)
        for broker in self._brokers:
            for metric in broker.metrics():
                yield _family(metric)

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
        yield Metric(
            "mockforge_connections",
            "Open connections",
            "gauge",
            ("protocol",),
            [((b.protocol,), float(len(b.connections()))) for b in self._brokers],
        )
        for direction in ("in", "out"):
            yield Metric(
                f"mockforge_connection_bytes_{direction}",
                f"Bytes {direction} of the connections that are open",
                "gauge",
                ("protocol",),
                [
                    (
                        (b.protocol,),
                        float(sum(getattr(c, f"bytes_{direction}") for c in b.connections())),
                    )
                    for b in self._brokers
                ],
            )
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

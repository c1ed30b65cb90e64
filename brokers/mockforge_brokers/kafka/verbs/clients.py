"""What clients are held to (quotas), and what they report of themselves (KIP-714)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...environment import Environment
from ...errors import InvalidInput, PlainRefusals, ProtocolError
from ..otlp import MetricValue, metric_values
from ..snapshots import TelemetryView
from ..state.cluster import Cluster
from ..state.quotas import Entity, Used
from ..views import telemetry_view
from .source import PROMPT


class ClientVerbs:
    cluster: Cluster
    environment: Environment

    def alter_quota(
        self, entity: Sequence[tuple[str, str | None]], changes: Mapping[str, float | None]
    ) -> None:
        """Hold users, clients or addresses to something; None takes a value back."""
        with PlainRefusals():
            self.cluster.quotas.alter(entity, list(changes.items()))

    def quotas(self) -> list[tuple[Entity, dict[str, float]]]:
        return self.cluster.quotas.dump()

    def quota_use(self) -> list[Used]:
        """What is measured because of a quota."""
        return self.cluster.quotas.used()

    def telemetry(self) -> list[TelemetryView]:
        """Each client that was asked for its metrics, the one that was here last at the end."""
        now = self.environment.clock.now()
        return [telemetry_view(one, now) for one in self.cluster.telemetry.clients.values()]

    def telemetry_values(self, instance_id: str) -> list[MetricValue]:
        """What this client instance pushed last."""
        with PlainRefusals():
            data = self.cluster.telemetry.newest(instance_id)
        try:
            return metric_values(data)
        except ProtocolError as error:
            raise InvalidInput(f"client {instance_id} pushed {error}") from None

    def subscriptions(self) -> dict[str, dict[str, str]]:
        """What is asked of clients: keys with their values, by name."""
        return {
            name: dict(values)
            for name, values in self.cluster.configuring.client_metrics.own.items()
        }

    def subscribe(
        self, name: str, values: Mapping[str, str | None], *, source: str = PROMPT
    ) -> None:
        """Ask clients for their metrics; without values nobody is asked by this name any more."""
        with PlainRefusals():
            self.cluster.configuring.subscription(name, values, source=source)

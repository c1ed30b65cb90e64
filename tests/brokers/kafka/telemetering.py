"""Clients' own metrics: the same requests for our broker and for Apache Kafka.

`python -m tests.brokers.kafka.telemetering HOST:PORT` prints what Apache Kafka answers, started
with a `metric.reporters` that takes clients' metrics, as `recorded/telemetry.json` keeps it.
Subscription ids become `S0`, `S1` in the order in which they appear.
"""

import gzip
import os
from pathlib import Path

from mockforge_brokers.kafka.wire.messages import configs, telemetry

from .transacting import Player, record

RECORDED = Path(__file__).parent / "recorded" / "telemetry.json"
ONE_METRIC = bytes.fromhex("0a16 1214 1212 0a03612e62 2a0b 0a09 210000000000001440")
METRICS = 16


class Pusher(Player):
    """One client instance, and subscription `m`."""

    def __init__(self, call, prefix=""):
        super().__init__(call, prefix)
        self.instance = os.urandom(16)
        self.name = f"{prefix}m"
        self._ids = {}

    def alter(self, *, name=None, **values):
        changes = [
            configs.IncrementalAlterableConfig(
                name=key.replace("_", "."), config_operation=int(value is None), value=value
            )
            for key, value in values.items()
        ]
        resource = configs.IncrementalAlterConfigsResource(
            resource_type=METRICS,
            resource_name=self.name if name is None else name,
            configs=changes,
        )
        request = configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)
        (answer,) = self.call(request, 1).responses
        self.note("alter", [answer.error_code, answer.error_message])
        if not answer.error_code:
            # Its answer may come before the broker heeds it.
            wanted = {
                key.replace("_", "."): value.replace(" ", "")
                for key, value in values.items()
                if value
            }
            self.until(lambda: wanted.items() <= self._own().items())

    def _described(self, name, **more):
        resource = configs.DescribeConfigsResource(
            resource_type=METRICS, resource_name=name, configuration_keys=None
        )
        return self.call(configs.DescribeConfigsRequest(resources=[resource], **more), 4).results[0]

    def _own(self):
        found = self._described(self.name).configs
        return {one.name: one.value.replace(" ", "") for one in found}

    def describe(self, name=None):
        answer = self._described(
            self.name if name is None else name, include_synonyms=True, include_documentation=False
        )
        rows = [
            [
                one.name,
                one.value,
                one.read_only,
                one.config_source,
                one.config_type,
                [[each.name, each.value, each.source] for each in one.synonyms],
            ]
            for one in sorted(answer.configs, key=lambda one: one.name)
        ]
        self.note("describe", [answer.error_code, answer.error_message, rows])

    def list(self, version, *types):
        request = configs.ListConfigResourcesRequest(resource_types=types)
        answer = self.call(request, version)
        found = [
            one.resource_type for one in answer.config_resources if one.resource_name == self.name
        ]
        self.note(f"list v{version}", [answer.error_code, found])

    def ask(self, instance=None):
        request = telemetry.GetTelemetrySubscriptionsRequest(
            client_instance_id=self.instance if instance is None else instance
        )
        answer = self.call(request, 0)
        known = self._ids.setdefault(answer.subscription_id, f"S{len(self._ids)}")
        self.note(
            "ask",
            [
                answer.error_code,
                answer.client_instance_id == self.instance,
                known if answer.subscription_id else 0,
                list(answer.accepted_compression_types),
                answer.push_interval_ms,
                answer.telemetry_max_bytes,
                answer.delta_temporality,
                sorted(answer.requested_metrics),
            ],
        )
        return answer.subscription_id

    def push(self, subscription, *, metrics=ONE_METRIC, codec=0, last=False, instance=None):
        request = telemetry.PushTelemetryRequest(
            client_instance_id=self.instance if instance is None else instance,
            subscription_id=subscription,
            terminating=last,
            compression_type=codec,
            metrics=metrics,
        )
        self.note("push", [self.call(request, 0).error_code])

    def renew(self):
        self.instance = os.urandom(16)


def configs_of_client_metrics(at):
    at.describe("")
    at.describe()
    at.alter(name="", metrics="*")
    at.alter(nonsense="1")
    at.alter(interval_ms="99")
    at.alter(interval_ms="3600001")
    at.alter(interval_ms="soon")
    for match in ("client_id", "nobody=a", "client_id=a=b", "client_id=[", "client_id=a,b"):
        at.alter(match=match)
    at.alter(metrics="a.,b.", interval_ms="100", match="client_id=.+, client_source_port=.*")
    at.describe()
    at.list(0)
    at.list(1, METRICS)
    at.alter(metrics=None, interval_ms=None, match=None)
    at.describe()
    at.list(0)


def what_is_asked_for(at):
    at.ask()
    at.ask()
    at.alter(metrics="b.,a.", interval_ms="60000", match="client_id=(ask|sho).*")
    at.ask()
    at.ask()
    at.alter(metrics="a.,*")
    at.ask()
    at.alter(match="client_id=(ask|sho)")
    at.ask()
    at.alter(match="client_software_name=.+")
    at.ask()
    at.alter(metrics=None, interval_ms=None, match=None)
    at.renew()
    at.ask()


def what_is_pushed(at):
    at.alter(metrics="*", interval_ms="60000", match="client_id=.+")
    asked = at.ask()
    at.push(asked)
    at.push(asked)
    at.push(asked, last=True)
    at.push(asked, last=True)
    at.renew()
    asked = at.ask()
    at.push(asked + 1)
    at.ask()
    at.renew()
    at.push(at.ask(), codec=9)
    at.renew()
    at.push(at.ask(), codec=1, metrics=b"not gzip")
    at.renew()
    at.push(at.ask(), codec=1, metrics=gzip.compress(ONE_METRIC))
    at.renew()
    at.push(at.ask(), metrics=bytes(1_048_577))
    at.renew()
    at.push(at.ask(), metrics=b"")
    at.push(1, instance=bytes(16))
    at.push(1, instance=bytes(15) + b"\x01")
    at.renew()
    at.push(1)
    at.alter(metrics=None, interval_ms=None, match=None)


SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (configs_of_client_metrics, what_is_asked_for, what_is_pushed)
}


def play(call, name, prefix):
    pusher = Pusher(call, prefix)
    SCENARIOS[name](pusher)
    return pusher.said


if __name__ == "__main__":
    record(RECORDED, SCENARIOS, play)

"""`mockforge-tui init`: the first files of a project, which run as they are."""

from pathlib import Path

from mockforge_brokers.errors import InvalidInput

FIXTURES = """\
mockforge: 1
name: hello

kafka:
  topics: {orders.created: {partitions: 3}}

generators:
  # Five orders a second, each with an id of its own.
  - id: order-created
    to: {kafka: orders.created, key: "{{order.id}}"}
    let: {order.id: "{{uuid}}"}
    value: {order_id: "{{order.id}}", total: "{{float 5 500 | round 2}}", at: "{{now}}"}
    rate: 5/s

reactions:
  # Replace it by your service: each order is shown on a dashboard.
  - id: show
    when: {kafka: orders.created}
    do:
      - publish: {to: {mqtt: dashboard/orders}, value: {last: "{{in.value.order_id}}"}}

scenarios:
  - name: an order is shown
    steps:
      - publish: {to: {kafka: orders.created, key: o-1}, value: {order_id: o-1, total: 10}}
      - expect: {mqtt: dashboard/orders, match: {value: {last: o-1}}, within: 5s}
"""
TEST = """\
import pytest


@pytest.mark.mockforge(fixtures="../fixtures/hello.yaml", seed=1)
def test_an_order_is_shown(mockforge):
    # Start your service here, with mockforge.kafka.bootstrap, mqtt.url, amqp.url.
    mockforge.kafka.publish("orders.created", {"order_id": "o-1", "total": 10}, key="o-1")
    mockforge.mqtt.expect("dashboard/orders", json={"last": "o-1"}, within=5)
"""


def begin(folder: Path) -> list[Path]:
    """Write the files and return their paths; raises InvalidInput where one is there already."""
    files = {
        folder / "fixtures" / "hello.yaml": FIXTURES,
        folder / "tests" / "test_hello.py": TEST,
    }
    for path in files:
        if path.exists():
            raise InvalidInput(f"{path} is there already: nothing was written")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{folder}: {error.strerror}") from None
    return list(files)

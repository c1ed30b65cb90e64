"""What one message costs: `python tests/benchmarks/bench_templates.py`.

The order has the tokens of a typical shop event: 8 numbers, 5 ids, 2 moments, 7 names from Faker,
2 choices and 5 headers. CPU time, medians of rounds; no broker takes part.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from random import Random

from mockforge_brokers.clock import ManualClock

from mockforge_tui.fixtures import FixtureEngine
from mockforge_tui.fixtures.loader import read_document
from mockforge_tui.fixtures.model import FixtureSet
from mockforge_tui.fixtures.source.context import Loaded
from mockforge_tui.fixtures.source.fields import Problems
from mockforge_tui.fixtures.source.from_yaml import parse_yaml
from mockforge_tui.fixtures.source.tree import Source
from mockforge_tui.fixtures.templates import Names, Scope, compile_text

ORDER = """
identifier: order
topic: orders
key_pattern: "order-{{uuid}}"
value_template:
  kind: order
  order_id: "{{uuid}}"
  customer_id: "customer-{{faker.int 1000 9999}}"
  email: "{{faker.email}}"
  lines:
    - product_id: "{{faker.uuid}}"
      name: "{{faker.productName}}"
      quantity: "{{faker.int 1 5}}"
      price: "{{faker.float 10.0 500.0 | round 2}}"
  subtotal: "{{faker.float 50.0 2000.0 | round 2}}"
  tax: "{{faker.float 5.0 200.0 | round 2}}"
  shipping: "{{faker.float 5.0 25.0 | round 2}}"
  total: "{{faker.float 60.0 2225.0 | round 2}}"
  currency: EUR
  address:
    street: "{{faker.streetAddress}}"
    city: "{{faker.city}}"
    state: "{{faker.state}}"
    zip: "{{faker.zipCode}}"
  method: "{{faker.randomChoice ['card', 'paypal', 'invoice']}}"
  status: "{{faker.randomChoice ['new', 'held'] | withProbability [0.95, 0.05]}}"
  created_at: "{{now}}"
  updated_at: "{{now}}"
headers:
  version: "1.0"
  source: checkout
  correlation_id: "{{uuid}}"
  trace_id: "{{uuid}}"
auto_produce: {rate_per_second: 1}
"""

TOKENS = (
    "{{uuid}}",
    "{{now}}",
    "{{int 1 5}}",
    "{{float 10 500 | round 2}}",
    "id-{{int 1000 9999}}",
    "{{choice 'a' 'b' 'c'}}",
    "{{faker.email}}",
    "{{faker.streetAddress}}",
    "{{faker.productName}}",
    "{{walk 20 step=1 min=0 max=40 | round 1}}",
)


def microseconds(call: Callable[[], object], rounds: int, calls: int) -> tuple[float, float]:
    """The median and the best round, for one call."""
    call()
    found = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(calls):
            call()
        found.append((time.process_time() - start) / calls * 1e6)
    return statistics.median(found), min(found)


def order_engine() -> FixtureEngine:
    loaded = Loaded(Problems())
    for node in parse_yaml(Source("order.yaml", ORDER)):
        read_document(node, loaded)
    fixtures = FixtureSet(generators=tuple(loaded.generators))
    return FixtureEngine(fixtures, ManualClock(), lambda message: None, seed=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=1000)
    asked = parser.parse_args()
    engine = order_engine()
    median, best = microseconds(lambda: engine.emit("order"), asked.rounds, asked.calls)
    print(f"{'an order, key to headers':44} {median:7.1f} us   best {best:.1f}   goal under 100")
    scope = Scope(Random(1), time.time)
    for text in TOKENS:
        make = compile_text(text, Names())

        def render(make: Callable[[Scope], object] = make) -> object:
            scope.begin()
            return make(scope)

        median, best = microseconds(render, asked.rounds, asked.calls)
        print(f"{text:44} {median:7.1f} us   best {best:.1f}")


if __name__ == "__main__":
    main()

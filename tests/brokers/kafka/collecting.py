"""The first members of a group are collected for a while (KIP-134): who is answered, and when.

`python -m tests.brokers.kafka.collecting HOST:PORT` keeps what an Apache Kafka answers that waits
for so long (`group.initial.rebalance.delay.ms=10000`), in `recorded/collecting.json`.
"""

import sys
from pathlib import Path

from .gathering import Host, Room, play
from .transacting import write_recorded

RECORDED = Path(__file__).parent / "recorded" / "collecting.json"
DELAY = 10.0


def alone(g: Host) -> None:
    g.join("a")
    g.describe()
    g.beat("a")
    g.sync("a", line="a2")
    g.commit("a")
    g.wait(11)
    g.sync("a", {"a": "A"})
    g.join("b")
    g.join("a")
    g.describe()


def another_one_comes(g: Host) -> None:
    g.join("a")
    g.join("b")
    g.describe()
    g.wait(10)
    g.wait(10)
    g.describe()


def one_after_the_other(g: Host) -> None:
    g.join("a")
    g.join("b")
    g.wait(11)
    g.join("c")
    g.wait(10)
    g.wait(11)
    g.describe()


def no_longer_than_the_first_one_waits(g: Host) -> None:
    g.join("a", rebalance=15.0)
    g.join("b", rebalance=60.0)
    g.wait(10)
    g.wait(6)
    g.describe()


def who_waits_for_less_than_the_delay(g: Host) -> None:
    g.join("a", rebalance=4.0)
    g.wait(6)
    g.wait(5)
    g.describe()


def the_first_one_leaves(g: Host) -> None:
    g.join("a")
    g.join("b")
    g.leave("a")
    g.describe()
    g.wait(10)
    g.wait(10)
    g.describe()


def all_leave_and_one_comes(g: Host) -> None:
    g.join("a")
    g.leave("a")
    g.describe()
    g.join("b")
    g.describe()
    g.wait(10)
    g.wait(10)
    g.describe()


def an_id_is_asked_for(g: Host) -> None:
    g.join("a")
    g.asks_for_id("b")
    g.wait(11)
    g.describe()
    g.join("b")
    g.describe()


def it_joins_again(g: Host) -> None:
    g.join("a")
    g.join("a", metadata="other", line="a2")
    g.wait(11)
    g.describe()


def a_static_one_comes_back(g: Host) -> None:
    g.join("s", instance="i")
    g.comes_back("s", instance="i", line="s2")
    g.describe()
    g.wait(11)
    g.wait(10)
    g.describe()


SCENARIOS = {
    one.__name__.replace("_", " "): one
    for one in (
        alone,
        another_one_comes,
        one_after_the_other,
        no_longer_than_the_first_one_waits,
        who_waits_for_less_than_the_delay,
        the_first_one_leaves,
        all_leave_and_one_comes,
        an_id_is_asked_for,
        it_joins_again,
        a_static_one_comes_back,
    )
}


if __name__ == "__main__":
    host, port = sys.argv[1].rsplit(":", 1)
    kept = {}
    for name, scenario in SCENARIOS.items():
        with Room(host, int(port)) as apache:
            kept[name] = play(apache, name, scenario=scenario)
    write_recorded(RECORDED, kept)

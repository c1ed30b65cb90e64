"""Each request about a transaction, in each state of one, by each of who may send it.

`python -m tests.brokers.kafka.transaction_grid HOST:PORT` keeps what Apache Kafka answers, and the
state in which it leaves the transaction, in `recorded/transaction_grid.json`.
"""

import time
from collections.abc import Callable
from pathlib import Path

from .asking import record
from .transacting import Player

RECORDED = Path(__file__).parent / "recorded" / "transaction_grid.json"
Who = tuple[int, int]
"""A producer's id and epoch."""


def _began(p: Player) -> Who:
    # Three times, so that there is an epoch before.
    for _ in range(3):
        who = p.init()
    return who


def _ongoing(p: Player) -> Who:
    who = _began(p)
    p.add(who, 0)
    p.produce(who, 0, version=11)
    return who


def _offsets(p: Player) -> Who:
    who = _began(p)
    p.add_group(who)
    p.commit_offset(who, 1)
    return who


def _ended(version: int, committed: bool) -> Callable[[Player], Who]:
    def ended(p: Player) -> Who:
        who = _ongoing(p)
        now = p.end(who, committed, version=version)
        return now if version >= 5 else who

    return ended


def _fenced(p: Player) -> Who:
    """Another producer took the id over while its transaction was open."""
    who = _ongoing(p)
    p.init()
    return who


STATES: dict[str, Callable[[Player], Who]] = {
    "no such id": lambda p: (77_000, 1),
    "Empty": _began,
    "Ongoing": _ongoing,
    "Ongoing, of offsets": _offsets,
    "CompleteCommit, version 1": _ended(3, True),
    "CompleteAbort, version 1": _ended(3, False),
    "CompleteCommit, version 2": _ended(5, True),
    "CompleteAbort, version 2": _ended(5, False),
    "taken over": _fenced,
}
SENDERS: dict[str, Callable[[Who], Who]] = {
    "it": lambda who: who,
    "its last epoch": lambda who: (who[0], who[1] - 1),
    "a later epoch": lambda who: (who[0], who[1] + 1),
    "another id": lambda who: (who[0] + 7_777, who[1]),
}
REQUESTS: dict[str, Callable[[Player, Who], object]] = {
    "init": lambda p, who: p.init(producer=who),
    "add v3": lambda p, who: p.add(who),
    "verify v4": lambda p, who: p.add(who, version=4, verify=True),
    "add group v3": lambda p, who: p.add_group(who),
    "add group v4": lambda p, who: p.add_group(who, 4),
    "commit offset v3": lambda p, who: p.commit_offset(who, 5),
    "commit offset v5": lambda p, who: p.commit_offset(who, 5, 5),
    "produce v11": lambda p, who: p.produce(who, 1, version=11),
    "produce v12": lambda p, who: p.produce(who, 1),
    "commit v3": lambda p, who: p.end(who, version=3),
    "commit v5": lambda p, who: p.end(who),
    "abort v3": lambda p, who: p.end(who, False, version=3),
    "abort v5": lambda p, who: p.end(who, False),
}


def play(call, prefix: str) -> dict[str, list]:
    """By state, request and sender: the answer, then the transaction as it is described."""
    said = {}
    player = Player(call, prefix)
    player.create(1)
    number = 0
    for state, bring in STATES.items():
        for request, ask in REQUESTS.items():
            for sender, of in SENDERS.items():
                number += 1
                player.id, player.group = f"{prefix}{number}", f"{prefix}g{number}"
                player.forget()
                who = bring(player)
                player.said.clear()
                ask(player, of(who))
                player.describe()
                (_, answer), (_, after) = player.said
                # The log is one for all: its offsets grow by what went before.
                if request.startswith("produce"):
                    answer = [answer[0], answer[1] >= 0]
                del after[2:4]
                said[f"{state} / {request} / {sender}"] = [answer, after]
                if state != "no such id":
                    _leave(player)
    return said


def _leave(p: Player) -> None:
    """Nothing stays open that would hold back the log's last stable offset."""
    p.init()


if __name__ == "__main__":
    record(lambda call: play(call, f"g{int(time.time())}."), RECORDED)

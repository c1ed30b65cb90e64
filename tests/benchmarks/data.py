"""What a data folder costs: confirmed records of 1 KB from many producers, one in flight each.

So many that a commit each 5 ms does not leave the broker idle.
"""

from . import sessions
from .common import Settings, Skipped, compare, compile_c, ours
from .flight import fly

_PUBLISHERS = 400


def run(settings: Settings) -> None:
    try:
        load = compile_c("flight_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    compare(
        f"kafka, {_PUBLISHERS} publishers, 1 KB, one confirmed record in flight each",
        [ours("kafka"), ours("kafka", "--keep")],
        lambda port: fly(
            load, sessions.CONFIRMED["kafka"](port, 1024, _PUBLISHERS), settings.seconds
        )[0],
        settings,
    )

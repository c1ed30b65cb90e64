"""What a data folder costs: confirmed records of 1 KB from producers with one in flight each.

With 400 of them a commit each 5 ms does not leave the broker idle; one alone waits for the disk.
"""

from . import sessions
from .common import Settings, Skipped, compare, compile_c, ours
from .flight import fly

_PUBLISHERS = (400, 50, 1)


def run(settings: Settings) -> None:
    try:
        load = compile_c("flight_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    for publishers in _PUBLISHERS:
        compare(
            f"kafka, {publishers} publishers, 1 KB, one confirmed record in flight each",
            [ours("kafka"), ours("kafka", "--keep")],
            lambda port, publishers=publishers: fly(  # type: ignore[misc]
                load, sessions.CONFIRMED["kafka"](port, 1024, publishers), settings.seconds
            )[0],
            settings,
        )

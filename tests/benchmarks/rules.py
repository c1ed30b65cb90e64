"""What a hundred faults cost that match nothing: by client, and by topic and operation."""

from . import sessions
from .common import Settings, Skipped, before, compare, compile_c, ours
from .flight import fly

SCOPES = ("client:none-{}", "op:SUBSCRIBE topic:none-{}", "topic:none-{}")


def run(settings: Settings) -> None:
    try:
        load = compile_c("flight_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    for protocol in ("mqtt", "amqp", "kafka"):
        subjects = [ours(protocol), *before(protocol, settings)]
        subjects += [ours(protocol, "--rules", scope) for scope in SCOPES]
        compare(
            f"{protocol}, 50 publishers, one confirmed message in flight each",
            subjects,
            lambda port, protocol=protocol: fly(  # type: ignore[misc]
                load, sessions.CONFIRMED[protocol](port, 100, 50), settings.seconds
            )[0],
            settings,
        )

"""How many clients can log in and leave a second."""

from . import sessions
from .common import Settings, Skipped, compare, compile_c, measure
from .flight import subjects_of

_PROCESSES = 8


def run(settings: Settings) -> None:
    try:
        load = compile_c("connect_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return

    def once(protocol: str, port: int) -> float:
        steps = [
            word
            for request, answer in sessions.login_of(protocol, port)
            for word in (request.hex(), str(answer))
        ]
        return measure([str(load), str(port), str(settings.seconds), str(_PROCESSES), *steps])

    for protocol, title in (("mqtt", "MQTT"), ("amqp", "AMQP"), ("kafka", "Kafka ApiVersions")):
        compare(
            f"{title} connects, {_PROCESSES} clients at a time",
            subjects_of(protocol, settings),
            lambda port, protocol=protocol: once(protocol, port),  # type: ignore[misc]
            settings,
            "connects/s",
        )

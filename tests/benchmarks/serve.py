"""`python -m tests.benchmarks.serve PROTOCOL [--no-journal]`: one broker alone; prints its port."""

import argparse
import asyncio
import gc
import tempfile
from importlib import import_module
from pathlib import Path

from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.listener import Listener
from mockforge_brokers.storage.folder import DataFolder
from mockforge_brokers.transport import Server

BROKERS = {"kafka": "KafkaBroker", "mqtt": "MqttBroker", "amqp": "AmqpBroker"}
OPTIONS = {"kafka": "KafkaOptions", "mqtt": "MqttOptions", "amqp": "AmqpOptions"}


def add_rules(environment: Environment, scope: str) -> None:
    """A hundred faults that match nothing: `client:none-{}`, with a number for the braces."""
    from mockforge_brokers.misbehaviour.actions import Drop
    from mockforge_brokers.misbehaviour.rules import Rule

    from mockforge_tui.fault_values import frame_match

    for number in range(100):
        environment.faults.add(Rule(frame_match(scope.format(number)), Drop()))


async def serve(
    protocol: str,
    journal: bool,
    rules: str = "",
    *,
    keep: bool = False,
    through: bool = False,
    websocket: bool = False,
) -> None:
    environment = Environment.create(LoopClock(asyncio.get_running_loop()), journal=journal)
    if rules:
        add_rules(environment, rules)
    module = import_module(f"mockforge_brokers.{protocol}.broker")
    settings = import_module(f"mockforge_brokers.{protocol}.options")
    folder = None
    if keep:
        call = asyncio.get_running_loop().call_soon_threadsafe
        folder = DataFolder(Path(tempfile.mkdtemp()), environment, call, 0.005, through=through)
    broker = getattr(module, BROKERS[protocol])(environment, getattr(settings, OPTIONS[protocol])())
    if folder is not None:
        folder.take_up([broker], ())
    server = Server(broker, environment)
    # As the program does once it has started.
    gc.collect()
    gc.freeze()
    print((await server.listen(Listener(protocol, websocket=websocket))).port, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=sorted(BROKERS))
    parser.add_argument("--no-journal", action="store_true")
    parser.add_argument("--rules", default="", help="a hundred faults with this filter")
    parser.add_argument("--keep", action="store_true", help="in a temporary data folder")
    parser.add_argument("--through", action="store_true", help="which is synced at each commit")
    parser.add_argument("--websocket", action="store_true", help="accept WebSocket")
    parser.add_argument("--asyncio", action="store_true", help="the standard library's loop")
    parser.add_argument("--profile", help="write a cProfile to this file at SIGINT")
    asked = parser.parse_args()
    run = serve(
        asked.protocol,
        not asked.no_journal,
        asked.rules,
        keep=asked.keep,
        through=asked.through,
        websocket=asked.websocket,
    )
    if asked.profile:
        import cProfile

        profile = cProfile.Profile()
        profile.enable()
    try:
        if asked.asyncio:
            asyncio.run(run)
        else:
            import uvloop

            uvloop.run(run)
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    finally:
        if asked.profile:
            profile.disable()
            profile.dump_stats(asked.profile)


if __name__ == "__main__":
    main()

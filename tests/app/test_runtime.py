"""One config becomes brokers that listen, with limits, addresses and an end."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.limits import Limits

from mockforge_tui.config import Config, model
from mockforge_tui.console.session import Session
from mockforge_tui.expectations.waiting import Outcome, Waiting
from mockforge_tui.fixtures.expected.model import LintClean
from mockforge_tui.listeners import CannotListen
from mockforge_tui.runtime import Runtime

T = TypeVar("T")
FREE = {"kafka_port": 0, "mqtt_port": 0, "amqp_port": 0}


def started(
    act: Callable[[Runtime], Awaitable[T]], *, next_free: bool = False, **settings: Any
) -> T:
    async def main() -> T:
        runtime = Runtime(Config(**{**FREE, **settings}), next_free=next_free)
        try:
            await runtime.start()
            return await act(runtime)
        finally:
            await runtime.stop()

    return asyncio.run(main())


async def facts(runtime: Runtime) -> dict[str, Any]:
    return runtime.facts()


def test_every_listener_accepts_once_it_is_started():
    async def dial(runtime: Runtime) -> set[str]:
        for port in runtime.listeners.ports.values():
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
        return set(runtime.listeners.ports)

    assert started(dial) == {"kafka", "mqtt", "amqp"}


def test_a_release_that_is_not_the_usual_one_is_said_at_the_start():
    async def look(runtime: Runtime) -> tuple[object, list[str]]:
        return runtime.facts().get("as_version"), runtime.notices

    assert started(look) == (None, [])
    assert started(look, kafka_as_version="2.8") == (
        {"kafka": "2.8"},
        ["Kafka is like release 2.8 (--kafka-as-version)"],
    )
    assert started(look, amqp_as_version="3.10") == (
        {"amqp": "3.10"},
        ["AMQP is like release 3.10 (--amqp-as-version)"],
    )
    assert started(look, kafka=False, kafka_as_version="2.8") == (None, [])


def test_the_ready_line_and_the_console_name_each_listener():
    async def look(runtime: Runtime) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return runtime.facts(), Session(runtime).run("listener ls").data

    found, rows = started(look)
    told = [address for name in ("kafka", "mqtt", "amqp") for address in found[name].values()]
    assert [each["address"] for each in rows] == told
    assert [each["name"] for each in rows] == ["plain", "plain", "ws", "plain"]


def test_tls_and_web_socket_have_ports_of_their_own(tmp_path):
    found = started(facts, tls="auto", tls_dir=str(tmp_path))
    assert {name: list(found[name]) for name in ("kafka", "mqtt", "amqp")} == {
        "kafka": ["bootstrap", "tls"],
        "mqtt": ["url", "tls", "ws", "wss"],
        "amqp": ["url", "tls"],
    }
    assert found["tls"] == {"ca": str(tmp_path / "ca.pem")}
    assert found["mqtt"]["wss"].startswith("wss://127.0.0.1:")
    assert found["mqtt"]["wss"].endswith("/mqtt")


def test_tls_alone_is_what_clients_are_told_first(tmp_path):
    found = started(facts, tls="auto", tls_only=True, tls_dir=str(tmp_path))
    assert found["kafka"]["bootstrap"] == found["kafka"]["tls"]
    assert found["mqtt"]["url"] == found["mqtt"]["tls"]
    assert list(found["mqtt"]) == ["url", "tls", "wss"]
    assert found["amqp"]["url"].startswith("amqps://")


def test_files_serve_as_certificates(tmp_path):
    started(facts, tls="auto", tls_dir=str(tmp_path))
    files = f"{tmp_path / 'server.pem'},{tmp_path / 'server.key'}"
    found = started(facts, tls=files, tls_client_ca=str(tmp_path / "ca.pem"))
    assert "tls" in found["kafka"]
    assert "tls" not in found
    with pytest.raises(InvalidInput, match=r"nothing\.pem"):
        started(facts, tls=f"{tmp_path / 'nothing.pem'},{tmp_path / 'server.key'}")


def test_a_throw_away_ca_goes_with_its_instance():
    async def there(runtime: Runtime) -> str:
        path = runtime.facts()["tls"]["ca"]
        assert Path(path).read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert "client_key" in runtime.facts()["tls"]
        return path

    assert not Path(started(there, tls="auto", tls_client_ca="auto")).parent.exists()


def test_web_socket_is_left_out_where_nobody_asked_and_its_port_is_taken(monkeypatch):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("127.0.0.1", 0)) as spare,
    ):
        port, other = taken.getsockname()[1], spare.getsockname()[1]
        spare.close()
        monkeypatch.setitem(model.USUAL_PORTS, "mqtt-ws", port)

        async def look(runtime: Runtime) -> tuple[dict[str, Any], list[str], bool]:
            return runtime.facts(), runtime.notices, runtime.listeners.accepting

        found, notices, listening = started(look, mqtt_port=other)
        assert list(found["mqtt"]) == ["url"]
        assert "--mqtt-ws-port" in notices[0]
        assert listening
        with pytest.raises(CannotListen, match="--mqtt-ws-port"):
            started(look, mqtt_ws_port=port)


def test_facts_leave_out_what_is_off():
    found = started(facts, kafka=False, mqtt=False, seed=5)
    assert set(found) == {"version", "pid", "seed", "amqp"}
    assert found["seed"] == 5


def test_the_url_of_amqp_has_the_user_and_virtual_host_that_were_given():
    found = started(facts, amqp_user="shop", amqp_password="p/w", amqp_vhost="orders/eu")
    assert found["amqp"]["url"].startswith("amqp://shop:p%2Fw@127.0.0.1:")
    assert found["amqp"]["url"].endswith("/orders%2Feu")


def test_a_seed_is_chosen_where_none_is_given():
    assert started(facts)["seed"] != started(facts)["seed"]


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({"host": "0.0.0.0"}, "127.0.0.1"),
        ({"host": "127.0.0.1", "advertise": "broker.example"}, "broker.example"),
        ({"advertise": "fe80::7"}, "[fe80::7]"),
    ],
)
def test_facts_name_a_host_that_can_be_dialled(settings, host):
    found = started(facts, **settings)
    assert found["kafka"]["bootstrap"].rpartition(":")[0] == host
    assert found["mqtt"]["url"].startswith(f"mqtt://{host}:")


def test_limits_of_the_config_reach_the_brokers():
    async def options(runtime: Runtime) -> tuple[Any, ...]:
        brokers: Any = runtime.brokers
        return (
            runtime.environment.limits.mqtt_packet,
            brokers["mqtt"].options.server_keep_alive,
            brokers["amqp"].options.channel_max,
            brokers["amqp"].options.frame_max,
            brokers["amqp"].options.heartbeat,
        )

    limits = {
        "limits": Limits(mqtt_packet=1000),
        "keep_alive": 9,
        "channel_max": 3,
        "frame_max": 8192,
    }
    assert started(options, **limits, heartbeat=7) == (1000, 9, 3, 8192, 7)


def test_a_taken_port_is_refused_or_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"mqtt cannot listen at 127.0.0.1:{port}: "):
            started(facts, mqtt_port=port)

        async def where(runtime: Runtime) -> tuple[int, list[str]]:
            return runtime.listeners.ports["mqtt"], runtime.notices

        found, notices = started(where, mqtt_port=port, next_free=True)
    assert found > port
    # Others of the machine may hold the port of another listener.
    assert f"port {port} is taken: mqtt is at {found}" in notices


def test_ports_are_free_again_after_the_end():
    async def ports(runtime: Runtime) -> dict[str, int]:
        return dict(runtime.listeners.ports)

    for port in started(ports).values():
        socket.create_server(("127.0.0.1", port)).close()


def test_a_message_through_the_runtime_is_counted():
    from mockforge_tui.fixtures.messages import KafkaMessage

    async def publish(runtime: Runtime) -> tuple[str, int]:
        receipt = runtime.publish(KafkaMessage("t", b"1", "test", partition=0))
        (topic,) = runtime.brokers["kafka"].destinations()
        return receipt.place, topic.messages_in

    assert started(publish) == ("t p0@0", 1)


def test_brokers_do_not_poll_busily_in_a_thread_nor_where_that_is_switched_off() -> None:
    async def length(runtime: Runtime) -> float:
        return runtime.environment.busy_poll

    in_thread: list[float] = []
    thread = threading.Thread(target=lambda: in_thread.append(started(length)))
    thread.start()
    thread.join()
    assert in_thread == [0.0]
    assert started(length, busy_poll=False) == 0.0
    if threading.current_thread() is threading.main_thread():
        assert started(length) > 0.0


def test_every_limit_says_how_much_of_it_is_used() -> None:
    async def unknown() -> list[str]:
        return [view.name for view in Runtime(Config()).usage.views() if view.used is None]

    assert asyncio.run(unknown()) == []


@pytest.mark.parametrize(
    ("sync", "says"), [("os", "is what the system has"), ("commit", "is what is on disk")]
)
def test_data_says_what_is_confirmed(sync: str, says: str, tmp_path: Path) -> None:
    async def look(runtime: Runtime) -> tuple[str, Any]:
        result = Session(runtime).run("data")
        return result.text, result.data

    text, figures = started(look, data_dir=str(tmp_path), data_sync=sync)
    assert says in text
    assert figures["sync"] == sync


def test_definitions_of_rabbitmq_as_a_fixture_are_in_the_broker():
    from mockforge_tui.fixtures import load

    path = Path(__file__).parents[1] / "brokers" / "amqp" / "definitions" / "rabbitmq-3.10.8.json"

    async def read(runtime: Runtime) -> tuple[Any, ...]:
        runtime.load(load([path]))
        broker = runtime.brokers.amqp
        vhost = broker.vhost()
        bound = {(row["source"], row["destination"]) for row in broker.management.bindings("/")}
        return set(vhost.queues), set(vhost.exchanges), bound, list(vhost.policies.table(False))

    queues, exchanges, bound, policies = started(read)
    assert queues == {"qt", "dl", "orders", "qq", "temp"}
    assert exchanges >= {"chh", "shop"}
    assert bound >= {("shop", "amq.headers"), ("shop", "orders")}
    assert policies == ["p1"]


def test_mechanisms_of_amqp_are_those_that_were_named() -> None:
    async def offered(runtime: Runtime) -> tuple[str, ...]:
        return runtime.brokers.amqp.options.mechanisms

    assert started(offered) == ("PLAIN", "AMQPLAIN")
    assert started(offered, amqp_mechanisms=("RABBIT-CR-DEMO",)) == ("RABBIT-CR-DEMO",)


def test_a_reset_ends_a_chaos_run_before_its_next_lines_come():
    async def run(runtime: Runtime) -> tuple[bool, int]:
        session = Session(runtime)
        assert session.run("chaos start subway -s client=nobody -s apart=1h").ok
        runtime.reset()
        runtime.clock.advance(3_600)
        return runtime.chaos[-1].ended is not None, len(runtime.faults.rules)

    assert started(run) == (True, 0)


def test_a_reset_renews_a_certificate_that_expired():
    pytest.importorskip("cryptography")

    async def run(runtime: Runtime) -> None:
        facts = runtime.facts()
        context = ssl.create_default_context(cafile=facts["tls"]["ca"])
        place = urlsplit(facts["mqtt"]["tls"])

        async def connect() -> None:
            _, writer = await asyncio.open_connection(place.hostname, place.port, ssl=context)
            writer.close()

        runtime.show_certificate(expired=True, seconds=3_600)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect()
        runtime.reset()
        await connect()
        # Nor does the time that was given for it do anything any more.
        runtime.clock.advance(3_600)
        await connect()

    started(run, tls="auto", kafka=False, amqp=False, mqtt_tls_port=0, mqtt_ws=False)


def test_expect_lint_counts_what_came_before_anybody_asked() -> None:
    connect, dup_of_qos_0, ping = "101000044d51545404020000000464657637", "3803000161", "c000"

    async def look(runtime: Runtime) -> Outcome:
        reader, writer = await asyncio.open_connection("127.0.0.1", runtime.listeners.ports["mqtt"])
        writer.write(bytes.fromhex(connect + dup_of_qos_0 + ping))
        # CONNACK and PINGRESP.
        await reader.readexactly(6)
        outcomes: list[Outcome] = []
        Waiting(LintClean(), runtime, outcomes.append)
        writer.close()
        return outcomes.pop()

    failure = started(look).failure
    assert failure is not None
    assert failure.seen == "dev7: PUBLISH: DUP with QoS 0"

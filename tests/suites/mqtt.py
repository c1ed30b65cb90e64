"""Suites of MQTT: Paho's interoperability tests and its clients' own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from . import readers
from .peers import MQTT, mosquitto, mosquitto_version, must_be_free, ours, started
from .place import Place
from .readers import Outcomes
from .suite import Suite

ONLY_MQTT = ("--no-amqp", "--no-admin", "--no-mqtt-ws")


def nothing(place: Place) -> None:
    """Plain Python, with nothing to fetch."""


@contextmanager
def interoperability_here(place: Place) -> Iterator[None]:
    """What the tests ask of a server that may be set: a keep alive that is shorter than theirs, a
    filter that nobody may subscribe to, aliases towards the client, a window for QoS 2."""
    options = ["--mqtt-keep-alive", "60", "--mqtt-outbound-aliases", "10"]
    options += ["--mqtt-refuse", "test/nosubscribe=UNSPECIFIED_ERROR"]
    options += ["--mqtt-receive-maximum", "20"]
    with ours(place.folder, [MQTT], [*ONLY_MQTT, *options]):
        yield


@contextmanager
def interoperability_beside(place: Place) -> Iterator[None]:
    """The same of Mosquitto, as far as it has a setting for it."""
    rules = place.folder / "acl"
    rules.write_text("topic readwrite #\ntopic readwrite $SYS/#\ntopic deny test/nosubscribe\n")
    lines = [f"listener {MQTT} 127.0.0.1", "max_keepalive 60", f"acl_file {rules}"]
    with mosquitto(place.folder, [MQTT], lines):
        yield


VERBOSE = """
import runpy, signal, sys, unittest
def late(*_):
    raise AssertionError("not within a minute")
def limited(*given):
    signal.alarm(60)
    try:
        return run(*given)
    finally:
        signal.alarm(0)
signal.signal(signal.SIGALRM, late)
run, unittest.TestCase.run = unittest.TestCase.run, limited
main, sys.argv = unittest.main, sys.argv[1:]
unittest.main = lambda: main(verbosity=2)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Neither program hands options on, only one of them lets -v be, and a test may wait for ever."""


def interoperability(place: Place, peer: object) -> Outcomes:
    """`client_test.py` is MQTT 3.1.1's, `client_test5.py` MQTT 5's."""
    outcomes: Outcomes = {}
    for label, program in (("3.1.1", "client_test.py"), ("5.0", "client_test5.py")):
        done = place.run("python3", "-c", VERBOSE, program, cwd=place.checkout / "interoperability")
        found = readers.unittest(done.stderr)
        outcomes |= {f"{label} {name}": outcome for name, outcome in found.items()}
    return outcomes


PLAIN, MUTUAL, SERVER, ANY, STRANGER = range(18883, 18888)
"""paho.mqtt.c: without TLS; clients need a certificate; the server has one (twice); clients need
one of a CA that signed none of theirs."""
WEBSOCKET = 8083
PROXY = 1884
Secured = Callable[[bool], AbstractContextManager[None]]
"""The listeners of 18883 to 18887, all by TCP or all by WebSocket."""


def build_c(place: Place) -> None:
    build = place.folder / "build"
    place.make(
        "cmake", "-S", place.checkout, "-B", build, "-DPAHO_WITH_SSL=TRUE",
        "-DPAHO_BUILD_SHARED=TRUE", "-DPAHO_BUILD_STATIC=FALSE", "-DPAHO_ENABLE_TESTING=TRUE",
        f"-DMQTT_WS_TEST_BROKER=ws://localhost:{WEBSOCKET}",
    )  # fmt: skip
    place.make("cmake", "--build", build, "-j2")


def certificates(place: Place) -> Path:
    """The suite's own; ours reads a certificate and who signed it from one file."""
    found = place.checkout / "test" / "ssl"
    chain = (found / "server.crt").read_text() + (found / "test-signing-ca.crt").read_text()
    (place.folder / "chain.crt").write_text(chain)
    return found


@contextmanager
def proxied(place: Place) -> Iterator[None]:
    """The suite's own proxy, which cuts connections when it is asked to."""
    must_be_free(PROXY)
    program = place.checkout / "test" / "mqttsas.py"
    command = ["python3", str(program), "localhost", str(MQTT), str(PROXY)]
    with started(command, place.folder / "proxy.log", [PROXY]):
        yield


@contextmanager
def c_here(place: Place) -> Iterator[Secured]:
    """One of ours for each kind of TLS, since each has one for all its listeners."""
    keys = certificates(place)
    asked = ["--mqtt-outbound-aliases", "10", "--mqtt-receive-maximum", "20"]
    asked += ["--mqtt-refuse", "nosubscribe=UNSPECIFIED_ERROR"]
    listening = [f"--{kind}-port" for kind in ("mqtt-tls", "mqtt-ws", "mqtt-wss")]
    server = ["--no-amqp", "--no-admin", "--tls", f"{place.folder}/chain.crt,{keys}/server.key"]

    @contextmanager
    def secured(ws: bool) -> Iterator[None]:
        with ExitStack() as stack:
            for port, plain, more in (
                (MUTUAL, PLAIN, ["--tls-client-ca", f"{keys}/all-ca.crt"]),
                (SERVER, 0, []),
                (ANY, 0, []),
                (STRANGER, 0, ["--tls-client-ca", f"{keys}/server.crt"]),
            ):
                ports = (0, plain, port) if ws else (port, 0, 0)
                at = [
                    word for pair in zip(listening, map(str, ports), strict=True) for word in pair
                ]
                tcp = ["--mqtt-port", str(0 if ws else plain)]
                taken = [each for each in (plain, port) if each]
                stack.enter_context(ours(place.folder, taken, [*server, *more, *at, *tcp, *asked]))
            yield

    plain = ["--no-amqp", "--no-admin", "--mqtt-ws-port", str(WEBSOCKET), *asked]
    with ours(place.folder, [MQTT, WEBSOCKET], plain), proxied(place):
        yield secured


@contextmanager
def c_beside(place: Place) -> Iterator[Secured]:
    keys = certificates(place)
    server = [f"certfile {keys}/server.crt", f"keyfile {keys}/server.key"]

    @contextmanager
    def secured(ws: bool) -> Iterator[None]:
        protocol = ["protocol websockets"] * ws
        lines = [f"listener {PLAIN}", *protocol]
        for port, ca, required in (
            (MUTUAL, "all-ca.crt", "true"),
            (SERVER, "all-ca.crt", "false"),
            (ANY, "all-ca.crt", "false"),
            (STRANGER, "server.crt", "true"),
        ):
            lines += [f"listener {port}", *protocol, *server, f"cafile {keys}/{ca}"]
            lines += [f"require_certificate {required}"]
        ports = [PLAIN, MUTUAL, SERVER, ANY, STRANGER]
        if ws:
            # Mosquitto does not start with this one: its certificate is signed by none of the CA.
            ports, lines = ports[:-1], lines[:-5]
        with mosquitto(place.folder, ports, lines, "secured"):
            yield

    plain = [f"listener {MQTT}", f"listener {WEBSOCKET}", "protocol websockets"]
    with mosquitto(place.folder, [MQTT, WEBSOCKET], plain), proxied(place):
        yield secured


def c_suite(place: Place, secured: Secured) -> Outcomes:
    """All but secure WebSocket, then that alone: both are at the same ports."""
    outcomes: Outcomes = {}
    for ws, chosen in ((False, "-E"), (True, "-R")):
        report = place.report(f"ctest-{ws}.xml")
        with secured(ws):
            place.run(
                "ctest", "--test-dir", place.folder / "build", chosen, "^test[35]-.*-ws-",
                "--timeout", "300", "--output-junit", report, longest=3000,
            )  # fmt: skip
        if report.exists():
            outcomes |= readers.junit([report])
    return outcomes


def build_go(place: Place) -> None:
    place.make("go", "test", "-c", "-o", place.folder / "suite.test", ".")


@contextmanager
def go_here(place: Place) -> Iterator[None]:
    with ours(place.folder, [MQTT], ONLY_MQTT):
        yield


@contextmanager
def mosquitto_plain(place: Place) -> Iterator[None]:
    with mosquitto(place.folder, [MQTT], [f"listener {MQTT}"]):
        yield


def go_suite(place: Place, peer: object) -> Outcomes:
    done = place.run("go", "test", "-json", "-count=1", "-timeout", "25m", ".")
    return readers.go(done.stdout)


SUITES = [
    Suite(
        "paho-interoperability",
        "eclipse-paho/paho.mqtt.testing",
        nothing,
        interoperability_here,
        interoperability_beside,
        mosquitto_version,
        interoperability,
    ),
    Suite(
        "paho.mqtt.c",
        "eclipse-paho/paho.mqtt.c",
        build_c,
        c_here,
        c_beside,
        mosquitto_version,
        c_suite,
    ),
    Suite(
        "paho.mqtt.golang",
        "eclipse-paho/paho.mqtt.golang",
        build_go,
        go_here,
        mosquitto_plain,
        mosquitto_version,
        go_suite,
    ),
]

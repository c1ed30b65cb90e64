"""Suites of AMQP 0-9-1: the clients' own, as far as they run against a broker at the usual port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import readers
from .peers import AMQP, ours, rabbitmq, rabbitmq_version
from .place import Place
from .readers import Outcomes
from .suite import Suite

ONLY_AMQP = ("--no-mqtt", "--no-admin")
PLUGINS = Path(__file__).parent / "plugins"


@contextmanager
def here(place: Place) -> Iterator[None]:
    """As the RabbitMQ that it is compared with."""
    with ours(place.folder, [AMQP], [*ONLY_AMQP, "--amqp-as-version", "3.10"]):
        yield


@contextmanager
def beside(place: Place) -> Iterator[None]:
    with rabbitmq(place.folder):
        yield


def pytest(place: Place, *arguments: str, longest: float = 1800) -> Outcomes:
    report = place.report("pytest.xml")
    place.run(
        place.python, "-m", "pytest", "-q", f"--junitxml={report}", *arguments, longest=longest
    )
    return readers.junit([report]) if report.exists() else {}


def pika_ready(place: Place) -> None:
    place.environment("pytest", "pytest-timeout", "twisted", "tornado", "gevent")


def pika(place: Place, peer: object) -> Outcomes:
    return pytest(place, "--timeout=60", "tests/acceptance")


def aio_pika_ready(place: Place) -> None:
    place.environment(
        "aiormq>=6.8,<7", "yarl", "aiomisc>=18", "aiomisc-pytest", "pytest", "pytest-rst",
        "shortuuid", "timeout-decorator", "setuptools",
    )  # fmt: skip


def aio_pika(place: Place, peer: object) -> Outcomes:
    place.variables["PYTHONPATH"] = str(PLUGINS)
    return pytest(place, "-p", "without_docker", "tests", longest=2400)


def kombu_ready(place: Place) -> None:
    place.environment(
        "-e", str(place.checkout), "pytest", "pytest-xdist", "pytest-rerunfailures", "hypothesis",
        "pytest-freezer",
    )  # fmt: skip


def kombu(place: Place, peer: object) -> Outcomes:
    return pytest(place, "-E", "py-amqp", "t/integration/test_py_amqp.py")


def amqplib_ready(place: Place) -> None:
    place.make("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")


def amqplib(place: Place, peer: object) -> Outcomes:
    """Its own limit of a second a test goes by the machine's speed."""
    report = place.report("node.xml")
    place.run(
        "node", "--test", "--test-timeout=20000", "--test-reporter=junit",
        f"--test-reporter-destination={report}",
    )  # fmt: skip
    return readers.node(report) if report.exists() else {}


def go_ready(place: Place) -> None:
    place.make("go", "test", "-c", "-tags", "integration", "-o", place.folder / "suite.test", ".")


def amqp091(place: Place, peer: object) -> Outcomes:
    done = place.run("go", "test", "-json", "-count=1", "-tags", "integration", ".")
    return readers.go(done.stdout)


def lapin_ready(place: Place) -> None:
    place.make("cargo", "test", "--no-run")


def lapin(place: Place, peer: object) -> Outcomes:
    done = place.run("cargo", "test", "--no-fail-fast", "--", "--test-threads", "1")
    return readers.cargo(done.stdout)


def suite(name: str, source: str, prepare: object, run: object) -> Suite:
    return Suite(name, source, prepare, here, beside, rabbitmq_version, run)  # type: ignore[arg-type]


SUITES = [
    suite("pika", "pika/pika", pika_ready, pika),
    suite("aio-pika", "mosquito/aio-pika", aio_pika_ready, aio_pika),
    suite("kombu", "celery/kombu", kombu_ready, kombu),
    suite("amqplib", "amqp-node/amqplib", amqplib_ready, amqplib),
    suite("amqp091-go", "rabbitmq/amqp091-go", go_ready, amqp091),
    suite("lapin", "amqp-rs/lapin", lapin_ready, lapin),
]

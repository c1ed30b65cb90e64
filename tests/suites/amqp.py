"""Suites of AMQP 0-9-1: the clients' own, as far as they run against a broker at the usual port."""

import json
import os
import shlex
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from mockforge_brokers import tls

from . import readers
from .peers import AMQP, MANAGEMENT, RABBITMQ, ours, rabbitmq, rabbitmq_version, started
from .place import Place
from .readers import Outcomes
from .suite import Suite

ADMIN = 9080
SECURED = 5671
PLUGINS = Path(__file__).parent / "plugins"


@contextmanager
def here(place: Place) -> Iterator[None]:
    """As the RabbitMQ that it is compared with, with its management interface and TLS."""
    options = ["--no-mqtt", "--amqp-as-version", "3.10", "--amqp-management"]
    options += ["--admin-port", str(ADMIN), "--tls", "auto", "--tls-dir", str(place.folder)]
    with ours(place.folder, [AMQP, SECURED, MANAGEMENT, ADMIN], options):
        place.variables["MOCKFORGE_URL"] = f"http://127.0.0.1:{ADMIN}/__mockforge"
        place.variables["RABBITMQCTL"] = str(PLUGINS / "rabbitmqctl")
        yield


@contextmanager
def beside(place: Place) -> Iterator[None]:
    plugins = "rabbitmq_management,rabbitmq_consistent_hash_exchange"
    issued = tls.issue(place.folder, ["localhost"])
    secured = [f"listeners.ssl.1 = 127.0.0.1:{SECURED}", "ssl_options.verify = verify_none"]
    for name, path in (("ca", issued.ca), ("", issued.certificate), ("key", issued.key)):
        secured.append(f"ssl_options.{name}{'certfile' if name != 'key' else 'file'} = {path}")
    with rabbitmq(place.folder, secured, plugins) as variables:
        place.variables["RABBITMQCTL"] = str(control(place, variables))
        place.variables["RABBITMQ_NODENAME"] = variables["RABBITMQ_NODENAME"]
        yield


def control(place: Place, variables: dict[str, str]) -> Path:
    """Its rabbitmqctl with the variables of this node, of which HOME would mislead others."""
    own = {name: value for name, value in variables.items() if value != os.environ.get(name)}
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in own.items())
    script = place.folder / "rabbitmqctl"
    script.write_text(f'#!/bin/sh\n{given} exec {RABBITMQ / "rabbitmqctl"} "$@"\n')
    script.chmod(0o755)
    return script


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
        "-e", str(place.checkout), "yarl", "aiomisc>=18", "aiomisc-pytest", "pytest", "pytest-rst",
        "shortuuid", "timeout-decorator", "setuptools", "pytest-timeout",
    )  # fmt: skip


def aio_pika(place: Place, peer: object) -> Outcomes:
    place.variables["PYTHONPATH"] = str(PLUGINS)
    return pytest(place, "-p", "without_docker", "--timeout=60", "tests", longest=2400)


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
    place.variables["RABBITMQ_RABBITMQCTL_PATH"] = place.variables["RABBITMQCTL"]
    done = place.run("go", "test", "-json", "-count=1", "-tags", "integration", ".")
    return readers.go(done.stdout)


def lapin_ready(place: Place) -> None:
    place.make("cargo", "test", "--no-run")


def lapin(place: Place, peer: object) -> Outcomes:
    done = place.run("cargo", "test", "--no-fail-fast", "--", "--test-threads", "1")
    return readers.cargo(done.stdout)


def java_ready(place: Place) -> None:
    """MAVEN_ARGS may say which versions of its dependencies there are."""
    codegen = place.checkout / "deps" / "rabbitmq_codegen"
    if not codegen.exists():
        source = "https://github.com/rabbitmq/rabbitmq-codegen"
        place.make("git", "clone", "-q", "--depth", "1", source, codegen)
    place.make("mvn", "-q", "-B", "test-compile", *maven())
    # Maven fetches what runs tests only when there is one to run; this one dials nobody.
    place.make("mvn", "-q", "-B", "failsafe:integration-test", *maven(), "-Dit.test=AddressTest")


def maven() -> list[str]:
    return os.environ.get("MAVEN_ARGS", "").split()


def java(place: Place, peer: object) -> Outcomes:
    """What its RUNNING_TESTS.md calls the most important: TLS and a second node are left out."""
    reports = place.checkout / "target" / "failsafe-reports"
    shutil.rmtree(reports, ignore_errors=True)
    place.run(
        "mvn", "-B", "-o", "failsafe:integration-test", *maven(),
        "-Dit.test=ClientTestSuite,FunctionalTestSuite,ServerTestSuite",
        f"-Drabbitmqctl.bin={place.variables['RABBITMQCTL']}",
        f"-Dtest-broker.A.nodename={place.variables.get('RABBITMQ_NODENAME', 'ours')}",
        longest=3000,
    )  # fmt: skip
    return readers.junit(reports.glob("TEST-*.xml"), "com.rabbitmq.client.test.")


def bunny_ready(place: Place) -> None:
    """Where the gems cannot be had, `amq-protocol` beside the checkout does, and the management
    interface's client is a few lines of ours."""


def bunny(place: Place, peer: object) -> Outcomes:
    """All but the stress tests, which take as long as the machine lets them.

    bin/ci/before_build.sh makes the same users and virtual hosts by rabbitmqctl.
    """
    api = Management()
    for name in ("bunny_testbed", *BUNNY_TYPES):
        kind = {"default_queue_type": name.rpartition("_")[2]} if name in BUNNY_TYPES else {}
        api.put("vhosts", name, **kind)
    api.put("users", "bunny_gem", password="bunny_password", tags="")
    api.put("users", "bunny_reader", password="reader_password", tags="")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    for vhost in ("bunny_testbed", *BUNNY_TYPES):
        api.put("permissions", vhost, "bunny_gem", **everything)
        api.put("permissions", vhost, "guest", **everything)
    api.put("permissions", "bunny_testbed", "bunny_reader", configure="^---$", write="^---$",
            read=".*")  # fmt: skip
    report = place.report("rspec.json")
    place.variables["CI"] = "true"
    library = [f"-I{place.checkout.parent / 'amq-protocol' / 'lib'}"]
    if place.run("gem", "list", "-i", "rabbitmq_http_api_client").returncode:
        library.append(f"-I{PLUGINS / 'ruby'}")
    parts = ("higher_level_api", "lower_level_api", "issues", "unit")
    place.run(
        "rspec", *library, "--format", "json", "--out", report,
        *[f"spec/{part}" for part in parts], longest=2400,
    )  # fmt: skip
    return readers.rspec(report.read_text()) if report.exists() else {}


class Management:
    """RabbitMQ's interface, of whoever serves it."""

    def put(self, *path: str, **body: str) -> None:
        words = "/".join(quote(word, safe="") for word in path)
        request = urllib.request.Request(
            f"http://127.0.0.1:{MANAGEMENT}/api/{words}",
            json.dumps(body).encode(),
            # guest:guest
            {"Content-Type": "application/json", "Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=30):
            pass


BUNNY_TYPES = ("bunny_dqt_classic", "bunny_dqt_quorum", "bunny_dqt_stream")


def celery_ready(place: Place) -> None:
    place.environment(
        "-e", str(place.checkout), "pytest", "pytest-rerunfailures", "pytest-subtests",
        "pytest-timeout", "pytest-order", "pytest-click", "pytest-celery", "redis", "msgpack",
        "PyYAML", "pymongo", "pydantic", "sqlalchemy", "gevent", "cryptography", "psutil", "boto3",
        "moto", "django", "fakeredis",
    )  # fmt: skip


def celery(place: Place, peer: object) -> Outcomes:
    """With results by AMQP (`rpc`), as tox's environment `rabbitmq`; test_backend.py wants Azure's
    library. Some tests look into Redis all the same.

    Each file in a process of its own: one that hangs in the midst of a task leaves its mark in the
    process, and all tests behind it are told not to wait for results.
    """
    path = os.pathsep.join([str(place.python.parent), place.path])
    place.variables |= {"TEST_BROKER": "pyamqp://", "TEST_BACKEND": "rpc", "PATH": path}
    serve = "from fakeredis import TcpFakeServer as S; S(('127.0.0.1', 6379)).serve_forever()"
    files = sorted((place.checkout / "t" / "integration").glob("test_*.py"))
    outcomes: Outcomes = {}
    with started([str(place.python), "-c", serve], place.folder / "redis.log", [6379]):
        for file in files:
            if file.name != "test_backend.py":
                outcomes |= pytest(place, "--timeout=120", "-o", "addopts=", str(file))
    return outcomes


def suite(name: str, source: str, prepare: object, run: object) -> Suite:
    return Suite(name, source, prepare, here, beside, rabbitmq_version, run)  # type: ignore[arg-type]


SUITES = [
    suite("pika", "pika/pika", pika_ready, pika),
    suite("aio-pika", "mosquito/aio-pika", aio_pika_ready, aio_pika),
    suite("kombu", "celery/kombu", kombu_ready, kombu),
    suite("amqplib", "amqp-node/amqplib", amqplib_ready, amqplib),
    suite("amqp091-go", "rabbitmq/amqp091-go", go_ready, amqp091),
    suite("lapin", "amqp-rs/lapin", lapin_ready, lapin),
    suite("bunny", "ruby-amqp/bunny", bunny_ready, bunny),
    suite("java-client", "rabbitmq/rabbitmq-java-client", java_ready, java),
    suite("celery", "celery/celery", celery_ready, celery),
]

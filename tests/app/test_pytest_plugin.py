"""The pytest plugin in projects of its own, run by pytests of their own.

A start of pytest and of the brokers costs more than most tests, so those that do not mind each
other are files of one project, and each test here looks at what came of its file.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from mockforge_tui import MockForge
from mockforge_tui.embedded import remote

pytest_plugins = ["pytester"]

# pytester forgets the modules that a test imports. YAML's part in C stays with the classes of its
# first import: a second one would not know its own errors.
KEPT = yaml, remote

_INSTALLED = any(each.name == "mockforge" for each in entry_points(group="pytest11"))

PLUGIN = () if _INSTALLED else ("-p", "mockforge_tui.pytest_plugin")
"""Found as an installed package's, or told of."""
_OTHERS = ("anyio", "cacheprovider", "faker", "hypothesispytest", "pytest_cov", "timeout")
ALONE = (*PLUGIN, *(f"-pno:{name}" for name in _OTHERS))
"""Without those of other packages, which take longer to import than pytest itself."""

SHOP = """\
mockforge: 1
name: shop
kafka: {topics: {orders.created: {partitions: 2}}}
amqp:
  exchanges: [{name: billing, type: topic}]
  queues: [{name: invoices}]
  bindings: [{exchange: billing, queue: invoices, routing_key: "invoice.*"}]
reactions:
  - id: bill
    when: {kafka: orders.created}
    do:
      - publish:
          to: {amqp: {exchange: billing, routing_key: invoice.paid}, headers: {trace_id: t-1}}
          value: {order_id: "{{in.value.order_id}}"}
"""

DOCUMENTED = """
import pytest

@pytest.mark.mockforge(fixtures="fixtures/shop.yaml", seed=42)
def test_checkout(mockforge):
    order = {"order_id": "o-1", "total": 10}
    mockforge.kafka.publish("orders.created", key="o-1", value=order)
    message = mockforge.amqp.expect(
        exchange="billing", routing_key="invoice.*", json={"order_id": "o-1"}, within=5
    )
    assert message.headers["trace_id"]
    mockforge.kafka.expect_none("orders.dlq", within=0.3)
    mockforge.amqp.expect(queue="invoices", count=1)
    assert mockforge.facts["seed"] == 42

def test_nothing_is_left_of_the_test_before(mockforge):
    assert mockforge.run("topic ls").data == []
    assert mockforge.kafka.messages("*") == []

@pytest.mark.mockforge(fixtures="fixtures/shop.yaml")
def test_the_fixtures_are_there_again(mockforge):
    assert [row["name"] for row in mockforge.run("topic ls").data] == ["orders.created"]
    assert mockforge.kafka.messages("*") == []
"""

SEEDED = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def seeded(mockforge_session):
    mockforge_session.kafka.publish("orders", key="o-1", value={"total": 10})
    mockforge_session.snapshot("seeded")

@pytest.mark.mockforge(snapshot="seeded")
@pytest.mark.parametrize("number", [1, 2])
def test_what_is_seeded_is_there_and_nothing_of_other_tests(mockforge, number):
    assert mockforge.kafka.messages("*") == []
    assert len(mockforge.run("peek orders -n 9").data) == 1
    mockforge.kafka.publish("orders", value=number)

def test_without_it_brokers_are_empty(mockforge):
    assert mockforge.run("topic ls").data == []

def test_in_the_midst_of_a_test(mockforge):
    mockforge.reset(to="seeded")
    assert len(mockforge.run("peek orders -n 9").data) == 1

@pytest.mark.mockforge(snapshot="seeded", seed=1)
def test_with_anything_else_it_is_refused(mockforge):
    pass
"""

FAILING = """
def test_it(mockforge):
    mockforge.kafka.publish("order.created", {"id": 1}, key="o-1")
    mockforge.kafka.expect("orders.created", key="o-2", within=0.1)
"""

FAULTS = """
def test_unused(mockforge):
    with mockforge.faults.kafka(api="Produce", error="NOT_LEADER_OR_FOLLOWER", times=2):
        pass

def test_allowed(mockforge):
    with mockforge.faults.mqtt(client="dev-*", delay="10ms", allow_unused=True) as fault:
        pass
    assert fault.hits == 0
    assert mockforge.run("fault ls").data == []

def test_its_own_error_comes_first(mockforge):
    with mockforge.faults.kafka(drop=True):
        raise LookupError("mine")
"""

AWAITING = """
import asyncio
import pytest

def test_awaited(mockforge):
    async def main():
        async def later():
            await asyncio.sleep(0.05)
            await mockforge.aio.mqtt.publish("a/b", "hi", qos=1)

        publishing = asyncio.ensure_future(later())
        message = await mockforge.aio.mqtt.expect("a/+", within=5)
        await publishing
        assert message.text == "hi"
        assert mockforge.aio.mqtt.url == mockforge.mqtt.url
        with pytest.raises(Exception, match="await mockforge.aio"):
            mockforge.mqtt.expect("a/+")
        with pytest.raises(Exception, match="await mockforge.aio.scenario"):
            mockforge.scenario("none")
        with mockforge.faults.kafka(api="Fetch", drop=True, allow_unused=True) as fault:
            with pytest.raises(Exception, match=r"await fault.aio.wait\\(2\\)"):
                fault.wait(2)
            with pytest.raises(AssertionError, match="0 hits"):
                await fault.aio.wait(2, within=0)
            assert fault.aio.hits == 0
        with pytest.raises(Exception, match="not in force"):
            await fault.aio.wait()

    asyncio.run(main())
"""

FRESH = """
import pytest

@pytest.mark.mockforge(fresh=True)
def test_fresh(mockforge, mockforge_session):
    assert mockforge.kafka.bootstrap != mockforge_session.kafka.bootstrap

@pytest.mark.mockforge(mqtt=False, seed=7)
def test_settings(mockforge):
    assert set(mockforge.facts) >= {"kafka", "amqp"}
    assert "mqtt" not in mockforge.facts
    assert mockforge.facts["seed"] == 7

def test_two(make_mockforge):
    one, two = make_mockforge(), make_mockforge(amqp=False)
    one.kafka.publish("orders", 1)
    two.kafka.expect_none("orders", within=0.05)
"""

WRONG = """
import pytest

@pytest.mark.mockforge("fixtures/bad.yaml")
def test_positional(mockforge): ...

@pytest.mark.mockforge(fixtures="fixtures/bad.yaml")
def test_broken(mockforge): ...

@pytest.mark.mockforge(fixtures="fixtures/none.yaml")
def test_missing(mockforge): ...

@pytest.mark.mockforge(kafka_prot=0)
def test_unknown(mockforge): ...
"""

OWN_PACKAGE = """
from brokers.settings import NAME

def test_it(mockforge):
    mockforge.kafka.publish(NAME, 1)
    mockforge.kafka.expect("mine")
"""

UNCHANGED = "def test_all(mockforge):\n    assert mockforge.mqtt.url\n"

WORKERS = """
import pytest

@pytest.mark.parametrize("number", range(8))
def test_alone(mockforge, number):
    mockforge.kafka.publish("orders", number)
    (message,) = mockforge.kafka.messages("orders")
    assert message.value == number
"""

ANYWHERE = """
import re
import pytest

from mockforge_brokers.errors import InvalidInput
from mockforge_tui import MockForge

@pytest.mark.mockforge(fixtures="fixtures/shop.yaml", seed=42)
def test_checkout(mockforge):
    mockforge.kafka.publish("orders.created", key="o-1", value={"order_id": "o-1"})
    message = mockforge.amqp.expect(
        exchange="billing", routing_key="invoice.*", json={"order_id": "o-1"}, within=5
    )
    assert message.headers["trace_id"] == "t-1"
    assert message.routing_key == "invoice.paid"
    assert message.queues == ("invoices",)
    assert mockforge.facts["seed"] == 42
    mockforge.kafka.expect_none("orders.dlq", within=0.05)
    mockforge.expect_in_order(
        mockforge.kafka.message("orders.created", key="o-1"),
        mockforge.amqp.message(queue="invoices"),
    )
    with pytest.raises(AssertionError, match="1 ready"):
        mockforge.amqp.wait_drained("invoices", within=0.05)

def test_clean(mockforge):
    assert mockforge.run("topic ls").data == []
    mockforge.mqtt.publish("raw", b"\\xff\\x00", qos=1)
    assert mockforge.mqtt.expect("raw").payload == b"\\xff\\x00"
    mark = mockforge.mark()
    mockforge.mqtt.publish("raw", "{{uuid}}")
    (only,) = mockforge.mqtt.messages("raw", since=mark)
    assert only.text == "{{uuid}}"
    where = {"exchange": "amq.topic", "routing_key": "{{q}}"}
    mockforge.amqp.publish("{{v}}", headers={"{{n}}": "{{uuid}}"}, **where)
    kept = mockforge.amqp.expect(payload="{{v}}", **where)
    assert kept.headers == {"{{n}}": "{{uuid}}"}
    with pytest.raises(AssertionError, match="never fired"):
        with mockforge.faults.kafka(api="Produce", error="NOT_LEADER_OR_FOLLOWER"):
            pass
    before = mockforge.clock.now()
    mockforge.clock.advance("90s")
    # The machine's own clock may be set back meanwhile, by as much as its keeper of time likes.
    assert mockforge.clock.now() > before + 60

def test_clusters(mockforge, tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("mockforge: 1\\nkafka: {cluster: {brokers: 3}}\\n")
    with pytest.raises(InvalidInput, match="want 3 Kafka brokers, 1 here now: start with them"):
        mockforge.renew([file])

def test_failing(mockforge):
    mockforge.kafka.publish("orders", {"id": 1})
    mockforge.kafka.expect("orders", json={"id": 2}, within=0.05)
"""


class Project:
    """What a pytest of its own said of its files, with variables and a config file in its way."""

    def __init__(self, folder: Path, files: dict[str, str], *arguments: str) -> None:
        furnish(folder, files)
        folder.joinpath("mockforge-tui.yaml").write_text("mqtt: {enabled: false}\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *ALONE, "--strict-markers", "-rA", *arguments],
            cwd=folder,
            env={**os.environ, "MOCKFORGE_ADMIN_TOKEN": "secret"},
            capture_output=True,
            text=True,
            timeout=190,
        )
        self.text = done.stdout
        self._said = done.stdout + done.stderr

    def outcomes(self, name: str) -> dict[str, int]:
        """How many of the tests of a file passed, failed, or erred in a fixture."""
        found = re.findall(rf"^([A-Z]+) {name}\.py::", self.text, re.M)
        assert found, self._said
        return Counter(each.lower() for each in found)

    def report(self, test: str) -> pytest.LineMatcher:
        """What is shown of a test that failed."""
        found = re.search(rf"^_+ {test} _+$(.*?)^(?:___|===)", self.text, re.M | re.S)
        assert found, self._said
        return pytest.LineMatcher(found[1].splitlines())


def furnish(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        folder.joinpath(f"{name}.py").write_text(text)
    fixtures = folder / "fixtures"
    fixtures.mkdir()
    fixtures.joinpath("shop.yaml").write_text(SHOP)
    fixtures.joinpath("bad.yaml").write_text("mockforge: 1\nname: x\ntpics: {}\n")
    brokers = folder / "brokers"
    brokers.mkdir()
    brokers.joinpath("__init__.py").touch()
    brokers.joinpath("settings.py").write_text("NAME = 'mine'\n")


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Project:
    files = {
        "test_documented": DOCUMENTED,
        "test_seeded": SEEDED,
        "test_failing": FAILING,
        "test_faults": FAULTS,
        "test_awaiting": AWAITING,
        "test_fresh": FRESH,
        "test_wrong": WRONG,
        "test_own_package": OWN_PACKAGE,
        "test_unchanged": UNCHANGED,
        "test_anywhere": ANYWHERE,
    }
    return Project(tmp_path_factory.mktemp("inside"), files, "-p", "no:xdist")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Project:
    files = {"test_unchanged": UNCHANGED, "test_anywhere": ANYWHERE}
    folder = tmp_path_factory.mktemp("process")
    return Project(folder, files, "-p", "no:xdist", "--mockforge-mode=process")


@pytest.fixture(params=["inside", "process"])
def each(request: pytest.FixtureRequest) -> Project:
    """Once with the brokers in the process of the tests, once in one of their own."""
    project: Project = request.getfixturevalue(request.param)
    return project


def test_the_documented_tests_pass_as_they_are_printed(inside: Project) -> None:
    assert inside.outcomes("test_documented") == {"passed": 3}


def test_tests_go_back_to_a_snapshot_of_the_session(inside: Project) -> None:
    assert inside.outcomes("test_seeded") == {"passed": 4, "error": 1}
    inside.report("ERROR at setup of test_with_anything_else_it_is_refused").fnmatch_lines(
        ["*mockforge(snapshot=...) goes with nothing else*"]
    )


def test_a_failure_says_all_there_is_and_has_the_journal(inside: Project) -> None:
    assert inside.outcomes("test_failing") == {"failed": 1}
    shown = inside.report("test_it")
    shown.fnmatch_lines(
        [
            'E * expected  a message to kafka:orders.created key="o-2" within 100ms',
            "E * seen      none",
            'E * nearest   order.created p?@0  {"id":1}',
            "E * came      kafka:order.created ×1",
            "E * try       1 came to kafka:order.created: is that the name that was meant?",
            "*mockforge journal*",
            "*∗test K→ Produce order.created*",
        ]
    )
    shown.no_fnmatch_line("*handles.py*")


def test_a_fault_that_never_fired_fails_its_test(inside: Project) -> None:
    assert inside.outcomes("test_faults") == {"passed": 1, "failed": 2}
    inside.report("test_unused").fnmatch_lines(
        ["*the fault error NOT_LEADER_OR_FOLLOWER kafka api:Produce never*"]
    )
    inside.report("test_its_own_error_comes_first").fnmatch_lines(["*LookupError: mine"])


def test_async_tests_await_and_a_call_that_would_block_says_so(inside: Project) -> None:
    assert inside.outcomes("test_awaiting") == {"passed": 1}


def test_fresh_brokers_and_settings_are_the_tests_own(inside: Project) -> None:
    assert inside.outcomes("test_fresh") == {"passed": 3}


def test_what_is_wrong_with_a_marker_is_one_line(inside: Project) -> None:
    assert inside.outcomes("test_wrong") == {"error": 4}
    assert "mockforge takes names: fixtures='fixtures/bad.yaml'" in inside.text
    assert re.search(r"bad\.yaml:3:1: .*tpics", inside.text)
    assert "none.yaml:1:1: no such file or folder" in inside.text
    assert "did you mean kafka_port?" in inside.text


def test_the_same_tests_run_inside_and_beside(each: Project) -> None:
    assert each.outcomes("test_anywhere") == {"passed": 3, "failed": 1}
    each.report("test_failing").fnmatch_lines(FAILED_ANYWHERE)


FAILED_ANYWHERE = ["E * value.id: - 2", "*mockforge journal*", "*Produce orders p*"]


def test_neither_variables_nor_a_config_file_change_the_brokers_of_tests(each: Project) -> None:
    assert each.outcomes("test_unchanged") == {"passed": 1}


def test_a_project_with_its_own_brokers_package(inside: Project) -> None:
    assert inside.outcomes("test_own_package") == {"passed": 1}


def test_workers_of_xdist_do_not_meet_nor_modules_by_importlib(tmp_path: Path) -> None:
    files = {"test_workers": WORKERS, "test_own_package": OWN_PACKAGE}
    project = Project(tmp_path, files, "-n", "2", "--import-mode=importlib")
    assert project.outcomes("test_workers") == {"passed": 8}
    assert project.outcomes("test_own_package") == {"passed": 1}


def test_a_run_that_does_not_use_it_imports_nothing_but_pytest() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import mockforge_tui.pytest_plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150
    )
    assert done.stdout.strip() == "['mockforge_tui', 'mockforge_tui.pytest_plugin']"


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """In this process: what is seen of an instance elsewhere."""
    return pytester.runpytest_inprocess(*ALONE, *arguments)


def test_its_marker_is_shown_among_the_markers(pytester: pytest.Pytester) -> None:
    run(pytester, "--markers").stdout.fnmatch_lines(["@pytest.mark.mockforge(*"])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:9080", "*InvalidInput: localhost:9080: the address begins with http*"),
        ("http://127.0.0.1:1", "*no instance answers at http://127.0.0.1:1*"),
    ],
)
def test_an_address_that_is_none_or_where_nobody_is_is_named(
    pytester: pytest.Pytester, url: str, said: str
) -> None:
    pytester.makepyfile("def test_any(mockforge): ...")
    result = run(pytester, "--mockforge-mode=attach", f"--mockforge-url={url}")
    result.stdout.fnmatch_lines([said])


def test_they_run_against_an_instance_that_is_there_already(pytester: pytest.Pytester) -> None:
    furnish(pytester.path, {"test_anywhere": ANYWHERE})
    with MockForge(admin=True) as running:
        attached = "--mockforge-mode=attach", f"--mockforge-url={running.facts['admin']['url']}"
        result = run(pytester, *attached, "-p", "no:xdist")
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.fnmatch_lines(FAILED_ANYWHERE)
        result = run(pytester, *attached, "-n", "1", "-k", "clean")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*xdist's workers would reset one instance under each other*"])

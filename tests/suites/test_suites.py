"""What the runners of public suites print is read, and compared with what is known of each."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from . import readers, table
from .readers import Outcomes

ROOT = Path(__file__).parent.parent.parent

GO = """{"Action":"start"}
{"Action":"pass","Test":"A/part"}
{"Action":"pass","Test":"A"}
{"Action":"skip","Test":"B"}
{"Action":"fail","Test":"C"}
{"Action":"run","Test":"D"}
a line of a panic
"""
UNITTEST = """testA (__main__.Test.testA) ... ok
testB (__main__.Test.testB)
its docstring ... a warning of its own
ok
testC (__main__.Test.testC) ... ERROR
testD (__main__.Test.testD) ... skipped 'no'
"""
CARGO = """running 3 tests
test a::b ... ok
test c ... words of its own
FAILED
test d ... ignored
"""
RSPEC = "words of its own\n" + json.dumps(
    {
        "version": "3",
        "examples": [
            {"full_description": name, "status": status}
            for name, status in [("a\n b", "passed"), ("a b", "failed"), ("c", "pending")]
        ],
        "summary": {"errors_outside_of_examples_count": 1},
    }
)
JUNIT = """<testsuites><testsuite name="s"><testcase classname="m.C" name="a"/>
<testcase classname="m.C" name="a"><error/></testcase>
<testcase name="b"><skipped/></testcase></testsuite></testsuites>"""
CTEST = """<testsuite name="b"><testcase name="a" classname="a" status="run"/>
<testcase name="b" classname="b" status="fail"/>
<testcase name="c" classname="c" status="disabled"/></testsuite>"""
NODE = """<testsuites><testsuite name="outer"><testsuite name="inner">
<testcase name="x" classname="test"/><testcase name="x" classname="test"><failure/></testcase>
</testsuite></testsuite><testcase name="alone" classname="test"/></testsuites>"""


@pytest.mark.parametrize(
    ("reader", "text", "outcomes"),
    [
        (readers.go, GO, {"A": "passed", "B": "skipped", "C": "failed", "D": "failed"}),
        (
            readers.unittest,
            UNITTEST,
            {"testA": "passed", "testB": "passed", "testC": "failed", "testD": "skipped"},
        ),
        (readers.cargo, CARGO, {"a::b": "passed", "c": "failed", "d": "skipped"}),
        (
            readers.rspec,
            RSPEC,
            {"a b": "passed", "a b (2)": "failed", "c": "skipped",
             "outside of the examples": "failed"},
        ),
    ],
    ids=["go", "unittest", "cargo", "rspec"],
)  # fmt: skip
def test_what_a_runner_prints_is_read(
    reader: Callable[[str], Outcomes], text: str, outcomes: Outcomes
) -> None:
    assert reader(text) == outcomes


def test_what_a_runner_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(JUNIT)
    assert readers.junit([path], "m.") == {"C.a": "failed", "b": "skipped"}
    path.write_text(CTEST)
    assert readers.junit([path]) == {"a": "passed", "b": "failed", "c": "skipped"}
    path.write_text(NODE)
    assert readers.node(path) == {
        "outer inner x": "passed",
        "outer inner x (2)": "failed",
        "alone": "passed",
    }


KNOWN = """version 1
ours 2 passed, 1 failed, 0 skipped
RabbitMQ 3.10.8 1 passed, 2 failed, 0 skipped
fails on both: a | it takes a second
fails beside: b | RabbitMQ is late
varies: c | by the machine's speed
"""


@pytest.mark.parametrize(
    ("outcomes", "beside", "wrong"),
    [
        ({"a": "failed", "b": "passed", "c": "passed"}, False, []),
        ({"a": "failed", "b": "passed", "c": "failed"}, False, []),
        ({"a": "passed", "b": "passed", "c": "passed"}, False, []),
        ({"a": "failed", "b": "failed", "c": "passed"}, False, ["FAILED: b"]),
        ({"a": "failed", "b": "failed", "c": "passed"}, True, []),
        ({"a": "failed", "b": "failed", "c": "passed", "d": "failed"}, True, ["FAILED: d"]),
        ({"a": "failed"}, False, ["FAILED: 1 tests came to an end, 3 did before"]),
        ({}, False, ["FAILED: 0 tests came to an end, 3 did before"]),
    ],
)
def test_what_fails_and_is_not_known_is_wrong(
    tmp_path: Path, outcomes: Outcomes, beside: bool, wrong: list[str]
) -> None:
    (tmp_path / "x.txt").write_text(KNOWN)
    assert table.judged(outcomes, table.read("x", tmp_path), beside)[0] == wrong


def test_a_suite_of_which_nothing_is_known_must_run_at_all() -> None:
    assert table.judged({}, table.Known())[0]
    assert table.judged({"a": "passed"}, table.Known())[0] == []


def test_what_is_known_now_passes_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(KNOWN)
    outcomes = {"a": "passed", "b": "passed", "c": "failed"}
    assert table.judged(outcomes, table.read("x", tmp_path))[1] == [
        "passes now: a (was: it takes a second)",
        "failed, which varies: c: by the machine's speed",
    ]


def test_a_row_without_a_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("version 1\nours\nRabbitMQ\nfails here: a\n")
    with pytest.raises(ValueError, match="is not KIND: TEST"):
        table.read("x", tmp_path)


def test_each_table_is_of_a_suite_and_agrees_with_its_numbers() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "tests.suites", "ls"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = {line.split()[0] for line in listed.splitlines()}
    tables = {path.stem for path in table.KNOWN.glob("*.txt")}
    assert tables <= names
    for name in tables:
        known = table.read(name)
        assert f", {len(known.expected(beside=False))} failed" in known.ours, name
        assert f", {len(known.expected(beside=True))} failed" in known.beside, name

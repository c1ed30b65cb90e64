"""The ledger of statements is whole, and what it names is there."""

import pytest
from ledger import TABLE, main, missing_evidence, read

VERSIONS = read(TABLE.read_text())


@pytest.mark.parametrize(("name", "statements"), [("3.1.1", 141), ("5.0", 252)])
def test_every_statement_is_there_once_and_none_that_binds_a_server_is_open(
    name: str, statements: int
) -> None:
    # 5.0 prints 252 labels for 251 statements.
    version = VERSIONS[name]
    assert len(version.labels) == len(set(version.labels)) == statements
    assert set(version.binds) == set(version.labels)
    assert version.open == []
    assert {label for label in version.only_clients if label not in version.tested} == set(
        UNCHECKED[name].split()
    )


UNCHECKED = {
    "3.1.1": "3.1.2-23 3.1.3-7 3.14.4-1 3.14.4-2 4.5.0-2 4.6.0-1 4.6.0-2 4.6.0-3 4.6.0-4 "
    "7.0.0-1 7.1.2-1",
    "5.0": "3.1.2-20 3.2.2-4 3.2.2-5 3.2.2-18 3.3.2-10 3.3.4-8 4.5.0-2 4.6.0-1 4.6.0-2 4.6.0-3 "
    "4.6.0-4",
}
"""Statements that bind only clients, and that a server cannot see broken or that we let pass."""


def test_all_evidence_is_there() -> None:
    named = {each for one in VERSIONS.values() for many in one.evidence.values() for each in many}
    assert [missing for missing in map(missing_evidence, sorted(named)) if missing] == []


def test_the_command_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "MQTT 5.0: 252 statements; of those that bind a server 228 are tested, 0 are open" in (
        capsys.readouterr().out
    )
    assert main(["-w", "MQTT-3.1.0-2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "5.0 MQTT-3.1.0-2: server, connect_twice.txt",
        "3.1.1 MQTT-3.1.0-2: server, connect_twice.txt",
    ]


@pytest.mark.parametrize(
    "line", ["5.0 server: 1-1", "5.0 both x.txt: 1-1", "5.0 client -: 1-1\n5.0 server x.txt: 1-1"]
)
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line"):
        read(line)

"""What conditions accept, and what they say is different."""

import re
from typing import Any

import pytest

from mockforge_tui.fixtures.expected.conditions import conditions
from mockforge_tui.fixtures.source.problems import FixtureError


def _named(value: object) -> str | None:
    """A function's own text has its address, which is another in each process."""
    return None if "<function" in str(value) else str(value)


VIEW: dict[str, Any] = {
    "key": "o-1",
    "value": {"order": {"id": "o-1", "lines": [{"sku": "a"}, {"sku": "b"}]}, "total": 10},
    "headers": {"trace": "t-1"},
    "payload": b'{"total": 10}',
    "qos": 1,
    "retain": True,
}


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"key": "o-1"},
        {"value": {"total": 10}},
        {"value": {"total": 10.0}},
        {"value": {"order": {"id": "o-1"}}},
        {"value": {"order": {"lines": [{"sku": "a"}, {}]}}},
        {"value": {"total": {"gt": 5, "le": 10}}},
        {"value": {"missing": {"exists": False}}},
        {"key": {"in": ["o-1", "o-2"]}},
        {"key": re.compile("^o-")},
        {"value": {"total": lambda total: total > 5}},
        {"payload": b'{"total": 10}'},
        {"payload": '{"total": 10}'},
        {"value": {"total": pytest.approx(10.01, abs=0.1)}},
    ],
    ids=_named,
)
def test_what_fits_has_no_difference(expected: dict[str, Any]) -> None:
    assert conditions(expected)(VIEW)
    assert conditions(expected).differences(VIEW) == []


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        ({"key": "o-2"}, 'key: expected "o-2", not "o-1"'),
        ({"value": {"total": 11}}, "value.total: expected 11, not 10"),
        ({"value": {"order": {"no": 1}}}, "value.order.no: expected 1, not (absent)"),
        (
            {"value": {"order": {"lines": [{"sku": "a"}, {"sku": "c"}]}}},
            'value.order.lines[1].sku: expected "c", not "b"',
        ),
        (
            {"value": {"order": {"lines": []}}},
            'value.order.lines: expected 0 items, not 2: [{"sku": "a"}, {"sku": "b"}]',
        ),
        ({"value": {"total": {"gt": 10}}}, "value.total: expected gt 10, not 10"),
        ({"key": re.compile("^p")}, 'key: expected a match of /^p/, not "o-1"'),
        ({"retain": 1}, "retain: expected 1, not true"),
        ({"qos": True}, "qos: expected true, not 1"),
        ({"partition": 0}, "partition: expected 0, not (absent)"),
        ({"value": {"order": "o-1"}}, 'value.order: expected "o-1", not {"id": "o-1"'),
    ],
    ids=_named,
)
def test_what_does_not_fit_is_named_by_its_path(expected: dict[str, Any], difference: str) -> None:
    assert not conditions(expected)(VIEW)
    (found,) = conditions(expected).differences(VIEW)
    assert str(found).startswith(difference)


def test_every_difference_is_found() -> None:
    expected = {"key": "x", "value": {"total": 1, "order": {"id": "y"}}}
    paths = [each.path for each in conditions(expected).differences(VIEW)]
    assert paths == ["key", "value.total", "value.order.id"]


def test_exact_leaves_nothing_over() -> None:
    loose, exact = {"value": {"total": 10}}, conditions({"value": {"total": 10}}, exact=True)
    assert conditions(loose)(VIEW)
    assert [each.path for each in exact.differences(VIEW)] == ["value.order"]


def test_a_function_that_raises_is_a_difference_that_says_so() -> None:
    found = conditions({"value": {"total": lambda total: total.x}}).differences(VIEW)
    assert "AttributeError" in found[0].actual


def test_an_operator_beside_a_key_is_refused() -> None:
    with pytest.raises(FixtureError, match="cannot stand beside the operator"):
        conditions({"value": {"gt": 5, "total": 1}})

"""`--one-in N`: of the cases of a test marked `table`, one of N, others on each Python."""

import sys
from itertools import groupby

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--one-in",
        type=int,
        default=1,
        metavar="N",
        help="run one of N cases of what is marked `table`; all of them unless given",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    step = config.getoption("--one-in")
    first = sys.version_info.minor % step
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for _, group in groupby(items, lambda item: item.nodeid.partition("[")[0]):
        cases = list(group)
        if step == 1 or len(cases) < step or cases[0].get_closest_marker("table") is None:
            kept += cases
            continue
        for number, case in enumerate(cases):
            (kept if number % step == first else left_out).append(case)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept

"""What scenes held goes with the test or the file that made them.

Messages of queues refer back to their brokers where no collector sees it: thousands of scenes would
stay for a whole run, a gigabyte of them.
"""

from collections.abc import Iterator

import pytest

from .console.scene import MADE


def _of_its_own() -> Iterator[None]:
    before = len(MADE)
    yield
    for scene in MADE[before:]:
        scene.forget()
    del MADE[before:]


_of_a_file = pytest.fixture(scope="module", autouse=True, name="_scenes_of_a_file")(_of_its_own)
_of_a_test = pytest.fixture(autouse=True, name="_scenes_of_a_test")(_of_its_own)

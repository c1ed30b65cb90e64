"""A refusal with a code, expected."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.kafka.codes import ErrorCode


@contextmanager
def refused(code: ErrorCode) -> Iterator[None]:
    """What happens inside is refused with this code."""
    with pytest.raises(RequestRefused) as caught:
        yield
    assert ErrorCode(caught.value.code) is code

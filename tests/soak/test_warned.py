"""Which warnings of a soak are no surprise."""

from .kafka import EXPECTED
from .warned import Expected, sorted_out

LOG = """\
2026-11-27 23:35:18,955 INFO    mockforge: kafka closed worker-1: by the client
2026-11-27 23:35:18,955 WARNING mockforge: kafka fell behind worker-1: 4096 bytes wait for it
2026-11-27 23:35:19,001 WARNING mockforge: kafka fell behind worker-2: 9000 bytes wait for it
2026-11-27 23:35:19,002 WARNING mockforge: kafka limit reached groups: met at g7
2026-11-27 23:35:19,003 ERROR   mockforge: a bug of ours ended c7
Traceback (most recent call last):
  File "log.py", line 7, in append
"""


def test_what_is_not_expected_is_counted_apart_by_its_text():
    known, unknown = sorted_out(LOG.splitlines(), [Expected(r"kafka fell behind ", "slow")])
    assert known == {"kafka fell behind worker-#: # bytes wait for it": 2}
    assert list(unknown) == [
        "kafka limit reached groups: met at g#",
        "a bug of ours ended c#",
        "Traceback (most recent call last):",
    ]


def test_each_expected_warning_of_the_kafka_soak_has_a_reason():
    assert all(one.reason and one.text.startswith("kafka ") for one in EXPECTED)
    known, unknown = sorted_out(LOG.splitlines(), EXPECTED)
    assert sum(known.values()) == 2
    assert len(unknown) == 3

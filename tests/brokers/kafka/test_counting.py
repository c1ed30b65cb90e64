"""Every API of Apache Kafka is served or left out for a reason, and each message counted."""

from kio.index import api_key_map
from mockforge_brokers.kafka.served import ADVERTISED

from .counting import LEFT_OUT, NEWER_THAN_KIO, Count, counts, table
from .generated import VERSIONS


def test_each_api_that_kio_knows_is_served_or_left_out_for_a_reason():
    assert not ADVERTISED.keys() & LEFT_OUT.keys()
    assert set(api_key_map) == ADVERTISED.keys() | LEFT_OUT.keys()


def test_every_message_of_every_version_is_counted_once():
    rows = list(counts(values=1))
    of_apis = [one for one in VERSIONS if one[0].api_key is not None]
    assert sum(one.messages for one in rows) == len(of_apis)
    assert sum(one.newer for one in rows) == len(NEWER_THAN_KIO)
    assert all(one.equal + one.newer == one.messages for one in rows)


def test_the_table_ends_with_the_sum():
    rows = [Count(key, "0-1", 2, 4, 3, 1) for key in list(ADVERTISED)[:2]]
    lines = list(table(rows))
    assert lines[0].split() == ["0", "Produce", "0-1", "3", "equal,", "1", "newer", "than", "kio"]
    assert lines[2] == (
        "2 APIs in 4 versions, 8 messages: 6 byte for byte as kio has them, 2 newer than kio"
    )
    assert lines[3].startswith("left out, between brokers and controllers: ")

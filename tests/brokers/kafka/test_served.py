"""The table of APIs says of each where it is, and leaves none out."""

from importlib import import_module
from pkgutil import walk_packages

import pytest
from mockforge_brokers.kafka import apis
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.served import ADVERTISED, SERVED
from mockforge_brokers.kafka.wire import messages
from mockforge_brokers.kafka.wire.catalog import REQUESTS, RESPONSES
from mockforge_brokers.kafka.wire.schema import Message


@pytest.mark.parametrize("key", SERVED)
def test_an_api_is_served_in_the_versions_of_its_messages(key):
    assert apis.HANDLERS[key].api_key == key
    assert (REQUESTS[key].kind, REQUESTS[key].api_key) == ("request", key)
    assert (RESPONSES[key].kind, RESPONSES[key].api_key) == ("response", key)
    assert REQUESTS[key].versions == RESPONSES[key].versions == SERVED[key]
    assert ADVERTISED[key].last == SERVED[key].last
    assert ADVERTISED[key].first == (0 if key == ApiKey.PRODUCE else SERVED[key].first)


def test_no_handler_and_no_message_is_left_out():
    modules = [each.name for each in walk_packages(apis.__path__, f"{apis.__name__}.")]
    found = [getattr(import_module(name), "API", None) for name in modules]
    assert {one.api_key for one in found if one is not None} == set(SERVED)
    families = [each.name for each in walk_packages(messages.__path__, f"{messages.__name__}.")]
    said = [item for name in families for item in vars(import_module(name)).values()]
    whole = {item for item in said if isinstance(item, type) and issubclass(item, Message)}
    assert {*REQUESTS.values(), *RESPONSES.values()} == {
        item for item in whole - {Message} if item.api_key is not None
    }


def test_the_table_is_in_the_order_of_the_keys():
    assert list(SERVED) == list(ADVERTISED) == sorted(SERVED)


def test_what_is_not_served_is_not_found():
    assert ApiKey.VOTE not in REQUESTS
    assert REQUESTS.get(ApiKey.VOTE) is None
    with pytest.raises(KeyError):
        apis.HANDLERS[ApiKey.VOTE]

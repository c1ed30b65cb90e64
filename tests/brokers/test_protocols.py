"""The protocols' descriptions: what front ends go by instead of by a protocol's name."""

import pytest
from mockforge_brokers.protocols import PROTOCOLS, letter_of, protocol_of, rank_of, title_of


@pytest.mark.parametrize(
    ("name", "place", "group", "routed", "keyed"),
    [
        ("kafka", "topic", "group", False, True),
        ("mqtt", "topic", "session", False, False),
        ("amqp", "exchange", "queue's consumers", True, False),
    ],
)
def test_a_protocol_says_what_its_messages_have(
    name: str, place: str, group: str, routed: bool, keyed: bool
) -> None:
    found = protocol_of(name)
    assert found is PROTOCOLS[name]
    assert (found.fields[0], found.group) == (place, group)
    assert (found.routed, found.keyed) == (routed, keyed)
    assert (title_of(name), letter_of(name)) == (found.title, found.letter)


def test_letters_titles_and_variables_are_different_ones() -> None:
    every = PROTOCOLS.values()
    assert len({each.letter for each in every}) == len({each.title for each in every}) == 3
    names = [name for each in every for name in each.variables.values()]
    assert len(names) == len(set(names))
    assert [rank_of(each) for each in PROTOCOLS] == [0, 1, 2]


def test_what_no_protocol_is_known_of_has_a_description_that_says_nothing() -> None:
    found = protocol_of("coap")
    assert (found.name, found.title, found.letter, found.variables) == ("coap", "coap", "?", {})
    assert not any((found.routed, found.keyed, found.anonymous, found.tags))
    assert rank_of("coap") == len(PROTOCOLS)

"""Topic ids: what two octets stand for in the messages of one client (6.5, 6.7)."""

from collections.abc import Mapping
from typing import Final

from .messages import TopicIdType

_LAST: Final = 0xFFFE
"""0x0000 and 0xFFFF are reserved (5.3.11)."""
_MOST_OF_NAMES: Final = 4 * 1024 * 1024
"""Characters of the names of one client: each may have 64 KB."""


class TopicIds:
    """One client's, as 7.3 recommends: an id that another client was given means nothing here.

    `most` ids are registered at most. `predefined` are the same for all.
    """

    def __init__(self, predefined: Mapping[int, str], most: int) -> None:
        self.names: dict[int, str] = {}
        """Those that were registered; an id keeps its name as long as this lives."""
        self.known: set[str] = set()
        """Names of which the client knows our id: it asked for it, or acknowledged a REGISTER."""
        self._ids: dict[str, int] = {}
        self._size = 0
        """Characters of those names."""
        self._predefined = predefined
        self._ids_of_predefined = {name: number for number, name in predefined.items()}
        self._most = min(most, _LAST)

    def __len__(self) -> int:
        return len(self.names)

    def register(self, topic_name: str) -> int:
        """The id of a name, an old or a new one; 0 when there are as many as may be."""
        number = self._ids.get(topic_name)
        if number is None:
            number = len(self.names) + 1
            size = self._size + len(topic_name)
            if number > self._most or size > _MOST_OF_NAMES:
                return 0
            self._size = size
            self.names[number] = topic_name
            self._ids[topic_name] = number
        return number

    def name(self, topic_type: int, topic_id: int) -> str | None:
        """The topic's name; None where the id means nothing."""
        if topic_type == TopicIdType.SHORT:
            return short_name(topic_id)
        names = self._predefined if topic_type == TopicIdType.PREDEFINED else self.names
        return names.get(topic_id)

    def id_for(self, topic_name: str) -> tuple[TopicIdType, int]:
        """How a PUBLISH to the client names a topic; (NORMAL, 0) where it has to be registered.

        As the client itself does where it registered or subscribed by name; else by what needs no
        REGISTER: a predefined id, or a name of two octets.
        """
        if topic_name in self.known:
            return TopicIdType.NORMAL, self._ids[topic_name]
        number = self._ids_of_predefined.get(topic_name)
        if number is not None:
            return TopicIdType.PREDEFINED, number
        octets = topic_name.encode()
        if len(octets) == 2:
            return TopicIdType.SHORT, int.from_bytes(octets, "big")
        return TopicIdType.NORMAL, 0


def short_name(topic_id: int) -> str | None:
    """The name whose two octets this is; None where they are no text."""
    try:
        return topic_id.to_bytes(2, "big").decode()
    except UnicodeDecodeError:
        return None

"""The exchange types, each with its own way to match."""

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Union

from msgspec import Struct

from ...clock import Clock
from ...errors import RequestRefused
from ...fairness import Steps
from ..codes import ReplyCode
from ..records import Field, Table, text_of
from .memory import Memory
from .policies import NO_DEFINITION, Definition
from .queues.queue import Queue

if TYPE_CHECKING:
    from .keeper import Keeper
    from .queues.host import Contents
    from .routing import Route

Watcher = Callable[["Route", bytes, str], object]
"""Called with a message's route, its content and who published it."""
Destination = Union[Queue, "Exchange"]
BindingId = tuple[str, str, str, str]
_MOST_KEYS: Final = 20


class Binding(Struct, frozen=True):
    """From an exchange to a queue or to another exchange."""

    destination: Destination
    routing_key: str
    arguments: Table

    @property
    def kind(self) -> str:
        return "queue" if isinstance(self.destination, Queue) else "exchange"

    @property
    def id(self) -> BindingId:
        """Bindings are told apart by destination, key and arguments."""
        return binding_id(self.kind, self.destination.name, self.routing_key, self.arguments)


def binding_id(kind: str, name: str, routing_key: str, arguments: Table) -> BindingId:
    return (kind, name, routing_key, repr(sorted(arguments.items())) if arguments else "")


class Host(Protocol):
    """What some exchanges need of their virtual host."""

    clock: Clock
    random: Random
    contents: "Contents"
    exchanges: "dict[str, Exchange]"
    memory: Memory
    keeper: "Keeper"
    rejected: bool

    def pass_on(
        self, route: "Route", destination: Destination, content: bytes, more_keys: tuple[str, ...]
    ) -> None:
        """Put a message of this route into a queue, or where an exchange sends it.

        `more_keys`: of CC and BCC. What came before a restart of old has those of CC alone.
        """
        ...


class Exchange:
    """What all types have in common: a name, flags and bindings."""

    type: ClassVar[str] = ""
    per_message: bool = False
    """Whether a message's headers, or chance, decide: a route cannot be kept by its key."""
    host: "Host"
    """Its virtual host, from when it is declared."""

    def __init__(
        self,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Table | None = None,
    ) -> None:
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.internal = internal
        self.arguments = arguments or {}
        self.bindings: dict[BindingId, Binding] = {}
        self.definition: Definition = NO_DEFINITION
        """What policies set for it."""
        self.gone = False
        """It was deleted; a transaction may still have messages that were routed by it."""
        self.published = 0
        self.unroutable = 0
        self.recent_keys: dict[str, None] = {}
        """Routing keys of late, the newest last; for people who look for a wrong one."""

    def note_key(self, routing_key: str) -> None:
        self.recent_keys.pop(routing_key, None)
        self.recent_keys[routing_key] = None
        if len(self.recent_keys) > _MOST_KEYS:
            del self.recent_keys[next(iter(self.recent_keys))]

    @property
    def alternate(self) -> str:
        """Where messages go that match nothing here; empty for nowhere."""
        field = self.arguments.get("alternate-exchange")
        return text_of(field) if field else str(self.definition.get("alternate-exchange", ""))

    def add(self, binding: Binding) -> bool:
        """True if this binding is new; raises RequestRefused for arguments that cannot be."""
        if binding.id in self.bindings:
            return False
        self._index(binding)
        self.bindings[binding.id] = binding
        return True

    def remove(self, identity: BindingId) -> Binding | None:
        binding = self.bindings.pop(identity, None)
        if binding is not None:
            self._forget(binding)
        return binding

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        """The destinations of the bindings that match; one may come twice."""
        raise NotImplementedError

    @classmethod
    def check_arguments(cls, arguments: Table) -> None:
        """Raises RequestRefused (406) for what this type cannot be declared with."""

    def observer(self, headers: Mapping[str, Field]) -> "Watcher | None":
        """Called with each message that comes by a route for such headers."""
        return None

    def holds(self, headers: Mapping[str, Field]) -> bool:
        """Whether it keeps a message with such headers for later."""
        return False

    def bound(self, binding: Binding) -> Steps:
        """What is to be done as a binding is there now."""
        return iter(())

    def end(self) -> None:
        """It is gone: it holds nothing any more."""
        self.gone = True

    def _index(self, binding: Binding) -> None:
        """Prepare for `match`."""

    def _forget(self, binding: Binding) -> None:
        """Undo `_index`."""


class FanoutExchange(Exchange):
    """Everything goes everywhere."""

    type = "fanout"

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        return [binding.destination for binding in self.bindings.values()]


class DirectExchange(Exchange):
    """The routing key is the binding key."""

    type = "direct"

    def __init__(self, name: str, **flags: bool | Table | None) -> None:
        super().__init__(name, **flags)  # type: ignore[arg-type]
        self._by_key: dict[str, dict[BindingId, Destination]] = {}

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        return self._by_key.get(routing_key, {}).values()

    def _index(self, binding: Binding) -> None:
        self._by_key.setdefault(binding.routing_key, {})[binding.id] = binding.destination

    def _forget(self, binding: Binding) -> None:
        same_key = self._by_key[binding.routing_key]
        del same_key[binding.id]
        if not same_key:
            del self._by_key[binding.routing_key]


class DefaultExchange(Exchange):
    """Each queue is bound to it by its name, without a binding that anyone could remove."""

    type = "direct"

    def __init__(self, queues: Mapping[str, Queue], replies: Mapping[str, Queue]) -> None:
        super().__init__("", durable=True)
        self._queues = queues
        self._replies = replies

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        queue = self._queues.get(routing_key) or self._replies.get(routing_key)
        return () if queue is None else (queue,)


class _Node:
    """One word's place in the trie of binding keys."""

    __slots__ = ("children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.here: dict[BindingId, Destination] = {}


class TopicExchange(Exchange):
    """Binding keys are patterns of words: `*` is one word, `#` none or more (AMQP 3.1.3.3)."""

    type = "topic"

    def __init__(self, name: str, **flags: bool | Table | None) -> None:
        super().__init__(name, **flags)  # type: ignore[arg-type]
        self._root = _Node()

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        words = routing_key.split(".") if routing_key else []
        found: dict[BindingId, Destination] = {}
        # Several `#` in one pattern lead to the same place on many ways: each is gone once.
        seen: set[tuple[int, int]] = set()
        # A search and no recursion: a pattern of twenty # would be too deep, and too slow.
        ways = [(self._root, 0)]
        while ways:
            node, at = ways.pop()
            if (id(node), at) in seen:
                continue
            seen.add((id(node), at))
            if at == len(words):
                found.update(node.here)
            else:
                nexts = (node.children.get(word) for word in (words[at], "*") if word != "#")
                ways.extend((child, at + 1) for child in nexts if child is not None)
            if (rest := node.children.get("#")) is not None:
                ways.extend((rest, skip) for skip in range(at, len(words) + 1))
        return found.values()

    def _index(self, binding: Binding) -> None:
        node = self._root
        for word in _words(binding.routing_key):
            node = node.children.setdefault(word, _Node())
        node.here[binding.id] = binding.destination

    def _forget(self, binding: Binding) -> None:
        path = [self._root]
        words = _words(binding.routing_key)
        for word in words:
            path.append(path[-1].children[word])
        del path[-1].here[binding.id]
        for parent, word, node in zip(
            reversed(path[:-1]), reversed(words), reversed(path), strict=False
        ):
            if node.here or node.children:
                break
            del parent.children[word]


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


_WITH_X: Final = ("all-with-x", "any-with-x")
_X_MATCH: Final = ("all", "any", *_WITH_X)
_ANYTHING: Final = object()
"""A header of any value."""
Header = tuple[str, object]
"""Name and value, as `Field.alike` has it."""


class HeadersExchange(Exchange):
    """The binding's arguments are compared with the message's headers; the key is not looked at.

    A binding is found by one header that it cannot do without (`all`), or by each that is enough
    for it (`any`), so that a message is compared with few of them.
    """

    type = "headers"
    per_message = True

    def __init__(self, name: str, **flags: bool | Table | None) -> None:
        super().__init__(name, **flags)  # type: ignore[arg-type]
        self._by_header: dict[Header, dict[BindingId, Binding]] = {}
        self._always: dict[BindingId, Binding] = {}
        self._places: dict[BindingId, int] = {}
        """In which order the bindings came."""
        self._last_place = 0

    def match(self, routing_key: str, headers: Mapping[str, Field]) -> Iterable[Destination]:
        by_header = self._by_header
        found = dict(self._always)
        if by_header:
            for name, field in headers.items():
                for header in ((name, field.alike), (name, _ANYTHING)):
                    if header in by_header:
                        found.update(by_header[header])
        matched = [each for each in found.values() if headers_match(each.arguments, headers)]
        if len(matched) > 1:
            matched.sort(key=lambda each: self._places[each.id])
        return [each.destination for each in matched]

    def _index(self, binding: Binding) -> None:
        _check_match(binding.arguments)
        self._last_place += 1
        self._places[binding.id] = self._last_place
        mode, wanted = _wanted(binding.arguments)
        if not wanted and mode.startswith("all"):
            self._always[binding.id] = binding
        for header in _headers_of(mode, wanted):
            self._by_header.setdefault(header, {})[binding.id] = binding

    def _forget(self, binding: Binding) -> None:
        del self._places[binding.id]
        self._always.pop(binding.id, None)
        for header in _headers_of(*_wanted(binding.arguments)):
            bindings = self._by_header[header]
            # `any` may name one header twice.
            bindings.pop(binding.id, None)
            if not bindings:
                del self._by_header[header]


def _check_match(arguments: Table) -> None:
    """Raises RequestRefused."""
    wanted = arguments.get("x-match")
    if wanted is None or wanted.value in _X_MATCH:
        return
    if wanted.type != "S":
        raise RequestRefused(
            ReplyCode.PRECONDITION_FAILED,
            f"Invalid x-match field type {wanted.type_name} "
            f"(value {wanted.value}); expected longstr",
        )
    raise RequestRefused(
        ReplyCode.PRECONDITION_FAILED,
        f'Invalid x-match field value <<"{wanted.value}">>; '
        "expected all, any, all-with-x, or any-with-x",
    )


def _wanted(arguments: Table) -> tuple[str, list[tuple[str, Field]]]:
    """How a binding matches, and the headers that count for it."""
    mode = str(arguments["x-match"].value) if "x-match" in arguments else "all"
    return mode, [
        (name, wanted)
        for name, wanted in arguments.items()
        if name != "x-match" and (mode in _WITH_X or not name.startswith("x-"))
    ]


def _headers_of(mode: str, wanted: list[tuple[str, Field]]) -> list[Header]:
    """By which headers a binding is found."""
    found = [
        (name, _ANYTHING if field.type == "V" else field.alike)
        for name, field in (wanted[:1] if mode.startswith("all") else wanted)
    ]
    return list(dict.fromkeys(found))


def headers_match(arguments: Table, headers: Mapping[str, Field]) -> bool:
    """Whether a message with these headers passes a binding with these arguments.

    Keys that begin with `x-` do not count, but in the two kinds `with-x`; a void value asks only
    that the header is there.
    """
    mode, counted = _wanted(arguments)
    results = (
        name in headers and (wanted.type == "V" or wanted.alike == headers[name].alike)
        for name, wanted in counted
    )
    return all(results) if mode.startswith("all") else any(results)

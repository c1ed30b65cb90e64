"""Compiles a message's schema into a decoder for one version.

What comes out is one straight function: neighbouring fields of fixed size are unpacked at once
into the object's attributes, arrays are loops. `decode` of Heartbeat v3 reads, shortened:

    o1 = new(HeartbeatRequest)
    n, = s2(data, at)
    at += 2
    end = at + n
    o1.group_id = data[at:end].decode()
    at = end
    o1.generation_id, n, = s3(data, at)

A large one is read by steps: by the same function, which yields now and then.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..varints import Malformed, read_uvarint
from .schema import Array, Field, Message, Struct, WireType, unwrap
from .source import Place, Source, title
from .tagged_fields import bad_length, read_tags


class TooMany(Exception):
    """More items than the caller takes; `codec` adds the place and raises TooManyItems."""


Decoder = Callable[[bytes, int, int], Any]


def compile_decoder(
    message: type[Message], version: int, *, steps: bool = False
) -> tuple[Decoder, Sequence[Place]]:
    """The function `(data, at, room) -> message`, and the fields that each of its lines reads.

    `room` is how many items all arrays together may have, each tagged field being one, too.
    With `steps` it is a generator that returns the message.
    """
    writer = _Writer(version, message.is_flexible(version), steps)
    made = writer.struct(message)
    writer.flush()
    writer.source.line(f"return {made}")
    return writer.source.compile(title("decode", message, version, steps)), writer.source.places


class _Writer:
    """Holds fields of fixed size back in `_run` until something of another kind follows."""

    def __init__(self, version: int, flexible: bool, steps: bool) -> None:
        self.version = version
        self.flexible = flexible
        self.source = Source("decode(data, at, room)", steps=steps)
        self.source.scope.update(
            new=object.__new__,
            unpack_from=struct.unpack_from,
            read_uvarint=read_uvarint,
            read_tags=read_tags,
            bad_length=bad_length,
            TooMany=TooMany,
            Malformed=Malformed,
        )
        self.source.line("size = len(data)")
        self._run: list[tuple[str, str, str]] = []

    def struct(self, cls: type[Struct]) -> str:
        """Read one struct; returns the name of the variable that holds it."""
        made = self.source.name("o")
        self.source.line(f"{made} = new({self.source.constant(cls)})")
        tagged = []
        for field in cls.fields:
            present = self.version in field.versions
            if not present or field.tag is not None:
                self.source.line(f"{made}.{field.name} = {self.source.constant(field.default)}")
            if present and field.tag is not None:
                tagged.append(field)
            elif present:
                self.field(field, f"{made}.{field.name}")
        if self.flexible:
            self.tags(made, tagged)
        else:
            self.source.line(f"{made}.unknown_tags = None")
        return made

    def field(self, field: Field, target: str) -> None:
        wire, _ = unwrap(field.annotation)
        nullable = field.nullable is not None and self.version in field.nullable
        with self.source.about(field):
            if isinstance(wire, Array):
                self.array(wire.of, target, nullable)
            elif isinstance(wire, WireType):
                self.primitive(wire, target, nullable)
            elif nullable and field.tag is None:
                self.fixed("n", "b")
                self.flush()
                with self.unless_null(target, nullable):
                    self.source.line(f"{target} = {self.struct(wire)}")
                    self.flush()
            else:
                self.source.line(f"{target} = {self.struct(wire)}")

    def primitive(self, wire: WireType, target: str, nullable: bool = False) -> None:
        if wire.code:
            self.fixed(target, wire.code)
            return
        self.length("h" if wire.name == "string" else "i")
        with self.unless_null(target, nullable):
            self.source.line("end = at + n")
            self.source.line("if n < 0 or end > size: raise bad_length(n, size - at)")
            decode = ".decode()" if wire.name == "string" else ""
            self.source.line(f"{target} = data[at:end]{decode}")
            self.source.line("at = end")

    def array(self, of: WireType | type[Struct], target: str, nullable: bool) -> None:
        self.length("i")
        with self.unless_null(target, nullable):
            if isinstance(of, WireType) and of.code:
                self.numbers(of.code, target)
            else:
                self.items(of, target)

    def numbers(self, code: str, target: str) -> None:
        width = struct.calcsize(f">{code}")
        self.source.line(f"end = at + n * {width}")
        self.source.line("if n < 0 or end > size: raise bad_length(n, size - at)")
        self.room()
        self.source.line(f'{target} = list(unpack_from(f">{{n}}{code}", data, at))')
        self.source.line("at = end")

    def items(self, of: WireType | type[Struct], target: str) -> None:
        # Each item takes a byte at least: a count that cannot be is refused before the loop.
        self.source.line("if n < 0 or n > size - at: raise bad_length(n, size - at)")
        self.room()
        items = self.source.name("l")
        self.source.line(f"{target} = {items} = []")
        with self.source.block("for _ in range(n):"):
            if isinstance(of, WireType):
                self.primitive(of, "v")
                item = "v"
            else:
                item = self.struct(of)
            self.flush()
            self.source.line(f"{items}.append({item})")
            self.source.step()

    def room(self) -> None:
        """The items of an array, and tagged fields, are counted before they are read."""
        self.source.line("room -= n")
        self.source.line("if room < 0: raise TooMany")

    def length(self, code: str) -> None:
        """Read a length or count to `n`: a signed number, or from flexible versions on a varint."""
        if self.flexible:
            self.uvarint()
            self.source.line("n -= 1")
        else:
            self.fixed("n", code)
            self.flush()

    def uvarint(self) -> None:
        self.flush()
        self.source.line("n = data[at]")
        self.source.line("at += 1")
        self.source.line("if n > 127: n, at = read_uvarint(data, at - 1)")

    @contextmanager
    def unless_null(self, target: str, nullable: bool) -> Iterator[None]:
        if not nullable:
            yield
            return
        with self.source.block("if n < 0:"):
            self.source.line(f"{target} = None")
        with self.source.block("else:"):
            yield

    def fixed(self, target: str, code: str) -> None:
        self._run.append((target, code, self.source.path))

    def flush(self) -> None:
        """Unpack the fields held back, all at once."""
        if not self._run:
            return
        codes = "".join(code for _, code, _ in self._run)
        targets = "".join(f"{target}, " for target, _, _ in self._run)
        place = [(path, struct.calcsize(f">{code}")) for _, code, path in self._run]
        unpack = self.source.layout(codes, "unpack_from")
        self.source.line(f"{targets}= {unpack}(data, at)", place)
        self.source.line(f"at += {struct.calcsize('>' + codes)}")
        self._run.clear()

    def tags(self, made: str, tagged: Sequence[Field]) -> None:
        """The end of a struct in flexible versions: tagged fields, known ones and others."""
        self.uvarint()
        if not tagged:
            with self.source.block("if n:"):
                self.room()
                self.source.line(f"{made}.unknown_tags, at = read_tags(data, at, n)")
            self.source.line(f"else: {made}.unknown_tags = None")
            return
        self.source.line(f"{made}.unknown_tags = None")
        self.room()
        stop = self.source.name("stop")
        with self.source.block("for _ in range(n):"):
            self.source.line("tag, at = read_uvarint(data, at)")
            self.source.line("n, at = read_uvarint(data, at)")
            self.source.line(f"{stop} = at + n")
            self.source.line(f"if {stop} > size: raise bad_length(n, size - at)")
            for field in tagged:
                with self.source.block(
                    f"{'if' if field is tagged[0] else 'elif'} tag == {field.tag}:"
                ):
                    self.field(field, f"{made}.{field.name}")
                    self.flush()
            with self.source.block("else:"):
                self.source.line(f"{made}.unknown_tags = {made}.unknown_tags or {{}}")
                self.source.line(f"{made}.unknown_tags[tag] = data[at:{stop}]")
                self.source.line(f"at = {stop}")
            self.source.line(f'if at != {stop}: raise Malformed("a tagged field of another size")')

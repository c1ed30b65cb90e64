"""Compiles a message's schema into an encoder for one version.

The mirror image of `decoders`: neighbouring fields of fixed size, and the lengths of what follows
them, are packed at once. Nothing is joined here: a fetched batch is written as it lies in the log.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from ..varints import UVARINTS, write_uvarint
from .schema import Array, Field, Message, Struct, WireType, unwrap
from .source import Source, title
from .tagged_fields import write_tags

Encoder = Callable[[Any], Any]


def compile_encoder(message: type[Message], version: int, *, steps: bool = False) -> Encoder:
    """The function `message -> pieces of its bytes`; with `steps` a generator that returns them."""
    writer = _Writer(version, message.is_flexible(version), steps)
    writer.struct(message, "o")
    writer.flush()
    writer.source.line("return out")
    return writer.source.compile(title("encode", message, version, steps))


class _Writer:
    """Holds fields of fixed size back in `_run` until something of another kind follows."""

    def __init__(self, version: int, flexible: bool, steps: bool) -> None:
        self.version = version
        self.flexible = flexible
        self.source = Source("encode(o)", steps=steps)
        self.source.scope.update(
            pack=struct.pack,
            uvarints=UVARINTS,
            write_uvarint=write_uvarint,
            write_tags=write_tags,
        )
        self.source.line("out = []")
        self.source.line("add = out.append")
        self._add = "add"
        self._run: list[tuple[str, str]] = []

    def struct(self, cls: type[Struct], source: str) -> None:
        """Write the struct that the expression `source` names."""
        tagged = []
        for field in cls.fields:
            if self.version not in field.versions:
                continue
            if field.tag is not None:
                tagged.append(field)
            else:
                self.field(field, f"{source}.{field.name}")
        if tagged:
            self.tags(tagged, source)
        elif self.flexible:
            self.fixed("", "x")  # no tagged fields: a zero byte, which struct writes as padding

    def field(self, field: Field, source: str) -> None:
        wire, _ = unwrap(field.annotation)
        nullable = field.nullable is not None and self.version in field.nullable
        with self.source.about(field):
            if isinstance(wire, Array):
                self.array(wire.of, source, nullable)
            elif isinstance(wire, WireType):
                self.primitive(wire, source, nullable)
            elif nullable and field.tag is None:
                self.nullable_struct(wire, source)
            else:
                self.struct(wire, source)

    def nullable_struct(self, of: type[Struct], source: str) -> None:
        """A byte says whether there is one: -1 for null, else 1 (KIP-893)."""
        self.flush()
        value = self.source.name("v")
        self.source.line(f"{value} = {source}")
        with self.source.block(f"if {value} is None:"):
            self.source.line(f'{self._add}(b"\\xff")')
        with self.source.block("else:"):
            self.source.line(f'{self._add}(b"\\1")')
            self.struct(of, value)
            self.flush()

    def primitive(self, wire: WireType, source: str, nullable: bool = False) -> None:
        if wire.code:
            self.fixed(source, wire.code)
            return
        if wire.name == "records":
            self.records(source, nullable)
            return
        encode = ".encode()" if wire.name == "string" else ""
        value = self.source.name("v")
        if nullable:
            self.source.line(f"{value} = {source}")
            self.source.line(f'if {value} is None: {value} = b""; n = -1')
            self.source.line(f"else: {value} = {value}{encode}; n = len({value})")
        else:
            self.source.line(f"{value} = {source}{encode}; n = len({value})")
        self.length("h" if wire.name == "string" else "i")
        self.source.line(f"{self._add}({value})")

    def records(self, source: str, nullable: bool) -> None:
        """Bytes, or a list of them that lie one behind the other."""
        value = self.source.name("v")
        self.source.line(f"{value} = {source}")
        if nullable:
            self.source.line(f"if {value} is None: {value} = (); n = -1")
            self.source.line(f"elif {value}.__class__ is list: n = sum(map(len, {value}))")
        else:
            self.source.line(f"if {value}.__class__ is list: n = sum(map(len, {value}))")
        self.source.line(f"else: n = len({value}); {value} = ({value},)")
        self.length("i")
        self.source.line(f"out.extend({value})")

    def array(self, of: WireType | type[Struct], source: str, nullable: bool) -> None:
        items = self.source.name("l")
        self.source.line(f"{items} = {source}")
        if nullable:
            self.source.line(f"if {items} is None: {items} = (); n = -1")
            self.source.line(f"else: n = len({items})")
        else:
            self.source.line(f"n = len({items})")
        self.length("i")
        if isinstance(of, WireType) and of.code:
            self.source.line(f'if {items}: {self._add}(pack(f">{{n}}{of.code}", *{items}))')
            return
        item = self.source.name("o")
        with self.source.block(f"for {item} in {items}:"):
            if isinstance(of, WireType):
                self.primitive(of, item)
            else:
                self.struct(of, item)
            self.flush()
            self.source.step()

    def length(self, code: str) -> None:
        """Write the length or count in `n`, -1 for null."""
        if self.flexible:
            self.flush()
            self.source.line(f"{self._add}(uvarints[n + 1] if n < 127 else write_uvarint(n + 1))")
        else:
            self.fixed("n", code)
            self.flush()

    def fixed(self, source: str, code: str) -> None:
        self._run.append((source, code))

    def flush(self) -> None:
        """Pack the fields held back, all at once."""
        if not self._run:
            return
        codes = "".join(code for _, code in self._run)
        values = ", ".join(source for source, _ in self._run if source)
        self._run.clear()
        if codes == "x":
            self.source.line(f'{self._add}(b"\\0")')
        else:
            self.source.line(f"{self._add}({self.source.layout(codes, 'pack')}({values}))")

    def tags(self, tagged: Sequence[Field], source: str) -> None:
        """Tagged fields stand in order of tag, and only when they differ from their default."""
        self.flush()
        outer, tags = self._add, self.source.name("tags")
        self.source.line(f"{tags} = []")
        for field in sorted(tagged, key=lambda field: field.tag or 0):
            value = self.source.name("v")
            self.source.line(f"{value} = {source}.{field.name}")
            default = self.source.constant(field.default)
            test = "is not None" if field.default is None else f"!= {default}"
            if field.default == ():
                test = "not in ((), [])"
            with self.source.block(f"if {value} {test}:"):
                piece, self._add = self.source.name("piece"), self.source.name("add")
                self.source.line(f"{piece} = []; {self._add} = {piece}.append")
                self.field(field, value)
                self.flush()
                self.source.line(f'{tags}.append(({field.tag}, b"".join({piece})))')
        self._add = outer
        self.source.line(f"{self._add}(write_tags({tags}))")

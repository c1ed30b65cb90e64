"""A client of AMQP 1.0 without sockets: performatives out, performatives back."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mockforge_brokers.amqp.v1_0.wire import message, performatives
from mockforge_brokers.amqp.v1_0.wire.frames import (
    HEADER,
    SASL_HEADER,
    frame,
    performative,
    sasl,
)
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.units import FrameSplitter
from mockforge_brokers.amqp.v1_0.wire.values import DecodeError

from ..client import Scene


@dataclass
class Got:
    """A performative that came, with its payload."""

    name: str
    fields: dict[str, Any]
    channel: int = 0
    payload: bytes = b""
    sections: message.Sections | None = field(default=None)

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)

    @property
    def state(self) -> str:
        """The outcome that a disposition names."""
        return str(self.fields["state"].name)

    @property
    def error(self) -> tuple[str, str]:
        """Condition and description."""
        found = self.fields["error"]
        return str(found.get("condition")), str(found.get("description", ""))


class Client:
    """`connect` does all from the first header to a session; the rest is said by `send`."""

    def __init__(self, scene: Scene) -> None:
        self.fake = scene.stranger().fake
        self.peer = self.fake.peer
        self._splitter = FrameSplitter()
        self._delivery = 0

    def connect(
        self,
        *,
        user: str = "guest",
        password: str = "guest",
        session: bool = True,
        window: int = 1000,
        **open_fields: Any,
    ) -> "Client":
        self.login(user, password)
        self.fake.send(HEADER)
        fields = {"container_id": "c1", **open_fields}
        came = self.send("open", **fields)
        assert [got.name for got in came] == ["protocol header", "open"]
        if session:
            came = self.begin(window=window)
            assert [got.name for got in came] == ["begin"]
        return self

    def login(self, user: str = "guest", password: str = "guest") -> list[Got]:
        self.fake.send(SASL_HEADER)
        self.received()
        return self.login_again(user, password)

    def login_again(self, user: str = "guest", password: str = "guest") -> list[Got]:
        """sasl-init, its outcome back."""
        response = f"\0{user}\0{password}".encode()
        self.fake.send(sasl("sasl-init", mechanism="PLAIN", initial_response=response))
        return self.received()

    def begin(self, channel: int = 0, window: int = 1000) -> list[Got]:
        return self.send(
            "begin",
            channel=channel,
            next_outgoing_id=0,
            incoming_window=window,
            outgoing_window=1000,
        )

    def sender(self, address: str | None, handle: int = 0, **fields: Any) -> list[Got]:
        return self.send(
            "attach",
            **{
                "name": f"s{handle}",
                "handle": handle,
                "role": False,
                "source": Composite("source", {}),
                "target": Composite("target", {} if address is None else {"address": address}),
                "initial_delivery_count": 0,
                **fields,
            },
        )

    def receiver(self, address: str, handle: int = 1, credit: int = 0, **fields: Any) -> list[Got]:
        source = fields.pop("source", {})
        came = self.send(
            "attach",
            **{
                "name": f"r{handle}",
                "handle": handle,
                "role": True,
                "source": Composite("source", {"address": address, **source}),
                "target": Composite("target", {}),
                **fields,
            },
        )
        return came + self.grant(handle, credit) if credit else came

    def grant(self, handle: int = 1, credit: int = 10, **fields: Any) -> list[Got]:
        return self.send(
            "flow",
            **{
                "next_incoming_id": None,
                "incoming_window": 1000,
                "next_outgoing_id": 0,
                "outgoing_window": 1000,
                "handle": handle,
                "link_credit": credit,
                **fields,
            },
        )

    def transfer(
        self, body: bytes = b"", handle: int = 0, *, payload: bytes = b"", **fields: Any
    ) -> list[Got]:
        """A message with this data section, or any payload."""
        number = fields.pop("delivery_id", self._delivery)
        self._delivery = self._delivery if number is None else number + 1
        given = {"handle": handle, "delivery_id": number, "delivery_tag": b"t", **fields}
        content = payload or message.data_section(body)
        self.fake.send(frame(0, performatives.write("transfer", **given) + content))
        return self.received()

    def settle(self, first: int, outcome: str, last: int | None = None, **fields: Any) -> list[Got]:
        return self.send(
            "disposition",
            role=True,
            first=first,
            last=last,
            settled=True,
            state=Composite(outcome, fields),
        )

    def send(self, performative_name: str, /, *, channel: int = 0, **fields: Any) -> list[Got]:
        self.fake.send(performative(channel, performative_name, **fields))
        return self.received()

    def received(self) -> list[Got]:
        """What came since it was last asked; heartbeats are left out."""
        found = []
        for unit in self._splitter.feed(self.fake.take()):
            if unit.startswith(b"AMQP"):
                found.append(Got("protocol header", {"header": unit}))
            elif len(unit) > 8:
                composite, end = performatives.read(unit, 8)
                got = Got(composite.name, composite.fields, int.from_bytes(unit[6:8], "big"))
                got.payload = unit[end:]
                if got.name == "transfer" and not got["more"]:
                    # The last part of several transfers is no message by itself.
                    with suppress(DecodeError):
                        got.sections = message.read(got.payload)
                found.append(got)
        return found


def names(came: list[Got]) -> list[str]:
    return [got.name for got in came]


def bodies(came: list[Got]) -> list[bytes]:
    return [got.sections.body for got in came if got.sections is not None]

"""When a will goes out, for each way in which a connection ends (MQTT 5, 3.1.2.5 and 3.1.3.2.2)."""

import pytest
from mockforge_brokers.mqtt.wire.packets import (
    Connect,
    Disconnect,
    Will,
)

from .scene import Scene

ENDS = ("breaks", "disconnects", "disconnects with will", "is taken over", "begins anew")
AT_ONCE, LATER, NOT = "at once", "later", "not"
_LETTERS = {"a": AT_ONCE, "l": LATER, "-": NOT}

# By session expiry and will delay in seconds: a letter for each of ENDS; later is within 3 s.
# Mosquitto 2.1.2 answered the same but for a takeover with a delay of 0 where the session goes on:
# it sends nothing, and the connection of that will was closed all the same [MQTT-3.1.2-8].
# 2.0.11 lets a will be lost, or wait, whose session ends before its delay is over [MQTT-3.1.3-9].
TABLE = {
    (0, 0): "a-aaa",
    (0, 1): "a-aaa",
    (0, 100): "a-aaa",
    (1, 0): "a-aaa",
    (1, 1): "l-l-a",
    (1, 100): "l-l-a",
    (100, 0): "a-aaa",
    (100, 1): "l-l-a",
    (100, 100): "----a",
}


class Watched(Scene):
    """Somebody waits for the will of a client that ends in some way."""

    def __init__(self) -> None:
        super().__init__()
        self.watcher = self.connect("watcher", "will")

    def end(self, how: str, expiry: int, delay: int) -> None:
        kept = {"session_expiry_interval": expiry}
        will = Will("will", b"gone", properties={"will_delay_interval": delay})
        client = self.come(Connect("c", 5, clean_start=False, will=will, properties=kept))
        match how:
            case "breaks":
                client.vanish()
            case "disconnects":
                self.send(client, Disconnect())
            case "disconnects with will":
                self.send(client, Disconnect(4))
            case _:
                self.come(Connect("c", 5, clean_start=how == "begins anew", properties=kept))

    def wills(self) -> int:
        self.network.settle()
        return self.watcher.take().count(b"gone")


@pytest.mark.parametrize(("expiry", "delay"), TABLE)
def test_a_will_goes_out_at_the_end_of_its_delay_or_of_its_session(expiry: int, delay: int) -> None:
    found = {}
    for how in ENDS:
        scene = Watched()
        scene.end(how, expiry, delay)
        at_once = scene.wills()
        scene.clock.advance(3)
        later = scene.wills()
        assert at_once + later <= 1, "it goes out once"
        found[how] = AT_ONCE if at_once else LATER if later else NOT
    letters = TABLE[expiry, delay]
    assert found == {how: _LETTERS[letter] for how, letter in zip(ENDS, letters, strict=True)}


@pytest.mark.parametrize(("asked", "wills"), [(0, 1), (100, 0)])
def test_a_disconnect_with_an_expiry_is_judged_by_what_connect_asked_for_and_not_by_what_it_got(
    asked: int, wills: int
) -> None:
    # Where CONNECT asked for none it is a protocol error, which leaves the will [MQTT-3.14.2-2].
    scene = Scene(session_expiry_maximum=0)
    watcher = scene.connect("watcher", "will")
    kept = {"session_expiry_interval": asked}
    client = scene.come(Connect("c", 5, will=Will("will", b"gone"), properties=kept))
    scene.send(client, Disconnect(0, {"session_expiry_interval": 60}))
    assert "c" not in scene.broker.registry.by_client
    assert watcher.take().count(b"gone") == wills

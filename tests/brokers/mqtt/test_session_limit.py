"""However many clients come and leave a session behind, there is an end to them."""

import pytest
from mockforge_brokers.limits import Limits
from mockforge_brokers.mqtt.codes import Reason
from mockforge_brokers.mqtt.events import ConnectionRefused
from mockforge_brokers.mqtt.wire.packets import Connack, Connect

from .scene import Scene


@pytest.mark.parametrize(("version", "code"), [(4, 3), (5, Reason.QUOTA_EXCEEDED)])
def test_a_client_that_would_begin_one_too_many_is_refused(version: int, code: int) -> None:
    scene = Scene(Limits(mqtt_sessions=2), version=version)
    for name in ("a", "b"):
        scene.lasting(name).vanish()
    third = scene.come(Connect("c", version))
    [connack] = scene.got(third)
    assert isinstance(connack, Connack)
    assert connack.code == code
    assert third.peer.ended == "closed"
    [refused] = scene.emitted(ConnectionRefused)
    assert "mqtt_sessions" in refused.reason
    # Who has a session comes back to it, and one that ends makes room.
    again = scene.come(Connect("a", version, clean_start=False))
    assert [type(each) for each in scene.got(again)] == [Connack]
    assert not again.peer.ended
    scene.broker.end_session("b")
    [connack] = scene.got(scene.come(Connect("c", version)))
    assert isinstance(connack, Connack)
    assert connack.code == 0
    [view] = [each for each in scene.environment.usage.views() if each.name == "mqtt_sessions"]
    assert (view.used, view.met) == (2, 1)

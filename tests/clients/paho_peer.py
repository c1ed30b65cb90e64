"""A paho client that is there for others to hand messages to."""

import paho.mqtt.client as paho

from .conftest import wait_for


def connected(port: int) -> paho.Client | None:
    """With its CONNACK; None while nobody listens there."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return None
    client.loop_start()
    wait_for(client.is_connected, what="CONNACK")
    return client

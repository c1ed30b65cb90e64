"""A robot in the warehouse, which says that it is there and has others say that it is not."""

from urllib.parse import urlsplit

import paho.mqtt.client as mqtt


class Robot:
    def __init__(self, url: str, name: str) -> None:
        self._topic = f"robots/{name}/status"
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name)
        self._client.will_set(self._topic, "offline", qos=1, retain=True)
        place = urlsplit(url)
        self._client.connect(place.hostname or "", place.port or 1883, keepalive=30)
        self._client.loop_start()
        self._client.publish(self._topic, "online", qos=1, retain=True)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

"""Watches the lounges over MQTT 5: pip install paho-mqtt."""

import json

import paho.mqtt.client as mqtt


def on_connect(client, userdata, flags, reason_code, properties):
    client.subscribe([("lounge/+/climate", 1), ("desk/display", 0)])


def on_message(client, userdata, message):
    print(f"{message.topic:24} {json.loads(message.payload)}")


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "lounge-watch", protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_message = on_message
client.connect("127.0.0.1", 1883)
try:
    client.loop_forever()
except KeyboardInterrupt:
    client.disconnect()

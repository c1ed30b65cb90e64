"""Which clients there are, in the order of the table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    name: str
    """As its users call it; what is in Python is called as on PyPI."""
    protocol: str
    language: str
    """The name of its toolchain."""
    program: str
    """What the toolchain runs."""


def _rows(protocol: str, text: str) -> list[Client]:
    rows = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    return [Client(name, protocol, language, program) for name, language, program in rows]


CLIENTS = [
    *_rows(
        "kafka",
        """
        kafka-clients      | Java   | kafka/Clients
        kafka-clients 2.x  | Java   | kafka28/Clients
        Kafka Streams      | Java   | streams/Words
        confluent-kafka    | Python | kafka_confluent.py
        kafka-python       | Python | kafka_kafka_python.py
        aiokafka           | Python | kafka_aiokafka.py
        kcat               | Tools  | kcat.py
        kaskade            | Python | kafka_kaskade.py
        KafkaJS            | Node   | kafkajs.mjs
        franz-go           | Go     | franz
        sarama             | Go     | sarama
        rdkafka            | Rust   | rdkafka
        Java's Admin       | Java   | kafkatools/EveryCall
        Kafka's tools      | Java   | kafkatools/Tools
        Kafka Connect      | Java   | connect/Connect
        redpanda-console   | Tools  | redpanda_console.py
        kafka-ui's calls   | Java   | uis/KafkaUi
        AKHQ's calls       | Java   | uis/Akhq
        """,
    ),
    *_rows(
        "mqtt",
        """
        paho-mqtt          | Python | mqtt_paho.py
        aiomqtt            | Python | mqtt_aiomqtt.py
        gmqtt              | Python | mqtt_gmqtt.py
        mosquitto_pub      | Tools  | mosquitto.py
        mosquitto bridge   | Tools  | mosquitto_bridge.py
        mqtt-sn-12         | Python | mqtt_sn.py
        MQTT.js            | Node   | mqtt.mjs
        paho.mqtt.golang   | Go     | paho
        autopaho           | Go     | autopaho
        Paho Java v3       | Java   | mqtt/PahoV3
        Paho Java v5       | Java   | mqtt/PahoV5
        HiveMQ client      | Java   | mqtt/HiveMQ
        rumqttc v4         | Rust   | rumqttc_v4
        rumqttc v5         | Rust   | rumqttc_v5
        paho.mqtt.c        | C      | paho_mqtt_c
        Home Assistant     | Python | mqtt_home_assistant.py
        Zigbee2MQTT        | Node   | zigbee2mqtt.mjs
        AWS IoT device SDK | Python | mqtt_aws.py
        """,
    ),
    *_rows(
        "amqp",
        """
        pika               | Python | amqp_pika.py
        aio-pika           | Python | amqp_aio_pika.py
        kombu              | Python | amqp_kombu.py
        celery             | Python | amqp_celery.py
        amqplib            | Node   | amqplib.mjs
        rabbitmq-client    | Node   | rabbitmq-client.mjs
        NestJS RMQ         | Node   | nestjs.mjs
        amqp091-go         | Go     | amqp091
        go-amqp            | Go     | amqp10
        lapin              | Rust   | lapin
        amqp-client        | Java   | amqp/Rabbit
        Spring AMQP        | Java   | amqp/Spring
        Bunny              | Ruby   | bunny.rb
        rabbitmqadmin      | Cargo  | rabbitmqadmin.py
        """,
    ),
]

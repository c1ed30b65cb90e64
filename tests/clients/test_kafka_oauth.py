"""OAUTHBEARER and logins that are renewed, with real clients."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import aiokafka
import pytest
from aiokafka.abc import AbstractTokenProvider
from confluent_kafka import Producer

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


def unsigned(name: str, lifetime: float) -> str:
    now = int(time.time())
    claims = {"sub": name, "iat": now - 1, "exp": now + lifetime}
    parts = [
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none"}, claims)
    ]
    return ".".join([*parts, ""])


class Provider(AbstractTokenProvider):
    async def token(self) -> str:
        return unsigned("alice", 3600)


def settings(mockforge: MockForge, **more: Any) -> dict[str, Any]:
    return {
        "bootstrap.servers": mockforge.facts["kafka"]["bootstrap"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "OAUTHBEARER",
        **more,
    }


def users(mockforge: MockForge) -> set[str]:
    return {row["user"] for row in mockforge.run("conn ls").data}


def test_librdkafka_and_aiokafka_log_in_by_unsigned_tokens() -> None:
    with MockForge(random_ports=True, kafka_oauth="unsecured", mqtt=False, amqp=False) as mockforge:
        more = {
            "enable.sasl.oauthbearer.unsecure.jwt": True,
            "sasl.oauthbearer.config": "principal=carol",
        }
        producer = Producer(settings(mockforge, **more))
        producer.produce("t", b"v")
        assert producer.flush(20) == 0
        assert "carol" in users(mockforge)

        async def read() -> bytes | None:
            consumer = aiokafka.AIOKafkaConsumer(
                "t",
                bootstrap_servers=mockforge.facts["kafka"]["bootstrap"],
                auto_offset_reset="earliest",
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="OAUTHBEARER",
                sasl_oauth_token_provider=Provider(),
            )
            async with consumer:
                assert "alice" in users(mockforge)
                message = await asyncio.wait_for(consumer.getone(), 20)
                value: bytes | None = message.value
                return value

        assert asyncio.run(read()) == b"v"


def test_librdkafka_renews_its_login_and_goes_on() -> None:
    with MockForge(
        random_ports=True,
        users=("alice:secret",),
        kafka_max_reauth=1.5,
        mqtt=False,
        amqp=False,
    ) as mockforge:
        more = {"sasl.mechanism": "PLAIN", "sasl.username": "alice", "sasl.password": "secret"}
        producer = Producer(settings(mockforge, **more))
        producer.produce("t", b"v")
        assert producer.flush(20) == 0

        def renewed() -> bool:
            producer.produce("t", b"v")
            assert producer.flush(20) == 0
            metrics = mockforge.runtime.brokers.kafka.counters.requests
            return int(metrics[36]) >= 4

        wait_for(renewed, what="logins that are renewed")

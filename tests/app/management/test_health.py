"""Which listeners there are, by port and by protocol, as RabbitMQ 3.10.8 answered it; and the
lists that a client reads before it takes away what may not be there."""

import time
from pathlib import Path

import pytest
from mockforge_brokers.listener import Listener
from mockforge_brokers.tls import Issued, expiry, issue, server_context

from .test_management import Place

_PORTS = {"status": "failed", "reason": "No active listener", "ports": [5672, 15672, 1883]}
_PROTOCOLS = {"status": "failed", "reason": "No active listener", "protocols": ["amqp", "http"]}


def listening(release: str) -> Place:
    """For AMQP and for MQTT; the requests of a Place come in at port 15672."""
    place = Place(release)
    place.scene.environment.listeners += [Listener("amqp", port=5672), Listener("mqtt", port=1883)]
    return place


PORTS = [
    ("5672", 200, {"status": "ok", "port": 5672}),
    ("15672", 200, {"status": "ok", "port": 15672}),
    ("1883", 200, {"status": "ok", "port": 1883}),
    ("1", 503, {**_PORTS, "missing": 1}),
    ("-1", 503, {**_PORTS, "missing": -1}),
    ("x", 400, {"error": "bad_request", "reason": "Invalid port"}),
]


@pytest.mark.parametrize(("port", "status", "body"), PORTS)
def test_a_port_that_is_not_listened_on_is_told_with_those_that_are(
    port: str, status: int, body: dict[str, object]
) -> None:
    answer = listening("3.10").ask("GET", f"health/checks/port-listener/{port}")
    assert (answer.status_code, answer.json()) == (status, body)


PROTOCOLS = [
    ("3.10", "amqp", 200, {"status": "ok", "protocol": "amqp"}),
    ("3.10", "AMQP", 200, {"status": "ok", "protocol": "amqp"}),
    ("3.10", "amqp0.9.1", 200, {"status": "ok", "protocol": "amqp"}),
    ("3.10", "http", 200, {"status": "ok", "protocol": "http"}),
    ("3.10", "amqps", 503, {**_PROTOCOLS, "missing": "amqp/ssl"}),
    ("3.10", "https%2Fprometheus", 503, {**_PROTOCOLS, "missing": "https/prometheus"}),
    ("3.10", "http,amqp", 503, {**_PROTOCOLS, "missing": "http,amqp"}),
    ("4.1", "http,amqp", 200, {"status": "ok", "protocol": "http,amqp"}),
    ("4.1", "nope,amqp", 503, {**_PROTOCOLS, "missing": ["nope"]}),
    ("4.3", "amqp", 200, {"status": "ok", "protocols": ["amqp", "http"]}),
]
"""What 4.1 lists of those that are missing, rabbitmqadmin 2 reads."""


@pytest.mark.parametrize(("release", "protocol", "status", "body"), PROTOCOLS)
def test_a_protocol_that_is_not_spoken_is_told_with_those_that_are(
    release: str, protocol: str, status: int, body: dict[str, object]
) -> None:
    answer = listening(release).ask("GET", f"health/checks/protocol-listener/{protocol}")
    assert (answer.status_code, answer.json()) == (status, body)


def test_a_node_says_that_it_is_not_being_drained_and_where_it_is_asked() -> None:
    place = listening("4.1")
    assert [node["being_drained"] for node in place.get("nodes")] == [False]
    shown = [(row["protocol"], row["port"]) for row in place.get("overview")["listeners"]]
    assert shown == [("amqp", 5672), ("http", 15672)]


def test_bindings_of_what_is_not_there_are_listed_as_rabbitmq_lists_them() -> None:
    place = Place()
    place.does("PUT", "queues/%2F/q")
    for path in (
        "exchanges/%2F/none/bindings/source", "exchanges/%2F/none/bindings/destination",
        "bindings/%2F/e/none/q/none", "queues/none/q/bindings",
    ):  # fmt: skip
        assert place.get(path) == [], path
    (implied,) = place.get("queues/%2F/none/bindings")
    (own,) = place.get("queues/%2F/q/bindings")
    assert implied == {**own, **dict.fromkeys(("destination", "routing_key"), "none")} | {
        "properties_key": "none"
    }


REFUSED = [
    ("policies/%2F/p", {"pattern": "^q", "definition": {"nonsense": 1}}, "nonsense is not"),
    ("policies/%2F/p", {"pattern": "^q", "definition": {"max-length": "x"}}, "'x' is not a valid"),
    ("policies/%2F/p", {"pattern": "(", "definition": {"max-length": 1}}, "no regular expression"),
    ("policies/%2F/p", {"pattern": "^q", "definition": {}}, "sets nothing"),
    ("operator-policies/%2F/p", {"pattern": "^q", "definition": {"nonsense": 1}}, "nonsense"),
    (
        "parameters/operator_policy/%2F/p",
        {"value": {"pattern": "^q", "definition": {"nonsense": 1}, "priority": 0}}, "nonsense",
    ),
    ("parameters/vhost-limits/%2F/limits", {"value": {"nonsense": 1}}, "nonsense"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
def test_what_cannot_be_kept_as_a_parameter_has_failed_its_validation(
    path: str, body: dict[str, object], words: str
) -> None:
    answer = Place().ask("PUT", path, body)
    reason = answer.json()["reason"]
    assert answer.status_code == 400
    assert reason.startswith("Validation failed\n\n")
    assert words in reason


def certified(folder: Path, *, expired: bool = False) -> tuple[Place, Issued]:
    """AMQP with TLS; its certificates are made now and hold for 30 days."""
    pytest.importorskip("cryptography")
    issued = issue(folder, ["localhost"])
    shown = issued.expired if expired else issued.certificate
    context = server_context(str(shown), str(issued.key), str(issued.ca))
    place = Place("3.10")
    place.scene.clock.advance(max(0.0, time.time() - place.scene.clock.wall()))
    place.scene.environment.listeners.append(Listener("amqp", port=5671, tls=context))
    return place, issued


@pytest.mark.parametrize(("within", "status"), [("2/weeks", 200), ("2/Months", 503)])
def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, within: str, status: int) -> None:
    place, issued = certified(tmp_path)
    answer = place.ask("GET", f"health/checks/certificate-expiration/{within}")
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"status": "ok"}
        return
    body = answer.json()
    assert (body["status"], body["reason"]) == ("failed", "Certificates expiring")
    (listener,) = body["expired"]
    assert (listener["protocol"], listener["port"]) == ("amqp/ssl", 5671)
    assert listener["certfile"] == str(issued.certificate)
    (until,) = expiry(str(issued.certificate))
    written = f"{until:%Y-%m-%d} {until.hour}:{until:%M:%S}"
    assert listener["certfile_expires_on"] == [written]


def test_a_certificate_that_expired_is_told_whatever_the_time(tmp_path: Path) -> None:
    place, _ = certified(tmp_path, expired=True)
    assert place.does("GET", "health/checks/certificate-expiration/0/days") == 503


def test_a_certificate_whose_file_is_gone_is_no_error_of_ours(tmp_path: Path) -> None:
    place, issued = certified(tmp_path)
    issued.certificate.unlink()
    answer = place.ask("GET", "health/checks/certificate-expiration/1/days")
    assert answer.status_code == 503
    assert str(issued.certificate) in answer.json()["reason"]


def test_the_certificate_that_is_shown_now_counts(tmp_path: Path) -> None:
    place, issued = certified(tmp_path)
    path = "health/checks/certificate-expiration/1/days"
    assert place.does("GET", path) == 200
    place.scene.environment.listeners[-1].tls.load_cert_chain(issued.expired, issued.key)
    assert place.does("GET", path) == 503


def test_a_certificates_last_moment_is_what_cryptography_reads(tmp_path: Path) -> None:
    x509 = pytest.importorskip("cryptography.x509")
    issued = issue(tmp_path, ["localhost"])
    for path in (issued.ca, issued.certificate, issued.expired):
        read = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        assert expiry(str(path)) == [read]


@pytest.mark.parametrize(
    ("within", "reason"),
    [
        ("x/days", "Invalid expiration value."),
        ("1.5/days", "Invalid expiration value."),
        ("1/day", "Time unit not recognised. Supported units: days, weeks, months, years."),
    ],
)
def test_a_time_that_is_none_is_refused(within: str, reason: str) -> None:
    answer = Place("3.10").ask("GET", f"health/checks/certificate-expiration/{within}")
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)

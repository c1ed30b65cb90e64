"""OAUTHBEARER (KIP-255) and logins that end (KIP-368), with Apache Kafka's answers."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.kafka.oauth import InvalidToken, bearer_of, verifier
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.broker import started_with
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.security import (
    SaslAuthenticateRequest,
    SaslHandshakeRequest,
)

from .scene import Noting, Scene, fetch, produce
from .test_access import RIGHT, Guarded

NOW = 1_700_000_000.0
INVALID = '{"status":"invalid_token"}'
GENERIC = (
    "Authentication failed during authentication due to invalid credentials with SASL mechanism"
    " OAUTHBEARER"
)
METADATA = MetadataRequest(topics=None)
CLAIMS = {"sub": "alice", "iat": NOW - 1, "exp": NOW + 3600}


def encoded(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, header=None, sign=lambda text: b""):
    parts = [encoded(json.dumps(part).encode()) for part in (header or {"alg": "none"}, claims)]
    return ".".join([*parts, encoded(sign(".".join(parts).encode()))])


def bearer(text, *, authorize=b"", more=b""):
    return b"n," + authorize + b",\x01auth=Bearer " + text.encode() + more + b"\x01\x01"


def by_secret(text):
    return hmac.digest(b"a secret", text, hashlib.sha256)


class Bearers(Scene):
    def __init__(self, **options):
        super().__init__(wall=NOW, **({"oauth": "unsecured"} | options))

    def ask_for(self, client, message, version):
        self.ask(client, message, version)
        return self.answer(client, message.api_key, version)

    def client(self, message):
        """A client with the answer to its first message."""
        client = self.network.connect()
        agreed = self.ask_for(client, SaslHandshakeRequest(mechanism="OAUTHBEARER"), 1)
        assert (agreed.error_code, agreed.mechanisms[-1]) == (0, "OAUTHBEARER")
        return client, self.ask_for(client, SaslAuthenticateRequest(auth_bytes=message), 2)


def test_a_token_lets_in_who_it_names_until_it_expires():
    scene = Bearers()
    client, answer = scene.client(bearer(token(CLAIMS)))
    assert (answer.error_code, answer.auth_bytes) == (0, b"")
    assert answer.session_lifetime_ms == 3_600_000
    assert scene.ask_for(client, METADATA, 9).controller_id == 1
    (view,) = scene.broker.connections()
    assert (view.principal.name, view.principal.mechanism) == ("alice", "OAUTHBEARER")


@pytest.mark.parametrize(
    "text",
    [
        token({**CLAIMS, "exp": NOW - 5}),
        token({"sub": "a"}),
        token({"exp": NOW + 9}),
        token(CLAIMS, {"alg": "HS256"}, by_secret),
        token(CLAIMS, sign=by_secret),
        token({**CLAIMS, "iat": NOW + 500}),
        token({**CLAIMS, "exp": "x"}),
        token({**CLAIMS, "sub": 5}),
        token({**CLAIMS, "sub": " "}),
        token([]),
        "x.y.z",
        "abc.def",
    ],
)
@pytest.mark.parametrize(("then", "says"), [(b"\x01", INVALID), (b"x", GENERIC)])
def test_a_token_of_no_use_is_refused_in_two_steps(text, then, says):
    scene = Bearers()
    client, answer = scene.client(bearer(text))
    assert (answer.error_code, answer.auth_bytes) == (0, INVALID.encode())
    last = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=then), 2)
    assert (last.error_code, last.error_message) == (58, says)
    scene.clock.advance(0)
    assert client.peer.ended == "closed"


def raw(claims):
    return ".".join([encoded(b'{"alg":"none"}'), encoded(claims.encode()), ""])


@pytest.mark.parametrize(
    "claims",
    [
        "[" * 100_000,
        '{"sub": "alice", "exp": NaN}',
        '{"sub": "alice", "exp": Infinity}',
        '{"sub": "\\ud800", "exp": 2000000000}',
    ],
    ids=lambda text: text[:40],
)
def test_claims_that_say_nothing_are_refused(claims):
    with pytest.raises(InvalidToken):
        bearer_of(raw(claims), "unsecured", NOW)


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400, "1e300"])
def test_a_login_for_ever_is_one_for_a_hundred_years(number):
    scene = Bearers()
    text = raw(f'{{"sub": "alice", "exp": {number}}}')
    _, answer = scene.client(bearer(text))
    assert (answer.error_code, answer.session_lifetime_ms) == (0, 100 * 365 * 86_400_000)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"hello", GENERIC),
        (b"", GENERIC),
        (bearer(token(CLAIMS), more=b"\x01auth=x"), GENERIC),
        (
            bearer(token(CLAIMS), authorize=b"a=bob"),
            "Authentication failed: Client requested an authorization id (bob) that is different"
            " from the token's principal name (alice)",
        ),
    ],
)
def test_what_is_no_bearer_is_refused_at_once(message, says):
    _, answer = Bearers().client(message)
    assert (answer.error_code, answer.error_message) == (58, says)


@pytest.mark.parametrize(
    "message",
    [
        bearer(token(CLAIMS), authorize=b"a=alice"),
        bearer(token(CLAIMS), more=b"\x01traceId=1"),
    ],
)
def test_extensions_and_ones_own_name_are_taken(message):
    assert Bearers().client(message)[1].error_code == 0


def test_where_tokens_are_taken_nobody_comes_without():
    scene = Bearers()
    client = scene.network.connect()
    scene.ask(client, METADATA, 9)
    assert "came before the client logged in" in client.peer.reason


def test_without_a_key_the_mechanism_is_not_offered():
    scene = Guarded()
    client = scene.network.connect()
    answer = scene.ask_for(client, SaslHandshakeRequest(mechanism="OAUTHBEARER"), 1)
    assert answer.error_code == 33


def test_a_token_that_the_secret_signed_is_taken_and_no_other():
    signed = token(CLAIMS, {"alg": "HS256"}, by_secret)
    assert Bearers(oauth="a secret\n").client(bearer(signed))[1].auth_bytes == b""
    for text in (token(CLAIMS), token(CLAIMS, {"alg": "HS256"}, lambda _: b"no")):
        assert Bearers(oauth="a secret\n").client(bearer(text))[1].auth_bytes == INVALID.encode()


@pytest.mark.parametrize("kind", ["RS256", "ES256"])
def test_a_token_is_checked_with_a_public_key(kind):
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    if kind == "RS256":
        private = rsa.generate_private_key(65537, 2048)

        def sign(text):
            return private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    else:
        private = ec.generate_private_key(ec.SECP256R1())

        def sign(text):
            pair = utils.decode_dss_signature(private.sign(text, ec.ECDSA(hashes.SHA256())))
            return b"".join(one.to_bytes(32, "big") for one in pair)

    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    key = private.public_key().public_bytes(*pem).decode()
    assert bearer_of(token(CLAIMS, {"alg": kind}, sign), key, NOW).name == "alice"
    for header, signer in (({"alg": kind}, by_secret), ({"alg": "none"}, sign), ({}, sign)):
        with pytest.raises(InvalidToken, match="is not that of the key"):
            bearer_of(token(CLAIMS, header, signer), key, NOW)
    # The public key is no secret: who signs with it has proved nothing.
    forged = token(CLAIMS, {"alg": "HS256"}, lambda t: hmac.digest(key.encode(), t, "sha256"))
    with pytest.raises(InvalidToken):
        bearer_of(forged, key, NOW)


def test_what_is_no_key_is_said():
    pytest.importorskip("cryptography")
    with pytest.raises(InvalidInput, match="no public key in PEM"):
        verifier("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n")


# Logins that end ---------------------------------------------------------------------------

HANDSHAKE = SaslHandshakeRequest(mechanism="PLAIN")


def test_a_login_is_good_for_the_time_that_is_set_and_then_ends_the_connection():
    scene = Guarded(max_reauth=20.0)
    client = scene.client()
    assert scene.last.session_lifetime_ms == 20_000
    scene.clock.advance(19.9)
    assert scene.ask_for(client, METADATA, 9).controller_id == 1
    scene.clock.advance(0.2)
    assert not client.peer.ended, "it ends at its next request"
    scene.ask(client, METADATA, 9)
    assert client.peer.reason == "the login of alice has expired and was not renewed"


def test_a_login_that_has_expired_ends_also_who_produces_on_the_short_path():
    scene = Guarded(max_reauth=20.0)
    scene.broker.create_topic("t", 1)
    client = scene.client()
    for _ in range(3):
        scene.ask_for(client, produce("t", b"v"), 9)
    assert client.connection.caller.produce_paths.last is not None
    scene.clock.advance(20.1)
    scene.ask(client, produce("t", b"v"), 9)
    assert "has expired" in client.peer.reason


@pytest.mark.parametrize("message", [produce("t", b"v"), fetch("t", 0)], ids=["produce", "fetch"])
def test_in_the_midst_of_a_login_that_is_renewed_nothing_goes_a_short_way(message):
    scene = Guarded(max_reauth=20.0)
    scene.broker.create_topic("t", 1)
    client = scene.client()
    for _ in range(4):
        scene.ask_for(client, message, 11 if message.api_key else 9)
    assert scene.ask_for(client, HANDSHAKE, 1).error_code == 0
    scene.ask(client, message, 11 if message.api_key else 9)
    scene.clock.advance(0)
    assert "came in the midst of a login by SASL" in client.peer.reason


def test_nothing_waits_for_the_end_of_a_login_whose_connection_is_over():
    clock = Noting()
    scene = Bearers(clock=clock)
    client, _ = scene.client(bearer(token({**CLAIMS, "exp": NOW * 100})))
    assert scene.ask_for(client, METADATA, 9).controller_id == 1
    before = clock.waiting
    client.peer.close("it went")
    assert clock.waiting == before - 1


def test_a_token_ends_a_login_before_the_time_that_is_set():
    scene = Bearers(max_reauth=20.0)
    assert scene.client(bearer(token(CLAIMS)))[1].session_lifetime_ms == 20_000
    short = bearer(token({**CLAIMS, "exp": NOW + 5}))
    assert scene.client(short)[1].session_lifetime_ms == 5_000


def test_a_login_is_renewed_by_the_same_user():
    scene = Guarded(max_reauth=20.0)
    client = scene.client()
    scene.clock.advance(15)
    assert scene.ask_for(client, HANDSHAKE, 1).error_code == 0
    answer = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=RIGHT), 2)
    assert (answer.error_code, answer.session_lifetime_ms) == (0, 20_000)
    assert scene.ask_for(client, HANDSHAKE, 1).error_code == 34, "once a second"
    scene.clock.advance(15)
    assert scene.ask_for(client, METADATA, 9).controller_id == 1


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            b"\0bob\0secret",
            "Cannot change principals during re-authentication from User.alice: User.bob",
        ),
        (b"\0alice\0no", "Authentication failed: Invalid username or password"),
    ],
)
def test_another_user_or_a_wrong_password_ends_it(message, says):
    scene = Guarded(max_reauth=20.0)
    scene.access.add_user("bob", "secret")
    client = scene.client()
    scene.ask_for(client, HANDSHAKE, 1)
    answer = scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=message), 2)
    assert (answer.error_code, answer.error_message) == (58, says)
    scene.clock.advance(0)
    assert client.peer.ended == "closed"


@pytest.mark.parametrize("handshake", [0, 1])
@pytest.mark.parametrize(
    ("message", "version"),
    [(SaslAuthenticateRequest(auth_bytes=b"n,,n=alice,r=abc"), 2), (METADATA, 9), (HANDSHAKE, 1)],
    ids=lambda message: type(message).__name__,
)
def test_another_mechanism_than_before_is_agreed_on_and_then_ends_it(message, version, handshake):
    scene = Guarded(max_reauth=20.0)
    client = scene.client()
    other = SaslHandshakeRequest(mechanism="SCRAM-SHA-256")
    assert scene.ask_for(client, other, handshake).error_code == 0
    scene.ask(client, message, version)
    assert client.peer.reason == "a login with PLAIN cannot be renewed with SCRAM-SHA-256"
    assert not client.take()
    assert scene.denied[-1].user == "alice"


def test_a_mechanism_that_is_not_served_ends_a_renewal_without_an_answer():
    scene = Guarded(max_reauth=20.0)
    client = scene.client()
    scene.ask(client, SaslHandshakeRequest(mechanism="GSSAPI"), 1)
    assert "renewed with GSSAPI: only PLAIN, " in client.peer.reason


@pytest.mark.parametrize(
    ("after", "message"),
    [(20.1, SaslAuthenticateRequest(auth_bytes=RIGHT)), (0.9, HANDSHAKE)],
    ids=["token", "too soon again"],
)
def test_a_login_that_has_expired_is_renewed_by_nothing_but_a_handshake(after, message):
    scene = Guarded(max_reauth=min(after, 20.0) - 0.1)
    client = scene.client()
    scene.ask_for(client, HANDSHAKE, 1)
    scene.ask_for(client, SaslAuthenticateRequest(auth_bytes=RIGHT), 2)
    scene.clock.advance(after)
    scene.ask(client, message, 1)
    assert client.peer.reason == "the login of alice has expired and was not renewed"


@pytest.mark.parametrize(("value", "lifetime"), [("1500", 1500), ("0", 0), ("-1", 0)])
def test_the_time_of_a_login_is_a_key_of_the_broker(value, lifetime):
    options = started_with(KafkaOptions(), {"connections.max.reauth.ms": value})
    scene = Guarded(max_reauth=options.max_reauth)
    scene.client()
    assert scene.last.session_lifetime_ms == lifetime


def test_rules_hold_for_who_a_token_names():
    scene = Bearers()
    scene.environment.access.add_rule(rule_of("allow bob all kafka:*"))
    scene.broker.create_topic("t", 1)
    client, _ = scene.client(bearer(token(CLAIMS)))
    assert scene.ask_for(client, METADATA, 9).topics == []

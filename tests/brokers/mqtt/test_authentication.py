"""Enhanced authentication by SCRAM, redirects, and reason strings as clients allow them."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode

import pytest
from mockforge_brokers.access import hash_password, rule_of
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import AccessDenied
from mockforge_brokers.mqtt.authentication import ScriptedMethod, scripted
from mockforge_brokers.mqtt.wire.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Publish,
    Request,
    Suback,
    Subscribe,
)
from mockforge_brokers.scram import Credentials, ScramFailed, ScramServer, credentials

from ..fake_peer import FakeClient
from .scene import Scene

METHOD = "SCRAM-SHA-256"


class ScramClient:
    """The other half, from RFC 5802 and not from ours."""

    def __init__(self, user: str, password: str, hash_name: str = "sha256") -> None:
        self.user, self.password, self.hash_name = user, password, hash_name
        self.bare = f"n={user},r=rOprNGfwEbeRWgbNEkqO"
        self.signature = b""

    def first(self) -> bytes:
        return f"n,,{self.bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        nonce, salt, count = re.fullmatch(r"r=(.*),s=(.*),i=(\d+)", challenge.decode()).groups()  # type: ignore[union-attr]
        salted = hashlib.pbkdf2_hmac(
            self.hash_name, self.password.encode(), b64decode(salt), int(count)
        )
        client_key = hmac.digest(salted, b"Client Key", self.hash_name)
        bound = f"c=biws,r={nonce}"
        signed = f"{self.bare},{challenge.decode()},{bound}".encode()
        stored = hashlib.new(self.hash_name, client_key).digest()
        signature = hmac.digest(stored, signed, self.hash_name)
        server_key = hmac.digest(salted, b"Server Key", self.hash_name)
        self.signature = b"v=" + b64encode(hmac.digest(server_key, signed, self.hash_name))
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{bound},p={b64encode(proof).decode()}".encode()


# RFC 7677, 3: user, pencil.
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")


def rfc_server() -> ScramServer:
    known = {"user": credentials("pencil", "sha256", SALT)}
    return ScramServer(METHOD, known.get, SERVER_NONCE)


def test_the_example_of_rfc_7677_comes_out() -> None:
    server = rfc_server()
    nonce = f"rOprNGfwEbeRWgbNEkqO{SERVER_NONCE}"
    challenge = f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
    assert server.first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == challenge
    proof = f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert server.final(proof.encode()) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert server.user == "user"


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (b"", "n,,n=USER"),
        (b"n,,n=user", "n,,n=USER"),
        (b"p=tls-unique,,n=user,r=x", "channel binding"),
        (b"n,,n=nobody,r=x", "no user nobody"),
        (b"\xff", "UTF-8"),
    ],
)
def test_a_first_message_that_cannot_be_is_refused(first: bytes, why: str) -> None:
    with pytest.raises(ScramFailed, match=why):
        rfc_server().first(first)


@pytest.mark.parametrize(
    ("final", "why"),
    [
        ("nonsense", "c=HEADER"),
        ("c=biws,r=other,p=AAAA", "another exchange"),
        ("c=AAAA,r={nonce},p=AAAA", "another exchange"),
        ("c=biws,r=abc{nonce},p=AAAA", "librdkafka before 2.6.1"),
        ("c=biws,r={nonce},p=A", "base64"),
        ("c=biws,r={nonce},p=AAAA", "wrong password"),
        ("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVE=", "wrong password"),
    ],
)
def test_a_proof_that_is_none_is_refused(final: str, why: str) -> None:
    server = rfc_server()
    server.first(b"n,,n=user,r=abc")
    with pytest.raises(ScramFailed, match=why):
        server.final(final.format(nonce=f"abc{SERVER_NONCE}").encode())


def test_a_proof_before_the_first_message_is_refused() -> None:
    with pytest.raises(ScramFailed):
        rfc_server().final(b"c=biws,r=x,p=AAAA")


def guarded() -> Scene:
    scene = Scene()
    scene.guard()
    return scene


def begin(scene: Scene, data: bytes, method: str = METHOD) -> FakeClient:
    asked = {"authentication_method": method, "authentication_data": data}
    return scene.come(Connect("cid", 5, properties=asked))


def auth(
    scene: Scene, client: FakeClient, code: int, data: bytes, method: str = METHOD
) -> list[Packet]:
    given = {"authentication_method": method, "authentication_data": data}
    return scene.ask(client, Auth(code, given))


@pytest.mark.parametrize(
    ("method", "hash_name"), [("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-512", "sha512")]
)
def test_who_proves_the_password_is_let_in_and_the_server_proves_it_too(
    method: str, hash_name: str
) -> None:
    scene, scram = guarded(), ScramClient("alice", "secret", hash_name)
    client = begin(scene, scram.first(), method)
    [challenge] = scene.got(client)
    assert isinstance(challenge, Auth)
    assert challenge.code == 0x18
    [answer] = auth(
        scene, client, 0x18, scram.final(challenge.properties["authentication_data"]), method
    )
    assert isinstance(answer, Connack)
    assert answer.code == 0
    assert answer.properties["authentication_method"] == method
    assert answer.properties["authentication_data"] == scram.signature
    assert (client.peer.principal.name, client.peer.principal.mechanism) == ("alice", method)


def test_a_wrong_password_is_refused_with_the_reason_and_reported() -> None:
    scene, scram = guarded(), ScramClient("alice", "wrong")
    client = begin(scene, scram.first())
    [challenge] = scene.got(client)
    assert isinstance(challenge, Auth)
    [answer] = auth(scene, client, 0x18, scram.final(challenge.properties["authentication_data"]))
    assert isinstance(answer, Connack)
    assert (answer.code, answer.properties["reason_string"]) == (0x87, "SCRAM: wrong password")
    assert client.peer.ended == "closed"
    assert [event.reason for event in scene.emitted(AccessDenied)] == ["SCRAM: wrong password"]


def test_a_password_that_is_only_a_hash_cannot_be_proved() -> None:
    scene = guarded()
    scene.access.add_user("bob", hash_password("secret"))
    [answer] = scene.got(begin(scene, ScramClient("bob", "secret").first()))
    assert isinstance(answer, Connack)
    assert "no user bob with a password that SCRAM can prove" in answer.properties["reason_string"]


def login(scene: Scene) -> tuple[FakeClient, ScramClient]:
    scram = ScramClient("alice", "secret")
    client = begin(scene, scram.first())
    [challenge] = scene.got(client)
    assert isinstance(challenge, Auth)
    auth(scene, client, 0x18, scram.final(challenge.properties["authentication_data"]))
    return client, scram


def test_a_failed_re_authentication_ends_the_connection() -> None:
    # [MQTT-4.12.1-2]
    scene = guarded()
    client, scram = login(scene)
    [challenge] = auth(scene, client, 0x19, scram.first())
    assert isinstance(challenge, Auth)
    [answer] = auth(scene, client, 0x18, b"c=biws,r=x,p=AAAA")
    assert isinstance(answer, Disconnect)
    assert (answer.code, client.peer.ended) == (0x87, "closed")


def test_a_re_authentication_with_a_password_that_changed_since() -> None:
    scene = guarded()
    client, _ = login(scene)
    scene.access.add_user("alice", "new")
    scram = ScramClient("alice", "new")
    [challenge] = auth(scene, client, 0x19, scram.first())
    assert isinstance(challenge, Auth)
    [answer] = auth(scene, client, 0x18, scram.final(challenge.properties["authentication_data"]))
    assert isinstance(answer, Auth)
    assert (answer.code, answer.properties["authentication_data"]) == (0, scram.signature)


def test_who_proves_anew_to_be_somebody_else_reads_from_then_on_what_that_user_may() -> None:
    scene = guarded()
    scene.access.add_user("bob", "other")
    scene.access.add_rule(rule_of("allow alice read mqtt:t"))
    scene.access.add_rule(rule_of("allow bob read mqtt:u"))
    client, _ = login(scene)
    assert [type(each) for each in scene.ask(client, Subscribe(1, [Request("t", 0)]))] == [Suback]
    scene.publish("t")
    assert len(scene.publishes(client)) == 1
    scram = ScramClient("bob", "other")
    [challenge] = auth(scene, client, 0x19, scram.first())
    assert isinstance(challenge, Auth)
    auth(scene, client, 0x18, scram.final(challenge.properties["authentication_data"]))
    assert client.peer.principal.name == "bob"
    scene.publish("t")
    assert scene.publishes(client) == []


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("OK", ScriptedMethod("OK")),
        ("A one two", ScriptedMethod("A", (b"one", b"two"))),
        ("A one refuse=not-authorized", ScriptedMethod("A", (b"one",), 0x87)),
    ],
)
def test_a_scripted_method_is_read(text: str, method: ScriptedMethod) -> None:
    assert scripted(text) == method


@pytest.mark.parametrize("text", ["", "SCRAM-SHA-256 x", "A refuse=SUCCESS", "A refuse=rain"])
def test_what_is_no_scripted_method_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        scripted(text)


# Redirects.


def test_a_redirect_sends_away_who_is_here_and_who_comes() -> None:
    scene = guarded()
    scene.access.anonymous.add("mqtt")
    here, other, old = (
        scene.come(Connect("dev-1", 5)),
        scene.come(Connect("app", 5)),
        scene.come(Connect("dev-0", 4)),
    )
    for client in (here, other, old):
        client.take()
    redirect, sent = scene.broker.redirect("dev-*", "b.example:1883")
    scene.network.settle()
    assert (redirect.number, sent) == (1, 2)
    [packet] = scene.got(here)
    assert isinstance(packet, Disconnect)
    assert (packet.code, packet.properties["server_reference"]) == (0x9C, "b.example:1883")
    assert (here.peer.ended, other.peer.ended, old.peer.ended) == ("closed", "", "closed")
    [answer] = scene.got(scene.come(Connect("dev-2", 5)))
    assert isinstance(answer, Connack)
    assert (answer.code, answer.properties["server_reference"]) == (0x9C, "b.example:1883")
    # Before MQTT 5: server unavailable.
    assert scene.come(Connect("dev-2", 4)).take() == b"\x20\x02\x00\x03"
    del scene.broker.redirects.active[1]
    assert not scene.come(Connect("dev-2", 5)).peer.ended


def test_a_server_that_has_moved_says_0x9d() -> None:
    scene = guarded()
    scene.access.anonymous.add("mqtt")
    scene.broker.redirect("*", "b.example", moved=True)
    [answer] = scene.got(scene.come(Connect("a", 5)))
    assert isinstance(answer, Connack)
    assert answer.code == 0x9D


@pytest.mark.parametrize("wanted", [0, 1])
def test_reason_strings_are_left_out_where_the_client_asks_for_it(wanted: int) -> None:
    # [MQTT-3.1.2-29]: 0 leaves them to CONNACK and DISCONNECT.
    scene = guarded()
    scene.access.anonymous.add("mqtt")
    scene.access.add_rule(rule_of("deny * all mqtt:secret"))
    client = scene.connect("a", properties={"request_problem_information": wanted})
    [answer] = scene.ask(client, Subscribe(1, [Request("open"), Request("secret")]))
    assert isinstance(answer, Suback)
    assert answer.codes == [0, 0x87]
    told = answer.properties.get("reason_string", "")
    assert told == ("secret: a rule denies it: deny * all mqtt:secret" if wanted else "")
    [packet] = scene.ask(client, Publish("a/#"))
    assert isinstance(packet, Disconnect)
    assert packet.properties["reason_string"]


def test_credentials_hide_the_password() -> None:
    made = credentials("pencil", "sha256", SALT)
    assert isinstance(made, Credentials)
    assert b"pencil" not in made.stored_key + made.server_key


def test_who_proved_who_it_is_and_has_no_room_for_connack_was_not_denied() -> None:
    scene = Scene(auth_methods=("M go",))
    asked = {"authentication_method": "M", "maximum_packet_size": 14}
    client = scene.come(Connect("c", 5, properties=asked))
    [challenge] = scene.got(client)
    assert isinstance(challenge, Auth)
    scene.send(client, Auth(0x18, {"authentication_method": "M"}))
    assert client.peer.ended
    assert scene.emitted(AccessDenied) == []


def test_who_is_denied_by_a_method_without_names_is_reported_as_it_called_itself() -> None:
    scene = Scene(auth_methods=("M refuse=NOT_AUTHORIZED",))
    scene.come(Connect("c", 5, user_name="bob", properties={"authentication_method": "M"}))
    assert [event.user for event in scene.emitted(AccessDenied)] == ["bob"]


def test_who_is_denied_when_it_proves_anew_is_reported_as_who_it_was() -> None:
    scene = Scene(auth_methods=("M",))
    asked = {"authentication_method": "M"}
    client = scene.come(Connect("c", 5, user_name="bob", properties=asked))
    scene.broker.methods.scripted["M"] = ScriptedMethod("M", code=0x87)
    scene.send(client, Auth(0x19, asked))
    assert client.peer.ended
    assert [event.user for event in scene.emitted(AccessDenied)] == ["bob"]

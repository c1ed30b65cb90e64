"""TLS contexts: from files, or from a throw-away CA that is made when the broker starts."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from .errors import InvalidInput
from .streams import remember_server_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

_VALID: Final = (-1, 30)
"""Days from now on; clocks of containers and virtual machines are sometimes behind."""
_EXPIRED: Final = (-2, -1)
_CA: Final = "MockForge throw-away CA"
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1", "host.docker.internal")


_PEM: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION: Final = 0xA0
"""The tag of what certificates before X.509 version 2 do not have."""
_UTC_TIME: Final = 0x17
_LONG: Final = 0x80


class Issued(Struct, frozen=True):
    """Paths of what the throw-away CA made, all PEM."""

    ca: Path
    certificate: Path
    key: Path
    client_certificate: Path
    client_key: Path
    expired: Path
    """The server's certificate as it was: yesterday was its last day. Its key is the same."""


class ServerContext(ssl.SSLContext):
    """Knows the paths of its certificate, as it is shown now, and of the CA of its clients."""

    certificate: str = ""
    client_ca: str | None = None

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        super().load_cert_chain(certfile, keyfile, password)
        self.certificate = str(certfile)


def server_context(certificate: str, key: str, client_ca: str | None = None) -> ServerContext:
    """The context of a listener; with `client_ca` its clients need a certificate of that CA.

    All are paths of PEM files. Raises InvalidInput, which names the file.
    """
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.sni_callback = remember_server_name
    _check_readable("--tls", certificate, key)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise InvalidInput(
            f"--tls: {certificate} and {key} are no certificate with its key, both as PEM: {error}"
        ) from None
    if client_ca is not None:
        _check_readable("--tls-client-ca", client_ca)
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            raise InvalidInput(
                f"--tls-client-ca: {client_ca} has no certificate as PEM: {error}"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
        context.client_ca = client_ca
    return context


def _check_readable(option: str, *paths: str) -> None:
    for path in paths:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            text = f"{option}: {path}: {error.strerror}: files as PEM are wanted, or auto"
            raise InvalidInput(text) from None


def _no_password() -> str:
    raise InvalidInput("--tls: the key has a password: give one without (openssl pkey -in KEY)")


def issue(folder: Path, names: Iterable[str]) -> Issued:
    """Make a CA, a server's certificate for `names` and a client's; raises InvalidInput.

    The CA's key is never written: nobody can make more certificates of it.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise InvalidInput(
            "--tls auto makes its certificates with the package cryptography, which is not there: "
            "pip install 'mockforge-tui[tls]', or give --tls CERT,KEY"
        ) from None
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(_CA, ca_key, None, ca_key, [])
    found = Issued(
        ca=folder / "ca.pem",
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_certificate=folder / "client.pem",
        client_key=folder / "client.key",
        expired=folder / "expired.pem",
    )
    _check_ours(found)
    _write(found.ca, _pem(ca))
    alternatives = [_general_name(x509, name) for name in dict.fromkeys((*_ALWAYS, *names))]
    for common_name, certificate, key, others in (
        ("localhost", found.certificate, found.key, alternatives),
        ("client", found.client_certificate, found.client_key, []),
    ):
        private = ec.generate_private_key(ec.SECP256R1())
        _write(certificate, _pem(_certificate(common_name, private, ca, ca_key, others)))
        _write(key, _key_pem(private), secret=True)
        if certificate is found.certificate:
            old = _certificate(common_name, private, ca, ca_key, others, _EXPIRED)
            _write(found.expired, _pem(old))
    return found


def own_names(*hosts: str | None) -> list[str]:
    """What this machine's clients may call it."""
    wild = {"", "0.0.0.0", "::"}
    return [*(host for host in hosts if host and host not in wild), socket.gethostname()]


def _general_name(x509: Any, name: str) -> "GeneralName":
    try:
        found: GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        found = x509.DNSName(name.encode("idna").decode())
    return found


def _certificate(
    common_name: str,
    key: "EllipticCurvePrivateKey",
    issuer: "Certificate | None",
    issuer_key: "EllipticCurvePrivateKey",
    names: "list[GeneralName]",
    valid: tuple[int, int] = _VALID,
) -> "Certificate":
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=valid[0]))
        .not_valid_after(now + timedelta(days=valid[1]))
        .add_extension(
            x509.BasicConstraints(ca=issuer is None, path_length=0 if issuer is None else None),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(_usage(issuer is None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(of_ca: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not of_ca,
        key_cert_sign=of_ca,
        crl_sign=of_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: "Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _check_ours(issued: Issued) -> None:
    """Raises InvalidInput where one of these files is there, and no start before made it."""
    for certificate, key in (
        (issued.ca, None),
        (issued.certificate, issued.key),
        (issued.client_certificate, issued.client_key),
        (issued.expired, None),
    ):
        foreign = None
        # A start that was killed leaves an empty one; a key is written behind its certificate.
        if certificate.exists():
            ours = not certificate.stat().st_size or _is_ours(certificate)
            foreign = None if ours else certificate
        elif key is not None and key.exists():
            foreign = key
        if foreign is not None:
            raise InvalidInput(
                f"TLS: {foreign} was not made by --tls auto, which would write over it: give "
                "another --tls-dir, or --tls CERT,KEY to use what is there"
            )


def _is_ours(certificate: Path) -> bool:
    try:
        found = _PEM.findall(certificate.read_text("ascii", "replace"))
        return any(_CA.encode() in ssl.PEM_cert_to_DER_cert(each) for each in found)
    except (OSError, ValueError):
        return False


def _write(path: Path, data: bytes, *, secret: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600 if secret else 0o644)
        path.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"TLS: {path}: {error.strerror}") from None


def expiry(path: str) -> list[datetime]:
    """Of each certificate in a PEM file, the last moment in which it holds (RFC 5280, 4.1.2.5).

    Raises OSError, and ValueError for what is no certificate.
    """
    text = Path(path).read_text("ascii", "replace")
    return [_not_after(ssl.PEM_cert_to_DER_cert(each)) for each in _PEM.findall(text)]


def _not_after(der: bytes) -> datetime:
    try:
        _, at, _ = _value(der, 0)
        _, at, _ = _value(der, at)
        if der[at] == _VERSION:
            at = _value(der, at)[2]
        for _ in ("serial number", "signature", "issuer"):
            at = _value(der, at)[2]
        _, at, _ = _value(der, at)
        at = _value(der, at)[2]
        tag, start, end = _value(der, at)
        written = der[start:end].decode("ascii")
    except IndexError:
        raise ValueError("the certificate ends too early") from None
    if tag == _UTC_TIME:
        # Two digits of a year: 50 to 99 are of the last century.
        written = ("19" if written >= "50" else "20") + written
    return datetime.strptime(written, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _value(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag of what stands there in DER, where its value begins, and where it ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & _LONG:
        size = length - _LONG
        length, start = int.from_bytes(der[start : start + size]), start + size
    return tag, start, start + length

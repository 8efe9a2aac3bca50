# SPDX-License-Identifier: BSD-3-Clause
import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from nexusnet.handshake.credentials import (
    Credentials,
    PrivateKey,
    format_fingerprint,
    parse_fingerprint,
)
from nexusnet.handshake.errors import (
    CertificateExpiredError,
    ClockError,
    CredentialsError,
    FingerprintMismatchError,
    UntrustedCertificateError,
)
from nexusnet.handshake.verify import (
    AnyPeer,
    PeerEvidence,
    PeerIdentity,
    PinnedFingerprints,
    TrustedAuthorities,
)
from tests.handshake.setting import MIDNIGHT

DAY = dt.timedelta(days=1)


def test_the_fingerprint_is_openssls(
    credentials: Callable[[str], Credentials], tmp_path: Path
) -> None:
    ours = credentials("vpn.example")
    certificate, _ = ours.to_pem()
    (tmp_path / "c.pem").write_bytes(certificate)
    printed = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "c.pem", "-noout", "-fingerprint", "-sha256"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert parse_fingerprint(printed) == ours.fingerprint
    assert parse_fingerprint(format_fingerprint(ours.fingerprint)) == ours.fingerprint
    assert parse_fingerprint(ours.fingerprint.hex().upper()) == ours.fingerprint


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:12", "x" * 64, "sha1:" + "0" * 40])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(CredentialsError, match="64 hexadecimal digits"):
        parse_fingerprint(text)


def test_pem_round_trip_and_no_key_in_the_repr(
    credentials: Callable[[str], Credentials], tmp_path: Path
) -> None:
    ours = credentials("vpn.example")
    certificate, key = ours.to_pem()
    (tmp_path / "c.pem").write_bytes(certificate)
    (tmp_path / "k.pem").write_bytes(key)
    again = Credentials.load(tmp_path / "c.pem", tmp_path / "k.pem")
    assert again.fingerprint == ours.fingerprint
    assert "private" not in repr(again).lower()


def test_errors_name_the_file(credentials: Callable[[str], Credentials], tmp_path: Path) -> None:
    certificate, key = credentials("vpn.example").to_pem()
    _, other_key = credentials("client.example").to_pem()
    files = {"c": certificate, "k": key, "other": other_key, "junk": b"junk"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for pair, text in (
        (("missing", "k"), "missing: No such file"),
        (("c", "missing"), "missing: No such file"),
        (("junk", "k"), "no PEM certificate"),
        (("c", "junk"), "no unencrypted PEM private key"),
        (("c", "other"), "does not belong"),
    ):
        with pytest.raises(CredentialsError, match=text):
            Credentials.load(tmp_path / pair[0], tmp_path / pair[1])


def pem(
    key: dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey,
    encryption: serialization.KeySerializationEncryption,
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def test_unusable_keys(credentials: Callable[[str], Credentials]) -> None:
    certificate, _ = credentials("vpn.example").to_pem()
    with pytest.raises(CredentialsError, match="ECDSA, Ed25519 or RSA"):
        Credentials.from_pem(
            certificate, pem(dsa.generate_private_key(2048), serialization.NoEncryption())
        )
    locked = pem(
        ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"x")
    )
    with pytest.raises(CredentialsError, match="unencrypted"):
        Credentials.from_pem(certificate, locked)


def evidence(
    credentials: Credentials, now: dt.datetime = MIDNIGHT, name: str | None = "vpn.example"
) -> PeerEvidence:
    return PeerEvidence(credentials.certificate, (), name, now)


def test_pins(credentials: Callable[[str], Credentials]) -> None:
    ours, other = credentials("vpn.example"), credentials("client.example")
    verifier = PinnedFingerprints({ours.fingerprint: "gateway"})
    assert verifier.demands_certificate
    assert verifier.verify(evidence(ours)) == PeerIdentity("gateway", ours.fingerprint)
    with pytest.raises(FingerprintMismatchError, match=other.fingerprint.hex()):
        verifier.verify(evidence(other))


def test_dates(credentials: Callable[[str], Credentials]) -> None:
    ours = credentials("vpn.example")
    verifier = PinnedFingerprints({ours.fingerprint: "gateway"})
    with pytest.raises(ClockError, match=r"valid from 2030-05-31 00:00 UTC.*clock says 2030-05-29"):
        verifier.verify(evidence(ours, MIDNIGHT - 3 * DAY))
    with pytest.raises(CertificateExpiredError, match=r"expired on 2040-05-2\d 00:00 UTC"):
        verifier.verify(evidence(ours, MIDNIGHT + 4000 * DAY))
    # A certificate that is not pinned says so first, whatever its dates.
    with pytest.raises(FingerprintMismatchError):
        PinnedFingerprints({}).verify(evidence(ours, MIDNIGHT + 4000 * DAY))


def test_authorities(credentials: Callable[[str], Credentials]) -> None:
    now = dt.datetime.now(dt.UTC)  # OpenSSL looks at the clock itself
    ours = Credentials.self_signed("vpn.example", not_before=now - DAY)
    trusting = TrustedAuthorities(ours.to_pem()[0])
    assert trusting.verify(evidence(ours, now)).name == "vpn.example"
    with pytest.raises(UntrustedCertificateError, match=r"doesn't match .*pin its fingerprint"):
        trusting.verify(evidence(ours, now, "other.example"))
    with pytest.raises(UntrustedCertificateError, match="self-signed"):
        TrustedAuthorities().verify(evidence(ours, now))
    with pytest.raises(CertificateExpiredError):
        trusting.verify(evidence(ours, now + 4000 * DAY))


def test_anyone(credentials: Callable[[str], Credentials]) -> None:
    ours = credentials("vpn.example")
    assert not AnyPeer().demands_certificate
    assert AnyPeer().verify(evidence(ours)).fingerprint == ours.fingerprint


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "p384", "p256"])
def test_key_types_that_are_taken(kind: str) -> None:
    key: PrivateKey
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
    else:
        key = ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())
    made = Credentials.self_signed("vpn.example", not_before=MIDNIGHT, key=key)
    assert Credentials.from_pem(*made.to_pem()).fingerprint == made.fingerprint

# SPDX-License-Identifier: BSD-3-Clause
"""The temporary certificate: legal DER of the wanted size, with a proof of the right key."""

import datetime as dt
import hashlib
import hmac
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from nexusnet.handshake.credentials import Credentials
from nexusnet.reality.certificate import (
    SIZE_TOLERANCE,
    TemporaryCertificate,
    check_proof,
    proof,
)
from nexusnet.secret import SecretBytes

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
KEY = SecretBytes(bytes(range(32)))
TRANSCRIPT = bytes(32)


def load(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def test_the_proof_is_an_hmac_in_place_of_the_signature() -> None:
    made = TemporaryCertificate.make("site.test", NOW)
    certificate = load(made.prove(KEY, TRANSCRIPT))
    expected = hmac.new(bytes(range(32)), TRANSCRIPT + made.spki, hashlib.sha512).digest()
    assert certificate.signature == expected == proof(KEY, TRANSCRIPT, made.spki)
    assert certificate.signature_algorithm_oid == x509.SignatureAlgorithmOID.ECDSA_WITH_SHA256
    assert check_proof(certificate, KEY, TRANSCRIPT)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["site.test"]
    # The key signs, as CertificateVerify needs it.
    public_key = certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    signature = made.private_key.sign(b"x", ec.ECDSA(hashes.SHA256()))
    public_key.verify(signature, b"x", ec.ECDSA(hashes.SHA256()))


def test_another_key_transcript_or_public_key_proves_nothing() -> None:
    made, other = (TemporaryCertificate.make("site.test", NOW) for _ in range(2))
    certificate = load(made.prove(KEY, TRANSCRIPT))
    assert not check_proof(certificate, SecretBytes(bytes(32)), TRANSCRIPT)
    assert not check_proof(certificate, KEY, bytes(31) + b"\1")
    assert not check_proof(certificate, KEY, bytes(48))
    # A proof cannot be moved to a key that somebody else holds.
    moved = made.prove(KEY, TRANSCRIPT)
    assert made.spki in moved
    assert not check_proof(load(moved.replace(made.spki, other.spki)), KEY, TRANSCRIPT)


def test_ordinary_certificates_prove_nothing() -> None:
    keys: list[ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ]
    for key in keys:
        ordinary = Credentials.self_signed("site.test", not_before=NOW, key=key).certificate
        assert not check_proof(ordinary, KEY, TRANSCRIPT)


def test_the_right_hmac_for_another_kind_of_key_is_refused() -> None:
    """The proof names ECDSA P-256; whatever else a peer can sign with is not this construction."""
    made = TemporaryCertificate.make("site.test", NOW)
    key = ec.generate_private_key(ec.SECP256K1())
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    ordinary = Credentials.self_signed("site.test", not_before=NOW, key=key).certificate

    class Forged:
        signature = proof(KEY, TRANSCRIPT, der)

        @staticmethod
        def public_key() -> ec.EllipticCurvePublicKey:
            found = ordinary.public_key()
            assert isinstance(found, ec.EllipticCurvePublicKey)
            return found

    assert not check_proof(Forged(), KEY, TRANSCRIPT)  # type: ignore[arg-type]  # as much as is read
    assert made.spki != der


@settings(max_examples=60, deadline=None)
@given(size=st.integers(600, 9000), name=st.from_regex(r"[a-z]{1,40}\.test", fullmatch=True))
def test_it_is_filled_up_to_the_wanted_size(size: int, name: str) -> None:
    made = TemporaryCertificate.make(name, NOW, size=size)
    der = made.prove(KEY, TRANSCRIPT)
    assert len(der) == made.size
    assert abs(len(der) - size) <= SIZE_TOLERANCE
    assert check_proof(load(der), KEY, TRANSCRIPT)


@pytest.mark.parametrize("size", [0, 100, 300, 400, 410, 420, 430, 440])
def test_what_is_too_small_stays_as_small_as_it_gets(size: int) -> None:
    smallest = TemporaryCertificate.make("site.test", NOW).size
    assert TemporaryCertificate.make("site.test", NOW, size=size).size <= max(smallest + 30, size)


def test_openssl_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "certificate.der"
    file.write_bytes(TemporaryCertificate.make("site.test", NOW, size=2000).prove(KEY, TRANSCRIPT))
    shown = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", file, "-noout", "-text"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "CN = site.test" in shown
    assert "ecdsa-with-SHA256" in shown
    assert "prime256v1" in shown
    # What fills it up is legal, too: a comment.
    assert "Netscape Comment" in shown
    parsed = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER", "-in", file, "-i"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Error" not in parsed.stdout + parsed.stderr

# SPDX-License-Identifier: BSD-3-Clause
"""Both ends' TLS: the proof, the three outcomes, and what the server's flight looks like."""

import datetime as dt
import hashlib
import hmac

import pytest
from aioquic import tls
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nexusnet.handshake.credentials import Credentials
from nexusnet.handshake.errors import BadCertificateError, NoCommonParametersError, RelayedError
from nexusnet.handshake.profile import utc_now
from nexusnet.handshake.verify import PeerIdentity
from nexusnet.reality.client_tls import Outcome
from nexusnet.reality.credentials import ClientCredentials
from nexusnet.reality.decision import Accept, Reason, Relay
from nexusnet.reality.server_tls import ServerShape
from tests.reality.handshakes import (
    SHORT_ID,
    SITE,
    SUITES,
    Flight,
    answer_hello,
    client_tls,
    decide,
    finish,
    make_decider,
    messages,
    rebuilt,
    send_hello,
    server_tls,
    site,
    site_tls,
)

CERTIFICATE, CERTIFICATE_VERIFY, FINISHED, ENCRYPTED_EXTENSIONS = 11, 15, 20, 8


def accepted(hello: bytes) -> Accept:
    verdict = decide(hello)
    assert isinstance(verdict, Accept)
    return verdict


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("groups", "answered"),
    [((0x001D,), 0x001D), ((0x11EC,), 0x11EC), ((0x11EC, 0x001D), 0x11EC)],
)
def test_genuine_ends_know_each_other(
    suite: tls.CipherSuite, groups: tuple[int, ...], answered: int
) -> None:
    client = client_tls(groups=groups)
    hello = send_hello(client)
    server = server_tls(accepted(hello), ServerShape(suites=(suite,)))
    finish(client, server, answer_hello(server, hello))
    assert client.outcome is Outcome.GENUINE
    assert client.identity == PeerIdentity("gateway", None)
    assert server.identity == PeerIdentity("alice", None, SHORT_ID)
    assert client.failure is None
    assert client.state is tls.State.CLIENT_POST_HANDSHAKE
    assert server.state is tls.State.SERVER_POST_HANDSHAKE
    assert client.server_group == answered
    assert client.key_schedule is not None
    assert client.key_schedule.cipher_suite is suite
    assert client._enc_key == server._dec_key


def test_the_proof_is_what_the_construction_says() -> None:
    """Step by step, with nothing but hashlib and hmac."""
    client = client_tls()
    hello = send_hello(client)
    verdict = accepted(hello)
    server_key = bytes(verdict.server_key.reveal())
    shape = ServerShape(suites=(tls.CipherSuite.AES_256_GCM_SHA384,))
    flight = answer_hello(server_tls(verdict, shape), hello)
    encrypted_extensions, certificate, *_ = messages(flight.handshake)
    transcript = hashlib.sha384(hello + flight.server_hello + encrypted_extensions[1]).digest()
    length = int.from_bytes(certificate[1][8:11], "big")
    shown = x509.load_der_x509_certificate(certificate[1][11 : 11 + length])
    spki = shown.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert shown.signature == hmac.new(server_key, transcript + spki, hashlib.sha512).digest()


def test_k_srv_does_not_outlive_its_use() -> None:
    client = client_tls()
    hello = send_hello(client)
    verdict = accepted(hello)
    server = server_tls(verdict)
    finish(client, server, answer_hello(server, hello))
    assert bytes(verdict.server_key.reveal()) == bytes(32)
    assert client._server_key is None
    client.wipe()
    server.wipe()


def test_no_psk_is_offered_and_no_ticket_given() -> None:
    client = client_tls()
    hello = send_hello(client)
    server = server_tls(accepted(hello))
    flight = answer_hello(server, hello)
    kinds = [kind for kind, _ in messages(flight.handshake)]
    # No CertificateRequest, and nothing behind Finished.
    assert kinds == [ENCRYPTED_EXTENSIONS, CERTIFICATE, CERTIFICATE_VERIFY, FINISHED]
    finish(client, server, flight)
    assert server._new_session_ticket is None
    assert not server.session_resumed


def test_another_hello_than_the_accepted_one_authenticates_nobody() -> None:
    """CRYPTO frames may overlap: what TLS reads may differ from what was decided about."""
    verdict = accepted(send_hello(client_tls()))
    with pytest.raises(tls.AlertIllegalParameter, match="another ClientHello"):
        answer_hello(server_tls(verdict), send_hello(client_tls()))


@pytest.mark.parametrize("size", [800, 1500, 2600, 4200, 9000])
@pytest.mark.parametrize("suite", SUITES[:2])
def test_the_flight_has_the_wanted_size(size: int, suite: tls.CipherSuite) -> None:
    for _ in range(4):
        hello = send_hello(client_tls())
        shape = ServerShape(suites=(suite,), flight_size=size)
        flight = answer_hello(server_tls(accepted(hello), shape), hello)
        # An ECDSA signature varies by two bytes, as the target's does.
        assert abs(len(flight.handshake) - size) <= 6


@pytest.mark.parametrize("key_share_first", [True, False])
def test_the_server_hello_has_the_wanted_order(key_share_first: bool) -> None:  # noqa: FBT001
    hello = send_hello(client_tls())
    shape = ServerShape(key_share_first=key_share_first)
    flight = answer_hello(server_tls(accepted(hello), shape), hello)
    extensions = flight.server_hello[4 + 2 + 32 + 1 + 2 + 1 + 2 :]
    order = []
    while extensions:
        order.append(int.from_bytes(extensions[:2], "big"))
        extensions = extensions[4 + int.from_bytes(extensions[2:4], "big") :]
    assert order == ([51, 43] if key_share_first else [43, 51])


def test_a_shape_that_the_client_does_not_fit_is_an_error_of_ours() -> None:
    hello = send_hello(client_tls())
    for shape in (ServerShape(suites=(0x1304,)), ServerShape(groups=(0x11EC,))):
        server = server_tls(accepted(hello), shape)
        with pytest.raises(tls.AlertHandshakeFailure):
            answer_hello(server, hello)
        assert isinstance(server.failure, NoCommonParametersError)


# The client's three outcomes


def test_relayed_to_the_real_site() -> None:
    """A wrong key: the site answers with its own certificate, and the handshake goes on."""
    wrong = ClientCredentials(X25519PrivateKey.generate().public_key(), SHORT_ID)
    client = client_tls(wrong)
    hello = send_hello(client)
    assert decide(hello) == Relay(Reason.BAD_TAG)
    server = site_tls()
    finish(client, server, answer_hello(server, hello))
    assert client.outcome is Outcome.RELAYED
    assert isinstance(client.failure, RelayedError)
    assert client.identity is None
    assert client.state is tls.State.CLIENT_POST_HANDSHAKE
    assert SITE in str(client.failure)


def refused(client: tls.Context, server: tls.Context, flight: Flight) -> None:
    with pytest.raises(tls.AlertBadCertificate):
        finish(client, server, flight)


@pytest.mark.parametrize("case", ["unknown authority", "another name", "expired"])
def test_an_impostor(case: str) -> None:
    now = utc_now()
    shown = {
        "unknown authority": Credentials.self_signed(SITE, not_before=now - dt.timedelta(days=1)),
        "another name": Credentials.self_signed(
            "other.test", not_before=now - dt.timedelta(days=1)
        ),
        "expired": Credentials.self_signed(
            SITE, not_before=now - dt.timedelta(days=9), lifetime=dt.timedelta(days=1)
        ),
    }[case]
    trusted = site() if case == "unknown authority" else shown
    client = client_tls(authority=trusted.to_pem()[0])
    server = site_tls(shown)
    refused(client, server, answer_hello(server, send_hello(client)))
    assert client.outcome is Outcome.BAD_CERTIFICATE
    assert isinstance(client.failure, BadCertificateError)
    assert client.identity is None


def test_the_proof_of_another_hello_is_an_impostors() -> None:
    """Who replays a hello to a genuine server elsewhere, or guesses K_srv, has the wrong HMAC."""
    client = client_tls()
    hello = send_hello(client)
    verdict = accepted(hello)
    verdict.server_key.wipe()
    server = server_tls(verdict)
    refused(client, server, answer_hello(server, hello))
    assert client.outcome is Outcome.BAD_CERTIFICATE


def test_certificate_verify_comes_first() -> None:
    """A right HMAC without the certificate's private key is worth nothing."""
    client = client_tls()
    hello = send_hello(client)
    server = server_tls(accepted(hello))
    flight = answer_hello(server, hello)
    parts = messages(flight.handshake)
    index = next(i for i, (kind, _) in enumerate(parts) if kind == CERTIFICATE_VERIFY)
    other = ec.generate_private_key(ec.SECP256R1())
    signature = other.sign(b"x", *tls.signature_algorithm_params(0x0403))
    body = b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
    parts[index] = (CERTIFICATE_VERIFY, rebuilt(CERTIFICATE_VERIFY, body))
    forged = Flight(flight.server_hello, b"".join(part for _, part in parts))
    with pytest.raises(tls.AlertDecryptError):
        finish(client, server, forged)
    assert client.outcome is None
    assert client.identity is None


def test_a_replayed_hello_is_relayed() -> None:
    decider = make_decider()
    hello = send_hello(client_tls())
    assert isinstance(decide(hello, decider), Accept)
    assert decide(hello, decider) == Relay(Reason.SEEN)


def test_a_clock_that_is_off_is_relayed() -> None:
    client = client_tls(clock=lambda: utc_now() - dt.timedelta(seconds=200))
    hello = send_hello(client)
    assert decide(hello) == Relay(Reason.CLOCK)
    server = site_tls()
    finish(client, server, answer_hello(server, hello))
    assert client.outcome is Outcome.RELAYED
    assert "clock" in str(client.failure)

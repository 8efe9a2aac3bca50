# SPDX-License-Identifier: BSD-3-Clause

import gc
import json
import logging
import subprocess
import sys

import pytest
from aioquic.tls import CipherSuite, Epoch

from nexusnet.handshake.derivation import KeySchedule
from nexusnet.netlink.generated import CipherSuite as AbiSuite
from nexusnet.quic.keys import derive_header_key, derive_packet_keys
from tests.handshake.continuation import SUITES
from tests.handshake.meeting import ALL_SUITES, REF, Meeting
from tests.handshake.setting import PlainPeer, Setting


def reachable_bytes(*roots: object) -> list[bytes]:
    """All bytes and bytearrays that can be reached from some objects."""
    found = []
    known = {id(root): root for root in roots}
    todo = list(roots)
    while todo:
        for thing in gc.get_referents(todo.pop()):
            # Modules and classes lead to the whole interpreter, frames to this test.
            if (
                id(thing) in known
                or isinstance(thing, type)
                or type(thing).__name__
                in {
                    "module",
                    "frame",
                    "function",
                    "builtin_function_or_method",
                }
            ):
                continue
            known[id(thing)] = thing
            todo.append(thing)
            if isinstance(thing, bytes | bytearray):
                found.append(bytes(thing))
    return found


def secrets_of(peer: PlainPeer) -> set[bytes]:
    """What a plain peer knows of the connection's 1-RTT secrets and keys, by the model."""
    pair = peer.quic._cryptos[Epoch.ONE_RTT]
    assert pair.send.cipher_suite is not None
    model = SUITES[AbiSuite(int(pair.send.cipher_suite))]
    secrets: set[bytes] = set()
    for secret in (pair.send.secret, pair.recv.secret):
        assert secret is not None
        keys = derive_packet_keys(model, secret)
        secrets |= {secret, keys.key, keys.iv, derive_header_key(model, secret)}
    return secrets


def test_the_engine_keeps_no_secret(setting: Setting, role: str) -> None:
    meeting = Meeting(setting, role).ready()
    secrets = secrets_of(meeting.peer)
    connection = meeting.engine._connection
    assert connection is not None
    # After a key update the secrets in use are no longer the ones that TLS gave out.
    for number in range(2):
        meeting.peer.quic.request_key_update()
        meeting.peer.quic.send_ping(number)
        meeting.flush()
        meeting.ready()
        secrets |= secrets_of(meeting.peer)
    # The search is able to find them.
    before = reachable_bytes(meeting.engine)
    pair = connection._one_rtt
    originals = [pair.send.secret, pair.recv.secret, pair.previous_rx_secret]
    assert secrets & set(before) >= {bytes(original) for original in originals if original}
    # From this one all traffic secrets could be derived again.
    assert connection.tls.key_schedule is not None
    originals += [connection.tls.key_schedule.secret, connection.tls._enc_key]
    exported = meeting.engine.export()
    # Not in the engine, not in aioquic's connection, and not where aioquic had them either.
    gc.collect()
    left = reachable_bytes(meeting.engine, connection)
    assert not any(secret in one for secret in secrets for one in left)
    assert all(original is not None and not any(original) for original in originals)
    exported.wipe()
    left = reachable_bytes(exported)
    assert not any(secret in one for secret in secrets for one in left)


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_no_secret_is_shown_or_logged(
    setting: Setting, suite: CipherSuite, caplog: pytest.LogCaptureFixture
) -> None:
    # By name, too: who ran before may have silenced them.
    for name in (None, "quic", "nexusnet"):
        caplog.set_level(logging.DEBUG, logger=name)
    meeting = Meeting(setting, "server", suite=suite).ready()
    secrets = secrets_of(meeting.peer)
    exported = meeting.engine.export()
    keys, schedule = KeySchedule.begin(exported.keys)
    activation = exported.activation(REF, generation=1, now=2000.0, keys=keys)
    tokens = {bytes(token.token.reveal()) for token in exported.reset_tokens}
    shown = [repr(one) for one in (exported, activation, keys, schedule, meeting.engine, setting)]
    shown += [str(one) for one in (exported, activation, keys)]
    assert caplog.records, "aioquic does log"
    shown += [record.getMessage() for record in caplog.records]
    for text in shown:
        for secret in secrets | tokens:
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text


def test_no_secret_is_left_in_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.handshake.memory_scan"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(done.stdout)
    assert all(found["before"].values()), "the search finds them while they are in use"
    # AEAD keys are released to OpenSSL and the allocator, which is not ours to promise.
    assert {name: found["after"][name] for name in found["after"] if name != "tx_key"} == {
        "tx_secret": 0,
        "rx_secret": 0,
        "master_secret": 0,
    }

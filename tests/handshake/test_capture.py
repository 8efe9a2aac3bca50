# SPDX-License-Identifier: BSD-3-Clause
"""tshark's view of a connection from its first packet to well after the handover."""

import io
from pathlib import Path

import pytest
from aioquic.tls import CipherSuite

from nexusnet.quic.frames import DatagramFrame
from tests.handshake.meeting import ALL_SUITES, Meeting
from tests.handshake.setting import Setting
from tests.handshake.wire import CLIENT
from tests.support.quic_capture import Capture
from tests.support.tshark import dissect

PING, PADDING, ACK, DATAGRAM, HANDSHAKE_DONE = "1", "0", "2", "49", "30"


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_tshark_decodes_all_of_it(
    setting: Setting, role: str, suite: CipherSuite, tmp_path: Path
) -> None:
    log = io.StringIO()
    logging = setting.with_client(key_log=log).with_server(key_log=log)
    meeting = Meeting(logging, role, suite=suite).ready()
    probed = len(meeting.wire.log)
    continuation = meeting.go_on()
    for number in range(3):
        continuation.send([DatagramFrame(b"to the peer %d" % number)])
        meeting.peer.quic.send_datagram_frame(b"from the peer %d" % number)
    meeting.flush()

    capture = Capture()
    capture.key_log = sorted(set(log.getvalue().splitlines()))
    for transmit in meeting.wire.log:
        capture._datagram(CLIENT[1], transmit.data, to_server=transmit.local == CLIENT)
    packets = dissect(*capture.write(tmp_path), "frame.protocols", "udp.length")
    assert len(packets) == len(meeting.wire.log)
    ours = meeting.address == CLIENT
    for number, packet in packets.items():
        assert "quic" in packet.one("frame.protocols")
        assert packet.all("_ws.malformed") == []
        assert packet.all("quic.decryption_failed") == []
        assert packet.warnings() == []
        assert packet.all("quic.frame_type"), f"packet {number} was not decrypted"
        assert set(packet.all("quic.version")) <= {"0x00000001"}
    frames = {number: packet.all("quic.frame_type") for number, packet in packets.items()}
    assert any(HANDSHAKE_DONE in types for types in frames.values())
    # The probes: one packet of PING and PADDING each, of exactly these sizes (and 8 of UDP header).
    mine = [
        number
        for number in range(1, probed + 1)
        if (meeting.wire.log[number - 1].local == CLIENT) == ours
    ]
    probes = [n for n in mine if frames[n] == [PING, PADDING]]
    assert [int(packets[n].one("udp.length")) - 8 for n in probes] == [1311, 1352, 1452]
    # After the handover DATAGRAM and ACK frames go both ways.
    later = [types for number, types in frames.items() if number > probed]
    assert sum(types.count(DATAGRAM) for types in later) == 6
    assert any(ACK in types for types in later)

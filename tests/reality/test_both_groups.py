# SPDX-License-Identifier: BSD-3-Clause
"""Genuine clients over real sockets, whichever of the two key shares the target answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nexusnet.reality.client_hello import parse_client_hello
from nexusnet.reality.crypto_stream import FirstMessage
from nexusnet.reality.initial import open_initial
from nexusnet.reality.key_exchange import Group
from nexusnet.reality.long_header import PacketType, parse_long_header, split_datagram
from tests.handshake.test_endpoint import within
from tests.reality.port import SITE_NAME
from tests.reality.serving import message_of, serving

if TYPE_CHECKING:
    from nexusnet.handshake.credentials import Credentials

SERVER_HELLO = 2
KEY_SHARE = 51


def group_of(server_hello: bytes) -> int:
    """Read the group of a ServerHello by hand."""
    at = 4 + 2 + 32
    at += 1 + server_hello[at] + 2 + 1 + 2
    while at < len(server_hello):
        kind, length = (
            int.from_bytes(server_hello[start : start + 2], "big") for start in (at, at + 2)
        )
        if kind == KEY_SHARE:
            return int.from_bytes(server_hello[at + 4 : at + 6], "big")
        at += 4 + length
    raise AssertionError("no key share")


def server_hello_of(dcid: bytes, datagrams: list[bytes]) -> bytes:
    message = FirstMessage(SERVER_HELLO)
    for data in datagrams:
        for packet in split_datagram(data):
            if packet.packet_type is PacketType.INITIAL:
                payload = open_initial(dcid, data, packet, from_client=False)
                for fragment in payload.fragments if payload else ():
                    message.add(fragment)
    return message.message


@pytest.mark.parametrize("group", list(Group))
def test_either_key_share_leads_to_a_tunnel(site: Credentials, group: Group) -> None:
    async def scenario() -> None:
        async with serving(site) as scene:
            template = replace(scene.template, group=group)
            scene.server.follow(template)
            scene.decider.profile = template.profile(frozenset({SITE_NAME}))
            for _ in range(2):
                sent, seen = len(scene.front.forth), len(scene.front.back)
                client = await scene.connect()
                accepted = await scene.server.accept()
                ours, theirs = await client.export(), await accepted.export()
                assert ours.keys.tx == theirs.keys.rx
                assert ours.keys.rx == theirs.keys.tx
                hello = scene.front.forth[sent : sent + 2]
                shares = parse_client_hello(message_of(hello)).key_shares
                assert [share.group for share in shares] == [Group.X25519MLKEM768, Group.X25519]
                header = parse_long_header(hello[0])
                assert header is not None
                answer = server_hello_of(header.dcid, scene.front.back[seen:])
                assert group_of(answer) == group
                accepted.release()
                scene.server.ended(accepted.engine)
                client.close()

    within(scenario())

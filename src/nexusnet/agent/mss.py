# SPDX-License-Identifier: BSD-3-Clause
"""TCP's maximum segment size of forwarded connections, lowered to what a route carries.

By nf_tables; what `nft` would say:

    table inet NAME {
        chain forward {
            type filter hook forward priority mangle; policy accept;
            oifname "DEVICE" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
        }
    }

Each end does so for what leaves into its tunnel: SYN and SYN-ACK, so both directions are covered.
"""

import contextlib
from typing import Any, Final

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.nftables.expressions import genex
from pyroute2.nftables.main import AsyncNFTables

INET: Final = 1
"""Both IPv4 and IPv6 (NFPROTO_INET)."""

CHAIN: Final = "forward"
PRIORITY_MANGLE: Final = -150
ACCEPT: Final = 1
REGISTER: Final = 1
TRANSPORT_HEADER: Final = 2
TCP: Final = 6
TCP_FLAGS_OFFSET: Final = 13
SYN: Final = 0x02
SYN_AND_RST: Final = 0x06
TCPOPT_MSS: Final = 2
IFNAMSIZ: Final = 16
TO_NETWORK_ORDER: Final = 1


def _value(data: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", data)]}


def _equals(data: bytes) -> Any:
    return genex("cmp", {"sreg": REGISTER, "op": 0, "data": _value(data)})


def rule(interface: str) -> tuple[Any, ...]:
    """Return the expressions of the rule for a device."""
    name = interface.encode().ljust(IFNAMSIZ, b"\0")
    return (
        genex("meta", {"key": 7, "dreg": REGISTER}),  # NFT_META_OIFNAME
        _equals(name),
        genex("meta", {"key": 16, "dreg": REGISTER}),  # NFT_META_L4PROTO
        _equals(bytes((TCP,))),
        genex(
            "payload",
            {"dreg": REGISTER, "base": TRANSPORT_HEADER, "offset": TCP_FLAGS_OFFSET, "len": 1},
        ),
        genex(
            "bitwise",
            {
                "sreg": REGISTER,
                "dreg": REGISTER,
                "len": 1,
                "mask": _value(bytes((SYN_AND_RST,))),
                "xor": _value(b"\0"),
            },
        ),
        _equals(bytes((SYN,))),
        genex("rt", {"dreg": REGISTER, "key": 3}),  # NFT_RT_TCPMSS
        genex(
            "byteorder",
            {"sreg": REGISTER, "dreg": REGISTER, "op": TO_NETWORK_ORDER, "len": 2, "size": 2},
        ),
        genex(
            "exthdr",
            {"type": TCPOPT_MSS, "offset": 2, "len": 2, "op": 1, "sreg": REGISTER},  # TCPOPT
        ),
    )


async def clamp_mss(table: str, interface: str) -> None:
    """Make the table; one of that name is replaced.

    Raises:
        NetlinkError: the kernel refused, or has no nf_tables.
        OSError: no netlink socket can be had.
    """
    with contextlib.suppress(NetlinkError):
        await remove_table(table)
    async with AsyncNFTables(nfgen_family=INET) as nft:
        await nft.table("add", name=table)
        await nft.chain(
            "add",
            table=table,
            name=CHAIN,
            hook="forward",
            type="filter",
            priority=PRIORITY_MANGLE,
            policy=ACCEPT,
        )
        await nft.rule("add", table=table, chain=CHAIN, expressions=(rule(interface),))


async def remove_table(table: str) -> None:
    """Take the table away.

    Raises:
        NetlinkError: there is none.
    """
    async with AsyncNFTables(nfgen_family=INET) as nft:
        await nft.table("del", name=table)

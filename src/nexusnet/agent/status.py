# SPDX-License-Identifier: BSD-3-Clause
"""What an agent says about itself: the JSON of `nexus status --json`, version 1.

Fields are only ever added; `docs/status.schema.json` describes them. Times are in seconds, sizes in
bytes.
"""

import contextlib
import datetime as dt
import time
from typing import Any, Final

from nexusnet import __version__
from nexusnet.agent.config import Config
from nexusnet.agent.network import NetworkState
from nexusnet.agent.peers import Peer
from nexusnet.agent.plane import PlaneHost
from nexusnet.agent.tunnel import Tunnel
from nexusnet.dataplane.protocol import DataPlaneError
from nexusnet.netlink.generated import L3Stats, QuicStats, StatsAttributes
from nexusnet.session import Device, Endpoint

SCHEMA: Final = 1
"""Version of the status object."""


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {"address": str(endpoint.address), "port": endpoint.port}


def _drops(stats: StatsAttributes) -> dict[str, int]:
    return {count.reason.name.lower(): count.packets for count in stats.drop}


def _traffic(stats: L3Stats | QuicStats) -> dict[str, int]:
    return {
        "received_packets": stats.rx_packets,
        "received_bytes": stats.rx_bytes,
        "sent_packets": stats.tx_packets,
        "sent_bytes": stats.tx_bytes,
    }


def _session_counters(stats: StatsAttributes) -> dict[str, Any]:
    counters: dict[str, Any] = {"drops": _drops(stats)}
    if stats.l3 is not None:
        counters["inner"] = _traffic(stats.l3)
    if stats.quic is not None:
        counters["quic"] = _traffic(stats.quic) | {
            "sent_ack_only": stats.quic.tx_ack_only_packets,
            "sent_probes": stats.quic.tx_probe_packets,
            "pacing_delays": stats.quic.pacing_delays,
        }
    if stats.frame is not None:
        counters["frames"] = {
            "received_datagram": stats.frame.rx_datagram,
            "sent_datagram": stats.frame.tx_datagram,
            "lost_datagram": stats.frame.lost_datagram,
            "received_ack": stats.frame.rx_ack,
            "sent_ack": stats.frame.tx_ack,
        }
    if stats.key is not None:
        counters["keys"] = {
            "updates_by_us": stats.key.updates_local,
            "updates_by_peer": stats.key.updates_peer,
            "failed_updates": stats.key.update_failures,
            "sealed": stats.key.tx_sealed,
            "seal_limit": stats.key.tx_limit,
            "failed_opens": stats.key.rx_failed,
            "failed_open_limit": stats.key.rx_limit,
        }
    if stats.offload is not None:
        counters["offload"] = {
            "sent_batches": stats.offload.gso_packets,
            "sent_in_batches": stats.offload.gso_segments,
        }
    if stats.recovery is not None:
        counters["recovery"] = {
            "congestion_window": stats.recovery.congestion_window,
            "bytes_in_flight": stats.recovery.bytes_in_flight,
            "pacing_rate": stats.recovery.pacing_rate,
            "packets_lost": stats.recovery.packets_lost,
            "probe_timeouts": stats.recovery.pto_count,
            "spurious_losses": stats.recovery.spurious_losses,
            "congestion_events": stats.recovery.congestion_events,
            "persistent_congestion": stats.recovery.persistent_congestion,
        }
    return counters


def tunnel_status(tunnel: Tunnel, planes: PlaneHost, now: float) -> dict[str, Any]:
    """Return what is known about a tunnel.

    Args:
        tunnel: of a peer.
        planes: the data plane.
        now: seconds of the event loop's clock.
    """
    status: dict[str, Any] = {
        "session": tunnel.ref.id,
        "state": tunnel.state.value,
        "data_plane": planes.decision.plane.value,
        "up_seconds": None if tunnel.since is None else round(now - tunnel.since, 3),
        "local": _endpoint(tunnel.path.local),
        "remote": _endpoint(tunnel.path.peer),
        "cipher": tunnel.cipher,
        "datagram_size": tunnel.datagram_size,
        "mtu": tunnel.mtu,
        "addresses": [str(address) for address in tunnel.addresses],
        "routes": [str(route) for route in tunnel.routes],
        "key_updates": tunnel.key_updates,
        "rtt_seconds": None,
        "congestion": None,
        "lab_mode": False,
        "counters": {"drops": {}},
    }
    try:
        stats = planes.plane.session_stats(tunnel.ref)
    except DataPlaneError:
        # The session ends at this very moment.
        return status
    if stats.rtt is not None:
        status["rtt_seconds"] = stats.rtt.smoothed_ns / 1e9
    if stats.congestion is not None:
        status["congestion"] = stats.congestion.name.lower()
    status["lab_mode"] = bool(stats.lab_mode)
    status["counters"] = _session_counters(stats)
    return status


def peer_status(peer: Peer, planes: PlaneHost, now: float) -> dict[str, Any]:
    """Return what is known about a peer."""
    return {
        "name": peer.settings.name,
        "state": peer.state.value,
        "endpoint": peer.settings.endpoint,
        "connects": peer.connects,
        "attempts": peer.attempts,
        "retry_in_seconds": None if peer.retry_at is None else round(peer.retry_at - now, 3),
        "last_error": peer.last_error,
        "outcome": None if peer.outcome is None else peer.outcome.value,
        "tunnel": None if peer.tunnel is None else tunnel_status(peer.tunnel, planes, now),
    }


def agent_status(
    *,
    config: Config,
    planes: PlaneHost,
    device: Device,
    network: NetworkState,
    peers: dict[str, Peer],
    started: float,
    now: float,
    listen: tuple[str, int] | None,
    strangers: dict[str, int],
) -> dict[str, Any]:
    """Return what is known about an agent.

    Args:
        config: its configuration.
        planes: its data plane.
        device: its virtual device.
        network: the host's configuration.
        peers: by name.
        started: when it did, in seconds of `time.time()`.
        now: seconds of the event loop's clock.
        listen: where a server waits.
        strangers: datagrams that belonged to nobody, by reason.
    """
    drops: dict[str, int] = {}
    with contextlib.suppress(DataPlaneError):
        drops = _drops(planes.plane.device_stats(device.id))
    return {
        "schema": SCHEMA,
        "version": __version__,
        "network": config.network.name,
        "role": config.network.role.value,
        "handshake_mode": config.handshake.mode.value,
        "started": dt.datetime.fromtimestamp(started, dt.UTC).isoformat(timespec="seconds"),
        "uptime_seconds": round(time.time() - started, 3),
        "data_plane": {
            "kind": planes.decision.plane.value,
            "dco_mode": config.network.dco_mode.value,
            "reason": planes.decision.reason,
        },
        "interface": {
            "name": device.name,
            "mtu": network.current.mtu,
            "addresses": sorted(str(address) for address in network.current.addresses),
            "routes": sorted(
                str(route) for route in network.current.routes | network.current.marked_routes
            ),
            "ipv6_off": network.ipv6_off,
            "drops": drops,
        },
        "listen": None if listen is None else {"address": listen[0], "port": listen[1]},
        "strangers": strangers,
        "peers": [peer_status(peer, planes, now) for peer in peers.values()],
    }

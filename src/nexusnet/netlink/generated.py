# SPDX-License-Identifier: BSD-3-Clause
"""Generated from spec/nexus_quic_dco.yaml and spec/rules.yaml, do not edit.

Change them, then run `make generate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import KEEP, IntFlag
from typing import TYPE_CHECKING, ClassVar, Final

from nexusnet.netlink.wire import Attribute, AttributeSet, Kind, Member, OpenEnum, Struct

if TYPE_CHECKING:
    from nexusnet.secret import SecretBytes

FAMILY_NAME: Final = "nexus_quic_dco"
FAMILY_VERSION: Final = 1
GROUP_STATE: Final = "state"
# The version that this file describes; every message carries one.
ABI_VERSION: Final = 1
# Longest connection ID of QUIC v1 (RFC 9000 section 17.2).
CID_MAX_LEN: Final = 20
# Length of a stateless reset token (RFC 9000 section 10.3).
RESET_TOKEN_LEN: Final = 16
# Longest packet protection or header protection key.
KEY_MAX_LEN: Final = 32
# Length of a packet protection IV (RFC 9001 section 5.3).
IV_LEN: Final = 12
# Longest traffic secret (SHA-384).
SECRET_MAX_LEN: Final = 48
# Room for the name of a crypto driver, with its terminating zero.
DRIVER_NAME_LEN: Final = 120
# Most packet number ranges that an installation carries (the newest ones).
RECEIVED_RANGES_MAX: Final = 32
# Most local connection IDs of a session.
LOCAL_CIDS_MAX: Final = 8
# Most connection IDs that the peer has issued to a session, and most reset tokens.
PEER_CIDS_MAX: Final = 8
# Most source prefixes that one peer may be allowed in one message.
ALLOWED_SOURCES_MAX: Final = 256
# Datagrams that a session in HOLD keeps, and most drained datagrams that an activation carries.
HOLD_QUEUE_LEN: Final = 64
# Unacknowledged payload-bearing events of a session; a packet that would need one more is not
# acknowledged.
EVENT_QUEUE_LEN: Final = 64
# Most bytes of frames in one SEND_FRAMES, or of payload in one SEND_DATAGRAM; fits the smallest
# datagram.
FRAMES_MAX_LEN: Final = 1152
# Longest UDP payload (RFC 9000 section 18.2).
DATAGRAM_MAX_LEN: Final = 65527
# Longest reason phrase of a CONNECTION_CLOSE frame that is sent or reported.
REASON_MAX_LEN: Final = 256
# Largest packet number (RFC 9000 section 12.3).
PN_MAX: Final = 0x3FFFFFFFFFFFFFFF
# Stands for no packet number.
PN_NONE: Final = 0xFFFFFFFFFFFFFFFF
# 2^28 packets a key, for packets up to 2^11 bytes (RFC 9001 section B.1.1).
GCM_CONFIDENTIALITY_LIMIT: Final = 0x10000000
# 2^52 failed authentications a connection (RFC 9001 section 6.6).
GCM_INTEGRITY_LIMIT: Final = 0x10000000000000
# More than there are packet numbers (RFC 9001 section 6.6).
CHACHA20_CONFIDENTIALITY_LIMIT: Final = 0x4000000000000000
# 2^36 failed authentications a connection (RFC 9001 section 6.6).
CHACHA20_INTEGRITY_LIMIT: Final = 0x1000000000
# Keepalive of a session that names none.
KEEPALIVE_DEFAULT_MS: Final = 15000
# Longest drained datagram that an activation carries; it must fit the 16-bit length of a
# netlink nest.
HELD_DATAGRAM_MAX_LEN: Final = 65000
# Smallest limit of a QUIC v1 path (RFC 9000 section 14).
UDP_PAYLOAD_MIN: Final = 1200
# Smallest inner MTU; inner IPv6 needs 1280 (RFC 8200 section 5).
MTU_MIN: Final = 576
# RFC 9000 section 18.2.
ACK_DELAY_EXPONENT_MAX: Final = 20
# RFC 9000 section 18.2 allows less than 2^14 milliseconds.
MAX_ACK_DELAY_MAX_MS: Final = 16383


class CipherSuite(OpenEnum):
    """TLS 1.3 cipher suites, by their TLS code points (RFC 8446 section B.4)."""

    AES_128_GCM_SHA256 = 0x1301
    AES_256_GCM_SHA384 = 0x1302
    CHACHA20_POLY1305_SHA256 = 0x1303


class Congestion(OpenEnum):
    """Congestion control profiles."""

    # Loss based, after RFC 9438; the default.
    CUBIC_LIKE = 0
    # Model based, for high throughput.
    BBR_LIKE = 1
    # A fixed rate with no regard for loss; refused unless the session has the lab-mode flag and
    # a lab-rate.
    FIXED_RATE_TEST = 2


class SessionState(OpenEnum):
    """States of a session."""

    # Its short headers are taken from the socket and queued; nothing is sent.
    HOLD = 0
    # Packets flow.
    ACTIVE = 1
    # CONNECTION_CLOSE was sent (RFC 9000 section 10.2.1); its connection IDs stay reserved.
    CLOSING = 2
    # CONNECTION_CLOSE was received (RFC 9000 section 10.2.2), nothing is sent any more.
    DRAINING = 3


class Role(OpenEnum):
    """Which end of the QUIC connection this is."""

    CLIENT = 0
    SERVER = 1


class DropReason(OpenEnum):
    """Why a packet went no further.

    Every drop has exactly one; the counters of a session and of a device are keyed by it. New
    reasons are appended.
    """

    # Not dropped.
    NONE = 0
    # (RX) no session has this connection ID.
    NO_SESSION = 1
    # (RX) too short for header, packet number sample and tag.
    TRUNCATED = 2
    # (RX) fixed bit is 0 (RFC 9000 section 17.3.1).
    FIXED_BIT = 3
    # (RX, TX) the header protection mask could not be computed.
    HEADER_PROTECTION = 4
    # (RX) the decoded packet number is out of range (RFC 9000 section A.3).
    PACKET_NUMBER = 5
    # (RX) authentication failed.
    AEAD = 6
    # (RX) authenticated, but reserved bits are set (RFC 9000 section 17.3.1); closes the
    # connection.
    RESERVED_BITS = 7
    # (RX) this packet number was received before.
    DUPLICATE = 8
    # (RX) the packet number is below the replay window or the installed duplicate floor.
    TOO_OLD = 9
    # (RX) authenticated with keys that its packet number does not allow (RFC 9001 section 6.4);
    # closes the connection.
    KEY_PHASE = 10
    # (RX) needs keys of a generation that are discarded or not installed.
    KEY_DISCARDED = 11
    # (RX) a frame is malformed or of an unknown type; closes with FRAME_ENCODING_ERROR.
    FRAME_ENCODING = 12
    # (RX) a frame that is not allowed here, or a packet without frames; closes with
    # PROTOCOL_VIOLATION.
    PROTOCOL_VIOLATION = 13
    # (RX) a DATAGRAM frame above our max_datagram_frame_size (RFC 9221 section 3); closes the
    # connection.
    DATAGRAM_TOO_LARGE = 14
    # (RX) a DATAGRAM payload whose context ID is unknown or malformed.
    CONTEXT_UNKNOWN = 15
    # (RX, TX) the inner packet is not valid IPv4 or IPv6.
    INNER_MALFORMED = 16
    # (RX) the inner source address is not among the peer's allowed prefixes.
    SOURCE_PREFIX = 17
    # (TX) no route of the device matches the inner destination.
    NO_ROUTE = 18
    # (RX, TX) the session's route epoch is not the network's.
    ROUTE_EPOCH = 19
    # (TX) the inner packet does not fit one DATAGRAM frame; Packet Too Big was sent where
    # feasible.
    MTU = 20
    # (TX) dropped from the session's queue by CoDel.
    CONGESTION = 21
    # (TX) the session's queue or the device-wide limit is full.
    QUEUE_FULL = 22
    # (RX) the session is in HOLD and its queue is full.
    HOLD_QUEUE_FULL = 23
    # (RX) a payload for the owner found the event queue full; the packet is not acknowledged.
    EVENT_QUEUE_FULL = 24
    # (RX) authenticated, but from another endpoint while migration is off.
    TUPLE_MISMATCH = 25
    # (RX, TX) the session is closing, draining or not yet active.
    STATE = 26
    # (RX, TX) a usage limit of the keys is reached (RFC 9001 section 6.6).
    AEAD_LIMIT = 27
    # (RX) the datagram was a stateless reset (RFC 9000 section 10.3).
    STATELESS_RESET = 28
    # (RX, TX) an allocation failed.
    NO_MEMORY = 29
    # (TX) the UDP or IP layer refused the packet, or there is no route to the peer.
    UDP_SEND = 30
    # (TX) encryption failed.
    AEAD_SEAL = 31


class DscpPolicy(OpenEnum):
    """Outer DSCP of the packets of a device or session."""

    # The value of the dscp attribute, 0 unless given; the inner DSCP stays hidden.
    FIXED = 0
    # Copied from the inner packet.
    INHERIT = 1


class EcnPolicy(OpenEnum):
    """Outer ECN."""

    # Sent as Not-ECT; an incoming CE is not passed on.
    DISABLED = 0
    # ECT(0) outside while the path passes validation (RFC 9000 section 13.4); the inner field
    # follows RFC 6040.
    ENABLED = 1


class EcnState(OpenEnum):
    """Validation of ECN on the path (RFC 9000 section 13.4.2)."""

    TESTING = 0
    UNKNOWN = 1
    CAPABLE = 2
    FAILED = 3


class CloseMode(OpenEnum):
    """What the peer is told when a session is deleted."""

    # Nothing.
    SILENT = 0
    # CONNECTION_CLOSE; the connection IDs stay reserved for 3 PTO in state CLOSING.
    SEND = 1


class DownReason(OpenEnum):
    """Why a session is not active any more."""

    # DELETE_SESSION.
    DELETED = 0
    # The peer sent CONNECTION_CLOSE.
    PEER_CLOSED = 1
    # The peer broke a rule in an authenticated packet; closed with that error code.
    PROTOCOL_ERROR = 2
    # RFC 9000 section 10.1.
    IDLE_TIMEOUT = 3
    # Probe timeouts without an answer.
    DEAD_PEER = 4
    # RFC 9000 section 10.3.
    STATELESS_RESET = 5
    # A usage limit of the keys was reached and no key update was possible.
    AEAD_LIMIT = 6
    # The last descriptor of its socket was closed and the device is not persistent.
    SOCKET_CLOSED = 7
    # Its owner closed the control socket while the session was in HOLD.
    OWNER_GONE = 8
    # Its device was deleted.
    DEVICE_DELETED = 9
    # Its network namespace is going away.
    NETNS_EXIT = 10
    # See the message attribute.
    INTERNAL_ERROR = 11


class KeyUpdateCause(OpenEnum):
    """Why new keys are wanted, or who changed the phase."""

    # Half of the confidentiality limit is used (RFC 9001 section 6.6).
    CONFIDENTIALITY_LIMIT = 0
    # Half of the integrity limit is used.
    INTEGRITY_LIMIT = 1
    # The phase changed and the keys after it are not installed (v1 key installation).
    NEXT_KEYS_MISSING = 2
    # KEY_UPDATE asked for it.
    LOCAL = 3
    # The peer changed the phase.
    PEER = 4


class CongestionPhase(OpenEnum):
    """What the congestion controller is doing (RFC 9002 section 7.3)."""

    SLOW_START = 0
    RECOVERY = 1
    CONGESTION_AVOIDANCE = 2
    PERSISTENT_CONGESTION = 3
    APPLICATION_LIMITED = 4


class Feature(IntFlag, boundary=KEEP):
    """What a kernel offers beyond the commands of this version."""

    # Traffic secrets of every suite that is offered may be installed; the kernel derives keys
    # and updates them itself (v2 key installation).
    INSTALL_SECRETS = 0x1
    # Sessions whose local connection ID is empty.
    ZERO_LENGTH_CID = 0x2
    # Persistent devices and ADOPT_DEVICE.
    PERSIST = 0x4
    # SEND_FRAMES and its events.
    SEND_FRAMES = 0x8
    # Reset tokens are compared.
    STATELESS_RESET = 0x10
    # Outer ECN.
    ECN = 0x20
    # The peer may change its endpoint.
    MIGRATION = 0x40
    # The kernel searches for a larger datagram size.
    PMTU_SEARCH = 0x80
    # Outer packets leave as UDP GSO super-packets.
    GSO = 0x100
    # Inner segments are coalesced.
    GRO = 0x200
    # fixed-rate-test may be used.
    LAB_MODE = 0x400
    # The key limits may be lowered.
    AEAD_LIMITS = 0x800
    # SET_DEBUG.
    DEBUG = 0x1000


class DeviceFlag(IntFlag, boundary=KEEP):
    """Flags of a device."""

    # Sessions outlive their owner and the descriptors of their socket; a new owner adopts them.
    PERSIST = 0x1


class SessionFlag(IntFlag, boundary=KEEP):
    """Flags of a session."""

    # The peer is READY, IP packets (context 0) may be sent.
    SEND_DATA = 0x1
    # Allows fixed-rate-test; shown as a label in every dump and counter.
    LAB_MODE = 0x2
    # The peer may change its endpoint after path validation (RFC 9000 section 9).
    MIGRATION = 0x4
    # Search for a larger datagram size.
    PMTU_SEARCH = 0x8


class FramesFlag(IntFlag, boundary=KEEP):
    """Flags of SEND_FRAMES and SEND_DATAGRAM."""

    # Do not send again after a loss.
    ONCE = 0x1


class DebugFlag(IntFlag, boundary=KEEP):
    """What SET_DEBUG logs, rate limited; never keys, connection IDs or payloads."""

    # Commands about the device that reach the module, accepted or refused and why.
    CONTROL = 0x1
    # Dropped packets with their reason.
    DROPS = 0x2
    # Changes of the key phase.
    KEYS = 0x4
    # Losses, probes and congestion.
    RECOVERY = 0x8


class Command(OpenEnum):
    """What user space asks for."""

    # Capabilities of this kernel; answered whatever abi-version the request names.
    GET_CAPS = 1
    # Create a virtual device; the caller becomes its owner.
    CREATE_DEVICE = 2
    # Change epoch, MTU, flags, mark, DSCP or ECN policy of a device.
    UPDATE_DEVICE = 3
    # Delete a device with its sessions (closed silently) and routes.
    DELETE_DEVICE = 4
    # Show a device, or all of the namespace.
    GET_DEVICE = 5
    # Become the owner of a device that has none (any more); unacknowledged events are sent
    # again.
    ADOPT_DEVICE = 6
    # Install a session in HOLD: its short headers are queued, nothing is sent.
    ADD_SESSION = 7
    # Give a session in HOLD its keys, its transport state and the datagrams that were drained,
    # and let it run.
    ACTIVATE_SESSION = 8
    # Change a session; only what is given changes, lists are replaced as a whole.
    UPDATE_SESSION = 9
    # End a session; nothing is decrypted once it has returned.
    DELETE_SESSION = 10
    # Show a session, or all of a device or of the namespace; never its secrets.
    GET_SESSION = 11
    # Install the keys of the generation after the current one (v1); -EINVAL where secrets were
    # installed. Write-only.
    SET_KEYS = 12
    # Change the key phase now (RFC 9001 section 6.1).
    KEY_UPDATE = 13
    # Add a route; NLM_F_REPLACE lets it take the place of one of the same prefix.
    ADD_ROUTE = 14
    # Delete a route.
    DELETE_ROUTE = 15
    # Show a route, or all of a device or of the namespace.
    GET_ROUTE = 16
    # Send encoded frames in a packet; sent again after a loss until acknowledged, unless
    # flagged once.
    SEND_FRAMES = 17
    # Send a DATAGRAM frame with a context ID other than 0.
    SEND_DATAGRAM = 18
    # Release the events of a session up to event.id from its queue.
    EVENT_ACK = 19
    # Counters of a session, of a device, or of all sessions of a device.
    GET_STATS = 20
    # Set the counters of a session or of a device to zero.
    FLUSH_STATS = 21
    # Choose what a device logs.
    SET_DEBUG = 22


class Event(OpenEnum):
    """What the kernel says unasked."""

    # A session became active.
    SESSION_UP = 64
    # A session is no longer in HOLD or ACTIVE; session.state says what it is now.
    SESSION_DOWN = 65
    # Half of a key limit is used, or the next keys are missing.
    KEY_UPDATE_NEEDED = 66
    # The key phase changed.
    KEY_UPDATE_DONE = 67
    # The datagram size of the path changed.
    PATH_MTU_CHANGED = 68
    # Packets were dropped because the epochs of session and network differ; rate limited.
    ROUTE_EPOCH_MISMATCH = 69
    # Packets were dropped as replayed or duplicate; rate limited, with the counts since the
    # last one.
    REPLAY_OR_DUPLICATE_DROP = 70
    # The congestion controller entered another phase; rate limited.
    CONGESTION_STATE = 71
    # A device or session cannot go on.
    FATAL_ERROR = 72
    # An authenticated packet came from another endpoint; with migration off it was dropped.
    # Rate limited.
    PEER_TUPLE_CHANGED = 73
    # A device was deleted or is going away with its namespace.
    DEVICE_DOWN = 74
    # CRYPTO, NEW_TOKEN, NEW_CONNECTION_ID, RETIRE_CONNECTION_ID or STREAM frames for the owner;
    # unicast, to be acknowledged by EVENT_ACK.
    FRAMES_RECEIVED = 96
    # A DATAGRAM payload of a context other than 0; unicast, to be acknowledged by EVENT_ACK.
    DATAGRAM_RECEIVED = 97
    # The peer acknowledged the packet that carried frames of the owner; unicast, to be
    # acknowledged by EVENT_ACK.
    FRAMES_ACKED = 98
    # A packet that carried frames of the owner was declared lost; unicast, to be acknowledged
    # by EVENT_ACK.
    FRAMES_LOST = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpTuple(Struct):
    """A UDP four-tuple.

    IPv4 addresses (mapped ones too) take the first four bytes, the rest is zero.
    """

    NAME: ClassVar = "nqd-udp-tuple"
    SIZE: ClassVar = 48
    MEMBERS: ClassVar = (
        Member("family", Kind.INT, 2),
        Member("local_port", Kind.INT, 2, big_endian=True),
        Member("peer_port", Kind.INT, 2, big_endian=True),
        Member(None, Kind.INT, 2),
        Member("local", Kind.BYTES, 16),
        Member("peer", Kind.BYTES, 16),
        Member("scope_id", Kind.INT, 4),
        Member(None, Kind.INT, 4),
    )

    # AF_INET (2) or AF_INET6 (10).
    family: int
    local_port: int
    peer_port: int
    # All zero: whatever the routing chooses.
    local: bytes
    peer: bytes
    # Interface index of link-local addresses, else 0.
    scope_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix(Struct):
    """An IP prefix; bits beyond its length are zero."""

    NAME: ClassVar = "nqd-prefix"
    SIZE: ClassVar = 24
    MEMBERS: ClassVar = (
        Member("family", Kind.INT, 2),
        Member("prefix_len", Kind.INT, 1),
        Member(None, Kind.BYTES, 5),
        Member("address", Kind.BYTES, 16),
    )

    # AF_INET (2) or AF_INET6 (10).
    family: int
    # 0-32 or 0-128.
    prefix_len: int
    # IPv4 takes the first four bytes, the rest is zero.
    address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cid(Struct):
    """A connection ID with its sequence number (RFC 9000 section 5.1.1)."""

    NAME: ClassVar = "nqd-cid"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("sequence", Kind.INT, 8),
        Member("len", Kind.INT, 1),
        Member(None, Kind.BYTES, 3),
        Member("id", Kind.BYTES, 20),
    )

    sequence: int
    # 0-20.
    len: int
    # Zero beyond len.
    id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetToken(Struct):
    """Stateless reset token that the peer gave with one of its connection IDs."""

    NAME: ClassVar = "nqd-reset-token"
    SIZE: ClassVar = 24
    MEMBERS: ClassVar = (
        Member("sequence", Kind.INT, 8),
        Member("token", Kind.SECRET, 16),
    )

    # Sequence number of that connection ID.
    sequence: int
    # Secret.
    token: SecretBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportParams(Struct):
    """Transport parameters of one end that matter after the handshake.

    Defaults are filled in (RFC 9000 section 18.2, RFC 9221 section 3).
    """

    NAME: ClassVar = "nqd-transport-params"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("max_datagram_frame_size", Kind.INT, 8),
        Member("max_idle_timeout_ms", Kind.INT, 8),
        Member("max_udp_payload_size", Kind.INT, 4),
        Member("max_ack_delay_ms", Kind.INT, 4),
        Member("ack_delay_exponent", Kind.INT, 4),
        Member("active_connection_id_limit", Kind.INT, 4),
    )

    # Bytes of a whole DATAGRAM frame; 0: not negotiated.
    max_datagram_frame_size: int
    # 0: none.
    max_idle_timeout_ms: int
    # 1200-65527.
    max_udp_payload_size: int
    # 0-16383.
    max_ack_delay_ms: int
    # 0-20.
    ack_delay_exponent: int
    # 2 or more.
    active_connection_id_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketKey(Struct):
    """Packet protection key and IV of one direction and generation (RFC 9001 section 5.1)."""

    NAME: ClassVar = "nqd-packet-key"
    SIZE: ClassVar = 48
    MEMBERS: ClassVar = (
        Member("key", Kind.SECRET, 32),
        Member("iv", Kind.SECRET, 12),
        Member(None, Kind.BYTES, 4),
    )

    # Secret; 16 or 32 bytes by cipher suite, the rest is zero.
    key: SecretBytes
    # Secret.
    iv: SecretBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderKey(Struct):
    """Header protection key of one direction.

    The same in every generation (RFC 9001 section 6.1).
    """

    NAME: ClassVar = "nqd-header-key"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (Member("key", Kind.SECRET, 32),)

    # Secret; 16 or 32 bytes by cipher suite, the rest is zero.
    key: SecretBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSecret(Struct):
    """Traffic secret of one direction and generation."""

    NAME: ClassVar = "nqd-traffic-secret"
    SIZE: ClassVar = 56
    MEMBERS: ClassVar = (
        Member("len", Kind.INT, 4),
        Member(None, Kind.INT, 4),
        Member("secret", Kind.SECRET, 48),
    )

    # 32 or 48, by the hash of the cipher suite.
    len: int
    # Secret; zero beyond len.
    secret: SecretBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState(Struct):
    """Where a connection stands in its key updates (RFC 9001 section 6).

    Packet numbers: 2^64-1 stands for none.
    """

    NAME: ClassVar = "nqd-key-state"
    SIZE: ClassVar = 40
    MEMBERS: ClassVar = (
        Member("generation", Kind.INT, 8),
        Member("tx_phase_start", Kind.INT, 8),
        Member("rx_phase_start", Kind.INT, 8),
        Member("tx_sealed", Kind.INT, 8),
        Member("rx_failed", Kind.INT, 8),
    )

    # Key updates so far; the key phase bit is its lowest bit.
    generation: int
    # First packet number sent, or to be sent, in this generation.
    tx_phase_start: int
    # Lowest packet number received in this generation, or none.
    rx_phase_start: int
    # Packets sealed with the current TX key.
    tx_sealed: int
    # Packets whose authentication failed, over all generations.
    rx_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TxState(Struct):
    """Packet numbers of our packets. 2^64-1 stands for none."""

    NAME: ClassVar = "nqd-tx-state"
    SIZE: ClassVar = 16
    MEMBERS: ClassVar = (
        Member("next_pn", Kind.INT, 8),
        Member("largest_acked", Kind.INT, 8),
    )

    # Next packet number to send; 0 to 2^62-1.
    next_pn: int
    # Largest that the peer acknowledged, or none.
    largest_acked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RxState(Struct):
    """What was received, besides the ranges. Packet numbers: 2^64-1 stands for none."""

    NAME: ClassVar = "nqd-rx-state"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("duplicate_floor", Kind.INT, 8),
        Member("largest_received", Kind.INT, 8),
        Member("largest_age_ns", Kind.INT, 8),
        Member("ack_eliciting_pending", Kind.INT, 4),
        Member(None, Kind.INT, 4),
    )

    # Every packet number below it counts as received.
    duplicate_floor: int
    # Largest received, or none.
    largest_received: int
    # Nanoseconds since it was received.
    largest_age_ns: int
    # Ack-eliciting packets received and not yet acknowledged.
    ack_eliciting_pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PnRange(Struct):
    """Packet numbers from smallest to largest, both included."""

    NAME: ClassVar = "nqd-pn-range"
    SIZE: ClassVar = 16
    MEMBERS: ClassVar = (
        Member("smallest", Kind.INT, 8),
        Member("largest", Kind.INT, 8),
    )

    smallest: int
    largest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EcnCounts(Struct):
    """Packets by ECN codepoint (RFC 9000 section 19.3.2)."""

    NAME: ClassVar = "nqd-ecn-counts"
    SIZE: ClassVar = 24
    MEMBERS: ClassVar = (
        Member("ect0", Kind.INT, 8),
        Member("ect1", Kind.INT, 8),
        Member("ce", Kind.INT, 8),
    )

    ect0: int
    ect1: int
    ce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RttState(Struct):
    """Round-trip time, nanoseconds (RFC 9002 section 5)."""

    NAME: ClassVar = "nqd-rtt-state"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("latest_ns", Kind.INT, 8),
        Member("smoothed_ns", Kind.INT, 8),
        Member("variation_ns", Kind.INT, 8),
        Member("min_ns", Kind.INT, 8),
    )

    # 0: no sample yet, smoothed is the initial estimate.
    latest_ns: int
    smoothed_ns: int
    variation_ns: int
    # 0: no sample yet.
    min_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CipherCap(Struct):
    """A cipher suite that this kernel can use."""

    NAME: ClassVar = "nqd-cipher-cap"
    SIZE: ClassVar = 128
    MEMBERS: ClassVar = (
        Member("suite", Kind.INT, 4, enum=CipherSuite),
        Member("asynchronous", Kind.INT, 4),
        Member("driver", Kind.STRING, 120),
    )

    suite: CipherSuite
    # 1: the driver may complete later.
    asynchronous: int
    # cra_driver_name, zero-terminated.
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class L3Stats(Struct):
    """IP packets inside the tunnel."""

    NAME: ClassVar = "nqd-l3-stats"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("rx_packets", Kind.INT, 8),
        Member("rx_bytes", Kind.INT, 8),
        Member("tx_packets", Kind.INT, 8),
        Member("tx_bytes", Kind.INT, 8),
    )

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuicStats(Struct):
    """QUIC packets; bytes are UDP payload."""

    NAME: ClassVar = "nqd-quic-stats"
    SIZE: ClassVar = 64
    MEMBERS: ClassVar = (
        Member("rx_packets", Kind.INT, 8),
        Member("rx_bytes", Kind.INT, 8),
        Member("tx_packets", Kind.INT, 8),
        Member("tx_bytes", Kind.INT, 8),
        Member("tx_ack_only_packets", Kind.INT, 8),
        Member("tx_probe_packets", Kind.INT, 8),
        Member("pacing_delays", Kind.INT, 8),
        Member("pacing_delay_ns", Kind.INT, 8),
    )

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    # Sent packets that were not ack-eliciting.
    tx_ack_only_packets: int
    # PTO and PMTU probes.
    tx_probe_packets: int
    # Times that the pacer held the queue.
    pacing_delays: int
    # Nanoseconds in total.
    pacing_delay_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStats(Struct):
    """Frames."""

    NAME: ClassVar = "nqd-frame-stats"
    SIZE: ClassVar = 64
    MEMBERS: ClassVar = (
        Member("rx_datagram", Kind.INT, 8),
        Member("tx_datagram", Kind.INT, 8),
        Member("rx_ack", Kind.INT, 8),
        Member("tx_ack", Kind.INT, 8),
        Member("rx_other", Kind.INT, 8),
        Member("tx_other", Kind.INT, 8),
        Member("lost_datagram", Kind.INT, 8),
        Member(None, Kind.INT, 8),
    )

    rx_datagram: int
    tx_datagram: int
    rx_ack: int
    tx_ack: int
    rx_other: int
    tx_other: int
    # DATAGRAM frames in packets declared lost; never sent again.
    lost_datagram: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStats(Struct):
    """Packet protection."""

    NAME: ClassVar = "nqd-key-stats"
    SIZE: ClassVar = 80
    MEMBERS: ClassVar = (
        Member("updates_local", Kind.INT, 8),
        Member("updates_peer", Kind.INT, 8),
        Member("update_failures", Kind.INT, 8),
        Member("seal_failures", Kind.INT, 8),
        Member("open_failures", Kind.INT, 8),
        Member("header_failures", Kind.INT, 8),
        Member("tx_sealed", Kind.INT, 8),
        Member("tx_limit", Kind.INT, 8),
        Member("rx_failed", Kind.INT, 8),
        Member("rx_limit", Kind.INT, 8),
    )

    updates_local: int
    updates_peer: int
    update_failures: int
    seal_failures: int
    open_failures: int
    header_failures: int
    # With the current key.
    tx_sealed: int
    # Confidentiality limit in force.
    tx_limit: int
    # Over all keys.
    rx_failed: int
    # Integrity limit in force.
    rx_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OffloadStats(Struct):
    """Batching."""

    NAME: ClassVar = "nqd-offload-stats"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("gso_packets", Kind.INT, 8),
        Member("gso_segments", Kind.INT, 8),
        Member("gro_packets", Kind.INT, 8),
        Member("gro_segments", Kind.INT, 8),
    )

    # Super-packets sent.
    gso_packets: int
    # QUIC packets in them.
    gso_segments: int
    # Coalesced inner packets delivered.
    gro_packets: int
    # Inner packets in them.
    gro_segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryStats(Struct):
    """Loss recovery and congestion control."""

    NAME: ClassVar = "nqd-recovery-stats"
    SIZE: ClassVar = 80
    MEMBERS: ClassVar = (
        Member("congestion_window", Kind.INT, 8),
        Member("slow_start_threshold", Kind.INT, 8),
        Member("bytes_in_flight", Kind.INT, 8),
        Member("pacing_rate", Kind.INT, 8),
        Member("packets_lost", Kind.INT, 8),
        Member("bytes_lost", Kind.INT, 8),
        Member("spurious_losses", Kind.INT, 8),
        Member("congestion_events", Kind.INT, 8),
        Member("persistent_congestion", Kind.INT, 8),
        Member("pto_count", Kind.INT, 8),
    )

    # Bytes.
    congestion_window: int
    # Bytes; 2^64-1: none yet.
    slow_start_threshold: int
    bytes_in_flight: int
    # Bytes a second; 0: not paced.
    pacing_rate: int
    packets_lost: int
    bytes_lost: int
    # Acknowledged after they were declared lost.
    spurious_losses: int
    congestion_events: int
    # Times.
    persistent_congestion: int
    # Probe timeouts, in total.
    pto_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats(Struct):
    """One TX queue of a device."""

    NAME: ClassVar = "nqd-queue-stats"
    SIZE: ClassVar = 32
    MEMBERS: ClassVar = (
        Member("queue", Kind.INT, 4),
        Member(None, Kind.INT, 4),
        Member("tx_packets", Kind.INT, 8),
        Member("tx_bytes", Kind.INT, 8),
        Member("tx_dropped", Kind.INT, 8),
    )

    # Index.
    queue: int
    # IP packets that the device was given on it.
    tx_packets: int
    # Of these.
    tx_bytes: int
    # Of these, before or after they have waited.
    tx_dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCount(Struct):
    """How often a packet was dropped for one reason."""

    NAME: ClassVar = "nqd-drop-count"
    SIZE: ClassVar = 16
    MEMBERS: ClassVar = (
        Member("reason", Kind.INT, 4, enum=DropReason),
        Member(None, Kind.INT, 4),
        Member("packets", Kind.INT, 8),
    )

    reason: DropReason
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsAttributes(AttributeSet):
    """Capabilities."""

    NAME: ClassVar = "caps"
    ATTRIBUTES: ClassVar = (
        Attribute("abi_min", 2, Kind.INT, size=4),
        Attribute("abi_max", 3, Kind.INT, size=4),
        Attribute("module_version", 4, Kind.STRING, max_len=63),
        Attribute("cipher", 5, Kind.STRUCT, struct=CipherCap, multi=True),
        Attribute("congestion", 6, Kind.INT, size=4, enum=Congestion, multi=True),
        Attribute("features", 7, Kind.INT, size=8),
        Attribute("max_sessions", 8, Kind.INT, size=4),
    )

    # Oldest version that the kernel speaks.
    abi_min: int | None = None
    # Newest version that the kernel speaks.
    abi_max: int | None = None
    module_version: str | None = None
    cipher: tuple[CipherCap, ...] = ()
    congestion: tuple[Congestion, ...] = ()
    # Bits of enum nqd_feature; unknown ones are ignored.
    features: int | None = None
    # A device.
    max_sessions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAttributes(AttributeSet):
    """A virtual network device, one for each L3 network."""

    NAME: ClassVar = "device"
    ATTRIBUTES: ClassVar = (
        Attribute("id", 2, Kind.INT, size=4, minimum=1),
        Attribute("ifindex", 3, Kind.INT, size=4),
        Attribute("ifname", 4, Kind.STRING, max_len=15),
        Attribute("generation", 5, Kind.INT, size=8, minimum=1),
        Attribute("network_id", 6, Kind.INT, size=8),
        Attribute("route_epoch", 7, Kind.INT, size=8),
        Attribute("mtu", 8, Kind.INT, size=4, minimum=576, maximum=65535),
        Attribute("flags", 9, Kind.INT, size=4, mask=0x1),
        Attribute("fwmark", 10, Kind.INT, size=4),
        Attribute("dscp_policy", 11, Kind.INT, size=4, enum=DscpPolicy),
        Attribute("dscp", 12, Kind.INT, size=4, maximum=63),
        Attribute("ecn_policy", 13, Kind.INT, size=4, enum=EcnPolicy),
        Attribute("queues", 14, Kind.INT, size=4, minimum=1, maximum=256),
        Attribute("owner_port", 15, Kind.INT, size=4),
        Attribute("session_count", 16, Kind.INT, size=4),
        Attribute("in_netns", 17, Kind.INT, size=4, maximum=1),
    )

    # Chosen by the kernel, unique in the namespace that created the device, kept when the
    # device moves.
    id: int | None = None
    # In the namespace where the device is now.
    ifindex: int | None = None
    # Empty or absent: nexusq%d.
    ifname: str | None = None
    # Of the caller, strictly rising.
    generation: int | None = None
    # L3 network; sessions must name the same.
    network_id: int | None = None
    # Current epoch of the network; packets of a session with another epoch are dropped.
    route_epoch: int | None = None
    mtu: int | None = None
    # Bits of enum nqd_device_flag.
    flags: int | None = None
    # Mark of the outer packets.
    fwmark: int | None = None
    dscp_policy: DscpPolicy | None = None
    dscp: int | None = None
    ecn_policy: EcnPolicy | None = None
    # TX queues; default: one for each CPU.
    queues: int | None = None
    # Netlink port of the owner; 0: none, may be adopted.
    owner_port: int | None = None
    session_count: int | None = None
    # 1: the device is in the namespace that created it.
    in_netns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAttributes(AttributeSet):
    """An installed QUIC connection."""

    NAME: ClassVar = "session"
    ATTRIBUTES: ClassVar = (
        Attribute("device_id", 2, Kind.INT, size=4, minimum=1),
        Attribute("id", 3, Kind.INT, size=8, minimum=1),
        Attribute("generation", 4, Kind.INT, size=8, minimum=1),
        Attribute("role", 5, Kind.INT, size=4, enum=Role),
        Attribute("quic_version", 6, Kind.INT, size=4, minimum=1, maximum=1),
        Attribute("state", 7, Kind.INT, size=4, enum=SessionState),
        Attribute("socket_fd", 8, Kind.INT, size=4, write_only=True, maximum=2147483647),
        Attribute("udp_tuple", 9, Kind.STRUCT, struct=UdpTuple),
        Attribute("local_cid", 10, Kind.STRUCT, struct=Cid, multi=True),
        Attribute("peer_cid", 11, Kind.STRUCT, struct=Cid, multi=True),
        Attribute("reset_token", 12, Kind.STRUCT, struct=ResetToken, multi=True, write_only=True),
        Attribute("cipher_suite", 13, Kind.INT, size=4, enum=CipherSuite),
        Attribute("params_local", 14, Kind.STRUCT, struct=TransportParams),
        Attribute("params_peer", 15, Kind.STRUCT, struct=TransportParams),
        Attribute("idle_timeout_ms", 16, Kind.INT, size=4),
        Attribute("keepalive_ms", 17, Kind.INT, size=4),
        Attribute("datagram_size", 18, Kind.INT, size=4, minimum=1200, maximum=65527),
        Attribute("mtu", 19, Kind.INT, size=4, minimum=576, maximum=65535),
        Attribute("flags", 20, Kind.INT, size=4, mask=0xF),
        Attribute("congestion", 21, Kind.INT, size=4, enum=Congestion),
        Attribute("lab_rate", 22, Kind.INT, size=8, minimum=1),
        Attribute("network_id", 23, Kind.INT, size=8),
        Attribute("allowed_source", 24, Kind.STRUCT, struct=Prefix, multi=True),
        Attribute("route_epoch", 25, Kind.INT, size=8),
        Attribute("confidentiality_limit", 26, Kind.INT, size=8, minimum=2),
        Attribute("integrity_limit", 27, Kind.INT, size=8, minimum=2),
        Attribute("fwmark", 28, Kind.INT, size=4),
        Attribute("dscp_policy", 29, Kind.INT, size=4, enum=DscpPolicy),
        Attribute("dscp", 30, Kind.INT, size=4, maximum=63),
        Attribute("ecn_policy", 31, Kind.INT, size=4, enum=EcnPolicy),
        Attribute("key_generation", 32, Kind.INT, size=8),
    )

    device_id: int | None = None
    # Of the caller, unique within the device.
    id: int | None = None
    # Of the caller, strictly rising.
    generation: int | None = None
    role: Role | None = None
    # Must be 1.
    quic_version: int | None = None
    # Only in replies and events.
    state: SessionState | None = None
    # Bound UDP socket of the owner, of the same namespace, without SO_REUSEPORT.
    socket_fd: int | None = None
    udp_tuple: UdpTuple | None = None
    # IDs that the peer uses to reach us; all of one length for a socket. Zero length: found by
    # socket and tuple.
    local_cid: tuple[Cid, ...] = ()
    # IDs that reach the peer: the first one is in use, the others are spare.
    peer_cid: tuple[Cid, ...] = ()
    # Write-only.
    reset_token: tuple[ResetToken, ...] = ()
    cipher_suite: CipherSuite | None = None
    # What we told the peer.
    params_local: TransportParams | None = None
    # What the peer told us.
    params_peer: TransportParams | None = None
    # Effective idle timeout (RFC 9000 section 10.1); 0: none.
    idle_timeout_ms: int | None = None
    # PING after that long without an ack-eliciting packet; 0: never; default 15000.
    keepalive_ms: int | None = None
    # Validated UDP payload size of the path.
    datagram_size: int | None = None
    # Largest inner packet.
    mtu: int | None = None
    # Bits of enum nqd_session_flag.
    flags: int | None = None
    congestion: Congestion | None = None
    # Bytes a second for fixed-rate-test.
    lab_rate: int | None = None
    # Must be that of the device.
    network_id: int | None = None
    # Inner source addresses that the peer may use; on UPDATE the list replaces the former one.
    allowed_source: tuple[Prefix, ...] = ()
    route_epoch: int | None = None
    # Packets a key may seal; only lower than the default of the suite.
    confidentiality_limit: int | None = None
    # Failed authentications; only lower than the default of the suite.
    integrity_limit: int | None = None
    # Instead of that of the device.
    fwmark: int | None = None
    dscp_policy: DscpPolicy | None = None
    dscp: int | None = None
    ecn_policy: EcnPolicy | None = None
    # Only in replies: key updates so far.
    key_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateAttributes(AttributeSet):
    """Transport state of an established connection at the moment of its activation.

    Nothing ack-eliciting is in flight.
    """

    NAME: ClassVar = "state"
    ATTRIBUTES: ClassVar = (
        Attribute("tx", 2, Kind.STRUCT, struct=TxState),
        Attribute("rx", 3, Kind.STRUCT, struct=RxState),
        Attribute("received_range", 4, Kind.STRUCT, struct=PnRange, multi=True),
        Attribute("ecn_received", 5, Kind.STRUCT, struct=EcnCounts),
        Attribute("ecn_acked", 6, Kind.STRUCT, struct=EcnCounts),
        Attribute("ecn_sent", 7, Kind.STRUCT, struct=EcnCounts),
        Attribute("ecn_state", 8, Kind.INT, size=4, enum=EcnState),
        Attribute("rtt", 9, Kind.STRUCT, struct=RttState),
    )

    tx: TxState | None = None
    rx: RxState | None = None
    # The newest 32 at most, highest first, apart by at least one number, none below the
    # duplicate floor.
    received_range: tuple[PnRange, ...] = ()
    # Marks on received packets, reported to the peer in ACK frames.
    ecn_received: EcnCounts | None = None
    # Counts that the peer last reported.
    ecn_acked: EcnCounts | None = None
    # Marks on sent packets (ce is 0).
    ecn_sent: EcnCounts | None = None
    ecn_state: EcnState | None = None
    rtt: RttState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysAttributes(AttributeSet):
    """Keys of one generation.

    V1: tx-key, rx-key and those of the next generation; v2: tx-secret and rx- secret, from
    which the kernel derives all later ones. The header protection keys are always those of the
    first generation.
    """

    NAME: ClassVar = "keys"
    ATTRIBUTES: ClassVar = (
        Attribute("state", 2, Kind.STRUCT, struct=KeyState),
        Attribute("generation", 3, Kind.INT, size=8, minimum=1),
        Attribute("tx_header_key", 4, Kind.STRUCT, struct=HeaderKey, write_only=True),
        Attribute("rx_header_key", 5, Kind.STRUCT, struct=HeaderKey, write_only=True),
        Attribute("tx_key", 6, Kind.STRUCT, struct=PacketKey, write_only=True),
        Attribute("rx_key", 7, Kind.STRUCT, struct=PacketKey, write_only=True),
        Attribute("next_tx_key", 8, Kind.STRUCT, struct=PacketKey, write_only=True),
        Attribute("next_rx_key", 9, Kind.STRUCT, struct=PacketKey, write_only=True),
        Attribute("previous_rx_key", 10, Kind.STRUCT, struct=PacketKey, write_only=True),
        Attribute("tx_secret", 11, Kind.STRUCT, struct=TrafficSecret, write_only=True),
        Attribute("rx_secret", 12, Kind.STRUCT, struct=TrafficSecret, write_only=True),
        Attribute("previous_rx_secret", 13, Kind.STRUCT, struct=TrafficSecret, write_only=True),
    )

    state: KeyState | None = None
    # SET_KEYS: the generation that tx-key and rx-key belong to, the current one plus one.
    generation: int | None = None
    # Write-only.
    tx_header_key: HeaderKey | None = None
    # Write-only.
    rx_header_key: HeaderKey | None = None
    # Write-only.
    tx_key: PacketKey | None = None
    # Write-only.
    rx_key: PacketKey | None = None
    # Write-only.
    next_tx_key: PacketKey | None = None
    # Write-only.
    next_rx_key: PacketKey | None = None
    # Write-only. Of the generation before, for reordered packets.
    previous_rx_key: PacketKey | None = None
    # Write-only.
    tx_secret: TrafficSecret | None = None
    # Write-only.
    rx_secret: TrafficSecret | None = None
    # Write-only. Of the generation before.
    previous_rx_secret: TrafficSecret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAttributes(AttributeSet):
    """A drained datagram."""

    NAME: ClassVar = "held"
    ATTRIBUTES: ClassVar = (
        Attribute("udp_tuple", 2, Kind.STRUCT, struct=UdpTuple),
        Attribute("ecn", 3, Kind.INT, size=4, maximum=3),
        Attribute("payload", 4, Kind.BYTES, min_len=1, max_len=65000),
    )

    udp_tuple: UdpTuple | None = None
    # ECN field of its IP header.
    ecn: int | None = None
    # UDP payload.
    payload: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAttributes(AttributeSet):
    """An inner destination prefix and the session that it leads to."""

    NAME: ClassVar = "route"
    ATTRIBUTES: ClassVar = (
        Attribute("device_id", 2, Kind.INT, size=4, minimum=1),
        Attribute("prefix", 3, Kind.STRUCT, struct=Prefix),
        Attribute("session_id", 4, Kind.INT, size=8, minimum=1),
        Attribute("generation", 5, Kind.INT, size=8, minimum=1),
        Attribute("epoch", 6, Kind.INT, size=8),
    )

    device_id: int | None = None
    prefix: Prefix | None = None
    session_id: int | None = None
    # Of the caller, strictly rising.
    generation: int | None = None
    # Epoch of the network that it belongs to.
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAttributes(AttributeSet):
    """CONNECTION_CLOSE, to be sent or received (RFC 9000 section 19.19)."""

    NAME: ClassVar = "close"
    ATTRIBUTES: ClassVar = (
        Attribute("mode", 2, Kind.INT, size=4, enum=CloseMode),
        Attribute("error_code", 3, Kind.INT, size=8),
        Attribute("application", 4, Kind.INT, size=4, maximum=1),
        Attribute("frame_type", 5, Kind.INT, size=8),
        Attribute("reason", 6, Kind.BYTES, max_len=256),
    )

    mode: CloseMode | None = None
    error_code: int | None = None
    # 1: type 0x1d, an error of the application.
    application: int | None = None
    frame_type: int | None = None
    # UTF-8; that of a peer is not to be trusted.
    reason: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesAttributes(AttributeSet):
    """Frames or a datagram payload on their way between owner and peer."""

    NAME: ClassVar = "frames"
    ATTRIBUTES: ClassVar = (
        Attribute("token", 2, Kind.INT, size=8),
        Attribute("flags", 3, Kind.INT, size=4, mask=0x1),
        Attribute("context_id", 4, Kind.INT, size=8),
        Attribute("payload", 5, Kind.BYTES, min_len=1, max_len=65527),
        Attribute("packet_number", 6, Kind.INT, size=8),
        Attribute("losses", 7, Kind.INT, size=4),
    )

    # Of the caller of SEND_FRAMES; comes back in FRAMES_ACKED and FRAMES_LOST. Absent: no such
    # event. With SEND_DATAGRAM it is -EINVAL: nothing is told of a datagram.
    token: int | None = None
    # Bits of enum nqd_frames_flag.
    flags: int | None = None
    # L3PTP context of a datagram; 1 is the control channel.
    context_id: int | None = None
    # Whole encoded frames, or the datagram payload after its context ID.
    payload: bytes | None = field(default=None, repr=False)
    # Of the packet that carried it.
    packet_number: int | None = None
    # How often it was declared lost so far.
    losses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventAttributes(AttributeSet):
    """Facts of an event."""

    NAME: ClassVar = "event"
    ATTRIBUTES: ClassVar = (
        Attribute("id", 2, Kind.INT, size=8, minimum=1),
        Attribute("time_ns", 3, Kind.INT, size=8),
        Attribute("down_reason", 4, Kind.INT, size=4, enum=DownReason),
        Attribute("datagram_size", 5, Kind.INT, size=4),
        Attribute("mtu", 6, Kind.INT, size=4),
        Attribute("udp_tuple", 7, Kind.STRUCT, struct=UdpTuple),
        Attribute("expected_epoch", 8, Kind.INT, size=8),
        Attribute("found_epoch", 9, Kind.INT, size=8),
        Attribute("key_update_cause", 10, Kind.INT, size=4, enum=KeyUpdateCause),
        Attribute("key_generation", 11, Kind.INT, size=8),
        Attribute("congestion_phase", 12, Kind.INT, size=4, enum=CongestionPhase),
        Attribute("recovery", 13, Kind.STRUCT, struct=RecoveryStats),
        Attribute("drop", 14, Kind.STRUCT, struct=DropCount, multi=True),
        Attribute("errno", 15, Kind.INT, size=4, signed=True),
        Attribute("message", 16, Kind.STRING, max_len=255),
    )

    # Per session, strictly rising from 1; only where EVENT_ACK is expected.
    id: int | None = None
    # CLOCK_BOOTTIME.
    time_ns: int | None = None
    down_reason: DownReason | None = None
    # UDP payload size.
    datagram_size: int | None = None
    # Largest inner packet.
    mtu: int | None = None
    udp_tuple: UdpTuple | None = None
    expected_epoch: int | None = None
    found_epoch: int | None = None
    key_update_cause: KeyUpdateCause | None = None
    key_generation: int | None = None
    congestion_phase: CongestionPhase | None = None
    recovery: RecoveryStats | None = None
    drop: tuple[DropCount, ...] = ()
    # Negative error number.
    errno: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsAttributes(AttributeSet):
    """Counters, of a session or (sums) of a device."""

    NAME: ClassVar = "stats"
    ATTRIBUTES: ClassVar = (
        Attribute("l3", 2, Kind.STRUCT, struct=L3Stats),
        Attribute("quic", 3, Kind.STRUCT, struct=QuicStats),
        Attribute("frame", 4, Kind.STRUCT, struct=FrameStats),
        Attribute("key", 5, Kind.STRUCT, struct=KeyStats),
        Attribute("offload", 6, Kind.STRUCT, struct=OffloadStats),
        Attribute("recovery", 7, Kind.STRUCT, struct=RecoveryStats),
        Attribute("rtt", 8, Kind.STRUCT, struct=RttState),
        Attribute("congestion", 9, Kind.INT, size=4, enum=Congestion),
        Attribute("lab_mode", 10, Kind.INT, size=4, maximum=1),
        Attribute("drop", 11, Kind.STRUCT, struct=DropCount, multi=True),
        Attribute("queue", 12, Kind.STRUCT, struct=QueueStats, multi=True),
        Attribute("ecn_received", 13, Kind.STRUCT, struct=EcnCounts),
        Attribute("ecn_sent", 14, Kind.STRUCT, struct=EcnCounts),
        Attribute("ecn_state", 15, Kind.INT, size=4, enum=EcnState),
        Attribute("held_datagrams", 16, Kind.INT, size=4),
        Attribute("unacked_events", 17, Kind.INT, size=4),
    )

    l3: L3Stats | None = None
    quic: QuicStats | None = None
    frame: FrameStats | None = None
    key: KeyStats | None = None
    offload: OffloadStats | None = None
    # Sessions only.
    recovery: RecoveryStats | None = None
    # Sessions only.
    rtt: RttState | None = None
    # Label of the profile in force; sessions only.
    congestion: Congestion | None = None
    # 1: figures of a lab mode, no public network; sessions only.
    lab_mode: int | None = None
    # One for each reason that occurred.
    drop: tuple[DropCount, ...] = ()
    # Devices only.
    queue: tuple[QueueStats, ...] = ()
    # Sessions only.
    ecn_received: EcnCounts | None = None
    # Sessions only.
    ecn_sent: EcnCounts | None = None
    # Sessions only.
    ecn_state: EcnState | None = None
    # In the queue of a session in HOLD.
    held_datagrams: int | None = None
    # In the event queue of a session.
    unacked_events: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DebugAttributes(AttributeSet):
    """Debugging of a device."""

    NAME: ClassVar = "debug"
    ATTRIBUTES: ClassVar = (Attribute("flags", 2, Kind.INT, size=4, mask=0xF),)

    # Bits of enum nqd_debug_flag.
    flags: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MainAttributes(AttributeSet):
    """Top-level attributes. A nested set is told apart by the number of its attribute here."""

    NAME: ClassVar = "main"
    ATTRIBUTES: ClassVar = (
        Attribute("abi_version", 2, Kind.INT, size=4, minimum=1),
        Attribute("required", 3, Kind.U32_LIST, max_len=256),
        Attribute("caps", 4, Kind.NEST, nest=CapsAttributes),
        Attribute("device", 5, Kind.NEST, nest=DeviceAttributes),
        Attribute("session", 6, Kind.NEST, nest=SessionAttributes),
        Attribute("state", 7, Kind.NEST, nest=StateAttributes),
        Attribute("keys", 8, Kind.NEST, nest=KeysAttributes),
        Attribute("held", 9, Kind.NEST, nest=HeldAttributes, multi=True),
        Attribute("route", 10, Kind.NEST, nest=RouteAttributes),
        Attribute("close", 11, Kind.NEST, nest=CloseAttributes),
        Attribute("frames", 12, Kind.NEST, nest=FramesAttributes),
        Attribute("event", 13, Kind.NEST, nest=EventAttributes),
        Attribute("stats", 14, Kind.NEST, nest=StatsAttributes),
        Attribute("debug", 15, Kind.NEST, nest=DebugAttributes),
    )

    # Version of the ABI that the sender speaks.
    abi_version: int | None = None
    # u32 values, nest << 16 | attribute: what the receiver must know; nest is the number of the
    # top-level attribute (0 for a top-level one).
    required: tuple[int, ...] = ()
    caps: CapsAttributes | None = None
    device: DeviceAttributes | None = None
    session: SessionAttributes | None = None
    state: StateAttributes | None = None
    keys: KeysAttributes | None = None
    # A datagram that user space took from the socket and did not process, in order of arrival.
    held: tuple[HeldAttributes, ...] = ()
    route: RouteAttributes | None = None
    close: CloseAttributes | None = None
    frames: FramesAttributes | None = None
    event: EventAttributes | None = None
    stats: StatsAttributes | None = None
    debug: DebugAttributes | None = None


# Top-level attributes that a request of a command may have.
REQUEST: Final = {
    Command.GET_CAPS: frozenset({"abi_version", "required"}),
    Command.CREATE_DEVICE: frozenset({"abi_version", "required", "device"}),
    Command.UPDATE_DEVICE: frozenset({"abi_version", "required", "device"}),
    Command.DELETE_DEVICE: frozenset({"abi_version", "required", "device"}),
    Command.GET_DEVICE: frozenset({"abi_version", "required", "device"}),
    Command.ADOPT_DEVICE: frozenset({"abi_version", "required", "device"}),
    Command.ADD_SESSION: frozenset({"abi_version", "required", "session"}),
    Command.ACTIVATE_SESSION: frozenset(
        {"abi_version", "required", "session", "state", "keys", "held"}
    ),
    Command.UPDATE_SESSION: frozenset({"abi_version", "required", "session"}),
    Command.DELETE_SESSION: frozenset({"abi_version", "required", "session", "close"}),
    Command.GET_SESSION: frozenset({"abi_version", "required", "session", "device"}),
    Command.SET_KEYS: frozenset({"abi_version", "required", "session", "keys"}),
    Command.KEY_UPDATE: frozenset({"abi_version", "required", "session"}),
    Command.ADD_ROUTE: frozenset({"abi_version", "required", "route"}),
    Command.DELETE_ROUTE: frozenset({"abi_version", "required", "route"}),
    Command.GET_ROUTE: frozenset({"abi_version", "required", "route", "device"}),
    Command.SEND_FRAMES: frozenset({"abi_version", "required", "session", "frames"}),
    Command.SEND_DATAGRAM: frozenset({"abi_version", "required", "session", "frames"}),
    Command.EVENT_ACK: frozenset({"abi_version", "required", "session", "event"}),
    Command.GET_STATS: frozenset({"abi_version", "required", "device", "session"}),
    Command.FLUSH_STATS: frozenset({"abi_version", "required", "device", "session"}),
    Command.SET_DEBUG: frozenset({"abi_version", "required", "device", "debug"}),
}
# Attributes that a request must have; the nest is empty at the top level.
MANDATORY: Final[dict[Command, tuple[tuple[str, str], ...]]] = {
    Command.GET_CAPS: (("", "abi_version"),),
    Command.CREATE_DEVICE: (
        ("", "abi_version"),
        ("", "device"),
        ("device", "network_id"),
        ("device", "generation"),
    ),
    Command.UPDATE_DEVICE: (
        ("", "abi_version"),
        ("", "device"),
        ("device", "id"),
        ("device", "generation"),
    ),
    Command.DELETE_DEVICE: (
        ("", "abi_version"),
        ("", "device"),
        ("device", "id"),
        ("device", "generation"),
    ),
    Command.GET_DEVICE: (("", "abi_version"),),
    Command.ADOPT_DEVICE: (
        ("", "abi_version"),
        ("", "device"),
        ("device", "id"),
        ("device", "generation"),
    ),
    Command.ADD_SESSION: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("session", "generation"),
        ("session", "role"),
        ("session", "quic_version"),
        ("session", "socket_fd"),
        ("session", "udp_tuple"),
        ("session", "local_cid"),
        ("session", "peer_cid"),
        ("session", "cipher_suite"),
        ("session", "params_local"),
        ("session", "params_peer"),
        ("session", "datagram_size"),
        ("session", "network_id"),
        ("session", "route_epoch"),
    ),
    Command.ACTIVATE_SESSION: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("session", "generation"),
        ("", "state"),
        ("state", "tx"),
        ("state", "rx"),
        ("state", "rtt"),
        ("", "keys"),
        ("keys", "state"),
        ("keys", "tx_header_key"),
        ("keys", "rx_header_key"),
    ),
    Command.UPDATE_SESSION: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("session", "generation"),
    ),
    Command.DELETE_SESSION: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("session", "generation"),
    ),
    Command.GET_SESSION: (("", "abi_version"),),
    Command.SET_KEYS: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("session", "generation"),
        ("", "keys"),
        ("keys", "generation"),
    ),
    Command.KEY_UPDATE: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
    ),
    Command.ADD_ROUTE: (
        ("", "abi_version"),
        ("", "route"),
        ("route", "device_id"),
        ("route", "prefix"),
        ("route", "session_id"),
        ("route", "generation"),
        ("route", "epoch"),
    ),
    Command.DELETE_ROUTE: (
        ("", "abi_version"),
        ("", "route"),
        ("route", "device_id"),
        ("route", "prefix"),
        ("route", "generation"),
    ),
    Command.GET_ROUTE: (("", "abi_version"),),
    Command.SEND_FRAMES: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("", "frames"),
        ("frames", "payload"),
    ),
    Command.SEND_DATAGRAM: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("", "frames"),
        ("frames", "context_id"),
        ("frames", "payload"),
    ),
    Command.EVENT_ACK: (
        ("", "abi_version"),
        ("", "session"),
        ("session", "device_id"),
        ("session", "id"),
        ("", "event"),
        ("event", "id"),
    ),
    Command.GET_STATS: (("", "abi_version"),),
    Command.FLUSH_STATS: (("", "abi_version"),),
    Command.SET_DEBUG: (
        ("", "abi_version"),
        ("", "device"),
        ("device", "id"),
        ("", "debug"),
        ("debug", "flags"),
    ),
}
# Top-level attributes of replies and dump entries.
REPLY: Final = {
    Command.GET_CAPS: frozenset({"abi_version", "caps"}),
    Command.CREATE_DEVICE: frozenset({"abi_version", "device"}),
    Command.UPDATE_DEVICE: frozenset(),
    Command.DELETE_DEVICE: frozenset(),
    Command.GET_DEVICE: frozenset({"abi_version", "device"}),
    Command.ADOPT_DEVICE: frozenset({"abi_version", "device"}),
    Command.ADD_SESSION: frozenset({"abi_version", "session"}),
    Command.ACTIVATE_SESSION: frozenset(),
    Command.UPDATE_SESSION: frozenset(),
    Command.DELETE_SESSION: frozenset(),
    Command.GET_SESSION: frozenset({"abi_version", "session"}),
    Command.SET_KEYS: frozenset(),
    Command.KEY_UPDATE: frozenset(),
    Command.ADD_ROUTE: frozenset(),
    Command.DELETE_ROUTE: frozenset(),
    Command.GET_ROUTE: frozenset({"abi_version", "route"}),
    Command.SEND_FRAMES: frozenset(),
    Command.SEND_DATAGRAM: frozenset(),
    Command.EVENT_ACK: frozenset(),
    Command.GET_STATS: frozenset({"abi_version", "device", "session", "stats"}),
    Command.FLUSH_STATS: frozenset(),
    Command.SET_DEBUG: frozenset(),
}
DUMPS: Final = frozenset(
    {Command.GET_DEVICE, Command.GET_SESSION, Command.GET_ROUTE, Command.GET_STATS}
)
# Top-level attributes of events.
EVENT: Final = {
    Event.SESSION_UP: frozenset({"abi_version", "session", "event"}),
    Event.SESSION_DOWN: frozenset({"abi_version", "session", "event", "close"}),
    Event.KEY_UPDATE_NEEDED: frozenset({"abi_version", "session", "event"}),
    Event.KEY_UPDATE_DONE: frozenset({"abi_version", "session", "event"}),
    Event.PATH_MTU_CHANGED: frozenset({"abi_version", "session", "event"}),
    Event.ROUTE_EPOCH_MISMATCH: frozenset({"abi_version", "session", "event"}),
    Event.REPLAY_OR_DUPLICATE_DROP: frozenset({"abi_version", "session", "event"}),
    Event.CONGESTION_STATE: frozenset({"abi_version", "session", "event"}),
    Event.FATAL_ERROR: frozenset({"abi_version", "device", "session", "event"}),
    Event.PEER_TUPLE_CHANGED: frozenset({"abi_version", "session", "event"}),
    Event.DEVICE_DOWN: frozenset({"abi_version", "device", "event"}),
    Event.FRAMES_RECEIVED: frozenset({"abi_version", "session", "event", "frames"}),
    Event.DATAGRAM_RECEIVED: frozenset({"abi_version", "session", "event", "frames"}),
    Event.FRAMES_ACKED: frozenset({"abi_version", "session", "event", "frames"}),
    Event.FRAMES_LOST: frozenset({"abi_version", "session", "event", "frames"}),
}
# Events for the owner alone, to be acknowledged.
UNICAST: Final = frozenset(
    {Event.FRAMES_RECEIVED, Event.DATAGRAM_RECEIVED, Event.FRAMES_ACKED, Event.FRAMES_LOST}
)

/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Generated from spec/nexus_quic_dco.yaml and spec/rules.yaml, do not edit.
 * Change them, then run `make generate`.
 */
#ifndef _UAPI_NEXUS_QUIC_DCO_H
#define _UAPI_NEXUS_QUIC_DCO_H

#include <linux/types.h>

#define NQD_FAMILY_NAME "nexus_quic_dco"
#define NQD_FAMILY_VERSION 1

/* The version that this file describes; every message carries one. */
#define NQD_ABI_VERSION 1

/* Longest connection ID of QUIC v1 (RFC 9000 section 17.2). */
#define NQD_CID_MAX_LEN 20

/* Length of a stateless reset token (RFC 9000 section 10.3). */
#define NQD_RESET_TOKEN_LEN 16

/* Longest packet protection or header protection key. */
#define NQD_KEY_MAX_LEN 32

/* Length of a packet protection IV (RFC 9001 section 5.3). */
#define NQD_IV_LEN 12

/* Longest traffic secret (SHA-384). */
#define NQD_SECRET_MAX_LEN 48

/* Room for the name of a crypto driver, with its terminating zero. */
#define NQD_DRIVER_NAME_LEN 120

/* Most packet number ranges that an installation carries (the newest ones). */
#define NQD_RECEIVED_RANGES_MAX 32

/* Most local connection IDs of a session. */
#define NQD_LOCAL_CIDS_MAX 8

/* Most connection IDs that the peer has issued to a session, and most reset tokens. */
#define NQD_PEER_CIDS_MAX 8

/* Most source prefixes that one peer may be allowed in one message. */
#define NQD_ALLOWED_SOURCES_MAX 256

/*
 * Datagrams that a session in HOLD keeps, and most drained datagrams that an activation
 * carries.
 */
#define NQD_HOLD_QUEUE_LEN 64

/*
 * Unacknowledged payload-bearing events of a session; a packet that would need one more is
 * not acknowledged.
 */
#define NQD_EVENT_QUEUE_LEN 64

/*
 * Most bytes of frames in one SEND_FRAMES, or of payload in one SEND_DATAGRAM; fits the
 * smallest datagram.
 */
#define NQD_FRAMES_MAX_LEN 1152

/* Longest UDP payload (RFC 9000 section 18.2). */
#define NQD_DATAGRAM_MAX_LEN 65527

/* Longest reason phrase of a CONNECTION_CLOSE frame that is sent or reported. */
#define NQD_REASON_MAX_LEN 256

/* Largest packet number (RFC 9000 section 12.3). */
#define NQD_PN_MAX 0x3fffffffffffffffULL

/* Stands for no packet number. */
#define NQD_PN_NONE 0xffffffffffffffffULL

/* 2^28 packets a key, for packets up to 2^11 bytes (RFC 9001 section B.1.1). */
#define NQD_GCM_CONFIDENTIALITY_LIMIT 0x10000000

/* 2^52 failed authentications a connection (RFC 9001 section 6.6). */
#define NQD_GCM_INTEGRITY_LIMIT 0x10000000000000ULL

/* More than there are packet numbers (RFC 9001 section 6.6). */
#define NQD_CHACHA20_CONFIDENTIALITY_LIMIT 0x4000000000000000ULL

/* 2^36 failed authentications a connection (RFC 9001 section 6.6). */
#define NQD_CHACHA20_INTEGRITY_LIMIT 0x1000000000ULL

/* Keepalive of a session that names none. */
#define NQD_KEEPALIVE_DEFAULT_MS 15000

/*
 * Longest drained datagram that an activation carries; it must fit the 16-bit length of a
 * netlink nest.
 */
#define NQD_HELD_DATAGRAM_MAX_LEN 65000

/* Smallest limit of a QUIC v1 path (RFC 9000 section 14). */
#define NQD_UDP_PAYLOAD_MIN 1200

/* Smallest inner MTU; inner IPv6 needs 1280 (RFC 8200 section 5). */
#define NQD_MTU_MIN 576

/* RFC 9000 section 18.2. */
#define NQD_ACK_DELAY_EXPONENT_MAX 20

/* RFC 9000 section 18.2 allows less than 2^14 milliseconds. */
#define NQD_MAX_ACK_DELAY_MAX_MS 16383

/**
 * enum nqd_cipher_suite - TLS 1.3 cipher suites, by their TLS code points (RFC 8446 section
 * B.4).
 */
enum nqd_cipher_suite {
	NQD_CIPHER_SUITE_AES_128_GCM_SHA256 = 0x1301,
	NQD_CIPHER_SUITE_AES_256_GCM_SHA384 = 0x1302,
	NQD_CIPHER_SUITE_CHACHA20_POLY1305_SHA256 = 0x1303,
};

/**
 * enum nqd_congestion - Congestion control profiles.
 * @NQD_CONGESTION_CUBIC_LIKE: Loss based, after RFC 9438; the default.
 * @NQD_CONGESTION_BBR_LIKE: Model based, for high throughput.
 * @NQD_CONGESTION_FIXED_RATE_TEST: A fixed rate with no regard for loss; refused unless
 *	the session has the lab-mode flag and a lab-rate.
 */
enum nqd_congestion {
	NQD_CONGESTION_CUBIC_LIKE = 0,
	NQD_CONGESTION_BBR_LIKE = 1,
	NQD_CONGESTION_FIXED_RATE_TEST = 2,
};

/**
 * enum nqd_session_state - States of a session.
 * @NQD_SESSION_STATE_HOLD: Its short headers are taken from the socket and queued; nothing
 *	is sent.
 * @NQD_SESSION_STATE_ACTIVE: Packets flow.
 * @NQD_SESSION_STATE_CLOSING: CONNECTION_CLOSE was sent (RFC 9000 section 10.2.1); its
 *	connection IDs stay reserved.
 * @NQD_SESSION_STATE_DRAINING: CONNECTION_CLOSE was received (RFC 9000 section 10.2.2),
 *	nothing is sent any more.
 */
enum nqd_session_state {
	NQD_SESSION_STATE_HOLD = 0,
	NQD_SESSION_STATE_ACTIVE = 1,
	NQD_SESSION_STATE_CLOSING = 2,
	NQD_SESSION_STATE_DRAINING = 3,
};

/**
 * enum nqd_role - Which end of the QUIC connection this is.
 */
enum nqd_role {
	NQD_ROLE_CLIENT = 0,
	NQD_ROLE_SERVER = 1,
};

/**
 * enum nqd_drop_reason - Why a packet went no further. Every drop has exactly one; the
 * counters of a session and of a device are keyed by it. New reasons are appended.
 * @NQD_DROP_NONE: Not dropped.
 * @NQD_DROP_NO_SESSION: (RX) no session has this connection ID.
 * @NQD_DROP_TRUNCATED: (RX) too short for header, packet number sample and tag.
 * @NQD_DROP_FIXED_BIT: (RX) fixed bit is 0 (RFC 9000 section 17.3.1).
 * @NQD_DROP_HEADER_PROTECTION: (RX, TX) the header protection mask could not be computed.
 * @NQD_DROP_PACKET_NUMBER: (RX) the decoded packet number is out of range (RFC 9000
 *	section A.3).
 * @NQD_DROP_AEAD: (RX) authentication failed.
 * @NQD_DROP_RESERVED_BITS: (RX) authenticated, but reserved bits are set (RFC 9000 section
 *	17.3.1); closes the connection.
 * @NQD_DROP_DUPLICATE: (RX) this packet number was received before.
 * @NQD_DROP_TOO_OLD: (RX) the packet number is below the replay window or the installed
 *	duplicate floor.
 * @NQD_DROP_KEY_PHASE: (RX) authenticated with keys that its packet number does not allow
 *	(RFC 9001 section 6.4); closes the connection.
 * @NQD_DROP_KEY_DISCARDED: (RX) needs keys of a generation that are discarded or not
 *	installed.
 * @NQD_DROP_FRAME_ENCODING: (RX) a frame is malformed or of an unknown type; closes with
 *	FRAME_ENCODING_ERROR.
 * @NQD_DROP_PROTOCOL_VIOLATION: (RX) a frame that is not allowed here, or a packet without
 *	frames; closes with PROTOCOL_VIOLATION.
 * @NQD_DROP_DATAGRAM_TOO_LARGE: (RX) a DATAGRAM frame above our max_datagram_frame_size
 *	(RFC 9221 section 3); closes the connection.
 * @NQD_DROP_CONTEXT_UNKNOWN: (RX) a DATAGRAM payload whose context ID is unknown or
 *	malformed.
 * @NQD_DROP_INNER_MALFORMED: (RX, TX) the inner packet is not valid IPv4 or IPv6.
 * @NQD_DROP_SOURCE_PREFIX: (RX) the inner source address is not among the peer's allowed
 *	prefixes.
 * @NQD_DROP_NO_ROUTE: (TX) no route of the device matches the inner destination.
 * @NQD_DROP_ROUTE_EPOCH: (RX, TX) the session's route epoch is not the network's.
 * @NQD_DROP_MTU: (TX) the inner packet does not fit one DATAGRAM frame; Packet Too Big was
 *	sent where feasible.
 * @NQD_DROP_CONGESTION: (TX) dropped from the session's queue by CoDel.
 * @NQD_DROP_QUEUE_FULL: (TX) the session's queue or the device-wide limit is full.
 * @NQD_DROP_HOLD_QUEUE_FULL: (RX) the session is in HOLD and its queue is full.
 * @NQD_DROP_EVENT_QUEUE_FULL: (RX) a payload for the owner found the event queue full; the
 *	packet is not acknowledged.
 * @NQD_DROP_TUPLE_MISMATCH: (RX) authenticated, but from another endpoint while migration
 *	is off.
 * @NQD_DROP_STATE: (RX, TX) the session is closing, draining or not yet active.
 * @NQD_DROP_AEAD_LIMIT: (RX, TX) a usage limit of the keys is reached (RFC 9001 section
 *	6.6).
 * @NQD_DROP_STATELESS_RESET: (RX) the datagram was a stateless reset (RFC 9000 section
 *	10.3).
 * @NQD_DROP_NO_MEMORY: (RX, TX) an allocation failed.
 * @NQD_DROP_UDP_SEND: (TX) the UDP or IP layer refused the packet, or there is no route to
 *	the peer.
 * @NQD_DROP_AEAD_SEAL: (TX) encryption failed.
 */
enum nqd_drop_reason {
	NQD_DROP_NONE = 0,
	NQD_DROP_NO_SESSION = 1,
	NQD_DROP_TRUNCATED = 2,
	NQD_DROP_FIXED_BIT = 3,
	NQD_DROP_HEADER_PROTECTION = 4,
	NQD_DROP_PACKET_NUMBER = 5,
	NQD_DROP_AEAD = 6,
	NQD_DROP_RESERVED_BITS = 7,
	NQD_DROP_DUPLICATE = 8,
	NQD_DROP_TOO_OLD = 9,
	NQD_DROP_KEY_PHASE = 10,
	NQD_DROP_KEY_DISCARDED = 11,
	NQD_DROP_FRAME_ENCODING = 12,
	NQD_DROP_PROTOCOL_VIOLATION = 13,
	NQD_DROP_DATAGRAM_TOO_LARGE = 14,
	NQD_DROP_CONTEXT_UNKNOWN = 15,
	NQD_DROP_INNER_MALFORMED = 16,
	NQD_DROP_SOURCE_PREFIX = 17,
	NQD_DROP_NO_ROUTE = 18,
	NQD_DROP_ROUTE_EPOCH = 19,
	NQD_DROP_MTU = 20,
	NQD_DROP_CONGESTION = 21,
	NQD_DROP_QUEUE_FULL = 22,
	NQD_DROP_HOLD_QUEUE_FULL = 23,
	NQD_DROP_EVENT_QUEUE_FULL = 24,
	NQD_DROP_TUPLE_MISMATCH = 25,
	NQD_DROP_STATE = 26,
	NQD_DROP_AEAD_LIMIT = 27,
	NQD_DROP_STATELESS_RESET = 28,
	NQD_DROP_NO_MEMORY = 29,
	NQD_DROP_UDP_SEND = 30,
	NQD_DROP_AEAD_SEAL = 31,

	/* private: */
	__NQD_DROP_COUNT = NQD_DROP_AEAD_SEAL + 1,
};

/**
 * enum nqd_dscp_policy - Outer DSCP of the packets of a device or session.
 * @NQD_DSCP_POLICY_FIXED: The value of the dscp attribute, 0 unless given; the inner DSCP
 *	stays hidden.
 * @NQD_DSCP_POLICY_INHERIT: Copied from the inner packet.
 */
enum nqd_dscp_policy {
	NQD_DSCP_POLICY_FIXED = 0,
	NQD_DSCP_POLICY_INHERIT = 1,
};

/**
 * enum nqd_ecn_policy - Outer ECN.
 * @NQD_ECN_POLICY_DISABLED: Sent as Not-ECT; an incoming CE is not passed on.
 * @NQD_ECN_POLICY_ENABLED: ECT(0) outside while the path passes validation (RFC 9000
 *	section 13.4); the inner field follows RFC 6040.
 */
enum nqd_ecn_policy {
	NQD_ECN_POLICY_DISABLED = 0,
	NQD_ECN_POLICY_ENABLED = 1,
};

/**
 * enum nqd_ecn_state - Validation of ECN on the path (RFC 9000 section 13.4.2).
 */
enum nqd_ecn_state {
	NQD_ECN_STATE_TESTING = 0,
	NQD_ECN_STATE_UNKNOWN = 1,
	NQD_ECN_STATE_CAPABLE = 2,
	NQD_ECN_STATE_FAILED = 3,
};

/**
 * enum nqd_close_mode - What the peer is told when a session is deleted.
 * @NQD_CLOSE_MODE_SILENT: Nothing.
 * @NQD_CLOSE_MODE_SEND: CONNECTION_CLOSE; the connection IDs stay reserved for 3 PTO in
 *	state CLOSING.
 */
enum nqd_close_mode {
	NQD_CLOSE_MODE_SILENT = 0,
	NQD_CLOSE_MODE_SEND = 1,
};

/**
 * enum nqd_down_reason - Why a session is not active any more.
 * @NQD_DOWN_REASON_DELETED: DELETE_SESSION.
 * @NQD_DOWN_REASON_PEER_CLOSED: The peer sent CONNECTION_CLOSE.
 * @NQD_DOWN_REASON_PROTOCOL_ERROR: The peer broke a rule in an authenticated packet;
 *	closed with that error code.
 * @NQD_DOWN_REASON_IDLE_TIMEOUT: RFC 9000 section 10.1.
 * @NQD_DOWN_REASON_DEAD_PEER: Probe timeouts without an answer.
 * @NQD_DOWN_REASON_STATELESS_RESET: RFC 9000 section 10.3.
 * @NQD_DOWN_REASON_AEAD_LIMIT: A usage limit of the keys was reached and no key update was
 *	possible.
 * @NQD_DOWN_REASON_SOCKET_CLOSED: The last descriptor of its socket was closed and the
 *	device is not persistent.
 * @NQD_DOWN_REASON_OWNER_GONE: Its owner closed the control socket while the session was
 *	in HOLD.
 * @NQD_DOWN_REASON_DEVICE_DELETED: Its device was deleted.
 * @NQD_DOWN_REASON_NETNS_EXIT: Its network namespace is going away.
 * @NQD_DOWN_REASON_INTERNAL_ERROR: See the message attribute.
 */
enum nqd_down_reason {
	NQD_DOWN_REASON_DELETED = 0,
	NQD_DOWN_REASON_PEER_CLOSED = 1,
	NQD_DOWN_REASON_PROTOCOL_ERROR = 2,
	NQD_DOWN_REASON_IDLE_TIMEOUT = 3,
	NQD_DOWN_REASON_DEAD_PEER = 4,
	NQD_DOWN_REASON_STATELESS_RESET = 5,
	NQD_DOWN_REASON_AEAD_LIMIT = 6,
	NQD_DOWN_REASON_SOCKET_CLOSED = 7,
	NQD_DOWN_REASON_OWNER_GONE = 8,
	NQD_DOWN_REASON_DEVICE_DELETED = 9,
	NQD_DOWN_REASON_NETNS_EXIT = 10,
	NQD_DOWN_REASON_INTERNAL_ERROR = 11,
};

/**
 * enum nqd_key_update_cause - Why new keys are wanted, or who changed the phase.
 * @NQD_KEY_UPDATE_CAUSE_CONFIDENTIALITY_LIMIT: Half of the confidentiality limit is used
 *	(RFC 9001 section 6.6).
 * @NQD_KEY_UPDATE_CAUSE_INTEGRITY_LIMIT: Half of the integrity limit is used.
 * @NQD_KEY_UPDATE_CAUSE_NEXT_KEYS_MISSING: The phase changed and the keys after it are not
 *	installed (v1 key installation).
 * @NQD_KEY_UPDATE_CAUSE_LOCAL: KEY_UPDATE asked for it.
 * @NQD_KEY_UPDATE_CAUSE_PEER: The peer changed the phase.
 */
enum nqd_key_update_cause {
	NQD_KEY_UPDATE_CAUSE_CONFIDENTIALITY_LIMIT = 0,
	NQD_KEY_UPDATE_CAUSE_INTEGRITY_LIMIT = 1,
	NQD_KEY_UPDATE_CAUSE_NEXT_KEYS_MISSING = 2,
	NQD_KEY_UPDATE_CAUSE_LOCAL = 3,
	NQD_KEY_UPDATE_CAUSE_PEER = 4,
};

/**
 * enum nqd_congestion_phase - What the congestion controller is doing (RFC 9002 section 7.3).
 */
enum nqd_congestion_phase {
	NQD_CONGESTION_PHASE_SLOW_START = 0,
	NQD_CONGESTION_PHASE_RECOVERY = 1,
	NQD_CONGESTION_PHASE_CONGESTION_AVOIDANCE = 2,
	NQD_CONGESTION_PHASE_PERSISTENT_CONGESTION = 3,
	NQD_CONGESTION_PHASE_APPLICATION_LIMITED = 4,
};

/**
 * enum nqd_feature - What a kernel offers beyond the commands of this version.
 * @NQD_FEATURE_INSTALL_SECRETS: Traffic secrets of every suite that is offered may be
 *	installed; the kernel derives keys and updates them itself (v2 key installation).
 * @NQD_FEATURE_ZERO_LENGTH_CID: Sessions whose local connection ID is empty.
 * @NQD_FEATURE_PERSIST: Persistent devices and ADOPT_DEVICE.
 * @NQD_FEATURE_SEND_FRAMES: SEND_FRAMES and its events.
 * @NQD_FEATURE_STATELESS_RESET: Reset tokens are compared.
 * @NQD_FEATURE_ECN: Outer ECN.
 * @NQD_FEATURE_MIGRATION: The peer may change its endpoint.
 * @NQD_FEATURE_PMTU_SEARCH: The kernel searches for a larger datagram size.
 * @NQD_FEATURE_GSO: Outer packets leave as UDP GSO super-packets.
 * @NQD_FEATURE_GRO: Inner segments are coalesced.
 * @NQD_FEATURE_LAB_MODE: fixed-rate-test may be used.
 * @NQD_FEATURE_AEAD_LIMITS: The key limits may be lowered.
 * @NQD_FEATURE_DEBUG: SET_DEBUG.
 */
enum nqd_feature {
	NQD_FEATURE_INSTALL_SECRETS = 1U << 0,
	NQD_FEATURE_ZERO_LENGTH_CID = 1U << 1,
	NQD_FEATURE_PERSIST = 1U << 2,
	NQD_FEATURE_SEND_FRAMES = 1U << 3,
	NQD_FEATURE_STATELESS_RESET = 1U << 4,
	NQD_FEATURE_ECN = 1U << 5,
	NQD_FEATURE_MIGRATION = 1U << 6,
	NQD_FEATURE_PMTU_SEARCH = 1U << 7,
	NQD_FEATURE_GSO = 1U << 8,
	NQD_FEATURE_GRO = 1U << 9,
	NQD_FEATURE_LAB_MODE = 1U << 10,
	NQD_FEATURE_AEAD_LIMITS = 1U << 11,
	NQD_FEATURE_DEBUG = 1U << 12,
};

/**
 * enum nqd_device_flag - Flags of a device.
 * @NQD_DEVICE_FLAG_PERSIST: Sessions outlive their owner and the descriptors of their
 *	socket; a new owner adopts them.
 */
enum nqd_device_flag {
	NQD_DEVICE_FLAG_PERSIST = 1U << 0,
};

/**
 * enum nqd_session_flag - Flags of a session.
 * @NQD_SESSION_FLAG_SEND_DATA: The peer is READY, IP packets (context 0) may be sent.
 * @NQD_SESSION_FLAG_LAB_MODE: Allows fixed-rate-test; shown as a label in every dump and
 *	counter.
 * @NQD_SESSION_FLAG_MIGRATION: The peer may change its endpoint after path validation (RFC
 *	9000 section 9).
 * @NQD_SESSION_FLAG_PMTU_SEARCH: Search for a larger datagram size.
 */
enum nqd_session_flag {
	NQD_SESSION_FLAG_SEND_DATA = 1U << 0,
	NQD_SESSION_FLAG_LAB_MODE = 1U << 1,
	NQD_SESSION_FLAG_MIGRATION = 1U << 2,
	NQD_SESSION_FLAG_PMTU_SEARCH = 1U << 3,
};

/**
 * enum nqd_frames_flag - Flags of SEND_FRAMES and SEND_DATAGRAM.
 * @NQD_FRAMES_FLAG_ONCE: Do not send again after a loss.
 */
enum nqd_frames_flag {
	NQD_FRAMES_FLAG_ONCE = 1U << 0,
};

/**
 * enum nqd_debug_flag - What SET_DEBUG logs, rate limited; never keys, connection IDs or
 * payloads.
 * @NQD_DEBUG_FLAG_CONTROL: Commands about the device that reach the module, accepted or
 *	refused and why.
 * @NQD_DEBUG_FLAG_DROPS: Dropped packets with their reason.
 * @NQD_DEBUG_FLAG_KEYS: Changes of the key phase.
 * @NQD_DEBUG_FLAG_RECOVERY: Losses, probes and congestion.
 */
enum nqd_debug_flag {
	NQD_DEBUG_FLAG_CONTROL = 1U << 0,
	NQD_DEBUG_FLAG_DROPS = 1U << 1,
	NQD_DEBUG_FLAG_KEYS = 1U << 2,
	NQD_DEBUG_FLAG_RECOVERY = 1U << 3,
};

/**
 * struct nqd_udp_tuple - A UDP four-tuple. IPv4 addresses (mapped ones too) take the first
 * four bytes, the rest is zero. 48 bytes.
 * @family: AF_INET (2) or AF_INET6 (10).
 * @pad: Zero.
 * @local: All zero: whatever the routing chooses.
 * @scope_id: Interface index of link-local addresses, else 0.
 * @pad2: Zero.
 */
struct nqd_udp_tuple {
	__u16 family;
	__be16 local_port;
	__be16 peer_port;
	__u16 pad;
	__u8 local[16];
	__u8 peer[16];
	__u32 scope_id;
	__u32 pad2;
};

/**
 * struct nqd_prefix - An IP prefix; bits beyond its length are zero. 24 bytes.
 * @family: AF_INET (2) or AF_INET6 (10).
 * @prefix_len: 0-32 or 0-128.
 * @pad: Zero.
 * @address: IPv4 takes the first four bytes, the rest is zero.
 */
struct nqd_prefix {
	__u16 family;
	__u8 prefix_len;
	__u8 pad[5];
	__u8 address[16];
};

/**
 * struct nqd_cid - A connection ID with its sequence number (RFC 9000 section 5.1.1). 32
 * bytes.
 * @len: 0-20.
 * @pad: Zero.
 * @id: Zero beyond len.
 */
struct nqd_cid {
	__u64 sequence;
	__u8 len;
	__u8 pad[3];
	__u8 id[NQD_CID_MAX_LEN];
};

/**
 * struct nqd_reset_token - Stateless reset token that the peer gave with one of its connection
 * IDs. 24 bytes.
 * @sequence: Sequence number of that connection ID.
 * @token: Secret.
 */
struct nqd_reset_token {
	__u64 sequence;
	__u8 token[NQD_RESET_TOKEN_LEN];
};

/**
 * struct nqd_transport_params - Transport parameters of one end that matter after the
 * handshake. Defaults are filled in (RFC 9000 section 18.2, RFC 9221 section 3). 32 bytes.
 * @max_datagram_frame_size: Bytes of a whole DATAGRAM frame; 0: not negotiated.
 * @max_idle_timeout_ms: 0: none.
 * @max_udp_payload_size: 1200-65527.
 * @max_ack_delay_ms: 0-16383.
 * @ack_delay_exponent: 0-20.
 * @active_connection_id_limit: 2 or more.
 */
struct nqd_transport_params {
	__u64 max_datagram_frame_size;
	__u64 max_idle_timeout_ms;
	__u32 max_udp_payload_size;
	__u32 max_ack_delay_ms;
	__u32 ack_delay_exponent;
	__u32 active_connection_id_limit;
};

/**
 * struct nqd_packet_key - Packet protection key and IV of one direction and generation (RFC
 * 9001 section 5.1). 48 bytes.
 * @key: Secret; 16 or 32 bytes by cipher suite, the rest is zero.
 * @iv: Secret.
 * @pad: Zero.
 */
struct nqd_packet_key {
	__u8 key[NQD_KEY_MAX_LEN];
	__u8 iv[NQD_IV_LEN];
	__u8 pad[4];
};

/**
 * struct nqd_header_key - Header protection key of one direction; the same in every generation
 * (RFC 9001 section 6.1). 32 bytes.
 * @key: Secret; 16 or 32 bytes by cipher suite, the rest is zero.
 */
struct nqd_header_key {
	__u8 key[NQD_KEY_MAX_LEN];
};

/**
 * struct nqd_traffic_secret - Traffic secret of one direction and generation. 56 bytes.
 * @len: 32 or 48, by the hash of the cipher suite.
 * @pad: Zero.
 * @secret: Secret; zero beyond len.
 */
struct nqd_traffic_secret {
	__u32 len;
	__u32 pad;
	__u8 secret[NQD_SECRET_MAX_LEN];
};

/**
 * struct nqd_key_state - Where a connection stands in its key updates (RFC 9001 section 6).
 * Packet numbers: 2^64-1 stands for none. 40 bytes.
 * @generation: Key updates so far; the key phase bit is its lowest bit.
 * @tx_phase_start: First packet number sent, or to be sent, in this generation.
 * @rx_phase_start: Lowest packet number received in this generation, or none.
 * @tx_sealed: Packets sealed with the current TX key.
 * @rx_failed: Packets whose authentication failed, over all generations.
 */
struct nqd_key_state {
	__u64 generation;
	__u64 tx_phase_start;
	__u64 rx_phase_start;
	__u64 tx_sealed;
	__u64 rx_failed;
};

/**
 * struct nqd_tx_state - Packet numbers of our packets. 2^64-1 stands for none. 16 bytes.
 * @next_pn: Next packet number to send; 0 to 2^62-1.
 * @largest_acked: Largest that the peer acknowledged, or none.
 */
struct nqd_tx_state {
	__u64 next_pn;
	__u64 largest_acked;
};

/**
 * struct nqd_rx_state - What was received, besides the ranges. Packet numbers: 2^64-1 stands
 * for none. 32 bytes.
 * @duplicate_floor: Every packet number below it counts as received.
 * @largest_received: Largest received, or none.
 * @largest_age_ns: Nanoseconds since it was received.
 * @ack_eliciting_pending: Ack-eliciting packets received and not yet acknowledged.
 * @pad: Zero.
 */
struct nqd_rx_state {
	__u64 duplicate_floor;
	__u64 largest_received;
	__u64 largest_age_ns;
	__u32 ack_eliciting_pending;
	__u32 pad;
};

/**
 * struct nqd_pn_range - Packet numbers from smallest to largest, both included. 16 bytes.
 */
struct nqd_pn_range {
	__u64 smallest;
	__u64 largest;
};

/**
 * struct nqd_ecn_counts - Packets by ECN codepoint (RFC 9000 section 19.3.2). 24 bytes.
 */
struct nqd_ecn_counts {
	__u64 ect0;
	__u64 ect1;
	__u64 ce;
};

/**
 * struct nqd_rtt_state - Round-trip time, nanoseconds (RFC 9002 section 5). 32 bytes.
 * @latest_ns: 0: no sample yet, smoothed is the initial estimate.
 * @min_ns: 0: no sample yet.
 */
struct nqd_rtt_state {
	__u64 latest_ns;
	__u64 smoothed_ns;
	__u64 variation_ns;
	__u64 min_ns;
};

/**
 * struct nqd_cipher_cap - A cipher suite that this kernel can use. 128 bytes.
 * @suite: enum nqd_cipher_suite.
 * @asynchronous: 1: the driver may complete later.
 * @driver: cra_driver_name, zero-terminated.
 */
struct nqd_cipher_cap {
	__u32 suite;
	__u32 asynchronous;
	char driver[NQD_DRIVER_NAME_LEN];
};

/**
 * struct nqd_l3_stats - IP packets inside the tunnel. 32 bytes.
 */
struct nqd_l3_stats {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;
};

/**
 * struct nqd_quic_stats - QUIC packets; bytes are UDP payload. 64 bytes.
 * @tx_ack_only_packets: Sent packets that were not ack-eliciting.
 * @tx_probe_packets: PTO and PMTU probes.
 * @pacing_delays: Times that the pacer held the queue.
 * @pacing_delay_ns: Nanoseconds in total.
 */
struct nqd_quic_stats {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;
	__u64 tx_ack_only_packets;
	__u64 tx_probe_packets;
	__u64 pacing_delays;
	__u64 pacing_delay_ns;
};

/**
 * struct nqd_frame_stats - Frames. 64 bytes.
 * @lost_datagram: DATAGRAM frames in packets declared lost; never sent again.
 * @pad: Zero.
 */
struct nqd_frame_stats {
	__u64 rx_datagram;
	__u64 tx_datagram;
	__u64 rx_ack;
	__u64 tx_ack;
	__u64 rx_other;
	__u64 tx_other;
	__u64 lost_datagram;
	__u64 pad;
};

/**
 * struct nqd_key_stats - Packet protection. 80 bytes.
 * @tx_sealed: With the current key.
 * @tx_limit: Confidentiality limit in force.
 * @rx_failed: Over all keys.
 * @rx_limit: Integrity limit in force.
 */
struct nqd_key_stats {
	__u64 updates_local;
	__u64 updates_peer;
	__u64 update_failures;
	__u64 seal_failures;
	__u64 open_failures;
	__u64 header_failures;
	__u64 tx_sealed;
	__u64 tx_limit;
	__u64 rx_failed;
	__u64 rx_limit;
};

/**
 * struct nqd_offload_stats - Batching. 32 bytes.
 * @gso_packets: Super-packets sent.
 * @gso_segments: QUIC packets in them.
 * @gro_packets: Coalesced inner packets delivered.
 * @gro_segments: Inner packets in them.
 */
struct nqd_offload_stats {
	__u64 gso_packets;
	__u64 gso_segments;
	__u64 gro_packets;
	__u64 gro_segments;
};

/**
 * struct nqd_recovery_stats - Loss recovery and congestion control. 80 bytes.
 * @congestion_window: Bytes.
 * @slow_start_threshold: Bytes; 2^64-1: none yet.
 * @pacing_rate: Bytes a second; 0: not paced.
 * @spurious_losses: Acknowledged after they were declared lost.
 * @persistent_congestion: Times.
 * @pto_count: Probe timeouts, in total.
 */
struct nqd_recovery_stats {
	__u64 congestion_window;
	__u64 slow_start_threshold;
	__u64 bytes_in_flight;
	__u64 pacing_rate;
	__u64 packets_lost;
	__u64 bytes_lost;
	__u64 spurious_losses;
	__u64 congestion_events;
	__u64 persistent_congestion;
	__u64 pto_count;
};

/**
 * struct nqd_queue_stats - One TX queue of a device. 32 bytes.
 * @queue: Index.
 * @pad: Zero.
 * @tx_packets: IP packets that the device was given on it.
 * @tx_bytes: Of these.
 * @tx_dropped: Of these, before or after they have waited.
 */
struct nqd_queue_stats {
	__u32 queue;
	__u32 pad;
	__u64 tx_packets;
	__u64 tx_bytes;
	__u64 tx_dropped;
};

/**
 * struct nqd_drop_count - How often a packet was dropped for one reason. 16 bytes.
 * @reason: enum nqd_drop_reason.
 * @pad: Zero.
 */
struct nqd_drop_count {
	__u32 reason;
	__u32 pad;
	__u64 packets;
};

/* Top-level attributes. A nested set is told apart by the number of its attribute here. */
enum nqd_attr {
	NQD_A_PAD = 1,
	NQD_A_ABI_VERSION,
	NQD_A_REQUIRED,
	NQD_A_CAPS,
	NQD_A_DEVICE,
	NQD_A_SESSION,
	NQD_A_STATE,
	NQD_A_KEYS,
	NQD_A_HELD,
	NQD_A_ROUTE,
	NQD_A_CLOSE,
	NQD_A_FRAMES,
	NQD_A_EVENT,
	NQD_A_STATS,
	NQD_A_DEBUG,

	__NQD_A_MAX,
	NQD_A_MAX = __NQD_A_MAX - 1
};

/* Capabilities. */
enum nqd_attr_caps {
	NQD_A_CAPS_PAD = 1,
	NQD_A_CAPS_ABI_MIN,
	NQD_A_CAPS_ABI_MAX,
	NQD_A_CAPS_MODULE_VERSION,
	NQD_A_CAPS_CIPHER,
	NQD_A_CAPS_CONGESTION,
	NQD_A_CAPS_FEATURES,
	NQD_A_CAPS_MAX_SESSIONS,

	__NQD_A_CAPS_MAX,
	NQD_A_CAPS_MAX = __NQD_A_CAPS_MAX - 1
};

/* A virtual network device, one for each L3 network. */
enum nqd_attr_device {
	NQD_A_DEVICE_PAD = 1,
	NQD_A_DEVICE_ID,
	NQD_A_DEVICE_IFINDEX,
	NQD_A_DEVICE_IFNAME,
	NQD_A_DEVICE_GENERATION,
	NQD_A_DEVICE_NETWORK_ID,
	NQD_A_DEVICE_ROUTE_EPOCH,
	NQD_A_DEVICE_MTU,
	NQD_A_DEVICE_FLAGS,
	NQD_A_DEVICE_FWMARK,
	NQD_A_DEVICE_DSCP_POLICY,
	NQD_A_DEVICE_DSCP,
	NQD_A_DEVICE_ECN_POLICY,
	NQD_A_DEVICE_QUEUES,
	NQD_A_DEVICE_OWNER_PORT,
	NQD_A_DEVICE_SESSION_COUNT,
	NQD_A_DEVICE_IN_NETNS,

	__NQD_A_DEVICE_MAX,
	NQD_A_DEVICE_MAX = __NQD_A_DEVICE_MAX - 1
};

/* An installed QUIC connection. */
enum nqd_attr_session {
	NQD_A_SESSION_PAD = 1,
	NQD_A_SESSION_DEVICE_ID,
	NQD_A_SESSION_ID,
	NQD_A_SESSION_GENERATION,
	NQD_A_SESSION_ROLE,
	NQD_A_SESSION_QUIC_VERSION,
	NQD_A_SESSION_STATE,
	NQD_A_SESSION_SOCKET_FD,
	NQD_A_SESSION_UDP_TUPLE,
	NQD_A_SESSION_LOCAL_CID,
	NQD_A_SESSION_PEER_CID,
	NQD_A_SESSION_RESET_TOKEN,
	NQD_A_SESSION_CIPHER_SUITE,
	NQD_A_SESSION_PARAMS_LOCAL,
	NQD_A_SESSION_PARAMS_PEER,
	NQD_A_SESSION_IDLE_TIMEOUT_MS,
	NQD_A_SESSION_KEEPALIVE_MS,
	NQD_A_SESSION_DATAGRAM_SIZE,
	NQD_A_SESSION_MTU,
	NQD_A_SESSION_FLAGS,
	NQD_A_SESSION_CONGESTION,
	NQD_A_SESSION_LAB_RATE,
	NQD_A_SESSION_NETWORK_ID,
	NQD_A_SESSION_ALLOWED_SOURCE,
	NQD_A_SESSION_ROUTE_EPOCH,
	NQD_A_SESSION_CONFIDENTIALITY_LIMIT,
	NQD_A_SESSION_INTEGRITY_LIMIT,
	NQD_A_SESSION_FWMARK,
	NQD_A_SESSION_DSCP_POLICY,
	NQD_A_SESSION_DSCP,
	NQD_A_SESSION_ECN_POLICY,
	NQD_A_SESSION_KEY_GENERATION,

	__NQD_A_SESSION_MAX,
	NQD_A_SESSION_MAX = __NQD_A_SESSION_MAX - 1
};

/*
 * Transport state of an established connection at the moment of its activation. Nothing ack-
 * eliciting is in flight.
 */
enum nqd_attr_state {
	NQD_A_STATE_PAD = 1,
	NQD_A_STATE_TX,
	NQD_A_STATE_RX,
	NQD_A_STATE_RECEIVED_RANGE,
	NQD_A_STATE_ECN_RECEIVED,
	NQD_A_STATE_ECN_ACKED,
	NQD_A_STATE_ECN_SENT,
	NQD_A_STATE_ECN_STATE,
	NQD_A_STATE_RTT,

	__NQD_A_STATE_MAX,
	NQD_A_STATE_MAX = __NQD_A_STATE_MAX - 1
};

/*
 * Keys of one generation. v1: tx-key, rx-key and those of the next generation; v2: tx-secret
 * and rx- secret, from which the kernel derives all later ones. The header protection keys
 * are always those of the first generation.
 */
enum nqd_attr_keys {
	NQD_A_KEYS_PAD = 1,
	NQD_A_KEYS_STATE,
	NQD_A_KEYS_GENERATION,
	NQD_A_KEYS_TX_HEADER_KEY,
	NQD_A_KEYS_RX_HEADER_KEY,
	NQD_A_KEYS_TX_KEY,
	NQD_A_KEYS_RX_KEY,
	NQD_A_KEYS_NEXT_TX_KEY,
	NQD_A_KEYS_NEXT_RX_KEY,
	NQD_A_KEYS_PREVIOUS_RX_KEY,
	NQD_A_KEYS_TX_SECRET,
	NQD_A_KEYS_RX_SECRET,
	NQD_A_KEYS_PREVIOUS_RX_SECRET,

	__NQD_A_KEYS_MAX,
	NQD_A_KEYS_MAX = __NQD_A_KEYS_MAX - 1
};

/* A drained datagram. */
enum nqd_attr_held {
	NQD_A_HELD_PAD = 1,
	NQD_A_HELD_UDP_TUPLE,
	NQD_A_HELD_ECN,
	NQD_A_HELD_PAYLOAD,

	__NQD_A_HELD_MAX,
	NQD_A_HELD_MAX = __NQD_A_HELD_MAX - 1
};

/* An inner destination prefix and the session that it leads to. */
enum nqd_attr_route {
	NQD_A_ROUTE_PAD = 1,
	NQD_A_ROUTE_DEVICE_ID,
	NQD_A_ROUTE_PREFIX,
	NQD_A_ROUTE_SESSION_ID,
	NQD_A_ROUTE_GENERATION,
	NQD_A_ROUTE_EPOCH,

	__NQD_A_ROUTE_MAX,
	NQD_A_ROUTE_MAX = __NQD_A_ROUTE_MAX - 1
};

/* CONNECTION_CLOSE, to be sent or received (RFC 9000 section 19.19). */
enum nqd_attr_close {
	NQD_A_CLOSE_PAD = 1,
	NQD_A_CLOSE_MODE,
	NQD_A_CLOSE_ERROR_CODE,
	NQD_A_CLOSE_APPLICATION,
	NQD_A_CLOSE_FRAME_TYPE,
	NQD_A_CLOSE_REASON,

	__NQD_A_CLOSE_MAX,
	NQD_A_CLOSE_MAX = __NQD_A_CLOSE_MAX - 1
};

/* Frames or a datagram payload on their way between owner and peer. */
enum nqd_attr_frames {
	NQD_A_FRAMES_PAD = 1,
	NQD_A_FRAMES_TOKEN,
	NQD_A_FRAMES_FLAGS,
	NQD_A_FRAMES_CONTEXT_ID,
	NQD_A_FRAMES_PAYLOAD,
	NQD_A_FRAMES_PACKET_NUMBER,
	NQD_A_FRAMES_LOSSES,

	__NQD_A_FRAMES_MAX,
	NQD_A_FRAMES_MAX = __NQD_A_FRAMES_MAX - 1
};

/* Facts of an event. */
enum nqd_attr_event {
	NQD_A_EVENT_PAD = 1,
	NQD_A_EVENT_ID,
	NQD_A_EVENT_TIME_NS,
	NQD_A_EVENT_DOWN_REASON,
	NQD_A_EVENT_DATAGRAM_SIZE,
	NQD_A_EVENT_MTU,
	NQD_A_EVENT_UDP_TUPLE,
	NQD_A_EVENT_EXPECTED_EPOCH,
	NQD_A_EVENT_FOUND_EPOCH,
	NQD_A_EVENT_KEY_UPDATE_CAUSE,
	NQD_A_EVENT_KEY_GENERATION,
	NQD_A_EVENT_CONGESTION_PHASE,
	NQD_A_EVENT_RECOVERY,
	NQD_A_EVENT_DROP,
	NQD_A_EVENT_ERRNO,
	NQD_A_EVENT_MESSAGE,

	__NQD_A_EVENT_MAX,
	NQD_A_EVENT_MAX = __NQD_A_EVENT_MAX - 1
};

/* Counters, of a session or (sums) of a device. */
enum nqd_attr_stats {
	NQD_A_STATS_PAD = 1,
	NQD_A_STATS_L3,
	NQD_A_STATS_QUIC,
	NQD_A_STATS_FRAME,
	NQD_A_STATS_KEY,
	NQD_A_STATS_OFFLOAD,
	NQD_A_STATS_RECOVERY,
	NQD_A_STATS_RTT,
	NQD_A_STATS_CONGESTION,
	NQD_A_STATS_LAB_MODE,
	NQD_A_STATS_DROP,
	NQD_A_STATS_QUEUE,
	NQD_A_STATS_ECN_RECEIVED,
	NQD_A_STATS_ECN_SENT,
	NQD_A_STATS_ECN_STATE,
	NQD_A_STATS_HELD_DATAGRAMS,
	NQD_A_STATS_UNACKED_EVENTS,

	__NQD_A_STATS_MAX,
	NQD_A_STATS_MAX = __NQD_A_STATS_MAX - 1
};

/* Debugging of a device. */
enum nqd_attr_debug {
	NQD_A_DEBUG_PAD = 1,
	NQD_A_DEBUG_FLAGS,

	__NQD_A_DEBUG_MAX,
	NQD_A_DEBUG_MAX = __NQD_A_DEBUG_MAX - 1
};

/**
 * enum nqd_cmd - Commands.
 * @NQD_CMD_GET_CAPS: Capabilities of this kernel; answered whatever abi-version the
 *	request names.
 * @NQD_CMD_CREATE_DEVICE: Create a virtual device; the caller becomes its owner.
 * @NQD_CMD_UPDATE_DEVICE: Change epoch, MTU, flags, mark, DSCP or ECN policy of a device.
 * @NQD_CMD_DELETE_DEVICE: Delete a device with its sessions (closed silently) and routes.
 * @NQD_CMD_GET_DEVICE: Show a device, or all of the namespace.
 * @NQD_CMD_ADOPT_DEVICE: Become the owner of a device that has none (any more);
 *	unacknowledged events are sent again.
 * @NQD_CMD_ADD_SESSION: Install a session in HOLD: its short headers are queued, nothing
 *	is sent.
 * @NQD_CMD_ACTIVATE_SESSION: Give a session in HOLD its keys, its transport state and the
 *	datagrams that were drained, and let it run.
 * @NQD_CMD_UPDATE_SESSION: Change a session; only what is given changes, lists are
 *	replaced as a whole.
 * @NQD_CMD_DELETE_SESSION: End a session; nothing is decrypted once it has returned.
 * @NQD_CMD_GET_SESSION: Show a session, or all of a device or of the namespace; never its
 *	secrets.
 * @NQD_CMD_SET_KEYS: Install the keys of the generation after the current one (v1);
 *	-EINVAL where secrets were installed. Write-only.
 * @NQD_CMD_KEY_UPDATE: Change the key phase now (RFC 9001 section 6.1).
 * @NQD_CMD_ADD_ROUTE: Add a route; NLM_F_REPLACE lets it take the place of one of the same
 *	prefix.
 * @NQD_CMD_DELETE_ROUTE: Delete a route.
 * @NQD_CMD_GET_ROUTE: Show a route, or all of a device or of the namespace.
 * @NQD_CMD_SEND_FRAMES: Send encoded frames in a packet; sent again after a loss until
 *	acknowledged, unless flagged once.
 * @NQD_CMD_SEND_DATAGRAM: Send a DATAGRAM frame with a context ID other than 0.
 * @NQD_CMD_EVENT_ACK: Release the events of a session up to event.id from its queue.
 * @NQD_CMD_GET_STATS: Counters of a session, of a device, or of all sessions of a device.
 * @NQD_CMD_FLUSH_STATS: Set the counters of a session or of a device to zero.
 * @NQD_CMD_SET_DEBUG: Choose what a device logs.
 */
enum nqd_cmd {
	NQD_CMD_GET_CAPS = 1,
	NQD_CMD_CREATE_DEVICE = 2,
	NQD_CMD_UPDATE_DEVICE = 3,
	NQD_CMD_DELETE_DEVICE = 4,
	NQD_CMD_GET_DEVICE = 5,
	NQD_CMD_ADOPT_DEVICE = 6,
	NQD_CMD_ADD_SESSION = 7,
	NQD_CMD_ACTIVATE_SESSION = 8,
	NQD_CMD_UPDATE_SESSION = 9,
	NQD_CMD_DELETE_SESSION = 10,
	NQD_CMD_GET_SESSION = 11,
	NQD_CMD_SET_KEYS = 12,
	NQD_CMD_KEY_UPDATE = 13,
	NQD_CMD_ADD_ROUTE = 14,
	NQD_CMD_DELETE_ROUTE = 15,
	NQD_CMD_GET_ROUTE = 16,
	NQD_CMD_SEND_FRAMES = 17,
	NQD_CMD_SEND_DATAGRAM = 18,
	NQD_CMD_EVENT_ACK = 19,
	NQD_CMD_GET_STATS = 20,
	NQD_CMD_FLUSH_STATS = 21,
	NQD_CMD_SET_DEBUG = 22,
};

/**
 * enum nqd_event - Events; they share the number space of the commands.
 * @NQD_EVENT_SESSION_UP: A session became active.
 * @NQD_EVENT_SESSION_DOWN: A session is no longer in HOLD or ACTIVE; session.state says
 *	what it is now.
 * @NQD_EVENT_KEY_UPDATE_NEEDED: Half of a key limit is used, or the next keys are missing.
 * @NQD_EVENT_KEY_UPDATE_DONE: The key phase changed.
 * @NQD_EVENT_PATH_MTU_CHANGED: The datagram size of the path changed.
 * @NQD_EVENT_ROUTE_EPOCH_MISMATCH: Packets were dropped because the epochs of session and
 *	network differ; rate limited.
 * @NQD_EVENT_REPLAY_OR_DUPLICATE_DROP: Packets were dropped as replayed or duplicate; rate
 *	limited, with the counts since the last one.
 * @NQD_EVENT_CONGESTION_STATE: The congestion controller entered another phase; rate
 *	limited.
 * @NQD_EVENT_FATAL_ERROR: A device or session cannot go on.
 * @NQD_EVENT_PEER_TUPLE_CHANGED: An authenticated packet came from another endpoint; with
 *	migration off it was dropped. Rate limited.
 * @NQD_EVENT_DEVICE_DOWN: A device was deleted or is going away with its namespace.
 * @NQD_EVENT_FRAMES_RECEIVED: CRYPTO, NEW_TOKEN, NEW_CONNECTION_ID, RETIRE_CONNECTION_ID
 *	or STREAM frames for the owner; unicast, to be acknowledged by EVENT_ACK.
 * @NQD_EVENT_DATAGRAM_RECEIVED: A DATAGRAM payload of a context other than 0; unicast, to
 *	be acknowledged by EVENT_ACK.
 * @NQD_EVENT_FRAMES_ACKED: The peer acknowledged the packet that carried frames of the
 *	owner; unicast, to be acknowledged by EVENT_ACK.
 * @NQD_EVENT_FRAMES_LOST: A packet that carried frames of the owner was declared lost;
 *	unicast, to be acknowledged by EVENT_ACK.
 */
enum nqd_event {
	NQD_EVENT_SESSION_UP = 64,
	NQD_EVENT_SESSION_DOWN = 65,
	NQD_EVENT_KEY_UPDATE_NEEDED = 66,
	NQD_EVENT_KEY_UPDATE_DONE = 67,
	NQD_EVENT_PATH_MTU_CHANGED = 68,
	NQD_EVENT_ROUTE_EPOCH_MISMATCH = 69,
	NQD_EVENT_REPLAY_OR_DUPLICATE_DROP = 70,
	NQD_EVENT_CONGESTION_STATE = 71,
	NQD_EVENT_FATAL_ERROR = 72,
	NQD_EVENT_PEER_TUPLE_CHANGED = 73,
	NQD_EVENT_DEVICE_DOWN = 74,
	NQD_EVENT_FRAMES_RECEIVED = 96,
	NQD_EVENT_DATAGRAM_RECEIVED = 97,
	NQD_EVENT_FRAMES_ACKED = 98,
	NQD_EVENT_FRAMES_LOST = 99,
};

#define NQD_MCGRP_STATE "state"

#endif /* _UAPI_NEXUS_QUIC_DCO_H */

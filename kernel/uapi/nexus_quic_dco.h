/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Generated from spec/nexus_quic_dco.yaml, do not edit.
 * Change the specification, then run `make generate`.
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
#define NQD_ALLOWED_SOURCES_MAX 0x100

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
#define NQD_FRAMES_MAX_LEN 0x480

/* Longest UDP payload (RFC 9000 section 18.2). */
#define NQD_DATAGRAM_MAX_LEN 0xfff7

/* Longest reason phrase of a CONNECTION_CLOSE frame that is sent or reported. */
#define NQD_REASON_MAX_LEN 0x100

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

#endif /* _UAPI_NEXUS_QUIC_DCO_H */

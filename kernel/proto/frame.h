/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * RFC 9000 section 19, RFC 9221 section 4: the frames of a 1-RTT packet, read and written.
 *
 * Reading: nqd_frame_next() walks the payload of a packet and checks every rule that one frame can
 * break by itself. Rules that need more (who may send the frame, stream state, the DATAGRAM limit)
 * are the connection's; nqd_frame_from_client() helps with the first.
 *
 * Writing: every nqd_frame_put_...() returns the bytes written, or -ENOSPC where @room is too
 * small, and then has written nothing.
 */
#ifndef _NQD_PROTO_FRAME_H
#define _NQD_PROTO_FRAME_H

#include "base.h"
#include "ecn.h"
#include "error.h"
#include "pn.h"
#include "uapi/nexus_quic_dco.h"

/**
 * enum nqd_frame_type - RFC 9000 table 3, RFC 9221 section 4: types that a 1-RTT packet may carry
 * @NQD_FRAME_PADDING: one byte of nothing
 * @NQD_FRAME_PING: elicits an acknowledgement
 * @NQD_FRAME_ACK: acknowledgement
 * @NQD_FRAME_ACK_ECN: acknowledgement with ECN counts
 * @NQD_FRAME_RESET_STREAM: the sender abandons its side of a stream
 * @NQD_FRAME_STOP_SENDING: asks the peer to abandon a stream
 * @NQD_FRAME_CRYPTO: handshake data
 * @NQD_FRAME_NEW_TOKEN: token for a later connection
 * @NQD_FRAME_STREAM: first of eight types; the low bits are NQD_FRAME_STREAM_...
 * @NQD_FRAME_STREAM_LAST: last of them
 * @NQD_FRAME_MAX_DATA: credit for all streams together
 * @NQD_FRAME_MAX_STREAM_DATA: credit for one stream
 * @NQD_FRAME_MAX_STREAMS_BIDI: how many bidirectional streams may be opened
 * @NQD_FRAME_MAX_STREAMS_UNI: how many unidirectional streams may be opened
 * @NQD_FRAME_DATA_BLOCKED: out of credit
 * @NQD_FRAME_STREAM_DATA_BLOCKED: out of credit on one stream
 * @NQD_FRAME_STREAMS_BLOCKED_BIDI: no bidirectional stream may be opened any more
 * @NQD_FRAME_STREAMS_BLOCKED_UNI: no unidirectional stream may be opened any more
 * @NQD_FRAME_NEW_CONNECTION_ID: another connection ID for the peer to use
 * @NQD_FRAME_RETIRE_CONNECTION_ID: a connection ID is not used any more
 * @NQD_FRAME_PATH_CHALLENGE: checks that a path works
 * @NQD_FRAME_PATH_RESPONSE: answers PATH_CHALLENGE
 * @NQD_FRAME_CONNECTION_CLOSE: closes, for a reason of the transport
 * @NQD_FRAME_CONNECTION_CLOSE_APP: closes, for a reason of the application
 * @NQD_FRAME_HANDSHAKE_DONE: the server has confirmed the handshake
 * @NQD_FRAME_DATAGRAM: unreliable data up to the end of the packet
 * @NQD_FRAME_DATAGRAM_LEN: unreliable data with a length
 */
enum nqd_frame_type {
	NQD_FRAME_PADDING = 0x00,
	NQD_FRAME_PING = 0x01,
	NQD_FRAME_ACK = 0x02,
	NQD_FRAME_ACK_ECN = 0x03,
	NQD_FRAME_RESET_STREAM = 0x04,
	NQD_FRAME_STOP_SENDING = 0x05,
	NQD_FRAME_CRYPTO = 0x06,
	NQD_FRAME_NEW_TOKEN = 0x07,
	NQD_FRAME_STREAM = 0x08,
	NQD_FRAME_STREAM_LAST = 0x0f,
	NQD_FRAME_MAX_DATA = 0x10,
	NQD_FRAME_MAX_STREAM_DATA = 0x11,
	NQD_FRAME_MAX_STREAMS_BIDI = 0x12,
	NQD_FRAME_MAX_STREAMS_UNI = 0x13,
	NQD_FRAME_DATA_BLOCKED = 0x14,
	NQD_FRAME_STREAM_DATA_BLOCKED = 0x15,
	NQD_FRAME_STREAMS_BLOCKED_BIDI = 0x16,
	NQD_FRAME_STREAMS_BLOCKED_UNI = 0x17,
	NQD_FRAME_NEW_CONNECTION_ID = 0x18,
	NQD_FRAME_RETIRE_CONNECTION_ID = 0x19,
	NQD_FRAME_PATH_CHALLENGE = 0x1a,
	NQD_FRAME_PATH_RESPONSE = 0x1b,
	NQD_FRAME_CONNECTION_CLOSE = 0x1c,
	NQD_FRAME_CONNECTION_CLOSE_APP = 0x1d,
	NQD_FRAME_HANDSHAKE_DONE = 0x1e,
	NQD_FRAME_DATAGRAM = 0x30,
	NQD_FRAME_DATAGRAM_LEN = 0x31,
};

/* RFC 9000 section 19.8: the low bits of a STREAM frame's type. */
#define NQD_FRAME_STREAM_FIN 0x01
#define NQD_FRAME_STREAM_LEN 0x02
#define NQD_FRAME_STREAM_OFF 0x04

/* RFC 9000 section 19.17: bytes of path validation data. */
#define NQD_PATH_DATA_LEN 8

/* RFC 9000 section 18.2: larger values of ack_delay_exponent are invalid. */
#define NQD_FRAME_ACK_DELAY_EXPONENT_MAX 20

/**
 * enum nqd_frame_class - where a frame is dealt with
 * @NQD_FRAME_HERE: in the data plane
 * @NQD_FRAME_HAND_UP: in user space, which gets the bytes of the frame
 */
enum nqd_frame_class {
	NQD_FRAME_HERE,
	NQD_FRAME_HAND_UP,
};

/**
 * struct nqd_frame_ack - RFC 9000 section 19.3: ACK
 * @largest: largest packet number acknowledged
 * @delay: as encoded; see nqd_frame_ack_delay()
 * @range_count: ranges after the first
 * @first_range: numbers acknowledged that directly precede @largest
 * @ranges: Gap and Length of the further ranges, in the payload
 * @ecn: counts; zero in a plain ACK
 */
struct nqd_frame_ack {
	u64 largest;
	u64 delay;
	u64 range_count;
	u64 first_range;
	struct nqd_span ranges;
	struct nqd_ecn_counts ecn;
};

/**
 * struct nqd_frame_stream - RFC 9000 sections 19.4 to 19.6, 19.8: what concerns a stream
 * @id: stream ID (not CRYPTO)
 * @offset: of the data (STREAM, CRYPTO), or the final size (RESET_STREAM)
 * @error: the application's code (RESET_STREAM, STOP_SENDING)
 * @data: the data (STREAM, CRYPTO)
 * @fin: the stream ends with the data (STREAM)
 */
struct nqd_frame_stream {
	u64 id;
	u64 offset;
	u64 error;
	struct nqd_span data;
	bool fin;
};

/**
 * struct nqd_frame_limit - RFC 9000 sections 19.9 to 19.14: flow control
 * @id: stream ID (MAX_STREAM_DATA, STREAM_DATA_BLOCKED)
 * @value: limit: bytes, or streams
 */
struct nqd_frame_limit {
	u64 id;
	u64 value;
};

/**
 * struct nqd_frame_new_cid - RFC 9000 section 19.15: NEW_CONNECTION_ID
 * @sequence: sequence number
 * @retire_prior_to: IDs with a lower sequence number are to be retired
 * @cid: connection ID, 1 to 20 bytes
 * @token: stateless reset token, 16 bytes
 */
struct nqd_frame_new_cid {
	u64 sequence;
	u64 retire_prior_to;
	struct nqd_span cid;
	struct nqd_span token;
};

/**
 * struct nqd_frame_close - RFC 9000 section 19.19: CONNECTION_CLOSE
 * @code: enum nqd_quic_error and beyond, or the application's own
 * @frame_type: type that caused the error, 0 if unknown; 0 in an application's close
 * @reason: for a human
 */
struct nqd_frame_close {
	u64 code;
	u64 frame_type;
	struct nqd_span reason;
};

/**
 * struct nqd_frame - a frame read
 * @type: enum nqd_frame_type
 * @bytes: the whole frame, in the payload; of PADDING the whole run
 * @ack: ACK, ACK_ECN
 * @stream: RESET_STREAM, STOP_SENDING, CRYPTO, STREAM
 * @limit: MAX_..., ..._BLOCKED
 * @new_cid: NEW_CONNECTION_ID
 * @retired: RETIRE_CONNECTION_ID: sequence number
 * @close: CONNECTION_CLOSE, CONNECTION_CLOSE_APP
 * @data: DATAGRAM, DATAGRAM_LEN, NEW_TOKEN, PATH_CHALLENGE, PATH_RESPONSE: what they carry
 */
struct nqd_frame {
	u32 type;
	struct nqd_span bytes;
	union {
		struct nqd_frame_ack ack;
		struct nqd_frame_stream stream;
		struct nqd_frame_limit limit;
		struct nqd_frame_new_cid new_cid;
		struct nqd_frame_close close;
		struct nqd_span data;
		u64 retired;
	};
};

/**
 * struct nqd_frame_iter - walks the frames of a payload
 * @start: the payload
 * @p: next byte to read
 * @end: the byte after the payload
 * @error: enum nqd_quic_error, once nqd_frame_next() returned a negative value
 * @error_frame_type: type of the frame that broke the rule; 0 where it is unknown
 */
struct nqd_frame_iter {
	const u8 *start;
	const u8 *p;
	const u8 *end;
	u64 error;
	u64 error_frame_type;
};

/**
 * struct nqd_ack_iter - walks the ranges of an ACK frame, newest first
 * @frames: where the next range begins
 * @left: ranges left
 * @smallest: of the range that comes next if it is the first, of the one before otherwise
 * @largest: likewise
 * @started: the first range has been read
 */
struct nqd_ack_iter {
	struct nqd_frame_iter frames;
	u64 left;
	u64 smallest;
	u64 largest;
	bool started;
};

void nqd_frame_iter_init(struct nqd_frame_iter *it, const u8 *payload, size_t len);
int nqd_frame_next(struct nqd_frame_iter *it, struct nqd_frame *f);

void nqd_frame_ack_init(struct nqd_ack_iter *it, const struct nqd_frame *ack, const u8 *payload);
bool nqd_frame_ack_next(struct nqd_ack_iter *it, u64 *smallest, u64 *largest);
u64 nqd_frame_ack_delay(const struct nqd_frame *ack, u8 exponent);

enum nqd_frame_class nqd_frame_class(u32 type);
bool nqd_frame_ack_eliciting(u32 type);
bool nqd_frame_probing(u32 type);
bool nqd_frame_from_client(u32 type);

int nqd_frame_put_padding(u8 *p, size_t room, size_t len);
int nqd_frame_put_ping(u8 *p, size_t room);
int nqd_frame_put_ack(u8 *p, size_t room, const struct nqd_pn_range *ranges, u32 count, u64 delay,
		      const struct nqd_ecn_counts *ecn);
int nqd_frame_put_reset_stream(u8 *p, size_t room, u64 id, u64 error, u64 final_size);
int nqd_frame_put_stop_sending(u8 *p, size_t room, u64 id, u64 error);
int nqd_frame_put_crypto(u8 *p, size_t room, u64 offset, const u8 *data, size_t len);
int nqd_frame_put_new_token(u8 *p, size_t room, const u8 *token, size_t len);
int nqd_frame_put_stream(u8 *p, size_t room, u64 id, u64 offset, const u8 *data, size_t len,
			 bool fin);
int nqd_frame_put_limit(u8 *p, size_t room, u32 type, u64 id, u64 value);
int nqd_frame_put_new_connection_id(u8 *p, size_t room, u64 sequence, u64 retire_prior_to,
				    const u8 *cid, size_t cid_len, const u8 *token);
int nqd_frame_put_retire_connection_id(u8 *p, size_t room, u64 sequence);
int nqd_frame_put_path_challenge(u8 *p, size_t room, const u8 *data);
int nqd_frame_put_path_response(u8 *p, size_t room, const u8 *data);
int nqd_frame_put_connection_close(u8 *p, size_t room, u64 code, u64 frame_type, const u8 *reason,
				   size_t len);
int nqd_frame_put_connection_close_app(u8 *p, size_t room, u64 code, const u8 *reason, size_t len);
int nqd_frame_put_handshake_done(u8 *p, size_t room);
int nqd_frame_put_datagram_header(u8 *p, size_t room, bool with_length, size_t len);

#endif

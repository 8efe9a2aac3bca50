// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* RFC 9000 section 19, RFC 9221 section 4: writing frames. */
#include "frame.h"
#include "varint.h"

/* No frame begins with more numbers than NEW_CONNECTION_ID or an ACK frame with one range. */
#define NQD_FRAME_FIELDS_MAX 5

/*
 * Write @count numbers, the type first, then leave room for @extra bytes. Values that have no
 * encoding are the caller's mistake: -EINVAL.
 */
static int nqd_frame_put_fields(u8 *p, size_t room, const u64 *fields, unsigned int count,
				size_t extra)
{
	size_t len = extra;
	unsigned int i;
	u8 *at = p;

	for (i = 0; i < count; i++) {
		unsigned int field_len = nqd_varint_len(fields[i]);

		if (WARN_ON_ONCE(field_len == 0))
			return -EINVAL;
		len += field_len;
	}
	if (len > room)
		return -ENOSPC;
	for (i = 0; i < count; i++)
		at = nqd_varint_put(at, fields[i]);
	return (int)(at - p);
}

/* Numbers, then @data. */
static int nqd_frame_put_data(u8 *p, size_t room, const u64 *fields, unsigned int count,
			      const u8 *data, size_t data_len)
{
	int len = nqd_frame_put_fields(p, room, fields, count, data_len);

	if (len < 0)
		return len;
	if (data_len)
		memcpy(p + len, data, data_len);
	return len + (int)data_len;
}

/**
 * nqd_frame_put_padding() - RFC 9000 section 19.1: PADDING
 * @p: where to
 * @room: bytes there
 * @len: number of PADDING frames, a byte each
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_padding(u8 *p, size_t room, size_t len)
{
	if (len > room)
		return -ENOSPC;
	memset(p, NQD_FRAME_PADDING, len);
	return (int)len;
}

/**
 * nqd_frame_put_ping() - RFC 9000 section 19.2: PING
 * @p: where to
 * @room: bytes there
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_ping(u8 *p, size_t room)
{
	const u64 fields[] = { NQD_FRAME_PING };

	return nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields), 0);
}

/* RFC 9000 section 19.3.1: how far a range lies below the one above, and its length, as encoded. */
static void nqd_frame_ack_fields(const struct nqd_pn_range *above, u64 *gap, u64 *len)
{
	const struct nqd_pn_range *range = above + 1;

	*gap = above->smallest - range->largest - 2;
	*len = range->largest - range->smallest;
}

/**
 * nqd_frame_put_ack() - RFC 9000 section 19.3: ACK, or ACK_ECN
 * @p: where to
 * @room: bytes there
 * @ranges: packet numbers to acknowledge, newest first; at least one is missing between two ranges
 * @count: of @ranges, 1 or more
 * @delay: ACK Delay, in the unit that this end's ack_delay_exponent says
 * @ecn: counts to report, or NULL
 *
 * Where the room does not suffice the oldest ranges are left out.
 *
 * Return: bytes written, -ENOSPC where not even one range fits.
 */
int nqd_frame_put_ack(u8 *p, size_t room, const struct nqd_pn_range *ranges, u32 count, u64 delay,
		      const struct nqd_ecn_counts *ecn)
{
	u64 fields[NQD_FRAME_FIELDS_MAX] = {
		ecn ? NQD_FRAME_ACK_ECN : NQD_FRAME_ACK,
		ranges[0].largest,
		delay,
		0,
		ranges[0].largest - ranges[0].smallest,
	};
	size_t ecn_len = 0, len = 0;
	u64 gap, range_len;
	int head_len;
	u32 i, fit;
	u8 *at;

	if (ecn)
		ecn_len = nqd_varint_len(ecn->ect0) + nqd_varint_len(ecn->ect1) +
			  nqd_varint_len(ecn->ce);
	/* How many of them fit? A count above 63 takes two bytes. */
	if (count > 1) {
		len = 1 + nqd_varint_len(fields[1]) + nqd_varint_len(delay) +
		      nqd_varint_len(fields[4]) + ecn_len;
	}
	for (fit = 1; fit < count; fit++) {
		nqd_frame_ack_fields(&ranges[fit - 1], &gap, &range_len);
		len += nqd_varint_len(gap) + nqd_varint_len(range_len);
		if (len + nqd_varint_len(fit) > room)
			break;
	}
	fields[3] = fit - 1;
	head_len = nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields), ecn_len);
	if (head_len < 0)
		return head_len;
	at = p + head_len;
	for (i = 1; i < fit; i++) {
		nqd_frame_ack_fields(&ranges[i - 1], &gap, &range_len);
		at = nqd_varint_put(at, gap);
		at = nqd_varint_put(at, range_len);
	}
	if (ecn) {
		at = nqd_varint_put(at, ecn->ect0);
		at = nqd_varint_put(at, ecn->ect1);
		at = nqd_varint_put(at, ecn->ce);
	}
	return (int)(at - p);
}

/**
 * nqd_frame_put_reset_stream() - RFC 9000 section 19.4: RESET_STREAM
 * @p: where to
 * @room: bytes there
 * @id: stream ID
 * @error: the application's reason
 * @final_size: bytes sent on the stream
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_reset_stream(u8 *p, size_t room, u64 id, u64 error, u64 final_size)
{
	const u64 fields[] = { NQD_FRAME_RESET_STREAM, id, error, final_size };

	return nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields), 0);
}

/**
 * nqd_frame_put_stop_sending() - RFC 9000 section 19.5: STOP_SENDING
 * @p: where to
 * @room: bytes there
 * @id: stream ID
 * @error: the application's reason
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_stop_sending(u8 *p, size_t room, u64 id, u64 error)
{
	const u64 fields[] = { NQD_FRAME_STOP_SENDING, id, error };

	return nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields), 0);
}

/**
 * nqd_frame_put_crypto() - RFC 9000 section 19.6: CRYPTO
 * @p: where to
 * @room: bytes there
 * @offset: of the data in the crypto stream
 * @data: bytes of TLS messages
 * @len: of @data
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_crypto(u8 *p, size_t room, u64 offset, const u8 *data, size_t len)
{
	const u64 fields[] = { NQD_FRAME_CRYPTO, offset, len };

	return nqd_frame_put_data(p, room, fields, ARRAY_SIZE(fields), data, len);
}

/**
 * nqd_frame_put_new_token() - RFC 9000 section 19.7: NEW_TOKEN
 * @p: where to
 * @room: bytes there
 * @token: opaque to the client
 * @len: of @token, 1 byte or more
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_new_token(u8 *p, size_t room, const u8 *token, size_t len)
{
	const u64 fields[] = { NQD_FRAME_NEW_TOKEN, len };

	return nqd_frame_put_data(p, room, fields, ARRAY_SIZE(fields), token, len);
}

/**
 * nqd_frame_put_stream() - RFC 9000 section 19.8: STREAM, with a length
 * @p: where to
 * @room: bytes there
 * @id: stream ID
 * @offset: of the data in the stream; written where it is not 0
 * @data: the data
 * @len: of @data, possibly 0
 * @fin: the stream ends with this data
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_stream(u8 *p, size_t room, u64 id, u64 offset, const u8 *data, size_t len,
			 bool fin)
{
	u64 fields[4] = { NQD_FRAME_STREAM | NQD_FRAME_STREAM_LEN, id };
	unsigned int count = 2;

	if (fin)
		fields[0] |= NQD_FRAME_STREAM_FIN;
	if (offset) {
		fields[0] |= NQD_FRAME_STREAM_OFF;
		fields[count++] = offset;
	}
	fields[count++] = len;
	return nqd_frame_put_data(p, room, fields, count, data, len);
}

/**
 * nqd_frame_put_limit() - RFC 9000 sections 19.9 to 19.14: MAX_..., ..._BLOCKED
 * @p: where to
 * @room: bytes there
 * @type: NQD_FRAME_MAX_DATA to NQD_FRAME_STREAMS_BLOCKED_UNI
 * @id: stream ID, for the types that have one
 * @value: limit: bytes, or streams
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_limit(u8 *p, size_t room, u32 type, u64 id, u64 value)
{
	u64 fields[3] = { type };
	unsigned int count = 1;

	if (type == NQD_FRAME_MAX_STREAM_DATA || type == NQD_FRAME_STREAM_DATA_BLOCKED)
		fields[count++] = id;
	fields[count++] = value;
	return nqd_frame_put_fields(p, room, fields, count, 0);
}

/**
 * nqd_frame_put_new_connection_id() - RFC 9000 section 19.15: NEW_CONNECTION_ID
 * @p: where to
 * @room: bytes there
 * @sequence: sequence number
 * @retire_prior_to: IDs with a lower sequence number are to be retired
 * @cid: connection ID
 * @cid_len: 1 to 20 bytes
 * @token: stateless reset token, 16 bytes
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_new_connection_id(u8 *p, size_t room, u64 sequence, u64 retire_prior_to,
				    const u8 *cid, size_t cid_len, const u8 *token)
{
	const u64 fields[] = { NQD_FRAME_NEW_CONNECTION_ID, sequence, retire_prior_to };
	int len = nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields),
				       1 + cid_len + NQD_RESET_TOKEN_LEN);

	if (len < 0)
		return len;
	p += len;
	/* RFC 9000 section 19.15: the length of the ID is a byte, not a varint. */
	*p++ = (u8)cid_len;
	memcpy(p, cid, cid_len);
	memcpy(p + cid_len, token, NQD_RESET_TOKEN_LEN);
	return len + 1 + (int)cid_len + NQD_RESET_TOKEN_LEN;
}

/**
 * nqd_frame_put_retire_connection_id() - RFC 9000 section 19.16: RETIRE_CONNECTION_ID
 * @p: where to
 * @room: bytes there
 * @sequence: sequence number of the ID that is not used any more
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_retire_connection_id(u8 *p, size_t room, u64 sequence)
{
	const u64 fields[] = { NQD_FRAME_RETIRE_CONNECTION_ID, sequence };

	return nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields), 0);
}

/**
 * nqd_frame_put_path_challenge() - RFC 9000 section 19.17: PATH_CHALLENGE
 * @p: where to
 * @room: bytes there
 * @data: 8 unpredictable bytes
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_path_challenge(u8 *p, size_t room, const u8 *data)
{
	const u64 fields[] = { NQD_FRAME_PATH_CHALLENGE };

	return nqd_frame_put_data(p, room, fields, ARRAY_SIZE(fields), data, NQD_PATH_DATA_LEN);
}

/**
 * nqd_frame_put_path_response() - RFC 9000 section 19.18: PATH_RESPONSE
 * @p: where to
 * @room: bytes there
 * @data: the 8 bytes of the PATH_CHALLENGE
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_path_response(u8 *p, size_t room, const u8 *data)
{
	const u64 fields[] = { NQD_FRAME_PATH_RESPONSE };

	return nqd_frame_put_data(p, room, fields, ARRAY_SIZE(fields), data, NQD_PATH_DATA_LEN);
}

/**
 * nqd_frame_put_connection_close() - RFC 9000 section 19.19: CONNECTION_CLOSE of the transport
 * @p: where to
 * @room: bytes there
 * @code: enum nqd_quic_error
 * @frame_type: type that caused the error, 0 if unknown
 * @reason: for a human
 * @len: of @reason, possibly 0
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_connection_close(u8 *p, size_t room, u64 code, u64 frame_type, const u8 *reason,
				   size_t len)
{
	const u64 fields[] = { NQD_FRAME_CONNECTION_CLOSE, code, frame_type, len };

	return nqd_frame_put_data(p, room, fields, ARRAY_SIZE(fields), reason, len);
}

/**
 * nqd_frame_put_connection_close_app() - RFC 9000 section 19.19: CONNECTION_CLOSE of the
 *	application
 * @p: where to
 * @room: bytes there
 * @code: the application's own
 * @reason: for a human
 * @len: of @reason, possibly 0
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_connection_close_app(u8 *p, size_t room, u64 code, const u8 *reason, size_t len)
{
	const u64 fields[] = { NQD_FRAME_CONNECTION_CLOSE_APP, code, len };

	return nqd_frame_put_data(p, room, fields, ARRAY_SIZE(fields), reason, len);
}

/**
 * nqd_frame_put_handshake_done() - RFC 9000 section 19.20: HANDSHAKE_DONE, which only servers send
 * @p: where to
 * @room: bytes there
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_handshake_done(u8 *p, size_t room)
{
	const u64 fields[] = { NQD_FRAME_HANDSHAKE_DONE };

	return nqd_frame_put_fields(p, room, fields, ARRAY_SIZE(fields), 0);
}

/**
 * nqd_frame_put_datagram_header() - RFC 9221 section 4: what stands before the data of a DATAGRAM
 *	frame
 * @p: where to
 * @room: bytes there, for the header alone
 * @with_length: write the Length field; without it the frame ends with the packet
 * @len: of the data, which is not copied
 *
 * Return: bytes written, or -ENOSPC.
 */
int nqd_frame_put_datagram_header(u8 *p, size_t room, bool with_length, size_t len)
{
	const u64 fields[] = { with_length ? NQD_FRAME_DATAGRAM_LEN : NQD_FRAME_DATAGRAM, len };

	return nqd_frame_put_fields(p, room, fields, with_length ? 2 : 1, 0);
}

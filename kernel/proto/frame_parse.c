// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* RFC 9000 section 19, RFC 9221 section 4: reading frames. */
#include "frame.h"
#include "varint.h"

/* RFC 9000 section 4.6: more streams of a kind than this cannot have stream IDs. */
#define NQD_FRAME_STREAMS_MAX BIT_ULL(60)

/* RFC 9000 section 16: so small, an integer is the byte that it is encoded as. */
#define NQD_FRAME_TYPES BIT(6)

static bool nqd_frame_get(struct nqd_frame_iter *it, u64 *v)
{
	int len = nqd_varint_get(it->p, (size_t)(it->end - it->p), v);

	it->p += len;
	return len > 0;
}

/* Take @len bytes, which come from the wire and may be anything. */
static bool nqd_frame_take(struct nqd_frame_iter *it, u64 len, struct nqd_span *span)
{
	if (len > (u64)(it->end - it->p))
		return false;
	span->offset = (u32)(it->p - it->start);
	span->len = (u32)len;
	it->p += len;
	return true;
}

static bool nqd_frame_take_counted(struct nqd_frame_iter *it, struct nqd_span *span)
{
	u64 len;

	return nqd_frame_get(it, &len) && nqd_frame_take(it, len, span);
}

static bool nqd_frame_take_rest(struct nqd_frame_iter *it, struct nqd_span *span)
{
	return nqd_frame_take(it, (u64)(it->end - it->p), span);
}

static bool nqd_frame_get_padding(struct nqd_frame_iter *it)
{
	while (it->p < it->end && *it->p == NQD_FRAME_PADDING)
		it->p++;
	return true;
}

/*
 * RFC 9000 section 19.3.1: one Gap and one ACK Range Length; @smallest is that of the range
 * before, then of this one. No packet number may come out negative.
 */
static bool nqd_frame_get_ack_range(struct nqd_frame_iter *it, u64 *smallest, u64 *largest)
{
	u64 gap, len;

	if (!nqd_frame_get(it, &gap) || !nqd_frame_get(it, &len))
		return false;
	if (*smallest < gap + 2)
		return false;
	*largest = *smallest - gap - 2;
	if (*largest < len)
		return false;
	*smallest = *largest - len;
	return true;
}

/* RFC 9000 section 19.3: ACK. All ranges are walked here, so that later walks cannot fail. */
static bool nqd_frame_get_ack(struct nqd_frame_iter *it, struct nqd_frame_ack *ack, bool ecn)
{
	u64 smallest, largest, left;
	const u8 *ranges;

	if (!nqd_frame_get(it, &ack->largest) || !nqd_frame_get(it, &ack->delay) ||
	    !nqd_frame_get(it, &ack->range_count) || !nqd_frame_get(it, &ack->first_range) ||
	    ack->first_range > ack->largest)
		return false;
	ranges = it->p;
	smallest = ack->largest - ack->first_range;
	/* The count is the peer's word: the end of the payload stops a lie. */
	for (left = ack->range_count; left; left--) {
		if (!nqd_frame_get_ack_range(it, &smallest, &largest))
			return false;
	}
	ack->ranges.offset = (u32)(ranges - it->start);
	ack->ranges.len = (u32)(it->p - ranges);
	/* RFC 9000 section 19.3.2: ECN counts. */
	memset(&ack->ecn, 0, sizeof(ack->ecn));
	return !ecn || (nqd_frame_get(it, &ack->ecn.ect0) && nqd_frame_get(it, &ack->ecn.ect1) &&
			nqd_frame_get(it, &ack->ecn.ce));
}

static bool nqd_frame_get_reset_stream(struct nqd_frame_iter *it, struct nqd_frame_stream *s)
{
	memset(s, 0, sizeof(*s));
	return nqd_frame_get(it, &s->id) && nqd_frame_get(it, &s->error) &&
	       nqd_frame_get(it, &s->offset);
}

static bool nqd_frame_get_stop_sending(struct nqd_frame_iter *it, struct nqd_frame_stream *s)
{
	memset(s, 0, sizeof(*s));
	return nqd_frame_get(it, &s->id) && nqd_frame_get(it, &s->error);
}

/* RFC 9000 sections 19.6 and 19.8: data cannot reach beyond offset 2^62-1. */
static bool nqd_frame_stream_fits(const struct nqd_frame_stream *s)
{
	return s->offset + s->data.len <= NQD_VARINT_MAX;
}

static bool nqd_frame_get_crypto(struct nqd_frame_iter *it, struct nqd_frame_stream *s)
{
	memset(s, 0, sizeof(*s));
	return nqd_frame_get(it, &s->offset) && nqd_frame_take_counted(it, &s->data) &&
	       nqd_frame_stream_fits(s);
}

/* RFC 9000 section 19.8: the type says which fields there are. */
static bool nqd_frame_get_stream(struct nqd_frame_iter *it, u64 type, struct nqd_frame_stream *s)
{
	bool ok;

	memset(s, 0, sizeof(*s));
	s->fin = type & NQD_FRAME_STREAM_FIN;
	if (!nqd_frame_get(it, &s->id))
		return false;
	if ((type & NQD_FRAME_STREAM_OFF) && !nqd_frame_get(it, &s->offset))
		return false;
	if (type & NQD_FRAME_STREAM_LEN)
		ok = nqd_frame_take_counted(it, &s->data);
	else
		ok = nqd_frame_take_rest(it, &s->data);
	return ok && nqd_frame_stream_fits(s);
}

static bool nqd_frame_get_limit(struct nqd_frame_iter *it, struct nqd_frame_limit *limit)
{
	limit->id = 0;
	return nqd_frame_get(it, &limit->value);
}

static bool nqd_frame_get_stream_limit(struct nqd_frame_iter *it, struct nqd_frame_limit *limit)
{
	return nqd_frame_get(it, &limit->id) && nqd_frame_get(it, &limit->value);
}

/* RFC 9000 sections 19.11 and 19.14: a count of streams cannot exceed 2^60. */
static bool nqd_frame_get_streams(struct nqd_frame_iter *it, struct nqd_frame_limit *limit)
{
	return nqd_frame_get_limit(it, limit) && limit->value <= NQD_FRAME_STREAMS_MAX;
}

/* RFC 9000 section 19.15: IDs of 1 to 20 bytes; Retire Prior To is not above Sequence Number. */
static bool nqd_frame_get_new_cid(struct nqd_frame_iter *it, struct nqd_frame_new_cid *cid)
{
	u8 len;

	if (!nqd_frame_get(it, &cid->sequence) || !nqd_frame_get(it, &cid->retire_prior_to) ||
	    it->p == it->end)
		return false;
	len = *it->p++;
	return len >= 1 && len <= NQD_CID_MAX_LEN && cid->retire_prior_to <= cid->sequence &&
	       nqd_frame_take(it, len, &cid->cid) &&
	       nqd_frame_take(it, NQD_RESET_TOKEN_LEN, &cid->token);
}

/* RFC 9000 section 19.19: only the transport's close has a frame type. */
static bool nqd_frame_get_close(struct nqd_frame_iter *it, u64 type, struct nqd_frame_close *close)
{
	close->frame_type = 0;
	return nqd_frame_get(it, &close->code) &&
	       (type == NQD_FRAME_CONNECTION_CLOSE_APP || nqd_frame_get(it, &close->frame_type)) &&
	       nqd_frame_take_counted(it, &close->reason);
}

/* Read what follows the type. */
static bool nqd_frame_get_body(struct nqd_frame_iter *it, struct nqd_frame *f)
{
	switch (f->type) {
	case NQD_FRAME_PADDING:
		return nqd_frame_get_padding(it);
	case NQD_FRAME_PING:
	case NQD_FRAME_HANDSHAKE_DONE:
		return true;
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
		return nqd_frame_get_ack(it, &f->ack, f->type == NQD_FRAME_ACK_ECN);
	case NQD_FRAME_RESET_STREAM:
		return nqd_frame_get_reset_stream(it, &f->stream);
	case NQD_FRAME_STOP_SENDING:
		return nqd_frame_get_stop_sending(it, &f->stream);
	case NQD_FRAME_CRYPTO:
		return nqd_frame_get_crypto(it, &f->stream);
	case NQD_FRAME_NEW_TOKEN:
		/* RFC 9000 section 19.7: the token is not empty. */
		return nqd_frame_take_counted(it, &f->data) && f->data.len > 0;
	case NQD_FRAME_MAX_DATA:
	case NQD_FRAME_DATA_BLOCKED:
		return nqd_frame_get_limit(it, &f->limit);
	case NQD_FRAME_MAX_STREAM_DATA:
	case NQD_FRAME_STREAM_DATA_BLOCKED:
		return nqd_frame_get_stream_limit(it, &f->limit);
	case NQD_FRAME_MAX_STREAMS_BIDI:
	case NQD_FRAME_MAX_STREAMS_UNI:
	case NQD_FRAME_STREAMS_BLOCKED_BIDI:
	case NQD_FRAME_STREAMS_BLOCKED_UNI:
		return nqd_frame_get_streams(it, &f->limit);
	case NQD_FRAME_NEW_CONNECTION_ID:
		return nqd_frame_get_new_cid(it, &f->new_cid);
	case NQD_FRAME_RETIRE_CONNECTION_ID:
		return nqd_frame_get(it, &f->retired);
	case NQD_FRAME_PATH_CHALLENGE:
	case NQD_FRAME_PATH_RESPONSE:
		return nqd_frame_take(it, NQD_PATH_DATA_LEN, &f->data);
	case NQD_FRAME_CONNECTION_CLOSE:
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		return nqd_frame_get_close(it, f->type, &f->close);
	case NQD_FRAME_DATAGRAM:
		return nqd_frame_take_rest(it, &f->data);
	case NQD_FRAME_DATAGRAM_LEN:
		return nqd_frame_take_counted(it, &f->data);
	default: /* nqd_frame_known() leaves STREAM */
		return nqd_frame_get_stream(it, f->type, &f->stream);
	}
}

/* RFC 9000 table 3, RFC 9221 section 4: is this a type that a 1-RTT packet may carry? */
static bool nqd_frame_known(u64 type)
{
	return type <= NQD_FRAME_HANDSHAKE_DONE || type == NQD_FRAME_DATAGRAM ||
	       type == NQD_FRAME_DATAGRAM_LEN;
}

static int nqd_frame_fail(struct nqd_frame_iter *it, enum nqd_quic_error error, u64 type)
{
	it->error = error;
	it->error_frame_type = type;
	/* Nothing behind a malformed frame can be read. */
	it->p = it->end;
	return -EBADMSG;
}

/**
 * nqd_frame_iter_init() - start to walk a payload
 * @it: to initialise
 * @payload: of a 1-RTT packet, in the clear
 * @len: its length, below 2^31 bytes
 */
void nqd_frame_iter_init(struct nqd_frame_iter *it, const u8 *payload, size_t len)
{
	it->start = payload;
	it->p = payload;
	it->end = payload + len;
	it->error = NQD_QUIC_NO_ERROR;
	it->error_frame_type = 0;
}

/**
 * nqd_frame_next() - read the next frame
 * @it: where to read
 * @f: the frame, on success
 *
 * Return: 1 for a frame, 0 at the end of the payload, -EBADMSG where the payload is malformed:
 * @it->error then says what to close the connection with, and there is nothing more to read.
 */
int nqd_frame_next(struct nqd_frame_iter *it, struct nqd_frame *f)
{
	const u8 *begin = it->p;
	u64 type;

	if (it->p == it->end) {
		if (it->error)
			return -EBADMSG;
		/* RFC 9000 section 12.4: a packet has at least one frame. */
		if (it->start == it->end)
			return nqd_frame_fail(it, NQD_QUIC_PROTOCOL_VIOLATION, 0);
		return 0;
	}
	if (likely(*it->p < NQD_FRAME_TYPES))
		type = *it->p++;
	else if (!nqd_frame_get(it, &type))
		return nqd_frame_fail(it, NQD_QUIC_FRAME_ENCODING_ERROR, 0);
	/* RFC 9000 section 12.4: unknown types cannot be skipped: they have no length. */
	if (!nqd_frame_known(type))
		return nqd_frame_fail(it, NQD_QUIC_FRAME_ENCODING_ERROR, type);
	/* RFC 9000 section 12.4: the shortest encoding; all known types have one byte. */
	if (it->p != begin + 1)
		return nqd_frame_fail(it, NQD_QUIC_PROTOCOL_VIOLATION, type);
	f->type = (u32)type;
	if (!nqd_frame_get_body(it, f))
		return nqd_frame_fail(it, NQD_QUIC_FRAME_ENCODING_ERROR, type);
	f->bytes.offset = (u32)(begin - it->start);
	f->bytes.len = (u32)(it->p - begin);
	return 1;
}

/**
 * nqd_frame_ack_init() - start to walk the ranges of an ACK frame
 * @it: to initialise
 * @ack: ACK or ACK_ECN frame, from nqd_frame_next()
 * @payload: that it was read from
 */
void nqd_frame_ack_init(struct nqd_ack_iter *it, const struct nqd_frame *ack, const u8 *payload)
{
	it->frames.start = payload;
	it->frames.p = payload + ack->ack.ranges.offset;
	it->frames.end = it->frames.p + ack->ack.ranges.len;
	it->largest = ack->ack.largest;
	it->smallest = ack->ack.largest - ack->ack.first_range;
	it->left = ack->ack.range_count + 1;
	it->started = false;
}

/**
 * nqd_frame_ack_next() - read the next range, newest first
 * @it: where to read
 * @smallest: first packet number acknowledged by the range
 * @largest: last packet number acknowledged by the range
 *
 * Return: true for a range, false after the last.
 */
bool nqd_frame_ack_next(struct nqd_ack_iter *it, u64 *smallest, u64 *largest)
{
	if (it->left == 0)
		return false;
	it->left--;
	if (it->started &&
	    WARN_ON_ONCE(!nqd_frame_get_ack_range(&it->frames, &it->smallest, &it->largest)))
		return false;
	it->started = true;
	*smallest = it->smallest;
	*largest = it->largest;
	return true;
}

/**
 * nqd_frame_ack_delay() - RFC 9000 section 19.3: how long the peer held the ACK back
 * @ack: ACK or ACK_ECN frame
 * @exponent: the peer's ack_delay_exponent, 0 to 20
 *
 * Return: nanoseconds; U64_MAX where they do not fit.
 */
u64 nqd_frame_ack_delay(const struct nqd_frame *ack, u8 exponent)
{
	if (ack->ack.delay >> (64 - 10 - NQD_FRAME_ACK_DELAY_EXPONENT_MAX))
		return U64_MAX; /* over four hours */
	return (ack->ack.delay << exponent) * NSEC_PER_USEC;
}

/**
 * nqd_frame_class() - who deals with a frame?
 * @type: enum nqd_frame_type
 *
 * Return: whether the data plane does, or user space, which gets the bytes.
 */
enum nqd_frame_class nqd_frame_class(u32 type)
{
	switch (type) {
	case NQD_FRAME_RESET_STREAM ... NQD_FRAME_STREAM_LAST:
	case NQD_FRAME_NEW_CONNECTION_ID:
	case NQD_FRAME_RETIRE_CONNECTION_ID:
		return NQD_FRAME_HAND_UP;
	default:
		return NQD_FRAME_HERE;
	}
}

/**
 * nqd_frame_ack_eliciting() - RFC 9002 section 2: must a packet with this frame be acknowledged?
 * @type: enum nqd_frame_type
 *
 * Return: true for all but PADDING, ACK and CONNECTION_CLOSE.
 */
bool nqd_frame_ack_eliciting(u32 type)
{
	switch (type) {
	case NQD_FRAME_PADDING:
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
	case NQD_FRAME_CONNECTION_CLOSE:
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		return false;
	default:
		return true;
	}
}

/**
 * nqd_frame_probing() - RFC 9000 section 9.1: is this a probing frame?
 * @type: enum nqd_frame_type
 *
 * Return: true for the frames that a packet may carry without telling of a migration.
 */
bool nqd_frame_probing(u32 type)
{
	switch (type) {
	case NQD_FRAME_PADDING:
	case NQD_FRAME_NEW_CONNECTION_ID:
	case NQD_FRAME_PATH_CHALLENGE:
	case NQD_FRAME_PATH_RESPONSE:
		return true;
	default:
		return false;
	}
}

/**
 * nqd_frame_from_client() - may a client send this frame?
 * @type: enum nqd_frame_type
 *
 * Return: false for NEW_TOKEN and HANDSHAKE_DONE: RFC 9000 sections 19.7 and 19.20 have a server
 * that receives them close with PROTOCOL_VIOLATION.
 */
bool nqd_frame_from_client(u32 type)
{
	return type != NQD_FRAME_NEW_TOKEN && type != NQD_FRAME_HANDSHAKE_DONE;
}

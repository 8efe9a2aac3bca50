// SPDX-License-Identifier: BSD-3-Clause
/* Frames read, written and compared. */
#include "frames.h"
#include "math.h"

/* Ranges that one fuzzed payload can hold: two bytes each. */
#define RANGES_MAX (FUZZ_PAYLOAD_MAX / 2)

u32 script_ranges(struct script *s, u64 next_pn, struct nqd_pn_range *ranges, u32 max)
{
	u32 count = 0;
	u64 top = 0;

	while (count < max) {
		u64 gap = script_u8(s), length = script_u8(s);

		if (count == 0)
			top = gap == 255 ? next_pn + length : nqd_sub_sat(next_pn, gap + 1);
		else if (top < gap + 2)
			break;
		else
			top -= gap + 2;
		top = min(top, NQD_PN_MAX);
		ranges[count].largest = top;
		top = nqd_sub_sat(top, length);
		ranges[count++].smallest = top;
		if (!top)
			break;
	}
	return count;
}

static u32 read_ranges(const struct nqd_frame *f, const u8 *payload, struct nqd_pn_range *ranges)
{
	struct nqd_ack_iter it;
	u32 count = 0;

	nqd_frame_ack_init(&it, f, payload);
	while (nqd_frame_ack_next(&it, &ranges[count].smallest, &ranges[count].largest)) {
		CHECK(ranges[count].smallest <= ranges[count].largest);
		CHECK(!count || ranges[count].largest + 1 < ranges[count - 1].smallest);
		CHECK(++count < RANGES_MAX);
	}
	CHECK(count == f->ack.range_count + 1);
	CHECK(ranges[0].largest == f->ack.largest);
	return count;
}

static int rebuild_ack(const struct nqd_frame *f, const u8 *payload, u8 *buf, size_t room)
{
	static struct nqd_pn_range ranges[RANGES_MAX];
	u32 count = read_ranges(f, payload, ranges);

	return nqd_frame_put_ack(buf, room, ranges, count, f->ack.delay,
				 f->type == NQD_FRAME_ACK_ECN ? &f->ack.ecn : NULL);
}

static int rebuild_datagram(const struct nqd_frame *f, const u8 *payload, bool lengths, u8 *buf,
			    size_t room)
{
	bool with_length = lengths || f->type == NQD_FRAME_DATAGRAM_LEN;
	int len = nqd_frame_put_datagram_header(buf, room, with_length, f->data.len);

	if (len < 0 || f->data.len > room - (size_t)len)
		return -ENOSPC;
	memcpy(buf + len, payload + f->data.offset, f->data.len);
	return len + (int)f->data.len;
}

int rebuild_frame(const struct nqd_frame *f, const u8 *payload, bool lengths, u8 *buf, size_t room)
{
	const struct nqd_frame_stream *s = &f->stream;

	switch (f->type) {
	case NQD_FRAME_PADDING:
		return nqd_frame_put_padding(buf, room, f->bytes.len);
	case NQD_FRAME_PING:
		return nqd_frame_put_ping(buf, room);
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
		return rebuild_ack(f, payload, buf, room);
	case NQD_FRAME_RESET_STREAM:
		return nqd_frame_put_reset_stream(buf, room, s->id, s->error, s->offset);
	case NQD_FRAME_STOP_SENDING:
		return nqd_frame_put_stop_sending(buf, room, s->id, s->error);
	case NQD_FRAME_CRYPTO:
		check_span(&f->bytes, &s->data);
		return nqd_frame_put_crypto(buf, room, s->offset, payload + s->data.offset,
					    s->data.len);
	case NQD_FRAME_NEW_TOKEN:
		check_span(&f->bytes, &f->data);
		return nqd_frame_put_new_token(buf, room, payload + f->data.offset, f->data.len);
	case NQD_FRAME_STREAM ... NQD_FRAME_STREAM_LAST:
		check_span(&f->bytes, &s->data);
		return nqd_frame_put_stream(buf, room, s->id, s->offset, payload + s->data.offset,
					    s->data.len, s->fin);
	case NQD_FRAME_NEW_CONNECTION_ID:
		check_span(&f->bytes, &f->new_cid.cid);
		check_span(&f->bytes, &f->new_cid.token);
		return nqd_frame_put_new_connection_id(buf, room, f->new_cid.sequence,
						       f->new_cid.retire_prior_to,
						       payload + f->new_cid.cid.offset,
						       f->new_cid.cid.len,
						       payload + f->new_cid.token.offset);
	case NQD_FRAME_RETIRE_CONNECTION_ID:
		return nqd_frame_put_retire_connection_id(buf, room, f->retired);
	case NQD_FRAME_PATH_CHALLENGE:
		check_span(&f->bytes, &f->data);
		return nqd_frame_put_path_challenge(buf, room, payload + f->data.offset);
	case NQD_FRAME_PATH_RESPONSE:
		check_span(&f->bytes, &f->data);
		return nqd_frame_put_path_response(buf, room, payload + f->data.offset);
	case NQD_FRAME_CONNECTION_CLOSE:
		check_span(&f->bytes, &f->close.reason);
		return nqd_frame_put_connection_close(buf, room, f->close.code, f->close.frame_type,
						      payload + f->close.reason.offset,
						      f->close.reason.len);
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		check_span(&f->bytes, &f->close.reason);
		return nqd_frame_put_connection_close_app(buf, room, f->close.code,
							  payload + f->close.reason.offset,
							  f->close.reason.len);
	case NQD_FRAME_HANDSHAKE_DONE:
		return nqd_frame_put_handshake_done(buf, room);
	case NQD_FRAME_DATAGRAM:
	case NQD_FRAME_DATAGRAM_LEN:
		check_span(&f->bytes, &f->data);
		return rebuild_datagram(f, payload, lengths, buf, room);
	default:
		CHECK(f->type >= NQD_FRAME_MAX_DATA && f->type <= NQD_FRAME_STREAMS_BLOCKED_UNI);
		return nqd_frame_put_limit(buf, room, f->type, f->limit.id, f->limit.value);
	}
}

static bool same_bytes(const struct nqd_span *a, const u8 *payload_a, const struct nqd_span *b,
		       const u8 *payload_b)
{
	return a->len == b->len && !memcmp(payload_a + a->offset, payload_b + b->offset, a->len);
}

static bool same_ack(const struct nqd_frame *a, const u8 *payload_a, const struct nqd_frame *b,
		     const u8 *payload_b)
{
	static struct nqd_pn_range ranges_a[RANGES_MAX], ranges_b[RANGES_MAX];
	u32 count = read_ranges(a, payload_a, ranges_a);

	return a->ack.delay == b->ack.delay &&
	       !memcmp(&a->ack.ecn, &b->ack.ecn, sizeof(a->ack.ecn)) &&
	       read_ranges(b, payload_b, ranges_b) == count &&
	       !memcmp(ranges_a, ranges_b, count * sizeof(ranges_a[0]));
}

static bool same_stream(const struct nqd_frame_stream *a, const u8 *payload_a,
			const struct nqd_frame_stream *b, const u8 *payload_b)
{
	return a->id == b->id && a->offset == b->offset && a->error == b->error &&
	       a->fin == b->fin &&
	       same_bytes(&a->data, payload_a, &b->data, payload_b);
}

bool same_frame(const struct nqd_frame *a, const u8 *payload_a, const struct nqd_frame *b,
		const u8 *payload_b)
{
	switch (a->type) {
	case NQD_FRAME_PADDING:
		return b->type == a->type && a->bytes.len == b->bytes.len;
	case NQD_FRAME_PING:
	case NQD_FRAME_HANDSHAKE_DONE:
		return b->type == a->type;
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
		return b->type == a->type && same_ack(a, payload_a, b, payload_b);
	case NQD_FRAME_RESET_STREAM:
	case NQD_FRAME_STOP_SENDING:
	case NQD_FRAME_CRYPTO:
		return b->type == a->type &&
		       same_stream(&a->stream, payload_a, &b->stream, payload_b);
	case NQD_FRAME_STREAM ... NQD_FRAME_STREAM_LAST:
		return b->type >= NQD_FRAME_STREAM && b->type <= NQD_FRAME_STREAM_LAST &&
		       same_stream(&a->stream, payload_a, &b->stream, payload_b);
	case NQD_FRAME_NEW_CONNECTION_ID:
		return b->type == a->type && a->new_cid.sequence == b->new_cid.sequence &&
		       a->new_cid.retire_prior_to == b->new_cid.retire_prior_to &&
		       same_bytes(&a->new_cid.cid, payload_a, &b->new_cid.cid, payload_b) &&
		       same_bytes(&a->new_cid.token, payload_a, &b->new_cid.token, payload_b);
	case NQD_FRAME_RETIRE_CONNECTION_ID:
		return b->type == a->type && a->retired == b->retired;
	case NQD_FRAME_CONNECTION_CLOSE:
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		return b->type == a->type && a->close.code == b->close.code &&
		       a->close.frame_type == b->close.frame_type &&
		       same_bytes(&a->close.reason, payload_a, &b->close.reason, payload_b);
	case NQD_FRAME_DATAGRAM:
	case NQD_FRAME_DATAGRAM_LEN:
		return (b->type | 1) == (a->type | 1) &&
		       same_bytes(&a->data, payload_a, &b->data, payload_b);
	case NQD_FRAME_NEW_TOKEN:
	case NQD_FRAME_PATH_CHALLENGE:
	case NQD_FRAME_PATH_RESPONSE:
		return b->type == a->type && same_bytes(&a->data, payload_a, &b->data, payload_b);
	default:
		return b->type == a->type && a->limit.id == b->limit.id &&
		       a->limit.value == b->limit.value;
	}
}

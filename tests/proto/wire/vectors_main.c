// SPDX-License-Identifier: BSD-3-Clause
/*
 * The golden vectors through the protocol core, without Python: for sanitizers that want a program
 * of their own, for 32-bit and for big-endian machines.
 *
 * Prints one line a table and one a failure; exits with 1 where there was one.
 */
#include "frame.h"
#include "received.h"
#include "varint.h"

#include "tests/vectors_generated.h"

#include <stdio.h>
#include <stdlib.h>

/* In a heap block of exactly its size, ASan sees every byte read beyond it. */
static u8 *exact_copy(const struct nqv_bytes *bytes)
{
	u8 *copy = malloc(bytes->len ? bytes->len : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes->data, bytes->len);
	return copy;
}

static bool same_bytes(const struct nqv_bytes *expected, const u8 *data, size_t len)
{
	return expected->len == len && (!len || !memcmp(expected->data, data, len));
}

static const char *check_varint(const struct nqv_varint *v)
{
	u8 *encoded = exact_copy(&v->encoded);
	const char *failure = NULL;
	u64 value = 4711;
	u8 buf[8];
	int used;

	used = nqd_varint_get(encoded, v->encoded.len, &value);
	if (v->error == NQV_INTERNAL_ERROR) {
		if (nqd_varint_len(v->value) != 0)
			failure = "has an encoding";
	} else if (v->error) {
		if (used != 0 || value != 4711)
			failure = "was read";
	} else if (used != (int)v->encoded.len || value != v->value) {
		failure = "read as something else";
	} else if (v->canonical) {
		if (nqd_varint_len(value) != v->encoded.len ||
		    nqd_varint_put(buf, value) != buf + v->encoded.len ||
		    !same_bytes(&v->encoded, buf, v->encoded.len))
			failure = "written as something else";
	} else if (nqd_varint_len(value) >= v->encoded.len) {
		failure = "should have a shorter encoding";
	}
	free(encoded);
	return failure;
}

static const char *check_pn_encoding(const struct nqv_packet_number *v)
{
	u8 buf[4];

	if (v->pn > NQD_PN_MAX || (v->largest != NQV_NONE_YET && v->largest >= v->pn))
		return NULL; /* the caller's mistake, which the core does not look for */
	if (nqd_pn_len(v->pn, v->largest) != (v->error ? 0 : v->pn_len))
		return "another length";
	if (v->error)
		return NULL;
	if (nqd_pn_truncate(v->pn, v->pn_len) != v->truncated)
		return "truncated to something else";
	nqd_pn_put(buf, v->pn, v->pn_len);
	return nqd_pn_get(buf, v->pn_len) == v->truncated ? NULL : "other bytes";
}

static const char *check_pn_decoding(const struct nqv_packet_number *v)
{
	u64 pn = nqd_pn_decode(v->largest, v->truncated, v->pn_len);

	return pn == (v->error ? NQD_PN_NONE : v->pn) ? NULL : "another number";
}

/* What the header says once its protection is gone; the cryptography is the homes'. */
static const char *check_short_header(const struct nqv_short_header *v)
{
	struct nqd_ecn_counts no_ecn = { 0 };
	struct nqd_received r;
	enum nqd_drop_reason drop;
	struct nqd_pn_range ranges[64];
	u32 i;

	if (v->error == NQV_OK &&
	    nqd_pn_decode(v->largest_pn, nqd_pn_truncate(v->pn, v->pn_len), v->pn_len) != v->pn)
		return "another packet number";
	if (v->received_count > ARRAY_SIZE(ranges))
		return "too many ranges for this program";
	for (i = 0; i < v->received_count; i++) {
		ranges[i].smallest = v->received[v->received_count - 1 - i].smallest;
		ranges[i].largest = v->received[v->received_count - 1 - i].largest;
	}
	if (nqd_received_import(&r, ranges, v->received_count, v->floor, 0, &no_ecn))
		return "the ranges received were refused";
	drop = nqd_received_check(&r, v->pn);
	if (v->error == NQV_DUPLICATE && drop != NQD_DROP_DUPLICATE)
		return "not seen as a duplicate";
	if (v->error == NQV_TOO_OLD && drop != NQD_DROP_TOO_OLD)
		return "not seen as too old";
	if (v->error == NQV_OK && drop != NQD_DROP_NONE)
		return "taken for a duplicate";
	return NULL;
}

static const char *check_datagram(const struct nqv_datagram_frame *v)
{
	u8 *payload = exact_copy(&v->payload);
	const char *failure = NULL;
	struct nqd_frame_iter it;
	struct nqd_frame f;
	u32 datagrams = 0, others = 0, error = 0;
	int more;

	nqd_frame_iter_init(&it, payload, v->payload.len);
	while ((more = nqd_frame_next(&it, &f)) > 0) {
		if (f.type != NQD_FRAME_DATAGRAM && f.type != NQD_FRAME_DATAGRAM_LEN) {
			others++;
			continue;
		}
		/* RFC 9221 section 3: the limit covers the whole frame. */
		if (f.bytes.len > v->max_datagram_frame_size) {
			error = NQD_QUIC_PROTOCOL_VIOLATION;
			break;
		}
		if (!v->error && (datagrams == v->datagram_count ||
				  f.type != v->datagrams[datagrams].type ||
				  f.data.offset != v->datagrams[datagrams].offset ||
				  f.data.len != v->datagrams[datagrams].len))
			failure = "another DATAGRAM";
		datagrams++;
	}
	if (more < 0)
		error = (u32)it.error;
	if (error != v->error)
		failure = "another verdict";
	if (!v->error && (datagrams != v->datagram_count || others != v->other_frames))
		failure = "other frames";
	free(payload);
	return failure;
}

static bool same_ranges(const struct nqv_range *expected, u32 count, const struct nqd_frame *f,
			const u8 *payload)
{
	struct nqd_ack_iter it;
	u64 smallest, largest;
	u32 i = 0;

	nqd_frame_ack_init(&it, f, payload);
	while (nqd_frame_ack_next(&it, &smallest, &largest)) {
		if (i == count || smallest != expected[i].smallest ||
		    largest != expected[i].largest)
			return false;
		i++;
	}
	return i == count;
}

/*
 * The model keeps a bounded list of ranges, the core a window of numbers; so the core may still
 * tell apart what the model has forgotten, and the other way round. What neither may do is to
 * accept a number twice.
 */
static const char *check_verdicts(const struct nqv_ack *v, struct nqd_received *r, bool *agreed)
{
	enum nqd_drop_reason drop;
	u32 i, j;

	*agreed = true;
	nqd_received_init(r, v->floor);
	for (i = 0; i < v->received_count; i++) {
		u64 pn = v->received[i];

		drop = nqd_received_check(r, pn);
		if (drop == NQD_DROP_NONE) {
			for (j = 0; j < i; j++) {
				if (v->received[j] == pn && v->verdicts[j] == NQV_OK)
					return "accepted twice";
			}
			nqd_received_add(r, pn, 0, (enum nqd_ecn)v->ecn[i]);
		}
		if (v->verdicts[i] == NQV_OK && drop == NQD_DROP_DUPLICATE)
			return "a new number taken for a duplicate";
		if (v->verdicts[i] == NQV_OK && drop == NQD_DROP_TOO_OLD &&
		    pn + NQD_RECEIVED_WINDOW > r->largest)
			return "a number of the window taken for too old";
		*agreed &= (v->verdicts[i] == NQV_OK) == (drop == NQD_DROP_NONE);
	}
	return NULL;
}

static unsigned int compared_acks;

static const char *check_ack(const struct nqv_ack *v)
{
	const struct nqd_ecn_counts ecn = { .ect0 = v->ect0, .ect1 = v->ect1, .ce = v->ce };
	struct nqd_pn_range ranges[128];
	u8 *frame = exact_copy(&v->frame);
	const char *failure = NULL;
	struct nqd_frame_iter it;
	struct nqd_received r;
	struct nqd_frame f;
	bool agreed;
	u8 buf[1500];
	u32 i, count;
	int len;

	nqd_frame_iter_init(&it, frame, v->frame.len);
	len = nqd_frame_next(&it, &f);
	if (v->error) {
		if (len >= 0 || it.error != v->error)
			failure = "another verdict";
		goto out;
	}
	if (len != 1 || !same_ranges(v->ranges, v->range_count, &f, frame) ||
	    f.ack.delay != v->ack_delay || memcmp(&f.ack.ecn, &ecn, sizeof(ecn))) {
		failure = "read as something else";
		goto out;
	}
	if (v->range_count > ARRAY_SIZE(ranges)) {
		failure = "too many ranges for this program";
		goto out;
	}
	for (i = 0; i < v->range_count; i++) {
		ranges[i].smallest = v->ranges[i].smallest;
		ranges[i].largest = v->ranges[i].largest;
	}
	len = nqd_frame_put_ack(buf, sizeof(buf), ranges, v->range_count, v->ack_delay,
				v->has_ecn ? &ecn : NULL);
	if (len < 0 || !same_bytes(&v->frame, buf, (size_t)len)) {
		failure = "written as something else";
		goto out;
	}
	failure = check_verdicts(v, &r, &agreed);
	/* The same packets give the same ACK, unless one of the two has forgotten the oldest. */
	agreed &= v->floor_after == v->floor && v->range_count <= NQD_RECEIVED_RANGES &&
		  v->ranges[v->range_count - 1].smallest + NQD_RECEIVED_WINDOW > r.largest;
	if (failure || !agreed)
		goto out;
	compared_acks++;
	count = nqd_received_ranges(&r, ranges, v->max_ranges);
	len = nqd_frame_put_ack(buf, sizeof(buf), ranges, count, v->ack_delay,
				v->has_ecn ? &r.ecn : NULL);
	if (len < 0 || !same_bytes(&v->frame, buf, (size_t)len))
		failure = "another ACK after the same packets";
out:
	free(frame);
	return failure;
}

/* A frame as the vectors describe it. */
struct fields {
	u64 numbers[4];
	struct nqd_span strings[2];
};

static void describe(const struct nqd_frame *f, struct fields *d)
{
	u64 *n = d->numbers;

	memset(d, 0, sizeof(*d));
	switch (f->type) {
	case NQD_FRAME_PADDING:
		n[0] = f->bytes.len;
		break;
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
		n[0] = f->ack.delay;
		n[1] = f->ack.ecn.ect0;
		n[2] = f->ack.ecn.ect1;
		n[3] = f->ack.ecn.ce;
		break;
	case NQD_FRAME_RESET_STREAM:
		n[0] = f->stream.id;
		n[1] = f->stream.error;
		n[2] = f->stream.offset;
		break;
	case NQD_FRAME_STOP_SENDING:
		n[0] = f->stream.id;
		n[1] = f->stream.error;
		break;
	case NQD_FRAME_CRYPTO:
		n[0] = f->stream.offset;
		d->strings[0] = f->stream.data;
		break;
	case NQD_FRAME_STREAM ... NQD_FRAME_STREAM_LAST:
		n[0] = f->stream.id;
		n[1] = f->stream.offset;
		n[2] = f->stream.fin;
		n[3] = !!(f->type & NQD_FRAME_STREAM_LEN);
		d->strings[0] = f->stream.data;
		break;
	case NQD_FRAME_MAX_DATA:
	case NQD_FRAME_DATA_BLOCKED:
		n[0] = f->limit.value;
		break;
	case NQD_FRAME_MAX_STREAM_DATA:
	case NQD_FRAME_STREAM_DATA_BLOCKED:
		n[0] = f->limit.id;
		n[1] = f->limit.value;
		break;
	case NQD_FRAME_MAX_STREAMS_BIDI:
	case NQD_FRAME_MAX_STREAMS_UNI:
	case NQD_FRAME_STREAMS_BLOCKED_BIDI:
	case NQD_FRAME_STREAMS_BLOCKED_UNI:
		n[0] = f->limit.value;
		n[1] = f->type & 1;
		break;
	case NQD_FRAME_NEW_CONNECTION_ID:
		n[0] = f->new_cid.sequence;
		n[1] = f->new_cid.retire_prior_to;
		d->strings[0] = f->new_cid.cid;
		d->strings[1] = f->new_cid.token;
		break;
	case NQD_FRAME_RETIRE_CONNECTION_ID:
		n[0] = f->retired;
		break;
	case NQD_FRAME_CONNECTION_CLOSE:
		n[1] = f->close.frame_type;
		fallthrough;
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		n[0] = f->close.code;
		d->strings[0] = f->close.reason;
		break;
	case NQD_FRAME_DATAGRAM:
	case NQD_FRAME_DATAGRAM_LEN:
		n[0] = f->type & 1;
		d->strings[0] = f->data;
		break;
	case NQD_FRAME_NEW_TOKEN:
	case NQD_FRAME_PATH_CHALLENGE:
	case NQD_FRAME_PATH_RESPONSE:
		d->strings[0] = f->data;
		break;
	}
}

/* Write the frame that was read; ACK frames are check_ack()'s. */
static int rebuild(const struct nqd_frame *f, const struct fields *d, const u8 *payload, u8 *buf,
		   size_t room)
{
	const u64 *n = d->numbers;
	const u8 *data = payload + d->strings[0].offset;
	size_t len = d->strings[0].len;
	int header;

	switch (f->type) {
	case NQD_FRAME_PADDING:
		return nqd_frame_put_padding(buf, room, (size_t)n[0]);
	case NQD_FRAME_PING:
		return nqd_frame_put_ping(buf, room);
	case NQD_FRAME_RESET_STREAM:
		return nqd_frame_put_reset_stream(buf, room, n[0], n[1], n[2]);
	case NQD_FRAME_STOP_SENDING:
		return nqd_frame_put_stop_sending(buf, room, n[0], n[1]);
	case NQD_FRAME_CRYPTO:
		return nqd_frame_put_crypto(buf, room, n[0], data, len);
	case NQD_FRAME_NEW_TOKEN:
		return nqd_frame_put_new_token(buf, room, data, len);
	case NQD_FRAME_STREAM ... NQD_FRAME_STREAM_LAST:
		return nqd_frame_put_stream(buf, room, n[0], n[1], data, len, n[2]);
	case NQD_FRAME_MAX_DATA:
	case NQD_FRAME_MAX_STREAMS_BIDI:
	case NQD_FRAME_MAX_STREAMS_UNI:
	case NQD_FRAME_DATA_BLOCKED:
	case NQD_FRAME_STREAMS_BLOCKED_BIDI:
	case NQD_FRAME_STREAMS_BLOCKED_UNI:
		return nqd_frame_put_limit(buf, room, f->type, 0, n[0]);
	case NQD_FRAME_MAX_STREAM_DATA:
	case NQD_FRAME_STREAM_DATA_BLOCKED:
		return nqd_frame_put_limit(buf, room, f->type, n[0], n[1]);
	case NQD_FRAME_NEW_CONNECTION_ID:
		return nqd_frame_put_new_connection_id(buf, room, n[0], n[1], data, len,
						       payload + d->strings[1].offset);
	case NQD_FRAME_RETIRE_CONNECTION_ID:
		return nqd_frame_put_retire_connection_id(buf, room, n[0]);
	case NQD_FRAME_PATH_CHALLENGE:
		return nqd_frame_put_path_challenge(buf, room, data);
	case NQD_FRAME_PATH_RESPONSE:
		return nqd_frame_put_path_response(buf, room, data);
	case NQD_FRAME_CONNECTION_CLOSE:
		return nqd_frame_put_connection_close(buf, room, n[0], n[1], data, len);
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		return nqd_frame_put_connection_close_app(buf, room, n[0], data, len);
	case NQD_FRAME_HANDSHAKE_DONE:
		return nqd_frame_put_handshake_done(buf, room);
	case NQD_FRAME_DATAGRAM:
	case NQD_FRAME_DATAGRAM_LEN:
		header = nqd_frame_put_datagram_header(buf, room, f->type & 1, len);
		memcpy(buf + header, data, len);
		return header + (int)len;
	}
	return 0;
}

static const char *check_frame_read(const struct nqv_frame *v, const struct nqd_frame *f,
				    const u8 *payload)
{
	struct fields d;
	u8 buf[2048];
	int i, len;

	describe(f, &d);
	if (memcmp(d.numbers, v->numbers, sizeof(d.numbers)))
		return "other numbers";
	for (i = 0; i < 2; i++) {
		if (!same_bytes(&v->strings[i], payload + d.strings[i].offset, d.strings[i].len))
			return "other bytes";
	}
	if (nqd_frame_ack_eliciting(f->type) != v->ack_eliciting)
		return "ack-eliciting or not";
	if (f->type == NQD_FRAME_ACK || f->type == NQD_FRAME_ACK_ECN)
		return same_ranges(v->ranges, v->range_count, f, payload) ? NULL : "other ranges";
	/* STREAM is only ever written with a length. */
	if (!v->canonical || (f->type >= NQD_FRAME_STREAM && f->type <= NQD_FRAME_STREAM_LAST &&
			      !(f->type & NQD_FRAME_STREAM_LEN)))
		return NULL;
	len = rebuild(f, &d, payload, buf, sizeof(buf));
	if (len < 0 || !same_bytes(&v->frame, buf, (size_t)len))
		return "written as something else";
	return NULL;
}

static const char *check_frame(const struct nqv_frame *v)
{
	u8 *payload = exact_copy(&v->frame);
	const char *failure = NULL;
	struct nqd_frame_iter it;
	struct nqd_frame f;
	u32 frames = 0;
	int more;

	nqd_frame_iter_init(&it, payload, v->frame.len);
	while ((more = nqd_frame_next(&it, &f)) > 0) {
		frames++;
		if (!v->error && !failure)
			failure = check_frame_read(v, &f, payload);
	}
	if ((more < 0 ? it.error : NQV_OK) != v->error)
		failure = "another verdict";
	else if (!v->error && frames != 1)
		failure = "more than one frame";
	free(payload);
	return failure;
}

/* Runs check() over a table, counts and reports. */
#define CHECK_TABLE(table, check)                                                       \
	do {                                                                            \
		size_t i;                                                               \
		for (i = 0; i < NQV_COUNT(table); i++) {                                \
			const char *failure = check(&(table)[i]);                       \
											\
			if (failure) {                                                  \
				printf("FAIL %s %s: %s\n", #table, (table)[i].name, failure); \
				failures++;                                             \
			}                                                               \
		}                                                                       \
		printf("%s: %zu vectors\n", #table, NQV_COUNT(table));                  \
	} while (0)

int main(void)
{
	unsigned int failures = 0;

	CHECK_TABLE(nqv_varints, check_varint);
	CHECK_TABLE(nqv_packet_number_encodings, check_pn_encoding);
	CHECK_TABLE(nqv_packet_number_decodings, check_pn_decoding);
	CHECK_TABLE(nqv_short_headers, check_short_header);
	CHECK_TABLE(nqv_short_headers_invalid, check_short_header);
	CHECK_TABLE(nqv_datagram_frames, check_datagram);
	CHECK_TABLE(nqv_acks, check_ack);
	CHECK_TABLE(nqv_frames, check_frame);
	printf("ACK frames built from the same packets: %u\n", compared_acks);
	if (compared_acks < 10) {
		printf("FAIL too few of them\n");
		failures++;
	}
	return failures ? 1 : 0;
}

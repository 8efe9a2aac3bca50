// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * A connection's send decisions: may a packet leave, and what is in it besides the payload.
 */
#include "conn_priv.h"

#include "math.h"

/* RFC 9000 section 17.3.1: short header, fixed bit. */
#define NQD_CONN_TX_FIXED 0x40
#define NQD_CONN_TX_SPIN_SHIFT 5
/*
 * RFC 9000 section 17.1 allows one byte while fewer than 128 packets are unacknowledged, but then a packet
 * that arrives late, after 128 others, cannot be opened. As most implementations do: two at least.
 */
#define NQD_CONN_TX_MIN_PN_LEN 2
/* RFC 9001 section 5.4.2: packet number and payload together, so that the sample lies in the packet. */
#define NQD_CONN_TX_MIN_SAMPLED 4
/* The larger of the type bytes 0x30 alone: our DATAGRAM frames end their packet and need no length. */
#define NQD_CONN_TX_DATAGRAM_HEADER 1
/* A DATAGRAM takes a waiting ACK along if the last one left this part of a round trip ago. */
#define NQD_CONN_TX_ACK_SHIFT 3

/**
 * struct nqd_conn_out - a packet being put together
 * @buf: the caller's buffer
 * @room: bytes in it that frames may take
 * @len: bytes taken
 * @pn_len: bytes of the packet number
 * @flags: NQD_SENT_*
 * @others: frames but DATAGRAM, ACK and PADDING
 * @ack_reported: with NQD_SENT_ACK: Largest Acknowledged of the ACK frame
 */
struct nqd_conn_out {
	u8 *buf;
	u32 room;
	u32 len;
	u8 pn_len;
	u16 flags;
	u32 others;
	u64 ack_reported;
};

static enum nqd_conn_verdict nqd_conn_tx_out_of_ring(struct nqd_conn *c, u64 now)
{
	c->events |= NQD_CONN_EVENT_RING;
	c->retry_at = now + NQD_CONN_RETRY;
	return NQD_CONN_RING;
}

static inline u32 nqd_conn_tx_keys(struct nqd_conn *c, u64 now, u32 packets)
{
	u64 generation = c->keys.tx_generation;
	unsigned int flags = 0;
	u32 granted = nqd_keys_tx_reserve(&c->keys, packets, &flags);

	if (unlikely(flags)) {
		nqd_conn_keys_changed(c, now, flags);
		/* An update began here: these packets are the first of the new key. */
		if (c->keys.tx_generation != generation)
			c->keys.sealed += granted;
	}
	/* RFC 9001 section 6.6: no packet beyond the limit. */
	if (unlikely(!granted))
		nqd_conn_keys_out(c, now);
	return granted;
}

/* May @size bytes of flight leave? Fills plan->departure for NQD_CONN_PACED. */
static inline enum nqd_conn_verdict nqd_conn_tx_may(struct nqd_conn *c, u64 now, u32 size,
						    struct nqd_conn_plan *plan)
{
	switch (nqd_recovery_can_send(&c->recovery, now, size, &plan->departure)) {
	case NQD_SEND_OK:
		return NQD_CONN_SEND;
	case NQD_SEND_CWND:
		c->stats.tx_cwnd++;
		return NQD_CONN_CWND;
	case NQD_SEND_PACED:
		c->stats.tx_paced++;
		return NQD_CONN_PACED;
	default:
		return nqd_conn_tx_out_of_ring(c, now);
	}
}

static inline void nqd_conn_out_init(const struct nqd_conn *c, struct nqd_conn_out *out, u8 *buf,
				     u32 room, u32 packets)
{
	u64 last = nqd_sent_next_pn(&c->recovery.sent) + packets - 1;

	out->buf = buf;
	out->len = 0;
	out->pn_len = nqd_pn_len(last, c->recovery.sent.largest_acked);
	if (out->pn_len < NQD_CONN_TX_MIN_PN_LEN)
		out->pn_len = NQD_CONN_TX_MIN_PN_LEN;
	out->room = min(room, c->pmtu.current_size - c->overhead - out->pn_len);
	out->flags = 0;
	out->others = 0;
	out->ack_reported = NQD_PN_NONE;
}

static u32 nqd_conn_out_size(const struct nqd_conn *c, const struct nqd_conn_out *out)
{
	return c->overhead + out->pn_len + out->len;
}

static void nqd_conn_out_ack(struct nqd_conn *c, u64 now, struct nqd_conn_out *out)
{
	u64 reported = NQD_PN_NONE;
	int len = nqd_ack_build(&c->ack, &c->received, now, out->buf + out->len, out->room - out->len,
				&reported);

	if (len <= 0)
		return;
	out->len += (u32)len;
	out->flags |= NQD_SENT_ACK;
	out->ack_reported = reported;
}

static int nqd_conn_out_ping(struct nqd_conn_out *out)
{
	int len = nqd_frame_put_ping(out->buf + out->len, out->room - out->len);

	if (len < 0)
		return len;
	out->len += (u32)len;
	out->others++;
	out->flags |= NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT;
	return 0;
}

/* Control frames of the owner, as many as fit. Returns their bytes. */
static u32 nqd_conn_out_control(struct nqd_conn *c, struct nqd_conn_out *out)
{
	u64 before = c->control.frames;
	u32 len = nqd_control_fill(&c->control, out->buf + out->len, out->room - out->len,
				   nqd_sent_next_pn(&c->recovery.sent));

	if (!len)
		return 0;
	out->len += len;
	out->others += (u32)(c->control.frames - before);
	out->flags |= NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_CONTROL;
	return len;
}

/* PADDING until the payload has @len bytes. */
static int nqd_conn_out_pad(struct nqd_conn_out *out, u32 len)
{
	int ret;

	if (out->len >= len)
		return 0;
	ret = nqd_frame_put_padding(out->buf + out->len, out->room - out->len, len - out->len);
	if (ret < 0)
		return ret;
	out->len = len;
	return 0;
}

/* The packet leaves: give it its number and account for it. The TX key is already reserved. */
static __always_inline void nqd_conn_tx_commit(struct nqd_conn *c, u64 now, u32 size, u32 packets,
					       const struct nqd_conn_out *out, struct nqd_conn_plan *plan)
{
	enum nqd_ecn mark = NQD_ECN_NOT_ECT;
	u16 flags = out->flags;
	u32 i;

	if (flags & NQD_SENT_IN_FLIGHT) {
		mark = nqd_ecn_validate_mark(&c->recovery.ecn);
		if (mark == NQD_ECN_ECT0)
			flags |= NQD_SENT_ECT0;
	}
	if (flags & NQD_SENT_ACK_ELICITING)
		nqd_state_sent(&c->state, now);
	if (flags & NQD_SENT_ACK) {
		nqd_ack_sent(&c->ack);
		nqd_keys_ack_sent(&c->keys, out->ack_reported);
		c->ack_sent_at = now;
		c->stats.tx_acks++;
	}
	plan->departure = now;
	plan->pn = nqd_recovery_sent(&c->recovery, now, (u16)size, flags, out->ack_reported);
	WARN_ON_ONCE(plan->pn == NQD_PN_NONE);
	for (i = 1; i < packets; i++)
		nqd_recovery_sent(&c->recovery, now, (u16)size, flags, NQD_PN_NONE);
	plan->generation = c->keys.tx_generation;
	plan->count = packets;
	plan->size = size;
	plan->frames_len = out->len;
	plan->pn_len = out->pn_len;
	plan->first_byte = (u8)(NQD_CONN_TX_FIXED | c->spin << NQD_CONN_TX_SPIN_SHIFT |
				nqd_keys_tx_phase(&c->keys) << NQD_CONN_PHASE_SHIFT |
				(out->pn_len - 1));
	plan->ecn = (u8)mark;
	plan->path = NQD_PATH_ACTIVE;
	c->stats.tx_other += out->others;
	c->stats.tx_packets += packets;
	c->stats.tx_bytes += (u64)size * packets;
	c->retry_at = 0;
}

/* Type of the DATAGRAM frame, after the PADDING that RFC 9001 section 5.4.2 wants of tiny packets. */
static void nqd_conn_out_datagram(struct nqd_conn_out *out, u32 payload_len)
{
	while (unlikely(out->pn_len + out->len + NQD_CONN_TX_DATAGRAM_HEADER + payload_len <
			NQD_CONN_TX_MIN_SAMPLED))
		out->buf[out->len++] = NQD_FRAME_PADDING;
	out->buf[out->len++] = NQD_FRAME_DATAGRAM;
	out->flags |= NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_DATAGRAM;
}

/* A waiting ACK rides along if it is due, or if the last one is a while ago. */
static bool nqd_conn_tx_ack_wanted(const struct nqd_conn *c, u64 now)
{
	if (!nqd_ack_pending(&c->ack))
		return false;
	return now - c->ack_sent_at >= c->recovery.rtt.smoothed >> NQD_CONN_TX_ACK_SHIFT ||
	       nqd_ack_due(&c->ack, now);
}

static enum nqd_conn_verdict nqd_conn_tx_check(struct nqd_conn *c, u32 payload_len, u32 room)
{
	if (unlikely(c->state.state != NQD_SESSION_STATE_ACTIVE))
		return NQD_CONN_INACTIVE;
	if (unlikely(payload_len > c->max_payload || !c->max_payload)) {
		c->stats.tx_too_big++;
		return NQD_CONN_TOO_BIG;
	}
	return unlikely(room < NQD_CONN_TX_ROOM) ? NQD_CONN_NO_ROOM : NQD_CONN_SEND;
}

/**
 * nqd_conn_tx_datagram() - send one DATAGRAM
 * @c: connection
 * @now: time
 * @payload_len: bytes of payload, 0 to nqd_conn_max_payload()
 * @buf: takes the frames that come before the payload: ACK, PADDING, the type of the DATAGRAM frame
 * @room: bytes there, at least NQD_CONN_TX_ROOM
 * @plan: what to seal and send: header, plan->frames_len bytes of @buf, the payload
 *
 * Return: NQD_CONN_SEND with the packet accounted for, or why not.
 */
enum nqd_conn_verdict nqd_conn_tx_datagram(struct nqd_conn *c, u64 now, u32 payload_len, u8 *buf,
					   u32 room, struct nqd_conn_plan *plan)
{
	enum nqd_conn_verdict verdict = nqd_conn_tx_check(c, payload_len, room);
	struct nqd_conn_out out;
	u32 size;

	if (unlikely(verdict != NQD_CONN_SEND))
		return verdict;
	nqd_conn_out_init(c, &out, buf, room, 1);
	/* The window counts the PADDING of a tiny packet too. */
	size = c->overhead + max_t(u32, out.pn_len + NQD_CONN_TX_DATAGRAM_HEADER + payload_len,
				   NQD_CONN_TX_MIN_SAMPLED);
	verdict = nqd_conn_tx_may(c, now, size, plan);
	if (verdict != NQD_CONN_SEND)
		return verdict;
	if (unlikely(!nqd_conn_tx_keys(c, now, 1)))
		return NQD_CONN_KEY_LIMIT;

	if (nqd_conn_tx_ack_wanted(c, now)) {
		out.room = min(room - NQD_CONN_TX_MIN_SAMPLED, c->pmtu.current_size - size);
		nqd_conn_out_ack(c, now, &out);
		/* RFC 9002 section 7: the bytes of the ACK need window too, or it stays behind. */
		if (out.len && nqd_recovery_can_send(&c->recovery, now, size + out.len,
						     &plan->departure) != NQD_SEND_OK) {
			out.len = 0;
			out.flags = 0;
			out.ack_reported = NQD_PN_NONE;
		}
	}
	nqd_conn_out_datagram(&out, payload_len);
	size = nqd_conn_out_size(c, &out) + payload_len;
	if (unlikely(nqd_pmtu_take_watch(&c->pmtu, size)))
		out.flags |= NQD_SENT_PATH;
	nqd_conn_tx_commit(c, now, size, 1, &out, plan);
	c->stats.tx_datagrams++;
	return NQD_CONN_SEND;
}

/**
 * nqd_conn_tx_batch() - send equal DATAGRAMs with one decision, for UDP segmentation offload
 * @c: connection
 * @now: time
 * @payload_len: bytes of payload of each, 0 to nqd_conn_max_payload()
 * @max_packets: packets there are
 * @buf: takes the frames that come before each payload, the same for all
 * @room: bytes there, at least NQD_CONN_TX_ROOM
 * @plan: what to seal and send; plan->count packets were granted, 1 to @max_packets
 *
 * No ACK frame is in a batch: nqd_conn_tx_pending() sends it in a packet of its own.
 *
 * Return: NQD_CONN_SEND with the packets accounted for, or why not.
 */
enum nqd_conn_verdict nqd_conn_tx_batch(struct nqd_conn *c, u64 now, u32 payload_len, u32 max_packets,
					u8 *buf, u32 room, struct nqd_conn_plan *plan)
{
	enum nqd_conn_verdict verdict = nqd_conn_tx_check(c, payload_len, room);
	struct nqd_conn_out out;
	u32 packets, size;

	if (unlikely(verdict != NQD_CONN_SEND))
		return verdict;
	if (!max_packets)
		return NQD_CONN_NOTHING;
	nqd_conn_out_init(c, &out, buf, room, max_packets);
	nqd_conn_out_datagram(&out, payload_len);
	size = nqd_conn_out_size(c, &out) + payload_len;
	packets = nqd_recovery_budget(&c->recovery, now, size, max_packets);
	if (!packets) {
		verdict = nqd_conn_tx_may(c, now, size, plan);
		if (verdict != NQD_CONN_SEND)
			return verdict;
		packets = 1;
	}
	packets = nqd_conn_tx_keys(c, now, packets);
	if (unlikely(!packets))
		return NQD_CONN_KEY_LIMIT;
	if (unlikely(nqd_pmtu_take_watch(&c->pmtu, size)))
		out.flags |= NQD_SENT_PATH;
	nqd_conn_tx_commit(c, now, size, packets, &out, plan);
	c->stats.tx_datagrams += packets;
	return NQD_CONN_SEND;
}

/* What goes past window and pacer: only a place in the ring and the key are needed. */
static enum nqd_conn_verdict nqd_conn_tx_past(struct nqd_conn *c, u64 now)
{
	if (unlikely(!nqd_sent_room(&c->recovery.sent)))
		return nqd_conn_tx_out_of_ring(c, now);
	return nqd_conn_tx_keys(c, now, 1) ? NQD_CONN_SEND : NQD_CONN_KEY_LIMIT;
}

/* Pad a packet of ours to the sample and send it. */
static enum nqd_conn_verdict nqd_conn_tx_finish(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
						struct nqd_conn_plan *plan)
{
	u32 least = NQD_CONN_TX_MIN_SAMPLED - min_t(u32, out->pn_len, NQD_CONN_TX_MIN_SAMPLED);

	if (nqd_conn_out_pad(out, least))
		return NQD_CONN_NO_ROOM;
	nqd_conn_tx_commit(c, now, nqd_conn_out_size(c, out), 1, out, plan);
	return NQD_CONN_SEND;
}

/* RFC 9000 section 10.2.1: one CONNECTION_CLOSE for each time that one is called for. */
static enum nqd_conn_verdict nqd_conn_tx_close(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
					       struct nqd_conn_plan *plan)
{
	const struct nqd_state *s = &c->state;
	int len;

	if (s->close_application)
		len = nqd_frame_put_connection_close_app(out->buf, out->room, s->error_code, NULL, 0);
	else
		len = nqd_frame_put_connection_close(out->buf, out->room, s->error_code,
						     s->error_frame_type, NULL, 0);
	if (len < 0)
		return NQD_CONN_NO_ROOM;
	if (unlikely(!nqd_sent_room(&c->recovery.sent)))
		return nqd_conn_tx_out_of_ring(c, now);
	if (unlikely(!nqd_keys_tx_reserve_close(&c->keys)))
		return NQD_CONN_KEY_LIMIT;
	out->len = (u32)len;
	out->others = 1;
	c->state.close_pending = false;
	c->wanted = 0;
	return nqd_conn_tx_finish(c, now, out, plan);
}

/*
 * PATH_CHALLENGE and PATH_RESPONSE: RFC 9000 sections 8.2.1 and 8.2.2: in datagrams of 1200 bytes, or
 * as large as the anti-amplification limit allows.
 */
static enum nqd_conn_verdict nqd_conn_tx_path(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
					      struct nqd_conn_plan *plan)
{
	u32 base = c->overhead + out->pn_len;
	struct nqd_path_response response;
	enum nqd_conn_verdict verdict;
	const u8 *challenge;
	u64 allowance;
	u8 path;
	int len;

	if (out->room < NQD_MIN_DATAGRAM_SIZE - base)
		return NQD_CONN_NO_ROOM;
	if (c->wanted & NQD_CONN_WANT_RESPONSE) {
		len = nqd_path_response_next(&c->path, base + 1 + NQD_PATH_DATA_LEN, &response);
		if (!c->path.responses_count)
			c->wanted &= ~(u32)NQD_CONN_WANT_RESPONSE;
		if (!len)
			return NQD_CONN_NOTHING;
		path = response.path;
		len = nqd_frame_put_path_response(out->buf, out->room, response.data);
	} else {
		path = c->path.target;
		c->wanted &= ~(u32)NQD_CONN_WANT_CHALLENGE;
		if (nqd_path_allowance(&c->path, path) < base + 1 + NQD_PATH_DATA_LEN) {
			nqd_path_challenge_deferred(&c->path, now);
			return NQD_CONN_NOTHING;
		}
		challenge = nqd_path_challenge_sent(&c->path, now);
		if (!challenge)
			return NQD_CONN_NOTHING;
		len = nqd_frame_put_path_challenge(out->buf, out->room, challenge);
	}
	if (WARN_ON_ONCE(len < 0))
		return NQD_CONN_NO_ROOM;
	verdict = nqd_conn_tx_past(c, now);
	if (verdict != NQD_CONN_SEND)
		return verdict;
	out->len = (u32)len;
	out->others = 1;
	out->flags |= NQD_SENT_ACK_ELICITING | NQD_SENT_IN_FLIGHT | NQD_SENT_PATH;
	allowance = nqd_path_allowance(&c->path, path);
	nqd_conn_out_pad(out, (u32)min_t(u64, allowance, NQD_MIN_DATAGRAM_SIZE) - base);
	verdict = nqd_conn_tx_finish(c, now, out, plan);
	plan->path = path;
	if (path != NQD_PATH_ACTIVE)
		nqd_path_candidate_sent(&c->path, plan->size);
	return verdict;
}

/*
 * RFC 9002 section 6.2.4: a probe repeats control frames in flight, or is a PING: lost DATAGRAMs are
 * not repeated.
 */
static enum nqd_conn_verdict nqd_conn_tx_probe(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
					       struct nqd_conn_plan *plan)
{
	enum nqd_conn_verdict verdict = nqd_conn_tx_past(c, now);
	u32 len = 0;

	if (verdict != NQD_CONN_SEND)
		return verdict;
	if (nqd_ack_pending(&c->ack))
		nqd_conn_out_ack(c, now, out);
	if (nqd_control_requeue_oldest(&c->control))
		len = nqd_conn_out_control(c, out);
	if (!len && nqd_conn_out_ping(out))
		return NQD_CONN_NO_ROOM;
	out->flags |= NQD_SENT_PROBE;
	if (!c->control.queued)
		c->wanted &= ~(u32)NQD_CONN_WANT_CONTROL;
	if (c->probes)
		c->probes--;
	if (!c->probes)
		c->wanted &= ~(u32)NQD_CONN_WANT_PROBE;
	c->stats.probes++;
	return nqd_conn_tx_finish(c, now, out, plan);
}

/* Control frames, or a PING to keep the connection alive; within window and pace. */
static enum nqd_conn_verdict nqd_conn_tx_control(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
						 struct nqd_conn_plan *plan)
{
	enum nqd_conn_verdict verdict;
	u32 len = 0;

	/* As much as the window must have room for: a full packet. */
	verdict = nqd_conn_tx_may(c, now, c->overhead + out->pn_len + out->room, plan);
	if (verdict != NQD_CONN_SEND)
		return verdict;
	if (!nqd_conn_tx_keys(c, now, 1))
		return NQD_CONN_KEY_LIMIT;
	if (nqd_ack_pending(&c->ack))
		nqd_conn_out_ack(c, now, out);
	if (c->control.queued) {
		len = nqd_conn_out_control(c, out);
		/* The blob did not fit beside the ACK: the ACK waits for the next packet. */
		if (!len && out->len) {
			out->len = 0;
			out->flags = 0;
			out->ack_reported = NQD_PN_NONE;
			len = nqd_conn_out_control(c, out);
		}
		if (!len)
			return NQD_CONN_NO_ROOM;
	} else if (nqd_conn_out_ping(out)) {
		return NQD_CONN_NO_ROOM;
	}
	if (!c->control.queued)
		c->wanted &= ~(u32)NQD_CONN_WANT_CONTROL;
	c->wanted &= ~(u32)NQD_CONN_WANT_PING;
	return nqd_conn_tx_finish(c, now, out, plan);
}

/* RFC 9000 section 14.4: a probe of the MTU is PING and PADDING, and cannot hold anything that matters. */
static enum nqd_conn_verdict nqd_conn_tx_pmtu(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
					      u32 room, struct nqd_conn_plan *plan)
{
	u32 size = nqd_pmtu_probe_wanted(&c->pmtu);
	enum nqd_conn_verdict verdict;

	if (!size) {
		c->wanted &= ~(u32)NQD_CONN_WANT_PMTU;
		return NQD_CONN_NOTHING;
	}
	out->room = size - c->overhead - out->pn_len;
	if (room < out->room)
		return NQD_CONN_NO_ROOM;
	verdict = nqd_conn_tx_may(c, now, size, plan);
	if (verdict != NQD_CONN_SEND)
		return verdict;
	if (!nqd_conn_tx_keys(c, now, 1))
		return NQD_CONN_KEY_LIMIT;
	if (nqd_conn_out_ping(out) || nqd_conn_out_pad(out, out->room))
		return NQD_CONN_NO_ROOM;
	out->flags |= NQD_SENT_PMTU_PROBE;
	verdict = nqd_conn_tx_finish(c, now, out, plan);
	nqd_pmtu_probe_sent(&c->pmtu, plan->pn);
	nqd_conn_want_pmtu(c);
	return verdict;
}

static enum nqd_conn_verdict nqd_conn_tx_ack(struct nqd_conn *c, u64 now, struct nqd_conn_out *out,
					     struct nqd_conn_plan *plan)
{
	enum nqd_conn_verdict verdict = nqd_conn_tx_past(c, now);

	if (verdict != NQD_CONN_SEND)
		return verdict;
	nqd_conn_out_ack(c, now, out);
	if (!out->len)
		return NQD_CONN_NO_ROOM;
	/* RFC 9000 section 13.2.4: now and then, to have the ACK acknowledged. */
	if (nqd_ack_wants_ping(&c->ack, now, c->recovery.rtt.smoothed) &&
	    nqd_recovery_can_send(&c->recovery, now,
				  nqd_conn_out_size(c, out) + NQD_CONN_TX_MIN_SAMPLED,
				  &plan->departure) == NQD_SEND_OK)
		nqd_conn_out_ping(out);
	if (!(out->flags & NQD_SENT_ACK_ELICITING))
		c->stats.tx_ack_only++;
	return nqd_conn_tx_finish(c, now, out, plan);
}

/* Is this the packet of the call, or should the next kind be tried? */
static bool nqd_conn_tx_final(struct nqd_conn *c, enum nqd_conn_verdict verdict,
			      const struct nqd_conn_plan *plan)
{
	if (verdict == NQD_CONN_PACED)
		c->tx_at = min(c->tx_at, plan->departure);
	return verdict != NQD_CONN_NOTHING && verdict != NQD_CONN_CWND && verdict != NQD_CONN_PACED;
}

/**
 * nqd_conn_tx_pending() - next packet that must leave without a payload of the caller
 * @c: connection
 * @now: time
 * @buf: takes the frames of the packet
 * @room: bytes there: enough for the largest UDP payload that the connection may probe for
 * @plan: what to seal and send: header and plan->frames_len bytes of @buf
 *
 * Return: NQD_CONN_SEND: send it and call again. NQD_CONN_NOTHING: all done, or held back by window or
 * pacer, which nqd_conn_deadline() knows. Anything else: nothing can be sent now.
 */
enum nqd_conn_verdict nqd_conn_tx_pending(struct nqd_conn *c, u64 now, u8 *buf, u32 room,
					  struct nqd_conn_plan *plan)
{
	enum nqd_conn_verdict verdict;
	struct nqd_conn_out out;

	c->tx_at = NQD_TIME_NEVER;
	if (!nqd_conn_tx_wanted(c, now))
		return NQD_CONN_NOTHING;
	nqd_conn_out_init(c, &out, buf, room, 1);
	if (c->state.state == NQD_SESSION_STATE_CLOSING)
		return c->state.close_pending ? nqd_conn_tx_close(c, now, &out, plan) :
						NQD_CONN_NOTHING;
	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return NQD_CONN_NOTHING;

	if (unlikely(c->wanted & (NQD_CONN_WANT_RESPONSE | NQD_CONN_WANT_CHALLENGE))) {
		verdict = nqd_conn_tx_path(c, now, &out, plan);
		if (nqd_conn_tx_final(c, verdict, plan))
			return verdict;
	}
	if (unlikely(c->wanted & NQD_CONN_WANT_PROBE))
		return nqd_conn_tx_probe(c, now, &out, plan);
	if (c->wanted & (NQD_CONN_WANT_CONTROL | NQD_CONN_WANT_PING)) {
		verdict = nqd_conn_tx_control(c, now, &out, plan);
		if (nqd_conn_tx_final(c, verdict, plan))
			return verdict;
	}
	if (nqd_ack_due(&c->ack, now))
		return nqd_conn_tx_ack(c, now, &out, plan);
	if (c->wanted & NQD_CONN_WANT_PMTU) {
		verdict = nqd_conn_tx_pmtu(c, now, &out, room, plan);
		if (nqd_conn_tx_final(c, verdict, plan))
			return verdict;
	}
	return NQD_CONN_NOTHING;
}

/**
 * nqd_conn_tx_failed() - a planned packet could not be sealed: it never left
 * @c: connection
 * @now: time
 * @pn: its number
 */
void nqd_conn_tx_failed(struct nqd_conn *c, u64 now, u64 pn)
{
	if (nqd_recovery_cancel(&c->recovery, pn))
		return;
	c->stats.tx_failed++;
	nqd_control_on_unsent(&c->control, pn);
	if (c->control.queued && c->state.state == NQD_SESSION_STATE_ACTIVE)
		c->wanted |= NQD_CONN_WANT_CONTROL;
	if (c->pmtu.probe_pn == pn)
		c->pmtu.probe_pn = NQD_PN_NONE;
	/* It may have carried an ACK frame: send another. */
	nqd_ack_import(&c->ack, &c->received, true, now);
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * A connection's receive path: from the unprotected header to frames acted upon.
 *
 * A packet changes nothing before it is authenticated, found new, and its frames are found valid to the
 * last byte.
 */
#include "conn_priv.h"

#include "varint.h"

/* RFC 9000 section 17.3.1: the first byte of a short header. */
#define NQD_CONN_RX_SPIN 0x20
#define NQD_CONN_RX_RESERVED 0x18

/* Frames with an effect that are kept from the check, so that few packets are parsed twice. */
#define NQD_CONN_RX_KEPT 2

/**
 * struct nqd_conn_scan - what the check of a payload found
 * @error: QUIC error code, with @ret < 0
 * @error_frame_type: frame type that caused it
 * @effects: frames that change the state of the connection
 * @others: see nqd_conn_rx_other()
 * @eliciting: the packet must be acknowledged
 * @close: there is a CONNECTION_CLOSE frame
 * @kept: the first of those with an effect
 */
struct nqd_conn_scan {
	u64 error;
	u64 error_frame_type;
	u32 effects;
	u32 others;
	bool eliciting;
	bool close;
	struct nqd_frame kept[NQD_CONN_RX_KEPT];
};

/**
 * nqd_conn_rx_failed() - the packet did not authenticate
 * @c: connection
 * @now: time
 *
 * Return: the reason to count: NQD_DROP_AEAD_LIMIT if that was one too many and the connection closes.
 */
enum nqd_drop_reason nqd_conn_rx_failed(struct nqd_conn *c, u64 now)
{
	if (likely(!nqd_keys_rx_failed(&c->keys)))
		return NQD_DROP_AEAD;
	/* RFC 9001 section 6.6. */
	if (c->state.state == NQD_SESSION_STATE_ACTIVE)
		nqd_conn_error(c, now, NQD_QUIC_AEAD_LIMIT_REACHED, 0);
	return NQD_DROP_AEAD_LIMIT;
}

/* Nearly every packet of a tunnel: one DATAGRAM frame and nothing else. */
static bool nqd_conn_rx_one_datagram(const struct nqd_conn *c, const u8 *payload, u32 len,
				     struct nqd_conn_rx_result *res)
{
	u64 data_len;
	int skip;

	if (unlikely(len > c->max_datagram_frame_size))
		return false;
	if (payload[0] == NQD_FRAME_DATAGRAM) {
		res->datagram.offset = 1;
		res->datagram.len = len - 1;
		res->datagrams = 1;
		return true;
	}
	if (payload[0] != NQD_FRAME_DATAGRAM_LEN)
		return false;
	skip = nqd_varint_get(payload + 1, len - 1, &data_len);
	if (!skip || data_len != len - 1 - (u32)skip)
		return false;
	res->datagram.offset = 1 + (u32)skip;
	res->datagram.len = (u32)data_len;
	res->datagrams = 1;
	return true;
}

static int nqd_conn_scan_error(struct nqd_conn_scan *scan, u64 error, u64 frame_type)
{
	scan->error = error;
	scan->error_frame_type = frame_type;
	return -EPROTO;
}

/* One frame of the check: who may send it, how large it may be, what it will do. */
static int nqd_conn_scan_frame(const struct nqd_conn *c, const struct nqd_frame *frame,
			       struct nqd_conn_scan *scan, struct nqd_conn_rx_result *res)
{
	/* RFC 9000 sections 19.7 and 19.20: NEW_TOKEN and HANDSHAKE_DONE are the server's. */
	if (!c->client && !nqd_frame_from_client(frame->type))
		return nqd_conn_scan_error(scan, NQD_QUIC_PROTOCOL_VIOLATION, frame->type);
	if (nqd_frame_ack_eliciting(frame->type))
		scan->eliciting = true;
	if (nqd_frame_class(frame->type) == NQD_FRAME_HAND_UP) {
		res->handup_frames++;
		res->handup_bytes += frame->bytes.len;
		return 0;
	}
	switch (frame->type) {
	case NQD_FRAME_DATAGRAM:
	case NQD_FRAME_DATAGRAM_LEN:
		/* RFC 9221 section 3: not negotiated, or larger than we said. */
		if (frame->bytes.len > c->max_datagram_frame_size)
			return nqd_conn_scan_error(scan, NQD_QUIC_PROTOCOL_VIOLATION, frame->type);
		if (!res->datagrams++)
			res->datagram = frame->data;
		return 0;
	case NQD_FRAME_CONNECTION_CLOSE:
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		scan->close = true;
		return 1;
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
		/* RFC 9000 section 13.1: an acknowledgement of a packet that was never sent. */
		if (frame->ack.largest >= nqd_sent_next_pn(&c->recovery.sent))
			return nqd_conn_scan_error(scan, NQD_QUIC_PROTOCOL_VIOLATION, frame->type);
		return 1;
	case NQD_FRAME_PATH_CHALLENGE:
	case NQD_FRAME_PATH_RESPONSE:
		return 1;
	default:
		/* PADDING, PING, HANDSHAKE_DONE, and flow control of streams that nobody uses. */
		return 0;
	}
}

/* Neither DATAGRAM nor ACK, which have counters of their own; PADDING is bytes, not a number of frames. */
static bool nqd_conn_rx_other(u32 type)
{
	return type != NQD_FRAME_DATAGRAM && type != NQD_FRAME_DATAGRAM_LEN &&
	       type != NQD_FRAME_ACK && type != NQD_FRAME_ACK_ECN && type != NQD_FRAME_PADDING;
}

static int nqd_conn_scan(const struct nqd_conn *c, const u8 *payload, u32 len,
			 struct nqd_conn_scan *scan, struct nqd_conn_rx_result *res)
{
	struct nqd_frame_iter it;
	struct nqd_frame spare;
	struct nqd_frame *frame;
	int ret;

	/* RFC 9000 section 12.4: a payload holds at least one frame. */
	if (!len)
		return nqd_conn_scan_error(scan, NQD_QUIC_PROTOCOL_VIOLATION, 0);
	nqd_frame_iter_init(&it, payload, len);
	for (;;) {
		frame = scan->effects < NQD_CONN_RX_KEPT ? &scan->kept[scan->effects] : &spare;
		ret = nqd_frame_next(&it, frame);
		if (ret < 0)
			return nqd_conn_scan_error(scan, it.error, it.error_frame_type);
		if (!ret)
			return 0;
		ret = nqd_conn_scan_frame(c, frame, scan, res);
		if (ret < 0)
			return ret;
		scan->others += nqd_conn_rx_other(frame->type);
		scan->effects += (u32)ret;
	}
}

/**
 * nqd_conn_told_acked() - a packet with control frames, an MTU probe or a watched one was acknowledged
 * @ctx: struct nqd_conn_told
 * @pn: its number
 * @p: its entry
 */
void nqd_conn_told_acked(void *ctx, u64 pn, const struct nqd_sent_packet *p)
{
	const struct nqd_conn_told *told = ctx;
	struct nqd_conn *c = told->c;

	if (p->flags & NQD_SENT_CONTROL) {
		nqd_control_on_acked(&c->control, pn);
		if (c->control.acked)
			c->events |= NQD_CONN_EVENT_CONTROL_ACKED;
	}
	if (nqd_pmtu_acked(&c->pmtu, pn, p->size, told->now))
		nqd_conn_mtu_changed(c);
	nqd_conn_want_pmtu(c);
}

/**
 * nqd_conn_told_lost() - such a packet was lost
 * @ctx: struct nqd_conn_told
 * @pn: its number
 * @p: its entry
 */
void nqd_conn_told_lost(void *ctx, u64 pn, const struct nqd_sent_packet *p)
{
	const struct nqd_conn_told *told = ctx;
	struct nqd_conn *c = told->c;

	if (p->flags & NQD_SENT_CONTROL) {
		nqd_control_on_lost(&c->control, pn);
		if (c->control.queued)
			c->wanted |= NQD_CONN_WANT_CONTROL;
		if (c->control.lost)
			c->events |= NQD_CONN_EVENT_CONTROL_LOST;
	}
	if (nqd_pmtu_lost(&c->pmtu, pn, p->size, told->now))
		nqd_conn_mtu_changed(c);
	nqd_conn_want_pmtu(c);
}

/**
 * nqd_conn_recovered() - take note of what an ACK frame or a timeout changed
 * @c: connection
 * @res: what recovery says
 */
void nqd_conn_recovered(struct nqd_conn *c, const struct nqd_recovery_result *res)
{
	if (likely(!res->lost.packets && !res->reduced && !res->acked.spurious))
		return;
	c->stats.spurious += res->acked.spurious;
	if (res->lost.congestion_packets)
		nqd_pmtu_suspect(&c->pmtu);
	if (res->reduced)
		c->events |= NQD_CONN_EVENT_CONGESTION;
}

static void nqd_conn_rx_ack(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx,
			    const struct nqd_frame *frame, const u8 *payload)
{
	struct nqd_conn_told told = { .c = c, .now = now };
	const struct nqd_sent_sink sink = {
		.acked = nqd_conn_told_acked,
		.lost = nqd_conn_told_lost,
		.ctx = &told,
	};
	struct nqd_recovery_result res;
	struct nqd_recovery_ack ack;
	struct nqd_ack_iter ranges;

	nqd_frame_ack_init(&ranges, frame, payload);
	ack.largest = frame->ack.largest;
	ack.delay = nqd_frame_ack_delay(frame, c->peer_ack_delay_exponent);
	ack.has_ecn = frame->type == NQD_FRAME_ACK_ECN;
	ack.ecn = frame->ack.ecn;
	ack.ranges = &ranges;
	c->stats.rx_acks++;

	if (nqd_recovery_on_ack(&c->recovery, &ack, now, &sink, &res) < 0) {
		/* RFC 9000 section 13.1, for a number in the middle that was never sent. */
		nqd_conn_error(c, now, NQD_QUIC_PROTOCOL_VIOLATION, frame->type);
		return;
	}
	nqd_conn_recovered(c, &res);
	if (!res.acked.packets)
		return;
	/* A PTO probe that has not left yet is pointless now. */
	c->probes = 0;
	c->wanted &= ~(u32)NQD_CONN_WANT_PROBE;
	/* RFC 9000 section 13.2.4: ranges that the peer knows to be acknowledged need no more reports. */
	if (res.acked.ack_reported != NQD_PN_NONE)
		nqd_received_forget(&c->received, res.acked.ack_reported + 1);
	if (unlikely(!c->keys.tx_acked) &&
	    nqd_keys_on_ack(&c->keys, rx->generation, res.acked.largest, now,
			    nqd_rtt_pto(&c->recovery.rtt)))
		nqd_conn_error(c, now, NQD_QUIC_KEY_UPDATE_ERROR, frame->type);
	nqd_conn_retry_update(c, now);
}

static void nqd_conn_rx_effect(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx,
			       const struct nqd_frame *frame, const u8 *payload)
{
	/* An earlier frame of the packet may have ended the connection. */
	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return;
	switch (frame->type) {
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
		nqd_conn_rx_ack(c, now, rx, frame, payload);
		break;
	case NQD_FRAME_PATH_CHALLENGE:
		nqd_path_on_challenge(&c->path, rx->path, payload + frame->data.offset);
		c->wanted |= NQD_CONN_WANT_RESPONSE;
		break;
	case NQD_FRAME_PATH_RESPONSE:
		if (!nqd_path_on_response(&c->path, payload + frame->data.offset))
			break;
		c->wanted &= ~(u32)NQD_CONN_WANT_CHALLENGE;
		c->events |= NQD_CONN_EVENT_PATH_VALIDATED;
		break;
	case NQD_FRAME_CONNECTION_CLOSE:
	case NQD_FRAME_CONNECTION_CLOSE_APP:
		c->peer_close.code = frame->close.code;
		c->peer_close.frame_type = frame->close.frame_type;
		c->peer_close.application = frame->type == NQD_FRAME_CONNECTION_CLOSE_APP;
		c->events |= NQD_CONN_EVENT_PEER_CLOSED;
		/* RFC 9000 section 10.2.2. */
		nqd_state_drain(&c->state, now, nqd_rtt_pto(&c->recovery.rtt));
		c->wanted = 0;
		break;
	default:
		break;
	}
}

static void nqd_conn_rx_effects(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx,
				const struct nqd_conn_scan *scan, const u8 *payload, u32 len)
{
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	u32 i;

	if (scan->effects <= NQD_CONN_RX_KEPT) {
		for (i = 0; i < scan->effects; i++)
			nqd_conn_rx_effect(c, now, rx, &scan->kept[i], payload);
		return;
	}
	nqd_frame_iter_init(&it, payload, len);
	while (nqd_frame_next(&it, &frame) > 0)
		nqd_conn_rx_effect(c, now, rx, &frame, payload);
}

/* RFC 9000 section 10.2.1: while CLOSING only a CONNECTION_CLOSE of the peer matters. */
static enum nqd_drop_reason nqd_conn_rx_closing(struct nqd_conn *c, u64 now,
						const struct nqd_conn_scan *scan)
{
	if (scan->close) {
		nqd_state_drain(&c->state, now, nqd_rtt_pto(&c->recovery.rtt));
		c->wanted = 0;
		return NQD_DROP_STATE;
	}
	nqd_state_closing_received(&c->state);
	if (c->state.close_pending)
		c->wanted = NQD_CONN_WANT_CLOSE;
	return NQD_DROP_STATE;
}

/* RFC 9000 section 17.4: the server reflects the spin bit, the client inverts it. */
static void nqd_conn_rx_spin(struct nqd_conn *c, const struct nqd_conn_rx *rx)
{
	u8 spin = rx->first_byte & NQD_CONN_RX_SPIN ? 1 : 0;

	if (c->spin_enabled && (c->received.largest == NQD_PN_NONE || rx->pn > c->received.largest))
		c->spin = c->client ? !spin : spin;
}

static enum nqd_drop_reason nqd_conn_rx_refuse(struct nqd_conn *c, u64 now,
					       enum nqd_drop_reason reason, u64 code, u64 frame_type)
{
	if (c->state.state == NQD_SESSION_STATE_ACTIVE)
		nqd_conn_error(c, now, code, frame_type);
	return reason;
}

static enum nqd_drop_reason nqd_conn_rx_scan_failed(struct nqd_conn *c, u64 now,
						    const struct nqd_conn_scan *scan)
{
	enum nqd_drop_reason reason = NQD_DROP_PROTOCOL_VIOLATION;

	if (scan->error == NQD_QUIC_FRAME_ENCODING_ERROR)
		reason = NQD_DROP_FRAME_ENCODING;
	else if (scan->error_frame_type == NQD_FRAME_DATAGRAM ||
		 scan->error_frame_type == NQD_FRAME_DATAGRAM_LEN)
		reason = NQD_DROP_DATAGRAM_TOO_LARGE;
	return nqd_conn_rx_refuse(c, now, reason, scan->error, scan->error_frame_type);
}

/* Not in order in the current phase: a key update, or a packet from before one. */
static void nqd_conn_rx_keys(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx)
{
	unsigned int flags = nqd_keys_rx_opened(&c->keys, rx->generation, rx->pn,
						nqd_sent_next_pn(&c->recovery.sent), now,
						nqd_rtt_pto(&c->recovery.rtt));

	nqd_conn_keys_changed(c, now, flags);
}

/* A packet that is good to its last byte: from here on it counts as received. */
static __always_inline void nqd_conn_rx_received(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx,
						 bool eliciting, struct nqd_conn_rx_result *res)
{
	nqd_conn_rx_spin(c, rx);
	if (unlikely(!nqd_keys_rx_in_order(&c->keys, rx->generation, rx->pn))) {
		nqd_conn_rx_keys(c, now, rx);
		res->lone = false;
	}
	nqd_received_add(&c->received, rx->pn, now, rx->ecn);
	nqd_ack_on_packet(&c->ack, &c->received, now, rx->pn, eliciting, rx->ecn == NQD_ECN_CE,
			  c->recovery.rtt.smoothed);
	nqd_state_received(&c->state, now);
	if (unlikely(rx->path != NQD_PATH_ACTIVE))
		nqd_path_candidate_received(&c->path, rx->size);
	c->stats.rx_packets++;
	c->stats.rx_bytes += rx->size;
}

/* Any frames, or none. Apart, for what it keeps of them has to be cleared on the stack. */
static noinline enum nqd_drop_reason nqd_conn_rx_frames(struct nqd_conn *c, u64 now,
							const struct nqd_conn_rx *rx, const u8 *payload,
							u32 len, u32 handup_room,
							struct nqd_conn_rx_result *res)
{
	struct nqd_conn_scan scan;

	scan.effects = 0;
	scan.others = 0;
	scan.eliciting = false;
	scan.close = false;
	if (nqd_conn_scan(c, payload, len, &scan, res) < 0)
		return nqd_conn_rx_scan_failed(c, now, &scan);
	/* What cannot be handed up must come again: no acknowledgement. */
	if (unlikely(res->handup_bytes > handup_room))
		return NQD_DROP_EVENT_QUEUE_FULL;
	if (unlikely(c->state.state == NQD_SESSION_STATE_CLOSING))
		return nqd_conn_rx_closing(c, now, &scan);
	nqd_conn_rx_received(c, now, rx, scan.eliciting, res);
	c->stats.rx_datagrams += res->datagrams;
	c->stats.rx_other += scan.others;
	if (scan.effects)
		nqd_conn_rx_effects(c, now, rx, &scan, payload, len);
	return NQD_DROP_NONE;
}

/**
 * nqd_conn_rx_opened() - an authentic packet
 * @c: connection
 * @now: time
 * @rx: the packet, as nqd_conn_rx_begin() left it
 * @payload: its frames, decrypted
 * @len: their bytes
 * @handup_room: bytes of hand-up frames that the home can queue for user space
 * @res: what is in it for the home; valid with NQD_DROP_NONE. With NQD_DROP_EVENT_QUEUE_FULL, which changes
 *	nothing, its handup_bytes say how much room it takes
 *
 * The home delivers the DATAGRAM payloads and queues the hand-up frames if, and only if, the packet was
 * accepted.
 *
 * Return: NQD_DROP_NONE, or why the packet is dropped; some reasons close the connection too.
 */
enum nqd_drop_reason nqd_conn_rx_opened(struct nqd_conn *c, u64 now, const struct nqd_conn_rx *rx,
					const u8 *payload, u32 len, u32 handup_room,
					struct nqd_conn_rx_result *res)
{
	enum nqd_drop_reason reason;
	int ret;

	res->lone = false;
	res->datagrams = 0;
	res->handup_frames = 0;
	res->handup_bytes = 0;

	/* The lock was open during crypto: the peer's CONNECTION_CLOSE may have been first. */
	if (unlikely(c->state.state != NQD_SESSION_STATE_ACTIVE &&
		     c->state.state != NQD_SESSION_STATE_CLOSING))
		return NQD_DROP_STATE;
	/* RFC 9000 section 12.3: never the same packet number twice. */
	reason = nqd_received_check(&c->received, rx->pn);
	if (unlikely(reason != NQD_DROP_NONE))
		return reason;
	/* RFC 9001 sections 6.2 and 6.4. */
	ret = nqd_keys_rx_check(&c->keys, rx->generation, rx->pn);
	if (unlikely(ret == -ESTALE))
		return NQD_DROP_KEY_DISCARDED;
	if (unlikely(ret))
		return nqd_conn_rx_refuse(c, now, NQD_DROP_KEY_PHASE, NQD_QUIC_KEY_UPDATE_ERROR, 0);
	/* RFC 9000 section 17.3.1: checked after header and packet protection are removed. */
	if (unlikely(rx->first_byte & NQD_CONN_RX_RESERVED))
		return nqd_conn_rx_refuse(c, now, NQD_DROP_RESERVED_BITS, NQD_QUIC_PROTOCOL_VIOLATION, 0);

	if (unlikely(!len || c->state.state != NQD_SESSION_STATE_ACTIVE ||
		     !nqd_conn_rx_one_datagram(c, payload, len, res)))
		return nqd_conn_rx_frames(c, now, rx, payload, len, handup_room, res);
	res->lone = true;
	nqd_conn_rx_received(c, now, rx, true, res);
	c->stats.rx_datagrams++;
	return NQD_DROP_NONE;
}

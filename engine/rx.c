// SPDX-License-Identifier: BSD-3-Clause
/* From the wire to the device: which session, header protection, opening, what the frames carry. */
#include "engine_priv.h"

#include "varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONG_HEADER 0x80 /* RFC 9000 section 17.2 */
#define FIXED_BIT 0x40
#define CONTEXT_IP 0
#define CONTEXT_CONTROL 1
/* RFC 9000 section 10.3: the shortest stateless reset. */
#define RESET_MIN 21

/* Datagrams of one session that came together, for one call of header protection. */
struct nqe_rx_group {
	struct nqe_session *session;
	u8 *data[NQE_UDP_MAX_SEGMENTS];
	u32 len[NQE_UDP_MAX_SEGMENTS];
	u32 count;
	u8 ecn;
	const struct nqe_address *remote;
};

static void nqe_rx_drop(struct nqe_session *s, enum nqd_drop_reason reason)
{
	s->stats.drops[reason]++;
}

/* RFC 9000 section 10.3.1: the last 16 bytes of a datagram that could not be opened. */
static bool nqe_rx_is_reset(const struct nqe_session *s, const u8 *data, u32 len)
{
	bool found = false;
	u32 i;

	if (len < RESET_MIN)
		return false;
	for (i = 0; i < s->config.reset_tokens; i++)
		found |= nqe_crypto_equal(data + len - NQE_RESET_TOKEN, s->config.reset_token[i],
					  NQE_RESET_TOKEN);
	return found;
}

/* A datagram that could not be authenticated: the peer may have forgotten us, else it is dropped. */
static void nqe_rx_unauthentic(struct nqe_engine *e, struct nqe_session *s, const u8 *data, u32 len,
			       enum nqd_drop_reason reason)
{
	if (!nqe_rx_is_reset(s, data, len)) {
		nqe_rx_drop(s, reason);
		return;
	}
	nqe_rx_drop(s, NQD_DROP_STATELESS_RESET);
	if (s->conn.state.state == NQD_SESSION_STATE_DRAINING)
		return;
	nqd_state_drain(&s->conn.state, e->now, nqd_rtt_pto(&s->conn.recovery.rtt));
	nqe_event_state(e, s, NQE_EVENT_FLAG_RESET);
}

static bool nqe_rx_source_allowed(struct nqe_session *s, const u8 *packet, const struct nqe_ip *ip)
{
	const u8 *source = packet + ip->source;

	if (s->last_source[0] == ip->address_len &&
	    !memcmp(s->last_source + 1, source, ip->address_len))
		return true;
	if (!nqe_route_lookup(&s->sources, ip->version, source))
		return false;
	s->last_source[0] = (u8)ip->address_len;
	memcpy(s->last_source + 1, source, ip->address_len);
	return true;
}

static void nqe_rx_ip(struct nqe_engine *e, struct nqe_session *s, u8 *packet, u32 len, u8 ecn)
{
	struct nqe_device *d = s->device;
	struct nqe_ip ip;

	/* Context 0 is one whole IP packet: nothing missing, nothing behind it. */
	if (nqe_ip_parse(packet, len, &ip) || ip.len != len) {
		nqe_rx_drop(s, NQD_DROP_INNER_MALFORMED);
		return;
	}
	if (!nqe_rx_source_allowed(s, packet, &ip)) {
		nqe_rx_drop(s, NQD_DROP_SOURCE_PREFIX);
		return;
	}
	if (s->config.route_epoch != d->epoch) {
		nqe_event_state(e, s, NQE_EVENT_FLAG_EPOCH);
		nqe_rx_drop(s, NQD_DROP_ROUTE_EPOCH);
		return;
	}
	if (unlikely(ecn == NQD_ECN_CE) && s->config.policy.ecn)
		nqe_ip_set_ce(packet, &ip);
	s->stats.rx_packets++;
	s->stats.rx_bytes += len;
	d->stats.rx_packets++;
	d->stats.rx_bytes += len;
	nqe_coalesce_add(&d->coalesce, packet, len, &ip);
}

static void nqe_rx_payload(struct nqe_engine *e, struct nqe_session *s, u8 *payload, u32 len,
			   u8 ecn)
{
	u64 context;
	int n = nqd_varint_get(payload, len, &context);

	if (!n || context > CONTEXT_CONTROL)
		nqe_rx_drop(s, NQD_DROP_CONTEXT_UNKNOWN);
	else if (context == CONTEXT_IP)
		nqe_rx_ip(e, s, payload + n, len - (u32)n, ecn);
	else if (!nqe_event_payload(e, s, NQE_EVENT_DATAGRAM, payload, len))
		nqe_rx_drop(s, NQD_DROP_EVENT_QUEUE_FULL);
}

/* A DATAGRAM for user space in it? Only asked when there is no room for one. */
static bool nqe_rx_for_user_space(const u8 *payload, u32 len)
{
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	u64 context;

	nqd_frame_iter_init(&it, payload, len);
	while (nqd_frame_next(&it, &frame) > 0)
		if ((frame.type == NQD_FRAME_DATAGRAM || frame.type == NQD_FRAME_DATAGRAM_LEN) &&
		    nqd_varint_get(payload + frame.data.offset, frame.data.len, &context) &&
		    context == CONTEXT_CONTROL)
			return true;
	return false;
}

/* More than one DATAGRAM, or frames for user space: the packet is walked again. */
static void nqe_rx_frames(struct nqe_engine *e, struct nqe_session *s, u8 *payload, u32 len, u8 ecn,
			  const struct nqd_conn_rx_result *res)
{
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	u32 used = 0;

	nqd_frame_iter_init(&it, payload, len);
	while (nqd_frame_next(&it, &frame) > 0) {
		if (frame.type == NQD_FRAME_DATAGRAM || frame.type == NQD_FRAME_DATAGRAM_LEN) {
			nqe_rx_payload(e, s, payload + frame.data.offset, frame.data.len, ecn);
		} else if (res->handup_frames && nqd_frame_class(frame.type) == NQD_FRAME_HAND_UP) {
			memcpy(e->frames + used, payload + frame.bytes.offset, frame.bytes.len);
			used += frame.bytes.len;
		}
	}
	if (used && !nqe_event_payload(e, s, NQE_EVENT_FRAMES, e->frames, used))
		nqe_rx_drop(s, NQD_DROP_NO_MEMORY);
}

static void nqe_rx_packet(struct nqe_engine *e, struct nqe_session *s, u8 *data, u32 len,
			  const u8 *mask, u8 ecn, const struct nqe_address *remote)
{
	u32 at = 1u + s->socket->cid_len, header, truncated = 0, i;
	struct nqd_conn_rx rx = { .size = len, .ecn = ecn, .path = NQD_PATH_ACTIVE };
	struct nqd_conn_rx_result res;
	enum nqd_drop_reason reason;
	u8 pn_len;

	/* RFC 9001 section 5.4.1. */
	data[0] ^= mask[0] & 0x1f;
	rx.first_byte = data[0];
	pn_len = (u8)((data[0] & 3) + 1);
	for (i = 0; i < pn_len; i++) {
		data[at + i] ^= mask[1 + i];
		truncated = truncated << 8 | data[at + i];
	}
	header = at + pn_len;
	reason = nqd_conn_rx_begin(&s->conn, &rx, truncated);
	if (reason != NQD_DROP_NONE) {
		nqe_rx_unauthentic(e, s, data, len, reason);
		nqe_control_events(e, s);
		return;
	}
	if (nqe_crypto_open(&s->rx, rx.generation, rx.pn, data, header, len)) {
		nqe_rx_unauthentic(e, s, data, len, nqd_conn_rx_failed(&s->conn, e->now));
		nqe_control_events(e, s);
		return;
	}
	/*
	 * Endpoint changes wait for path validation (RFC 9000 section 9): until then the owner
	 * reconnects. A packet that is here already says nothing about where the peer is: anyone
	 * who saw it can send it from anywhere.
	 */
	if (!nqe_address_equal(remote, &s->config.remote)) {
		reason = nqd_received_check(&s->conn.received, rx.pn);
		if (reason == NQD_DROP_NONE) {
			reason = NQD_DROP_TUPLE_MISMATCH;
			nqe_event_state(e, s, NQE_EVENT_FLAG_TUPLE);
		}
		nqe_rx_drop(s, reason);
		return;
	}
	/*
	 * What user space must hear of and has no room for is not acknowledged: the core sees to
	 * frames.
	 */
	if (unlikely(!nqe_event_room(s)) &&
	    nqe_rx_for_user_space(data + header, len - header - NQE_CRYPTO_TAG)) {
		nqe_rx_drop(s, NQD_DROP_EVENT_QUEUE_FULL);
		return;
	}
	reason = nqd_conn_rx_opened(&s->conn, e->now, &rx, data + header,
				    len - header - NQE_CRYPTO_TAG,
				    nqe_event_room(s) ? NQE_FRAMES_ROOM : 0, &res);
	if (reason == NQD_DROP_DUPLICATE || reason == NQD_DROP_TOO_OLD)
		nqe_event_state(e, s, NQE_EVENT_FLAG_REPLAY);
	if (reason != NQD_DROP_NONE)
		nqe_rx_drop(s, reason);
	else if (res.datagrams == 1 && !res.handup_frames)
		nqe_rx_payload(e, s, data + header + res.datagram.offset, res.datagram.len, ecn);
	else if (res.datagrams || res.handup_frames)
		nqe_rx_frames(e, s, data + header, len - header - NQE_CRYPTO_TAG, ecn, &res);
	if (s->conn.events)
		nqe_control_events(e, s);
}

static void nqe_rx_flush(struct nqe_engine *e, struct nqe_rx_group *g)
{
	u8 masks[NQE_UDP_MAX_SEGMENTS * NQE_CRYPTO_SAMPLE];
	struct nqe_session *s = g->session;
	u32 at, i;

	if (!g->count)
		return;
	nqe_crypto_prefetch(&s->rx, s->conn.keys.rx_generation);
	/* RFC 9001 section 5.4.2. */
	at = 1u + s->socket->cid_len + 4;
	for (i = 0; i < g->count; i++)
		memcpy(masks + i * NQE_CRYPTO_SAMPLE, g->data[i] + at, NQE_CRYPTO_SAMPLE);
	if (nqe_crypto_masks(&s->rx, masks, masks, g->count)) {
		s->stats.drops[NQD_DROP_HEADER_PROTECTION] += g->count;
		g->count = 0;
		return;
	}
	for (i = 0; i < g->count; i++)
		nqe_rx_packet(e, s, g->data[i], g->len[i], masks + i * NQE_CRYPTO_SAMPLE, g->ecn,
			      g->remote);
	g->count = 0;
	nqe_loop_ready(e, s);
}

/* Keeps a datagram of a session in HOLD. */
static void nqe_rx_hold(struct nqe_session *s, const u8 *data, u32 len, u8 ecn,
			const struct nqe_address *remote)
{
	struct nqe_hold *hold;

	if (s->held == NQD_HOLD_QUEUE_LEN) {
		nqe_rx_drop(s, NQD_DROP_HOLD_QUEUE_FULL);
		return;
	}
	if (!s->hold)
		s->hold = calloc(NQD_HOLD_QUEUE_LEN, sizeof(*hold));
	hold = s->hold ? &s->hold[s->held] : NULL;
	if (hold)
		hold->data = malloc(len);
	if (!hold || !hold->data) {
		nqe_rx_drop(s, NQD_DROP_NO_MEMORY);
		return;
	}
	memcpy(hold->data, data, len);
	hold->len = len;
	hold->ecn = ecn;
	hold->remote = *remote;
	s->held++;
}

static void nqe_rx_sort(struct nqe_engine *e, struct nqe_rx_group *g, struct nqe_session *s,
			u8 *data, u32 len, u8 ecn, const struct nqe_address *remote)
{
	if (!s->active) {
		nqe_rx_hold(s, data, len, ecn, remote);
		return;
	}
	/* RFC 9001 section 5.4.2: a sample, then at least the tag. */
	if (len < 1u + s->socket->cid_len + 4 + NQE_CRYPTO_SAMPLE) {
		nqe_rx_unauthentic(e, s, data, len, NQD_DROP_TRUNCATED);
		nqe_loop_ready(e, s);
		return;
	}
	if (!(data[0] & FIXED_BIT)) {
		nqe_rx_drop(s, NQD_DROP_FIXED_BIT);
		return;
	}
	if (g->count && (g->session != s || g->count == NQE_UDP_MAX_SEGMENTS))
		nqe_rx_flush(e, g);
	g->session = s;
	g->ecn = ecn;
	g->remote = remote;
	g->data[g->count] = data;
	g->len[g->count++] = len;
}

/* One datagram on its own: kept in HOLD, or taken from the socket before the session was here. */
void nqe_rx_datagram(struct nqe_engine *e, struct nqe_session *s, u8 *data, u32 len, u8 ecn,
		     const struct nqe_address *remote)
{
	struct nqe_rx_group g = { 0 };

	if (len && !(data[0] & LONG_HEADER))
		nqe_rx_sort(e, &g, s, data, len, ecn, remote);
	nqe_rx_flush(e, &g);
	nqe_coalesce_flush(&s->device->coalesce);
}

static struct nqe_session *nqe_rx_session(struct nqe_engine *e, struct nqe_socket *k,
					  const u8 *data, u32 len, const struct nqe_address *remote)
{
	struct nqe_lookup_key key;

	if (len < 1u + k->cid_len || (data[0] & LONG_HEADER))
		return NULL;
	key = k->cid_len ? nqe_lookup_cid(k->id, data + 1, k->cid_len) :
			   nqe_lookup_address(k->id, remote);
	return nqe_lookup_get(&e->lookup, &key);
}

/* Nearly always a datagram is of the same session as the one before. */
static bool nqe_rx_same_session(const struct nqe_rx_group *g, u32 cid_len, const u8 *data, u32 len)
{
	return g->count && cid_len && len >= 1u + cid_len && !(data[0] & LONG_HEADER) &&
	       !memcmp(g->data[g->count - 1] + 1, data + 1, cid_len);
}

static void nqe_rx_stranger(struct nqe_socket *k, const struct nqe_udp_message *m, const u8 *data,
			    u32 len)
{
	enum nqe_screen_verdict verdict = nqe_screen_judge(&k->screen, data, len);

	if (verdict == NQE_SCREEN_ADMIT)
		nqe_event_other(k, m, data, len);
	else
		k->stats.screened[verdict]++;
}

static void nqe_rx_message(struct nqe_engine *e, struct nqe_socket *k, struct nqe_udp_message *m)
{
	struct nqe_rx_group g = { 0 };
	u32 offset, len;

	e->now = nqe_engine_clock();
	k->stats.rx_batches++;
	for (offset = 0; offset < m->len; offset += len) {
		u8 *data = m->data + offset;
		struct nqe_session *s;

		len = min(m->segment, m->len - offset);
		k->stats.rx_datagrams++;
		s = nqe_rx_same_session(&g, k->cid_len, data, len) ?
			    g.session :
			    nqe_rx_session(e, k, data, len, &m->remote);
		if (s)
			nqe_rx_sort(e, &g, s, data, len, m->ecn, &m->remote);
		else
			nqe_rx_stranger(k, m, data, len);
	}
	nqe_rx_flush(e, &g);
}

/* Begins to load the session of the next message. */
static void nqe_rx_ahead(struct nqe_engine *e, struct nqe_socket *k, const struct nqe_udp_message *m)
{
	const struct nqe_session *s =
		nqe_rx_session(e, k, m->data, min(m->segment, m->len), &m->remote);

	if (s)
		nqe_session_prefetch(s);
}

void nqe_rx_socket(struct nqe_engine *e, struct nqe_socket *k)
{
	int n = nqe_udp_receive(&k->udp, &e->batch), i;

	if (n > 0)
		nqe_rx_ahead(e, k, &e->batch.message[0]);
	for (i = 0; i < n; i++) {
		if (i + 1 < n)
			nqe_rx_ahead(e, k, &e->batch.message[i + 1]);
		nqe_rx_message(e, k, &e->batch.message[i]);
	}
	/* The packets lie in the receive buffers. */
	for (i = 0; i < NQE_MAX_DEVICES; i++)
		if (e->device[i].id)
			nqe_coalesce_flush(&e->device[i].coalesce);
}

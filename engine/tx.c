// SPDX-License-Identifier: BSD-3-Clause
/*
 * From the device to the wire: prefix lookup, the session's queue, one DATAGRAM for each IP packet.
 */
#include "engine_priv.h"

#include "icmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Packets taken from a device before the sockets are looked at again. */
#define READS 16
/* RFC 9297 section 4 as CONNECT-IP uses it: context ID 0 is an IP packet. */
#define CONTEXT_IP 0

/* IP packets in what the device handed over. */
static u32 nqe_tx_packets(const struct nqe_packet *packet)
{
	u32 size = packet->vnet.gso_type && packet->vnet.gso_size ? packet->vnet.gso_size
								  : packet->len;

	return (packet->len + size - 1) / size;
}

static void nqe_tx_drop(struct nqe_engine *e, struct nqe_packet *packet, u64 *drops,
			enum nqd_drop_reason reason)
{
	drops[reason] += nqe_tx_packets(packet);
	nqe_pool_put(&e->pool, packet);
}

/* Large buffers are for large packets: what is small moves to a small one before it waits. */
static struct nqe_packet *nqe_tx_fit(struct nqe_engine *e, struct nqe_packet *packet)
{
	struct nqe_packet *small;

	if (packet->len > 16384)
		return packet;
	small = nqe_pool_get(&e->pool, packet->len);
	if (!small)
		return packet;
	small->vnet = packet->vnet;
	memcpy(small->data, packet->data, packet->len);
	e->spare = packet;
	return small;
}

static void nqe_tx_enqueue(struct nqe_engine *e, struct nqe_device *d, struct nqe_packet *packet)
{
	struct nqe_session *s;
	struct nqe_ip ip;

	d->stats.tx_packets += nqe_tx_packets(packet);
	d->stats.tx_bytes += packet->len;
	if (packet->vnet.gso_type != NQE_VNET_GSO_NONE) {
		d->stats.tx_supers++;
		d->stats.tx_merged += nqe_tx_packets(packet);
	}
	packet = nqe_tx_fit(e, packet);
	if (nqe_ip_parse(packet->data, packet->len, &ip)) {
		nqe_tx_drop(e, packet, d->stats.drops, NQD_DROP_INNER_MALFORMED);
		return;
	}
	s = nqe_route_lookup(&d->routes, ip.version, packet->data + ip.source + ip.address_len);
	if (!s) {
		nqe_tx_drop(e, packet, d->stats.drops, NQD_DROP_NO_ROUTE);
		return;
	}
	nqe_session_prefetch(s);
	if (!s->active || s->conn.state.state != NQD_SESSION_STATE_ACTIVE ||
	    !s->config.policy.send_data) {
		nqe_tx_drop(e, packet, s->stats.drops, NQD_DROP_STATE);
		return;
	}
	if (s->config.route_epoch != d->epoch) {
		nqe_event_state(e, s, NQE_EVENT_FLAG_EPOCH);
		nqe_tx_drop(e, packet, s->stats.drops, NQD_DROP_ROUTE_EPOCH);
		return;
	}
	if (!nqe_queue_push(&s->queue, packet, e->now)) {
		nqe_tx_drop(e, packet, s->stats.drops, NQD_DROP_QUEUE_FULL);
		return;
	}
	e->queued += nqe_packet_size(packet);
	nqe_loop_ready(e, s);
}

void nqe_tx_device(struct nqe_engine *e, struct nqe_device *d)
{
	u32 i;

	for (i = 0; i < READS; i++) {
		struct nqe_packet *packet =
			e->spare ? e->spare : nqe_pool_get(&e->pool, NQE_TUN_MAX_PACKET);
		int len;

		e->spare = packet;
		if (!packet) {
			d->stats.drops[NQD_DROP_NO_MEMORY]++;
			return;
		}
		len = nqe_tun_read(&d->tun, &packet->vnet, packet->data);
		if (len == -EINVAL)
			continue;
		if (len < 0) {
			/*
			 * The interface is gone, or down for good: a descriptor that is always
			 * readable helps nobody.
			 */
			if (len != -EAGAIN && len != -EINTR)
				nqe_loop_watch(e, d->tun.fd, d, false);
			return;
		}
		packet->len = (u32)len;
		e->spare = NULL;
		nqe_tx_enqueue(e, d, packet);
	}
}

/* The packet at hand is done with. */
static void nqe_tx_finish(struct nqe_engine *e, struct nqe_session *s)
{
	if (!s->current)
		return;
	e->queued -= nqe_packet_size(s->current);
	nqe_pool_put(&e->pool, s->current);
	s->current = NULL;
	s->told_too_big = false;
}

/* Everything that waits is given up: the session ends. */
void nqe_tx_discard(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_packet *packet;

	if (s->current) {
		s->stats.drops[NQD_DROP_STATE] += nqe_segment_left(&s->cursor);
		nqe_tx_finish(e, s);
	}
	while ((packet = nqe_queue_pop(&s->queue))) {
		e->queued -= nqe_packet_size(packet);
		nqe_tx_drop(e, packet, s->stats.drops, NQD_DROP_STATE);
	}
	while ((packet = nqe_queue_pop(&s->payloads)))
		nqe_tx_drop(e, packet, s->stats.drops, NQD_DROP_STATE);
}

static bool nqe_tx_grow_ring(struct nqe_session *s)
{
	u32 entries = nqd_sent_want_grow(&s->conn.recovery.sent);
	struct nqd_sent_packet *ring;

	if (!entries)
		return false;
	ring = calloc(entries, sizeof(*ring));
	if (!ring)
		return false;
	free(nqd_sent_grow(&s->conn.recovery.sent, ring, entries));
	return true;
}

/* DSCP of a session's own packets, and ECN. */
static u8 nqe_tx_tos(const struct nqe_session *s, u8 ecn)
{
	return (u8)(s->config.policy.dscp << 2 | ecn);
}

/* The same for a datagram around an IP packet. */
static u8 nqe_tx_tos_around(const struct nqe_session *s, const u8 *inner, u8 ecn)
{
	u8 class;

	if (!s->config.policy.dscp_inherit)
		return nqe_tx_tos(s, ecn);
	class = inner[0] >> 4 == 4 ? inner[1] : (u8)(inner[0] << 4 | inner[1] >> 4);
	return (u8)((class & ~NQE_IP_ECN_MASK) | ecn);
}

/* What must leave without user data: ACK, PING, probes, control frames, CONNECTION_CLOSE. */
static void nqe_tx_pending(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqd_conn_plan plan;

	while (nqd_conn_tx_wanted(&s->conn, e->now)) {
		enum nqd_conn_verdict verdict =
			nqd_conn_tx_pending(&s->conn, e->now, e->frames, NQE_FRAMES_ROOM, &plan);
		u8 *packet;

		nqe_control_events(e, s);
		if (verdict == NQD_CONN_RING && nqe_tx_grow_ring(s))
			continue;
		if (verdict != NQD_CONN_SEND)
			return;
		packet = nqe_out_reserve(e, s, plan.size, nqe_tx_tos(s, plan.ecn));
		memcpy(nqe_out_header(s, &plan, 0, packet), e->frames, plan.frames_len);
		nqe_out_seal(e, &plan, 0, packet);
		s->deficit -= plan.size;
	}
}

/* The largest IP packet that may leave, 0 for none at all. */
u32 nqe_tx_inner_mtu(const struct nqe_session *s)
{
	u32 payload = nqd_conn_max_payload(&s->conn);
	u32 fits = payload ? payload - 1 : 0;

	return s->config.policy.mtu ? min(s->config.policy.mtu, fits) : fits;
}

/* Tells the inner sender, once for each packet of the device, and gives the packet up. */
static void nqe_tx_too_big(struct nqe_engine *e, struct nqe_session *s)
{
	u32 mtu = nqe_tx_inner_mtu(s);
	struct nqe_vnet vnet = { 0 };
	u8 answer[NQE_ICMP_ROOM];
	struct iovec iov[2] = { { &vnet, sizeof(vnet) }, { answer, 0 } };

	s->stats.drops[NQD_DROP_MTU] += nqe_segment_left(&s->cursor);
	if (mtu) {
		iov[1].iov_len = nqe_icmp_too_big(s->current->data, s->current->len, mtu, answer);
		if (iov[1].iov_len)
			nqe_tun_write(&s->device->tun, iov, 2);
	}
	nqe_tx_finish(e, s);
}

/* The next packet of the device, ready to be cut; false: there is none. */
static bool nqe_tx_head(struct nqe_engine *e, struct nqe_session *s)
{
	while (!s->current || !nqe_segment_len(&s->cursor)) {
		nqe_tx_finish(e, s);
		s->current = nqe_queue_pop(&s->queue);
		if (!s->current)
			return false;
		if (nqe_segment_init(&s->cursor, s->current->data, s->current->len,
				     &s->current->vnet)) {
			s->stats.drops[NQD_DROP_INNER_MALFORMED]++;
			nqe_tx_finish(e, s);
		}
	}
	return true;
}

/*
 * Seals what a plan granted: IP packets of the one at hand, each behind the same frames and its
 * context ID.
 */
static void nqe_tx_segments(struct nqe_engine *e, struct nqe_session *s,
			    const struct nqd_conn_plan *plan)
{
	u8 tos = nqe_tx_tos_around(s, s->current->data, plan->ecn);
	u32 i;

	for (i = 0; i < plan->count; i++) {
		u8 *packet = nqe_out_reserve(e, s, plan->size, tos);
		u8 *p = nqe_out_header(s, plan, i, packet);
		u32 len;

		memcpy(p, e->frames, plan->frames_len);
		p += plan->frames_len;
		*p++ = CONTEXT_IP;
		len = nqe_segment_copy(&s->cursor, p);
		if (nqe_out_seal(e, plan, i, packet)) {
			s->stats.tx_packets++;
			s->stats.tx_bytes += len;
		}
	}
	s->deficit -= (s64)plan->size * plan->count;
}

/* What a verdict other than SEND means; true: try again at once. */
static bool nqe_tx_refused(struct nqe_engine *e, struct nqe_session *s,
			   enum nqd_conn_verdict verdict, const struct nqd_conn_plan *plan)
{
	switch (verdict) {
	case NQD_CONN_RING:
		return nqe_tx_grow_ring(s);
	case NQD_CONN_PACED:
		/* Sealing takes its time: the moment may have come since this turn began. */
		e->now = nqe_engine_clock();
		if (plan->departure <= e->now)
			return true;
		s->paced_at = plan->departure;
		s->stats.paced_ns += plan->departure - e->now;
		return false;
	case NQD_CONN_INACTIVE:
		nqe_tx_discard(e, s);
		return false;
	default:
		return false;
	}
}

/* IP packets, as many as may go; false: nothing more can leave now. */
static bool nqe_tx_packet(struct nqe_engine *e, struct nqe_session *s)
{
	enum nqd_conn_verdict verdict;
	struct nqd_conn_plan plan;
	u32 len, equal;

	if (!nqe_tx_head(e, s)) {
		nqd_conn_app_limited(&s->conn);
		return false;
	}
	len = nqe_segment_len(&s->cursor);
	if (len > nqe_tx_inner_mtu(s)) {
		nqe_tx_too_big(e, s);
		return true;
	}
	if (nqe_codel_drop(&s->queue.codel, e->now, e->now - s->current->enqueued,
			   s->queue.bytes + s->cursor.len - s->cursor.offset,
			   s->conn.pmtu.current_size)) {
		s->stats.drops[NQD_DROP_CONGESTION]++;
		nqe_segment_skip(&s->cursor);
		return true;
	}
	equal = min_t(u32, nqe_segment_equal(&s->cursor), NQE_UDP_MAX_SEGMENTS);
	if (equal > 1)
		verdict = nqd_conn_tx_batch(&s->conn, e->now, 1 + len, equal, e->frames,
					    NQE_FRAMES_ROOM, &plan);
	else
		verdict = nqd_conn_tx_datagram(&s->conn, e->now, 1 + len, e->frames,
					       NQE_FRAMES_ROOM, &plan);
	nqe_control_events(e, s);
	if (verdict != NQD_CONN_SEND)
		return nqe_tx_refused(e, s, verdict, &plan);
	nqe_tx_segments(e, s, &plan);
	return true;
}

/* A DATAGRAM payload of user space. */
static bool nqe_tx_payload(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_packet *payload = s->payloads.head;
	enum nqd_conn_verdict verdict;
	struct nqd_conn_plan plan;
	u8 *packet, *p;

	verdict = nqd_conn_tx_datagram(&s->conn, e->now, payload->len, e->frames, NQE_FRAMES_ROOM,
				       &plan);
	nqe_control_events(e, s);
	if (verdict == NQD_CONN_TOO_BIG) {
		nqe_tx_drop(e, nqe_queue_pop(&s->payloads), s->stats.drops, NQD_DROP_MTU);
		return true;
	}
	if (verdict != NQD_CONN_SEND)
		return nqe_tx_refused(e, s, verdict, &plan);
	packet = nqe_out_reserve(e, s, plan.size, nqe_tx_tos(s, plan.ecn));
	p = nqe_out_header(s, &plan, 0, packet);
	memcpy(p, e->frames, plan.frames_len);
	memcpy(p + plan.frames_len, payload->data, payload->len);
	nqe_out_seal(e, &plan, 0, packet);
	s->deficit -= plan.size;
	nqe_pool_put(&e->pool, nqe_queue_pop(&s->payloads));
	return true;
}

/* One turn of a session. True: it could send more, but it is another's turn. */
bool nqe_tx_service(struct nqe_engine *e, struct nqe_session *s)
{
	bool more = true;

	if (!s->active || s->dead)
		return false;
	/* Deficit round robin: what was sent too much in one turn is missing in the next. */
	s->deficit = min_t(s64, s->deficit + NQE_QUANTUM, NQE_QUANTUM);
	s->paced_at = NQD_TIME_NEVER;
	nqe_crypto_prefetch(&s->tx, s->conn.keys.tx_generation);
	nqe_tx_pending(e, s);
	if (s->dead)
		return false;
	if (s->conn.state.state != NQD_SESSION_STATE_ACTIVE) {
		nqe_tx_discard(e, s);
		return false;
	}
	while (more && s->deficit > 0 && !s->dead &&
	       s->conn.state.state == NQD_SESSION_STATE_ACTIVE)
		more = s->payloads.head ? nqe_tx_payload(e, s) : nqe_tx_packet(e, s);
	return more && !s->dead;
}

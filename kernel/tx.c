// SPDX-License-Identifier: GPL-2.0
/*
 * Sending. One CPU at a time serves a session, so that packets leave in the order of their numbers; the
 * others only queue, and tell that one to look again.
 *
 * One hold of nqd_session.lock decides on a batch of equal packets; they are sealed and handed to the UDP
 * layer, one after the other, without it. The order of service: what the protocol core must send, then
 * payloads of user space, then IP packets.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/dsfield.h>

#include "compat/datapath.h"
#include "cut.h"
#include "device.h"
#include "drop.h"
#include "seal.h"
#include "session.h"
#include "xmit.h"

/* nqd_datapath.serving: the bits may be set by anyone; who sets SERVING first serves. */
#define NQD_TX_SERVING 1
#define NQD_TX_AGAIN 2
/* Bytes that a session may send before it is another's turn on this CPU. */
#define NQD_TX_QUANTUM 65536
/* Packets that are decided on together. */
#define NQD_TX_BATCH 64
/* DATAGRAM payloads of user space that may wait. */
#define NQD_TX_PAYLOADS 64
/* What an ACK frame takes that reports losses, with ECN counts: nearly all are smaller. */
#define NQD_TX_ACK_ROOM 64
/* RFC 9297 section 4 as CONNECT-IP uses it: context ID 0 is an IP packet. */
#define NQD_TX_CONTEXT_IP 0

/**
 * enum nqd_tx_step - what was decided on
 * @NQD_TX_OWN: a packet of the protocol core
 * @NQD_TX_PAYLOAD: a payload of user space
 * @NQD_TX_PACKETS: IP packets: the first ones of nqd_datapath.cut
 * @NQD_TX_PAYLOAD_BIG: the first payload fits no more
 * @NQD_TX_PACKET_BIG: the first packet fits no more
 * @NQD_TX_PACED: nothing before plan.departure
 * @NQD_TX_DONE: nothing more can leave now
 * @NQD_TX_ENDED: nothing will leave any more: what waits is to be dropped
 */
enum nqd_tx_step {
	NQD_TX_OWN,
	NQD_TX_PAYLOAD,
	NQD_TX_PACKETS,
	NQD_TX_PAYLOAD_BIG,
	NQD_TX_PACKET_BIG,
	NQD_TX_PACED,
	NQD_TX_DONE,
	NQD_TX_ENDED,
};

/**
 * struct nqd_tx_batch - what one hold of the lock has decided
 * @seal: the packets
 * @skb: NQD_TX_OWN: the frames; NQD_TX_PAYLOAD, NQD_TX_PAYLOAD_BIG: the payload
 * @last: nothing waits behind it
 */
struct nqd_tx_batch {
	struct nqd_seal seal;
	struct sk_buff *skb;
	bool last;
};

static void nqd_tx_decided(const struct nqd_session *s, struct nqd_seal *seal)
{
	seal->cid_len = s->peer_cid_len;
	memcpy(seal->cid, s->peer_cid, sizeof(seal->cid));
}

/* A verdict other than SEND. */
static enum nqd_tx_step nqd_tx_refused(struct nqd_session *s, enum nqd_conn_verdict verdict,
				       const struct nqd_tx_batch *b)
{
	switch (verdict) {
	case NQD_CONN_PACED:
		s->data.paced_at = b->seal.plan.departure;
		return NQD_TX_PACED;
	case NQD_CONN_INACTIVE:
		return NQD_TX_ENDED;
	default:
		/* Window, ring or keys: an acknowledgement may be what they wait for. */
		s->data.stalled = true;
		return NQD_TX_DONE;
	}
}

/* Bytes that a packet of the core may need. */
static u32 nqd_tx_own_room(const struct nqd_conn *c)
{
	u32 probe = c->wanted & NQD_CONN_WANT_PMTU ? nqd_pmtu_probe_wanted(&c->pmtu) : 0;

	/* Nearly always it is an ACK; of one range, it takes 50 bytes at most, and a small head is enough. */
	if (!c->wanted)
		return c->received.count <= 1 ? NQD_TX_ACK_ROOM : NQD_CONN_TX_ROOM;
	return max(probe, c->pmtu.current_size);
}

static bool nqd_tx_decide_own(struct nqd_session *s, u64 now, struct nqd_tx_batch *b)
{
	u32 room = nqd_tx_own_room(&s->conn);
	struct sk_buff *skb;

	/* The tag, and no more than that behind the frames. */
	skb = alloc_skb(NQD_CUT_HEADROOM + room + NQD_TAG_LEN, GFP_ATOMIC);
	if (unlikely(!skb)) {
		nqd_session_drop(s, NQD_TX, NQD_DROP_NO_MEMORY);
		return false;
	}
	skb_reserve(skb, NQD_CUT_HEADROOM);
	if (nqd_conn_tx_pending(&s->conn, now, skb->data, room, &b->seal.plan) != NQD_CONN_SEND) {
		kfree_skb(skb);
		return false;
	}
	__skb_put(skb, b->seal.plan.frames_len);
	b->skb = skb;
	return true;
}

static enum nqd_tx_step nqd_tx_decide_payload(struct nqd_session *s, u64 now, struct nqd_tx_batch *b)
{
	struct sk_buff *skb = skb_peek(&s->data.payloads);
	enum nqd_conn_verdict verdict;

	verdict = nqd_conn_tx_datagram(&s->conn, now, skb->len, s->data.frames, sizeof(s->data.frames),
				       &b->seal.plan);
	if (verdict != NQD_CONN_SEND && verdict != NQD_CONN_TOO_BIG)
		return nqd_tx_refused(s, verdict, b);
	__skb_unlink(skb, &s->data.payloads);
	b->skb = skb;
	return verdict == NQD_CONN_SEND ? NQD_TX_PAYLOAD : NQD_TX_PAYLOAD_BIG;
}

/* Packets at the head of @cut that are of one size. */
static u32 nqd_tx_equal(const struct sk_buff_head *cut)
{
	const struct sk_buff *head = skb_peek(cut), *skb;
	u32 equal = 0;

	skb_queue_walk(cut, skb) {
		if (skb->len != head->len || equal == NQD_TX_BATCH)
			break;
		equal++;
	}
	return equal;
}

static enum nqd_tx_step nqd_tx_decide_packets(struct nqd_session *s, u64 now, struct nqd_tx_batch *b)
{
	u32 equal = nqd_tx_equal(&s->data.cut), payload = 1 + skb_peek(&s->data.cut)->len;
	enum nqd_conn_verdict verdict;

	if (equal > 1)
		verdict = nqd_conn_tx_batch(&s->conn, now, payload, equal, s->data.frames,
					    sizeof(s->data.frames), &b->seal.plan);
	else
		verdict = nqd_conn_tx_datagram(&s->conn, now, payload, s->data.frames, sizeof(s->data.frames),
					       &b->seal.plan);
	if (verdict == NQD_CONN_TOO_BIG)
		return NQD_TX_PACKET_BIG;
	if (verdict != NQD_CONN_SEND)
		return nqd_tx_refused(s, verdict, b);
	b->last = b->seal.plan.count == skb_queue_len(&s->data.cut) && nqd_queue_empty(&s->data.queue) &&
		  !nqd_conn_tx_wanted(&s->conn, now);
	if (b->last)
		nqd_conn_app_limited(&s->conn);
	return NQD_TX_PACKETS;
}

/* Only an ACK is due, and it may ride along with the packet that is next. */
static bool nqd_tx_ack_rides(const struct nqd_session *s)
{
	const struct nqd_conn *c = &s->conn;
	const struct sk_buff *skb = skb_peek(&s->data.cut);

	return !c->wanted && skb && skb_queue_len(&s->data.cut) == 1 &&
	       c->state.state == NQD_SESSION_STATE_ACTIVE && skb_queue_empty(&s->data.payloads) &&
	       skb->len + NQD_TX_ACK_ROOM < c->max_payload;
}

static enum nqd_tx_step nqd_tx_choose(struct nqd_session *s, u64 now, struct nqd_tx_batch *b)
{
	enum nqd_tx_step step;

	if (unlikely(s->dead))
		return NQD_TX_ENDED;
	if (unlikely(!s->active))
		return NQD_TX_DONE;
	if (nqd_conn_tx_wanted(&s->conn, now) && nqd_tx_ack_rides(s)) {
		step = nqd_tx_decide_packets(s, now, b);
		if (step == NQD_TX_PACKETS)
			return step;
	}
	if (nqd_conn_tx_wanted(&s->conn, now) && nqd_tx_decide_own(s, now, b))
		return NQD_TX_OWN;
	if (unlikely(s->conn.state.state != NQD_SESSION_STATE_ACTIVE))
		return NQD_TX_ENDED;
	if (unlikely(!skb_queue_empty(&s->data.payloads)))
		return nqd_tx_decide_payload(s, now, b);
	if (!skb_queue_empty(&s->data.cut))
		return nqd_tx_decide_packets(s, now, b);
	nqd_conn_app_limited(&s->conn);
	return NQD_TX_DONE;
}

/* Before a decision, with nqd_session.lock held: what the last one waited for. */
static void nqd_tx_begin(struct nqd_session *s)
{
	s->data.paced_at = NQD_TIME_NEVER;
	s->data.stalled = false;
	/* A success ends what was to be tried again. */
	if (unlikely(s->conn.retry_at))
		s->data.timer_stale = true;
}

/* After it: events and timer. @last: packets leave, and then nothing else. */
static void nqd_tx_end(struct nqd_session *s, u64 now, enum nqd_tx_step step, bool last)
{
	if (unlikely(step != NQD_TX_PACKETS))
		s->data.timer_stale = true;
	if (unlikely(s->conn.events)) {
		s->data.timer_stale = true;
		nqd_session_events(s);
	}
	if (likely(last))
		nqd_timer_sent(s, now);
	else if (step > NQD_TX_PACKETS)
		nqd_timer_update(s);
}

static enum nqd_tx_step nqd_tx_decide(struct nqd_session *s, u64 now, struct nqd_tx_batch *b)
{
	enum nqd_tx_step step;

	b->skb = NULL;
	b->last = false;
	spin_lock(&s->lock);
	nqd_tx_begin(s);
	step = nqd_tx_choose(s, now, b);
	if (step <= NQD_TX_PACKETS)
		nqd_tx_decided(s, &b->seal);
	nqd_tx_end(s, now, step, b->last);
	spin_unlock(&s->lock);
	return step;
}

/* DSCP of packets that carry no IP packet. */
static u8 nqd_tx_own_dscp(const struct nqd_session *s)
{
	return READ_ONCE(s->dscp) << 2;
}

static u8 nqd_tx_dscp(const struct nqd_session *s, const struct sk_buff *skb)
{
	if (READ_ONCE(s->dscp_policy) != NQD_DSCP_POLICY_INHERIT)
		return nqd_tx_own_dscp(s);
	if (skb->protocol == htons(ETH_P_IP))
		return ipv4_get_dsfield((const struct iphdr *)skb->data) & ~INET_ECN_MASK;
	return ipv6_get_dsfield((const struct ipv6hdr *)skb->data) & ~INET_ECN_MASK;
}

static void nqd_tx_packets(struct nqd_session *s, struct nqd_tx_batch *b)
{
	u32 i, inner, packets = 0, bytes = 0;
	struct sk_buff *skb;
	u8 dscp;

	for (i = 0; i < b->seal.plan.count; i++) {
		skb = __skb_dequeue(&s->data.cut);
		inner = skb->len;
		dscp = nqd_tx_dscp(s, skb);
		*(u8 *)__skb_push(skb, 1) = NQD_TX_CONTEXT_IP;
		if (likely(nqd_seal_packet(s, &b->seal, i, skb, b->seal.plan.frames_len, dscp, inner))) {
			packets++;
			bytes += inner;
		}
	}
	if (likely(packets))
		nqd_session_carried(s, NQD_TX, packets, bytes);
}

/* The first packet fits no more: it was queued when the MTU was larger. */
static void nqd_tx_packet_big(struct nqd_session *s)
{
	struct sk_buff *skb = __skb_dequeue(&s->data.cut);
	u32 mtu;

	if (!nqd_xmit_fits(s, skb, &mtu))
		nqd_xmit_too_big(skb, mtu);
	nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_MTU);
}

static void nqd_tx_discard(struct nqd_session *s)
{
	struct sk_buff_head list;

	__skb_queue_head_init(&list);
	skb_queue_splice_tail_init(&s->data.cut, &list);
	nqd_queue_take_all(&s->data.queue, &list);
	spin_lock(&s->lock);
	skb_queue_splice_tail_init(&s->data.payloads, &list);
	spin_unlock(&s->lock);
	nqd_drop_list(s, NQD_TX, &list, NQD_DROP_STATE);
}

static void nqd_tx_cut(struct nqd_session *s, struct sk_buff *skb)
{
	enum nqd_drop_reason reason;

	/* Its route is for answers to the sender only: what is cut from it need not keep it. */
	if (skb_is_gso(skb))
		skb_dst_drop(skb);
	reason = nqd_cut(s, skb, &s->data.cut);
	if (unlikely(reason != NQD_DROP_NONE))
		nqd_drop_skb(s, NQD_TX, skb, reason);
}

/* Has the next packet ready, if one waits. */
static void nqd_tx_refill(struct nqd_session *s)
{
	struct sk_buff_head dropped;
	struct sk_buff *skb;
	u32 mtu;

	if (nqd_queue_empty(&s->data.queue))
		return;
	__skb_queue_head_init(&dropped);
	while (skb_queue_empty(&s->data.cut)) {
		skb = nqd_queue_pop(&s->data.queue, READ_ONCE(s->conn.pmtu.current_size), &dropped);
		nqd_drop_list(s, NQD_TX, &dropped, NQD_DROP_CONGESTION);
		if (!skb)
			return;
		if (likely(nqd_xmit_fits(s, skb, &mtu))) {
			nqd_tx_cut(s, skb);
			continue;
		}
		/* It was queued when the MTU was larger. */
		nqd_xmit_too_big(skb, mtu);
		nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_MTU);
	}
}

/* One turn of a session. True: it could send more, but it is another's turn. */
static bool nqd_tx_turn(struct nqd_session *s)
{
	s32 quantum = NQD_TX_QUANTUM;
	struct nqd_tx_batch b;
	u64 now = nqd_now();

	while (quantum > 0) {
		if (skb_queue_empty(&s->data.cut))
			nqd_tx_refill(s);
		switch (nqd_tx_decide(s, now, &b)) {
		case NQD_TX_OWN:
			nqd_seal_packet(s, &b.seal, 0, b.skb, 0, nqd_tx_own_dscp(s), 0);
			break;
		case NQD_TX_PAYLOAD:
			nqd_seal_packet(s, &b.seal, 0, b.skb, b.seal.plan.frames_len, nqd_tx_own_dscp(s), 0);
			break;
		case NQD_TX_PACKETS:
			nqd_tx_packets(s, &b);
			break;
		case NQD_TX_PAYLOAD_BIG:
			nqd_drop_skb(s, NQD_TX, b.skb, NQD_DROP_MTU);
			continue;
		case NQD_TX_PACKET_BIG:
			nqd_tx_packet_big(s);
			continue;
		case NQD_TX_PACED:
			/* Sealing takes its time: the moment may have come since. */
			now = nqd_now();
			if (b.seal.plan.departure <= now)
				continue;
			nqd_session_count(s, NQD_COUNT_PACING_DELAYS, 1);
			nqd_session_count(s, NQD_COUNT_PACING_NS, b.seal.plan.departure - now);
			return false;
		case NQD_TX_DONE:
			return false;
		case NQD_TX_ENDED:
			nqd_tx_discard(s);
			return false;
		}
		if (b.last)
			return false;
		quantum -= (s32)(b.seal.plan.size * b.seal.plan.count);
	}
	return true;
}

/* The caller has set NQD_TX_SERVING. */
static void nqd_tx_serve(struct nqd_session *s)
{
	do {
		/* A full barrier: whatever was queued before AGAIN was set is seen below. */
		if (atomic_read(&s->data.serving) != NQD_TX_SERVING)
			atomic_xchg(&s->data.serving, NQD_TX_SERVING);
		if (nqd_tx_turn(s)) {
			atomic_set_release(&s->data.serving, 0);
			tasklet_schedule(&s->data.turn);
			return;
		}
	} while (atomic_cmpxchg(&s->data.serving, NQD_TX_SERVING, 0) != NQD_TX_SERVING);
}

/**
 * nqd_tx_kick() - something may be sent
 * @s: session
 *
 * Context: any but hard interrupts; nqd_session.lock is not held.
 */
void nqd_tx_kick(struct nqd_session *s)
{
	if (atomic_fetch_or(NQD_TX_SERVING | NQD_TX_AGAIN, &s->data.serving) & NQD_TX_SERVING)
		return;
	local_bh_disable();
	rcu_read_lock();
	nqd_tx_serve(s);
	rcu_read_unlock();
	local_bh_enable();
}

/**
 * nqd_tx_kick_soon() - something may be sent, after what this CPU is at
 * @s: session that is not dead
 *
 * Context: any but hard interrupts, under RCU.
 */
void nqd_tx_kick_soon(struct nqd_session *s)
{
	tasklet_schedule(&s->data.turn);
}

/* Decides on a packet where nothing else waits, and nothing else is to be sent. */
static bool nqd_tx_decide_lone(struct nqd_session *s, u64 now, u32 len, struct nqd_seal *seal)
{
	bool sent = false;

	spin_lock(&s->lock);
	if (likely(s->active && !s->dead && !nqd_conn_tx_wanted(&s->conn, now) &&
		   skb_queue_empty(&s->data.payloads))) {
		nqd_tx_begin(s);
		sent = nqd_conn_tx_datagram(&s->conn, now, len, s->data.frames, sizeof(s->data.frames),
					    &seal->plan) == NQD_CONN_SEND;
	}
	if (likely(sent)) {
		nqd_conn_app_limited(&s->conn);
		nqd_tx_decided(s, seal);
		nqd_tx_end(s, now, NQD_TX_PACKETS, true);
	}
	spin_unlock(&s->lock);
	return sent;
}

/* A packet that nothing else waits with: mostly it leaves without a turn of its session. */
static void nqd_tx_lone(struct nqd_session *s, struct sk_buff *skb)
{
	struct nqd_seal seal;
	u32 inner = skb->len;
	u8 dscp;

	skb = nqd_cut_ready(skb);
	if (unlikely(!skb)) {
		nqd_session_drop(s, NQD_TX, NQD_DROP_NO_MEMORY);
		return;
	}
	if (unlikely(!nqd_tx_decide_lone(s, nqd_now(), 1 + inner, &seal))) {
		__skb_queue_tail(&s->data.cut, skb);
		return;
	}
	dscp = nqd_tx_dscp(s, skb);
	*(u8 *)__skb_push(skb, 1) = NQD_TX_CONTEXT_IP;
	if (likely(nqd_seal_packet(s, &seal, 0, skb, seal.plan.frames_len, dscp, inner)))
		nqd_session_carried(s, NQD_TX, 1, inner);
}

/**
 * nqd_tx_submit() - an IP packet or super-packet to send
 * @s: session
 * @skb: packet; consumed
 *
 * Context: BH off, under RCU.
 */
void nqd_tx_submit(struct nqd_session *s, struct sk_buff *skb)
{
	bool serve = !atomic_cmpxchg(&s->data.serving, 0, NQD_TX_SERVING);

	if (likely(serve && skb_queue_empty(&s->data.cut) && nqd_queue_empty(&s->data.queue))) {
		if (skb_is_gso(skb))
			nqd_tx_cut(s, skb);
		else
			nqd_tx_lone(s, skb);
		if (likely(skb_queue_empty(&s->data.cut) &&
			   atomic_cmpxchg(&s->data.serving, NQD_TX_SERVING, 0) == NQD_TX_SERVING))
			return;
	} else if (unlikely(!nqd_queue_push(&s->data.queue, skb))) {
		nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_QUEUE_FULL);
	}
	if (likely(serve))
		nqd_tx_serve(s);
	else
		nqd_tx_kick(s);
}

/**
 * nqd_tx_payload() - queue a DATAGRAM payload of user space
 * @s: active session
 * @skb: payload with its context ID; consumed if 0 is returned
 *
 * Context: process.
 *
 * Return: 0; -EMSGSIZE if it does not fit, -ENOBUFS if too many wait, -ENOMEM.
 */
int nqd_tx_payload(struct nqd_session *s, struct sk_buff *skb)
{
	int err = 0;

	skb->ip_summed = CHECKSUM_NONE;
	spin_lock_bh(&s->lock);
	if (skb->len > nqd_conn_max_payload(&s->conn))
		err = -EMSGSIZE;
	else if (skb_queue_len(&s->data.payloads) >= NQD_TX_PAYLOADS || s->dead)
		err = -ENOBUFS;
	if (!err) {
		skb = nqd_cut_ready(skb);
		if (skb)
			__skb_queue_tail(&s->data.payloads, skb);
	}
	spin_unlock_bh(&s->lock);
	if (err)
		return err;
	if (skb)
		nqd_tx_kick(s);
	else
		nqd_session_drop(s, NQD_TX, NQD_DROP_NO_MEMORY);
	return 0;
}

static void nqd_tx_next_turn(struct tasklet_struct *tasklet)
{
	nqd_tx_kick(container_of(tasklet, struct nqd_session, data.turn));
}

/**
 * nqd_datapath_session_init() - prepare what the data path keeps of a session
 * @s: session that nobody can find yet, with its device
 *
 * Return: 0 or -ENOMEM.
 */
int nqd_datapath_session_init(struct nqd_session *s)
{
	struct nqd_datapath *d = &s->data;

	atomic_set(&d->serving, 0);
	d->stalled = false;
	__skb_queue_head_init(&d->cut);
	nqd_queue_init(&d->queue, &s->device->queued);
	__skb_queue_head_init(&d->payloads);
	nqd_timer_init(s);
	tasklet_setup(&d->turn, nqd_tx_next_turn);
	return dst_cache_init(&d->dst_cache, GFP_KERNEL);
}

/**
 * nqd_datapath_session_stop() - no more packets, no more timers
 * @s: dead session that nobody can find any more
 *
 * Context: process.
 */
void nqd_datapath_session_stop(struct nqd_session *s)
{
	/* What is dead arms no timer. */
	hrtimer_cancel(&s->data.timer);
	tasklet_kill(&s->data.turn);
	nqd_tx_kick(s);
}

/**
 * nqd_datapath_session_free() - free what the data path keeps of a session
 * @s: session without a reference
 */
void nqd_datapath_session_free(struct nqd_session *s)
{
	local_bh_disable();
	nqd_tx_discard(s);
	local_bh_enable();
	dst_cache_destroy(&s->data.dst_cache);
}

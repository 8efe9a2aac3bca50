// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of a session. The control law is the kernel's own, the one of fq_codel and mac80211.
 */
#include "queue.h"

#include <net/codel_impl.h>

/* skb->cb of a packet that waits. */
struct nqd_queue_cb {
	codel_time_t enqueued;
};

static struct nqd_queue_cb *nqd_queue_cb(const struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct nqd_queue_cb) > sizeof(skb->cb));
	return (struct nqd_queue_cb *)skb->cb;
}

/**
 * nqd_queue_init() - an empty queue
 * @q: queue
 * @shared: memory of all queues of the device
 */
void nqd_queue_init(struct nqd_queue *q, atomic_long_t *shared)
{
	spin_lock_init(&q->lock);
	__skb_queue_head_init(&q->skbs);
	q->bytes = 0;
	q->memory = 0;
	q->shared = shared;
	codel_vars_init(&q->codel);
	codel_stats_init(&q->stats);
	q->dropped = NULL;
}

/**
 * nqd_queue_push() - append a packet
 * @q: queue
 * @skb: packet
 *
 * Context: BH off.
 *
 * Return: true; false if it or the device has too much waiting, and the packet is still the caller's.
 */
bool nqd_queue_push(struct nqd_queue *q, struct sk_buff *skb)
{
	u32 size = skb->truesize;
	bool room;

	/* The limit of the device need not be exact: each CPU may be one packet beyond it. */
	if (unlikely(atomic_long_read(q->shared) + size > NQD_DEVICE_QUEUED_MAX))
		return false;
	/* It outlives the RCU section that its route came from. */
	skb_dst_force(skb);
	nqd_queue_cb(skb)->enqueued = codel_get_time();
	spin_lock(&q->lock);
	room = q->memory + size <= NQD_QUEUE_MEMORY_MAX;
	if (room) {
		q->memory += size;
		q->bytes += skb->len;
		__skb_queue_tail(&q->skbs, skb);
	}
	spin_unlock(&q->lock);
	if (room)
		atomic_long_add(size, q->shared);
	return room;
}

static u32 nqd_queue_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}

static codel_time_t nqd_queue_skb_time(const struct sk_buff *skb)
{
	return nqd_queue_cb(skb)->enqueued;
}

static struct sk_buff *nqd_queue_head(struct codel_vars *vars, void *ctx)
{
	struct nqd_queue *q = ctx;
	struct sk_buff *skb = __skb_dequeue(&q->skbs);

	if (skb) {
		q->bytes -= skb->len;
		q->memory -= skb->truesize;
		atomic_long_sub(skb->truesize, q->shared);
	}
	return skb;
}

static void nqd_queue_drop(struct sk_buff *skb, void *ctx)
{
	struct nqd_queue *q = ctx;

	__skb_queue_tail(q->dropped, skb);
}

/**
 * nqd_queue_pop() - take the packet whose turn it is
 * @q: queue
 * @mtu: a backlog of no more than this is never dropped, bytes
 * @dropped: packets that waited too long are appended here, for the caller to count and free
 *
 * Context: BH off.
 *
 * Return: a packet, or NULL if there is none.
 */
struct sk_buff *nqd_queue_pop(struct nqd_queue *q, u32 mtu, struct sk_buff_head *dropped)
{
	struct codel_params params;
	struct sk_buff *skb;

	/* RFC 8289 sections 4.2 and 4.3: 5 ms in 100 ms; the mark of RFC 3168 would be the inner sender's. */
	codel_params_init(&params);
	params.mtu = mtu;
	spin_lock(&q->lock);
	q->dropped = dropped;
	skb = codel_dequeue(q, &q->bytes, &params, &q->codel, &q->stats, nqd_queue_skb_len,
			    nqd_queue_skb_time, nqd_queue_drop, nqd_queue_head);
	q->dropped = NULL;
	spin_unlock(&q->lock);
	return skb;
}

/**
 * nqd_queue_take_all() - empty the queue
 * @q: queue
 * @to: its packets are appended here
 *
 * Context: BH off.
 */
void nqd_queue_take_all(struct nqd_queue *q, struct sk_buff_head *to)
{
	spin_lock(&q->lock);
	skb_queue_splice_tail_init(&q->skbs, to);
	atomic_long_sub(q->memory, q->shared);
	q->memory = 0;
	q->bytes = 0;
	spin_unlock(&q->lock);
}

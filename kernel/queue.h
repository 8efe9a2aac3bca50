/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inner packets of a session that window or pacer do not let out yet: first in, first out, bounded in
 * memory, kept short by CoDel (RFC 8289).
 */
#ifndef _NQD_QUEUE_H
#define _NQD_QUEUE_H

#include <linux/atomic.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <net/codel.h>

/* Memory that the queue of one session may take, and those of all sessions of a device. */
#define NQD_QUEUE_MEMORY_MAX (4U << 20)
#define NQD_DEVICE_QUEUED_MAX (64L << 20)

/**
 * struct nqd_queue - the queue
 * @lock: protects everything below; BH off. Nothing is taken inside of it
 * @skbs: super-packets of the device count as one
 * @bytes: of the packets in it
 * @memory: that they occupy
 * @shared: memory of all queues of the device
 * @codel: state of the control law
 * @stats: what it wants to keep besides
 * @dropped: where it puts what it drops, while nqd_queue_pop() runs
 */
struct nqd_queue {
	/* See above. */
	spinlock_t lock;
	struct sk_buff_head skbs;
	u32 bytes;
	u32 memory;
	atomic_long_t *shared;
	struct codel_vars codel;
	struct codel_stats stats;
	struct sk_buff_head *dropped;
};

void nqd_queue_init(struct nqd_queue *q, atomic_long_t *shared);
bool nqd_queue_push(struct nqd_queue *q, struct sk_buff *skb);
struct sk_buff *nqd_queue_pop(struct nqd_queue *q, u32 mtu, struct sk_buff_head *dropped);
void nqd_queue_take_all(struct nqd_queue *q, struct sk_buff_head *to);

/**
 * nqd_queue_empty() - is nothing waiting?
 * @q: queue
 *
 * Return: true if so; without a lock, so it may have changed by now.
 */
static inline bool nqd_queue_empty(const struct nqd_queue *q)
{
	return skb_queue_empty_lockless(&q->skbs);
}

#endif /* _NQD_QUEUE_H */

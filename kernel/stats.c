// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of a device, of a session, and of a TX queue.
 */
#include <linux/percpu.h>

#include "device.h"
#include "session.h"

/**
 * nqd_stats_alloc() - counters for every CPU, all zero
 *
 * Return: to be freed by free_percpu(), or NULL.
 */
struct nqd_stats __percpu *nqd_stats_alloc(void)
{
	return netdev_alloc_pcpu_stats(struct nqd_stats);
}

/**
 * nqd_stats_drop() - count a packet that goes no further
 * @stats: counters
 * @direction: which way it went
 * @reason: why, not NQD_DROP_NONE
 *
 * Context: any but hard interrupts.
 */
void nqd_stats_drop(struct nqd_stats __percpu *stats, enum nqd_direction direction,
		    enum nqd_drop_reason reason)
{
	struct nqd_stats *here;

	/* A softirq between begin and end would count on the same CPU. */
	local_bh_disable();
	here = this_cpu_ptr(stats);
	u64_stats_update_begin(&here->syncp);
	u64_stats_inc(&here->dropped[direction]);
	u64_stats_inc(&here->reasons[reason]);
	u64_stats_update_end(&here->syncp);
	local_bh_enable();
}

/* Adds the counters of one CPU. */
static void nqd_stats_add(const struct nqd_stats *from, struct nqd_totals *totals)
{
	unsigned int start, i;
	struct nqd_totals part;

	do {
		start = u64_stats_fetch_begin(&from->syncp);
		for (i = 0; i < 2; i++) {
			part.packets[i] = u64_stats_read(&from->packets[i]);
			part.bytes[i] = u64_stats_read(&from->bytes[i]);
			part.dropped[i] = u64_stats_read(&from->dropped[i]);
		}
		for (i = 0; i < NQD_COUNTERS; i++)
			part.counters[i] = u64_stats_read(&from->counters[i]);
		for (i = 0; i < __NQD_DROP_COUNT; i++)
			part.reasons[i] = u64_stats_read(&from->reasons[i]);
	} while (u64_stats_fetch_retry(&from->syncp, start));

	for (i = 0; i < 2; i++) {
		totals->packets[i] += part.packets[i];
		totals->bytes[i] += part.bytes[i];
		totals->dropped[i] += part.dropped[i];
	}
	for (i = 0; i < NQD_COUNTERS; i++)
		totals->counters[i] += part.counters[i];
	for (i = 0; i < __NQD_DROP_COUNT; i++)
		totals->reasons[i] += part.reasons[i];
}

/**
 * nqd_stats_sum() - add up the counters of all CPUs
 * @stats: counters
 * @totals: where the sums go
 */
void nqd_stats_sum(struct nqd_stats __percpu *stats, struct nqd_totals *totals)
{
	int cpu;

	memset(totals, 0, sizeof(*totals));
	for_each_possible_cpu(cpu)
		nqd_stats_add(per_cpu_ptr(stats, cpu), totals);
}

/**
 * nqd_tx_queues_alloc() - counters of the TX queues of a device for every CPU, all zero
 * @queues: number of queues
 *
 * Return: to be freed by free_percpu(), or NULL.
 */
struct nqd_tx_queue __percpu *nqd_tx_queues_alloc(u32 queues)
{
	struct nqd_tx_queue __percpu *made = __alloc_percpu(array_size(queues, sizeof(*made)),
							    __alignof__(*made));
	u32 i;
	int cpu;

	if (!made)
		return NULL;
	for_each_possible_cpu(cpu)
		for (i = 0; i < queues; i++)
			u64_stats_init(&per_cpu_ptr(made, cpu)[i].syncp);
	return made;
}

/* What the stack gives a device is on one of its queues; what the device makes itself is on none. */
static struct nqd_tx_queue *nqd_tx_queue_of(const struct nqd_device *nd, const struct sk_buff *skb)
{
	u32 queue = skb_get_queue_mapping(skb);

	if (unlikely(!skb->protocol || queue >= nd->dev->num_tx_queues))
		return NULL;
	return &this_cpu_ptr(nd->queues)[queue];
}

/**
 * nqd_tx_queue_given() - count what the device was given to send
 * @nd: device
 * @skb: packet or super-packet
 * @packets: packets in it
 *
 * Context: BH off.
 */
void nqd_tx_queue_given(const struct nqd_device *nd, const struct sk_buff *skb, u32 packets)
{
	struct nqd_tx_queue *here = nqd_tx_queue_of(nd, skb);

	if (unlikely(!here))
		return;
	u64_stats_update_begin(&here->syncp);
	u64_stats_add(&here->packets, packets);
	u64_stats_add(&here->bytes, skb->len);
	u64_stats_update_end(&here->syncp);
}

/**
 * nqd_tx_queue_dropped() - count what is not sent after all
 * @nd: device
 * @skb: packet or super-packet; one of the device's own is on no queue
 * @packets: packets in it
 *
 * Context: any but hard interrupts.
 */
void nqd_tx_queue_dropped(const struct nqd_device *nd, const struct sk_buff *skb, u32 packets)
{
	struct nqd_tx_queue *here;

	local_bh_disable();
	here = nqd_tx_queue_of(nd, skb);
	if (here) {
		u64_stats_update_begin(&here->syncp);
		u64_stats_add(&here->dropped, packets);
		u64_stats_update_end(&here->syncp);
	}
	local_bh_enable();
}

/**
 * nqd_tx_queue_sum() - add up the counters of all CPUs
 * @nd: device
 * @queue: index of a TX queue
 * @sum: where the sums go
 */
void nqd_tx_queue_sum(const struct nqd_device *nd, u32 queue, struct nqd_queue_stats *sum)
{
	u64 packets, bytes, dropped;
	unsigned int start;
	int cpu;

	*sum = (struct nqd_queue_stats){ .queue = queue };
	for_each_possible_cpu(cpu) {
		const struct nqd_tx_queue *from = &per_cpu_ptr(nd->queues, cpu)[queue];

		do {
			start = u64_stats_fetch_begin(&from->syncp);
			packets = u64_stats_read(&from->packets);
			bytes = u64_stats_read(&from->bytes);
			dropped = u64_stats_read(&from->dropped);
		} while (u64_stats_fetch_retry(&from->syncp, start));
		sum->tx_packets += packets;
		sum->tx_bytes += bytes;
		sum->tx_dropped += dropped;
	}
}

/**
 * nqd_session_drop() - count a packet that goes no further
 * @s: its session
 * @direction: which way it went
 * @reason: why, not NQD_DROP_NONE
 *
 * Context: any but hard interrupts.
 */
void nqd_session_drop(struct nqd_session *s, enum nqd_direction direction, enum nqd_drop_reason reason)
{
	nqd_stats_drop(s->stats, direction, reason);
	nqd_stats_drop(s->device->stats, direction, reason);
}

/**
 * nqd_session_count() - count something else
 * @s: session
 * @counter: what
 * @by: how much
 *
 * Context: any but hard interrupts.
 */
void nqd_session_count(struct nqd_session *s, enum nqd_counter counter, u64 by)
{
	struct nqd_stats *here;

	local_bh_disable();
	here = this_cpu_ptr(s->stats);
	u64_stats_update_begin(&here->syncp);
	u64_stats_add(&here->counters[counter], by);
	u64_stats_update_end(&here->syncp);
	local_bh_enable();
}

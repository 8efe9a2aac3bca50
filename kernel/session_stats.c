// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of a session.
 */
#include <linux/percpu.h>

#include "device.h"
#include "session.h"

/**
 * nqd_session_stats_alloc() - counters for every CPU, all zero
 *
 * Return: to be freed by free_percpu(), or NULL.
 */
struct nqd_session_stats __percpu *nqd_session_stats_alloc(void)
{
	return netdev_alloc_pcpu_stats(struct nqd_session_stats);
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
	struct nqd_session_stats *here;

	/* A softirq between begin and end would count on the same CPU. */
	local_bh_disable();
	here = this_cpu_ptr(s->stats);
	u64_stats_update_begin(&here->syncp);
	u64_stats_inc(&here->reasons[reason]);
	u64_stats_update_end(&here->syncp);
	nqd_device_stats_drop(s->device->stats, direction, reason);
	local_bh_enable();
}

/**
 * nqd_session_carried() - count inner IP packets that went through
 * @s: their session
 * @direction: which way they went
 * @packets: their number
 * @bytes: their bytes
 *
 * Context: BH off.
 */
void nqd_session_carried(struct nqd_session *s, enum nqd_direction direction, u32 packets, u32 bytes)
{
	struct nqd_session_stats *here = this_cpu_ptr(s->stats);

	u64_stats_update_begin(&here->syncp);
	u64_stats_add(&here->packets[direction], packets);
	u64_stats_add(&here->bytes[direction], bytes);
	u64_stats_update_end(&here->syncp);
	nqd_device_stats_carried(s->device->stats, direction, packets, bytes);
}

/**
 * nqd_session_count() - count something else
 * @s: session
 * @counter: what
 * @by: how much
 *
 * Context: any but hard interrupts.
 */
void nqd_session_count(struct nqd_session *s, enum nqd_session_counter counter, u64 by)
{
	struct nqd_session_stats *here;

	local_bh_disable();
	here = this_cpu_ptr(s->stats);
	u64_stats_update_begin(&here->syncp);
	u64_stats_add(&here->counters[counter], by);
	u64_stats_update_end(&here->syncp);
	local_bh_enable();
}

/**
 * nqd_session_stats_sum() - add up the counters of all CPUs
 * @stats: counters of the session
 * @totals: where the sums go
 */
void nqd_session_stats_sum(struct nqd_session_stats __percpu *stats, struct nqd_session_totals *totals)
{
	unsigned int start, i;
	int cpu;

	memset(totals, 0, sizeof(*totals));
	for_each_possible_cpu(cpu) {
		const struct nqd_session_stats *from = per_cpu_ptr(stats, cpu);
		struct nqd_session_totals part;

		do {
			start = u64_stats_fetch_begin(&from->syncp);
			for (i = 0; i < 2; i++) {
				part.packets[i] = u64_stats_read(&from->packets[i]);
				part.bytes[i] = u64_stats_read(&from->bytes[i]);
			}
			for (i = 0; i < NQD_COUNTERS; i++)
				part.counters[i] = u64_stats_read(&from->counters[i]);
			for (i = 0; i < __NQD_DROP_COUNT; i++)
				part.reasons[i] = u64_stats_read(&from->reasons[i]);
		} while (u64_stats_fetch_retry(&from->syncp, start));

		for (i = 0; i < 2; i++) {
			totals->packets[i] += part.packets[i];
			totals->bytes[i] += part.bytes[i];
		}
		for (i = 0; i < NQD_COUNTERS; i++)
			totals->counters[i] += part.counters[i];
		for (i = 0; i < __NQD_DROP_COUNT; i++)
			totals->reasons[i] += part.reasons[i];
	}
}

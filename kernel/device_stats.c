// SPDX-License-Identifier: GPL-2.0
/*
 * Counters of a device.
 */
#include <linux/percpu.h>

#include "device_stats.h"

/**
 * nqd_device_stats_alloc() - counters for every CPU, all zero
 *
 * Return: to be freed by free_percpu(), or NULL.
 */
struct nqd_device_stats __percpu *nqd_device_stats_alloc(void)
{
	return netdev_alloc_pcpu_stats(struct nqd_device_stats);
}

/**
 * nqd_device_stats_drop() - count a packet that goes no further
 * @stats: counters of the device
 * @direction: which way it went
 * @reason: why, not NQD_DROP_NONE
 *
 * Context: any but hard interrupts.
 */
void nqd_device_stats_drop(struct nqd_device_stats __percpu *stats, enum nqd_direction direction,
			   enum nqd_drop_reason reason)
{
	struct nqd_device_stats *here;

	/* A softirq between begin and end would count on the same CPU. */
	local_bh_disable();
	here = this_cpu_ptr(stats);
	u64_stats_update_begin(&here->syncp);
	u64_stats_inc(&here->dropped[direction]);
	u64_stats_inc(&here->reasons[reason]);
	u64_stats_update_end(&here->syncp);
	local_bh_enable();
}

/**
 * nqd_device_stats_sum() - add up the counters of all CPUs
 * @stats: counters of the device
 * @totals: where the sums go
 */
void nqd_device_stats_sum(struct nqd_device_stats __percpu *stats, struct nqd_device_totals *totals)
{
	unsigned int start, i;
	int cpu;

	memset(totals, 0, sizeof(*totals));
	for_each_possible_cpu(cpu) {
		const struct nqd_device_stats *from = per_cpu_ptr(stats, cpu);
		struct nqd_device_totals part;

		do {
			start = u64_stats_fetch_begin(&from->syncp);
			for (i = 0; i < 2; i++) {
				part.packets[i] = u64_stats_read(&from->packets[i]);
				part.bytes[i] = u64_stats_read(&from->bytes[i]);
				part.dropped[i] = u64_stats_read(&from->dropped[i]);
			}
			for (i = 0; i < __NQD_DROP_COUNT; i++)
				part.reasons[i] = u64_stats_read(&from->reasons[i]);
		} while (u64_stats_fetch_retry(&from->syncp, start));

		for (i = 0; i < 2; i++) {
			totals->packets[i] += part.packets[i];
			totals->bytes[i] += part.bytes[i];
			totals->dropped[i] += part.dropped[i];
		}
		for (i = 0; i < __NQD_DROP_COUNT; i++)
			totals->reasons[i] += part.reasons[i];
	}
}

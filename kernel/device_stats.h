/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a device, one set for each CPU: packets inside the tunnel, and every drop by its reason.
 */
#ifndef _NQD_DEVICE_STATS_H
#define _NQD_DEVICE_STATS_H

#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>

#include "uapi/nexus_quic_dco.h"

/**
 * enum nqd_direction - which way a packet goes
 * @NQD_RX: out of the tunnel
 * @NQD_TX: into the tunnel
 */
enum nqd_direction {
	NQD_RX,
	NQD_TX,
};

/**
 * struct nqd_device_stats - counters of one CPU
 * @syncp: lets a reader on a 32-bit machine see whole values
 * @packets: carried, by direction
 * @bytes: of these
 * @dropped: by direction
 * @reasons: drops of both directions, by enum nqd_drop_reason
 */
struct nqd_device_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets[2];
	u64_stats_t bytes[2];
	u64_stats_t dropped[2];
	u64_stats_t reasons[__NQD_DROP_COUNT];
};

/**
 * struct nqd_device_totals - sums over all CPUs
 * @packets: carried, by direction
 * @bytes: of these
 * @dropped: by direction
 * @reasons: drops of both directions, by enum nqd_drop_reason
 */
struct nqd_device_totals {
	u64 packets[2];
	u64 bytes[2];
	u64 dropped[2];
	u64 reasons[__NQD_DROP_COUNT];
};

struct nqd_device_stats __percpu *nqd_device_stats_alloc(void);
void nqd_device_stats_drop(struct nqd_device_stats __percpu *stats, enum nqd_direction direction,
			   enum nqd_drop_reason reason);
void nqd_device_stats_sum(struct nqd_device_stats __percpu *stats, struct nqd_device_totals *totals);

/**
 * nqd_device_stats_carried() - count packets that went through
 * @stats: counters of the device
 * @direction: which way they went
 * @packets: their number
 * @bytes: their bytes
 *
 * Context: BH off.
 */
static inline void nqd_device_stats_carried(struct nqd_device_stats __percpu *stats,
					    enum nqd_direction direction, u32 packets, u32 bytes)
{
	struct nqd_device_stats *here = this_cpu_ptr(stats);

	u64_stats_update_begin(&here->syncp);
	u64_stats_add(&here->packets[direction], packets);
	u64_stats_add(&here->bytes[direction], bytes);
	u64_stats_update_end(&here->syncp);
}

#endif /* _NQD_DEVICE_STATS_H */

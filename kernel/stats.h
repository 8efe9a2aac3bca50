/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a device, of a session, and of a TX queue: one set for each CPU. What the protocol core counts
 * is not among them.
 */
#ifndef _NQD_STATS_H
#define _NQD_STATS_H

#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>

#include "uapi/nexus_quic_dco.h"

struct nqd_device;
struct nqd_session;

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
 * enum nqd_counter - what happens to packets of a session, besides drops
 * @NQD_COUNT_HANDED_UP: frames given to user space
 * @NQD_COUNT_GSO_PACKETS: super-packets that left
 * @NQD_COUNT_GSO_SEGMENTS: QUIC packets in them
 * @NQD_COUNT_GRO_PACKETS: coalesced inner packets that were delivered
 * @NQD_COUNT_GRO_SEGMENTS: inner packets in them
 * @NQD_COUNT_SEAL_FAILURES: packets that could not be sealed
 * @NQD_COUNT_OPEN_FAILURES: packets that the cipher failed to open, without those that are not authentic
 * @NQD_COUNT_HEADER_FAILURES: header protection masks that could not be computed
 * @NQD_COUNT_PACING_DELAYS: times that the pacer held the queue
 * @NQD_COUNT_PACING_NS: for how long in all, ns
 * @NQD_COUNTERS: number of them
 */
enum nqd_counter {
	NQD_COUNT_HANDED_UP,
	NQD_COUNT_GSO_PACKETS,
	NQD_COUNT_GSO_SEGMENTS,
	NQD_COUNT_GRO_PACKETS,
	NQD_COUNT_GRO_SEGMENTS,
	NQD_COUNT_SEAL_FAILURES,
	NQD_COUNT_OPEN_FAILURES,
	NQD_COUNT_HEADER_FAILURES,
	NQD_COUNT_PACING_DELAYS,
	NQD_COUNT_PACING_NS,
	NQD_COUNTERS,
};

/**
 * struct nqd_stats - counters of one CPU, of a session or of a device
 * @syncp: lets a reader on a 32-bit machine see whole values
 * @packets: inner IP packets, by enum nqd_direction
 * @bytes: of these
 * @dropped: packets of both layers, likewise
 * @counters: by enum nqd_counter; sessions only
 * @reasons: drops of both directions, by enum nqd_drop_reason
 */
struct nqd_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets[2];
	u64_stats_t bytes[2];
	u64_stats_t dropped[2];
	u64_stats_t counters[NQD_COUNTERS];
	u64_stats_t reasons[__NQD_DROP_COUNT];
};

/**
 * struct nqd_totals - sums over all CPUs; as struct nqd_stats
 * @packets: inner IP packets, by enum nqd_direction
 * @bytes: of these
 * @dropped: packets of both layers, likewise
 * @counters: by enum nqd_counter
 * @reasons: drops of both directions, by enum nqd_drop_reason
 */
struct nqd_totals {
	u64 packets[2];
	u64 bytes[2];
	u64 dropped[2];
	u64 counters[NQD_COUNTERS];
	u64 reasons[__NQD_DROP_COUNT];
};

/**
 * struct nqd_tx_queue - counters of one CPU, of a TX queue of a device
 * @syncp: lets a reader on a 32-bit machine see whole values
 * @packets: IP packets that the device was given on it
 * @bytes: of these
 * @dropped: of these, before or after they have waited
 */
struct nqd_tx_queue {
	struct u64_stats_sync syncp;
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t dropped;
};

struct nqd_stats __percpu *nqd_stats_alloc(void);
void nqd_stats_drop(struct nqd_stats __percpu *stats, enum nqd_direction direction,
		    enum nqd_drop_reason reason);
void nqd_stats_sum(struct nqd_stats __percpu *stats, struct nqd_totals *totals);

struct nqd_tx_queue __percpu *nqd_tx_queues_alloc(u32 queues);
void nqd_tx_queue_given(const struct nqd_device *nd, const struct sk_buff *skb, u32 packets);
void nqd_tx_queue_dropped(const struct nqd_device *nd, const struct sk_buff *skb, u32 packets);
void nqd_tx_queue_sum(const struct nqd_device *nd, u32 queue, struct nqd_queue_stats *sum);

/* These count on the session, and what is of packets on its device too. */
void nqd_session_drop(struct nqd_session *s, enum nqd_direction direction, enum nqd_drop_reason reason);
void nqd_session_count(struct nqd_session *s, enum nqd_counter counter, u64 by);

void nqd_session_recovery_stats(const struct nqd_session *s, struct nqd_recovery_stats *stats);

/**
 * nqd_stats_carried() - count inner IP packets that went through
 * @stats: counters
 * @direction: which way they went
 * @packets: their number
 * @bytes: their bytes
 *
 * Context: BH off.
 */
static inline void nqd_stats_carried(struct nqd_stats __percpu *stats, enum nqd_direction direction,
				     u32 packets, u32 bytes)
{
	struct nqd_stats *here = this_cpu_ptr(stats);

	u64_stats_update_begin(&here->syncp);
	u64_stats_add(&here->packets[direction], packets);
	u64_stats_add(&here->bytes[direction], bytes);
	u64_stats_update_end(&here->syncp);
}

#endif /* _NQD_STATS_H */

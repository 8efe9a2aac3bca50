/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a session that the protocol core does not keep, one set for each CPU.
 */
#ifndef _NQD_SESSION_STATS_H
#define _NQD_SESSION_STATS_H

#include <linux/u64_stats_sync.h>

#include "device_stats.h"
#include "uapi/nexus_quic_dco.h"

struct nqd_session;

/**
 * enum nqd_session_counter - what happens to packets of a session, besides drops
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
enum nqd_session_counter {
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
 * struct nqd_session_stats - counters of one CPU
 * @syncp: lets a reader on a 32-bit machine see whole values
 * @packets: inner IP packets, by enum nqd_direction
 * @bytes: of these
 * @counters: by enum nqd_session_counter
 * @reasons: drops, by enum nqd_drop_reason
 */
struct nqd_session_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets[2];
	u64_stats_t bytes[2];
	u64_stats_t counters[NQD_COUNTERS];
	u64_stats_t reasons[__NQD_DROP_COUNT];
};

/**
 * struct nqd_session_totals - sums over all CPUs
 * @packets: inner IP packets, by enum nqd_direction
 * @bytes: of these
 * @counters: by enum nqd_session_counter
 * @reasons: drops, by enum nqd_drop_reason
 */
struct nqd_session_totals {
	u64 packets[2];
	u64 bytes[2];
	u64 counters[NQD_COUNTERS];
	u64 reasons[__NQD_DROP_COUNT];
};

struct nqd_session_stats __percpu *nqd_session_stats_alloc(void);
void nqd_session_stats_sum(struct nqd_session_stats __percpu *stats, struct nqd_session_totals *totals);
/* These count on the session, and what is of packets on its device too. */
void nqd_session_drop(struct nqd_session *s, enum nqd_direction direction, enum nqd_drop_reason reason);
void nqd_session_carried(struct nqd_session *s, enum nqd_direction direction, u32 packets, u32 bytes);
void nqd_session_count(struct nqd_session *s, enum nqd_session_counter counter, u64 by);

void nqd_session_recovery_stats(const struct nqd_session *s, struct nqd_recovery_stats *stats);

#endif /* _NQD_SESSION_STATS_H */

/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Loss detection and the probe timeout: RFC 9002 section 6; persistent congestion: section 7.6.
 */
#ifndef _NQD_PROTO_LOSS_H
#define _NQD_PROTO_LOSS_H

#include "math.h"
#include "rtt.h"
#include "sent.h"

/* RFC 9002 section 6.1.1, kPacketThreshold; and how far reordering seen on the path may raise it. */
#define NQD_LOSS_PACKET_THRESHOLD 3
#define NQD_LOSS_PACKET_THRESHOLD_MAX 64
/* RFC 9002 section 6.1.2, kTimeThreshold, in eighths of the RTT; raised up to twice the RTT. */
#define NQD_LOSS_TIME_THRESHOLD 9
#define NQD_LOSS_TIME_THRESHOLD_MAX 16
/* Round trips without a spurious loss after which raised thresholds begin to return. */
#define NQD_LOSS_REORDER_PERSIST 16
/* RFC 9002 section 7.6.1, kPersistentCongestionThreshold. */
#define NQD_LOSS_PERSISTENT_THRESHOLD 3
/* However often it doubled, the PTO period stays below this: a path that comes back is noticed. */
#define NQD_LOSS_PTO_MAX (60ULL * NSEC_PER_SEC)

/**
 * struct nqd_loss - state of loss detection
 * @packet_threshold: packets acknowledged above a lost one
 * @time_threshold: eighths of the RTT
 * @reorder_pn: the thresholds are looked at again when this number is acknowledged
 * @reorder_quiet: round trips without spurious loss
 * @loss_time: when the oldest packet will be lost by time, or NQD_TIME_NEVER
 * @pto_count: times that the PTO fired since the last acknowledgement
 * @run_first: send time of the first packet of the present run of lost ones, or NQD_TIME_NEVER
 * @ptos: times that the PTO fired
 */
struct nqd_loss {
	u32 packet_threshold;
	u32 time_threshold;
	u64 reorder_pn;
	u32 reorder_quiet;
	u64 loss_time;
	u32 pto_count;
	u64 run_first;
	u64 ptos;
};

/**
 * struct nqd_loss_result - what one look for lost packets found
 * @packets: packets lost that were in flight
 * @bytes: their bytes
 * @datagrams: of all lost packets, those with a DATAGRAM frame
 * @ect0: of all lost packets, those that had left with ECT(0)
 * @flags: their flags, ORed
 * @congestion_packets: packets whose loss is a sign of congestion (PMTU probes are none)
 * @congestion_largest: the largest number of these
 * @persistent: RFC 9002 section 7.6: persistent congestion
 */
struct nqd_loss_result {
	u32 packets;
	u32 datagrams;
	u32 ect0;
	u32 flags;
	u64 bytes;
	u32 congestion_packets;
	u64 congestion_largest;
	bool persistent;
};

void nqd_loss_init(struct nqd_loss *l);
void nqd_loss_detect(struct nqd_loss *l, struct nqd_sent *s, const struct nqd_rtt *rtt, u64 now,
		     const struct nqd_sent_sink *sink, struct nqd_loss_result *res);
void nqd_loss_on_acked(struct nqd_loss *l, const struct nqd_sent *s, const struct nqd_sent_acked *a,
		       u64 prior_largest_acked);

/**
 * nqd_loss_pto_deadline() - RFC 9002 section 6.2.1: when the probe timeout fires
 * @l: state
 * @s: ring
 * @rtt: round trip
 *
 * Return: ns; NQD_TIME_NEVER while nothing ack-eliciting is outstanding.
 */
static inline u64 nqd_loss_pto_deadline(const struct nqd_loss *l, const struct nqd_sent *s,
					const struct nqd_rtt *rtt)
{
	u64 period = nqd_rtt_pto(rtt);

	if (!s->eliciting)
		return NQD_TIME_NEVER;
	/* The period doubles each time, as far as it may. */
	if (l->pto_count >= 16 || period << l->pto_count > NQD_LOSS_PTO_MAX)
		period = max_t(u64, period, NQD_LOSS_PTO_MAX);
	else
		period <<= l->pto_count;
	return nqd_add_sat(s->last_eliciting, period);
}

/**
 * nqd_loss_deadline() - RFC 9002 appendix A.8: the one timer of loss detection
 * @l: state
 * @s: ring
 * @rtt: round trip
 *
 * Return: the time threshold of the oldest packet if it runs, else the PTO, ns.
 */
static inline u64 nqd_loss_deadline(const struct nqd_loss *l, const struct nqd_sent *s,
				    const struct nqd_rtt *rtt)
{
	if (l->loss_time != NQD_TIME_NEVER)
		return l->loss_time;
	return nqd_loss_pto_deadline(l, s, rtt);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/* Round-trip time estimation: RFC 9002 section 5. */
#ifndef _NQD_PROTO_RTT_H
#define _NQD_PROTO_RTT_H

#include "base.h"

/* RFC 9002 section 6.1.2, kGranularity: no timer of loss recovery is finer than this. */
#define NQD_RTT_GRANULARITY (1 * NSEC_PER_MSEC)

/* RFC 9002 section 6.2.2, kInitialRtt: until the first sample. */
#define NQD_RTT_INITIAL (333 * NSEC_PER_MSEC)

/**
 * struct nqd_rtt - what is known of a path's round trip; all times in ns
 * @latest: last sample, before the correction by the peer's ACK delay
 * @adjusted: last sample, after it
 * @min: smallest @latest so far; 0 until the first sample
 * @smoothed: smoothed_rtt; the initial estimate until the first sample
 * @var: rttvar
 * @max_ack_delay: the peer's transport parameter
 * @first_sample: when the first sample was taken, or NQD_TIME_NEVER (RFC 9002 section 7.6.2)
 */
struct nqd_rtt {
	u64 latest;
	u64 adjusted;
	u64 min;
	u64 smoothed;
	u64 var;
	u64 max_ack_delay;
	u64 first_sample;
};

void nqd_rtt_init(struct nqd_rtt *r, u64 initial, u64 max_ack_delay);
void nqd_rtt_import(struct nqd_rtt *r, u64 latest, u64 min, u64 smoothed, u64 var, u64 now);
void nqd_rtt_sample(struct nqd_rtt *r, u64 latest, u64 ack_delay, u64 now);

/**
 * nqd_rtt_sampled() - is there a sample?
 * @r: estimator
 *
 * Return: false while the estimate is only the initial one.
 */
static inline bool nqd_rtt_sampled(const struct nqd_rtt *r)
{
	return r->first_sample != NQD_TIME_NEVER;
}

/**
 * nqd_rtt_pto() - RFC 9002 section 6.2.1: the probe timeout period, without backoff
 * @r: estimator
 *
 * Return: ns.
 */
static inline u64 nqd_rtt_pto(const struct nqd_rtt *r)
{
	return r->smoothed + max_t(u64, 4 * r->var, NQD_RTT_GRANULARITY) + r->max_ack_delay;
}

#endif

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Round-trip time estimation: RFC 9002 section 5. */
#include "rtt.h"

/**
 * nqd_rtt_init() - nothing measured yet
 * @r: estimator
 * @initial: estimate to begin with, ns; 0: NQD_RTT_INITIAL
 * @max_ack_delay: the peer's transport parameter, ns
 */
void nqd_rtt_init(struct nqd_rtt *r, u64 initial, u64 max_ack_delay)
{
	memset(r, 0, sizeof(*r));
	/* RFC 9002 section 5.3: before any samples. */
	r->smoothed = initial ? initial : NQD_RTT_INITIAL;
	r->var = r->smoothed / 2;
	r->max_ack_delay = max_ack_delay;
	r->first_sample = NQD_TIME_NEVER;
}

/**
 * nqd_rtt_import() - go on with what the handshake measured
 * @r: estimator, initialised
 * @latest: last sample, ns
 * @min: smallest sample, ns
 * @smoothed: smoothed_rtt, ns; 0: there were no samples
 * @var: rttvar, ns
 * @now: time, ns
 */
void nqd_rtt_import(struct nqd_rtt *r, u64 latest, u64 min, u64 smoothed, u64 var, u64 now)
{
	if (!smoothed)
		return;
	r->latest = latest ? latest : smoothed;
	r->adjusted = r->latest;
	r->min = min ? min : r->latest;
	r->smoothed = smoothed;
	r->var = var;
	r->first_sample = now;
}

/**
 * nqd_rtt_sample() - take a sample
 * @r: estimator
 * @latest: time from sending the largest acknowledged packet to its acknowledgement, ns
 * @ack_delay: delay that the peer reported, ns
 * @now: time, ns
 */
void nqd_rtt_sample(struct nqd_rtt *r, u64 latest, u64 ack_delay, u64 now)
{
	u64 deviation;

	r->latest = latest;
	r->adjusted = latest;
	/* RFC 9002 section 5.3: the first sample sets the estimate; ACK delay is left in it. */
	if (!nqd_rtt_sampled(r)) {
		r->min = latest;
		r->smoothed = latest;
		r->var = latest / 2;
		r->first_sample = now;
		return;
	}
	/* RFC 9002 section 5.2: min_rtt is not adjusted. */
	r->min = min(r->min, latest);
	/* RFC 9002 section 5.3: the handshake is confirmed, so max_ack_delay bounds what the peer says. */
	ack_delay = min(ack_delay, r->max_ack_delay);
	if (latest >= r->min + ack_delay)
		r->adjusted = latest - ack_delay;
	/* RFC 9002 appendix A.7: rttvar comes first, from the old smoothed_rtt. */
	deviation = r->smoothed > r->adjusted ? r->smoothed - r->adjusted : r->adjusted - r->smoothed;
	r->var = r->var - r->var / 4 + deviation / 4;
	r->smoothed = r->smoothed - r->smoothed / 8 + r->adjusted / 8;
}


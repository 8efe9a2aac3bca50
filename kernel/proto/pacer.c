// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Pacing: RFC 9002 section 7.7. */
#include "pacer.h"
#include "math.h"

/*
 * RFC 9002 section 7.7 allows bursts of the initial window. But where two flows share a queue that is
 * nearly full, the one with the larger bursts for its rate takes nearly all losses: with ten packets, two
 * cubic flows end at 66:34, with a burst in proportion to the rate at 55:45 (scenario cubic-share). So a
 * burst is a millisecond at the pace, as TCP's sk_pacing_shift has it, and a pair at least.
 */
#define NQD_PACER_BURST_PACKETS 2
#define NQD_PACER_BURST_RATE_SHIFT 10
#define NQD_PACER_BURST_MAX (2 * 65536)

/**
 * nqd_pacer_init() - no pace yet
 * @p: pacer
 * @now: time, ns
 */
void nqd_pacer_init(struct nqd_pacer *p, u64 now)
{
	memset(p, 0, sizeof(*p));
	p->full_at = now;
}

/**
 * nqd_pacer_set() - change the rate
 * @p: pacer
 * @now: time, ns
 * @rate: bytes a second; 0: no pacing
 * @mss: bytes of a full packet
 */
void nqd_pacer_set(struct nqd_pacer *p, u64 now, u64 rate, u32 mss)
{
	u64 burst = max_t(u64, (u64)NQD_PACER_BURST_PACKETS * mss, rate >> NQD_PACER_BURST_RATE_SHIFT);
	u64 owed = nqd_sub_sat(p->full_at, now);

	if (rate == p->rate)
		return;
	/* What was sent in advance stays owed in bytes, not in time. */
	if (owed && p->rate && rate)
		p->full_at = now + min_t(u64, nqd_mul_div(owed, p->rate, rate), 10ULL * NSEC_PER_SEC);
	p->rate = rate;
	p->byte_time = rate ? nqd_div((u64)NSEC_PER_SEC << NQD_PACER_SHIFT, rate) : 0;
	p->burst = (u32)min_t(u64, burst,
			      max_t(u64, NQD_PACER_BURST_MAX, NQD_PACER_BURST_PACKETS * (u64)mss));
	p->burst_time = nqd_pacer_time(p, p->burst);
}

/**
 * nqd_pacer_budget() - how many equal packets may leave now?
 * @p: pacer
 * @now: time, ns
 * @size: bytes of each, not 0
 * @max_packets: more are not asked for
 *
 * Return: 0 to @max_packets.
 */
u32 nqd_pacer_budget(const struct nqd_pacer *p, u64 now, u32 size, u32 max_packets)
{
	u64 each = nqd_pacer_time(p, size);
	u64 limit = now + p->burst_time;
	u64 credit;

	if (p->full_at > limit)
		return 0;
	credit = min(limit - p->full_at, p->burst_time);
	/* The usual case needs no division. */
	if (credit >= nqd_mul_sat(each, max_packets))
		return max_packets;
	return (u32)min_t(u64, nqd_div(credit, each) + 1, max_packets);
}


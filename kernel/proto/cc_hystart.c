// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * HyStart++: leaving slow start before the queue overflows. RFC 9406, changed in two ways, because
 * packets are paced and acknowledged in groups:
 *
 * - The RFC compares the smallest RTT of a whole round, which is that of its first packets; by the time
 *   these see a queue, a round trip of doubling is behind them, and a queue of one bandwidth-delay
 *   product overflows. Here the smallest of the last few samples counts.
 * - The RFC stays in conservative slow start for five rounds of growth by a quarter: the window triples.
 *   Here it takes one round trip of growth by an eighth, until packets sent in it are acknowledged: they
 *   tell whether the delay stays.
 *
 * With the RFC's values, slow start into 200 Mbit/s of 60 ms with a queue of as much lost 2,500 packets,
 * with these none (python -m nexus_sim --scenario cubic-start).
 */
#include "cc_hystart.h"

/* RFC 9406 section 4.3: recommended values, but for the divisor of the growth (4). */
#define NQD_HYSTART_MIN_RTT_THRESH (4 * NSEC_PER_MSEC)
#define NQD_HYSTART_MAX_RTT_THRESH (16 * NSEC_PER_MSEC)
#define NQD_HYSTART_MIN_RTT_DIVISOR 8
#define NQD_HYSTART_RTT_SAMPLES 8
#define NQD_HYSTART_CSS_GROWTH_DIVISOR 8

/*
 * Peers acknowledge a few times a round trip, whatever its length, so an ACK frame's sample counts as
 * those of the packets that an undecimated peer would have acknowledged, up to this many.
 */
#define NQD_HYSTART_SAMPLES_AN_ACK 2

/**
 * nqd_hystart_init() - slow start begins
 * @h: state
 */
void nqd_hystart_init(struct nqd_hystart *h)
{
	memset(h, 0, sizeof(*h));
	h->last_round_min_rtt = NQD_TIME_NEVER;
	h->round_min_rtt = NQD_TIME_NEVER;
	h->recent_min_rtt = NQD_TIME_NEVER;
	h->css_baseline_min_rtt = NQD_TIME_NEVER;
}

/**
 * nqd_hystart_done() - slow start is over
 * @h: state
 */
void nqd_hystart_done(struct nqd_hystart *h)
{
	h->phase = NQD_HYSTART_DONE;
}

/* RFC 9406 section 4.2: did the delay rise since the last round? */
static bool nqd_hystart_delay_rose(const struct nqd_hystart *h)
{
	u64 thresh;

	if (h->last_round_min_rtt == NQD_TIME_NEVER)
		return false;
	thresh = clamp_t(u64, h->last_round_min_rtt / NQD_HYSTART_MIN_RTT_DIVISOR,
			 NQD_HYSTART_MIN_RTT_THRESH, NQD_HYSTART_MAX_RTT_THRESH);
	return h->recent_min_rtt >= h->last_round_min_rtt + thresh;
}

/* Enough samples to judge the delay by. Return: true when slow start is to be left. */
static bool nqd_hystart_judge(struct nqd_hystart *h, u64 next_pn)
{
	if (h->phase == NQD_HYSTART_SLOW_START) {
		if (nqd_hystart_delay_rose(h)) {
			h->css_baseline_min_rtt = h->recent_min_rtt;
			h->css_begin = next_pn;
			h->phase = NQD_HYSTART_CSS;
		}
		return false;
	}
	if (h->recent_min_rtt >= h->css_baseline_min_rtt)
		return true;
	/* The rise was not lasting: resume. */
	h->phase = NQD_HYSTART_SLOW_START;
	return false;
}

/**
 * nqd_hystart_on_ack() - an ACK frame acknowledged packets in slow start
 * @h: state
 * @rtt: sample without the peer's ACK delay, ns; 0: none
 * @acked_packets: packets newly acknowledged
 * @largest_acked: the largest number of these
 * @next_pn: packet number that will be sent next
 *
 * Return: true when slow start is to be left.
 */
bool nqd_hystart_on_ack(struct nqd_hystart *h, u64 rtt, u32 acked_packets, u64 largest_acked, u64 next_pn)
{
	bool leave = false;

	if (h->phase == NQD_HYSTART_DONE)
		return false;
	/* A round trip is over. */
	if (largest_acked >= h->window_end) {
		if (h->round_min_rtt != NQD_TIME_NEVER)
			h->last_round_min_rtt = min(h->last_round_min_rtt, h->round_min_rtt);
		h->round_min_rtt = NQD_TIME_NEVER;
		h->window_end = next_pn;
	}
	/* What was sent before conservative slow start says nothing about it. */
	if (!rtt || (h->phase == NQD_HYSTART_CSS && largest_acked < h->css_begin))
		return false;
	h->round_min_rtt = min(h->round_min_rtt, rtt);
	h->recent_min_rtt = min(h->recent_min_rtt, rtt);
	h->rtt_samples += min_t(u32, acked_packets, NQD_HYSTART_SAMPLES_AN_ACK);
	if (h->rtt_samples >= NQD_HYSTART_RTT_SAMPLES) {
		leave = nqd_hystart_judge(h, next_pn);
		h->rtt_samples = 0;
		h->recent_min_rtt = NQD_TIME_NEVER;
	}
	return leave;
}

/**
 * nqd_hystart_growth() - RFC 9406 section 4.2: growth of the window in slow start
 * @h: state
 * @acked_bytes: bytes newly acknowledged
 *
 * Packets are paced, so there is no limit to the growth by one ACK frame (section 4.3: L).
 *
 * Return: bytes.
 */
u64 nqd_hystart_growth(const struct nqd_hystart *h, u64 acked_bytes)
{
	return h->phase == NQD_HYSTART_CSS ? acked_bytes / NQD_HYSTART_CSS_GROWTH_DIVISOR : acked_bytes;
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * cubic_like: CUBIC, RFC 9438, in bytes and fixed point, with HyStart++ (RFC 9406).
 *
 * Time since a reduction is counted in ticks of 2^20 ns (1.05 ms), so that cubes fit.
 */
#include "cc.h"
#include "math.h"

#define NQD_CUBIC_TICK_SHIFT 20
/* RFC 9438 section 4.6: beta_cubic = 0.7, in units of 2^-10. */
#define NQD_CUBIC_BETA 717
/* RFC 9438 section 4.7: (1 + beta_cubic) / 2 = 0.85. */
#define NQD_CUBIC_FAST_CONVERGENCE 870
/* RFC 9438 section 4.3: alpha_cubic = 3 * (1 - beta) / (1 + beta) = 9/17. */
#define NQD_CUBIC_ALPHA 542
#define NQD_CUBIC_SHIFT 10

/* RFC 9438 section 5.1: C = 0.4 segments a cubic second = 2^-63 * this segments a cubic tick. */
#define NQD_CUBIC_C 4253529587U
#define NQD_CUBIC_C_SHIFT 63
/* The inverse: 2^-16 * this cubic ticks a segment. */
#define NQD_CUBIC_INV_C 142108547152020ULL
/* Further from the plateau the curve is far above what any window reaches. */
#define NQD_CUBIC_TICKS_MAX 0xffffU

/**
 * nqd_cubic_root() - cube root
 * @x: any value
 *
 * Digit by digit, three bits of the cube each: 22 rounds, and only after a reduction.
 *
 * Return: the root, rounded down.
 */
u64 nqd_cubic_root(u64 x)
{
	u64 root = 0;
	int shift;

	for (shift = 63; shift >= 0; shift -= 3) {
		u64 next;

		root <<= 1;
		next = 3 * root * (root + 1) + 1;
		if (x >> shift >= next) {
			x -= next << shift;
			root++;
		}
	}
	return root;
}

/* C * ticks^3, in bytes. */
static u64 nqd_cubic_curve(const struct nqd_cc *cc, u64 ticks)
{
	u64 cube;

	ticks = min_t(u64, ticks, NQD_CUBIC_TICKS_MAX);
	cube = ticks * ticks * ticks * cc->mss;
	return nqd_mul_shr(cube, NQD_CUBIC_C, 32) >> (NQD_CUBIC_C_SHIFT - 32);
}

/* RFC 9438 section 4.2, figure 1: W_cubic(t). */
static u64 nqd_cubic_window(const struct nqd_cc *cc, u64 t)
{
	u64 ticks = t >> NQD_CUBIC_TICK_SHIFT;
	u64 k = cc->cubic.k;

	if (ticks >= k)
		return cc->cubic.w_max + nqd_cubic_curve(cc, ticks - k);
	return nqd_sub_sat(cc->cubic.w_max, nqd_cubic_curve(cc, k - ticks));
}

static void nqd_cubic_init(struct nqd_cc *cc, u64 now)
{
	struct nqd_cubic *c = &cc->cubic;

	memset(c, 0, sizeof(*c));
	nqd_hystart_init(&c->hystart);
	c->epoch_start = NQD_TIME_NEVER;
	c->last_ack = now;
}

/* A congestion avoidance stage begins. */
static void nqd_cubic_begin_epoch(struct nqd_cc *cc, u64 now)
{
	struct nqd_cubic *c = &cc->cubic;

	c->epoch_start = now;
	/* RFC 9438 section 4.3: W_est begins at cwnd_epoch. */
	c->w_est = cc->cwnd;
	c->w_est_credit = 0;
	/*
	 * RFC 9438 section 4.8: after a timeout, and section 4.10: after slow start ended without a loss,
	 * the curve begins at its plateau.
	 */
	if (c->w_max <= cc->cwnd) {
		c->w_max = cc->cwnd;
		c->cwnd_prior = max(c->cwnd_prior, cc->cwnd);
		c->k = 0;
		return;
	}
	/* RFC 9438 section 4.2, figure 2: K = cubic root of ((W_max - cwnd_epoch) / C). */
	c->k = nqd_cubic_root(nqd_mul_div(c->w_max - cc->cwnd, NQD_CUBIC_INV_C, (u64)cc->mss << 16));
}

/* RFC 9438 section 4.3, figure 4: the window that Reno would have. */
static void nqd_cubic_grow_w_est(struct nqd_cc *cc, u64 acked_bytes)
{
	struct nqd_cubic *c = &cc->cubic;
	u64 segment = cc->cwnd << NQD_CUBIC_SHIFT;

	/* alpha_cubic until it reaches the window before the reduction, then 1 as Reno's. */
	c->w_est_credit += acked_bytes * (c->w_est < c->cwnd_prior ? NQD_CUBIC_ALPHA : 1 << NQD_CUBIC_SHIFT);
	for (; c->w_est_credit >= segment; c->w_est_credit -= segment)
		c->w_est += cc->mss;
}

/* RFC 9438 section 4.2 to 4.5. */
static void nqd_cubic_avoid(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
	struct nqd_cubic *c = &cc->cubic;
	u64 t, target;

	if (c->epoch_start == NQD_TIME_NEVER)
		nqd_cubic_begin_epoch(cc, ack->now);
	t = ack->now - c->epoch_start;
	nqd_cubic_grow_w_est(cc, ack->acked_bytes);
	/* RFC 9438 section 4.3: the Reno-friendly region. */
	if (nqd_cubic_window(cc, t) < c->w_est) {
		cc->cwnd = max(cc->cwnd, c->w_est);
		return;
	}
	/* RFC 9438 section 4.2: where the curve is a round trip from now, between cwnd and 1.5 cwnd. */
	target = clamp(nqd_cubic_window(cc, nqd_add_sat(t, ack->rtt)), cc->cwnd, cc->cwnd + cc->cwnd / 2);
	/* RFC 9438 sections 4.4, 4.5: (target - cwnd) / cwnd for each segment acknowledged. */
	cc->cwnd += nqd_mul_div(target - cc->cwnd, ack->acked_bytes, cc->cwnd);
}

static void nqd_cubic_on_ack(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
	struct nqd_cubic *c = &cc->cubic;
	u64 since_last = nqd_sub_sat(ack->now, c->last_ack);

	c->last_ack = ack->now;
	if (nqd_cc_in_recovery(cc, ack->largest_acked)) {
		/* RFC 9002 section 7.3.2: no growth in a recovery period. */
	} else if (ack->underutilized) {
		/* RFC 9438 section 5.8: time in which the window was not the limit does not count. */
		if (c->epoch_start != NQD_TIME_NEVER)
			c->epoch_start += since_last;
	} else if (cc->cwnd < cc->ssthresh) {
		bool leave = nqd_hystart_on_ack(&c->hystart, ack->rtt_adjusted, ack->acked_packets,
						ack->largest_acked, ack->next_pn);

		cc->cwnd += nqd_hystart_growth(&c->hystart, ack->acked_bytes);
		if (leave) {
			nqd_hystart_done(&c->hystart);
			cc->ssthresh = cc->cwnd;
		}
	} else {
		nqd_cubic_avoid(cc, ack);
	}
	nqd_cc_pace(cc, ack->rtt);
}

static void nqd_cubic_on_congestion(struct nqd_cc *cc, u64 now, u64 prior_in_flight, bool ce)
{
	struct nqd_cubic *c = &cc->cubic;

	c->prior.cwnd = cc->cwnd;
	c->prior.ssthresh = cc->ssthresh;
	c->prior.w_max = c->w_max;
	c->prior.cwnd_prior = c->cwnd_prior;
	c->prior.k = c->k;
	c->prior.epoch_start = c->epoch_start;
	c->prior.w_est = c->w_est;
	c->prior.phase = c->hystart.phase;

	/* RFC 9438 section 4.7: fast convergence: leave room to a newcomer. */
	if (cc->cwnd < c->w_max)
		c->w_max = nqd_mul_shr(cc->cwnd, NQD_CUBIC_FAST_CONVERGENCE, NQD_CUBIC_SHIFT);
	else
		c->w_max = cc->cwnd;
	/* RFC 9438 section 4.6: multiplicative decrease. */
	c->cwnd_prior = cc->cwnd;
	cc->ssthresh = max(nqd_mul_shr(cc->cwnd, NQD_CUBIC_BETA, NQD_CUBIC_SHIFT), nqd_cc_min_window(cc));
	cc->cwnd = cc->ssthresh;
	c->epoch_start = NQD_TIME_NEVER;
	/* RFC 9406 section 4.2: a loss ends slow start for good. */
	nqd_hystart_done(&c->hystart);
}

static void nqd_cubic_on_persistent(struct nqd_cc *cc, u64 now)
{
	/* RFC 9438 section 4.8: slow start to ssthresh, then a curve that begins at its plateau. */
	cc->cubic.w_max = 0;
	cc->cubic.cwnd_prior = 0;
	cc->cubic.epoch_start = NQD_TIME_NEVER;
}

/* RFC 9438 section 4.9.2: a spurious reduction is taken back. */
static void nqd_cubic_on_undo(struct nqd_cc *cc, u64 now)
{
	struct nqd_cubic *c = &cc->cubic;

	if (cc->cwnd >= c->prior.cwnd)
		return;
	cc->cwnd = c->prior.cwnd;
	cc->ssthresh = c->prior.ssthresh;
	c->w_max = c->prior.w_max;
	c->cwnd_prior = c->prior.cwnd_prior;
	c->k = c->prior.k;
	c->epoch_start = c->prior.epoch_start;
	c->w_est = c->prior.w_est;
	c->hystart.phase = c->prior.phase;
}

const struct nqd_cc_ops nqd_cc_cubic_ops = {
	.name = "cubic_like",
	.init = nqd_cubic_init,
	.on_ack = nqd_cubic_on_ack,
	.on_congestion = nqd_cubic_on_congestion,
	.on_persistent = nqd_cubic_on_persistent,
	.on_undo = nqd_cubic_on_undo,
};

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * bbr_like: a model of the path (bottleneck bandwidth, round trip without queue, bytes in flight that
 * it bears without much loss), after draft-ietf-ccwg-bbr, with fewer phases.
 */
#include "cc.h"
#include "math.h"

/* Gains, in units of 2^-8. */
#define NQD_BBR_UNIT 256
#define NQD_BBR_STARTUP_GAIN 710 /* 2.773: doubles the rate each round */
#define NQD_BBR_DRAIN_GAIN 90 /* 0.35 */
#define NQD_BBR_DOWN_GAIN 230 /* 0.9 */
#define NQD_BBR_UP_GAIN 320 /* 1.25 */
#define NQD_BBR_STARTUP_CWND_GAIN 512 /* 2 */
#define NQD_BBR_CWND_GAIN 384 /* 1.5: ACKs come a few times a round; with 2, flows keep a queue full */
#define NQD_BBR_UP_CWND_GAIN 448 /* 1.75 */
#define NQD_BBR_PROBE_RTT_GAIN 128 /* 0.5 */
/* Pace a little below the estimate, so that queues drain. */
#define NQD_BBR_PACE_MARGIN 253 /* 0.99 */

#define NQD_BBR_MIN_RTT_WINDOW (10 * (u64)NSEC_PER_SEC)
#define NQD_BBR_PROBE_RTT_TIME (200 * (u64)NSEC_PER_MSEC)
#define NQD_BBR_FULL_ROUNDS 3
#define NQD_BBR_CRUISE_ROUNDS 5
#define NQD_BBR_MIN_WINDOW 4

/*
 * Loss that the path is allowed: 1/50 of a sample of a round at least, and some packets more: random
 * loss of half of that must not look like a full queue.
 */
#define NQD_BBR_LOSS_DIVISOR 50
#define NQD_BBR_LOSS_SLACK 3
#define NQD_BBR_LOSS_SAMPLE 128
#define NQD_BBR_LOSS_ROUNDS 4
/* Less in flight by this after too much loss: 0.85. */
#define NQD_BBR_LOSS_GAIN 218

/* Bytes in flight that fill the path, times a gain. */
static u64 nqd_bbr_bdp(const struct nqd_cc *cc, u32 gain)
{
	const struct nqd_bbr *b = &cc->bbr;

	if (!b->max_bw || !b->min_rtt)
		return cc->cwnd;
	return nqd_mul_shr(nqd_mul_div(b->max_bw, b->min_rtt, NSEC_PER_SEC), gain, 8);
}

static u64 nqd_bbr_min_window(const struct nqd_cc *cc)
{
	return (u64)NQD_BBR_MIN_WINDOW * cc->mss;
}

static void nqd_bbr_enter(struct nqd_cc *cc, enum nqd_bbr_phase phase, u64 now)
{
	static const struct {
		u16 pacing;
		u16 cwnd;
	} gains[] = {
		[NQD_BBR_STARTUP] = { NQD_BBR_STARTUP_GAIN, NQD_BBR_STARTUP_CWND_GAIN },
		[NQD_BBR_DRAIN] = { NQD_BBR_DRAIN_GAIN, NQD_BBR_STARTUP_CWND_GAIN },
		[NQD_BBR_DOWN] = { NQD_BBR_DOWN_GAIN, NQD_BBR_CWND_GAIN },
		[NQD_BBR_CRUISE] = { NQD_BBR_UNIT, NQD_BBR_CWND_GAIN },
		[NQD_BBR_UP] = { NQD_BBR_UP_GAIN, NQD_BBR_UP_CWND_GAIN },
		[NQD_BBR_PROBE_RTT] = { NQD_BBR_UNIT, NQD_BBR_PROBE_RTT_GAIN },
	};
	struct nqd_bbr *b = &cc->bbr;

	b->phase = phase;
	b->phase_start = now;
	b->phase_round = b->round;
	b->pacing_gain = gains[phase].pacing;
	b->cwnd_gain = gains[phase].cwnd;
}

static void nqd_bbr_init(struct nqd_cc *cc, u64 now)
{
	struct nqd_bbr *b = &cc->bbr;

	memset(b, 0, sizeof(*b));
	b->inflight_hi = U64_MAX;
	b->probe_rtt_done = NQD_TIME_NEVER;
	b->min_rtt_stamp = now;
	nqd_bbr_enter(cc, NQD_BBR_STARTUP, now);
}

/* A round ends when a packet sent after its beginning is acknowledged. */
static bool nqd_bbr_round_started(struct nqd_bbr *b, const struct nqd_cc_ack *ack)
{
	if (ack->sample.prior_delivered < b->next_round_delivered)
		return false;
	b->next_round_delivered = ack->delivered;
	b->round++;
	return true;
}

/* Largest delivery rate of the last rounds. Rounds without a sample do not age it. */
static void nqd_bbr_update_bw(struct nqd_bbr *b, const struct nqd_cc_ack *ack, bool round_start)
{
	const struct nqd_rate_sample *rs = &ack->sample;
	u64 rate = nqd_delivery_rate(rs);
	u32 i;

	if (!rate || (rs->app_limited && rate < b->max_bw))
		return;
	if (round_start && b->bw[b->bw_slot]) {
		b->bw_slot = b->bw_slot + 1 < NQD_BBR_BW_ROUNDS ? b->bw_slot + 1 : 0;
		b->bw[b->bw_slot] = 0;
	}
	b->bw[b->bw_slot] = max(b->bw[b->bw_slot], rate);
	b->max_bw = 0;
	for (i = 0; i < NQD_BBR_BW_ROUNDS; i++)
		b->max_bw = max(b->max_bw, b->bw[i]);
}

/*
 * Too much loss: bytes in flight beyond which the path drops. Between probes it may fall no lower than
 * the path was measured to bear.
 */
static void nqd_bbr_lower_hi(struct nqd_cc *cc, u64 in_flight)
{
	struct nqd_bbr *b = &cc->bbr;
	u64 hi = min(b->inflight_hi, max(in_flight, nqd_bbr_bdp(cc, NQD_BBR_UNIT)));

	b->inflight_hi = max(nqd_mul_shr(hi, NQD_BBR_LOSS_GAIN, 8), nqd_bbr_min_window(cc));
}

/* Return: the loss sample is complete, and there was too much of it. */
static bool nqd_bbr_lost_too_much(struct nqd_bbr *b, const struct nqd_cc_ack *ack, bool round_start)
{
	u64 total;
	bool too_much;

	b->round_lost += ack->lost_packets;
	b->round_acked += ack->acked_packets;
	b->round_in_flight = max(b->round_in_flight, ack->sample.in_flight_sent);
	if (!round_start)
		return false;
	total = b->round_lost + b->round_acked;
	if (++b->loss_rounds < NQD_BBR_LOSS_ROUNDS && total < NQD_BBR_LOSS_SAMPLE)
		return false;
	too_much = b->round_lost > NQD_BBR_LOSS_SLACK &&
		   (b->round_lost - NQD_BBR_LOSS_SLACK) * NQD_BBR_LOSS_DIVISOR > total;
	b->round_lost = 0;
	b->round_acked = 0;
	b->loss_rounds = 0;
	return too_much;
}

/* Startup is over when bandwidth stops growing by a quarter a round, or loss sets in. */
static void nqd_bbr_check_filled(struct nqd_bbr *b, const struct nqd_cc_ack *ack, bool round_start,
				 bool too_much)
{
	if (b->filled)
		return;
	if (too_much) {
		b->filled = true;
		return;
	}
	if (!round_start || ack->sample.app_limited)
		return;
	if (b->max_bw >= b->full_bw + b->full_bw / 4) {
		b->full_bw = b->max_bw;
		b->full_bw_rounds = 0;
	} else if (++b->full_bw_rounds >= NQD_BBR_FULL_ROUNDS) {
		b->filled = true;
	}
}

/* Probing found that the present bound is borne: a quarter more a round. */
static void nqd_bbr_raise_hi(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
	struct nqd_bbr *b = &cc->bbr;

	if (b->inflight_hi != U64_MAX && !ack->underutilized &&
	    ack->prior_in_flight + 3 * cc->mss >= min(b->inflight_hi, cc->cwnd))
		b->inflight_hi += ack->acked_bytes / 4;
}

/* Is it time to see whether there is more bandwidth? Not all flows of a path at the same time. */
static bool nqd_bbr_cruised(const struct nqd_bbr *b)
{
	return b->round - b->phase_round >= b->cruise_rounds;
}

static void nqd_bbr_advance(struct nqd_cc *cc, const struct nqd_cc_ack *ack, bool too_much)
{
	struct nqd_bbr *b = &cc->bbr;
	u64 elapsed = ack->now - b->phase_start;
	u64 bdp = nqd_bbr_bdp(cc, NQD_BBR_UNIT);

	switch (b->phase) {
	case NQD_BBR_STARTUP:
		if (b->filled)
			nqd_bbr_enter(cc, NQD_BBR_DRAIN, ack->now);
		break;
	case NQD_BBR_DRAIN:
		if (ack->in_flight <= bdp)
			nqd_bbr_enter(cc, NQD_BBR_CRUISE, ack->now);
		break;
	case NQD_BBR_DOWN:
		if (ack->in_flight <= bdp || b->round - b->phase_round >= 3) {
			b->cruise_rounds = NQD_BBR_CRUISE_ROUNDS + ((u32)ack->largest_acked & 1);
			nqd_bbr_enter(cc, NQD_BBR_CRUISE, ack->now);
		}
		break;
	case NQD_BBR_CRUISE:
		if (nqd_bbr_cruised(b))
			nqd_bbr_enter(cc, NQD_BBR_UP, ack->now);
		break;
	case NQD_BBR_UP:
		nqd_bbr_raise_hi(cc, ack);
		if (too_much ||
		    (elapsed >= b->min_rtt && (ack->prior_in_flight >= nqd_bbr_bdp(cc, NQD_BBR_UP_GAIN) ||
					       b->round - b->phase_round >= 3)))
			nqd_bbr_enter(cc, NQD_BBR_DOWN, ack->now);
		break;
	case NQD_BBR_PROBE_RTT:
		break;
	}
}

/* The path without a queue: the smallest round trip lately; where it got old, look at it anew. */
static void nqd_bbr_update_min_rtt(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
	struct nqd_bbr *b = &cc->bbr;
	bool expired = ack->now - b->min_rtt_stamp > NQD_BBR_MIN_RTT_WINDOW;

	if (ack->rtt_latest && (!b->min_rtt || ack->rtt_latest <= b->min_rtt || expired)) {
		b->min_rtt = ack->rtt_latest;
		b->min_rtt_stamp = ack->now;
	}
	if (expired && b->filled && b->phase != NQD_BBR_PROBE_RTT) {
		b->prior_cwnd = cc->cwnd;
		b->probe_rtt_done = NQD_TIME_NEVER;
		nqd_bbr_enter(cc, NQD_BBR_PROBE_RTT, ack->now);
	}
	if (b->phase != NQD_BBR_PROBE_RTT)
		return;
	if (b->probe_rtt_done == NQD_TIME_NEVER) {
		if (ack->in_flight > max(nqd_bbr_bdp(cc, NQD_BBR_PROBE_RTT_GAIN), nqd_bbr_min_window(cc)))
			return;
		b->probe_rtt_done = ack->now + NQD_BBR_PROBE_RTT_TIME;
		b->phase_round = b->round;
	} else if (ack->now >= b->probe_rtt_done && b->round > b->phase_round) {
		b->min_rtt_stamp = ack->now;
		cc->cwnd = max(cc->cwnd, b->prior_cwnd);
		b->cruise_rounds = NQD_BBR_CRUISE_ROUNDS;
		nqd_bbr_enter(cc, NQD_BBR_CRUISE, ack->now);
	}
}

static void nqd_bbr_set_cwnd(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
	struct nqd_bbr *b = &cc->bbr;
	/* Three packets more than the model says: the last ones of a round must not wait for an ACK. */
	u64 target = nqd_bbr_bdp(cc, b->cwnd_gain) + 3 * cc->mss;

	if (b->phase == NQD_BBR_PROBE_RTT)
		cc->cwnd = min(cc->cwnd, nqd_bbr_bdp(cc, NQD_BBR_PROBE_RTT_GAIN));
	else if (b->filled)
		cc->cwnd = min(cc->cwnd + ack->acked_bytes, target);
	else if (!ack->underutilized && (cc->cwnd < target || !b->max_bw))
		cc->cwnd += ack->acked_bytes;
	cc->cwnd = min(cc->cwnd, b->inflight_hi);
	cc->cwnd = max(cc->cwnd, nqd_bbr_min_window(cc));
}

static void nqd_bbr_set_pace(struct nqd_cc *cc, u64 rtt)
{
	struct nqd_bbr *b = &cc->bbr;
	u64 rate;

	if (!b->max_bw) {
		nqd_cc_pace(cc, rtt);
		return;
	}
	rate = nqd_mul_shr(nqd_mul_shr(b->max_bw, b->pacing_gain, 8), NQD_BBR_PACE_MARGIN, 8);
	/* Until the path is filled, early samples must not slow it down. */
	if (b->filled || rate > cc->pacing_rate)
		cc->pacing_rate = max_t(u64, rate, cc->mss);
}

static void nqd_bbr_on_ack(struct nqd_cc *cc, const struct nqd_cc_ack *ack)
{
	struct nqd_bbr *b = &cc->bbr;
	bool round_start = nqd_bbr_round_started(b, ack);
	bool too_much;

	nqd_bbr_update_bw(b, ack, round_start);
	too_much = nqd_bbr_lost_too_much(b, ack, round_start);
	nqd_bbr_check_filled(b, ack, round_start, too_much);
	if (too_much)
		nqd_bbr_lower_hi(cc, b->round_in_flight);
	if (round_start && !b->loss_rounds)
		b->round_in_flight = 0;
	nqd_bbr_advance(cc, ack, too_much);
	nqd_bbr_update_min_rtt(cc, ack);
	nqd_bbr_set_cwnd(cc, ack);
	nqd_bbr_set_pace(cc, ack->rtt);
}

/* Loss alone changes the model only where it is too much; a CE mark says that there is a queue. */
static void nqd_bbr_on_congestion(struct nqd_cc *cc, u64 now, u64 prior_in_flight, bool ce)
{
	struct nqd_bbr *b = &cc->bbr;

	if (!ce)
		return;
	b->filled = true;
	nqd_bbr_lower_hi(cc, prior_in_flight);
	cc->cwnd = min(cc->cwnd, b->inflight_hi);
	if (b->phase == NQD_BBR_UP)
		nqd_bbr_enter(cc, NQD_BBR_DOWN, now);
}

/* The window was set to its minimum; it grows with what is acknowledged, up to the model's. */
static void nqd_bbr_on_persistent(struct nqd_cc *cc, u64 now)
{
}

const struct nqd_cc_ops nqd_cc_bbr_ops = {
	.name = "bbr_like",
	.init = nqd_bbr_init,
	.on_ack = nqd_bbr_on_ack,
	.on_congestion = nqd_bbr_on_congestion,
	.on_persistent = nqd_bbr_on_persistent,
};

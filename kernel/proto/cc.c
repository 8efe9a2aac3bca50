// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Congestion control: what the algorithms share. RFC 9002 section 7. */
#include "cc.h"
#include "math.h"

/**
 * nqd_cc_init() - begin in slow start
 * @cc: congestion control
 * @kind: algorithm
 * @mss: bytes of UDP payload of a full packet
 * @initial_window: bytes; 0: RFC 9002 section 7.2
 * @fixed_rate: NQD_CONGESTION_FIXED_RATE_TEST: bytes a second
 * @lab_mode: NQD_CONGESTION_FIXED_RATE_TEST is allowed
 * @next_pn: packet number that will be sent first
 * @rtt: estimate of the round trip, ns
 * @now: time, ns
 *
 * Return: 0; -EINVAL: a value out of range; -EPERM: NQD_CONGESTION_FIXED_RATE_TEST without lab mode.
 */
int nqd_cc_init(struct nqd_cc *cc, enum nqd_congestion kind, u32 mss, u64 initial_window, u64 fixed_rate,
		bool lab_mode, u64 next_pn, u64 rtt, u64 now)
{
	static const struct nqd_cc_ops *const ops[] = {
		[NQD_CONGESTION_CUBIC_LIKE] = &nqd_cc_cubic_ops,
		[NQD_CONGESTION_BBR_LIKE] = &nqd_cc_bbr_ops,
		[NQD_CONGESTION_FIXED_RATE_TEST] = &nqd_cc_fixed_ops,
	};

	memset(cc, 0, sizeof(*cc));
	if ((u32)kind >= ARRAY_SIZE(ops) || !mss)
		return -EINVAL;
	if (kind == NQD_CONGESTION_FIXED_RATE_TEST) {
		if (!lab_mode)
			return -EPERM;
		if (!fixed_rate)
			return -EINVAL;
		cc->fixed_rate = fixed_rate;
	}
	cc->ops = ops[kind];
	cc->kind = kind;
	cc->mss = mss;
	/* RFC 9002 section 7.2: ten packets, not more than 14720 bytes or two packets. */
	if (!initial_window)
		initial_window = min_t(u64, (u64)NQD_CC_INITIAL_WINDOW * mss,
				       max_t(u64, NQD_CC_INITIAL_WINDOW_BYTES, 2 * (u64)mss));
	cc->cwnd = max(initial_window, nqd_cc_min_window(cc));
	cc->ssthresh = U64_MAX;
	cc->recovery_pn = next_pn;
	cc->recovery_prev = next_pn;
	cc->ops->init(cc, now);
	nqd_cc_pace(cc, rtt);
	return 0;
}

/**
 * nqd_cc_set_mss() - full packets have another size now
 * @cc: congestion control
 * @mss: bytes of UDP payload
 *
 * RFC 9002 section 7.2: a smaller size in slow start could shrink the window; as packets keep being
 * counted in bytes, it only has to stay above its minimum.
 */
void nqd_cc_set_mss(struct nqd_cc *cc, u32 mss)
{
	cc->mss = mss;
	cc->cwnd = max(cc->cwnd, nqd_cc_min_window(cc));
}

/**
 * nqd_cc_min_window() - RFC 9002 section 7.2: kMinimumWindow
 * @cc: congestion control
 *
 * Return: bytes.
 */
u64 nqd_cc_min_window(const struct nqd_cc *cc)
{
	return (u64)NQD_CC_MIN_WINDOW * cc->mss;
}

/**
 * nqd_cc_pace() - RFC 9002 section 7.7: pace after window and round trip
 * @cc: congestion control
 * @rtt: smoothed round trip, ns
 */
void nqd_cc_pace(struct nqd_cc *cc, u64 rtt)
{
	/* Slow start must be able to double in a round trip; else some slack for varying round trips. */
	u64 window = cc->cwnd < cc->ssthresh ? cc->cwnd * 2 : cc->cwnd + cc->cwnd / 4;

	if (cc->kind == NQD_CONGESTION_FIXED_RATE_TEST)
		cc->pacing_rate = cc->fixed_rate;
	else
		cc->pacing_rate = max_t(u64, nqd_mul_div(window, NSEC_PER_SEC, max_t(u64, rtt, 1)), cc->mss);
}

/**
 * nqd_cc_in_recovery() - RFC 9002 section 7.3.2: was a packet sent before the last reduction?
 * @cc: congestion control
 * @pn: its number
 *
 * Return: true: its loss changes nothing any more, and its acknowledgement does not grow the window.
 */
bool nqd_cc_in_recovery(const struct nqd_cc *cc, u64 pn)
{
	return pn < cc->recovery_pn;
}

static void nqd_cc_reduce(struct nqd_cc *cc, u64 now, u64 next_pn, u64 prior_in_flight, bool ce)
{
	cc->recovery_prev = cc->recovery_pn;
	cc->recovery_pn = next_pn;
	cc->reductions++;
	cc->ops->on_congestion(cc, now, prior_in_flight, ce);
}

/**
 * nqd_cc_on_lost() - packets were lost
 * @cc: congestion control
 * @now: time, ns
 * @largest_lost: highest of their numbers
 * @packets: how many
 * @next_pn: packet number that will be sent next
 * @prior_in_flight: bytes in flight before
 */
void nqd_cc_on_lost(struct nqd_cc *cc, u64 now, u64 largest_lost, u32 packets, u64 next_pn,
		    u64 prior_in_flight)
{
	/* RFC 9002 section 7.3.2: one reduction a round trip. */
	if (nqd_cc_in_recovery(cc, largest_lost)) {
		cc->recovery_lost += packets;
		return;
	}
	cc->recovery_lost = packets;
	cc->recovery_undoable = true;
	nqd_cc_reduce(cc, now, next_pn, prior_in_flight, false);
}

/**
 * nqd_cc_on_ce() - RFC 9002 section 7.1: the path marked packets instead of dropping them
 * @cc: congestion control
 * @now: time, ns
 * @largest_acked: highest packet number newly acknowledged
 * @next_pn: packet number that will be sent next
 * @prior_in_flight: bytes in flight before
 */
void nqd_cc_on_ce(struct nqd_cc *cc, u64 now, u64 largest_acked, u64 next_pn, u64 prior_in_flight)
{
	cc->recovery_undoable = false;
	if (!nqd_cc_in_recovery(cc, largest_acked))
		nqd_cc_reduce(cc, now, next_pn, prior_in_flight, true);
}

/**
 * nqd_cc_on_persistent() - RFC 9002 section 7.6: persistent congestion
 * @cc: congestion control
 * @now: time, ns
 */
void nqd_cc_on_persistent(struct nqd_cc *cc, u64 now)
{
	cc->persistent++;
	cc->recovery_undoable = false;
	cc->cwnd = nqd_cc_min_window(cc);
	/* RFC 9002 appendix B.8: what is acknowledged next grows the window again. */
	cc->recovery_pn = 0;
	cc->ops->on_persistent(cc, now);
}

/**
 * nqd_cc_on_spurious() - packets declared lost were acknowledged after all
 * @cc: congestion control
 * @now: time, ns
 * @smallest: lowest of their numbers
 * @packets: how many
 *
 * RFC 9438 section 4.9: when nothing that led to the last reduction was lost, it is taken back.
 */
void nqd_cc_on_spurious(struct nqd_cc *cc, u64 now, u64 smallest, u32 packets)
{
	/* Those of an earlier reduction do not say anything about this one. */
	if (!cc->recovery_undoable || smallest < cc->recovery_prev)
		return;
	cc->recovery_lost -= min_t(u64, cc->recovery_lost, packets);
	if (cc->recovery_lost)
		return;
	cc->recovery_undoable = false;
	cc->undone++;
	cc->recovery_pn = cc->recovery_prev;
	if (cc->ops->on_undo)
		cc->ops->on_undo(cc, now);
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * When to acknowledge, and with what (RFC 9000 section 13.2).
 *
 * A tunnel receives little but DATAGRAM frames, so ACK frames are most of what a receiver sends:
 * fewer of them are better, as long as the peer's RTT samples, loss detection and pacing do not
 * suffer.
 */
#ifndef _NQD_PROTO_ACK_H
#define _NQD_PROTO_ACK_H

#include "math.h"
#include "received.h"

/* RFC 9000 section 18.2: max_ack_delay of this and more is invalid. */
#define NQD_MAX_ACK_DELAY_LIMIT ((1ULL << 14) * NSEC_PER_MSEC)

/* While the peer is likely to be in slow start its window grows with every ACK. */
#define NQD_ACK_YOUNG_PACKETS 100
/*
 * A shorter round trip than this counts as this: loss detection and pacing are not exact to less than a
 * millisecond (RFC 9002 section 6.1.2), and an ACK may wait as long (RFC 9221 section 5.2, within
 * max_ack_delay), so more than one in a millisecond serves nobody.
 */
#define NQD_ACK_ROUND_MIN (8 * (u64)NSEC_PER_MSEC)

/**
 * struct nqd_ack_policy - what is still to be acknowledged, and when
 * @max_ack_delay: transport parameter that this end sent, ns
 * @ack_delay_exponent: transport parameter that this end sent, 0 to 20
 * @immediate: the next ACK must not wait
 * @largest_eliciting: largest ack-eliciting packet number received, or NQD_PN_NONE
 * @unacked: ack-eliciting packets received since the last ACK
 * @threshold: acknowledge when @unacked reaches this
 * @deadline: acknowledge at this time at the latest, or NQD_TIME_NEVER
 * @round_start: when the present count of @round_packets began
 * @round_packets: ack-eliciting packets received since then
 * @seen: ack-eliciting packets received at all; stops at NQD_ACK_YOUNG_PACKETS
 * @reported_ranges: ranges in the last ACK frame built
 * @elicited: when an ACK of our ACK was last asked for
 */
struct nqd_ack_policy {
	u64 max_ack_delay;
	u8 ack_delay_exponent;
	bool immediate;
	u64 largest_eliciting;
	u32 unacked;
	u32 threshold;
	u64 deadline;
	u64 round_start;
	u32 round_packets;
	u32 seen;
	u32 reported_ranges;
	u64 elicited;
};

int nqd_ack_init(struct nqd_ack_policy *a, u64 max_ack_delay, u8 ack_delay_exponent, u64 now);
bool nqd_ack_hasten(struct nqd_ack_policy *a, u64 until);
void nqd_ack_import(struct nqd_ack_policy *a, const struct nqd_received *r, bool pending, u64 now);
void nqd_ack_adapt(struct nqd_ack_policy *a, u64 now, u64 srtt);
u64 nqd_ack_delay(const struct nqd_ack_policy *a, u64 srtt);
void nqd_ack_out_of_order(struct nqd_ack_policy *a, const struct nqd_received *r, u64 pn);
int nqd_ack_build(struct nqd_ack_policy *a, const struct nqd_received *r, u64 now, u8 *buf,
		  size_t room, u64 *largest_reported);
bool nqd_ack_wants_ping(struct nqd_ack_policy *a, u64 now, u64 srtt);

/**
 * nqd_ack_pending() - is there something to acknowledge?
 * @a: policy
 *
 * Return: true if the next packet should carry an ACK frame (RFC 9000 section 13.2.1).
 */
static inline bool nqd_ack_pending(const struct nqd_ack_policy *a)
{
	return a->unacked > 0;
}

/**
 * nqd_ack_due() - must an ACK frame be sent now, in a packet of its own if need be?
 * @a: policy
 * @now: current time
 *
 * Return: true if so.
 */
static inline bool nqd_ack_due(const struct nqd_ack_policy *a, u64 now)
{
	return a->unacked &&
	       (a->immediate || a->unacked >= a->threshold || now >= a->deadline);
}

/**
 * nqd_ack_deadline() - when does nqd_ack_due() become true by itself?
 * @a: policy
 *
 * Return: a time, possibly past, or NQD_TIME_NEVER where nothing is to be acknowledged.
 */
static inline u64 nqd_ack_deadline(const struct nqd_ack_policy *a)
{
	return a->deadline;
}

/**
 * nqd_ack_sent() - an ACK frame is on its way
 * @a: policy
 */
static inline void nqd_ack_sent(struct nqd_ack_policy *a)
{
	a->unacked = 0;
	a->immediate = false;
	a->deadline = NQD_TIME_NEVER;
}

/**
 * nqd_ack_on_packet() - a packet has been received
 * @a: policy
 * @r: packets received, this one already among them
 * @now: when it arrived
 * @pn: its number
 * @ack_eliciting: it holds an ack-eliciting frame
 * @ecn_ce: it was marked CE
 * @srtt: smoothed RTT, ns; before the first sample the initial one (RFC 9002 section 6.2.2): as on a long
 *	path ACK frames then leave every 64 packets or after max_ack_delay. 0: after max_ack_delay
 */
static inline void nqd_ack_on_packet(struct nqd_ack_policy *a, const struct nqd_received *r, u64 now,
				     u64 pn, bool ack_eliciting, bool ecn_ce, u64 srtt)
{
	/* RFC 9000 section 13.2.1: other packets are acknowledged along with these. */
	if (!ack_eliciting)
		return;

	/* Young, or the round is over. */
	if (unlikely(a->seen < NQD_ACK_YOUNG_PACKETS ||
		     nqd_sub_sat(now, a->round_start) >= max(srtt, NQD_ACK_ROUND_MIN)))
		nqd_ack_adapt(a, now, srtt);
	else
		a->round_packets++;
	if (a->unacked++ == 0)
		a->deadline = nqd_add_sat(now, nqd_ack_delay(a, srtt));
	if (likely(pn == a->largest_eliciting + 1))
		a->largest_eliciting = pn;
	else
		nqd_ack_out_of_order(a, r, pn);
	/* RFC 9000 section 13.2.1. */
	if (unlikely(ecn_ce))
		a->immediate = true;
}

#endif

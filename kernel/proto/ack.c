// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* When to acknowledge, and with what. */
#include "ack.h"
#include "frame.h"
#include "math.h"

/* RFC 9000 section 13.2.2: an ACK for every second packet, until there is more to go by. */
#define NQD_ACK_THRESHOLD_MIN 2
#define NQD_ACK_THRESHOLD_MAX 64
/* Later: 2^3 ACKs a round trip keep its loss detection and pacing going. */
#define NQD_ACK_PER_ROUND_SHIFT 3
/* A waiting ACK leaves after a quarter of a round trip, and no earlier than this. */
#define NQD_ACK_DELAY_SHIFT 2
#define NQD_ACK_DELAY_MIN ((u64)NSEC_PER_MSEC)
/* Ranges in an ACK frame from which on it pays to have the older ones acknowledged. */
#define NQD_ACK_PING_RANGES 4

/**
 * nqd_ack_init() - nothing to acknowledge
 * @a: to initialise
 * @max_ack_delay: transport parameter that this end sent, ns, below 2^14 ms
 * @ack_delay_exponent: transport parameter that this end sent, 0 to 20
 * @now: current time
 *
 * Return: 0, or -EINVAL for a parameter out of range.
 */
int nqd_ack_init(struct nqd_ack_policy *a, u64 max_ack_delay, u8 ack_delay_exponent, u64 now)
{
	if (max_ack_delay >= NQD_MAX_ACK_DELAY_LIMIT ||
	    ack_delay_exponent > NQD_FRAME_ACK_DELAY_EXPONENT_MAX)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	a->max_ack_delay = max_ack_delay;
	a->ack_delay_exponent = ack_delay_exponent;
	a->largest_eliciting = NQD_PN_NONE;
	a->threshold = NQD_ACK_THRESHOLD_MIN;
	a->deadline = NQD_TIME_NEVER;
	a->round_start = now;
	a->elicited = now;
	return 0;
}

/**
 * nqd_ack_import() - go on where another implementation of this connection stopped
 * @a: policy, just initialised
 * @r: packets received until then
 * @pending: some of them have not been acknowledged yet
 * @now: current time
 */
void nqd_ack_import(struct nqd_ack_policy *a, const struct nqd_received *r, bool pending, u64 now)
{
	a->largest_eliciting = r->largest;
	if (!pending || r->largest == NQD_PN_NONE)
		return;
	a->unacked = 1;
	a->immediate = true;
	a->deadline = now;
}

/**
 * nqd_ack_adapt() - adapt the threshold to the number of packets in a round trip
 * @a: policy
 * @now: when another one arrived
 * @srtt: smoothed RTT, ns
 */
void nqd_ack_adapt(struct nqd_ack_policy *a, u64 now, u64 srtt)
{
	u64 elapsed = nqd_sub_sat(now, a->round_start);
	u64 round = max(srtt, NQD_ACK_ROUND_MIN);
	u32 packets = a->round_packets;

	a->round_packets++;
	if (a->seen < NQD_ACK_YOUNG_PACKETS) {
		a->seen++;
		return;
	}
	if (elapsed < round)
		return;
	/* A round that took longer, because nothing came to end it, counts as what one held. */
	while (packets && elapsed >> 1 >= round) {
		packets >>= 1;
		elapsed >>= 1;
	}
	a->threshold = clamp_t(u32, packets >> NQD_ACK_PER_ROUND_SHIFT, NQD_ACK_THRESHOLD_MIN,
			       NQD_ACK_THRESHOLD_MAX);
	a->round_start = now;
	a->round_packets = 1;
}

/**
 * nqd_ack_delay() - how long an ACK may wait
 * @a: policy
 * @srtt: smoothed RTT, ns; 0: not known
 *
 * Return: ns.
 */
u64 nqd_ack_delay(const struct nqd_ack_policy *a, u64 srtt)
{
	u64 delay = max(srtt >> NQD_ACK_DELAY_SHIFT, NQD_ACK_DELAY_MIN);

	/* RFC 9000 section 13.2.1: within max_ack_delay, always. */
	return srtt ? min(delay, a->max_ack_delay) : a->max_ack_delay;
}

/**
 * nqd_ack_out_of_order() - an ack-eliciting packet did not follow the one before
 * @a: policy
 * @r: packets received, this one already among them
 * @pn: its number
 *
 * RFC 9000 section 13.2.1: an ACK at once if the packet was overtaken by an ack-eliciting one, or if there
 * are missing packets between that and this.
 */
void nqd_ack_out_of_order(struct nqd_ack_policy *a, const struct nqd_received *r, u64 pn)
{
	u64 after = a->largest_eliciting == NQD_PN_NONE ? 0 : a->largest_eliciting + 1;

	if (pn < after) {
		a->immediate = true;
		return;
	}
	if (pn > after && !nqd_received_all(r, after, pn - 1))
		a->immediate = true;
	a->largest_eliciting = pn;
}

/**
 * nqd_ack_build() - write an ACK frame
 * @a: policy
 * @r: packets received
 * @now: current time
 * @buf: where to
 * @room: bytes there; where it does not suffice the oldest ranges are left out
 * @largest_reported: Largest Acknowledged of the frame
 *
 * Call nqd_ack_sent() once the packet that carries it is certain to leave.
 *
 * Return: bytes written; 0 where nothing has been received; -ENOSPC where not even one range fits.
 */
int nqd_ack_build(struct nqd_ack_policy *a, const struct nqd_received *r, u64 now, u8 *buf,
		  size_t room, u64 *largest_reported)
{
	struct nqd_pn_range ranges[NQD_RECEIVED_RANGES];
	bool ecn = r->ecn.ect0 || r->ecn.ect1 || r->ecn.ce;
	u32 count = nqd_received_ranges(r, ranges, ARRAY_SIZE(ranges));
	u64 delay;
	int len;

	if (count == 0)
		return 0;
	/* RFC 9000 section 13.2.5: since the largest one arrived; in the unit of section 19.3. */
	delay = nqd_ns_to_us(nqd_sub_sat(now, r->largest_time)) >> a->ack_delay_exponent;
	len = nqd_frame_put_ack(buf, room, ranges, count, min(delay, NQD_PN_MAX),
				ecn ? &r->ecn : NULL);
	if (len < 0)
		return len;
	a->reported_ranges = count;
	*largest_reported = r->largest;
	return len;
}

/**
 * nqd_ack_wants_ping() - RFC 9000 section 13.2.4: should the packet with the ACK elicit one itself?
 * @a: policy
 * @now: current time
 * @srtt: smoothed RTT, ns
 *
 * An end that sends little but ACK frames learns of their arrival, and can leave out older ranges,
 * only if it adds an ack-eliciting frame now and then.
 *
 * Return: true at most once a round trip; the caller then adds PING.
 */
bool nqd_ack_wants_ping(struct nqd_ack_policy *a, u64 now, u64 srtt)
{
	if (a->reported_ranges < NQD_ACK_PING_RANGES || now < nqd_add_sat(a->elicited, srtt))
		return false;
	a->elicited = now;
	return true;
}

/**
 * nqd_ack_hasten() - an ACK that would be due soon leaves now
 * @a: policy
 * @until: what is soon
 *
 * For homes that send the ACKs of many connections together.
 *
 * Return: true if there is one, due from now on.
 */
bool nqd_ack_hasten(struct nqd_ack_policy *a, u64 until)
{
	if (!a->unacked || a->deadline > until)
		return false;
	a->immediate = true;
	return true;
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Loss detection and the probe timeout: RFC 9002 section 6; persistent congestion: section 7.6. */
#include "loss.h"
#include "math.h"

/**
 * nqd_loss_init() - nothing lost yet
 * @l: state
 */
void nqd_loss_init(struct nqd_loss *l)
{
	memset(l, 0, sizeof(*l));
	l->packet_threshold = NQD_LOSS_PACKET_THRESHOLD;
	l->time_threshold = NQD_LOSS_TIME_THRESHOLD;
	l->loss_time = NQD_TIME_NEVER;
	l->run_first = NQD_TIME_NEVER;
}

/* RFC 9002 section 6.1.2: time after which a packet before an acknowledged one is lost. */
static u64 nqd_loss_delay(const struct nqd_loss *l, const struct nqd_rtt *rtt)
{
	u64 delay = nqd_mul_shr(max(rtt->smoothed, rtt->latest), l->time_threshold, 3);

	return max_t(u64, delay, NQD_RTT_GRANULARITY);
}

/* RFC 9002 section 7.6.1: how long a run of lost packets establishes persistent congestion. */
static u64 nqd_loss_persistent_duration(const struct nqd_rtt *rtt)
{
	return nqd_rtt_pto(rtt) * NQD_LOSS_PERSISTENT_THRESHOLD;
}

/*
 * RFC 9002 section 7.6.2: two ack-eliciting packets are lost, none between them is acknowledged, both
 * were sent after the first RTT sample, and the time between them is long.
 */
static void nqd_loss_extend_run(struct nqd_loss *l, const struct nqd_sent_packet *p,
				const struct nqd_rtt *rtt, struct nqd_loss_result *res)
{
	if (!(p->flags & NQD_SENT_ACK_ELICITING) || !nqd_rtt_sampled(rtt) ||
	    p->time_sent < rtt->first_sample)
		return;
	if (l->run_first == NQD_TIME_NEVER)
		l->run_first = p->time_sent;
	else if (p->time_sent - l->run_first >= nqd_loss_persistent_duration(rtt))
		res->persistent = true;
}

/**
 * nqd_loss_detect() - RFC 9002 section 6.1, appendix A.10: declare packets lost
 * @l: state
 * @s: ring; its largest_acked counts
 * @rtt: round trip
 * @now: time, ns
 * @sink: told about lost packets with NQD_SENT_TOLD; may be NULL
 * @res: filled
 *
 * Both thresholds grow with age, so the first packet that is not lost ends the search, and each entry is
 * passed once.
 */
void nqd_loss_detect(struct nqd_loss *l, struct nqd_sent *s, const struct nqd_rtt *rtt, u64 now,
		     const struct nqd_sent_sink *sink, struct nqd_loss_result *res)
{
	u64 delay = nqd_loss_delay(l, rtt);

	memset(res, 0, sizeof(*res));
	l->loss_time = NQD_TIME_NEVER;
	if (s->largest_acked == NQD_PN_NONE)
		return;
	for (; s->oldest <= s->largest_acked; s->oldest++) {
		struct nqd_sent_packet *p = &s->ring[(u32)s->oldest & s->mask];
		u32 flags = p->flags;

		if (likely((flags & NQD_SENT_STATE_MASK) == NQD_SENT_ACKED)) {
			l->run_first = NQD_TIME_NEVER;
			continue;
		}
		if ((flags & NQD_SENT_STATE_MASK) != NQD_SENT_OUTSTANDING)
			continue;
		if (s->largest_acked - s->oldest < l->packet_threshold &&
		    now < nqd_add_sat(p->time_sent, delay)) {
			l->loss_time = p->time_sent + delay;
			break;
		}
		if (!nqd_sent_set_lost(s, p))
			continue;
		nqd_loss_extend_run(l, p, rtt, res);
		res->packets++;
		res->bytes += p->size;
		res->flags |= flags & ~NQD_SENT_STATE_MASK;
		if (flags & NQD_SENT_DATAGRAM)
			res->datagrams++;
		if (flags & NQD_SENT_ECT0)
			res->ect0++;
		/* RFC 9000 section 14.4: the loss of a probe of the MTU is no sign of congestion. */
		if (!(flags & NQD_SENT_PMTU_PROBE)) {
			res->congestion_packets++;
			res->congestion_largest = s->oldest;
		}
		if ((flags & NQD_SENT_TOLD) && sink)
			sink->lost(sink->ctx, s->oldest, p);
	}
}

/* RFC 9002 section 6.1: thresholds adapt to reordering seen; after a while without, they return. */
static void nqd_loss_adapt(struct nqd_loss *l, const struct nqd_sent *s, const struct nqd_sent_acked *a,
			   u64 prior_largest_acked)
{
	if (a->spurious) {
		/* How far the packet fell behind those that overtook it. */
		u64 extent = nqd_sub_sat(prior_largest_acked, a->spurious_smallest) + 1;

		if (extent > l->packet_threshold)
			l->packet_threshold = (u32)min_t(u64, extent, NQD_LOSS_PACKET_THRESHOLD_MAX);
		else if (l->time_threshold < NQD_LOSS_TIME_THRESHOLD_MAX)
			l->time_threshold++; /* fewer packets overtook it: time was the reason */
		l->reorder_quiet = 0;
		l->reorder_pn = s->next_pn;
		return;
	}
	if (a->largest < l->reorder_pn)
		return;
	l->reorder_pn = s->next_pn;
	if (l->packet_threshold == NQD_LOSS_PACKET_THRESHOLD &&
	    l->time_threshold == NQD_LOSS_TIME_THRESHOLD)
		return;
	if (++l->reorder_quiet < NQD_LOSS_REORDER_PERSIST)
		return;
	l->reorder_quiet = 0;
	l->packet_threshold = max_t(u32, l->packet_threshold / 2, NQD_LOSS_PACKET_THRESHOLD);
	if (l->time_threshold > NQD_LOSS_TIME_THRESHOLD)
		l->time_threshold--;
}

/**
 * nqd_loss_on_acked() - packets were acknowledged
 * @l: state
 * @s: ring
 * @a: which, not none
 * @prior_largest_acked: largest acknowledged before, or NQD_PN_NONE
 */
void nqd_loss_on_acked(struct nqd_loss *l, const struct nqd_sent *s, const struct nqd_sent_acked *a,
		       u64 prior_largest_acked)
{
	/* RFC 9002 section 6.2.1: the backoff is reset. */
	l->pto_count = 0;
	nqd_loss_adapt(l, s, a, prior_largest_acked);
}

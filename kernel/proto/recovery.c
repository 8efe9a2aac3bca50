// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* Recovery of one connection, put together: RFC 9002 appendix A and B. */
#include "recovery.h"
#include "frame.h"
#include "math.h"

/* RFC 9002 section 6.2.4: probes that a PTO sends at most. */
#define NQD_RECOVERY_PROBES 2

static void nqd_recovery_set_pace(struct nqd_recovery *r, u64 now)
{
	nqd_pacer_set(&r->pacer, now, r->cc.pacing_rate, r->cc.mss);
}

/**
 * nqd_recovery_init() - nothing in flight
 * @r: recovery
 * @cfg: what to begin with
 * @now: time, ns
 *
 * Return: 0; -EINVAL: a value out of range; -EPERM: NQD_CONGESTION_FIXED_RATE_TEST without lab mode.
 */
int nqd_recovery_init(struct nqd_recovery *r, const struct nqd_recovery_config *cfg, u64 now)
{
	int err;

	memset(r, 0, sizeof(*r));
	if (cfg->max_datagram_size < NQD_MIN_DATAGRAM_SIZE || cfg->max_datagram_size > 65527)
		return -EINVAL;
	err = nqd_sent_init(&r->sent, cfg->ring, cfg->ring_entries, cfg->next_pn, cfg->largest_acked);
	if (err)
		return err;
	nqd_rtt_init(&r->rtt, cfg->rtt_initial, cfg->max_ack_delay);
	nqd_rtt_import(&r->rtt, cfg->rtt_latest, cfg->rtt_min, cfg->rtt_smoothed, cfg->rtt_var, now);
	nqd_loss_init(&r->loss);
	nqd_delivery_init(&r->delivery, now);
	nqd_ecn_validate_init(&r->ecn, cfg->ecn);
	nqd_ecn_validate_import(&r->ecn, &cfg->ecn_reported, cfg->ecn_marked);
	nqd_pacer_init(&r->pacer, now);
	err = nqd_cc_init(&r->cc, cfg->congestion, cfg->max_datagram_size, cfg->initial_window,
			  cfg->fixed_rate, cfg->lab_mode, cfg->next_pn, r->rtt.smoothed, now);
	if (err)
		return err;
	nqd_recovery_set_pace(r, now);
	return 0;
}

/**
 * nqd_recovery_set_mtu() - full packets have another size now
 * @r: recovery
 * @max_datagram_size: bytes of UDP payload
 */
void nqd_recovery_set_mtu(struct nqd_recovery *r, u32 max_datagram_size)
{
	nqd_cc_set_mss(&r->cc, max_datagram_size);
}

/**
 * nqd_recovery_set_congestion() - another congestion controller takes over
 * @r: recovery
 * @cc: initialised by nqd_cc_init()
 * @now: time, ns
 *
 * Its pace counts from now on, not only from the next acknowledgement.
 */
void nqd_recovery_set_congestion(struct nqd_recovery *r, const struct nqd_cc *cc, u64 now)
{
	r->cc = *cc;
	nqd_recovery_set_pace(r, now);
}

/**
 * nqd_recovery_budget() - how many equal packets that count in flight may leave now?
 * @r: recovery
 * @now: time, ns
 * @size: bytes of UDP payload of each, not 0
 * @max_packets: more are not asked for
 *
 * Return: 0 to @max_packets; of 0 nqd_recovery_can_send() tells the reason.
 */
u32 nqd_recovery_budget(struct nqd_recovery *r, u64 now, u32 size, u32 max_packets)
{
	u64 room = nqd_sub_sat(r->cc.cwnd, r->sent.bytes_in_flight);
	u32 n = min(max_packets, nqd_sent_room(&r->sent));

	if ((u64)n * size > room) {
		n = (u32)nqd_div(room, size);
		r->app_limited = false;
	}
	return n ? nqd_pacer_budget(&r->pacer, now, size, n) : 0;
}

/**
 * nqd_recovery_departure() - when the pacer lets the next packet leave
 * @r: recovery
 * @now: time, ns
 *
 * Changes nothing: nqd_recovery_sent() takes the time from the pacer.
 *
 * Return: @now or later, ns. Probes do not wait for it.
 */
u64 nqd_recovery_departure(const struct nqd_recovery *r, u64 now)
{
	return nqd_pacer_when(&r->pacer, now);
}

/**
 * nqd_recovery_cancel() - a packet got a number but never left: sealing or sending failed
 * @r: recovery
 * @pn: its number
 *
 * Return: 0, -ENOENT if it is not outstanding.
 */
int nqd_recovery_cancel(struct nqd_recovery *r, u64 pn)
{
	return nqd_sent_cancel(&r->sent, pn);
}

/* RFC 9002 section 7.8: was the window not used up, for want of data? */
static bool nqd_recovery_underutilized(const struct nqd_recovery *r, u64 prior_in_flight)
{
	/* Some packets below the window is used up. */
	if (prior_in_flight + 3 * r->cc.mss >= r->cc.cwnd)
		return false;
	/*
	 * The pacer lets more than a window out in a round trip, so a sender that always has data fills
	 * at least half of it, also while it doubles: below that there is not enough data, whatever the
	 * last packet had to wait for.
	 */
	if (prior_in_flight * 2 < r->cc.cwnd)
		return true;
	return r->app_limited && r->cc.cwnd >= r->cc.ssthresh;
}

/* RFC 9002 appendix B.8: packets were lost. */
static void nqd_recovery_on_lost(struct nqd_recovery *r, u64 now, u64 prior_in_flight,
				 struct nqd_recovery_result *res)
{
	const struct nqd_loss_result *lost = &res->lost;
	u64 reductions = r->cc.reductions;

	if (!lost->packets)
		return;
	r->lost_bytes += lost->bytes;
	r->lost_datagrams += lost->datagrams;
	if (lost->ect0)
		nqd_ecn_validate_on_lost(&r->ecn, lost->ect0);
	if (lost->congestion_packets)
		nqd_cc_on_lost(&r->cc, now, lost->congestion_largest, lost->congestion_packets,
			       r->sent.next_pn, prior_in_flight);
	/* RFC 9002 section 7.6.2: one probe that comes through may begin anew. */
	if (lost->persistent) {
		nqd_cc_on_persistent(&r->cc, now);
		r->loss.run_first = NQD_TIME_NEVER;
	}
	res->reduced |= r->cc.reductions != reductions;
}

static int nqd_recovery_walk(struct nqd_recovery *r, const struct nqd_recovery_ack *ack,
			     const struct nqd_sent_sink *sink, struct nqd_sent_acked *acked)
{
	u64 smallest, largest;

	nqd_sent_ack_begin(acked);
	/* RFC 9000 section 13.1: acknowledging what was not sent is a PROTOCOL_VIOLATION. */
	if (unlikely(ack->largest >= r->sent.next_pn))
		return -EPROTO;
	while (nqd_frame_ack_next(ack->ranges, &smallest, &largest)) {
		int err = nqd_sent_ack_range(&r->sent, smallest, largest, acked, sink);

		if (unlikely(err))
			return err;
	}
	return 0;
}

/* RFC 9002 section 5.1: the largest acknowledged must be new, and one of the new ones ack-eliciting. */
static void nqd_recovery_sample_rtt(struct nqd_recovery *r, const struct nqd_recovery_ack *ack, u64 now,
				    struct nqd_recovery_result *res)
{
	const struct nqd_sent_acked *acked = &res->acked;

	if (acked->largest != ack->largest || !(acked->flags & NQD_SENT_ACK_ELICITING))
		return;
	nqd_rtt_sample(&r->rtt, max_t(u64, nqd_sub_sat(now, acked->newest.time_sent), 1), ack->delay, now);
	res->rtt_sampled = true;
}

/**
 * nqd_recovery_on_ack() - RFC 9002 appendix A.7: an ACK frame came
 * @r: recovery
 * @ack: the frame
 * @now: time, ns
 * @sink: told about packets with NQD_SENT_TOLD; may be NULL
 * @res: filled
 *
 * Return: 0; -EPROTO: it acknowledges a packet that was never sent (RFC 9000 section 13.1), close the
 * connection with PROTOCOL_VIOLATION.
 */
int nqd_recovery_on_ack(struct nqd_recovery *r, const struct nqd_recovery_ack *ack, u64 now,
			const struct nqd_sent_sink *sink, struct nqd_recovery_result *res)
{
	u64 prior_in_flight = r->sent.bytes_in_flight;
	u64 prior_largest = r->sent.largest_acked;
	bool advanced = prior_largest == NQD_PN_NONE || ack->largest > prior_largest;
	struct nqd_cc_ack cca;
	u64 ce;
	int err;

	res->probes = 0;
	res->rtt_sampled = false;
	res->reduced = false;
	err = nqd_recovery_walk(r, ack, sink, &res->acked);
	if (unlikely(err || !res->acked.packets))
		memset(&res->lost, 0, sizeof(res->lost));
	if (unlikely(err))
		return err;
	if (advanced)
		r->sent.largest_acked = ack->largest;
	if (!res->acked.packets)
		return 0;
	r->acked_bytes += res->acked.bytes;
	nqd_recovery_sample_rtt(r, ack, now, res);
	nqd_delivery_on_ack(&r->delivery, &res->acked, r->rtt.min, now, &cca.sample);
	nqd_loss_on_acked(&r->loss, &r->sent, &res->acked, prior_largest);
	if (res->acked.spurious)
		nqd_cc_on_spurious(&r->cc, now, res->acked.spurious_smallest, res->acked.spurious);

	ce = nqd_ecn_validate_on_ack(&r->ecn, ack->has_ecn ? &ack->ecn : NULL, res->acked.ect0, advanced);
	if (ce) {
		u64 reductions = r->cc.reductions;

		r->ce_events++;
		nqd_cc_on_ce(&r->cc, now, res->acked.largest, r->sent.next_pn, prior_in_flight);
		res->reduced = r->cc.reductions != reductions;
	}
	nqd_loss_detect(&r->loss, &r->sent, &r->rtt, now, sink, &res->lost);
	nqd_recovery_on_lost(r, now, prior_in_flight, res);

	cca.now = now;
	cca.acked_bytes = res->acked.in_flight_bytes;
	cca.acked_packets = res->acked.packets;
	cca.largest_acked = res->acked.largest;
	cca.next_pn = r->sent.next_pn;
	cca.rtt = r->rtt.smoothed;
	cca.rtt_latest = res->rtt_sampled ? r->rtt.latest : 0;
	cca.rtt_adjusted = res->rtt_sampled ? r->rtt.adjusted : 0;
	cca.prior_in_flight = prior_in_flight;
	cca.in_flight = r->sent.bytes_in_flight;
	cca.lost_bytes = res->lost.bytes;
	cca.lost_packets = res->lost.congestion_packets;
	cca.underutilized = nqd_recovery_underutilized(r, prior_in_flight);
	cca.delivered = r->delivery.delivered;
	r->cc.ops->on_ack(&r->cc, &cca);
	nqd_recovery_set_pace(r, now);
	return 0;
}

/**
 * nqd_recovery_on_timeout() - RFC 9002 appendix A.9: the timer fired
 * @r: recovery
 * @now: time, ns
 * @sink: told about lost packets with NQD_SENT_TOLD; may be NULL
 * @res: filled: lost packets, or the number of probes to send now
 */
void nqd_recovery_on_timeout(struct nqd_recovery *r, u64 now, const struct nqd_sent_sink *sink,
			     struct nqd_recovery_result *res)
{
	memset(res, 0, sizeof(*res));
	nqd_sent_ack_begin(&res->acked);
	if (now < nqd_recovery_deadline(r))
		return;
	if (r->loss.loss_time != NQD_TIME_NEVER) {
		u64 prior_in_flight = r->sent.bytes_in_flight;

		nqd_loss_detect(&r->loss, &r->sent, &r->rtt, now, sink, &res->lost);
		nqd_recovery_on_lost(r, now, prior_in_flight, res);
		nqd_recovery_set_pace(r, now);
		return;
	}
	/* RFC 9002 section 6.2.4: one or two probes; packets in flight are not lost by a PTO. */
	r->loss.pto_count++;
	r->loss.ptos++;
	res->probes = r->sent.eliciting > 1 ? NQD_RECOVERY_PROBES : 1;
}

/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Recovery of one connection: the sent ring, RTT, loss detection, ECN, congestion control and pacer,
 * put together. RFC 9002 appendix A and B are the map.
 */
#ifndef _NQD_PROTO_RECOVERY_H
#define _NQD_PROTO_RECOVERY_H

#include "cc.h"
#include "delivery.h"
#include "ecn_validate.h"
#include "loss.h"
#include "pacer.h"
#include "rtt.h"
#include "sent.h"

struct nqd_ack_iter; /* frame.h */

/**
 * struct nqd_recovery_config - what recovery begins with
 * @congestion: algorithm
 * @lab_mode: NQD_CONGESTION_FIXED_RATE_TEST is allowed
 * @fixed_rate: NQD_CONGESTION_FIXED_RATE_TEST: bytes a second
 * @max_datagram_size: bytes of UDP payload of a full packet, 1200 to 65527
 * @initial_window: bytes; 0: RFC 9002 section 7.2
 * @ring: memory of @ring_entries entries; recovery does not free it
 * @ring_entries: a power of two, NQD_SENT_RING_MIN to NQD_SENT_RING_MAX
 * @next_pn: first packet number to use
 * @largest_acked: largest of ours that the peer acknowledged, or NQD_PN_NONE
 * @max_ack_delay: the peer's transport parameter, ns
 * @rtt_smoothed: imported RTT state, ns; 0: none, @rtt_initial counts
 * @rtt_var: ns
 * @rtt_min: ns
 * @rtt_latest: ns
 * @rtt_initial: estimate without samples, ns; 0: NQD_RTT_INITIAL
 * @ecn: mark packets if the path carries marks
 * @ecn_reported: the peer's counts of our marks so far
 * @ecn_marked: packets that we sent with ECT(0) so far
 */
struct nqd_recovery_config {
	enum nqd_congestion congestion;
	bool lab_mode;
	u64 fixed_rate;
	u32 max_datagram_size;
	u64 initial_window;
	struct nqd_sent_packet *ring;
	u32 ring_entries;
	u64 next_pn;
	u64 largest_acked;
	u64 max_ack_delay;
	u64 rtt_smoothed;
	u64 rtt_var;
	u64 rtt_min;
	u64 rtt_latest;
	u64 rtt_initial;
	bool ecn;
	struct nqd_ecn_counts ecn_reported;
	u64 ecn_marked;
};

/**
 * struct nqd_recovery - recovery state of one connection
 * @rtt: round trip
 * @sent: packets in flight
 * @loss: loss detection
 * @delivery: delivery rate
 * @ecn: whether and how packets are marked
 * @cc: congestion window
 * @pacer: when the next packet may leave
 * @app_limited: the window was not used up for want of data (RFC 9002 section 7.8)
 * @last_sent: when the last packet that counts in flight left; 0: none yet
 * @sent_bytes: bytes sent
 * @acked_bytes: bytes acknowledged
 * @lost_bytes: bytes declared lost
 * @lost_datagrams: packets with a DATAGRAM frame declared lost
 * @ce_events: ACK frames that reported new CE marks
 */
struct nqd_recovery {
	struct nqd_rtt rtt;
	struct nqd_sent sent;
	struct nqd_loss loss;
	struct nqd_delivery delivery;
	struct nqd_ecn_validate ecn;
	struct nqd_cc cc;
	struct nqd_pacer pacer;
	bool app_limited;
	u64 last_sent;
	u64 sent_bytes;
	u64 acked_bytes;
	u64 lost_bytes;
	u64 lost_datagrams;
	u64 ce_events;
};

/**
 * struct nqd_recovery_ack - an ACK frame, decoded and validated
 * @largest: Largest Acknowledged
 * @delay: ACK Delay, scaled by the peer's ack_delay_exponent, ns
 * @has_ecn: the frame is of type 0x03
 * @ecn: its counts
 * @ranges: its ranges, newest first; read to the end
 */
struct nqd_recovery_ack {
	u64 largest;
	u64 delay;
	bool has_ecn;
	struct nqd_ecn_counts ecn;
	struct nqd_ack_iter *ranges;
};

/**
 * struct nqd_recovery_result - what an ACK frame or a timeout changed
 * @acked: newly acknowledged; acked.packets is 0 where nothing was
 * @lost: newly lost
 * @probes: after a timeout: ack-eliciting packets to send now, past window and pacer
 * @rtt_sampled: there was an RTT sample
 * @reduced: the window was reduced
 */
struct nqd_recovery_result {
	struct nqd_sent_acked acked;
	struct nqd_loss_result lost;
	u32 probes;
	bool rtt_sampled;
	bool reduced;
};

/**
 * enum nqd_send_verdict - may a packet leave?
 * @NQD_SEND_OK: yes
 * @NQD_SEND_CWND: not before an ACK or a loss makes room in the window
 * @NQD_SEND_PACED: not before a certain time
 * @NQD_SEND_RING: not before the ring has grown (nqd_sent_want_grow()) or something was acknowledged
 */
enum nqd_send_verdict {
	NQD_SEND_OK,
	NQD_SEND_CWND,
	NQD_SEND_PACED,
	NQD_SEND_RING,
};

int nqd_recovery_init(struct nqd_recovery *r, const struct nqd_recovery_config *cfg, u64 now);
void nqd_recovery_set_congestion(struct nqd_recovery *r, const struct nqd_cc *cc, u64 now);
void nqd_recovery_set_mtu(struct nqd_recovery *r, u32 max_datagram_size);
u32 nqd_recovery_budget(struct nqd_recovery *r, u64 now, u32 size, u32 max_packets);
u64 nqd_recovery_departure(const struct nqd_recovery *r, u64 now);
int nqd_recovery_cancel(struct nqd_recovery *r, u64 pn);
int nqd_recovery_on_ack(struct nqd_recovery *r, const struct nqd_recovery_ack *ack, u64 now,
			const struct nqd_sent_sink *sink, struct nqd_recovery_result *res);
void nqd_recovery_on_timeout(struct nqd_recovery *r, u64 now, const struct nqd_sent_sink *sink,
			     struct nqd_recovery_result *res);

/**
 * nqd_recovery_deadline() - when nqd_recovery_on_timeout() is due
 * @r: recovery
 *
 * Return: ns, or NQD_TIME_NEVER.
 */
static inline u64 nqd_recovery_deadline(const struct nqd_recovery *r)
{
	return nqd_loss_deadline(&r->loss, &r->sent, &r->rtt);
}

/**
 * nqd_recovery_can_send() - may a packet that counts in flight leave?
 * @r: recovery
 * @now: time, ns
 * @size: bytes of UDP payload
 * @when: set with NQD_SEND_PACED: when it may, ns
 *
 * Not asked for packets with nothing but ACK frames, and for probes (RFC 9002 section 7.5). A home that
 * hands departure times to its network device may take NQD_SEND_PACED for a yes, and @when for the
 * packet's time in nqd_recovery_sent().
 *
 * Return: verdict.
 */
static inline enum nqd_send_verdict nqd_recovery_can_send(struct nqd_recovery *r, u64 now, u32 size,
							  u64 *when)
{
	if (unlikely(nqd_sent_full(&r->sent)))
		return NQD_SEND_RING;
	if (r->sent.bytes_in_flight + size > r->cc.cwnd) {
		r->app_limited = false;
		return NQD_SEND_CWND;
	}
	*when = nqd_pacer_when(&r->pacer, now);
	if (*when > now) {
		r->app_limited = false;
		return NQD_SEND_PACED;
	}
	return NQD_SEND_OK;
}

/**
 * nqd_recovery_sent() - a packet leaves
 * @r: recovery
 * @now: when: the time, or its nqd_recovery_departure(), ns
 * @size: bytes of UDP payload
 * @flags: NQD_SENT_* without a state; NQD_SENT_ECT0 if nqd_ecn_validate_mark() said so
 * @ack_reported: with NQD_SENT_ACK: the largest packet number that its ACK frame reports
 *
 * Return: its packet number, or NQD_PN_NONE if the ring is full.
 */
static inline u64 nqd_recovery_sent(struct nqd_recovery *r, u64 now, u16 size, u16 flags,
				    u64 ack_reported)
{
	struct nqd_sent_packet *p;
	u64 pn = r->sent.next_pn;

	/* Departure times never run backwards, else the oldest packet would not be the first to be lost. */
	now = max(now, r->last_sent);
	p = nqd_sent_add(&r->sent, now, size, flags, ack_reported);
	if (unlikely(!p))
		return NQD_PN_NONE;
	r->last_sent = now;
	r->sent_bytes += size;
	if (flags & NQD_SENT_ECT0)
		nqd_ecn_validate_on_sent(&r->ecn, now, nqd_rtt_pto(&r->rtt));
	nqd_delivery_on_sent(&r->delivery, p, r->sent.bytes_in_flight);
	if (flags & NQD_SENT_IN_FLIGHT)
		nqd_pacer_sent(&r->pacer, now, size);
	return pn;
}

/**
 * nqd_recovery_app_limited() - there is nothing left to send
 * @r: recovery
 *
 * To be called whenever the queue of the connection runs empty.
 */
static inline void nqd_recovery_app_limited(struct nqd_recovery *r)
{
	if (r->sent.bytes_in_flight + r->cc.mss > r->cc.cwnd)
		return; /* the window is used up all the same */
	r->app_limited = true;
	nqd_delivery_app_limited(&r->delivery, r->sent.bytes_in_flight);
}

#endif

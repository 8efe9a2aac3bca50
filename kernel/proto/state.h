/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Life of a session: HOLD, ACTIVE, CLOSING, DRAINING; idle timeout, keepalive, pace of closing packets
 * (RFC 9000 section 10).
 */
#ifndef _NQD_PROTO_STATE_H
#define _NQD_PROTO_STATE_H

#include "base.h"
#include "uapi/nexus_quic_dco.h"

/**
 * enum nqd_state_expiry - what nqd_state_on_timer() found
 * @NQD_STATE_EXPIRED_NONE: nothing
 * @NQD_STATE_EXPIRED_KEEPALIVE: a PING is wanted
 * @NQD_STATE_EXPIRED_IDLE: the peer is silent: the session is DRAINING from now on
 * @NQD_STATE_EXPIRED_DRAINED: CLOSING or DRAINING is over: the home may free the session
 */
enum nqd_state_expiry {
	NQD_STATE_EXPIRED_NONE,
	NQD_STATE_EXPIRED_KEEPALIVE,
	NQD_STATE_EXPIRED_IDLE,
	NQD_STATE_EXPIRED_DRAINED,
};

/**
 * struct nqd_state - state and its timers
 * @state: where the session is in its life
 * @idle_timeout: smaller of both ends' max_idle_timeout, ns; 0: none
 * @keepalive: silence before a PING is sent, ns; 0: none
 * @idle_from: start of the idle period
 * @keepalive_from: start of the silence
 * @end_at: end of CLOSING or DRAINING, NQD_TIME_NEVER before
 * @close_received: packets received while CLOSING
 * @close_next: @close_received that is answered next
 * @error_code: of our CONNECTION_CLOSE
 * @error_frame_type: frame type that caused it (RFC 9000 section 19.19), 0 if none did
 * @eliciting_sent: an ack-eliciting packet left since one was last received
 * @close_pending: a CONNECTION_CLOSE must be sent
 * @close_application: it is of type 0x1d
 */
struct nqd_state {
	enum nqd_session_state state;
	u64 idle_timeout;
	u64 keepalive;
	u64 idle_from;
	u64 keepalive_from;
	u64 end_at;
	u32 close_received;
	u32 close_next;
	u64 error_code;
	u64 error_frame_type;
	bool eliciting_sent;
	bool close_pending;
	bool close_application;
};

void nqd_state_init(struct nqd_state *s, u64 idle_timeout, u64 keepalive, u64 now);
int nqd_state_activate(struct nqd_state *s, u64 now);
bool nqd_state_close(struct nqd_state *s, u64 error_code, u64 error_frame_type, bool application,
		     u64 now, u64 pto);
void nqd_state_drain(struct nqd_state *s, u64 now, u64 pto);
void nqd_state_closing_received(struct nqd_state *s);
enum nqd_state_expiry nqd_state_on_timer(struct nqd_state *s, u64 now, u64 pto);

/**
 * nqd_state_received() - a packet was received and processed
 * @s: state
 * @now: time
 *
 * RFC 9000 section 10.1: that restarts the idle timer.
 */
static inline void nqd_state_received(struct nqd_state *s, u64 now)
{
	s->idle_from = now;
	s->keepalive_from = now;
	s->eliciting_sent = false;
}

/**
 * nqd_state_sent() - an ack-eliciting packet leaves
 * @s: state
 * @now: time
 *
 * RFC 9000 section 10.1: the first one since the last received packet restarts the idle timer.
 */
static inline void nqd_state_sent(struct nqd_state *s, u64 now)
{
	if (s->eliciting_sent)
		return;
	s->eliciting_sent = true;
	s->idle_from = now;
	s->keepalive_from = now;
}

/* RFC 9000 section 10.1: an idle timeout below three PTO would end sessions over one lost packet. */
static inline u64 nqd_state_idle_at(const struct nqd_state *s, u64 pto)
{
	if (!s->idle_timeout)
		return NQD_TIME_NEVER;
	return s->idle_from + max(s->idle_timeout, 3 * pto);
}

static inline u64 nqd_state_keepalive_at(const struct nqd_state *s)
{
	return s->keepalive ? s->keepalive_from + s->keepalive : NQD_TIME_NEVER;
}

/**
 * nqd_state_deadline() - when nqd_state_on_timer() has something to do
 * @s: state
 * @pto: current probe timeout without backoff, ns
 *
 * Return: a time, or NQD_TIME_NEVER.
 */
static inline u64 nqd_state_deadline(const struct nqd_state *s, u64 pto)
{
	if (s->state == NQD_SESSION_STATE_HOLD)
		return NQD_TIME_NEVER;
	if (s->state != NQD_SESSION_STATE_ACTIVE)
		return s->end_at;
	return min(nqd_state_idle_at(s, pto), nqd_state_keepalive_at(s));
}

#endif

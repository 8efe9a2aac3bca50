// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * Life of a session (RFC 9000 section 10).
 */
#include "state.h"

/* RFC 9000 section 10.2: closing and draining last three times the PTO. */
#define NQD_STATE_END_PTOS 3

/**
 * nqd_state_init() - begin in HOLD
 * @s: state
 * @idle_timeout: smaller of both ends' max_idle_timeout, ns; 0: none
 * @keepalive: silence before a PING, ns; 0: none
 * @now: time
 */
void nqd_state_init(struct nqd_state *s, u64 idle_timeout, u64 keepalive, u64 now)
{
	memset(s, 0, sizeof(*s));
	s->state = NQD_SESSION_STATE_HOLD;
	s->idle_timeout = idle_timeout;
	s->keepalive = keepalive;
	s->idle_from = now;
	s->keepalive_from = now;
	s->end_at = NQD_TIME_NEVER;
}

/**
 * nqd_state_activate() - go from HOLD to ACTIVE
 * @s: state
 * @now: time, from which idleness counts
 *
 * Return: 0, or -EALREADY in any other state.
 */
int nqd_state_activate(struct nqd_state *s, u64 now)
{
	if (s->state != NQD_SESSION_STATE_HOLD)
		return -EALREADY;
	s->state = NQD_SESSION_STATE_ACTIVE;
	s->idle_from = now;
	s->keepalive_from = now;
	return 0;
}

/**
 * nqd_state_close() - this end closes
 * @s: state
 * @error_code: transport or application error code
 * @error_frame_type: frame type that caused it, 0 if none did
 * @application: the code is the application's (frame type 0x1d)
 * @now: time
 * @pto: current probe timeout without backoff, ns
 *
 * Return: true if the session was open and is CLOSING now, with a CONNECTION_CLOSE to be sent.
 */
bool nqd_state_close(struct nqd_state *s, u64 error_code, u64 error_frame_type, bool application,
		     u64 now, u64 pto)
{
	if (s->state == NQD_SESSION_STATE_CLOSING || s->state == NQD_SESSION_STATE_DRAINING)
		return false;
	if (s->state == NQD_SESSION_STATE_HOLD) {
		/* Nothing may be sent yet, so there is nothing to wait for. */
		s->state = NQD_SESSION_STATE_DRAINING;
		s->end_at = now;
		return false;
	}
	s->state = NQD_SESSION_STATE_CLOSING;
	s->end_at = now + NQD_STATE_END_PTOS * pto;
	s->error_code = error_code;
	s->error_frame_type = error_frame_type;
	s->close_application = application;
	s->close_pending = true;
	s->close_next = 1;
	return true;
}

/**
 * nqd_state_drain() - the peer closed, or is gone: send nothing more
 * @s: state
 * @now: time
 * @pto: current probe timeout without backoff, ns
 *
 * RFC 9000 section 10.2.2: a session that was CLOSING keeps the end it had.
 */
void nqd_state_drain(struct nqd_state *s, u64 now, u64 pto)
{
	if (s->state == NQD_SESSION_STATE_DRAINING)
		return;
	if (s->state != NQD_SESSION_STATE_CLOSING)
		s->end_at = now + NQD_STATE_END_PTOS * pto;
	s->state = NQD_SESSION_STATE_DRAINING;
	s->close_pending = false;
}

/**
 * nqd_state_closing_received() - an authentic packet came in while CLOSING
 * @s: state
 *
 * RFC 9000 section 10.2.1: the rate of answers should fall: the 1st, 2nd, 4th, 8th… packet is answered.
 */
void nqd_state_closing_received(struct nqd_state *s)
{
	if (s->close_received == U32_MAX)
		return;
	s->close_received++;
	if (s->close_received < s->close_next)
		return;
	s->close_next = s->close_next > U32_MAX / 2 ? U32_MAX : s->close_next * 2;
	s->close_pending = true;
}

/**
 * nqd_state_on_timer() - act on what expired
 * @s: state
 * @now: time
 * @pto: current probe timeout without backoff, ns
 *
 * Return: the one thing that expired; call again at the next deadline.
 */
enum nqd_state_expiry nqd_state_on_timer(struct nqd_state *s, u64 now, u64 pto)
{
	if (now < nqd_state_deadline(s, pto))
		return NQD_STATE_EXPIRED_NONE;
	if (s->state != NQD_SESSION_STATE_ACTIVE) {
		s->end_at = NQD_TIME_NEVER;
		s->state = NQD_SESSION_STATE_DRAINING;
		s->close_pending = false;
		return NQD_STATE_EXPIRED_DRAINED;
	}
	if (now >= nqd_state_idle_at(s, pto)) {
		/* RFC 9000 section 10.1: closed silently. */
		nqd_state_drain(s, now, pto);
		return NQD_STATE_EXPIRED_IDLE;
	}
	/* RFC 9000 section 10.1.2: a PING, before the other end or a NAT forgets. */
	s->keepalive_from = now;
	return NQD_STATE_EXPIRED_KEEPALIVE;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The timer of a session, for the protocol core and the pacer.
 *
 * It is armed lazily: a deadline that moves away, as most do with every packet, leaves it alone; it then
 * comes too early, finds nothing due, and is armed again.
 */
#include "compat/datapath.h"
#include "session.h"

/*
 * What is due and could not be done (no memory for a packet, say) is due again at once: not before others
 * had the CPU. It is short against what the pacer is exact to.
 */
#define NQD_TIMER_SOONEST (10 * NSEC_PER_USEC)

static u64 nqd_timer_deadline(const struct nqd_session *s)
{
	return min(nqd_conn_deadline(&s->conn), s->data.paced_at);
}

/**
 * nqd_timer_update() - see to it that the timer is not later than what it is for
 * @s: session, with its lock held
 */
void nqd_timer_update(struct nqd_session *s)
{
	u64 at;

	lockdep_assert_held(&s->lock);
	/* While what HOLD kept is processed nothing is sent: what is due would be due again at once. */
	if (unlikely(!s->active || s->dead))
		return;
	s->data.timer_stale = false;
	at = nqd_timer_deadline(s);
	if (likely(at >= s->data.timer_at))
		return;
	at = max(at, nqd_now() + NQD_TIMER_SOONEST);
	s->data.timer_at = at;
	hrtimer_start(&s->data.timer, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
}

/**
 * nqd_timer_sent() - DATAGRAMs have left, and there is nothing else that the timer must be seen to for
 * @s: session, with its lock held
 * @now: when they left
 *
 * What that starts is the PTO (RFC 9002 section 6.2.1), if anything: mostly the timer is due before it, and
 * all the other deadlines need not be looked at.
 */
void nqd_timer_sent(struct nqd_session *s, u64 now)
{
	const struct nqd_conn *c = &s->conn;

	if (unlikely(s->data.timer_stale || s->data.timer_at > now + nqd_rtt_pto(&c->recovery.rtt)))
		nqd_timer_update(s);
}

static enum hrtimer_restart nqd_timer_due(struct hrtimer *timer)
{
	struct nqd_session *s = container_of(timer, struct nqd_session, data.timer);
	bool due = false;
	u64 now;

	spin_lock(&s->lock);
	s->data.timer_at = NQD_TIME_NEVER;
	if (!s->dead) {
		now = nqd_now();
		due = now >= s->data.paced_at;
		if (now >= nqd_conn_deadline(&s->conn)) {
			nqd_conn_on_timer(&s->conn, now);
			nqd_session_events(s);
			due = true;
		}
		if (!due)
			nqd_timer_update(s);
	}
	spin_unlock(&s->lock);
	/* What it is due for is a packet, most of the time; this arms it again. */
	if (due)
		nqd_tx_kick(s);
	return HRTIMER_NORESTART;
}

/**
 * nqd_timer_init() - prepare the timer
 * @s: session
 */
void nqd_timer_init(struct nqd_session *s)
{
	s->data.paced_at = NQD_TIME_NEVER;
	s->data.timer_at = NQD_TIME_NEVER;
	s->data.timer_stale = false;
	nqd_compat_hrtimer_setup(&s->data.timer, nqd_timer_due);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The timer of a session, for the protocol core and the pacer.
 *
 * It is armed lazily: a deadline that moves away, as most do with every packet, leaves it alone; it then
 * comes too early, finds nothing due, and is armed again.
 */
#include "compat/datapath.h"
#include "session.h"

static u64 nqd_timer_deadline(const struct nqd_session *s)
{
	return min(nqd_conn_deadline(&s->conn), s->data.paced_at);
}

/**
 * nqd_timer_update() - see to it that the timer is not later than what it is for
 * @s: active session, with its lock held
 */
void nqd_timer_update(struct nqd_session *s)
{
	u64 at;

	lockdep_assert_held(&s->lock);
	at = nqd_timer_deadline(s);
	/* While what HOLD kept is processed nothing is sent: what is due would be due again at once. */
	if (likely(at >= s->data.timer_at) || s->dead || unlikely(!s->active))
		return;
	s->data.timer_at = at;
	hrtimer_start(&s->data.timer, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
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
	nqd_compat_hrtimer_setup(&s->data.timer, nqd_timer_due);
}

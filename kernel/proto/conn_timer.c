// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * A connection's one timer, over all that waits in it.
 */
#include "conn_priv.h"

#include "math.h"

/*
 * How long a connection waits for a key update that its TX key cannot do without: half of the limit has gone
 * by since the update was due, so that the peer's ACK or user space's keys are late already. Long against 3
 * PTO of most paths.
 */
#define NQD_CONN_KEYS_PATIENCE (3 * (u64)NSEC_PER_SEC)

/**
 * nqd_conn_deadline() - when nqd_conn_on_timer() must be called
 * @c: connection
 *
 * Return: a time, possibly past, or NQD_TIME_NEVER. It changes with every call on the connection.
 */
u64 nqd_conn_deadline(const struct nqd_conn *c)
{
	u64 at = nqd_state_deadline(&c->state, nqd_rtt_pto(&c->recovery.rtt));

	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return at;
	/* What makes a key update possible may be a moment that nothing else is due at. */
	if (unlikely(c->keys_out_at != NQD_TIME_NEVER))
		return c->retry_at;
	at = min(at, nqd_recovery_deadline(&c->recovery));
	at = min(at, nqd_ack_deadline(&c->ack));
	at = min(at, nqd_keys_deadline(&c->keys));
	at = min(at, nqd_path_deadline(&c->path));
	at = min(at, nqd_pmtu_deadline(&c->pmtu));
	at = min(at, c->tx_at);
	/* Without keys or ring nothing can leave: do not spin on a deadline that has passed. */
	return max(at, c->retry_at);
}

/**
 * nqd_conn_keys_out() - the TX key may seal no more
 * @c: connection
 * @now: time
 */
void nqd_conn_keys_out(struct nqd_conn *c, u64 now)
{
	c->retry_at = now + NQD_CONN_RETRY;
	if (c->keys_out_at != NQD_TIME_NEVER)
		return;
	c->keys_out_at = now;
	c->events |= NQD_CONN_EVENT_KEYS_EXHAUSTED;
}

/*
 * RFC 9001 section 6.6: where a key update is not possible the connection must not be used any more. Its last
 * packet is the CONNECTION_CLOSE that the key was spared for.
 */
static void nqd_conn_timer_keys(struct nqd_conn *c, u64 now)
{
	nqd_conn_keys_changed(c, now, nqd_keys_on_timer(&c->keys, now));
	nqd_conn_retry_update(c, now);
	if (likely(c->keys_out_at == NQD_TIME_NEVER))
		return;
	c->retry_at = now + NQD_CONN_RETRY;
	/* RFC 9001 section 6.5: the update after this one waits for 3 PTO. */
	if (now >= max(c->keys_out_at + NQD_CONN_KEYS_PATIENCE, c->keys.update_at))
		nqd_conn_error(c, now, NQD_QUIC_AEAD_LIMIT_REACHED, 0);
}

static void nqd_conn_timer_recovery(struct nqd_conn *c, u64 now)
{
	struct nqd_conn_told told = { .c = c, .now = now };
	const struct nqd_sent_sink sink = {
		.acked = nqd_conn_told_acked,
		.lost = nqd_conn_told_lost,
		.ctx = &told,
	};
	struct nqd_recovery_result res;

	if (now < nqd_recovery_deadline(&c->recovery))
		return;
	nqd_recovery_on_timeout(&c->recovery, now, &sink, &res);
	nqd_conn_recovered(c, &res);
	if (!res.probes)
		return;
	c->probes = res.probes;
	c->wanted |= NQD_CONN_WANT_PROBE;
}

/**
 * nqd_conn_on_timer() - act on all that is due
 * @c: connection
 * @now: time
 *
 * The home then takes the events and calls nqd_conn_tx_pending(): most of what a timer does is to want a
 * packet. Early calls do no harm.
 */
void nqd_conn_on_timer(struct nqd_conn *c, u64 now)
{
	switch (nqd_state_on_timer(&c->state, now, nqd_rtt_pto(&c->recovery.rtt))) {
	case NQD_STATE_EXPIRED_DRAINED:
		c->events |= NQD_CONN_EVENT_DRAINED;
		c->wanted = 0;
		return;
	case NQD_STATE_EXPIRED_IDLE:
		c->events |= NQD_CONN_EVENT_IDLE;
		c->wanted = 0;
		return;
	case NQD_STATE_EXPIRED_KEEPALIVE:
		c->wanted |= NQD_CONN_WANT_PING;
		break;
	case NQD_STATE_EXPIRED_NONE:
		break;
	}
	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return;

	nqd_conn_timer_keys(c, now);
	if (c->state.state != NQD_SESSION_STATE_ACTIVE)
		return;
	if (nqd_path_on_timer(&c->path, now))
		c->events |= NQD_CONN_EVENT_PATH_FAILED;
	if (nqd_path_challenge_due(&c->path, now))
		c->wanted |= NQD_CONN_WANT_CHALLENGE;
	nqd_pmtu_on_timer(&c->pmtu, now);
	nqd_conn_want_pmtu(c);
	nqd_conn_timer_recovery(c, now);
}

// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * What the owner may change in a connection that runs: congestion control, limits and phase of the keys.
 */
#include "conn_priv.h"

/**
 * nqd_conn_set_congestion() - begin anew with another congestion controller
 * @c: connection
 * @now: time
 * @kind: algorithm
 * @lab_mode: NQD_CONGESTION_FIXED_RATE_TEST is allowed
 * @fixed_rate: its bytes a second
 *
 * The window starts as that of a new connection does; what is in flight goes on to count.
 *
 * Return: 0; -EINVAL, -EPERM for fixed_rate_test without lab mode; nothing has changed then.
 */
int nqd_conn_set_congestion(struct nqd_conn *c, u64 now, enum nqd_congestion kind, bool lab_mode,
			    u64 fixed_rate)
{
	struct nqd_cc cc;
	int ret = nqd_cc_init(&cc, kind, c->pmtu.current_size, 0, fixed_rate, lab_mode,
			      nqd_sent_next_pn(&c->recovery.sent), c->recovery.rtt.smoothed, now);

	if (!ret)
		nqd_recovery_set_congestion(&c->recovery, &cc, now);
	return ret;
}

/**
 * nqd_conn_set_key_limits() - change how much a key may be used
 * @c: connection
 * @suite: its cipher suite
 * @seal_limit: packets that one TX key may seal, 0 for the suite's limit; may only lower it
 * @open_failure_limit: forged packets before the connection ends, likewise
 *
 * Return: 0, or -EINVAL for an unknown suite and nothing has changed.
 */
int nqd_conn_set_key_limits(struct nqd_conn *c, enum nqd_cipher_suite suite, u64 seal_limit,
			    u64 open_failure_limit)
{
	int ret = nqd_keys_set_limits(&c->keys, suite, seal_limit, open_failure_limit);

	/* Where the key may seal no more all the same, the next packet finds out. */
	if (!ret)
		c->keys_out_at = NQD_TIME_NEVER;
	return ret;
}

/**
 * nqd_conn_update_keys_now() - start a key update, if it is allowed now (RFC 9001 section 6.1)
 * @c: connection in state ACTIVE
 * @now: time
 *
 * Return: 0; -ENOKEY if a next key is missing; -EAGAIN while the previous update is unanswered,
 * unacknowledged or too recent; nothing has changed then.
 */
int nqd_conn_update_keys_now(struct nqd_conn *c, u64 now)
{
	unsigned int flags = 0;
	int ret = nqd_keys_update(&c->keys, nqd_sent_next_pn(&c->recovery.sent), now, &flags);

	if (!ret)
		nqd_conn_keys_changed(c, now, flags);
	return ret;
}

// SPDX-License-Identifier: BSD-3-Clause
/* From HOLD to ACTIVE: keys, protocol state, and what came before them. */
#include "engine_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Packets of before the last key update may still be on their way. */
static int nqe_control_previous_key(struct nqe_crypto *crypto, u32 suite, u64 generation,
				    struct nqe_keys *keys)
{
	int err = 0;

	if (!generation)
		return -EINVAL;
	if (keys->has_secret)
		err = nqe_crypto_derive(suite, keys->previous_secret, keys->previous_key,
					keys->previous_iv, NULL);
	if (!err)
		err = nqe_crypto_install(crypto, generation - 1, keys->previous_key,
					 nqe_crypto_key_len(suite), keys->previous_iv);
	return err;
}

/* Current and next keys of one direction. */
static int nqe_control_keys(struct nqe_session *s, enum nqd_keys_dir dir, u32 suite, u64 generation,
			    struct nqe_keys *keys)
{
	struct nqe_crypto *crypto = dir == NQD_KEYS_RX ? &s->rx : &s->tx;
	u32 len = nqe_crypto_key_len(suite);
	int err = nqe_crypto_init(crypto, suite, dir == NQD_KEYS_TX, keys->hp, len);

	if (!err && keys->has_secret) {
		err = nqe_crypto_derive(suite, keys->secret, keys->key, keys->iv, NULL);
		if (!err)
			err = nqe_crypto_next_secret(suite, keys->secret, s->secret[dir]);
		if (!err)
			err = nqe_crypto_derive(suite, s->secret[dir], keys->next_key,
						keys->next_iv, NULL);
		s->secret_generation[dir] = generation + 1;
		keys->has_next = true;
	}
	if (!err)
		err = nqe_crypto_install(crypto, generation, keys->key, len, keys->iv);
	if (!err && keys->has_next)
		err = nqe_crypto_install(crypto, generation + 1, keys->next_key, len,
					 keys->next_iv);
	if (!err && keys->has_previous)
		err = nqe_control_previous_key(crypto, suite, generation, keys);
	return err;
}

static int nqe_control_begin(struct nqe_engine *e, struct nqe_session *s, struct nqe_activation *a,
			     const char **why)
{
	struct nqd_conn_config conn = a->conn;
	struct nqd_sent_packet *ring;
	int err;

	*why = "keys or cipher suite";
	if (a->rx.has_secret != a->tx.has_secret || a->tx.has_previous)
		return -EINVAL;
	err = nqe_control_keys(s, NQD_KEYS_RX, conn.keys.suite, conn.keys.generation, &a->rx);
	if (!err)
		err = nqe_control_keys(s, NQD_KEYS_TX, conn.keys.suite, conn.keys.generation,
				       &a->tx);
	if (err)
		return err;
	*why = "no memory";
	ring = calloc(NQE_RING_ENTRIES, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	conn.peer_cid_len = s->config.peer_cid_len;
	conn.keys.rx_next = a->rx.has_next;
	conn.keys.tx_next = a->tx.has_next;
	conn.keys.rx_old = a->rx.has_previous;
	conn.recovery.ring = ring;
	conn.recovery.ring_entries = NQE_RING_ENTRIES;
	conn.control_slots = s->control_slots;
	conn.control_capacity = NQE_CONTROL_SLOTS;
	err = nqd_conn_init(&s->conn, &conn, e->now, why);
	if (!err)
		err = nqd_conn_activate(&s->conn, e->now);
	if (err) {
		free(ring);
		return err;
	}
	s->secrets = a->rx.has_secret;
	s->active = true;
	*why = NULL;
	return 0;
}

/*
 * What came before the keys did: first what user space had taken from the socket, then what was
 * kept.
 */
static void nqe_control_replay(struct nqe_engine *e, struct nqe_session *s,
			       const struct nqe_activation *a)
{
	u8 *copy = e->frames + NQE_FRAMES_ROOM / 2;
	u32 i;

	for (i = 0; i < a->drained_count; i++) {
		if (a->drained[i].len > NQE_FRAMES_ROOM / 2) {
			s->stats.drops[NQD_DROP_TRUNCATED]++;
			continue;
		}
		memcpy(copy, a->drained[i].data, a->drained[i].len);
		nqe_rx_datagram(e, s, copy, a->drained[i].len, a->drained[i].ecn,
				&a->drained[i].remote);
	}
	for (i = 0; i < s->held; i++) {
		nqe_rx_datagram(e, s, s->hold[i].data, s->hold[i].len, s->hold[i].ecn,
				&s->hold[i].remote);
		free(s->hold[i].data);
	}
	free(s->hold);
	s->hold = NULL;
	s->held = 0;
}

static int nqe_control_activate(struct nqe_engine *e, struct nqe_session *s,
				struct nqe_activation *activation, const char **why)
{
	int err;

	if (s->active) {
		*why = "the session is active";
		return -EALREADY;
	}
	err = nqe_control_begin(e, s, activation, why);
	if (err) {
		nqe_crypto_free(&s->rx);
		nqe_crypto_free(&s->tx);
		nqe_crypto_wipe(s->secret, sizeof(s->secret));
		return err;
	}
	nqe_event_state(e, s, NQE_EVENT_FLAG_ACTIVE);
	nqe_control_replay(e, s, activation);
	nqe_control_events(e, s);
	nqe_loop_ready(e, s);
	nqe_loop_wake(e);
	return 0;
}

int nqe_session_activate(struct nqe_engine *e, u32 session, struct nqe_activation *activation,
			 const char **why)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	int err = -ENOENT;

	*why = "no such session";
	if (s)
		err = nqe_control_activate(e, s, activation, why);
	nqe_crypto_wipe(&activation->rx, sizeof(activation->rx));
	nqe_crypto_wipe(&activation->tx, sizeof(activation->tx));
	return err;
}

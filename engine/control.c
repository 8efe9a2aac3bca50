// SPDX-License-Identifier: BSD-3-Clause
/* Sessions, as the caller manages them, and what the protocol core says about them. */
#include "engine_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Keys of the next generations (v2), whenever the current one moved on. */
static void nqe_control_derive(struct nqe_engine *e, struct nqe_session *s, enum nqd_keys_dir dir)
{
	bool rx = dir == NQD_KEYS_RX;
	u64 wanted = (rx ? s->conn.keys.rx_generation : s->conn.keys.tx_generation) + 1;
	struct nqe_crypto *crypto = rx ? &s->rx : &s->tx;
	u8 key[NQE_CRYPTO_MAX_KEY], iv[NQE_CRYPTO_IV];
	u8 *secret = s->secret[dir];

	while (s->secret_generation[dir] < wanted) {
		if (nqe_crypto_next_secret(crypto->suite, secret, secret))
			return;
		s->secret_generation[dir]++;
	}
	if (!nqe_crypto_has(crypto, wanted) &&
	    !nqe_crypto_derive(crypto->suite, secret, key, iv, NULL))
		nqe_crypto_install(crypto, wanted, key, nqe_crypto_key_len(crypto->suite), iv);
	nqe_crypto_wipe(key, sizeof(key));
	nqe_crypto_wipe(iv, sizeof(iv));
	if (nqe_crypto_has(crypto, wanted) && !(rx ? s->conn.keys.rx_next : s->conn.keys.tx_next))
		nqd_conn_next_keys_installed(&s->conn, e->now, dir, wanted);
}

static void nqe_control_forget_keys(struct nqe_session *s)
{
	u64 oldest = nqd_keys_oldest(&s->conn.keys);
	u32 i;

	for (i = 0; i < NQE_CRYPTO_SLOTS; i++) {
		if (s->rx.slot[i].generation < oldest)
			nqe_crypto_forget(&s->rx, s->rx.slot[i].generation);
		if (s->tx.slot[i].generation < oldest)
			nqe_crypto_forget(&s->tx, s->tx.slot[i].generation);
	}
}

static void nqe_control_frames_lost(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqd_control_loss loss;

	while (nqd_control_pop_lost(&s->conn.control, &loss)) {
		if (!s->control_silent[loss.id])
			nqe_event_lost(e, s, &loss);
		if (!loss.final)
			continue;
		free(s->control_bytes[loss.id]);
		s->control_bytes[loss.id] = NULL;
	}
}

static void nqe_control_frames_acked(struct nqe_engine *e, struct nqe_session *s)
{
	u64 slot;

	while (nqd_control_pop(&s->conn.control, &slot)) {
		free(s->control_bytes[slot]);
		s->control_bytes[slot] = NULL;
		if (!s->control_silent[slot])
			nqe_event_acked(e, s, s->control_ids[slot]);
	}
}

static void nqe_control_unregister(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_lookup_key key;
	u32 i;

	for (i = 0; i < s->config.local_cids; i++) {
		key = nqe_lookup_cid(s->socket->id, s->config.local_cid[i], s->socket->cid_len);
		nqe_lookup_remove(&e->lookup, &key);
	}
	if (!s->socket->cid_len) {
		key = nqe_lookup_address(s->socket->id, &s->config.remote);
		nqe_lookup_remove(&e->lookup, &key);
	}
}

/* The session is found no more; what is left of it waits for its last event to be taken. */
static void nqe_control_detach(struct nqe_engine *e, struct nqe_session *s)
{
	if (s->dead)
		return;
	s->dead = true;
	/* Its last packet may be among those that wait. */
	nqe_out_flush(e);
	nqe_tx_discard(e, s);
	nqe_loop_forget(e, s);
	nqe_route_remove_value(&s->device->routes, s);
	nqe_control_unregister(e, s);
	s->device->sessions--;
	s->socket->sessions--;
}

/* Everything goes, keys wiped. */
void nqe_control_free_session(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_session **link;
	u32 i;

	nqe_control_detach(e, s);
	nqe_loop_forget(e, s);
	nqe_event_forget(e, s);
	for (link = &e->sessions; *link != s; link = &(*link)->next)
		;
	*link = s->next;
	for (i = 0; i < s->held; i++)
		free(s->hold[i].data);
	free(s->hold);
	for (i = 0; i < NQE_CONTROL_SLOTS; i++)
		free(s->control_bytes[i]);
	if (s->active)
		free(s->conn.recovery.sent.ring);
	nqe_crypto_free(&s->rx);
	nqe_crypto_free(&s->tx);
	nqe_route_free(&s->sources);
	nqe_crypto_wipe(s, sizeof(*s));
	free(s);
}

#define NQE_CONTROL_SILENT                                                                         \
	(NQD_CONN_EVENT_RING | NQD_CONN_EVENT_CONTROL_ACKED | NQD_CONN_EVENT_CONTROL_LOST |        \
	 NQD_CONN_EVENT_KEYS_FORGET)

void nqe_control_events(struct nqe_engine *e, struct nqe_session *s)
{
	u32 events = nqd_conn_events(&s->conn);

	if (likely(!events))
		return;
	if ((events & NQD_CONN_EVENT_KEYS_WANTED) && s->secrets) {
		nqe_control_derive(e, s, NQD_KEYS_RX);
		nqe_control_derive(e, s, NQD_KEYS_TX);
		events &= ~(u32)NQD_CONN_EVENT_KEYS_WANTED;
		events |= nqd_conn_events(&s->conn) & ~(u32)NQD_CONN_EVENT_KEYS_WANTED;
	}
	if (events & NQD_CONN_EVENT_KEYS_UPDATE_DONE)
		s->stats.updates_local++;
	if (events & NQD_CONN_EVENT_KEYS_FORGET)
		nqe_control_forget_keys(s);
	if (events & NQD_CONN_EVENT_CONTROL_LOST)
		nqe_control_frames_lost(e, s);
	if (events & NQD_CONN_EVENT_CONTROL_ACKED)
		nqe_control_frames_acked(e, s);
	if (events & (NQD_CONN_EVENT_PEER_CLOSED | NQD_CONN_EVENT_IDLE | NQD_CONN_EVENT_ERROR))
		nqe_tx_discard(e, s);
	if (events & ~(u32)NQE_CONTROL_SILENT)
		nqe_event_state(e, s, events & ~(u32)NQE_CONTROL_SILENT);
	if (events & NQD_CONN_EVENT_DRAINED)
		nqe_control_detach(e, s);
}

static int nqe_control_register(struct nqe_engine *e, struct nqe_session *s)
{
	struct nqe_lookup_key key;
	int err;
	u32 i;

	if (!s->socket->cid_len) {
		key = nqe_lookup_address(s->socket->id, &s->config.remote);
		return nqe_lookup_add(&e->lookup, &key, s);
	}
	for (i = 0; i < s->config.local_cids; i++) {
		key = nqe_lookup_cid(s->socket->id, s->config.local_cid[i], s->socket->cid_len);
		err = nqe_lookup_add(&e->lookup, &key, s);
		if (!err)
			continue;
		while (i--) {
			key = nqe_lookup_cid(s->socket->id, s->config.local_cid[i],
					     s->socket->cid_len);
			nqe_lookup_remove(&e->lookup, &key);
		}
		return err;
	}
	return 0;
}

static int nqe_control_check(const struct nqe_socket *k, const struct nqe_session_config *config)
{
	if (config->peer_cid_len > NQD_CID_MAX_LEN || config->local_cids > NQD_LOCAL_CIDS_MAX ||
	    config->reset_tokens > NQD_PEER_CIDS_MAX || !config->local_cids != !k->cid_len)
		return -EINVAL;
	if ((config->remote.family != 4 && config->remote.family != 6) || !config->remote.port)
		return -EINVAL;
	if (config->local.family && config->local.family != config->remote.family)
		return -EINVAL;
	return config->remote.family == 6 && k->udp.family == AF_INET ? -EAFNOSUPPORT : 0;
}

static int nqe_control_add(struct nqe_engine *e, const struct nqe_session_config *config)
{
	struct nqe_device *d = nqe_engine_device(e, config->device);
	struct nqe_socket *k = nqe_engine_socket(e, config->socket);
	struct nqe_timer *heap;
	struct nqe_session *s;
	u32 sessions = 0;
	int err;

	if (!d || !k)
		return -ENODEV;
	err = nqe_control_check(k, config);
	if (err)
		return err;
	for (s = e->sessions; s; s = s->next)
		sessions++;
	/* A place in the timer heap for every session, so that scheduling cannot fail. */
	if (sessions == e->heap_room) {
		heap = realloc(e->heap, (e->heap_room * 2 + 16) * sizeof(*heap));
		if (!heap)
			return -ENOMEM;
		e->heap = heap;
		e->heap_room = e->heap_room * 2 + 16;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->device = d;
	s->socket = k;
	s->paced_at = NQD_TIME_NEVER;
	s->queue.limit = config->queue_limit ? config->queue_limit : NQE_DEFAULT_QUEUE;
	s->payloads.limit = NQD_EVENT_QUEUE_LEN * 4096;
	err = nqe_control_register(e, s);
	if (err) {
		free(s);
		return err;
	}
	s->id = ++e->next_id;
	s->next = e->sessions;
	e->sessions = s;
	d->sessions++;
	k->sessions++;
	return (int)s->id;
}

int nqe_session_add(struct nqe_engine *e, const struct nqe_session_config *config)
{
	nqe_engine_guard(e);

	return nqe_control_add(e, config);
}

int nqe_session_delete(struct nqe_engine *e, u32 session)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	nqe_control_free_session(e, s);
	return 0;
}

int nqe_session_close(struct nqe_engine *e, u32 session, u64 code, bool application)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	if (!s->active) {
		nqe_control_free_session(e, s);
		return 0;
	}
	/* Where it is closing or draining already, it ends by itself. */
	nqd_conn_close(&s->conn, e->now, code, application);
	nqe_tx_discard(e, s);
	nqe_loop_ready(e, s);
	nqe_loop_wake(e);
	return 0;
}

static void nqe_control_stats(const struct nqe_session *s, struct nqe_session_stats *stats)
{
	const struct nqd_recovery *r = &s->conn.recovery;

	*stats = s->stats;
	stats->object_generation = s->config.object_generation;
	stats->queue_bytes = s->queue.bytes;
	stats->queue_packets = s->queue.packets;
	stats->state = NQD_SESSION_STATE_HOLD;
	stats->held = s->held;
	stats->unacknowledged = s->sequence - s->acknowledged;
	if (!s->active)
		return;
	stats->state = s->conn.state.state;
	stats->conn = s->conn.stats;
	stats->smoothed_rtt = r->rtt.smoothed;
	stats->min_rtt = r->rtt.min;
	stats->latest_rtt = r->rtt.latest;
	stats->rtt_variation = r->rtt.var;
	stats->cwnd = r->cc.cwnd;
	stats->ssthresh = r->cc.ssthresh;
	stats->bytes_in_flight = r->sent.bytes_in_flight;
	stats->pacing_rate = r->cc.pacing_rate;
	stats->lost = r->sent.lost;
	stats->lost_bytes = r->lost_bytes;
	stats->lost_datagrams = r->lost_datagrams;
	stats->reductions = r->cc.reductions;
	stats->persistent = r->cc.persistent;
	stats->sealed = s->conn.keys.sealed;
	stats->seal_limit = s->conn.keys.seal_limit;
	stats->open_failures = s->conn.keys.open_failures;
	stats->open_failure_limit = s->conn.keys.open_failure_limit;
	stats->rx_generation = s->conn.keys.rx_generation;
	stats->tx_generation = s->conn.keys.tx_generation;
	stats->key_updates = s->conn.keys.updates;
	stats->updates_missed = s->conn.keys.updates_missed;
	stats->mtu = s->conn.pmtu.current_size;
	stats->inner_mtu = nqe_tx_inner_mtu(s);
	stats->congestion = r->cc.kind;
	stats->error_code = s->conn.state.error_code;
}

int nqe_session_stats(struct nqe_engine *e, u32 session, struct nqe_session_stats *stats)
{
	nqe_engine_guard(e);
	const struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	nqe_control_stats(s, stats);
	return 0;
}

int nqe_session_set_generation(struct nqe_engine *e, u32 session, u64 object_generation)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	s->config.object_generation = object_generation;
	return 0;
}

int nqe_session_set_epoch(struct nqe_engine *e, u32 session, u64 epoch)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	if (!s)
		return -ENOENT;
	s->config.route_epoch = epoch;
	return 0;
}

/* After a call on a connection: what it says, and what it wants to send. */
static void nqe_control_touched(struct nqe_engine *e, struct nqe_session *s)
{
	nqe_control_events(e, s);
	nqe_loop_ready(e, s);
	nqe_loop_wake(e);
}

static int nqe_control_update(struct nqe_session *s, u64 now,
			      const struct nqe_session_update *update, const char **why)
{
	u32 size = update->datagram_size, ceiling = update->datagram_ceiling;
	struct nqd_conn *conn = &s->conn;
	u64 idle_timeout = conn->state.idle_timeout, keepalive = conn->state.keepalive;

	if (!s->active)
		return 0;
	if (!size)
		size = conn->pmtu.current_size;
	ceiling = max(ceiling, size);
	*why = "idle timeout or keepalive above a day";
	if (nqd_conn_set_timers(conn, update->idle_timeout, update->keepalive))
		return -EINVAL;
	*why = "datagram size";
	if ((update->datagram_size || ceiling != conn->pmtu.ceiling) &&
	    nqd_conn_set_mtu(conn, now, size, ceiling)) {
		nqd_conn_set_timers(conn, idle_timeout, keepalive);
		return -EINVAL;
	}
	if (update->policy.ecn != s->config.policy.ecn)
		nqd_conn_set_ecn(conn, update->policy.ecn);
	return 0;
}

int nqe_session_update(struct nqe_engine *e, u32 session, const struct nqe_session_update *update,
		       const char **why)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	int err;

	*why = "no such session";
	if (!s)
		return -ENOENT;
	err = nqe_control_update(s, e->now, update, why);
	if (err)
		return err;
	s->config.policy = update->policy;
	nqe_control_touched(e, s);
	return 0;
}

static int nqe_control_set_cids(struct nqe_engine *e, struct nqe_session *s,
				const struct nqe_session_config *config)
{
	struct nqe_session_config former = s->config;
	int err;

	if (config->peer_cid_len != former.peer_cid_len)
		return -EINVAL;
	nqe_control_unregister(e, s);
	memcpy(s->config.local_cid, config->local_cid, sizeof(former.local_cid));
	memcpy(s->config.peer_cid, config->peer_cid, sizeof(former.peer_cid));
	memcpy(s->config.reset_token, config->reset_token, sizeof(former.reset_token));
	s->config.local_cids = config->local_cids;
	s->config.reset_tokens = config->reset_tokens;
	err = nqe_control_check(s->socket, &s->config);
	if (!err)
		err = nqe_control_register(e, s);
	if (err) {
		/* What was there a moment ago fits again: nobody else could take it meanwhile. */
		s->config = former;
		nqe_control_register(e, s);
	}
	return err;
}

int nqe_session_set_cids(struct nqe_engine *e, u32 session, const struct nqe_session_config *config)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);

	return s ? nqe_control_set_cids(e, s, config) : -ENOENT;
}

static int nqe_control_next_keys(struct nqe_engine *e, struct nqe_session *s, bool rx,
				 u64 generation, const struct nqe_keys *keys)
{
	struct nqe_crypto *crypto = rx ? &s->rx : &s->tx;
	int err;

	if (!s->active || s->secrets)
		return -EPERM;
	if (generation != (rx ? s->conn.keys.rx_generation : s->conn.keys.tx_generation) + 1)
		return -ESTALE;
	err = nqe_crypto_install(crypto, generation, keys->key, nqe_crypto_key_len(crypto->suite),
				 keys->iv);
	if (!err)
		err = nqd_conn_next_keys_installed(&s->conn, e->now, rx ? NQD_KEYS_RX : NQD_KEYS_TX,
						   generation);
	nqe_control_touched(e, s);
	return err;
}

int nqe_session_next_keys(struct nqe_engine *e, u32 session, bool rx, u64 generation,
			  struct nqe_keys *keys)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	int err = s ? nqe_control_next_keys(e, s, rx, generation, keys) : -ENOENT;

	nqe_crypto_wipe(keys, sizeof(*keys));
	return err;
}

int nqe_session_update_keys(struct nqe_engine *e, u32 session)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	int err;

	if (!s)
		return -ENOENT;
	err = s->active ? nqd_conn_update_keys(&s->conn, e->now) : -ENOTCONN;
	nqe_control_touched(e, s);
	return err;
}

static int nqe_control_send_frames(struct nqe_session *s, u64 id, u32 flags, const u8 *frames,
				   u32 len)
{
	u32 slot = 0;
	u8 *bytes;
	int err;

	if (!s->active)
		return -ENOTCONN;
	if (!len || len > NQD_FRAMES_MAX_LEN)
		return -EMSGSIZE;
	while (slot < NQE_CONTROL_SLOTS && s->control_bytes[slot])
		slot++;
	if (slot == NQE_CONTROL_SLOTS)
		return -ENOSPC;
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, frames, len);
	err = flags & NQE_FRAMES_ONCE ? nqd_conn_queue_control_once(&s->conn, slot, bytes, len) :
					nqd_conn_queue_control(&s->conn, slot, bytes, len);
	if (err) {
		free(bytes);
		return err;
	}
	s->control_bytes[slot] = bytes;
	s->control_ids[slot] = id;
	s->control_silent[slot] = flags & NQE_FRAMES_SILENT;
	return 0;
}

int nqe_session_send_frames(struct nqe_engine *e, u32 session, u64 id, u32 flags, const u8 *frames,
			    u32 len)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	int err = s ? nqe_control_send_frames(s, id, flags, frames, len) : -ENOENT;

	if (!err)
		nqe_control_touched(e, s);
	return err;
}

static int nqe_control_send_datagram(struct nqe_engine *e, struct nqe_session *s, const u8 *payload,
				     u32 len)
{
	struct nqe_packet *packet;

	if (!s->active || s->conn.state.state != NQD_SESSION_STATE_ACTIVE)
		return -ENOTCONN;
	if (len > nqd_conn_max_payload(&s->conn))
		return -EMSGSIZE;
	/* Context 0 is the device's. */
	if (!len || !payload[0])
		return -EINVAL;
	packet = nqe_pool_get(&e->pool, len);
	if (!packet)
		return -ENOMEM;
	packet->vnet = (struct nqe_vnet){ 0 };
	memcpy(packet->data, payload, len);
	if (!nqe_queue_push(&s->payloads, packet, e->now)) {
		nqe_pool_put(&e->pool, packet);
		return -ENOSPC;
	}
	return 0;
}

int nqe_session_send_datagram(struct nqe_engine *e, u32 session, const u8 *payload, u32 len)
{
	nqe_engine_guard(e);
	struct nqe_session *s = nqe_engine_session(e, session);
	int err = s ? nqe_control_send_datagram(e, s, payload, len) : -ENOENT;

	if (!err)
		nqe_control_touched(e, s);
	return err;
}

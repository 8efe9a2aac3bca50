// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: their life and their references.
 *
 * A session ends in two steps. nqd_session_unlink(), under nqd_net.lock, takes it out of every table and
 * marks it dead; nqd_session_release(), without that lock, waits for those who may have found it before,
 * stops what it does by itself and wipes its keys. After that nothing is opened or sealed by it any more;
 * only its memory may stay a little, for packets that an asynchronous cipher has not given back.
 */
#include <crypto/algapi.h>
#include <linux/slab.h>

#include "device.h"
#include "figures.h"
#include "netns.h"
#include "route.h"
#include "secrets.h"
#include "session.h"
#include "session_config.h"
#include "socket.h"

/* Runs what must sleep. */
struct workqueue_struct *nqd_session_queue;

/* RFC 9000 section 10.3: the shortest stateless reset. */
#define NQD_SESSION_RESET_MIN 21

static struct nqd_net *nqd_session_net(const struct nqd_session *s)
{
	return nqd_net(s->device->net);
}

static void nqd_session_free_owned(struct nqd_session *s)
{
	struct nqd_routes *sources = rcu_dereference_protected(s->sources, true);
	struct nqd_owner_event *event, *next;
	unsigned int i;

	list_for_each_entry_safe(event, next, &s->owner.queue, node)
		kfree(event);
	for (i = 0; i < NQD_SESSION_CONTROL_SLOTS; i++)
		nqd_owner_blob_free(s->control[i]);
	if (s->running)
		kvfree(s->conn.recovery.sent.ring);
	if (sources)
		nqd_routes_clear(sources);
	kfree(sources);
	kfree(s->config.source);
	kfree(s->zero);
}

static void nqd_session_free(struct nqd_session *s)
{
	nqd_datapath_session_free(s);
	skb_queue_purge(&s->held);
	nqd_session_free_owned(s);
	free_percpu(s->stats);
	if (s->socket)
		nqd_socket_put(s->socket);
	netdev_put(s->device->dev, &s->device_tracker);
	kfree_sensitive(s);
}

static void nqd_session_free_work(struct work_struct *work)
{
	nqd_session_free(container_of(to_rcu_work(work), struct nqd_session, free_work));
}

/**
 * nqd_session_put() - give a reference back
 * @s: session
 *
 * Context: any. It is freed later, in process context.
 */
void nqd_session_put(struct nqd_session *s)
{
	if (refcount_dec_and_test(&s->refs))
		queue_rcu_work(nqd_session_queue, &s->free_work);
}

/* The ring of packets in flight is full, and the window wants more (proto/sent.h). */
static void nqd_session_work_ring(struct nqd_session *s)
{
	struct nqd_sent_packet *ring, *former;
	u32 entries;

	spin_lock_bh(&s->lock);
	entries = s->dead ? 0 : nqd_sent_want_grow(&s->conn.recovery.sent);
	spin_unlock_bh(&s->lock);
	if (!entries)
		return;
	ring = kvcalloc(entries, sizeof(*ring), GFP_KERNEL);
	/* It goes on with what it has: the core tries again. */
	if (!ring)
		return;
	spin_lock_bh(&s->lock);
	former = s->dead ? ring : nqd_sent_grow(&s->conn.recovery.sent, ring, entries);
	spin_unlock_bh(&s->lock);
	kvfree(former);
	nqd_tx_kick(s);
}

/* v2: keys of the generation after the current one, where they are missing. */
static void nqd_session_work_derive(struct nqd_session *s, enum nqd_keys_dir dir)
{
	struct nqd_keyring *ring = dir == NQD_KEYS_RX ? &s->rx_keys : &s->tx_keys;
	struct nqd_key *key;
	const char *why;
	u64 wanted;

	spin_lock_bh(&s->lock);
	wanted = (dir == NQD_KEYS_RX ? s->conn.keys.rx_generation : s->conn.keys.tx_generation) + 1;
	spin_unlock_bh(&s->lock);
	while (nqd_secrets_generation(s->secrets, dir) < wanted) {
		key = nqd_secrets_next(s->secrets, dir, &why);
		if (IS_ERR(key)) {
			nqd_session_work_later(s, NQD_SESSION_WORK_KEYS, HZ / 10);
			return;
		}
		spin_lock_bh(&s->lock);
		if (s->dead) {
			spin_unlock_bh(&s->lock);
			nqd_key_free(key);
			return;
		}
		nqd_keyring_install(ring, key);
		nqd_conn_next_keys_installed(&s->conn, nqd_now(), dir, key->generation);
		nqd_session_events(s);
		spin_unlock_bh(&s->lock);
	}
}

static void nqd_session_work_end(struct nqd_session *s)
{
	struct nqd_net *nn = nqd_session_net(s);
	LIST_HEAD(ended);

	mutex_lock(&nn->lock);
	nqd_session_unlink(s, NQD_DOWN_REASON_INTERNAL_ERROR, &ended);
	mutex_unlock(&nn->lock);
	nqd_session_release(&ended);
}

static void nqd_session_do_work(struct work_struct *work)
{
	struct nqd_session *s = container_of(to_delayed_work(work), struct nqd_session, work);
	unsigned long bits = xchg(&s->work_bits, 0);

	if (bits & BIT(NQD_SESSION_WORK_RING))
		nqd_session_work_ring(s);
	if (bits & BIT(NQD_SESSION_WORK_KEYS) && s->secrets) {
		nqd_session_work_derive(s, NQD_KEYS_RX);
		nqd_session_work_derive(s, NQD_KEYS_TX);
		nqd_tx_kick(s);
	}
	if (bits & BIT(NQD_SESSION_WORK_OWNER))
		nqd_owner_retry(s);
	if (bits & BIT(NQD_SESSION_WORK_END))
		nqd_session_work_end(s);
	nqd_session_put(s);
}

/**
 * nqd_session_work_later() - let something be done that must sleep, after a while
 * @s: session that was found under RCU or is referenced
 * @bit: what, NQD_SESSION_WORK_*
 * @delay: jiffies; what else waits is done then or before
 *
 * Context: any.
 */
void nqd_session_work_later(struct nqd_session *s, unsigned int bit, unsigned long delay)
{
	set_bit(bit, &s->work_bits);
	if (READ_ONCE(s->dead) || !nqd_session_get(s))
		return;
	/* The work has a reference for each time that it is queued. */
	if (delay ? !queue_delayed_work(nqd_session_queue, &s->work, delay) :
		    mod_delayed_work(nqd_session_queue, &s->work, 0))
		nqd_session_put(s);
}

/**
 * nqd_session_work() - let something be done that must sleep
 * @s: session that was found under RCU or is referenced
 * @bit: what, NQD_SESSION_WORK_*
 *
 * Context: any.
 */
void nqd_session_work(struct nqd_session *s, unsigned int bit)
{
	nqd_session_work_later(s, bit, 0);
}

/**
 * nqd_session_alloc() - memory for a session
 * @nd: its device
 * @id: number, which nobody on the device has
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: a session with one reference, in no table, or NULL.
 */
struct nqd_session *nqd_session_alloc(struct nqd_device *nd, u64 id)
{
	struct nqd_session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->stats = nqd_stats_alloc();
	if (!s->stats) {
		kfree(s);
		return NULL;
	}
	s->id = id;
	s->device = nd;
	spin_lock_init(&s->lock);
	skb_queue_head_init(&s->held);
	INIT_LIST_HEAD(&s->owner.queue);
	INIT_LIST_HEAD(&s->routes);
	INIT_LIST_HEAD(&s->socket_node);
	INIT_DELAYED_WORK(&s->work, nqd_session_do_work);
	INIT_RCU_WORK(&s->free_work, nqd_session_free_work);
	RB_CLEAR_NODE(&s->device_node);
	refcount_set(&s->refs, 1);
	if (nqd_datapath_session_init(s)) {
		free_percpu(s->stats);
		kfree(s);
		return NULL;
	}
	netdev_hold(nd->dev, &s->device_tracker, GFP_KERNEL);
	return s;
}

/**
 * nqd_session_by_id() - find a session by its number
 * @nd: device
 * @id: number
 *
 * Context: nqd_net.lock is held, and the session stays for as long.
 *
 * Return: the session or NULL.
 */
struct nqd_session *nqd_session_by_id(const struct nqd_device *nd, u64 id)
{
	struct nqd_session *s = nqd_session_from(nd, id);

	return s && s->id == id ? s : NULL;
}

/**
 * nqd_session_from() - first session of a device from a number on
 * @nd: device
 * @id: number
 *
 * Context: nqd_net.lock is held, and the session stays for as long.
 *
 * Return: the session with the smallest number that is not below @id, or NULL.
 */
struct nqd_session *nqd_session_from(const struct nqd_device *nd, u64 id)
{
	struct rb_node *node = nd->sessions.rb_node;
	struct nqd_session *found = NULL;

	while (node) {
		struct nqd_session *s = rb_entry(node, struct nqd_session, device_node);

		if (s->id >= id) {
			found = s;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

static bool nqd_session_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct nqd_session, device_node)->id < rb_entry(b, struct nqd_session,
									   device_node)->id;
}

/**
 * nqd_session_insert() - publish a session: from here on it is found, and holds datagrams
 * @s: session with its socket and its configuration
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: 0; -EEXIST where another session has one of its connection IDs; -ENOMEM.
 */
int nqd_session_insert(struct nqd_session *s)
{
	int err = nqd_session_names_set(s, s->config.local_cid, s->config.local_cids);

	if (err)
		return err;
	rb_add(&s->device_node, &s->device->sessions, nqd_session_less);
	s->device->session_count++;
	list_add_tail(&s->socket_node, &s->socket->sessions);
	nqd_session_net(s)->changes++;
	return 0;
}

/**
 * nqd_session_unlink() - end a session, first step: nobody finds it any more
 * @s: session; nothing happens if it has ended before
 * @reason: what its session-down says, if that was not told yet
 * @ended: list of nqd_session_release(), which takes over the reference of the table
 *
 * Context: nqd_net.lock is held; may sleep.
 */
void nqd_session_unlink(struct nqd_session *s, enum nqd_down_reason reason, struct list_head *ended)
{
	struct nqd_net *nn = nqd_session_net(s);

	lockdep_assert_held(&nn->lock);
	if (RB_EMPTY_NODE(&s->device_node))
		return;
	spin_lock_bh(&s->lock);
	nqd_session_tell_down(s, reason, true);
	s->dead = true;
	spin_unlock_bh(&s->lock);
	nqd_figures_session_ends(s);
	nqd_session_names_clear(s);
	nqd_route_forget_session(s);
	rb_erase(&s->device_node, &s->device->sessions);
	RB_CLEAR_NODE(&s->device_node);
	s->device->session_count--;
	list_del_init(&s->socket_node);
	nqd_socket_leave(s->socket);
	nn->changes++;
	list_add_tail(&s->end_node, ended);
}

/* Stops what a session does by itself; nobody finds it any more. */
static void nqd_session_stop(struct nqd_session *s)
{
	nqd_datapath_session_stop(s);
	/* It ends by its own work where CLOSING or DRAINING is over. */
	if (current_work() != &s->work.work && cancel_delayed_work_sync(&s->work))
		nqd_session_put(s);
	spin_lock_bh(&s->lock);
	__skb_queue_purge(&s->held);
	memzero_explicit(s->token, sizeof(s->token));
	s->tokens = 0;
	spin_unlock_bh(&s->lock);
	nqd_keyring_clear(&s->rx_keys);
	nqd_keyring_clear(&s->tx_keys);
	nqd_header_cipher_clear(&s->rx_hp);
	nqd_header_cipher_clear(&s->tx_hp);
	nqd_secrets_free(s->secrets);
	s->secrets = NULL;
}

/**
 * nqd_session_release() - end sessions, second step: wait for who has found them, then wipe their keys
 * @ended: sessions that nqd_session_unlink() has put there
 *
 * Context: may sleep, nqd_net.lock is not held. Nothing is opened or sealed by them afterwards.
 */
void nqd_session_release(struct list_head *ended)
{
	struct nqd_session *s, *next;

	if (list_empty(ended))
		return;
	synchronize_net();
	list_for_each_entry_safe(s, next, ended, end_node) {
		list_del(&s->end_node);
		nqd_session_stop(s);
		nqd_session_put(s);
	}
}

/**
 * nqd_session_end_all() - end all sessions of a device
 * @nd: device
 * @reason: what their session-down says
 *
 * Context: may sleep, nqd_net.lock is not held.
 */
void nqd_session_end_all(struct nqd_device *nd, enum nqd_down_reason reason)
{
	struct nqd_net *nn = nqd_net(nd->net);
	struct nqd_session *s;
	LIST_HEAD(ended);

	mutex_lock(&nn->lock);
	while ((s = nqd_session_from(nd, 0)))
		nqd_session_unlink(s, reason, &ended);
	mutex_unlock(&nn->lock);
	nqd_session_release(&ended);
}

/**
 * nqd_session_end_held() - end the sessions of a device that are in HOLD: their owner is gone
 * @nd: device
 * @ended: list of nqd_session_release()
 *
 * Context: nqd_net.lock is held; may sleep.
 */
void nqd_session_end_held(struct nqd_device *nd, struct list_head *ended)
{
	struct nqd_session *s = nqd_session_from(nd, 0);

	while (s) {
		u64 id = s->id;

		if (!s->running)
			nqd_session_unlink(s, NQD_DOWN_REASON_OWNER_GONE, ended);
		s = id == U64_MAX ? NULL : nqd_session_from(nd, id + 1);
	}
}

/* The next session of a device, in the order of their numbers. */
static struct nqd_session *nqd_session_after(const struct nqd_device *nd, const struct nqd_session *s)
{
	return s->id == U64_MAX ? NULL : nqd_session_from(nd, s->id + 1);
}

/**
 * nqd_session_device_changed() - what sessions have from their device may be another
 * @nd: device
 *
 * Context: nqd_net.lock is held.
 */
void nqd_session_device_changed(struct nqd_device *nd)
{
	struct nqd_session *s;

	for (s = nqd_session_from(nd, 0); s; s = nqd_session_after(nd, s))
		nqd_session_config_outer(s);
}

/**
 * nqd_session_device_adopted() - tell a new owner all that no owner has acknowledged
 * @nd: device
 *
 * Context: nqd_net.lock is held.
 */
void nqd_session_device_adopted(struct nqd_device *nd)
{
	struct nqd_session *s;

	for (s = nqd_session_from(nd, 0); s; s = nqd_session_after(nd, s))
		nqd_owner_resend(s);
}

/**
 * nqd_session_is_reset() - is a datagram a stateless reset of the peer? (RFC 9000 section 10.3.1)
 * @s: its session, with its lock held
 * @datagram: UDP payload that could not be opened
 * @len: its bytes
 *
 * All tokens are compared, each in constant time.
 *
 * Return: true if it ends with a token.
 */
bool nqd_session_is_reset(const struct nqd_session *s, const u8 *datagram, u32 len)
{
	bool found = false;
	u32 i;

	lockdep_assert_held(&s->lock);
	if (len < NQD_SESSION_RESET_MIN)
		return false;
	for (i = 0; i < s->tokens; i++)
		found |= !crypto_memneq(datagram + len - NQD_RESET_TOKEN_LEN, s->token[i].token,
					NQD_RESET_TOKEN_LEN);
	return found;
}

/**
 * nqd_session_init() - get ready for sessions
 *
 * Return: 0 or a negative error.
 */
int nqd_session_init(void)
{
	int err;

	nqd_session_queue = alloc_workqueue("nexus_quic_dco", WQ_UNBOUND, 0);
	if (!nqd_session_queue)
		return -ENOMEM;
	err = nqd_session_find_init();
	if (err)
		destroy_workqueue(nqd_session_queue);
	return err;
}

/**
 * nqd_session_exit() - sessions are gone, and every device; wait for what they leave
 */
void nqd_session_exit(void)
{
	/* Keys may still be on their way to their work; and functions of the module to call_rcu(). */
	rcu_barrier();
	destroy_workqueue(nqd_session_queue);
	rcu_barrier();
	nqd_session_find_exit();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Which session a datagram belongs to.
 *
 * One table for all namespaces: a socket is part of every key. Its hash has a random seed; what is in it
 * was chosen by this end or is the address of an authenticated peer. Looked up under RCU; changed under
 * nqd_net.lock of the session's namespace.
 */
#include <linux/hash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "session.h"
#include "session_find.h"
#include "socket.h"

static struct rhashtable nqd_session_table;

/* Enough for numbers that nobody else chooses: every packet needs it. The shift lets high bytes count too. */
static u32 nqd_session_key_hash(const void *data, u32 len, u32 seed)
{
	const struct nqd_session_key *key = data;
	u64 hash = (unsigned long)key->socket + seed;

	hash = (hash ^ key->words[0]) * GOLDEN_RATIO_64;
	hash = (hash ^ hash >> 32 ^ key->words[1]) * GOLDEN_RATIO_64;
	hash = (hash ^ hash >> 32 ^ key->words[2]) * GOLDEN_RATIO_64;
	return hash >> 32;
}

static bool nqd_session_key_equal(const struct nqd_session_key *a, const struct nqd_session_key *b)
{
	return a->socket == b->socket && a->words[0] == b->words[0] && a->words[1] == b->words[1] &&
	       a->words[2] == b->words[2];
}

static int nqd_session_name_other(struct rhashtable_compare_arg *arg, const void *object)
{
	const struct nqd_session_name *name = object;

	return !nqd_session_key_equal(&name->key, arg->key);
}

static const struct rhashtable_params nqd_session_table_params = {
	.key_len = sizeof(struct nqd_session_key),
	.key_offset = offsetof(struct nqd_session_name, key),
	.head_offset = offsetof(struct nqd_session_name, node),
	.hashfn = nqd_session_key_hash,
	.obj_cmpfn = nqd_session_name_other,
	.automatic_shrinking = true,
};

static void nqd_session_key_address(struct nqd_session_key *key, const union nqd_address *remote)
{
	if (remote->family == AF_INET) {
		memcpy(key->bytes, &remote->v4.sin_addr, 4);
		memcpy(key->bytes + 16, &remote->v4.sin_port, 2);
	} else {
		memcpy(key->bytes, &remote->v6.sin6_addr, 16);
		memcpy(key->bytes + 16, &remote->v6.sin6_port, 2);
		memcpy(key->bytes + 20, &remote->v6.sin6_scope_id, 4);
	}
	key->bytes[18] = remote->family;
}

/**
 * nqd_session_find() - whose datagram is it?
 * @socket: socket that it came by
 * @datagram: UDP payload with a short header
 * @len: its bytes
 * @remote: its sender
 *
 * Context: rcu_read_lock() is held.
 *
 * Return: the session, valid as long as the lock is held; NULL if it is nobody's.
 */
struct nqd_session *nqd_session_find(const struct nqd_socket *socket, const u8 *datagram, u32 len,
				     const union nqd_address *remote)
{
	struct nqd_session_key key = { .socket = socket };
	const struct nqd_session_name *name;

	if (socket->cid_len) {
		/* RFC 9000 section 17.3.1: the connection ID lies behind the first byte. */
		if (len < 1 + socket->cid_len)
			return NULL;
		nqd_session_cid_copy(key.bytes, datagram + 1, socket->cid_len);
	} else {
		nqd_session_key_address(&key, remote);
	}
	name = rhashtable_lookup(&nqd_session_table, &key, nqd_session_table_params);
	return name ? name->session : NULL;
}

static bool nqd_session_names_has(const struct nqd_session_names *names, const struct nqd_session_key *key)
{
	u32 i;

	for (i = 0; i < names->count; i++)
		if (nqd_session_key_equal(&names->name[i]->key, key))
			return true;
	return false;
}

static void nqd_session_name_remove(struct nqd_session_name *name)
{
	rhashtable_remove_fast(&nqd_session_table, &name->node, nqd_session_table_params);
	kfree_rcu(name, rcu);
}

static int nqd_session_name_add(struct nqd_session *s, struct nqd_session_names *added,
				const struct nqd_session_key *key)
{
	struct nqd_session_name *name = kzalloc(sizeof(*name), GFP_KERNEL);
	int err;

	if (!name)
		return -ENOMEM;
	name->key = *key;
	name->session = s;
	err = rhashtable_lookup_insert_fast(&nqd_session_table, &name->node, nqd_session_table_params);
	if (err) {
		kfree(name);
		/* The table is being made larger and could not be: not the caller's fault. */
		return err == -EEXIST ? err : -ENOMEM;
	}
	added->name[added->count++] = name;
	return 0;
}

/**
 * nqd_session_names_set() - let a session be found by these connection IDs, and by no others
 * @s: session with its socket and its peer's address
 * @cids: connection IDs, all as long as the socket's; an empty one stands for the peer's address
 * @count: their number, 1 to 8
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: 0; -EEXIST where another session has one of them, -ENOMEM; nothing has changed then.
 */
int nqd_session_names_set(struct nqd_session *s, const struct nqd_cid *cids, u32 count)
{
	struct nqd_session_names kept = {}, added = {};
	struct nqd_session_key key[NQD_LOCAL_CIDS_MAX];
	u32 i, j;
	int err;

	memset(key, 0, sizeof(key));
	for (i = 0; i < count; i++) {
		key[i].socket = s->socket;
		if (s->socket->cid_len)
			memcpy(key[i].bytes, cids[i].id, s->socket->cid_len);
		else
			nqd_session_key_address(&key[i], &s->remote);
		if (nqd_session_names_has(&s->names, &key[i]))
			continue;
		err = nqd_session_name_add(s, &added, &key[i]);
		if (err) {
			while (added.count)
				nqd_session_name_remove(added.name[--added.count]);
			return err;
		}
	}
	for (i = 0; i < s->names.count; i++) {
		for (j = 0; j < count; j++)
			if (nqd_session_key_equal(&s->names.name[i]->key, &key[j]))
				break;
		if (j < count)
			kept.name[kept.count++] = s->names.name[i];
		else
			nqd_session_name_remove(s->names.name[i]);
	}
	for (i = 0; i < added.count; i++)
		kept.name[kept.count++] = added.name[i];
	s->names = kept;
	return 0;
}

/**
 * nqd_session_names_clear() - let a session be found no more
 * @s: session
 *
 * Context: nqd_net.lock is held.
 */
void nqd_session_names_clear(struct nqd_session *s)
{
	while (s->names.count)
		nqd_session_name_remove(s->names.name[--s->names.count]);
}

/**
 * nqd_session_find_init() - make the table
 *
 * Return: 0 or a negative error.
 */
int nqd_session_find_init(void)
{
	return rhashtable_init(&nqd_session_table, &nqd_session_table_params);
}

/**
 * nqd_session_find_exit() - free the table, which is empty
 */
void nqd_session_find_exit(void)
{
	rhashtable_destroy(&nqd_session_table);
}

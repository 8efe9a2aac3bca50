/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packet protection keys of one direction of a session, by generation (RFC 9001 section 6).
 *
 * The protocol core says which generation opens and seals a packet (proto/keys.h); here are its ciphers,
 * in slot "generation & 3". A slot is read under RCU and changed by one at a time: before the session is
 * active by its activation, then under nqd_session.lock. What is taken out of a slot is wiped and freed
 * once no reader and no packet on its way through an asynchronous cipher has it any more.
 */
#ifndef _NQD_KEYRING_H
#define _NQD_KEYRING_H

#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#include "protection.h"
#include "proto/keys.h"
#include "rcu.h"

/**
 * struct nqd_key - packet protection key of one direction and generation
 * @packet: the cipher
 * @generation: key updates before it
 * @refs: one of the slot, one of each packet on its way through an asynchronous cipher
 * @free_work: wipes and frees it, in process context
 */
struct nqd_key {
	struct nqd_packet_aead packet;
	u64 generation;
	refcount_t refs;
	struct rcu_work free_work;
};

/**
 * struct nqd_keyring - keys of one direction
 * @slot: by the lowest bits of the generation
 */
struct nqd_keyring {
	struct nqd_key __rcu *slot[NQD_KEYS_SLOTS];
};

struct nqd_key *nqd_key_alloc(const struct nqd_suite *suite, const struct nqd_packet_key *from,
			      u64 generation,
			      const char **why);
void nqd_key_free(struct nqd_key *key);
void nqd_key_put(struct nqd_key *key);

void nqd_keyring_install(struct nqd_keyring *ring, struct nqd_key *key);
void nqd_keyring_forget(struct nqd_keyring *ring, u64 oldest);
void nqd_keyring_clear(struct nqd_keyring *ring);

/**
 * nqd_key_get() - keep a key beyond the RCU read side
 * @key: key that was found in a ring
 *
 * Return: true, to be given back by nqd_key_put(); false if it has just been given up.
 */
static inline bool nqd_key_get(struct nqd_key *key)
{
	return refcount_inc_not_zero(&key->refs);
}

/**
 * nqd_keyring_key() - the key of a generation
 * @ring: keys of the direction
 * @generation: key updates before it
 *
 * Context: rcu_read_lock() is held, or BH is off.
 *
 * Return: the key, valid as long as the lock is held, or NULL if it is not there.
 */
static inline struct nqd_key *nqd_keyring_key(const struct nqd_keyring *ring, u64 generation)
{
	struct nqd_key *key = nqd_rcu_dereference(ring->slot[generation & NQD_KEYS_SLOT_MASK]);

	return likely(key && key->generation == generation) ? key : NULL;
}

#endif /* _NQD_KEYRING_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Packet protection keys of one direction, by generation.
 */
#include <linux/slab.h>

#include "keyring.h"
#include "session.h"

/* Slots have one owner at a time, see keyring.h. */
#define nqd_keyring_own(pointer) rcu_dereference_protected(pointer, true)

/**
 * nqd_key_free() - wipe and free a key that nobody can have any more
 * @key: key or NULL
 *
 * Context: may sleep.
 */
void nqd_key_free(struct nqd_key *key)
{
	if (!key)
		return;
	nqd_packet_aead_clear(&key->packet);
	kfree_sensitive(key);
}

static void nqd_key_free_work(struct work_struct *work)
{
	nqd_key_free(container_of(to_rcu_work(work), struct nqd_key, free_work));
}

/**
 * nqd_key_alloc() - take a packet protection key
 * @suite: its cipher suite
 * @from: as user space gives it
 * @generation: key updates before it
 * @why: set to the reason of a refusal
 *
 * Context: may sleep.
 *
 * Return: a key with one reference, or an error pointer.
 */
struct nqd_key *nqd_key_alloc(const struct nqd_suite *suite, const struct nqd_packet_key *from,
			      u64 generation,
			      const char **why)
{
	struct nqd_key *key = kzalloc(sizeof(*key), GFP_KERNEL);
	int err;

	if (!key) {
		*why = "no memory for a packet key";
		return ERR_PTR(-ENOMEM);
	}
	err = nqd_packet_aead_init(&key->packet, suite, from, why);
	if (err) {
		kfree(key);
		return ERR_PTR(err);
	}
	key->generation = generation;
	refcount_set(&key->refs, 1);
	INIT_RCU_WORK(&key->free_work, nqd_key_free_work);
	return key;
}

/**
 * nqd_key_put() - give a reference back
 * @key: key
 *
 * Context: any. It is freed later, in process context.
 */
void nqd_key_put(struct nqd_key *key)
{
	if (refcount_dec_and_test(&key->refs))
		queue_rcu_work(nqd_session_queue, &key->free_work);
}

/**
 * nqd_keyring_install() - put a key into its slot, instead of the one that is there
 * @ring: keys of the direction, which the caller may change
 * @key: key; the caller's reference goes to the ring
 */
void nqd_keyring_install(struct nqd_keyring *ring, struct nqd_key *key)
{
	struct nqd_key __rcu **slot = &ring->slot[key->generation & NQD_KEYS_SLOT_MASK];
	struct nqd_key *former = nqd_keyring_own(*slot);

	rcu_assign_pointer(*slot, key);
	if (former)
		nqd_key_put(former);
}

/**
 * nqd_keyring_forget() - give up old keys (RFC 9001 section 6.5)
 * @ring: keys of the direction, which the caller may change
 * @oldest: generation of the oldest that stay
 */
void nqd_keyring_forget(struct nqd_keyring *ring, u64 oldest)
{
	unsigned int i;

	for (i = 0; i < NQD_KEYS_SLOTS; i++) {
		struct nqd_key *key = nqd_keyring_own(ring->slot[i]);

		if (!key || key->generation >= oldest)
			continue;
		RCU_INIT_POINTER(ring->slot[i], NULL);
		nqd_key_put(key);
	}
}

/**
 * nqd_keyring_clear() - wipe all keys now
 * @ring: keys of a session that nobody can find any more, since a grace period
 *
 * Context: may sleep. A key that an asynchronous cipher still uses goes when that has ended.
 */
void nqd_keyring_clear(struct nqd_keyring *ring)
{
	unsigned int i;

	for (i = 0; i < NQD_KEYS_SLOTS; i++) {
		struct nqd_key *key = nqd_keyring_own(ring->slot[i]);

		RCU_INIT_POINTER(ring->slot[i], NULL);
		if (key && refcount_dec_and_test(&key->refs))
			nqd_key_free(key);
	}
}

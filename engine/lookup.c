// SPDX-License-Identifier: BSD-3-Clause
#include "lookup.h"

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <stdlib.h>
#include <sys/random.h>

#define SMALLEST_TABLE 16
#define ADDRESS_KEY 0xff

int nqe_lookup_init(struct nqe_lookup *t)
{
	memset(t, 0, sizeof(*t));
	return getrandom(t->seed, sizeof(t->seed), 0) == sizeof(t->seed) ? 0 : -EIO;
}

void nqe_lookup_free(struct nqe_lookup *t)
{
	free(t->slot);
	memset(t, 0, sizeof(*t));
}

struct nqe_lookup_key nqe_lookup_cid(u32 socket, const u8 *cid, u8 len)
{
	struct nqe_lookup_key key = { .socket = socket, .len = len };

	memcpy(key.bytes, cid, len);
	return key;
}

struct nqe_lookup_key nqe_lookup_address(u32 socket, const struct nqe_address *remote)
{
	struct nqe_lookup_key key = { .socket = socket, .len = ADDRESS_KEY };

	memcpy(key.bytes, remote->ip, 16);
	key.bytes[16] = remote->family;
	put_unaligned_be16(remote->port, key.bytes + 17);
	return key;
}

/* A multiply-xor mix from a secret seed. */
static u64 nqe_lookup_mix(u64 h, u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ (h >> 29);
}

static u32 nqe_lookup_hash(const struct nqe_lookup *t, const struct nqe_lookup_key *key)
{
	u64 a, b;
	u32 c;

	memcpy(&a, key->bytes, 8);
	memcpy(&b, key->bytes + 8, 8);
	memcpy(&c, key->bytes + 16, 4);
	a = nqe_lookup_mix(t->seed[0] ^ key->socket, a);
	a = nqe_lookup_mix(a + t->seed[1], b);
	a = nqe_lookup_mix(a + t->seed[0], (u64)c << 8 | key->len);
	return (u32)(a >> 32);
}

static bool nqe_lookup_same(const struct nqe_lookup_key *a, const struct nqe_lookup_key *b)
{
	return a->socket == b->socket && a->len == b->len &&
	       !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static struct nqe_lookup_slot *nqe_lookup_find(const struct nqe_lookup *t,
					       const struct nqe_lookup_key *key)
{
	u32 mask = t->capacity - 1, i;

	if (!t->capacity)
		return NULL;
	for (i = nqe_lookup_hash(t, key) & mask; t->slot[i].value; i = (i + 1) & mask)
		if (nqe_lookup_same(&t->slot[i].key, key))
			return &t->slot[i];
	return NULL;
}

static void nqe_lookup_place(struct nqe_lookup *t, const struct nqe_lookup_key *key, void *value)
{
	u32 mask = t->capacity - 1, i = nqe_lookup_hash(t, key) & mask;

	while (t->slot[i].value)
		i = (i + 1) & mask;
	t->slot[i] = (struct nqe_lookup_slot){ *key, value };
}

int nqe_lookup_add(struct nqe_lookup *t, const struct nqe_lookup_key *key, void *value)
{
	if (nqe_lookup_find(t, key))
		return -EEXIST;
	if (t->count * 2 >= t->capacity) {
		struct nqe_lookup bigger = *t;
		u32 i;

		bigger.capacity = t->capacity ? t->capacity * 2 : SMALLEST_TABLE;
		bigger.slot = calloc(bigger.capacity, sizeof(*bigger.slot));
		if (!bigger.slot)
			return -ENOMEM;
		for (i = 0; i < t->capacity; i++)
			if (t->slot[i].value)
				nqe_lookup_place(&bigger, &t->slot[i].key, t->slot[i].value);
		free(t->slot);
		*t = bigger;
	}
	nqe_lookup_place(t, key, value);
	t->count++;
	return 0;
}

void *nqe_lookup_get(const struct nqe_lookup *t, const struct nqe_lookup_key *key)
{
	struct nqe_lookup_slot *slot = nqe_lookup_find(t, key);

	return slot ? slot->value : NULL;
}

void nqe_lookup_remove(struct nqe_lookup *t, const struct nqe_lookup_key *key)
{
	struct nqe_lookup_slot *slot = nqe_lookup_find(t, key);
	u32 mask = t->capacity - 1, hole, i;

	if (!slot)
		return;
	t->count--;
	hole = (u32)(slot - t->slot);
	i = hole;
	/* Moves up those behind that would no longer be found. */
	for (;;) {
		i = (i + 1) & mask;
		if (!t->slot[i].value)
			break;
		if (((i - nqe_lookup_hash(t, &t->slot[i].key)) & mask) >= ((i - hole) & mask)) {
			t->slot[hole] = t->slot[i];
			hole = i;
		}
	}
	memset(&t->slot[hole], 0, sizeof(t->slot[hole]));
}

// SPDX-License-Identifier: BSD-3-Clause
#include "route.h"

#include <linux/errno.h>
#include <linux/string.h>
#include <stdlib.h>

#define SMALLEST_TABLE 8

/* Copies the first @len bits, zeros behind. */
static void nqe_route_mask(u8 *out, const u8 *ip, u32 len)
{
	memset(out, 0, 16);
	memcpy(out, ip, len / 8);
	if (len % 8)
		out[len / 8] = (u8)(ip[len / 8] & (0xff00 >> (len % 8)));
}

/* Prefixes come from the control plane, so nobody can aim at a bucket. */
static u32 nqe_route_hash(u8 family, const u8 *ip, u32 len)
{
	u64 words[2], h;

	memcpy(words, ip, sizeof(words));
	h = (words[0] ^ (words[1] * 0x9e3779b97f4a7c15ULL) ^ ((u32)family << 8 | len)) *
	    0xd6e8feb86659fd93ULL;
	return (u32)(h >> 32) ^ (u32)h;
}

static struct nqe_route *nqe_route_find(const struct nqe_route_table *t, u8 family, const u8 *ip,
					u32 len)
{
	u32 i;

	if (!t->capacity)
		return NULL;
	for (i = nqe_route_hash(family, ip, len) & (t->capacity - 1); t->slot[i].value;
	     i = (i + 1) & (t->capacity - 1))
		if (t->slot[i].len == len && t->slot[i].family == family &&
		    !memcmp(t->slot[i].ip, ip, 16))
			return &t->slot[i];
	return NULL;
}

static void nqe_route_place(struct nqe_route_table *t, const struct nqe_route *route)
{
	u32 i = nqe_route_hash(route->family, route->ip, route->len) & (t->capacity - 1);

	while (t->slot[i].value)
		i = (i + 1) & (t->capacity - 1);
	t->slot[i] = *route;
}

static int nqe_route_grow(struct nqe_route_table *t)
{
	struct nqe_route_table bigger = *t;
	u32 i;

	bigger.capacity = t->capacity ? t->capacity * 2 : SMALLEST_TABLE;
	bigger.slot = calloc(bigger.capacity, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (i = 0; i < t->capacity; i++)
		if (t->slot[i].value)
			nqe_route_place(&bigger, &t->slot[i]);
	free(t->slot);
	*t = bigger;
	return 0;
}

static int nqe_route_key(u8 family, const u8 *ip, u32 len, u8 *key)
{
	u32 size = family == 4 ? 4 : 16;

	if ((family != 4 && family != 6) || len > size * 8)
		return -EINVAL;
	nqe_route_mask(key, ip, len);
	return memcmp(key, ip, size) ? -EINVAL : 0;
}

int nqe_route_add(struct nqe_route_table *t, u8 family, const u8 *ip, u8 len, void *value)
{
	struct nqe_route route = { .value = value, .family = family, .len = len };
	struct nqe_route *known;
	int err = nqe_route_key(family, ip, len, route.ip);

	if (err)
		return err;
	known = nqe_route_find(t, family, route.ip, len);
	if (known) {
		known->value = value;
		return 0;
	}
	if (t->count * 2 >= t->capacity) {
		err = nqe_route_grow(t);
		if (err)
			return err;
	}
	nqe_route_place(t, &route);
	t->count++;
	t->lengths[family == 6][len]++;
	return 0;
}

/* Empties a slot and moves those behind it that would no longer be found. */
static void nqe_route_clear(struct nqe_route_table *t, struct nqe_route *route)
{
	u32 mask = t->capacity - 1, hole = (u32)(route - t->slot), i = hole;

	t->count--;
	t->lengths[route->family == 6][route->len]--;
	for (;;) {
		u32 home;

		i = (i + 1) & mask;
		if (!t->slot[i].value)
			break;
		home = nqe_route_hash(t->slot[i].family, t->slot[i].ip, t->slot[i].len) & mask;
		/* Movable unless its home lies between the hole and where it is. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slot[hole] = t->slot[i];
			hole = i;
		}
	}
	memset(&t->slot[hole], 0, sizeof(t->slot[hole]));
}

int nqe_route_remove(struct nqe_route_table *t, u8 family, const u8 *ip, u8 len)
{
	struct nqe_route *route;
	u8 key[16];
	int err = nqe_route_key(family, ip, len, key);

	if (err)
		return err;
	route = nqe_route_find(t, family, key, len);
	if (!route)
		return -ENOENT;
	nqe_route_clear(t, route);
	return 0;
}

void nqe_route_remove_value(struct nqe_route_table *t, const void *value)
{
	u32 i, cleared;

	/*
	 * Clearing moves entries, also from the table's front to its end: until a pass finds none.
	 */
	do {
		cleared = 0;
		for (i = 0; i < t->capacity; i++) {
			if (t->slot[i].value && t->slot[i].value == value) {
				nqe_route_clear(t, &t->slot[i]);
				cleared++;
			}
		}
	} while (cleared);
}

void *nqe_route_get(const struct nqe_route_table *t, u8 family, const u8 *ip, u8 len)
{
	struct nqe_route *route;
	u8 key[16];

	if (nqe_route_key(family, ip, len, key))
		return NULL;
	route = nqe_route_find(t, family, key, len);
	return route ? route->value : NULL;
}

void *nqe_route_lookup(const struct nqe_route_table *t, u8 family, const u8 *ip)
{
	u32 len = family == 4 ? 32 : 128;
	u8 key[16];

	if (!t->count)
		return NULL;
	for (;; len--) {
		if (t->lengths[family == 6][len]) {
			struct nqe_route *route;

			nqe_route_mask(key, ip, len);
			route = nqe_route_find(t, family, key, len);
			if (route)
				return route->value;
		}
		if (!len)
			return NULL;
	}
}

void nqe_route_free(struct nqe_route_table *t)
{
	free(t->slot);
	memset(t, 0, sizeof(*t));
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Longest prefix match by a path-compressed binary trie.
 *
 * Every node has a prefix that all below it share. Going down from a node, the bit behind its prefix
 * says which child. A node without a value exists only to fork, so it has two children.
 *
 * Readers are under RCU (rcu.h). Changes are serialised by the caller, who owns the set; each is one
 * pointer being replaced, so that a reader sees the set before it or after it.
 */
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "rcu.h"
#include "routes.h"

/**
 * struct nqd_route_node - a prefix in the trie
 * @child: longer prefixes, by the bit behind this one
 * @value: of the prefix, NULL for a fork
 * @rcu: to be freed when no reader is left
 * @len: bits of the prefix
 * @address: of the prefix, zero beyond @len
 * @words: the same, as numbers, for the look-up
 * @masks: which bits of @words count
 */
struct nqd_route_node {
	struct nqd_route_node __rcu *child[2];
	void __rcu *value;
	struct rcu_head rcu;
	u8 len;
	u8 address[16];
	u64 words[2];
	u64 masks[2];
};

/* Nobody reads the value through a set that is being changed but its owner. */
#define nqd_routes_own(pointer) rcu_dereference_protected(pointer, true)

static unsigned int nqd_routes_bits(u16 family)
{
	return family == AF_INET ? 32 : 128;
}

static unsigned int nqd_routes_bit(const u8 *address, unsigned int at)
{
	return address[at / 8] >> (7 - at % 8) & 1;
}

/* Bits that two addresses have in common from the start, at most @limit. */
static unsigned int nqd_routes_common(const u8 *a, const u8 *b, unsigned int limit)
{
	unsigned int at = 0;

	while (at + 8 <= limit && a[at / 8] == b[at / 8])
		at += 8;
	while (at < limit && nqd_routes_bit(a, at) == nqd_routes_bit(b, at))
		at++;
	return at;
}

static bool nqd_routes_covers(const struct nqd_route_node *node, const u8 *address, unsigned int len)
{
	return node->len <= len && nqd_routes_common(node->address, address, node->len) == node->len;
}

static struct nqd_route_node *nqd_routes_node(const u8 *address, unsigned int len, void *value)
{
	struct nqd_route_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	unsigned int bytes = len / 8;

	if (!node)
		return NULL;
	RCU_INIT_POINTER(node->value, value);
	node->len = len;
	memcpy(node->address, address, bytes);
	if (len % 8)
		node->address[bytes] = address[bytes] & (0xff00 >> len % 8);
	node->words[0] = get_unaligned_be64(node->address);
	node->words[1] = get_unaligned_be64(node->address + 8);
	node->masks[0] = len ? U64_MAX << (64 - min(len, 64U)) : 0;
	node->masks[1] = len > 64 ? U64_MAX << (128 - len) : 0;
	return node;
}

/* The place in the trie where the prefix is, or belongs; @above is set to the place it hangs from. */
static struct nqd_route_node __rcu **nqd_routes_place(struct nqd_routes *routes,
						      const struct nqd_prefix *prefix,
						      struct nqd_route_node __rcu ***above)
{
	struct nqd_route_node __rcu **place = &routes->root[prefix->family == AF_INET6];
	struct nqd_route_node *node;

	*above = NULL;
	while ((node = nqd_routes_own(*place)) && node->len < prefix->prefix_len &&
	       nqd_routes_covers(node, prefix->address, prefix->prefix_len)) {
		*above = place;
		place = &node->child[nqd_routes_bit(prefix->address, node->len)];
	}
	return place;
}

static bool nqd_routes_is(const struct nqd_route_node *node, const struct nqd_prefix *prefix)
{
	return node && node->len == prefix->prefix_len &&
	       nqd_routes_covers(node, prefix->address, prefix->prefix_len);
}

/**
 * nqd_routes_check() - is it a prefix as the ABI wants it?
 * @prefix: prefix
 * @why: set to the reason of a refusal
 *
 * Return: 0 or -EINVAL.
 */
int nqd_routes_check(const struct nqd_prefix *prefix, const char **why)
{
	unsigned int bits, at;

	if (prefix->family != AF_INET && prefix->family != AF_INET6) {
		*why = "a prefix is neither IPv4 nor IPv6";
		return -EINVAL;
	}
	bits = nqd_routes_bits(prefix->family);
	if (prefix->prefix_len > bits) {
		*why = "a prefix is longer than its address";
		return -EINVAL;
	}
	if (memchr_inv(prefix->pad, 0, sizeof(prefix->pad))) {
		*why = "the padding of a prefix is not zero";
		return -EINVAL;
	}
	for (at = prefix->prefix_len; at < 128; at++) {
		if (nqd_routes_bit(prefix->address, at)) {
			*why = "a prefix has a bit set beyond its length";
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * nqd_routes_set() - add a prefix, or give one that is there another value
 * @routes: set
 * @prefix: one that nqd_routes_check() accepts
 * @value: its value, not NULL
 * @former: set to the value that it had, or NULL; readers may use that one until a grace period has passed
 *
 * Context: may sleep; the caller serialises changes.
 *
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int nqd_routes_set(struct nqd_routes *routes, const struct nqd_prefix *prefix, void *value, void **former)
{
	struct nqd_route_node __rcu **above, **place = nqd_routes_place(routes, prefix, &above);
	struct nqd_route_node *below = nqd_routes_own(*place);
	struct nqd_route_node *node, *fork;
	unsigned int common;

	*former = NULL;
	if (nqd_routes_is(below, prefix)) {
		*former = nqd_routes_own(below->value);
		rcu_assign_pointer(below->value, value);
		routes->count += !*former;
		return 0;
	}
	node = nqd_routes_node(prefix->address, prefix->prefix_len, value);
	if (!node)
		return -ENOMEM;
	if (below) {
		common = nqd_routes_common(below->address, prefix->address,
					   min_t(unsigned int, below->len, prefix->prefix_len));
		if (common == prefix->prefix_len) {
			/* It covers what is there. */
			RCU_INIT_POINTER(node->child[nqd_routes_bit(below->address, common)], below);
		} else {
			fork = nqd_routes_node(prefix->address, common, NULL);
			if (!fork) {
				kfree(node);
				return -ENOMEM;
			}
			RCU_INIT_POINTER(fork->child[nqd_routes_bit(prefix->address, common)], node);
			RCU_INIT_POINTER(fork->child[nqd_routes_bit(below->address, common)], below);
			node = fork;
		}
	}
	rcu_assign_pointer(*place, node);
	routes->count++;
	return 0;
}

/* Takes a node without value out if it does not fork. */
static void nqd_routes_prune(struct nqd_route_node __rcu **place)
{
	struct nqd_route_node *node = nqd_routes_own(*place);
	struct nqd_route_node *left = nqd_routes_own(node->child[0]);
	struct nqd_route_node *right = nqd_routes_own(node->child[1]);

	if (nqd_routes_own(node->value) || (left && right))
		return;
	rcu_assign_pointer(*place, left ? left : right);
	kfree_rcu(node, rcu);
}

/**
 * nqd_routes_remove() - take a prefix out
 * @routes: set
 * @prefix: one that nqd_routes_check() accepts
 *
 * Context: the caller serialises changes.
 *
 * Return: the value that it had, which readers may use until a grace period has passed; NULL if it was not
 * there.
 */
void *nqd_routes_remove(struct nqd_routes *routes, const struct nqd_prefix *prefix)
{
	struct nqd_route_node __rcu **above, **place = nqd_routes_place(routes, prefix, &above);
	struct nqd_route_node *node = nqd_routes_own(*place);
	void *value;

	if (!nqd_routes_is(node, prefix))
		return NULL;
	value = nqd_routes_own(node->value);
	if (!value)
		return NULL;
	RCU_INIT_POINTER(node->value, NULL);
	routes->count--;
	nqd_routes_prune(place);
	/* The node above may have been a fork between the one removed and another. */
	if (above)
		nqd_routes_prune(above);
	return value;
}

/**
 * nqd_routes_exact() - the value of a prefix itself
 * @routes: set
 * @prefix: one that nqd_routes_check() accepts
 *
 * Context: the caller serialises changes.
 *
 * Return: its value, or NULL if it is not there.
 */
void *nqd_routes_exact(const struct nqd_routes *routes, const struct nqd_prefix *prefix)
{
	struct nqd_route_node __rcu **above, **place;
	struct nqd_route_node *node;

	place = nqd_routes_place((struct nqd_routes *)routes, prefix, &above);
	node = nqd_routes_own(*place);
	return nqd_routes_is(node, prefix) ? nqd_routes_own(node->value) : NULL;
}

/**
 * nqd_routes_lookup() - the value of the longest prefix that covers an address
 * @routes: set
 * @family: AF_INET or AF_INET6
 * @address: 4 or 16 bytes in network byte order
 *
 * Context: rcu_read_lock() is held, or BH is off.
 *
 * Return: a value, valid as long as the lock is held, or NULL.
 */
void *nqd_routes_lookup(const struct nqd_routes *routes, u16 family, const void *address)
{
	const struct nqd_route_node *node = nqd_rcu_dereference(routes->root[family == AF_INET6]);
	unsigned int bits = nqd_routes_bits(family);
	void *found = NULL, *value;
	u64 high, low = 0;

	if (family == AF_INET) {
		high = (u64)get_unaligned_be32(address) << 32;
	} else {
		high = get_unaligned_be64(address);
		low = get_unaligned_be64((const u8 *)address + 8);
	}
	while (node && !((node->words[0] ^ high) & node->masks[0]) &&
	       !((node->words[1] ^ low) & node->masks[1])) {
		value = nqd_rcu_dereference(node->value);
		if (value)
			found = value;
		if (node->len == bits)
			break;
		node = nqd_rcu_dereference(node->child[nqd_routes_bit(address, node->len)]);
	}
	return found;
}

/* A node without children below a place, or at it. */
static struct nqd_route_node __rcu **nqd_routes_leaf(struct nqd_route_node __rcu **place)
{
	struct nqd_route_node *node = nqd_routes_own(*place);
	unsigned int side = 0;

	while (side < 2) {
		if (!nqd_routes_own(node->child[side])) {
			side++;
			continue;
		}
		place = &node->child[side];
		node = nqd_routes_own(*place);
		side = 0;
	}
	return place;
}

/**
 * nqd_routes_clear() - take all prefixes out; what they stood for is the caller's
 * @routes: set
 *
 * Context: the caller serialises changes.
 */
void nqd_routes_clear(struct nqd_routes *routes)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		while (nqd_routes_own(routes->root[i])) {
			struct nqd_route_node __rcu **place = nqd_routes_leaf(&routes->root[i]);
			struct nqd_route_node *leaf = nqd_routes_own(*place);

			RCU_INIT_POINTER(*place, NULL);
			kfree_rcu(leaf, rcu);
		}
	}
	routes->count = 0;
}

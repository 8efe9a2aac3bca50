/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prefix table for IPv4 and IPv6, longest prefix first: destinations to sessions on the way out,
 * allowed sources on the way in. A hash table of prefixes, probed once for each prefix length that
 * is in use: networks have thousands of prefixes, but few lengths.
 */
#ifndef NQE_ROUTE_H
#define NQE_ROUTE_H

#include <linux/types.h>

#define NQE_ROUTE_LENGTHS 129

/**
 * struct nqe_route - one prefix
 * @value: what it leads to; NULL: the slot is free
 * @ip: address, host bits zero; IPv4 in the first 4 bytes
 * @family: 4 or 6
 * @len: prefix length
 */
struct nqe_route {
	void *value;
	u8 ip[16];
	u8 family;
	u8 len;
};

/**
 * struct nqe_route_table - the table; all zero is an empty one
 * @slot: open addressing, linear probing
 * @capacity: slots, a power of two or 0
 * @count: prefixes
 * @lengths: prefixes of each length, for IPv4 and IPv6
 */
struct nqe_route_table {
	struct nqe_route *slot;
	u32 capacity;
	u32 count;
	u32 lengths[2][NQE_ROUTE_LENGTHS];
};

/**
 * nqe_route_add - insert a prefix, or let it lead elsewhere
 * @t: table
 * @family: 4 or 6
 * @ip: address, 4 or 16 bytes
 * @len: prefix length
 * @value: not NULL
 *
 * Return: 0, -EINVAL (bad family, length, or host bits set), -ENOMEM.
 */
int nqe_route_add(struct nqe_route_table *t, u8 family, const u8 *ip, u8 len, void *value);

/* Takes a prefix out; -ENOENT where it is not there. */
int nqe_route_remove(struct nqe_route_table *t, u8 family, const u8 *ip, u8 len);

/* Takes out all that leads to @value. */
void nqe_route_remove_value(struct nqe_route_table *t, const void *value);

/* What the longest prefix of an address leads to, or NULL. */
void *nqe_route_lookup(const struct nqe_route_table *t, u8 family, const u8 *ip);

/* What exactly this prefix leads to, or NULL. */
void *nqe_route_get(const struct nqe_route_table *t, u8 family, const u8 *ip, u8 len);

void nqe_route_free(struct nqe_route_table *t);

#endif

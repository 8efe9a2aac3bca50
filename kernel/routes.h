/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Longest prefix match: IPv4 and IPv6 prefixes, each with a value, looked up under RCU.
 */
#ifndef _NQD_ROUTES_H
#define _NQD_ROUTES_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "uapi/nexus_quic_dco.h"

struct nqd_route_node;

/**
 * struct nqd_routes - a set of prefixes
 * @root: tries of IPv4 and of IPv6
 * @count: prefixes in both; protected by the lock of whoever changes the set
 */
struct nqd_routes {
	struct nqd_route_node __rcu *root[2];
	u32 count;
};

/**
 * nqd_routes_init() - an empty set
 * @routes: set
 */
static inline void nqd_routes_init(struct nqd_routes *routes)
{
	RCU_INIT_POINTER(routes->root[0], NULL);
	RCU_INIT_POINTER(routes->root[1], NULL);
	routes->count = 0;
}

int nqd_routes_check(const struct nqd_prefix *prefix, const char **why);
int nqd_routes_set(struct nqd_routes *routes, const struct nqd_prefix *prefix, void *value, void **former);
void *nqd_routes_remove(struct nqd_routes *routes, const struct nqd_prefix *prefix);
void *nqd_routes_exact(const struct nqd_routes *routes, const struct nqd_prefix *prefix);
void *nqd_routes_lookup(const struct nqd_routes *routes, u16 family, const void *address);
void nqd_routes_clear(struct nqd_routes *routes);

#endif /* _NQD_ROUTES_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Routes of a device: an inner destination prefix and the session that it leads to.
 */
#ifndef _NQD_ROUTE_H
#define _NQD_ROUTE_H

#include <linux/list.h>
#include <linux/rcupdate.h>

#include "device.h"
#include "routes.h"

struct nqd_session;

/**
 * struct nqd_route - a route; does not change while it can be found
 * @session: where it leads; the route goes before the session does
 * @prefix: inner destination
 * @generation: of the caller, strictly rising
 * @epoch: of the network that it belongs to
 * @session_node: in nqd_session.routes
 * @rcu: frees it
 */
struct nqd_route {
	struct nqd_session *session;
	struct nqd_prefix prefix;
	u64 generation;
	u64 epoch;
	struct list_head session_node;
	struct rcu_head rcu;
};

int nqd_route_set(struct nqd_session *s, const struct nqd_prefix *prefix, u64 generation, u64 epoch);
void nqd_route_remove(struct nqd_device *nd, struct nqd_route *route);
void nqd_route_forget_session(struct nqd_session *s);

/**
 * nqd_route_session() - the session that an inner destination leads to
 * @nd: device
 * @family: AF_INET or AF_INET6
 * @address: 4 or 16 bytes in network byte order
 *
 * Context: rcu_read_lock() is held, or BH is off.
 *
 * Return: the session, valid as long as the lock is held, or NULL.
 */
static inline struct nqd_session *nqd_route_session(const struct nqd_device *nd, u16 family,
						    const void *address)
{
	const struct nqd_route *route = nqd_routes_lookup(&nd->routes, family, address);

	return route ? route->session : NULL;
}

#endif /* _NQD_ROUTE_H */

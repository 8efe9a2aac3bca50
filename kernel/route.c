// SPDX-License-Identifier: GPL-2.0
/*
 * Routes of a device. A route that is replaced is a new one, so that a reader sees one or the other.
 */
#include <linux/slab.h>

#include "netns.h"
#include "route.h"
#include "session.h"

/**
 * nqd_route_set() - let a prefix lead to a session, whatever it led to before
 * @s: session
 * @prefix: inner destination, one that nqd_routes_check() accepts
 * @generation: of the caller
 * @epoch: of the network
 *
 * Context: nqd_net.lock is held; may sleep.
 *
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int nqd_route_set(struct nqd_session *s, const struct nqd_prefix *prefix, u64 generation, u64 epoch)
{
	struct nqd_route *route = kzalloc(sizeof(*route), GFP_KERNEL);
	struct nqd_route *former;
	void *value;
	int err;

	if (!route)
		return -ENOMEM;
	route->session = s;
	route->prefix = *prefix;
	route->generation = generation;
	route->epoch = epoch;
	err = nqd_routes_set(&s->device->routes, prefix, route, &value);
	if (err) {
		kfree(route);
		return err;
	}
	list_add_tail(&route->session_node, &s->routes);
	former = value;
	if (former) {
		list_del(&former->session_node);
		kfree_rcu(former, rcu);
	}
	return 0;
}

/**
 * nqd_route_remove() - take a route out
 * @nd: its device
 * @route: route
 *
 * Context: nqd_net.lock is held.
 */
void nqd_route_remove(struct nqd_device *nd, struct nqd_route *route)
{
	nqd_routes_remove(&nd->routes, &route->prefix);
	list_del(&route->session_node);
	kfree_rcu(route, rcu);
}

/**
 * nqd_route_forget_session() - take all routes to a session out
 * @s: session
 *
 * Context: nqd_net.lock is held.
 */
void nqd_route_forget_session(struct nqd_session *s)
{
	struct nqd_route *route, *next;

	list_for_each_entry_safe(route, next, &s->routes, session_node)
		nqd_route_remove(s->device, route);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module keeps for each network namespace: the devices that were created in it.
 */
#ifndef _NQD_NETNS_H
#define _NQD_NETNS_H

#include <linux/mutex.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

/**
 * struct nqd_net - state of a network namespace
 * @net: the namespace
 * @lock: protects the configuration of the devices in @devices, their sessions and routes, the
 *	sockets of these, and @changes. Taken inside of rtnl.
 * @devices: struct nqd_device by id. Changes under rtnl and @lock, so that either one is enough to read;
 *	a device stays in it while registered, wherever it moves.
 * @next_id: where the search for a free id starts
 * @changes: counts changes of devices, sessions and routes, for dumps that must notice them
 */
struct nqd_net {
	struct net *net;
	/* Devices and their configuration, see above. */
	struct mutex lock;
	struct xarray devices;
	u32 next_id;
	u32 changes;
};

struct nqd_net *nqd_net(const struct net *net);
int nqd_net_init(void);
void nqd_net_exit(void);

#endif /* _NQD_NETNS_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Network namespaces. A device belongs to the namespace that created it, wherever it is moved to; the
 * exit of that namespace deletes it. (The exit of the namespace where it is now does so too: the core
 * deletes every device with rtnl_link_ops.)
 */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/netns/generic.h>

#include "device.h"
#include "netns.h"

static unsigned int nqd_net_id __read_mostly;

/**
 * nqd_net() - the module's state of a namespace
 * @net: network namespace
 *
 * Return: its state; valid as long as @net is.
 */
struct nqd_net *nqd_net(const struct net *net)
{
	return net_generic(net, nqd_net_id);
}

static int __net_init nqd_net_enter(struct net *net)
{
	struct nqd_net *nn = nqd_net(net);

	nn->net = net;
	mutex_init(&nn->lock);
	xa_init_flags(&nn->devices, XA_FLAGS_ALLOC1);
	nn->changes = 1;
	return 0;
}

static void __net_exit nqd_net_leave(struct list_head *nets)
{
	struct nqd_device *nd;
	struct net *net;
	LIST_HEAD(dead);
	unsigned long id;

	rtnl_lock();
	list_for_each_entry(net, nets, exit_list)
		xa_for_each(&nqd_net(net)->devices, id, nd)
			unregister_netdevice_queue(nd->dev, &dead);
	unregister_netdevice_many(&dead);
	rtnl_unlock();

	list_for_each_entry(net, nets, exit_list) {
		struct nqd_net *nn = nqd_net(net);

		WARN_ON_ONCE(!xa_empty(&nn->devices));
		xa_destroy(&nn->devices);
		mutex_destroy(&nn->lock);
	}
}

static struct pernet_operations nqd_net_ops = {
	.init = nqd_net_enter,
	.exit_batch = nqd_net_leave,
	.id = &nqd_net_id,
	.size = sizeof(struct nqd_net),
};

/**
 * nqd_net_init() - start keeping state for each namespace
 *
 * Return: 0 or a negative error.
 */
int nqd_net_init(void)
{
	return register_pernet_device(&nqd_net_ops);
}

/**
 * nqd_net_exit() - give up the state of every namespace, deleting what devices are left
 */
void nqd_net_exit(void)
{
	unregister_pernet_device(&nqd_net_ops);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual network device: its life, and what the network core asks of it.
 *
 * Locks: rtnl for registering and unregistering, nqd_net.lock inside of it for the configuration.
 */
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <net/gro_cells.h>

#include "compat/compat.h"
#include "cut.h"
#include "device.h"
#include "event.h"
#include "netns.h"
#include "session.h"
#include "version.h"
#include "xmit.h"

/* What holds for inner IPv6 too (RFC 8200 section 5), until user space knows the path. */
#define NQD_DEVICE_MTU_DEFAULT 1280
#define NQD_DEVICE_MTU_MAX 65535

/* Super-packets and open checksums are welcome: cut.c sees to both, once, just before sealing. */
#define NQD_DEVICE_FEATURES (NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE)

/* Gives the device its number; from here on netlink finds it. */
static int nqd_device_ndo_init(struct net_device *dev)
{
	struct nqd_device *nd = netdev_priv(dev);
	struct nqd_net *nn = nqd_net(nd->net);
	int err;

	nd->stats = nqd_device_stats_alloc();
	if (!nd->stats)
		return -ENOMEM;
	err = gro_cells_init(&nd->gro_cells, dev);
	if (err)
		goto err_stats;

	mutex_lock(&nn->lock);
	/* Cyclic: a number that was just deleted does not come back at once under another device. */
	err = xa_alloc_cyclic(&nn->devices, &nd->id, nd, XA_LIMIT(1, U32_MAX), &nn->next_id, GFP_KERNEL);
	if (err >= 0)
		nn->changes++;
	mutex_unlock(&nn->lock);
	if (err < 0)
		goto err_gro_cells;
	return 0;

err_gro_cells:
	gro_cells_destroy(&nd->gro_cells);
err_stats:
	free_percpu(nd->stats);
	nd->stats = NULL;
	return err;
}

static void nqd_device_ndo_uninit(struct net_device *dev)
{
	struct nqd_device *nd = netdev_priv(dev);
	struct nqd_net *nn = nqd_net(nd->net);

	nqd_session_end_all(nd, nqd_event_device_reason(nd));
	mutex_lock(&nn->lock);
	xa_erase(&nn->devices, nd->id);
	nn->changes++;
	mutex_unlock(&nn->lock);
	/* A device whose registration failed was never there for anyone. */
	if (dev->reg_state == NETREG_UNREGISTERING)
		nqd_event_device_down(nd);
}

static void nqd_device_destructor(struct net_device *dev)
{
	struct nqd_device *nd = netdev_priv(dev);

	gro_cells_destroy(&nd->gro_cells);
	free_percpu(nd->stats);
	kfree(nd->zero);
}

static void nqd_device_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct nqd_device *nd = netdev_priv(dev);
	struct nqd_device_totals totals;

	nqd_device_stats_sum(nd->stats, &totals);
	stats->rx_packets = totals.packets[NQD_RX];
	stats->rx_bytes = totals.bytes[NQD_RX];
	stats->rx_dropped = totals.dropped[NQD_RX];
	stats->tx_packets = totals.packets[NQD_TX];
	stats->tx_bytes = totals.bytes[NQD_TX];
	stats->tx_dropped = totals.dropped[NQD_TX];
}

static const struct net_device_ops nqd_device_ops = {
	.ndo_init = nqd_device_ndo_init,
	.ndo_uninit = nqd_device_ndo_uninit,
	.ndo_start_xmit = nqd_xmit,
	.ndo_get_stats64 = nqd_device_get_stats64,
};

static void nqd_device_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->version, NQD_MODULE_VERSION, sizeof(info->version));
}

static const struct ethtool_ops nqd_device_ethtool_ops = {
	.get_drvinfo = nqd_device_get_drvinfo,
	.get_link = ethtool_op_get_link,
};

static const struct device_type nqd_device_type = { .name = "nexusq" };

static void nqd_device_setup(struct net_device *dev)
{
	struct nqd_device *nd = netdev_priv(dev);

	dev->netdev_ops = &nqd_device_ops;
	dev->ethtool_ops = &nqd_device_ethtool_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->mtu = NQD_DEVICE_MTU_DEFAULT;
	dev->min_mtu = NQD_MTU_MIN;
	dev->max_mtu = NQD_DEVICE_MTU_MAX;
	/* Room for what goes around a packet, so that it need not be copied (cut.c). */
	dev->needed_headroom = NQD_CUT_HEADROOM;
	dev->needed_tailroom = NQD_CUT_TAILROOM;
	dev->features |= NQD_DEVICE_FEATURES;
	dev->hw_features |= NQD_DEVICE_FEATURES;
	dev->hw_enc_features |= NQD_DEVICE_FEATURES;
	nqd_compat_lltx(dev);
	/* ICMP errors to the sender are routed by what the packet was routed by. */
	netif_keep_dst(dev);
	SET_NETDEV_DEVTYPE(dev, &nqd_device_type);
	dev->needs_free_netdev = true;
	dev->priv_destructor = nqd_device_destructor;

	memset(nd, 0, sizeof(*nd));
	nd->dev = dev;
	nd->sessions = RB_ROOT;
	nqd_routes_init(&nd->routes);
}

static unsigned int nqd_device_default_queues(void)
{
	return min_t(unsigned int, num_online_cpus(), NQD_DEVICE_QUEUES_MAX);
}

static int nqd_device_newlink(NQD_NEWLINK_PARAMETERS)
{
	struct nqd_device *nd = netdev_priv(dev);

	nd->net = dev_net(dev);
	/* No agent knows it yet: it starts at the lowest generation, and without an owner. */
	nd->config.generation = 1;
	return register_netdevice(dev);
}

static void nqd_device_dellink(struct net_device *dev, struct list_head *head)
{
	unregister_netdevice_queue(dev, head);
}

static struct rtnl_link_ops nqd_device_link_ops __read_mostly = {
	.kind = "nexusq",
	.priv_size = sizeof(struct nqd_device),
	.setup = nqd_device_setup,
	.newlink = nqd_device_newlink,
	.dellink = nqd_device_dellink,
	.get_num_tx_queues = nqd_device_default_queues,
	.get_num_rx_queues = nqd_device_default_queues,
};

/**
 * nqd_device_create() - make and register a device
 * @net: namespace that it belongs to
 * @name: its name, or a pattern with one %d
 * @queues: TX queues, 0 for one for each CPU
 * @mtu: 576 to 65535, 0 for the default
 * @owner_port: netlink port of its owner, 0 for none
 * @config: how it is configured
 * @extack: where a refusal says why
 *
 * Context: rtnl is held.
 *
 * Return: the device, or an error pointer.
 */
struct nqd_device *nqd_device_create(struct net *net, const char *name, u32 queues, u32 mtu,
				     u32 owner_port, const struct nqd_device_config *config,
				     struct netlink_ext_ack *extack)
{
	struct net_device *dev;
	struct nqd_device *nd;
	int err;

	ASSERT_RTNL();
	if (!queues)
		queues = nqd_device_default_queues();
	dev = alloc_netdev_mqs(sizeof(*nd), name, strchr(name, '%') ? NET_NAME_ENUM : NET_NAME_USER,
			       nqd_device_setup, queues, queues);
	if (!dev) {
		NL_SET_ERR_MSG(extack, "no memory for the device");
		return ERR_PTR(-ENOMEM);
	}
	dev_net_set(dev, net);
	dev->rtnl_link_ops = &nqd_device_link_ops;
	if (mtu)
		dev->mtu = mtu;
	nd = netdev_priv(dev);
	nd->net = net;
	nd->owner_port = owner_port;
	nd->config = *config;

	err = register_netdevice(dev);
	if (err) {
		if (err == -EEXIST)
			NL_SET_ERR_MSG(extack, "device.ifname is taken");
		else
			NL_SET_ERR_MSG(extack, "the device cannot be registered");
		free_netdev(dev);
		return ERR_PTR(err);
	}
	return nd;
}

/**
 * nqd_device_delete() - unregister a device; it is gone at the latest when rtnl is released
 * @nd: device
 *
 * Context: rtnl is held.
 */
void nqd_device_delete(struct nqd_device *nd)
{
	ASSERT_RTNL();
	unregister_netdevice(nd->dev);
}

/**
 * nqd_device_find() - find a device by its number
 * @nn: namespace that it belongs to
 * @id: number
 *
 * Context: rtnl or @nn->lock is held, and the device stays for as long.
 *
 * Return: the device or NULL.
 */
struct nqd_device *nqd_device_find(struct nqd_net *nn, u32 id)
{
	return xa_load(&nn->devices, id);
}

/**
 * nqd_device_release_port() - a netlink socket was closed: its devices have no owner any more
 * @net: namespace of the socket
 * @port: netlink port
 *
 * What is in HOLD ends: nobody can activate it.
 *
 * Context: may sleep.
 */
void nqd_device_release_port(struct net *net, u32 port)
{
	struct nqd_net *nn = nqd_net(net);
	struct nqd_device *nd;
	unsigned long id;
	LIST_HEAD(ended);

	mutex_lock(&nn->lock);
	xa_for_each(&nn->devices, id, nd) {
		if (nd->owner_port != port)
			continue;
		WRITE_ONCE(nd->owner_port, 0);
		nqd_session_end_held(nd, &ended);
	}
	mutex_unlock(&nn->lock);
	nqd_session_release(&ended);
}

/**
 * nqd_device_init() - make "ip link add type nexusq" possible
 *
 * Return: 0 or a negative error.
 */
int nqd_device_init(void)
{
	return rtnl_link_register(&nqd_device_link_ops);
}

/**
 * nqd_device_exit() - delete every device, in all namespaces
 */
void nqd_device_exit(void)
{
	rtnl_link_unregister(&nqd_device_link_ops);
}

MODULE_ALIAS_RTNL_LINK("nexusq");

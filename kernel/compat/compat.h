/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernels that this module is built for, made alike. Nothing else in the module asks what a kernel
 * has; the answers come from compat/probes/.
 */
#ifndef _NQD_COMPAT_H
#define _NQD_COMPAT_H

#include <linux/netdevice.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>
#include <net/udp_tunnel.h>

#include "probed.h"

/* Parameters of rtnl_link_ops.newlink; those that are used have the same name everywhere. */
#ifdef NQD_HAVE_NEWLINK_PARAMS
#define NQD_NEWLINK_PARAMETERS \
	struct net_device *dev, struct rtnl_newlink_params *params, struct netlink_ext_ack *extack
#else
#define NQD_NEWLINK_PARAMETERS \
	struct net *src_net, struct net_device *dev, struct nlattr *tb[], struct nlattr *data[], \
	struct netlink_ext_ack *extack
#endif

/* What genl_family.post_doit is told of the command. */
#ifdef NQD_HAVE_GENL_SPLIT_DOIT
#define NQD_GENL_OP struct genl_split_ops
#else
#define NQD_GENL_OP struct genl_ops
#endif

/**
 * nqd_compat_lltx() - the device needs no lock for sending
 * @dev: device, not registered yet
 */
static inline void nqd_compat_lltx(struct net_device *dev)
{
#ifdef NQD_HAVE_DEV_LLTX
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

/**
 * nqd_compat_setup_udp_tunnel() - let datagrams of a UDP socket come here
 * @net: its namespace
 * @sk: socket, which has not been closed
 * @cfg: hooks, or all zero to take them off
 */
static inline void nqd_compat_setup_udp_tunnel(struct net *net, struct sock *sk,
					       struct udp_tunnel_sock_cfg *cfg)
{
#ifdef NQD_HAVE_UDP_TUNNEL_SK
	setup_udp_tunnel_sock(net, sk, cfg);
#else
	setup_udp_tunnel_sock(net, sk->sk_socket, cfg);
#endif
}

#endif /* _NQD_COMPAT_H */

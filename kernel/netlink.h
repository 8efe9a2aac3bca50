/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control interface: what its handlers share. The ABI is in uapi/nexus_quic_dco.h and docs/abi.md,
 * the tables and nqd_nl_check() in netlink_gen.c.
 */
#ifndef _NQD_NETLINK_H
#define _NQD_NETLINK_H

#include <net/genetlink.h>

#include "netlink_gen.h"

struct nqd_net;

extern struct genl_family nqd_netlink_family;

struct nqd_net *nqd_netlink_net(struct genl_info *info);
int nqd_netlink_nest(struct nlattr **tb, unsigned int nest, struct genl_info *info);
struct sk_buff *nqd_netlink_reply(struct genl_info *info, void **header);
int nqd_netlink_put_version(struct sk_buff *skb);
bool nqd_netlink_announce(void);

int nqd_netlink_init(void);
void nqd_netlink_exit(void);

#endif /* _NQD_NETLINK_H */

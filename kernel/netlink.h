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
struct nqd_session;

/* Puts one session into a dump: 0 or -EMSGSIZE. */
typedef int (*nqd_netlink_dump_session_t)(struct sk_buff *skb, struct netlink_callback *cb,
					  struct nqd_session *s);

extern struct genl_family nqd_netlink_family;

struct nqd_net *nqd_netlink_net(struct genl_info *info);
int nqd_netlink_nest(struct nlattr **tb, unsigned int nest, struct genl_info *info);
int nqd_netlink_begin(struct genl_info *info, struct nlattr **tb, unsigned int nest);
void nqd_netlink_end(struct genl_info *info);
struct sk_buff *nqd_netlink_reply(struct genl_info *info, void **header);
struct sk_buff *nqd_netlink_reply_of(struct genl_info *info, void **header, size_t size);
struct sk_buff *nqd_netlink_big_reply(struct genl_info *info, void **header);
u32 nqd_netlink_dump_limit(struct netlink_callback *cb);
int nqd_netlink_dump_sessions(struct sk_buff *skb, struct netlink_callback *cb,
			      nqd_netlink_dump_session_t dump);
int nqd_netlink_put_version(struct sk_buff *skb);
bool nqd_netlink_announce(void);

int nqd_netlink_init(void);
void nqd_netlink_exit(void);

#endif /* _NQD_NETLINK_H */

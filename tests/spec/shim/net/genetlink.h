/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SHIM_NET_GENETLINK_H
#define SHIM_NET_GENETLINK_H

#include <linux/genetlink.h>
#include <net/netlink.h>

enum { GENL_DONT_VALIDATE_STRICT = 1, GENL_DONT_VALIDATE_DUMP = 2 };
#define GENL_MCAST_CAP_NET_ADMIN 1

struct genl_info;

struct genl_ops {
	int (*start)(struct netlink_callback *cb);
	int (*doit)(struct sk_buff *skb, struct genl_info *info);
	int (*dumpit)(struct sk_buff *skb, struct netlink_callback *cb);
	const struct nla_policy *policy;
	unsigned int maxattr;
	u8 cmd, flags, validate;
};

struct genl_multicast_group {
	char name[GENL_NAMSIZ];
	u8 flags;
};

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NQD_NETLINK_DEVICE_H
#define _NQD_NETLINK_DEVICE_H

#include <linux/skbuff.h>

struct genl_info;
struct nqd_device;

int nqd_netlink_put_device(struct sk_buff *skb, const struct nqd_device *nd);
struct nqd_device *nqd_netlink_named_device(struct nlattr **tb, struct genl_info *info);

#endif /* _NQD_NETLINK_DEVICE_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about counters.
 */
#include <linux/rtnetlink.h>

#include "device.h"
#include "netlink.h"
#include "netlink_device.h"
#include "netns.h"

static int nqd_netlink_put_drops(struct sk_buff *skb, const u64 *reasons)
{
	u32 i;

	for (i = 0; i < __NQD_DROP_COUNT; i++) {
		const struct nqd_drop_count drop = { .reason = i, .packets = reasons[i] };

		if (drop.packets &&
		    nla_put_64bit(skb, NQD_A_STATS_DROP, sizeof(drop), &drop, NQD_A_STATS_PAD))
			return -EMSGSIZE;
	}
	return 0;
}

static int nqd_netlink_put_device_stats(struct sk_buff *skb, const struct nqd_device *nd)
{
	struct nqd_device_totals totals;
	struct nqd_l3_stats l3;
	struct nlattr *nest;

	nqd_device_stats_sum(nd->stats, &totals);
	l3 = (struct nqd_l3_stats){
		.rx_packets = totals.packets[NQD_RX],
		.rx_bytes = totals.bytes[NQD_RX],
		.tx_packets = totals.packets[NQD_TX],
		.tx_bytes = totals.bytes[NQD_TX],
	};
	nest = nla_nest_start(skb, NQD_A_STATS);
	if (!nest || nla_put_64bit(skb, NQD_A_STATS_L3, sizeof(l3), &l3, NQD_A_STATS_PAD) ||
	    nqd_netlink_put_drops(skb, totals.reasons))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nqd_nl_get_stats_doit() - NQD_CMD_GET_STATS of one device
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_get_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct sk_buff *reply;
	struct nqd_device *nd;
	void *header;
	int err;

	err = nqd_nl_check(info->nlhdr, info->extack);
	if (!err)
		err = nqd_netlink_nest(tb, NQD_A_DEVICE, info);
	if (err)
		return err;
	if (info->attrs[NQD_A_SESSION]) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[NQD_A_SESSION],
				    "sessions are not offered by this version of the module");
		return -EOPNOTSUPP;
	}
	reply = nqd_netlink_reply(info, &header);
	if (!reply)
		return -ENOMEM;

	rtnl_lock();
	mutex_lock(&nn->lock);
	nd = nqd_netlink_named_device(tb, info);
	err = PTR_ERR_OR_ZERO(nd);
	if (!err)
		err = nqd_netlink_put_device(reply, nd, 0);
	if (!err)
		err = nqd_netlink_put_device_stats(reply, nd);
	mutex_unlock(&nn->lock);
	rtnl_unlock();
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);
}

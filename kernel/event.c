// SPDX-License-Identifier: GPL-2.0
/*
 * Events: to the multicast group "state" of the namespace that an object belongs to.
 *
 * They may be lost (docs/abi.md, "Events"): whoever listens dumps and compares after ENOBUFS, so that
 * an event for which there is no memory is simply not sent.
 */
#include <linux/rtnetlink.h>
#include <linux/timekeeping.h>

#include "device.h"
#include "event.h"
#include "netlink.h"
#include "netlink_device.h"

static int nqd_event_put_down(struct sk_buff *skb, enum nqd_down_reason reason)
{
	struct nlattr *nest = nla_nest_start(skb, NQD_A_EVENT);

	if (!nest ||
	    nla_put_u64_64bit(skb, NQD_A_EVENT_TIME_NS, ktime_get_boottime_ns(), NQD_A_EVENT_PAD) ||
	    nla_put_u32(skb, NQD_A_EVENT_DOWN_REASON, reason))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nqd_event_device_reason() - why a device goes
 * @nd: device that is being unregistered
 *
 * Return: that its namespace goes, or that it was deleted.
 */
enum nqd_down_reason nqd_event_device_reason(const struct nqd_device *nd)
{
	/* The namespace that it was moved to goes away; where its own does, nobody is left to listen. */
	return check_net(dev_net(nd->dev)) ? NQD_DOWN_REASON_DEVICE_DELETED : NQD_DOWN_REASON_NETNS_EXIT;
}

/**
 * nqd_event_device_down() - a device was deleted, or goes with a namespace
 * @nd: device, no longer to be found by its number
 *
 * Context: rtnl is held.
 */
void nqd_event_device_down(struct nqd_device *nd)
{
	struct sk_buff *skb;
	void *header;

	ASSERT_RTNL();
	if (!nqd_netlink_announce())
		return;
	skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return;
	header = genlmsg_put(skb, 0, 0, &nqd_netlink_family, 0, NQD_EVENT_DEVICE_DOWN);
	if (!header || nqd_netlink_put_version(skb) || nqd_netlink_put_device(skb, nd) ||
	    nqd_event_put_down(skb, nqd_event_device_reason(nd))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast_netns(&nqd_netlink_family, nd->net, skb, 0, NQD_NLGRP_STATE, GFP_KERNEL);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of the ABI that this version of the module does not offer. They check the request as every
 * command does, so that a malformed one is told what is wrong with it, then refuse; GET_CAPS offers
 * nothing that would need them.
 */
#include "netlink.h"

static int nqd_netlink_absent(struct genl_info *info)
{
	int err = nqd_nl_check(info->nlhdr, info->extack);

	nqd_nl_wipe((struct nlmsghdr *)info->nlhdr);
	if (err)
		return err;
	GENL_SET_ERR_MSG(info, "this version of the module does not offer the command");
	return -EOPNOTSUPP;
}

/* There is nothing to dump where nothing can be added. */
static int nqd_netlink_nothing(struct netlink_callback *cb)
{
	return nqd_nl_check(cb->nlh, cb->extack);
}

int nqd_nl_add_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_activate_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_update_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_delete_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_get_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_set_keys_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_key_update_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_add_route_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_delete_route_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_get_route_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_send_frames_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_send_datagram_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_event_ack_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_flush_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_set_debug_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_netlink_absent(info);
}

int nqd_nl_get_session_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nqd_netlink_nothing(cb);
}

int nqd_nl_get_route_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nqd_netlink_nothing(cb);
}

int nqd_nl_get_stats_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nqd_netlink_nothing(cb);
}

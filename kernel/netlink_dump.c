// SPDX-License-Identifier: GPL-2.0
/*
 * Dumps of what devices have.
 */
#include <net/sock.h>

#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "session.h"

/* The largest session that there can be, with 256 allowed sources, fits. */
#define NQD_NETLINK_DUMP_SIZE 16384

/**
 * nqd_nl_dump_start() - a dump begins
 * @cb: where the dump is
 *
 * Return: 0.
 */
int nqd_nl_dump_start(struct netlink_callback *cb)
{
	const struct genlmsghdr *header = nlmsg_data(cb->nlh);

	if (header->cmd == NQD_CMD_GET_SESSION)
		cb->min_dump_alloc = NQD_NETLINK_DUMP_SIZE;
	return 0;
}

/**
 * nqd_netlink_big_reply() - start an answer that holds any session
 * @info: request
 * @header: set to what genlmsg_end() needs
 *
 * Return: the message with its version, or NULL where there is no memory; extack is set then.
 */
struct sk_buff *nqd_netlink_big_reply(struct genl_info *info, void **header)
{
	return nqd_netlink_reply_of(info, header, NQD_NETLINK_DUMP_SIZE);
}

/**
 * nqd_netlink_dump_limit() - the device that a dump is limited to
 * @cb: where the dump is
 *
 * Return: its number, 0: all devices of the namespace.
 */
u32 nqd_netlink_dump_limit(struct netlink_callback *cb)
{
	const struct nlattr *device, *attr;
	int rem;

	device = nlmsg_find_attr(cb->nlh, GENL_HDRLEN, NQD_A_DEVICE);
	if (device)
		nla_for_each_nested(attr, device, rem)
			if (nla_type(attr) == NQD_A_DEVICE_ID)
				return nla_get_u32(attr);
	return 0;
}

static int nqd_netlink_dump_sessions_of(struct sk_buff *skb, struct netlink_callback *cb,
					struct nqd_device *nd,
					nqd_netlink_dump_session_t dump)
{
	struct nqd_session *s;
	int err;

	/* args[1] is the number of the last session that was told. */
	while (cb->args[1] != -1UL) {
		s = nqd_session_from(nd, (u64)cb->args[1] + 1);
		if (!s)
			break;
		err = dump(skb, cb, s);
		if (err)
			return err;
		cb->args[1] = s->id;
	}
	return 0;
}

/**
 * nqd_netlink_dump_sessions() - dump something of all sessions of a device or of the namespace
 * @skb: part of the answer
 * @cb: where the dump is: args[0] is the device that the next part starts from, args[1] the session
 * @dump: puts one session
 *
 * Return: bytes in @skb, 0 at the end, or a negative error.
 */
int nqd_netlink_dump_sessions(struct sk_buff *skb, struct netlink_callback *cb,
			      nqd_netlink_dump_session_t dump)
{
	struct nqd_net *nn = nqd_net(sock_net(cb->skb->sk));
	struct nqd_device *nd;
	unsigned long id;
	u32 only;
	int err;

	err = nqd_nl_check(cb->nlh, cb->extack);
	if (err)
		return err;
	only = nqd_netlink_dump_limit(cb);

	mutex_lock(&nn->lock);
	cb->seq = nn->changes;
	xa_for_each_start(&nn->devices, id, nd, cb->args[0]) {
		if (only && nd->id != only)
			continue;
		if (cb->args[0] != id)
			cb->args[1] = 0;
		cb->args[0] = id;
		err = nqd_netlink_dump_sessions_of(skb, cb, nd, dump);
		if (err)
			break;
	}
	if (!err)
		cb->args[0] = (long)U32_MAX + 1;
	mutex_unlock(&nn->lock);
	return err && !skb->len ? err : skb->len;
}

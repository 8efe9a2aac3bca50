// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about devices.
 */
#include <linux/rtnetlink.h>
#include <net/sock.h>

#include "device.h"
#include "netlink.h"
#include "netlink_device.h"
#include "netns.h"
#include "session.h"

/* What only the kernel says, and what cannot change after creation. */
static const u16 nqd_netlink_device_said[] = {
	NQD_A_DEVICE_IFINDEX, NQD_A_DEVICE_OWNER_PORT, NQD_A_DEVICE_SESSION_COUNT, NQD_A_DEVICE_IN_NETNS,
};

static const u16 nqd_netlink_device_fixed[] = {
	NQD_A_DEVICE_IFNAME, NQD_A_DEVICE_NETWORK_ID, NQD_A_DEVICE_QUEUES,
};

static int nqd_netlink_device_refuse(struct nlattr **tb, const u16 *types, size_t count, const char *why,
				     struct netlink_ext_ack *extack)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!tb[types[i]])
			continue;
		extack->_msg = why;
		NL_SET_BAD_ATTR(extack, tb[types[i]]);
		return -EINVAL;
	}
	return 0;
}

static int nqd_netlink_device_said_by_kernel(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	static const char why[] = "only the kernel says this of a device";

	return nqd_netlink_device_refuse(tb, nqd_netlink_device_said, ARRAY_SIZE(nqd_netlink_device_said),
					 why, extack);
}

/**
 * nqd_netlink_put_device() - describe a device
 * @skb: message
 * @nd: device
 *
 * Context: rtnl is held, and nqd_net.lock too while @nd can be found.
 *
 * Return: 0 or -EMSGSIZE.
 */
int nqd_netlink_put_device(struct sk_buff *skb, const struct nqd_device *nd)
{
	const struct nqd_device_config *config = &nd->config;
	struct nlattr *nest = nla_nest_start(skb, NQD_A_DEVICE);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, NQD_A_DEVICE_ID, nd->id) ||
	    nla_put_u32(skb, NQD_A_DEVICE_IFINDEX, nd->dev->ifindex) ||
	    nla_put_string(skb, NQD_A_DEVICE_IFNAME, nd->dev->name) ||
	    nla_put_u64_64bit(skb, NQD_A_DEVICE_GENERATION, config->generation, NQD_A_DEVICE_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_DEVICE_NETWORK_ID, config->network_id, NQD_A_DEVICE_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_DEVICE_ROUTE_EPOCH, config->route_epoch, NQD_A_DEVICE_PAD) ||
	    nla_put_u32(skb, NQD_A_DEVICE_MTU, READ_ONCE(nd->dev->mtu)) ||
	    nla_put_u32(skb, NQD_A_DEVICE_FLAGS, config->flags) ||
	    nla_put_u32(skb, NQD_A_DEVICE_FWMARK, config->fwmark) ||
	    nla_put_u32(skb, NQD_A_DEVICE_DSCP_POLICY, config->dscp_policy) ||
	    nla_put_u32(skb, NQD_A_DEVICE_DSCP, config->dscp) ||
	    nla_put_u32(skb, NQD_A_DEVICE_ECN_POLICY, config->ecn_policy) ||
	    nla_put_u32(skb, NQD_A_DEVICE_QUEUES, nd->dev->num_tx_queues) ||
	    nla_put_u32(skb, NQD_A_DEVICE_OWNER_PORT, nd->owner_port) ||
	    nla_put_u32(skb, NQD_A_DEVICE_SESSION_COUNT, nd->session_count) ||
	    nla_put_u32(skb, NQD_A_DEVICE_IN_NETNS, net_eq(dev_net(nd->dev), nd->net))) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nqd_netlink_named_device() - the device that a request names
 * @tb: device attributes of the request
 * @info: request
 *
 * Context: rtnl or nqd_net.lock is held, and the device stays for as long.
 *
 * Return: the device, or an error pointer: -EINVAL without a name, -ENOENT if there is none.
 */
struct nqd_device *nqd_netlink_named_device(struct nlattr **tb, struct genl_info *info)
{
	struct nqd_device *nd;

	if (!tb[NQD_A_DEVICE_ID]) {
		GENL_SET_ERR_MSG(info, "device.id is needed");
		return ERR_PTR(-EINVAL);
	}
	nd = nqd_device_find(nqd_netlink_net(info), nla_get_u32(tb[NQD_A_DEVICE_ID]));
	if (nd)
		return nd;
	NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_DEVICE_ID], "no device has this device.id");
	return ERR_PTR(-ENOENT);
}

/* The parts that CREATE and UPDATE have in common; what is not given stays. */
static void nqd_netlink_device_config(struct nqd_device_config *config, struct nlattr **tb)
{
	config->generation = nla_get_u64(tb[NQD_A_DEVICE_GENERATION]);
	/* The data path reads it. */
	if (tb[NQD_A_DEVICE_ROUTE_EPOCH])
		WRITE_ONCE(config->route_epoch, nla_get_u64(tb[NQD_A_DEVICE_ROUTE_EPOCH]));
	if (tb[NQD_A_DEVICE_FLAGS])
		config->flags = nla_get_u32(tb[NQD_A_DEVICE_FLAGS]);
	if (tb[NQD_A_DEVICE_FWMARK])
		config->fwmark = nla_get_u32(tb[NQD_A_DEVICE_FWMARK]);
	if (tb[NQD_A_DEVICE_DSCP_POLICY])
		config->dscp_policy = nla_get_u32(tb[NQD_A_DEVICE_DSCP_POLICY]);
	if (tb[NQD_A_DEVICE_DSCP])
		config->dscp = nla_get_u32(tb[NQD_A_DEVICE_DSCP]);
	if (tb[NQD_A_DEVICE_ECN_POLICY])
		config->ecn_policy = nla_get_u32(tb[NQD_A_DEVICE_ECN_POLICY]);
}

/* The core takes %d in a name for a number to choose. */
static int nqd_netlink_device_name(char *name, const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	if (!attr || !nla_len(attr) || !*(const char *)nla_data(attr)) {
		strscpy(name, "nexusq%d", IFNAMSIZ);
		return 0;
	}
	nla_strscpy(name, attr, IFNAMSIZ);
	if (strchr(name, '%') || !dev_valid_name(name)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "device.ifname is no name for an interface");
		return -EINVAL;
	}
	return 0;
}

/* Ends and sends a reply that describes a device; the reply is consumed. */
static int nqd_netlink_answer_device(struct sk_buff *reply, void *header, const struct nqd_device *nd,
				     struct genl_info *info)
{
	int err = nqd_netlink_put_device(reply, nd);

	if (err) {
		GENL_SET_ERR_MSG(info, "the device does not fit an answer");
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	err = genlmsg_reply(reply, info);
	if (err)
		GENL_SET_ERR_MSG(info, "the caller's socket has no room for the answer");
	return err;
}

/**
 * nqd_nl_create_device_doit() - NQD_CMD_CREATE_DEVICE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_create_device_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_device_config config = {};
	char name[IFNAMSIZ];
	struct sk_buff *reply;
	struct nqd_device *nd;
	void *header;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_DEVICE);
	if (!err)
		err = nqd_netlink_device_said_by_kernel(tb, info->extack);
	if (!err)
		err = nqd_netlink_device_name(name, tb[NQD_A_DEVICE_IFNAME], info->extack);
	if (err)
		return err;
	if (tb[NQD_A_DEVICE_ID]) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_DEVICE_ID], "device.id is chosen by the kernel");
		return -EINVAL;
	}
	nqd_netlink_device_config(&config, tb);
	config.network_id = nla_get_u64(tb[NQD_A_DEVICE_NETWORK_ID]);

	/* Ahead of the device: a caller that has no answer has no device either. */
	reply = nqd_netlink_reply(info, &header);
	if (!reply)
		return -ENOMEM;

	rtnl_lock();
	nd = nqd_device_create(genl_info_net(info), name,
			       tb[NQD_A_DEVICE_QUEUES] ? nla_get_u32(tb[NQD_A_DEVICE_QUEUES]) : 0,
			       tb[NQD_A_DEVICE_MTU] ? nla_get_u32(tb[NQD_A_DEVICE_MTU]) : 0,
			       info->snd_portid, &config, info->extack);
	if (IS_ERR(nd)) {
		rtnl_unlock();
		nlmsg_free(reply);
		return PTR_ERR(nd);
	}
	mutex_lock(&nn->lock);
	err = nqd_netlink_answer_device(reply, header, nd, info);
	mutex_unlock(&nn->lock);
	/* A caller that cannot be told the number of its device has none. */
	if (err)
		nqd_device_delete(nd);
	rtnl_unlock();
	return err;
}

static int nqd_netlink_not_above(u64 generation, u64 newest, const struct nlattr *attr,
				 struct netlink_ext_ack *extack)
{
	if (generation > newest)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "device.generation is not above the current one");
	return -ESTALE;
}

/**
 * nqd_nl_update_device_doit() - NQD_CMD_UPDATE_DEVICE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_update_device_doit(struct sk_buff *skb, struct genl_info *info)
{
	static const char why[] = "this of a device cannot change, see UPDATE_DEVICE";
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_device *nd;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_DEVICE);
	if (!err)
		err = nqd_netlink_device_said_by_kernel(tb, info->extack);
	if (!err)
		err = nqd_netlink_device_refuse(tb, nqd_netlink_device_fixed,
						ARRAY_SIZE(nqd_netlink_device_fixed), why, info->extack);
	if (err)
		return err;

	rtnl_lock();
	nd = nqd_netlink_named_device(tb, info);
	err = PTR_ERR_OR_ZERO(nd);
	/* Under rtnl nothing but the owner changes: what was compared here still holds below. */
	if (!err)
		err = nqd_netlink_not_above(nla_get_u64(tb[NQD_A_DEVICE_GENERATION]),
					    nd->config.generation, tb[NQD_A_DEVICE_GENERATION],
					    info->extack);
	if (!err && tb[NQD_A_DEVICE_MTU]) {
		err = dev_set_mtu(nd->dev, nla_get_u32(tb[NQD_A_DEVICE_MTU]));
		if (err)
			NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_DEVICE_MTU],
					    "device.mtu is refused by the network core");
	}
	if (!err) {
		mutex_lock(&nn->lock);
		nqd_netlink_device_config(&nd->config, tb);
		nqd_session_device_changed(nd);
		nn->changes++;
		mutex_unlock(&nn->lock);
	}
	rtnl_unlock();
	return err;
}

/**
 * nqd_nl_delete_device_doit() - NQD_CMD_DELETE_DEVICE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error. What is not there, and what is newer than the request, is left alone.
 */
int nqd_nl_delete_device_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1];
	struct nqd_device *nd;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_DEVICE);
	if (err)
		return err;

	rtnl_lock();
	nd = nqd_device_find(nqd_netlink_net(info), nla_get_u32(tb[NQD_A_DEVICE_ID]));
	if (nd && nla_get_u64(tb[NQD_A_DEVICE_GENERATION]) >= nd->config.generation)
		nqd_device_delete(nd);
	rtnl_unlock();
	return 0;
}

/**
 * nqd_nl_adopt_device_doit() - NQD_CMD_ADOPT_DEVICE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_adopt_device_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct sk_buff *reply;
	struct nqd_device *nd;
	void *header;
	u64 before;
	u32 port;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_DEVICE);
	if (err)
		return err;
	reply = nqd_netlink_reply(info, &header);
	if (!reply)
		return -ENOMEM;

	rtnl_lock();
	mutex_lock(&nn->lock);
	nd = nqd_netlink_named_device(tb, info);
	err = PTR_ERR_OR_ZERO(nd);
	if (!err && nd->owner_port && nd->owner_port != info->snd_portid) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_DEVICE_ID], "the owner of the device lives");
		err = -EBUSY;
	}
	if (!err)
		err = nqd_netlink_not_above(nla_get_u64(tb[NQD_A_DEVICE_GENERATION]),
					    nd->config.generation, tb[NQD_A_DEVICE_GENERATION],
					    info->extack);
	if (err) {
		nlmsg_free(reply);
		goto unlock;
	}
	before = nd->config.generation;
	port = nd->owner_port;
	nd->config.generation = nla_get_u64(tb[NQD_A_DEVICE_GENERATION]);
	WRITE_ONCE(nd->owner_port, info->snd_portid);
	err = nqd_netlink_answer_device(reply, header, nd, info);
	if (err) {
		nd->config.generation = before;
		WRITE_ONCE(nd->owner_port, port);
		goto unlock;
	}
	nn->changes++;
	nqd_session_device_adopted(nd);
unlock:
	mutex_unlock(&nn->lock);
	rtnl_unlock();
	return err;
}

/**
 * nqd_nl_get_device_doit() - NQD_CMD_GET_DEVICE of one device
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_get_device_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct sk_buff *reply;
	struct nqd_device *nd;
	void *header;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_DEVICE);
	if (err)
		return err;
	reply = nqd_netlink_reply(info, &header);
	if (!reply)
		return -ENOMEM;

	rtnl_lock();
	mutex_lock(&nn->lock);
	nd = nqd_netlink_named_device(tb, info);
	err = PTR_ERR_OR_ZERO(nd);
	if (err)
		nlmsg_free(reply);
	else
		err = nqd_netlink_answer_device(reply, header, nd, info);
	mutex_unlock(&nn->lock);
	rtnl_unlock();
	return err;
}

static int nqd_netlink_dump_device(struct sk_buff *skb, struct netlink_callback *cb,
				   const struct nqd_device *nd)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &nqd_netlink_family, NLM_F_MULTI, NQD_CMD_GET_DEVICE);

	if (!header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, header);
	if (nqd_netlink_put_version(skb) || nqd_netlink_put_device(skb, nd)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * nqd_nl_get_device_dumpit() - NQD_CMD_GET_DEVICE of all devices of the namespace
 * @skb: part of the answer
 * @cb: where the dump is; args[0] is the number that the next part starts from
 *
 * Return: bytes in @skb, 0 at the end, or a negative error.
 */
int nqd_nl_get_device_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nqd_net *nn = nqd_net(sock_net(cb->skb->sk));
	struct nqd_device *nd;
	unsigned long id;
	int err;

	err = nqd_nl_check(cb->nlh, cb->extack);
	if (err)
		return err;

	rtnl_lock();
	mutex_lock(&nn->lock);
	cb->seq = nn->changes;
	xa_for_each_start(&nn->devices, id, nd, cb->args[0]) {
		err = nqd_netlink_dump_device(skb, cb, nd);
		if (err)
			break;
	}
	cb->args[0] = err ? id : (long)U32_MAX + 1;
	mutex_unlock(&nn->lock);
	rtnl_unlock();
	return err && !skb->len ? err : skb->len;
}

/**
 * nqd_nl_set_debug_doit() - NQD_CMD_SET_DEBUG
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_set_debug_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_DEVICE_MAX + 1], *debug[NQD_A_DEBUG_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_device *nd;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_DEVICE);
	if (!err)
		err = nqd_netlink_nest(debug, NQD_A_DEBUG, info);
	if (err)
		return err;
	mutex_lock(&nn->lock);
	nd = nqd_netlink_named_device(tb, info);
	err = PTR_ERR_OR_ZERO(nd);
	if (!err)
		WRITE_ONCE(nd->debug, nla_get_u32(debug[NQD_A_DEBUG_FLAGS]));
	mutex_unlock(&nn->lock);
	return err;
}

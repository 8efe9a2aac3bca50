// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about routes.
 */
#include <net/sock.h>

#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "route.h"
#include "session.h"

/* Checks a request, and takes its route apart. */
static int nqd_netlink_begin_route(struct genl_info *info, struct nlattr **tb, struct nqd_prefix *prefix)
{
	int err = nqd_netlink_begin(info, tb, NQD_A_ROUTE);
	const char *why;

	if (err)
		return err;
	if (!tb[NQD_A_ROUTE_PREFIX]) {
		NL_SET_ERR_MSG(info->extack, "route.prefix is needed");
		return -EINVAL;
	}
	memcpy(prefix, nla_data(tb[NQD_A_ROUTE_PREFIX]), sizeof(*prefix));
	err = nqd_routes_check(prefix, &why);
	if (!err)
		return 0;
	info->extack->_msg = why;
	NL_SET_BAD_ATTR(info->extack, tb[NQD_A_ROUTE_PREFIX]);
	return err;
}

static int nqd_netlink_add_route(struct nlattr **tb, const struct nqd_prefix *prefix, struct genl_info *info)
{
	u64 generation = nla_get_u64(tb[NQD_A_ROUTE_GENERATION]), epoch = nla_get_u64(tb[NQD_A_ROUTE_EPOCH]);
	struct nqd_device *nd = nqd_netlink_device_of(tb[NQD_A_ROUTE_DEVICE_ID], info);
	struct netlink_ext_ack *extack = info->extack;
	const struct nqd_route *route;
	struct nqd_session *s;
	int err;

	if (IS_ERR(nd))
		return PTR_ERR(nd);
	s = nqd_session_by_id(nd, nla_get_u64(tb[NQD_A_ROUTE_SESSION_ID]));
	if (!s) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NQD_A_ROUTE_SESSION_ID],
				    "no session of the device has this route.session-id");
		return -ENOENT;
	}
	route = nqd_routes_exact(&nd->routes, prefix);
	if (route && !(info->nlhdr->nlmsg_flags & NLM_F_REPLACE)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NQD_A_ROUTE_PREFIX], "a route of this route.prefix is there");
		return -EEXIST;
	}
	if (route) {
		err = nqd_netlink_above(generation, route->generation, tb[NQD_A_ROUTE_GENERATION],
					"route.generation is not above the current one", extack);
		if (err)
			return err;
	}
	if (epoch != nd->config.route_epoch) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NQD_A_ROUTE_EPOCH], "route.epoch is not the device's");
		return -ESTALE;
	}
	err = nqd_route_set(s, prefix, generation, epoch);
	if (err)
		NL_SET_ERR_MSG(extack, "no memory for the route");
	return err;
}

/**
 * nqd_nl_add_route_doit() - NQD_CMD_ADD_ROUTE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_add_route_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_ROUTE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_prefix prefix;
	int err;

	err = nqd_netlink_begin_route(info, tb, &prefix);
	if (err)
		return err;
	mutex_lock(&nn->lock);
	err = nqd_netlink_add_route(tb, &prefix, info);
	if (!err)
		nn->changes++;
	mutex_unlock(&nn->lock);
	return err;
}

/**
 * nqd_nl_delete_route_doit() - NQD_CMD_DELETE_ROUTE
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error. What is not there, and what is newer than the request, is left alone.
 */
int nqd_nl_delete_route_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_ROUTE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_route *route = NULL;
	struct nqd_prefix prefix;
	struct nqd_device *nd;
	int err;

	err = nqd_netlink_begin_route(info, tb, &prefix);
	if (err)
		return err;
	mutex_lock(&nn->lock);
	nd = nqd_device_find(nn, nla_get_u32(tb[NQD_A_ROUTE_DEVICE_ID]));
	if (nd)
		route = nqd_routes_exact(&nd->routes, &prefix);
	if (route && nla_get_u64(tb[NQD_A_ROUTE_GENERATION]) >= route->generation) {
		nqd_route_remove(nd, route);
		nn->changes++;
	}
	mutex_unlock(&nn->lock);
	return 0;
}

static int nqd_netlink_put_route(struct sk_buff *skb, const struct nqd_route *route)
{
	struct nlattr *nest = nla_nest_start(skb, NQD_A_ROUTE);

	if (!nest || nla_put_u32(skb, NQD_A_ROUTE_DEVICE_ID, route->session->device->id) ||
	    nla_put(skb, NQD_A_ROUTE_PREFIX, sizeof(route->prefix), &route->prefix) ||
	    nla_put_u64_64bit(skb, NQD_A_ROUTE_SESSION_ID, route->session->id, NQD_A_ROUTE_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_ROUTE_GENERATION, route->generation, NQD_A_ROUTE_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_ROUTE_EPOCH, route->epoch, NQD_A_ROUTE_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static struct nqd_route *nqd_netlink_named_route(struct nlattr **tb, const struct nqd_prefix *prefix,
						 struct genl_info *info)
{
	struct nqd_device *nd = nqd_netlink_device_of(tb[NQD_A_ROUTE_DEVICE_ID], info);
	struct nqd_route *route;

	if (IS_ERR(nd))
		return ERR_CAST(nd);
	route = nqd_routes_exact(&nd->routes, prefix);
	if (route)
		return route;
	NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_ROUTE_PREFIX],
			    "no route of the device has this route.prefix");
	return ERR_PTR(-ENOENT);
}

/**
 * nqd_nl_get_route_doit() - NQD_CMD_GET_ROUTE of one route
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_get_route_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_ROUTE_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_prefix prefix;
	struct nqd_route *route;
	struct sk_buff *reply;
	void *header;
	int err;

	err = nqd_netlink_begin_route(info, tb, &prefix);
	if (err)
		return err;
	reply = nqd_netlink_reply(info, &header);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&nn->lock);
	route = nqd_netlink_named_route(tb, &prefix, info);
	err = IS_ERR(route) ? PTR_ERR(route) : nqd_netlink_put_route(reply, route);
	mutex_unlock(&nn->lock);
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);
}

static int nqd_netlink_dump_route(struct sk_buff *skb, struct netlink_callback *cb,
				  const struct nqd_route *route)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &nqd_netlink_family,
				   NLM_F_MULTI, NQD_CMD_GET_ROUTE);

	if (!header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, header);
	if (nqd_netlink_put_version(skb) || nqd_netlink_put_route(skb, route)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* Routes of one session, after the first args[2] of them. */
static int nqd_netlink_dump_routes_to(struct sk_buff *skb, struct netlink_callback *cb, struct nqd_session *s)
{
	struct nqd_route *route;
	long number = 0;
	int err;

	list_for_each_entry(route, &s->routes, session_node) {
		if (number++ < cb->args[2])
			continue;
		err = nqd_netlink_dump_route(skb, cb, route);
		if (err)
			return err;
		cb->args[2] = number;
	}
	cb->args[2] = 0;
	return 0;
}

/**
 * nqd_nl_get_route_dumpit() - NQD_CMD_GET_ROUTE of all routes of a device or of the namespace
 * @skb: part of the answer
 * @cb: where the dump is; where routes change meanwhile, it says that it was interrupted
 *
 * Return: bytes in @skb, 0 at the end, or a negative error.
 */
int nqd_nl_get_route_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nqd_netlink_dump_sessions(skb, cb, nqd_netlink_dump_routes_to);
}

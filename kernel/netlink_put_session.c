// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions in netlink messages: how they are described, and how they are named.
 */
#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "session.h"
#include "session_config.h"

static enum nqd_session_state nqd_session_state(const struct nqd_session *s)
{
	return s->running ? READ_ONCE(s->conn.state.state) : NQD_SESSION_STATE_HOLD;
}

/**
 * nqd_netlink_put_session_name() - say which session a message is about
 * @skb: message
 * @s: session
 * @gone: it is in no state any more
 *
 * Return: 0 or -EMSGSIZE.
 */
int nqd_netlink_put_session_name(struct sk_buff *skb, const struct nqd_session *s, bool gone)
{
	struct nlattr *nest = nla_nest_start(skb, NQD_A_SESSION);

	if (!nest || nla_put_u32(skb, NQD_A_SESSION_DEVICE_ID, s->device->id) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_ID, s->id, NQD_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_GENERATION, READ_ONCE(s->generation), NQD_A_SESSION_PAD) ||
	    (!gone && nla_put_u32(skb, NQD_A_SESSION_STATE, nqd_session_state(s))))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static void nqd_netlink_tuple(struct nqd_udp_tuple *tuple, const struct nqd_session *s)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->family = s->remote.family;
	tuple->local_port = s->local_port;
	if (s->remote.family == AF_INET) {
		tuple->peer_port = s->remote.v4.sin_port;
		memcpy(tuple->peer, &s->remote.v4.sin_addr, 4);
		if (s->local.family)
			memcpy(tuple->local, &s->local.v4.sin_addr, 4);
		return;
	}
	tuple->peer_port = s->remote.v6.sin6_port;
	tuple->scope_id = s->remote.v6.sin6_scope_id;
	memcpy(tuple->peer, &s->remote.v6.sin6_addr, 16);
	if (s->local.family)
		memcpy(tuple->local, &s->local.v6.sin6_addr, 16);
}

static int nqd_netlink_put_lists(struct sk_buff *skb, const struct nqd_session_config *config)
{
	u32 i;

	for (i = 0; i < config->local_cids; i++)
		if (nla_put_64bit(skb, NQD_A_SESSION_LOCAL_CID, sizeof(config->local_cid[i]),
				  &config->local_cid[i],
				  NQD_A_SESSION_PAD))
			return -EMSGSIZE;
	for (i = 0; i < config->peer_cids; i++)
		if (nla_put_64bit(skb, NQD_A_SESSION_PEER_CID, sizeof(config->peer_cid[i]),
				  &config->peer_cid[i],
				  NQD_A_SESSION_PAD))
			return -EMSGSIZE;
	for (i = 0; i < config->sources; i++)
		if (nla_put(skb, NQD_A_SESSION_ALLOWED_SOURCE, sizeof(config->source[i]), &config->source[i]))
			return -EMSGSIZE;
	return 0;
}

static int nqd_netlink_put_numbers(struct sk_buff *skb, const struct nqd_session *s)
{
	const struct nqd_session_config *config = &s->config;

	if (nla_put_u32(skb, NQD_A_SESSION_ROLE, config->role) ||
	    nla_put_u32(skb, NQD_A_SESSION_QUIC_VERSION, 1) ||
	    nla_put_u32(skb, NQD_A_SESSION_CIPHER_SUITE, s->suite->suite) ||
	    nla_put_u32(skb, NQD_A_SESSION_IDLE_TIMEOUT_MS,
			div_u64(nqd_session_config_idle(config), NSEC_PER_MSEC)) ||
	    nla_put_u32(skb, NQD_A_SESSION_KEEPALIVE_MS, config->keepalive_ms) ||
	    nla_put_u32(skb, NQD_A_SESSION_FLAGS, config->flags) ||
	    nla_put_u32(skb, NQD_A_SESSION_CONGESTION, config->congestion) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_NETWORK_ID, config->network_id, NQD_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_ROUTE_EPOCH, config->route_epoch, NQD_A_SESSION_PAD) ||
	    nla_put_u32(skb, NQD_A_SESSION_FWMARK, s->fwmark) ||
	    nla_put_u32(skb, NQD_A_SESSION_DSCP_POLICY, s->dscp_policy) ||
	    nla_put_u32(skb, NQD_A_SESSION_DSCP, s->dscp) ||
	    nla_put_u32(skb, NQD_A_SESSION_ECN_POLICY, s->ecn_policy))
		return -EMSGSIZE;
	/* What was not given has a default of the cipher suite. */
	if ((config->lab_rate &&
	     nla_put_u64_64bit(skb, NQD_A_SESSION_LAB_RATE, config->lab_rate, NQD_A_SESSION_PAD)) ||
	    (config->confidentiality_limit &&
	     nla_put_u64_64bit(skb, NQD_A_SESSION_CONFIDENTIALITY_LIMIT, config->confidentiality_limit,
			       NQD_A_SESSION_PAD)) ||
	    (config->integrity_limit &&
	     nla_put_u64_64bit(skb, NQD_A_SESSION_INTEGRITY_LIMIT, config->integrity_limit,
			       NQD_A_SESSION_PAD)))
		return -EMSGSIZE;
	return 0;
}

/* What changes by itself. */
static int nqd_netlink_put_running(struct sk_buff *skb, struct nqd_session *s)
{
	u32 size = s->config.datagram_size, mtu = s->config.mtu;
	u64 generation = 0;

	if (s->running) {
		spin_lock_bh(&s->lock);
		size = s->conn.pmtu.current_size;
		mtu = nqd_session_mtu(s);
		generation = s->conn.keys.tx_generation;
		spin_unlock_bh(&s->lock);
	}
	if (nla_put_u32(skb, NQD_A_SESSION_DATAGRAM_SIZE, size) ||
	    (mtu && nla_put_u32(skb, NQD_A_SESSION_MTU, mtu)) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_KEY_GENERATION, generation, NQD_A_SESSION_PAD))
		return -EMSGSIZE;
	return 0;
}

/**
 * nqd_netlink_put_session() - describe a session, without its secrets
 * @skb: message
 * @s: session
 *
 * Context: nqd_net.lock is held.
 *
 * Return: 0 or -EMSGSIZE.
 */
int nqd_netlink_put_session(struct sk_buff *skb, struct nqd_session *s)
{
	const struct nqd_session_config *config = &s->config;
	struct nqd_udp_tuple tuple;
	struct nlattr *nest;

	nqd_netlink_tuple(&tuple, s);
	nest = nla_nest_start(skb, NQD_A_SESSION);
	if (!nest || nla_put_u32(skb, NQD_A_SESSION_DEVICE_ID, s->device->id) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_ID, s->id, NQD_A_SESSION_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_SESSION_GENERATION, config->generation, NQD_A_SESSION_PAD) ||
	    nla_put_u32(skb, NQD_A_SESSION_STATE, nqd_session_state(s)) ||
	    nla_put(skb, NQD_A_SESSION_UDP_TUPLE, sizeof(tuple), &tuple) ||
	    nla_put_64bit(skb, NQD_A_SESSION_PARAMS_LOCAL, sizeof(config->local_params),
			  &config->local_params,
			  NQD_A_SESSION_PAD) ||
	    nla_put_64bit(skb, NQD_A_SESSION_PARAMS_PEER, sizeof(config->peer_params), &config->peer_params,
			  NQD_A_SESSION_PAD) ||
	    nqd_netlink_put_numbers(skb, s) || nqd_netlink_put_running(skb, s) ||
	    nqd_netlink_put_lists(skb, config)) {
		if (nest)
			nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * nqd_netlink_device_of() - the device that an attribute names
 * @id: attribute with its number, or NULL
 * @info: request
 *
 * Context: nqd_net.lock is held, and the device stays for as long.
 *
 * Return: the device, or an error pointer: -EINVAL without a name, -ENOENT if there is none.
 */
struct nqd_device *nqd_netlink_device_of(struct nlattr *id, struct genl_info *info)
{
	struct nqd_device *nd;

	if (!id) {
		GENL_SET_ERR_MSG(info, "the device must be named");
		return ERR_PTR(-EINVAL);
	}
	nd = nqd_device_find(nqd_netlink_net(info), nla_get_u32(id));
	if (nd)
		return nd;
	NL_SET_ERR_MSG_ATTR(info->extack, id, "no device has this device-id");
	return ERR_PTR(-ENOENT);
}

/**
 * nqd_netlink_named_session() - the session that a request names
 * @tb: session attributes of the request
 * @info: request
 *
 * Context: nqd_net.lock is held, and the session stays for as long.
 *
 * Return: the session, or an error pointer: -EINVAL without a name, -ENOENT if there is none.
 */
struct nqd_session *nqd_netlink_named_session(struct nlattr **tb, struct genl_info *info)
{
	struct nqd_device *nd = nqd_netlink_device_of(tb[NQD_A_SESSION_DEVICE_ID], info);
	struct nqd_session *s;

	if (IS_ERR(nd))
		return ERR_CAST(nd);
	if (!tb[NQD_A_SESSION_ID]) {
		GENL_SET_ERR_MSG(info, "session.id is needed");
		return ERR_PTR(-EINVAL);
	}
	s = nqd_session_by_id(nd, nla_get_u64(tb[NQD_A_SESSION_ID]));
	if (s)
		return s;
	NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_SESSION_ID],
			    "no session of the device has this session.id");
	return ERR_PTR(-ENOENT);
}

/**
 * nqd_netlink_lock_session() - the session that a request names, which stays until nqd_netlink_end()
 * @tb: session attributes of the request
 * @info: request
 *
 * Return: the session with nqd_net.lock held, or an error pointer without.
 */
struct nqd_session *nqd_netlink_lock_session(struct nlattr **tb, struct genl_info *info)
{
	struct nqd_session *s;

	mutex_lock(&nqd_netlink_net(info)->lock);
	s = nqd_netlink_named_session(tb, info);
	if (IS_ERR(s))
		nqd_netlink_end(info);
	return s;
}

/**
 * nqd_netlink_above() - is a generation above the current one?
 * @generation: of the request
 * @newest: current one
 * @attr: attribute with @generation
 * @why: what the refusal says
 * @extack: where it says so
 *
 * Return: 0 or -ESTALE.
 */
int nqd_netlink_above(u64 generation, u64 newest, const struct nlattr *attr, const char *why,
		      struct netlink_ext_ack *extack)
{
	if (generation > newest)
		return 0;
	extack->_msg = why;
	NL_SET_BAD_ATTR(extack, attr);
	return -ESTALE;
}

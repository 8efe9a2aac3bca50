// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about sessions, but for ACTIVATE_SESSION: netlink_activate.c.
 */
#include <linux/slab.h>
#include <net/sock.h>

#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "session.h"
#include "session_config.h"
#include "socket.h"

/* What only the kernel says; what cannot change after ADD_SESSION. */
static const u16 nqd_netlink_session_said[] = { NQD_A_SESSION_STATE, NQD_A_SESSION_KEY_GENERATION };

static const u16 nqd_netlink_session_fixed[] = {
	NQD_A_SESSION_ROLE,	    NQD_A_SESSION_QUIC_VERSION, NQD_A_SESSION_SOCKET_FD,
	  NQD_A_SESSION_UDP_TUPLE,
	NQD_A_SESSION_CIPHER_SUITE, NQD_A_SESSION_PARAMS_LOCAL, NQD_A_SESSION_PARAMS_PEER,
	NQD_A_SESSION_NETWORK_ID,
};

static int nqd_netlink_session_refuse(struct nlattr **tb, const u16 *types, size_t count, const char *why,
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

/**
 * nqd_netlink_session_said_by_kernel() - refuse what only the kernel says
 * @tb: session attributes of the request
 * @extack: where a refusal says why
 *
 * Return: 0 or -EINVAL.
 */
int nqd_netlink_session_said_by_kernel(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	static const char why[] = "only the kernel says this of a session";

	return nqd_netlink_session_refuse(tb, nqd_netlink_session_said,
					  ARRAY_SIZE(nqd_netlink_session_said), why,
					  extack);
}

/**
 * nqd_netlink_session_cannot_change() - refuse what is fixed from ADD_SESSION on
 * @tb: session attributes of the request
 * @extack: where a refusal says why
 *
 * Return: 0 or -EINVAL.
 */
int nqd_netlink_session_cannot_change(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	static const char why[] = "this of a session cannot change, see UPDATE_SESSION";

	return nqd_netlink_session_refuse(tb, nqd_netlink_session_fixed,
					  ARRAY_SIZE(nqd_netlink_session_fixed), why,
					  extack);
}

/**
 * nqd_netlink_session_tokens() - take the reset tokens of a request
 * @tokens: room for 8
 * @count: set to their number
 * @nest: session attributes
 * @extack: where a refusal says why
 *
 * Return: 0 or -ERANGE.
 */
int nqd_netlink_session_tokens(struct nqd_reset_token *tokens, u32 *count, const struct nlattr *nest,
			       struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	int rem;

	*count = 0;
	nla_for_each_nested(attr, nest, rem) {
		if (nla_type(attr) != NQD_A_SESSION_RESET_TOKEN)
			continue;
		if (*count == NQD_PEER_CIDS_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "more than 8 of session.reset-token");
			return -ERANGE;
		}
		memcpy(&tokens[(*count)++], nla_data(attr), sizeof(*tokens));
	}
	return 0;
}

/* The tuple must be one that the socket can have. */
static int nqd_netlink_session_fits_socket(const struct nqd_session *s, struct nlattr **tb,
					   struct netlink_ext_ack *extack)
{
	const struct sock *sk = rcu_dereference_protected(s->socket->sk,
							  lockdep_is_held(&s->socket->net->lock));

	if (inet_sk(sk)->inet_sport != s->local_port) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NQD_A_SESSION_UDP_TUPLE],
				    "session.udp-tuple: the local port is not the socket's");
		return -EINVAL;
	}
	if ((s->remote.family == AF_INET6 && s->socket->family == AF_INET) ||
	    (s->remote.family == AF_INET && s->socket->family == AF_INET6 && sk->sk_ipv6only)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NQD_A_SESSION_UDP_TUPLE],
				    "session.udp-tuple is of a family that the socket does not have");
		return -EINVAL;
	}
	return 0;
}

static int nqd_netlink_session_suite(struct nqd_session *s, const struct nlattr *attr,
				     struct netlink_ext_ack *extack)
{
	bool asynchronous;
	char driver[8];
	int err;

	s->suite = nqd_suite_find(nla_get_u32(attr));
	err = s->suite ? nqd_suite_driver(s->suite, driver, sizeof(driver), &asynchronous) : -ENOENT;
	if (err == -ENOMEM) {
		NL_SET_ERR_MSG(extack, "no memory for the cipher");
		return err;
	}
	if (!err)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "session.cipher-suite: the kernel has no such cipher");
	return -EOPNOTSUPP;
}

/* Fills a new session in; what it took goes with it. */
static int nqd_netlink_session_fill(struct nqd_session *s, struct nlattr **tb, struct genl_info *info)
{
	const struct nlattr *nest = info->attrs[NQD_A_SESSION];
	struct netlink_ext_ack *extack = info->extack;
	struct nqd_session_config *config = &s->config;
	struct nqd_udp_tuple tuple;
	struct nqd_routes *sources;
	int err;

	config->keepalive_ms = NQD_KEEPALIVE_DEFAULT_MS;
	err = nqd_session_config_parse(config, tb, nest, extack);
	if (!err)
		err = nqd_netlink_session_suite(s, tb[NQD_A_SESSION_CIPHER_SUITE], extack);
	if (!err)
		err = nqd_session_config_check(config, s->suite, tb, extack);
	if (!err)
		err = nqd_session_config_tuple(tb[NQD_A_SESSION_UDP_TUPLE], &s->local, &s->remote, extack);
	if (!err)
		err = nqd_netlink_session_tokens(s->token, &s->tokens, nest, extack);
	if (err)
		return err;
	if (config->network_id != s->device->config.network_id) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NQD_A_SESSION_NETWORK_ID],
				    "session.network-id is not the device's");
		return -EINVAL;
	}
	sources = nqd_session_config_sources(config);
	if (!sources) {
		NL_SET_ERR_MSG(extack, "no memory for session.allowed-source");
		return -ENOMEM;
	}
	RCU_INIT_POINTER(s->sources, sources);
	memcpy(&tuple, nla_data(tb[NQD_A_SESSION_UDP_TUPLE]), sizeof(tuple));
	s->local_port = tuple.local_port;
	s->generation = config->generation;
	s->flags = config->flags;
	s->route_epoch = config->route_epoch;
	s->mtu = config->mtu;
	s->peer_cid_len = config->peer_cid[0].len;
	memcpy(s->peer_cid, config->peer_cid[0].id, sizeof(s->peer_cid));
	nqd_session_config_outer(s);
	return 0;
}

/* Takes its socket and publishes the session. */
static int nqd_netlink_session_publish(struct nqd_session *s, struct nlattr **tb, struct genl_info *info)
{
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_socket *socket;
	int err;

	socket = nqd_socket_use(nn, nla_get_u32(tb[NQD_A_SESSION_SOCKET_FD]), s->config.local_cid[0].len,
				info->extack);
	if (IS_ERR(socket)) {
		NL_SET_BAD_ATTR(info->extack, tb[NQD_A_SESSION_SOCKET_FD]);
		return PTR_ERR(socket);
	}
	s->socket = socket;
	err = nqd_netlink_session_fits_socket(s, tb, info->extack);
	if (!err) {
		err = nqd_session_insert(s);
		if (err == -EEXIST)
			NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_SESSION_LOCAL_CID],
					    "another session of the socket has this session.local-cid or peer");
		else if (err)
			NL_SET_ERR_MSG(info->extack, "no memory for session.local-cid");
	}
	if (err)
		nqd_socket_leave(socket);
	return err;
}

static int nqd_netlink_session_add(struct nlattr **tb, struct genl_info *info)
{
	struct nqd_device *nd = nqd_netlink_device_of(tb[NQD_A_SESSION_DEVICE_ID], info);
	u64 id = nla_get_u64(tb[NQD_A_SESSION_ID]);
	struct nqd_session *s;
	int err;

	if (IS_ERR(nd))
		return PTR_ERR(nd);
	if (nqd_session_by_id(nd, id)) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_SESSION_ID], "session.id is taken");
		return -EEXIST;
	}
	if (nd->session_count == NQD_DEVICE_SESSIONS_MAX) {
		GENL_SET_ERR_MSG(info, "the device has as many sessions as it may");
		return -ENOBUFS;
	}
	s = nqd_session_alloc(nd, id);
	if (!s) {
		GENL_SET_ERR_MSG(info, "no memory for the session");
		return -ENOMEM;
	}
	err = nqd_netlink_session_fill(s, tb, info);
	if (!err)
		err = nqd_netlink_session_publish(s, tb, info);
	if (err)
		nqd_session_put(s);
	return err;
}

static int nqd_netlink_answer_session(struct sk_buff *reply, void *header, struct nqd_session *s,
				      struct genl_info *info)
{
	int err = nqd_netlink_put_session(reply, s);

	if (err) {
		GENL_SET_ERR_MSG(info, "the session does not fit an answer");
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	err = genlmsg_reply(reply, info);
	if (err)
		GENL_SET_ERR_MSG(info, "the caller's socket has no room for the answer");
	return err;
}

static int nqd_netlink_add_session(struct sk_buff *reply, void *header, struct nlattr **tb,
				   struct genl_info *info)
{
	struct nqd_net *nn = nqd_netlink_net(info);
	LIST_HEAD(ended);
	int err;

	mutex_lock(&nn->lock);
	err = nqd_netlink_session_add(tb, info);
	if (err) {
		nlmsg_free(reply);
	} else {
		struct nqd_session *s = nqd_netlink_named_session(tb, info);

		err = nqd_netlink_answer_session(reply, header, s, info);
		/* A caller that has no answer has no session either. */
		if (err)
			nqd_session_unlink(s, NQD_DOWN_REASON_DELETED, &ended);
	}
	mutex_unlock(&nn->lock);
	nqd_session_release(&ended);
	return err;
}

/**
 * nqd_nl_add_session_doit() - NQD_CMD_ADD_SESSION
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_add_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1];
	struct sk_buff *reply;
	void *header;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_session_said_by_kernel(tb, info->extack);
	if (!err) {
		reply = nqd_netlink_big_reply(info, &header);
		err = reply ? nqd_netlink_add_session(reply, header, tb, info) : -ENOMEM;
	}
	nqd_nl_wipe((struct nlmsghdr *)info->nlhdr);
	return err;
}

static void nqd_netlink_session_close(struct nqd_session *s, struct genl_info *info, struct list_head *ended)
{
	struct nlattr *tb[NQD_A_CLOSE_MAX + 1];
	bool stays = false;

	nqd_netlink_nest(tb, NQD_A_CLOSE, info);
	if (tb[NQD_A_CLOSE_MODE] && nla_get_u32(tb[NQD_A_CLOSE_MODE]) == NQD_CLOSE_MODE_SEND) {
		u64 code = tb[NQD_A_CLOSE_ERROR_CODE] ? nla_get_u64(tb[NQD_A_CLOSE_ERROR_CODE]) : 0;
		bool application = tb[NQD_A_CLOSE_APPLICATION] && nla_get_u32(tb[NQD_A_CLOSE_APPLICATION]);

		spin_lock_bh(&s->lock);
		if (s->running) {
			/* Where it is CLOSING or DRAINING already, it goes on being so. */
			nqd_conn_close(&s->conn, nqd_now(), code, application);
			nqd_session_tell_down(s, NQD_DOWN_REASON_DELETED, false);
			nqd_session_events(s);
			nqd_timer_update(s);
			stays = true;
		}
		spin_unlock_bh(&s->lock);
	}
	if (stays)
		nqd_tx_kick(s);
	else
		nqd_session_unlink(s, NQD_DOWN_REASON_DELETED, ended);
}

static int nqd_netlink_check_close(struct genl_info *info)
{
	struct nlattr *tb[NQD_A_CLOSE_MAX + 1];
	int err = nqd_netlink_nest(tb, NQD_A_CLOSE, info);

	if (err)
		return err;
	if (tb[NQD_A_CLOSE_ERROR_CODE] && nla_get_u64(tb[NQD_A_CLOSE_ERROR_CODE]) > NQD_PN_MAX) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[NQD_A_CLOSE_ERROR_CODE],
				    "close.error-code is above 2^62-1");
		return -ERANGE;
	}
	return 0;
}

/**
 * nqd_nl_delete_session_doit() - NQD_CMD_DELETE_SESSION
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error. What is not there, and what is newer than the request, is left alone.
 */
int nqd_nl_delete_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_session *s = NULL;
	struct nqd_device *nd;
	LIST_HEAD(ended);
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_check_close(info);
	if (err)
		return err;

	mutex_lock(&nn->lock);
	nd = nqd_device_find(nn, nla_get_u32(tb[NQD_A_SESSION_DEVICE_ID]));
	if (nd)
		s = nqd_session_by_id(nd, nla_get_u64(tb[NQD_A_SESSION_ID]));
	if (s && nla_get_u64(tb[NQD_A_SESSION_GENERATION]) >= s->config.generation)
		nqd_netlink_session_close(s, info, &ended);
	mutex_unlock(&nn->lock);
	nqd_session_release(&ended);
	return 0;
}

/**
 * nqd_nl_get_session_doit() - NQD_CMD_GET_SESSION of one session
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_get_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1];
	struct nqd_session *s;
	struct sk_buff *reply;
	void *header;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (err)
		return err;
	reply = nqd_netlink_big_reply(info, &header);
	if (!reply)
		return -ENOMEM;
	s = nqd_netlink_lock_session(tb, info);
	if (IS_ERR(s)) {
		nlmsg_free(reply);
		return PTR_ERR(s);
	}
	err = nqd_netlink_answer_session(reply, header, s, info);
	nqd_netlink_end(info);
	return err;
}

static int nqd_netlink_dump_session(struct sk_buff *skb, struct netlink_callback *cb, struct nqd_session *s)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &nqd_netlink_family,
				   NLM_F_MULTI, NQD_CMD_GET_SESSION);

	if (!header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, header);
	if (nqd_netlink_put_version(skb) || nqd_netlink_put_session(skb, s)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * nqd_nl_get_session_dumpit() - NQD_CMD_GET_SESSION of all sessions of a device or of the namespace
 * @skb: part of the answer
 * @cb: where the dump is
 *
 * Return: bytes in @skb, 0 at the end, or a negative error.
 */
int nqd_nl_get_session_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nqd_netlink_dump_sessions(skb, cb, nqd_netlink_dump_session);
}

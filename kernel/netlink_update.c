// SPDX-License-Identifier: GPL-2.0
/*
 * NQD_CMD_UPDATE_SESSION: what is given is checked together with what stays, then put into force as a
 * whole. What may fail comes before what is seen.
 */
#include <linux/slab.h>

#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "session.h"
#include "session_config.h"
#include "socket.h"

/**
 * struct nqd_update - an update on its way
 * @config: what the session will have
 * @sources: new set of prefixes, where given
 * @former: the set before
 * @tokens: number of @token, where given
 * @token: new reset tokens
 */
struct nqd_update {
	struct nqd_session_config config;
	struct nqd_routes *sources;
	struct nqd_routes *former;
	u32 tokens;
	struct nqd_reset_token token[NQD_PEER_CIDS_MAX];
};

static int nqd_update_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
			     const char *why)
{
	extack->_msg = why;
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

static struct nqd_update *nqd_update_alloc(void)
{
	struct nqd_update *u = kzalloc(sizeof(*u), GFP_KERNEL);

	return u;
}

static int nqd_update_prepare(struct nqd_update *u, const struct nqd_session *s, struct nlattr **tb,
			      struct genl_info *info)
{
	const struct nlattr *nest = info->attrs[NQD_A_SESSION];
	struct netlink_ext_ack *extack = info->extack;
	int err;

	u->config = s->config;
	err = nqd_session_config_parse(&u->config, tb, nest, extack);
	/* The rate of a profile that is left is no longer wanted. */
	if (u->config.congestion != NQD_CONGESTION_FIXED_RATE_TEST && !tb[NQD_A_SESSION_LAB_RATE])
		u->config.lab_rate = 0;
	if (!err)
		err = nqd_session_config_check(&u->config, s->suite, tb, extack);
	if (!err && tb[NQD_A_SESSION_RESET_TOKEN])
		err = nqd_netlink_session_tokens(u->token, &u->tokens, nest, extack);
	if (err)
		return err;
	if (u->config.local_cid[0].len != s->socket->cid_len)
		return nqd_update_refuse(extack, tb[NQD_A_SESSION_LOCAL_CID], -EINVAL,
					 "session.local-cid: all of a socket are of one length");
	if (u->config.peer_cid[0].len != s->peer_cid_len)
		return nqd_update_refuse(extack, tb[NQD_A_SESSION_PEER_CID], -EINVAL,
					 "session.peer-cid is not as long as the one in use");
	if (!tb[NQD_A_SESSION_ALLOWED_SOURCE])
		return 0;
	u->sources = nqd_session_config_sources(&u->config);
	return u->sources ? 0 : nqd_update_refuse(extack, NULL, -ENOMEM,
						  "no memory for session.allowed-source");
}

/* The part that the protocol core must know; its lock is held. */
static void nqd_update_conn(struct nqd_session *s, const struct nqd_session_config *config,
			    struct nlattr **tb)
{
	struct nqd_conn *c = &s->conn;

	if (tb[NQD_A_SESSION_IDLE_TIMEOUT_MS] || tb[NQD_A_SESSION_KEEPALIVE_MS])
		nqd_conn_set_timers(c, nqd_session_config_idle(config), config->keepalive_ms * NSEC_PER_MSEC);
	/* A search is begun or given up by the flag; another size begins anew. */
	if (tb[NQD_A_SESSION_DATAGRAM_SIZE] ||
	    (config->flags ^ s->config.flags) & NQD_SESSION_FLAG_PMTU_SEARCH)
		nqd_conn_set_mtu(c, nqd_now(), config->datagram_size, nqd_session_config_ceiling(s, config));
	if (config->congestion != s->config.congestion || config->lab_rate != s->config.lab_rate)
		nqd_conn_set_congestion(c, nqd_now(), config->congestion,
					config->flags & NQD_SESSION_FLAG_LAB_MODE, config->lab_rate);
	if (tb[NQD_A_SESSION_CONFIDENTIALITY_LIMIT] || tb[NQD_A_SESSION_INTEGRITY_LIMIT])
		nqd_conn_set_key_limits(c, s->suite->suite, config->confidentiality_limit,
					config->integrity_limit);
	if (tb[NQD_A_SESSION_ECN_POLICY] && config->ecn_policy != s->ecn_policy)
		nqd_conn_set_ecn(c, config->ecn_policy == NQD_ECN_POLICY_ENABLED);
	nqd_session_events(s);
	nqd_timer_update(s);
}

/* Nothing fails from here on. */
static void nqd_update_apply(struct nqd_session *s, struct nqd_update *u, struct nlattr **tb)
{
	struct nqd_session_config *config = &u->config;
	struct nqd_prefix *source = s->config.source;

	spin_lock_bh(&s->lock);
	memcpy(s->peer_cid, config->peer_cid[0].id, sizeof(s->peer_cid));
	if (tb[NQD_A_SESSION_RESET_TOKEN]) {
		s->tokens = u->tokens;
		memcpy(s->token, u->token, sizeof(s->token));
	}
	if (s->running && s->conn.state.state == NQD_SESSION_STATE_ACTIVE)
		nqd_update_conn(s, config, tb);
	spin_unlock_bh(&s->lock);

	if (u->sources) {
		u->former = rcu_dereference_protected(s->sources, true);
		rcu_assign_pointer(s->sources, u->sources);
		u->sources = NULL;
	}
	WRITE_ONCE(s->flags, config->flags);
	WRITE_ONCE(s->mtu, config->mtu);
	WRITE_ONCE(s->route_epoch, config->route_epoch);
	WRITE_ONCE(s->generation, config->generation);
	s->config = *config;
	/* The list that is no longer in force goes with the update. */
	config->source = config->source != source ? source : NULL;
	nqd_session_config_outer(s);
}

static int nqd_update(struct nqd_update *u, struct nlattr **tb, struct genl_info *info)
{
	struct nqd_net *nn = nqd_netlink_net(info);
	struct netlink_ext_ack *extack = info->extack;
	struct nqd_session *s;
	int err;

	s = nqd_netlink_named_session(tb, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = nqd_netlink_above(nla_get_u64(tb[NQD_A_SESSION_GENERATION]), s->config.generation,
				tb[NQD_A_SESSION_GENERATION],
				"session.generation is not above the current one", extack);
	if (err)
		return err;
	err = nqd_update_prepare(u, s, tb, info);
	if (!err && tb[NQD_A_SESSION_LOCAL_CID]) {
		err = nqd_session_names_set(s, u->config.local_cid, u->config.local_cids);
		if (err == -EEXIST)
			nqd_update_refuse(extack, tb[NQD_A_SESSION_LOCAL_CID], err,
					  "another session of the socket has this session.local-cid");
		else if (err)
			nqd_update_refuse(extack, NULL, err, "no memory for session.local-cid");
	}
	if (err) {
		if (u->config.source == s->config.source)
			u->config.source = NULL;
		return err;
	}
	nqd_update_apply(s, u, tb);
	nn->changes++;
	nqd_tx_kick(s);
	return 0;
}

static void nqd_update_free(struct nqd_update *u)
{
	if (u->former) {
		/* Its readers compare pointers into it. */
		synchronize_net();
		nqd_routes_clear(u->former);
		kfree(u->former);
	}
	if (u->sources) {
		nqd_routes_clear(u->sources);
		kfree(u->sources);
	}
	kfree(u->config.source);
	kfree_sensitive(u);
}

/**
 * nqd_nl_update_session_doit() - NQD_CMD_UPDATE_SESSION
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error, and nothing has changed.
 */
int nqd_nl_update_session_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1];
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_update *u = NULL;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_session_said_by_kernel(tb, info->extack);
	if (!err)
		err = nqd_netlink_session_cannot_change(tb, info->extack);
	if (!err) {
		u = nqd_update_alloc();
		if (!u)
			err = nqd_update_refuse(info->extack, NULL, -ENOMEM, "no memory for the update");
	}
	if (u) {
		mutex_lock(&nn->lock);
		err = nqd_update(u, tb, info);
		mutex_unlock(&nn->lock);
		nqd_update_free(u);
	}
	nqd_nl_wipe((struct nlmsghdr *)info->nlhdr);
	return err;
}

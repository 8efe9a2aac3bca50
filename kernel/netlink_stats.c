// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about counters.
 */
#include <linux/slab.h>

#include "device.h"
#include "figures.h"
#include "netlink.h"
#include "netlink_device.h"
#include "netlink_session.h"
#include "netns.h"
#include "session.h"

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

static int nqd_netlink_put_figures(struct sk_buff *skb, const struct nqd_figures *f)
{
	if (nla_put_64bit(skb, NQD_A_STATS_L3, sizeof(f->l3), &f->l3, NQD_A_STATS_PAD) ||
	    nla_put_64bit(skb, NQD_A_STATS_QUIC, sizeof(f->quic), &f->quic, NQD_A_STATS_PAD) ||
	    nla_put_64bit(skb, NQD_A_STATS_FRAME, sizeof(f->frame), &f->frame, NQD_A_STATS_PAD) ||
	    nla_put_64bit(skb, NQD_A_STATS_KEY, sizeof(f->key), &f->key, NQD_A_STATS_PAD) ||
	    nla_put_64bit(skb, NQD_A_STATS_OFFLOAD, sizeof(f->offload), &f->offload, NQD_A_STATS_PAD))
		return -EMSGSIZE;
	return nqd_netlink_put_drops(skb, f->drops);
}

/* What only an active session has. */
static int nqd_netlink_put_transport(struct sk_buff *skb, struct nqd_session *s, const struct nqd_figures *f)
{
	struct nqd_ecn_counts received, sent;
	struct nqd_rtt_state rtt;
	u32 congestion, ecn;

	spin_lock_bh(&s->lock);
	rtt = (struct nqd_rtt_state){
		.latest_ns = s->conn.recovery.rtt.latest,
		.smoothed_ns = s->conn.recovery.rtt.smoothed,
		.variation_ns = s->conn.recovery.rtt.var,
		.min_ns = s->conn.recovery.rtt.min,
	};
	congestion = s->conn.recovery.cc.kind;
	received = s->conn.received.ecn;
	sent = (struct nqd_ecn_counts){ .ect0 = s->conn.recovery.ecn.marked };
	ecn = s->conn.recovery.ecn.state;
	spin_unlock_bh(&s->lock);
	if (nla_put_64bit(skb, NQD_A_STATS_RECOVERY, sizeof(f->recovery), &f->recovery, NQD_A_STATS_PAD) ||
	    nla_put_64bit(skb, NQD_A_STATS_RTT, sizeof(rtt), &rtt, NQD_A_STATS_PAD) ||
	    nla_put_u32(skb, NQD_A_STATS_CONGESTION, congestion) ||
	    nla_put_u32(skb, NQD_A_STATS_LAB_MODE, congestion == NQD_CONGESTION_FIXED_RATE_TEST) ||
	    nla_put_64bit(skb, NQD_A_STATS_ECN_RECEIVED, sizeof(received), &received, NQD_A_STATS_PAD) ||
	    nla_put_64bit(skb, NQD_A_STATS_ECN_SENT, sizeof(sent), &sent, NQD_A_STATS_PAD) ||
	    nla_put_u32(skb, NQD_A_STATS_ECN_STATE, ecn))
		return -EMSGSIZE;
	return 0;
}

static int nqd_netlink_put_session_stats(struct sk_buff *skb, struct nqd_session *s)
{
	struct nqd_figures figures;
	u32 held, unacked;
	struct nlattr *nest;

	if (nqd_netlink_put_session_name(skb, s, false))
		return -EMSGSIZE;
	nqd_figures_session(s, &figures);
	spin_lock_bh(&s->lock);
	held = skb_queue_len(&s->held);
	unacked = s->owner.count;
	spin_unlock_bh(&s->lock);
	nest = nla_nest_start(skb, NQD_A_STATS);
	if (!nest || nqd_netlink_put_figures(skb, &figures) ||
	    nla_put_u32(skb, NQD_A_STATS_HELD_DATAGRAMS, held) ||
	    nla_put_u32(skb, NQD_A_STATS_UNACKED_EVENTS, unacked) ||
	    (s->running && nqd_netlink_put_transport(skb, s, &figures)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int nqd_netlink_put_queues(struct sk_buff *skb, const struct nqd_device *nd)
{
	struct nqd_queue_stats stats;
	u32 i;

	for (i = 0; i < nd->dev->num_tx_queues; i++) {
		nqd_figures_queue(nd, i, &stats);
		if (nla_put_64bit(skb, NQD_A_STATS_QUEUE, sizeof(stats), &stats, NQD_A_STATS_PAD))
			return -EMSGSIZE;
	}
	return 0;
}

static int nqd_netlink_put_device_stats(struct sk_buff *skb, struct nqd_device *nd)
{
	struct nqd_figures figures;
	struct nlattr *nest;

	if (nqd_netlink_put_device(skb, nd))
		return -EMSGSIZE;
	nqd_figures_device(nd, &figures);
	nest = nla_nest_start(skb, NQD_A_STATS);
	if (!nest || nqd_netlink_put_figures(skb, &figures) || nqd_netlink_put_queues(skb, nd))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* The one object that a request names: a device, or else a session. Both locks are held. */
static int nqd_netlink_stats_object(struct genl_info *info, struct nqd_device **nd, struct nqd_session **s)
{
	struct nlattr *device[NQD_A_DEVICE_MAX + 1], *session[NQD_A_SESSION_MAX + 1];
	int err;

	*nd = NULL;
	*s = NULL;
	if (!info->attrs[NQD_A_DEVICE] == !info->attrs[NQD_A_SESSION]) {
		GENL_SET_ERR_MSG(info, "a device or a session must be named, and only one");
		return -EINVAL;
	}
	if (info->attrs[NQD_A_DEVICE]) {
		err = nqd_netlink_nest(device, NQD_A_DEVICE, info);
		if (err)
			return err;
		*nd = nqd_netlink_named_device(device, info);
		return PTR_ERR_OR_ZERO(*nd);
	}
	err = nqd_netlink_nest(session, NQD_A_SESSION, info);
	if (err)
		return err;
	*s = nqd_netlink_named_session(session, info);
	return PTR_ERR_OR_ZERO(*s);
}

/**
 * nqd_nl_get_stats_doit() - NQD_CMD_GET_STATS of one device or session
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_get_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nqd_net *nn = nqd_netlink_net(info);
	struct sk_buff *reply;
	struct nqd_device *nd;
	struct nqd_session *s;
	void *header;
	int err;

	err = nqd_nl_check(info->nlhdr, info->extack);
	if (err)
		return err;
	reply = nqd_netlink_big_reply(info, &header);
	if (!reply)
		return -ENOMEM;

	/* A device's name and place are looked at. */
	rtnl_lock();
	mutex_lock(&nn->lock);
	err = nqd_netlink_stats_object(info, &nd, &s);
	if (!err) {
		err = nd ? nqd_netlink_put_device_stats(reply, nd) : nqd_netlink_put_session_stats(reply, s);
		if (err)
			GENL_SET_ERR_MSG(info, "the counters do not fit an answer");
	}
	mutex_unlock(&nn->lock);
	rtnl_unlock();
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);
}

static int nqd_netlink_dump_stats(struct sk_buff *skb, struct netlink_callback *cb, struct nqd_session *s)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &nqd_netlink_family,
				   NLM_F_MULTI, NQD_CMD_GET_STATS);

	if (!header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, header);
	if (nqd_netlink_put_version(skb) || nqd_netlink_put_session_stats(skb, s)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/**
 * nqd_nl_get_stats_dumpit() - NQD_CMD_GET_STATS of all sessions of a device or of the namespace
 * @skb: part of the answer
 * @cb: where the dump is
 *
 * Return: bytes in @skb, 0 at the end, or a negative error.
 */
int nqd_nl_get_stats_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return nqd_netlink_dump_sessions(skb, cb, nqd_netlink_dump_stats);
}

/**
 * nqd_nl_flush_stats_doit() - NQD_CMD_FLUSH_STATS
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_flush_stats_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nqd_net *nn = nqd_netlink_net(info);
	struct nqd_device *nd;
	struct nqd_session *s;
	int err;

	err = nqd_nl_check(info->nlhdr, info->extack);
	if (err)
		return err;
	mutex_lock(&nn->lock);
	err = nqd_netlink_stats_object(info, &nd, &s);
	if (!err) {
		err = nd ? nqd_figures_flush_device(nd) : nqd_figures_flush_session(s);
		if (err)
			GENL_SET_ERR_MSG(info, "no memory to begin to count anew");
	}
	mutex_unlock(&nn->lock);
	return err;
}

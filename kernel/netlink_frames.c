// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about frames and datagrams of user space.
 */
#include <linux/slab.h>

#include "netlink.h"
#include "netlink_session.h"
#include "proto/varint.h"
#include "session.h"

/* Room in front of a payload for all that goes around it. */
#define NQD_FRAMES_HEADROOM 128

static int nqd_frames_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr, int err,
			     const char *why)
{
	extack->_msg = why;
	if (attr)
		NL_SET_BAD_ATTR(extack, attr);
	return err;
}

/* Why the core does not queue frames. */
static int nqd_frames_refused(struct netlink_ext_ack *extack, const struct nlattr *payload, int err)
{
	switch (err) {
	case -ENOTCONN:
		return nqd_frames_refuse(extack, NULL, -EBUSY, "the session is not ACTIVE");
	case -EMSGSIZE:
		return nqd_frames_refuse(extack, payload, err, "frames.payload is longer than 1152 bytes");
	case -EPERM:
		return nqd_frames_refuse(extack, payload, -EINVAL,
					 "frames.payload has a frame that is not user space's");
	case -ENOBUFS:
		return nqd_frames_refuse(extack, NULL, err, "too many frames are not acknowledged yet");
	default:
		return nqd_frames_refuse(extack, payload, -EINVAL,
					 "frames.payload is not made of whole frames");
	}
}

static int nqd_frames_free_slot(const struct nqd_session *s)
{
	int i;

	for (i = 0; i < NQD_SESSION_CONTROL_SLOTS; i++)
		if (!s->control[i])
			return i;
	return -ENOBUFS;
}

/* Returns what the core says. */
static int nqd_frames_queue(struct nqd_session *s, struct nqd_owner_blob *blob, bool once)
{
	int slot, err;

	if (!s->running)
		return -ENOTCONN;
	slot = nqd_frames_free_slot(s);
	if (slot < 0)
		return slot;
	if (once)
		err = nqd_conn_queue_control_once(&s->conn, slot, blob->bytes, blob->len);
	else
		err = nqd_conn_queue_control(&s->conn, slot, blob->bytes, blob->len);
	if (!err)
		s->control[slot] = blob;
	return err;
}

static int nqd_frames_send(struct nqd_session *s, struct nlattr **tb, struct genl_info *info)
{
	const struct nlattr *payload = tb[NQD_A_FRAMES_PAYLOAD], *token = tb[NQD_A_FRAMES_TOKEN];
	bool once = tb[NQD_A_FRAMES_FLAGS] && nla_get_u32(tb[NQD_A_FRAMES_FLAGS]) & NQD_FRAMES_FLAG_ONCE;
	struct nqd_owner_blob *blob;
	int err;

	blob = nqd_owner_blob_alloc(nla_data(payload), nla_len(payload), token,
				    token ? nla_get_u64(token) : 0);
	if (!blob)
		return nqd_frames_refuse(info->extack, NULL, -ENOMEM, "no memory for the frames");
	spin_lock_bh(&s->lock);
	err = nqd_frames_queue(s, blob, once);
	spin_unlock_bh(&s->lock);
	if (err) {
		nqd_owner_blob_free(blob);
		return nqd_frames_refused(info->extack, payload, err);
	}
	nqd_tx_kick(s);
	return 0;
}

/* What is received only must not be in a request. */
static int nqd_frames_check(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	if (tb[NQD_A_FRAMES_PACKET_NUMBER])
		return nqd_frames_refuse(extack, tb[NQD_A_FRAMES_PACKET_NUMBER], -EINVAL,
					 "only the kernel says frames.packet-number");
	if (tb[NQD_A_FRAMES_LOSSES])
		return nqd_frames_refuse(extack, tb[NQD_A_FRAMES_LOSSES], -EINVAL,
					 "only the kernel says frames.losses");
	if (nla_len(tb[NQD_A_FRAMES_PAYLOAD]) > NQD_FRAMES_MAX_LEN)
		return nqd_frames_refuse(extack, tb[NQD_A_FRAMES_PAYLOAD], -EMSGSIZE,
					 "frames.payload is longer than 1152 bytes");
	return 0;
}

/* Takes a request apart, and calls what it asks for with its session, under nqd_net.lock. */
static int nqd_frames_do(struct genl_info *info,
			 int (*check)(struct nlattr **tb, struct netlink_ext_ack *extack),
			 int (*command)(struct nqd_session *s, struct nlattr **tb, struct genl_info *info))
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1], *frames[NQD_A_FRAMES_MAX + 1];
	struct nqd_session *s;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_nest(frames, NQD_A_FRAMES, info);
	if (!err)
		err = check(frames, info->extack);
	if (err)
		return err;
	s = nqd_netlink_lock_session(tb, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = command(s, frames, info);
	nqd_netlink_end(info);
	return err;
}

static int nqd_frames_check_frames(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	if (tb[NQD_A_FRAMES_CONTEXT_ID])
		return nqd_frames_refuse(extack, tb[NQD_A_FRAMES_CONTEXT_ID], -EINVAL,
					 "frames.context-id goes with SEND_DATAGRAM");
	return nqd_frames_check(tb, extack);
}

/**
 * nqd_nl_send_frames_doit() - NQD_CMD_SEND_FRAMES
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_send_frames_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_frames_do(info, nqd_frames_check_frames, nqd_frames_send);
}

static int nqd_frames_check_datagram(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	u64 context = nla_get_u64(tb[NQD_A_FRAMES_CONTEXT_ID]);

	if (!context || context > NQD_PN_MAX)
		return nqd_frames_refuse(extack, tb[NQD_A_FRAMES_CONTEXT_ID], -EINVAL,
					 "frames.context-id 0 is the device's, and 2^62-1 the largest");
	if (tb[NQD_A_FRAMES_TOKEN])
		return nqd_frames_refuse(extack, tb[NQD_A_FRAMES_TOKEN], -EINVAL,
					 "frames.token: nothing is told of a datagram");
	return nqd_frames_check(tb, extack);
}

static int nqd_frames_send_datagram(struct nqd_session *s, struct nlattr **tb, struct genl_info *info)
{
	u64 context = nla_get_u64(tb[NQD_A_FRAMES_CONTEXT_ID]);
	const struct nlattr *payload = tb[NQD_A_FRAMES_PAYLOAD];
	struct netlink_ext_ack *extack = info->extack;
	bool active = false, fits = false;
	struct sk_buff *skb;
	u32 len;
	int err;

	len = nqd_varint_len(context) + nla_len(payload);
	spin_lock_bh(&s->lock);
	if (s->running && s->conn.state.state == NQD_SESSION_STATE_ACTIVE) {
		active = true;
		fits = len <= nqd_conn_max_payload(&s->conn);
	}
	spin_unlock_bh(&s->lock);
	if (!active)
		return nqd_frames_refuse(extack, NULL, -EBUSY, "the session is not ACTIVE");
	if (!fits)
		return nqd_frames_refuse(extack, payload, -EMSGSIZE, "frames.payload does not fit a packet");
	skb = alloc_skb(NQD_FRAMES_HEADROOM + len, GFP_KERNEL);
	if (!skb)
		return nqd_frames_refuse(extack, NULL, -ENOMEM, "no memory for the datagram");
	skb_reserve(skb, NQD_FRAMES_HEADROOM);
	nqd_varint_put(skb_put(skb, nqd_varint_len(context)), context);
	skb_put_data(skb, nla_data(payload), nla_len(payload));
	err = nqd_tx_payload(s, skb);
	if (err == -EMSGSIZE)
		return nqd_frames_refuse(extack, payload, err, "frames.payload does not fit a packet");
	if (err)
		return nqd_frames_refuse(extack, NULL, err, "too many datagrams wait to be sent");
	nqd_tx_kick(s);
	return 0;
}

/**
 * nqd_nl_send_datagram_doit() - NQD_CMD_SEND_DATAGRAM
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_send_datagram_doit(struct sk_buff *skb, struct genl_info *info)
{
	return nqd_frames_do(info, nqd_frames_check_datagram, nqd_frames_send_datagram);
}

/**
 * nqd_nl_event_ack_doit() - NQD_CMD_EVENT_ACK
 * @skb: request
 * @info: request
 *
 * Return: 0 or a negative error.
 */
int nqd_nl_event_ack_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[NQD_A_SESSION_MAX + 1], *event[NQD_A_EVENT_MAX + 1];
	struct nqd_session *s;
	int err;

	err = nqd_netlink_begin(info, tb, NQD_A_SESSION);
	if (!err)
		err = nqd_netlink_nest(event, NQD_A_EVENT, info);
	if (err)
		return err;
	s = nqd_netlink_lock_session(tb, info);
	if (IS_ERR(s))
		return PTR_ERR(s);
	spin_lock_bh(&s->lock);
	err = nqd_owner_ack(s, nla_get_u64(event[NQD_A_EVENT_ID]));
	spin_unlock_bh(&s->lock);
	if (err)
		nqd_frames_refuse(info->extack, event[NQD_A_EVENT_ID], err,
				  "event.id is of no event that there was");
	nqd_netlink_end(info);
	return err;
}

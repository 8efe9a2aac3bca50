// SPDX-License-Identifier: GPL-2.0
/*
 * What the protocol core reports, and what the owner is told of it.
 *
 * State events go to the multicast group at once, from whatever context, so that they keep their order;
 * one for which there is no memory is not sent (docs/abi.md, "Events").
 */
#include <net/genetlink.h>

#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "netns.h"
#include "proto/error.h"
#include "session.h"

/* Noisy events of one kind and session: at most one in this time. */
#define NQD_EVENT_INTERVAL NSEC_PER_SEC

/* Room for what any state event of a session holds. */
#define NQD_EVENT_SIZE 512

/* A message about a session, with the nest of its event open; NULL: it is not sent. */
static struct sk_buff *nqd_event_begin(const struct nqd_session *s, u8 command, bool gone, void **header,
				       struct nlattr **nest)
{
	struct sk_buff *skb;

	if (s->dead || !nqd_netlink_announce())
		return NULL;
	skb = genlmsg_new(NQD_EVENT_SIZE, GFP_ATOMIC);
	if (!skb)
		return NULL;
	*header = genlmsg_put(skb, 0, 0, &nqd_netlink_family, 0, command);
	if (*header && !nqd_netlink_put_version(skb) && !nqd_netlink_put_session_name(skb, s, gone)) {
		*nest = nla_nest_start(skb, NQD_A_EVENT);
		if (*nest && !nla_put_u64_64bit(skb, NQD_A_EVENT_TIME_NS, ktime_get_boottime_ns(),
						NQD_A_EVENT_PAD))
			return skb;
	}
	nlmsg_free(skb);
	return NULL;
}

static void nqd_event_send(const struct nqd_session *s, struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
	genlmsg_multicast_netns(&nqd_netlink_family, s->device->net, skb, 0, NQD_NLGRP_STATE, GFP_ATOMIC);
}

/* Ends the nest of the event and sends the message, unless something did not fit. */
static void nqd_event_end(const struct nqd_session *s, struct sk_buff *skb, void *header, struct nlattr *nest,
			  int err)
{
	if (err) {
		nlmsg_free(skb);
		return;
	}
	nla_nest_end(skb, nest);
	nqd_event_send(s, skb, header);
}

/**
 * nqd_session_tell_up() - the session is active
 * @s: session, with its lock held
 */
void nqd_session_tell_up(struct nqd_session *s)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *header;

	skb = nqd_event_begin(s, NQD_EVENT_SESSION_UP, false, &header, &nest);
	if (skb)
		nqd_event_end(s, skb, header, nest, 0);
}

static int nqd_event_put_close(struct sk_buff *skb, u64 code, bool application, u64 frame_type)
{
	struct nlattr *nest = nla_nest_start(skb, NQD_A_CLOSE);

	if (!nest || nla_put_u64_64bit(skb, NQD_A_CLOSE_ERROR_CODE, code, NQD_A_CLOSE_PAD) ||
	    nla_put_u32(skb, NQD_A_CLOSE_APPLICATION, application) ||
	    nla_put_u64_64bit(skb, NQD_A_CLOSE_FRAME_TYPE, frame_type, NQD_A_CLOSE_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* CONNECTION_CLOSE that was received, or that is sent. */
static int nqd_event_put_down_close(struct sk_buff *skb, const struct nqd_session *s,
				    enum nqd_down_reason reason)
{
	const struct nqd_conn *c = &s->conn;

	switch (reason) {
	case NQD_DOWN_REASON_PEER_CLOSED:
		return nqd_event_put_close(skb, c->peer_close.code, c->peer_close.application,
					   c->peer_close.frame_type);
	case NQD_DOWN_REASON_PROTOCOL_ERROR:
	case NQD_DOWN_REASON_AEAD_LIMIT:
		return nqd_event_put_close(skb, c->state.error_code, c->state.close_application,
					   c->state.error_frame_type);
	default:
		return 0;
	}
}

/**
 * nqd_session_tell_down() - the session is no longer in HOLD or ACTIVE
 * @s: session, with its lock held
 * @reason: why; only the first one is told
 * @gone: it is not CLOSING or DRAINING either
 */
void nqd_session_tell_down(struct nqd_session *s, enum nqd_down_reason reason, bool gone)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *header;

	lockdep_assert_held(&s->lock);
	if (s->down)
		return;
	s->down = true;
	skb = nqd_event_begin(s, NQD_EVENT_SESSION_DOWN, gone, &header, &nest);
	if (!skb)
		return;
	if (nla_put_u32(skb, NQD_A_EVENT_DOWN_REASON, reason))
		goto drop;
	nla_nest_end(skb, nest);
	if (nqd_event_put_down_close(skb, s, reason))
		goto drop;
	nqd_event_send(s, skb, header);
	return;

drop:
	nlmsg_free(skb);
}

static void nqd_event_keys(struct nqd_session *s, u8 command, enum nqd_key_update_cause cause, u64 generation)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *header;
	int err;

	skb = nqd_event_begin(s, command, false, &header, &nest);
	if (!skb)
		return;
	err = nla_put_u32(skb, NQD_A_EVENT_KEY_UPDATE_CAUSE, cause) ||
	      nla_put_u64_64bit(skb, NQD_A_EVENT_KEY_GENERATION, generation, NQD_A_EVENT_PAD);
	nqd_event_end(s, skb, header, nest, err);
}

static void nqd_event_mtu(struct nqd_session *s)
{
	struct nlattr *nest;
	struct sk_buff *skb;
	void *header;
	int err;

	skb = nqd_event_begin(s, NQD_EVENT_PATH_MTU_CHANGED, false, &header, &nest);
	if (!skb)
		return;
	err = nla_put_u32(skb, NQD_A_EVENT_DATAGRAM_SIZE, s->conn.pmtu.current_size) ||
	      nla_put_u32(skb, NQD_A_EVENT_MTU, nqd_session_mtu(s));
	nqd_event_end(s, skb, header, nest, err);
}

static int nqd_event_put_noise(struct sk_buff *skb, const struct nqd_session *s, enum nqd_session_noise noise)
{
	const struct nqd_drop_count drop = { .reason = NQD_DROP_DUPLICATE, .packets = s->noise[noise] };
	struct nqd_recovery_stats recovery;

	switch (noise) {
	case NQD_NOISE_EPOCH:
		return nla_put_u64_64bit(skb, NQD_A_EVENT_EXPECTED_EPOCH,
					 READ_ONCE(s->device->config.route_epoch),
					 NQD_A_EVENT_PAD) ||
		       nla_put_u64_64bit(skb, NQD_A_EVENT_FOUND_EPOCH, READ_ONCE(s->route_epoch),
					 NQD_A_EVENT_PAD);
	case NQD_NOISE_REPLAY:
		return nla_put_64bit(skb, NQD_A_EVENT_DROP, sizeof(drop), &drop, NQD_A_EVENT_PAD);
	case NQD_NOISE_CONGESTION:
		nqd_session_recovery_stats(s, &recovery);
		return nla_put_u32(skb, NQD_A_EVENT_CONGESTION_PHASE, NQD_CONGESTION_PHASE_RECOVERY) ||
		       nla_put_64bit(skb, NQD_A_EVENT_RECOVERY, sizeof(recovery), &recovery, NQD_A_EVENT_PAD);
	default:
		return 0;
	}
}

static void nqd_event_noise(struct nqd_session *s, enum nqd_session_noise noise)
{
	static const u8 command[NQD_NOISES] = {
		[NQD_NOISE_EPOCH] = NQD_EVENT_ROUTE_EPOCH_MISMATCH,
		[NQD_NOISE_REPLAY] = NQD_EVENT_REPLAY_OR_DUPLICATE_DROP,
		[NQD_NOISE_TUPLE] = NQD_EVENT_PEER_TUPLE_CHANGED,
		[NQD_NOISE_CONGESTION] = NQD_EVENT_CONGESTION_STATE,
	};
	u64 now = nqd_now();
	struct nlattr *nest;
	struct sk_buff *skb;
	void *header;

	lockdep_assert_held(&s->lock);
	s->noise[noise]++;
	if (now < s->noisy[noise])
		return;
	s->noisy[noise] = now + NQD_EVENT_INTERVAL;
	skb = nqd_event_begin(s, command[noise], false, &header, &nest);
	if (skb)
		nqd_event_end(s, skb, header, nest, nqd_event_put_noise(skb, s, noise));
	s->noise[noise] = 0;
}

/**
 * nqd_event_session_noisy() - something happened that may happen with every packet: told now and then
 * @s: session
 * @noise: what
 *
 * Context: any but hard interrupts, without the session's lock.
 */
void nqd_event_session_noisy(struct nqd_session *s, enum nqd_session_noise noise)
{
	spin_lock_bh(&s->lock);
	nqd_event_noise(s, noise);
	spin_unlock_bh(&s->lock);
}

/**
 * nqd_session_reset_seen() - the peer has forgotten the connection (RFC 9000 section 10.3.1)
 * @s: session, with its lock held
 */
void nqd_session_reset_seen(struct nqd_session *s)
{
	lockdep_assert_held(&s->lock);
	if (s->down)
		return;
	nqd_session_tell_down(s, NQD_DOWN_REASON_STATELESS_RESET, true);
	nqd_state_drain(&s->conn.state, nqd_now(), nqd_rtt_pto(&s->conn.recovery.rtt));
	s->conn.wanted = 0;
	nqd_session_work(s, NQD_SESSION_WORK_END);
}

static void nqd_session_log_recovery(struct nqd_session *s)
{
	struct nqd_recovery_stats r;
	u64 seen;

	nqd_session_recovery_stats(s, &r);
	seen = r.packets_lost + r.pto_count + r.congestion_events;
	if (s->logged == seen)
		return;
	s->logged = seen;
	net_info_ratelimited("%s: session %llu: %llu packets lost, %llu probes, %llu reductions, window %llu, in flight %llu\n",
			     netdev_name(s->device->dev), s->id, r.packets_lost, r.pto_count,
			     r.congestion_events, r.congestion_window, r.bytes_in_flight);
}

static void nqd_session_log_keys(const struct nqd_session *s, u32 events)
{
	net_info_ratelimited("%s: session %llu: key generation rx %llu tx %llu%s%s\n",
			     netdev_name(s->device->dev), s->id, s->conn.keys.rx_generation,
			     s->conn.keys.tx_generation,
			     events & NQD_CONN_EVENT_KEYS_UPDATE_NEEDED ? ", an update is due" : "",
			     events & NQD_CONN_EVENT_KEYS_EXHAUSTED ? ", the limit is reached" : "");
}

static void nqd_session_keys_events(struct nqd_session *s, u32 events)
{
	struct nqd_keys *keys = &s->conn.keys;

	if (nqd_device_logs(s->device, NQD_DEBUG_FLAG_KEYS))
		nqd_session_log_keys(s, events);

	if (events & NQD_CONN_EVENT_KEYS_FORGET) {
		nqd_keyring_forget(&s->rx_keys, nqd_keys_oldest(keys));
		nqd_keyring_forget(&s->tx_keys, nqd_keys_oldest(keys));
	}
	if (events & NQD_CONN_EVENT_KEYS_RX) {
		bool ours = events & NQD_CONN_EVENT_KEYS_UPDATE_DONE;

		if (ours)
			s->updates_local++;
		else
			s->updates_peer++;
		nqd_event_keys(s, NQD_EVENT_KEY_UPDATE_DONE,
			       ours ? NQD_KEY_UPDATE_CAUSE_LOCAL : NQD_KEY_UPDATE_CAUSE_PEER,
			       keys->rx_generation);
	}
	if (events & NQD_CONN_EVENT_KEYS_WANTED) {
		if (s->secrets)
			nqd_session_work(s, NQD_SESSION_WORK_KEYS);
		else
			nqd_event_keys(s, NQD_EVENT_KEY_UPDATE_NEEDED, NQD_KEY_UPDATE_CAUSE_NEXT_KEYS_MISSING,
				       keys->tx_generation);
	}
	if (events & (NQD_CONN_EVENT_KEYS_UPDATE_NEEDED | NQD_CONN_EVENT_KEYS_EXHAUSTED))
		nqd_event_keys(s, NQD_EVENT_KEY_UPDATE_NEEDED, NQD_KEY_UPDATE_CAUSE_CONFIDENTIALITY_LIMIT,
			       keys->tx_generation);
}

static void nqd_session_end_events(struct nqd_session *s, u32 events)
{
	enum nqd_down_reason reason;

	if (events & NQD_CONN_EVENT_PEER_CLOSED)
		nqd_session_tell_down(s, NQD_DOWN_REASON_PEER_CLOSED, false);
	if (events & NQD_CONN_EVENT_ERROR) {
		reason = NQD_DOWN_REASON_PROTOCOL_ERROR;
		/* RFC 9001 section 6.6. */
		if (s->conn.state.error_code == NQD_QUIC_AEAD_LIMIT_REACHED)
			reason = NQD_DOWN_REASON_AEAD_LIMIT;
		nqd_session_tell_down(s, reason, false);
	}
	/* RFC 9000 section 10.1: an idle connection is closed silently, its state discarded. */
	if (events & NQD_CONN_EVENT_IDLE)
		nqd_session_tell_down(s, NQD_DOWN_REASON_IDLE_TIMEOUT, true);
	if (events & (NQD_CONN_EVENT_IDLE | NQD_CONN_EVENT_DRAINED))
		nqd_session_work(s, NQD_SESSION_WORK_END);
}

#define NQD_SESSION_KEYS_EVENTS \
	(NQD_CONN_EVENT_KEYS_RX | NQD_CONN_EVENT_KEYS_TX | NQD_CONN_EVENT_KEYS_WANTED | \
	 NQD_CONN_EVENT_KEYS_FORGET | NQD_CONN_EVENT_KEYS_UPDATE_NEEDED | \
	 NQD_CONN_EVENT_KEYS_UPDATE_DONE | NQD_CONN_EVENT_KEYS_EXHAUSTED)
#define NQD_SESSION_END_EVENTS \
	(NQD_CONN_EVENT_PEER_CLOSED | NQD_CONN_EVENT_ERROR | NQD_CONN_EVENT_IDLE | NQD_CONN_EVENT_DRAINED)

/**
 * nqd_session_events() - take what the protocol core reports, and act on it
 * @s: active session, with its lock held
 */
void nqd_session_events(struct nqd_session *s)
{
	u32 events = nqd_conn_events(&s->conn);

	lockdep_assert_held(&s->lock);
	if (nqd_device_logs(s->device, NQD_DEBUG_FLAG_RECOVERY))
		nqd_session_log_recovery(s);
	if (likely(!events) || s->dead)
		return;
	if (events & NQD_CONN_EVENT_RING)
		nqd_session_work(s, NQD_SESSION_WORK_RING);
	if (events & NQD_SESSION_KEYS_EVENTS)
		nqd_session_keys_events(s, events);
	if (events & (NQD_CONN_EVENT_CONTROL_ACKED | NQD_CONN_EVENT_CONTROL_LOST))
		nqd_owner_blobs_done(s);
	if (events & NQD_CONN_EVENT_MTU)
		nqd_event_mtu(s);
	if (events & NQD_CONN_EVENT_CONGESTION)
		nqd_event_noise(s, NQD_NOISE_CONGESTION);
	if (events & NQD_SESSION_END_EVENTS)
		nqd_session_end_events(s, events);
}

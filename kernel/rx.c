// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: which session, header protection off, opened once, then the protocol core's judgement. A packet
 * changes nothing before it is authentic. nqd_session.lock is taken twice, and not held in between.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>

#include "compat/datapath.h"
#include "crypto_job.h"
#include "deliver.h"
#include "device.h"
#include "drop.h"
#include "frames.h"
#include "session.h"
#include "socket.h"
#include "trace.h"

/* RFC 9000 section 17.2. */
#define NQD_RX_LONG_HEADER 0x80

/**
 * struct nqd_rx_packet - what is known of a packet before its frames are
 * @header: where its parts are
 * @rx: for the protocol core
 * @foreign: it came from another address than the peer's
 * @tos: DSCP and ECN of the outer IP header
 */
struct nqd_rx_packet {
	struct nqd_short_header header;
	struct nqd_conn_rx rx;
	bool foreign;
	u8 tos;
};

/* A datagram that could not be authenticated: the peer may have forgotten us (RFC 9000 section 10.3.1). */
static enum nqd_drop_reason nqd_rx_unauthentic(struct nqd_session *s, const struct sk_buff *skb,
					       enum nqd_drop_reason reason)
{
	lockdep_assert_held(&s->lock);
	if (!nqd_session_is_reset(s, skb->data, skb->len))
		return reason;
	nqd_session_reset_seen(s);
	return NQD_DROP_STATELESS_RESET;
}

/* An authentic packet, with nqd_session.lock held; its frames are @payload. */
static enum nqd_drop_reason nqd_rx_accept(struct nqd_session *s, const struct nqd_rx_packet *p, u64 now,
					  const u8 *payload, u32 len, struct nqd_conn_rx_result *res,
					  enum nqd_session_noise *noise, struct nqd_owner_event **handed_up)
{
	enum nqd_drop_reason reason;
	u32 room;

	/*
	 * Endpoint changes wait for path validation (RFC 9000 section 9): until then the owner reconnects. A
	 * packet that is here already says nothing about where the peer is: anyone who saw it can send it
	 * from anywhere.
	 */
	if (unlikely(p->foreign)) {
		reason = nqd_received_check(&s->conn.received, p->rx.pn);
		if (reason != NQD_DROP_NONE)
			return reason;
		*noise = NQD_NOISE_TUPLE;
		return NQD_DROP_TUPLE_MISMATCH;
	}
	/* What the owner must hear of and has no room for is not acknowledged: the core sees to frames. */
	room = nqd_owner_room(&s->owner);
	if (unlikely(!room) && nqd_frames_for_owner(payload, len))
		return NQD_DROP_EVENT_QUEUE_FULL;
	reason = nqd_conn_rx_opened(&s->conn, now, &p->rx, payload, len, 0, res);
	if (unlikely(reason == NQD_DROP_EVENT_QUEUE_FULL && room)) {
		*handed_up = nqd_owner_frames_alloc(res->handup_bytes);
		if (!*handed_up)
			return NQD_DROP_NO_MEMORY;
		reason = nqd_conn_rx_opened(&s->conn, now, &p->rx, payload, len, res->handup_bytes, res);
		if (reason != NQD_DROP_NONE)
			kfree(*handed_up);
	}
	if (reason == NQD_DROP_DUPLICATE || reason == NQD_DROP_TOO_OLD)
		*noise = NQD_NOISE_REPLAY;
	return reason;
}

/* Is there something to send now? With nqd_session.lock held. */
static bool nqd_rx_wants_tx(const struct nqd_session *s, u64 now)
{
	return nqd_conn_tx_wanted(&s->conn, now) || s->data.stalled;
}

static void nqd_rx_opened(struct nqd_session *s, struct sk_buff *skb, const struct nqd_rx_packet *p, int err)
{
	u32 header = nqd_short_header_len(&p->header), len = skb->len - header - NQD_TAG_LEN;
	enum nqd_session_noise noise = NQD_NOISES;
	struct nqd_owner_event *handed_up = NULL;
	const u8 *payload = skb->data + header;
	struct nqd_conn_rx_result res;
	enum nqd_drop_reason reason;
	bool plain = false, lone = false, kick;
	u64 now = nqd_now();

	spin_lock(&s->lock);
	if (unlikely(s->dead)) {
		reason = NQD_DROP_STATE;
		kick = false;
		goto unlock;
	}
	if (likely(!err))
		reason = nqd_rx_accept(s, p, now, payload, len, &res, &noise, &handed_up);
	else if (err == -EBADMSG)
		reason = nqd_rx_unauthentic(s, skb, nqd_conn_rx_failed(&s->conn, now));
	else
		reason = err == -ENOBUFS ? NQD_DROP_NO_MEMORY : NQD_DROP_AEAD;
	if (likely(reason == NQD_DROP_NONE)) {
		plain = nqd_frames_plain(payload, &res);
		lone = res.lone;
		if (unlikely(!plain && (res.datagrams || res.handup_frames)))
			nqd_frames_hand_up(s, payload, len, &res, handed_up);
	}
	if (unlikely(s->conn.events))
		nqd_session_events(s);
	kick = nqd_rx_wants_tx(s, now);
	if (kick)
		s->data.timer_stale = true;
	else if (!lone || nqd_ack_deadline(&s->conn.ack) < s->data.timer_at)
		nqd_timer_update(s);
unlock:
	spin_unlock(&s->lock);

	if (unlikely(err && err != -EBADMSG))
		nqd_session_count(s, NQD_COUNT_OPEN_FAILURES, 1);
	if (unlikely(noise != NQD_NOISES))
		nqd_event_session_noisy(s, noise);
	if (unlikely(reason != NQD_DROP_NONE)) {
		nqd_drop_skb(s, NQD_RX, skb, reason);
	} else if (likely(plain)) {
		__skb_pull(skb, header + res.datagram.offset + 1);
		__skb_trim(skb, res.datagram.len - 1);
		nqd_deliver(s, skb, p->tos);
	} else {
		__skb_pull(skb, header);
		__skb_trim(skb, len);
		if (res.datagrams)
			nqd_frames_deliver(s, skb, p->tos);
		else
			consume_skb(skb);
	}
	/* After the other packets of this batch: one ACK for all of them. */
	if (kick)
		nqd_tx_kick_soon(s);
}

static void nqd_rx_hold(struct nqd_crypto_op *op)
{
	if (!nqd_session_get(op->session))
		op->session = NULL;
}

static void nqd_rx_done(struct nqd_crypto_op *op, int err)
{
	const struct nqd_rx_packet p = {
		.header = op->header,
		.rx = op->rx,
		.foreign = op->foreign,
		.tos = op->tos,
	};

	if (op->session) {
		rcu_read_lock();
		nqd_rx_opened(op->session, op->skb, &p, err);
		rcu_read_unlock();
		nqd_session_put(op->session);
	} else {
		kfree_skb(op->skb);
	}
	nqd_key_put(op->owner_key);
}

/* Opens a packet with a cipher that may complete later; there is a reference to its key. */
static noinline void nqd_rx_open_later(struct nqd_session *s, struct nqd_key *key, struct sk_buff *skb,
				       const struct nqd_rx_packet *p)
{
	struct nqd_crypto_op op = {
		.key = &key->packet,
		.datagram = skb->data,
		.len = skb->len,
		.header = p->header,
		.hold = nqd_rx_hold,
		.done = nqd_rx_done,
		.session = s,
		.owner_key = key,
		.skb = skb,
		.rx = p->rx,
		.foreign = p->foreign,
		.tos = p->tos,
	};
	int err = nqd_crypto_open(&op);

	if (err == -EINPROGRESS)
		return;
	nqd_rx_opened(s, skb, p, err);
	nqd_key_put(key);
}

/* Packet number and key, or why not. */
static enum nqd_drop_reason nqd_rx_begin(struct nqd_session *s, struct sk_buff *skb, struct nqd_rx_packet *p,
					 u32 truncated, struct nqd_key **key)
{
	enum nqd_drop_reason reason = NQD_DROP_STATE;

	spin_lock(&s->lock);
	if (unlikely(s->dead))
		goto unlock;
	reason = nqd_conn_rx_begin(&s->conn, &p->rx, truncated);
	if (likely(reason == NQD_DROP_NONE)) {
		*key = nqd_keyring_key(&s->rx_keys, p->rx.generation);
		if (unlikely(!*key || ((*key)->packet.asynchronous && !nqd_key_get(*key))))
			reason = NQD_DROP_KEY_DISCARDED;
	}
	if (unlikely(reason != NQD_DROP_NONE))
		reason = nqd_rx_unauthentic(s, skb, reason);
	if (unlikely(s->conn.events))
		nqd_session_events(s);
unlock:
	spin_unlock(&s->lock);
	return reason;
}

/* A datagram of an active session: UDP payload from skb->data on; consumed. */
static void nqd_rx_packet(struct nqd_session *s, struct sk_buff *skb, bool foreign, u8 tos)
{
	struct nqd_rx_packet p = {
		.header = { .cid_len = s->socket->cid_len },
		.rx = { .ecn = tos & INET_ECN_MASK, .path = NQD_PATH_ACTIVE },
		.foreign = foreign,
		.tos = tos,
	};
	enum nqd_drop_reason reason;
	struct nqd_key *key = NULL;
	u32 truncated = 0;

	/* In place: in one piece, and not what a packet socket is looking at too. */
	if (unlikely((skb_is_nonlinear(skb) || skb_cloned(skb)) && skb_linearize_cow(skb))) {
		nqd_drop_skb(s, NQD_RX, skb, NQD_DROP_NO_MEMORY);
		return;
	}
	p.rx.size = skb->len;
	reason = nqd_header_unprotect(&s->rx_hp, skb->data, skb->len, &p.header, &truncated);
	if (unlikely(reason != NQD_DROP_NONE)) {
		/* A stateless reset may be shorter than any packet of ours. */
		if (reason == NQD_DROP_TRUNCATED) {
			spin_lock(&s->lock);
			if (!s->dead)
				reason = nqd_rx_unauthentic(s, skb, reason);
			spin_unlock(&s->lock);
		}
		nqd_drop_skb(s, NQD_RX, skb, reason);
		return;
	}
	p.rx.first_byte = skb->data[0];
	reason = nqd_rx_begin(s, skb, &p, truncated, &key);
	if (unlikely(reason != NQD_DROP_NONE)) {
		nqd_drop_skb(s, NQD_RX, skb, reason);
		return;
	}
	trace_rx_packet(s->device->dev->ifindex, s->id, p.rx.pn, p.rx.generation, skb->len, p.rx.ecn);
	p.header.pn = p.rx.pn;
	if (unlikely(key->packet.asynchronous))
		nqd_rx_open_later(s, key, skb, &p);
	else
		nqd_rx_opened(s, skb, &p, nqd_crypto_open_now(&key->packet, skb->data, skb->len, &p.header));
}

/**
 * nqd_rx_datagram() - a datagram that HOLD kept, or that user space took from the socket
 * @s: session whose connection runs
 * @skb: UDP payload from skb->data on, with struct nqd_rx_cb; consumed
 *
 * Context: BH off, under RCU.
 */
void nqd_rx_datagram(struct nqd_session *s, struct sk_buff *skb)
{
	const struct nqd_rx_cb cb = *NQD_RX_CB(skb);

	nqd_rx_packet(s, skb, !nqd_address_equal(&cb.remote, &s->remote), cb.ecn);
}

/* Who sent it. */
static void nqd_rx_remote(const struct sk_buff *skb, union nqd_address *remote)
{
	const struct udphdr *udp = udp_hdr(skb);

	memset(remote, 0, sizeof(*remote));
	if (skb->protocol == htons(ETH_P_IP)) {
		remote->v4.sin_family = AF_INET;
		remote->v4.sin_port = udp->source;
		remote->v4.sin_addr.s_addr = ip_hdr(skb)->saddr;
		return;
	}
	remote->v6.sin6_family = AF_INET6;
	remote->v6.sin6_port = udp->source;
	remote->v6.sin6_addr = ipv6_hdr(skb)->saddr;
	remote->v6.sin6_scope_id = ipv6_iface_scope_id(&ipv6_hdr(skb)->saddr, skb->skb_iif);
}

/* Did anybody but the peer send it? */
static bool nqd_rx_foreign(const struct nqd_session *s, const struct sk_buff *skb)
{
	union nqd_address remote;

	if (likely(skb->protocol == htons(ETH_P_IP) && s->remote.family == AF_INET))
		return ip_hdr(skb)->saddr != s->remote.v4.sin_addr.s_addr ||
		       udp_hdr(skb)->source != s->remote.v4.sin_port;
	nqd_rx_remote(skb, &remote);
	return !nqd_address_equal(&remote, &s->remote);
}

/* Its DSCP and ECN field. */
static u8 nqd_rx_tos(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));
}

/**
 * nqd_rx_encap() - encap_rcv of a socket in use
 * @sk: socket
 * @skb: datagram, skb->data at its UDP header; the checksum is right
 *
 * Context: BH off, under RCU.
 *
 * Return: 0 if it was for a session, and is gone; 1 if user space is to have it: long headers, unknown
 * connection IDs.
 */
int nqd_rx_encap(struct sock *sk, struct sk_buff *skb)
{
	const struct nqd_socket *socket = rcu_dereference_sk_user_data(sk);
	union nqd_address remote;
	struct nqd_session *s;
	const u8 *datagram;
	bool held = false;

	if (unlikely(!socket || !pskb_may_pull(skb, sizeof(struct udphdr) + 1 + socket->cid_len)))
		return 1;
	datagram = skb->data + sizeof(struct udphdr);
	if (unlikely(datagram[0] & NQD_RX_LONG_HEADER))
		return 1;
	/* Asked for only where connection IDs are empty. */
	if (unlikely(!socket->cid_len))
		nqd_rx_remote(skb, &remote);
	s = nqd_session_find(socket, datagram, skb->len - sizeof(struct udphdr), &remote);
	if (unlikely(!s))
		return 1;
	__skb_pull(skb, sizeof(struct udphdr));
	if (unlikely(!nqd_session_is_active(s))) {
		spin_lock(&s->lock);
		/* It may have become active just now. */
		held = !s->active;
		if (held) {
			nqd_rx_remote(skb, &NQD_RX_CB(skb)->remote);
			NQD_RX_CB(skb)->ecn = nqd_rx_tos(skb) & INET_ECN_MASK;
			nqd_session_hold(s, skb);
		}
		spin_unlock(&s->lock);
	}
	if (likely(!held))
		nqd_rx_packet(s, skb, nqd_rx_foreign(s, skb), nqd_rx_tos(skb));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A packet that was decided on: header and frames around its payload, sealed, header protection, and out.
 */
#include "compat/datapath.h"
#include "crypto_job.h"
#include "device.h"
#include "drop.h"
#include "output.h"
#include "pn.h"
#include "seal.h"
#include "session.h"
#include "trace.h"

/* A packet that was planned does not leave: the core takes its number back, and what was in it. */
static void nqd_seal_failed(struct nqd_session *s, u64 pn)
{
	spin_lock(&s->lock);
	if (!s->dead) {
		nqd_conn_tx_failed(&s->conn, nqd_now(), pn);
		nqd_session_events(s);
		nqd_timer_update(s);
	}
	spin_unlock(&s->lock);
}

/* Larger than the link: of a probe that was to be learnt, of what is taken to fit it is news. */
static void nqd_seal_too_big(struct nqd_session *s, u32 size, u32 mtu)
{
	spin_lock(&s->lock);
	if (!s->dead && size <= s->conn.pmtu.current_size) {
		nqd_conn_mtu_reported(&s->conn, nqd_now(), max_t(u32, mtu, NQD_MIN_DATAGRAM_SIZE));
		nqd_session_events(s);
		nqd_timer_update(s);
	}
	spin_unlock(&s->lock);
}

/* Header protection, then out. False: it was dropped. */
static bool nqd_seal_finish(struct nqd_session *s, struct sk_buff *skb, const struct nqd_short_header *header,
			    u8 tos, int err)
{
	u32 size = skb->len, mtu = 0;

	if (unlikely(err)) {
		nqd_session_count(s, NQD_COUNT_SEAL_FAILURES, 1);
		nqd_seal_failed(s, header->pn);
		nqd_drop_skb(s, NQD_TX, skb, err == -ENOBUFS ? NQD_DROP_NO_MEMORY : NQD_DROP_AEAD_SEAL);
		return false;
	}
	if (unlikely(READ_ONCE(s->dead))) {
		nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_STATE);
		return false;
	}
	if (unlikely(nqd_header_protect(&s->tx_hp, skb->data, size, header))) {
		nqd_session_count(s, NQD_COUNT_HEADER_FAILURES, 1);
		nqd_seal_failed(s, header->pn);
		nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_HEADER_PROTECTION);
		return false;
	}
	err = nqd_output(s, skb, tos, &mtu);
	if (unlikely(err)) {
		if (err == -EMSGSIZE)
			nqd_seal_too_big(s, size, mtu);
		/* To recovery it is as lost as any packet. */
		nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_UDP_SEND);
	}
	return !err;
}

static void nqd_seal_hold(struct nqd_crypto_op *op)
{
	if (!nqd_session_get(op->session))
		op->session = NULL;
}

static void nqd_seal_done(struct nqd_crypto_op *op, int err)
{
	if (op->session) {
		rcu_read_lock();
		if (nqd_seal_finish(op->session, op->skb, &op->header, op->tos, err) && op->inner)
			nqd_session_carried(op->session, NQD_TX, 1, op->inner);
		rcu_read_unlock();
		nqd_session_put(op->session);
	} else {
		kfree_skb(op->skb);
	}
	nqd_key_put(op->owner_key);
}

/*
 * Seals a packet with a cipher that may complete later. @inner: bytes of the IP packet in it, 0 if there is
 * none. False: it was dropped, or is counted when it leaves.
 */
static noinline bool nqd_seal_later(struct nqd_session *s, struct nqd_key *key, struct sk_buff *skb,
				    const struct nqd_short_header *header, u8 tos, u32 inner)
{
	struct nqd_crypto_op op = {
		.key = &key->packet,
		.datagram = skb->data,
		.len = skb->len,
		.header = *header,
		.hold = nqd_seal_hold,
		.done = nqd_seal_done,
		.session = s,
		.owner_key = key,
		.skb = skb,
		.tos = tos,
		.inner = inner,
	};
	bool sent;
	int err;

	/* The slot may lose it while the cipher works. */
	if (!nqd_key_get(key))
		return nqd_seal_finish(s, skb, header, tos, -ENOKEY);
	err = nqd_crypto_seal(&op);
	if (err == -EINPROGRESS)
		return false;
	sent = nqd_seal_finish(s, skb, header, tos, err);
	nqd_key_put(key);
	return sent;
}

/* Header and frames in front of the payload, room for the tag behind it. */
static bool nqd_seal_wrap(struct sk_buff *skb, const struct nqd_seal *b, const u8 *frames, u32 frames_len,
			  u64 pn)
{
	u32 header = 1 + b->cid_len + b->plan.pn_len;
	u8 *p;

	if (unlikely(skb_headroom(skb) < NQD_OUTPUT_HEADROOM_MIN + header + frames_len &&
		     skb_cow_head(skb, NQD_OUTPUT_HEADROOM + header + frames_len)))
		return false;
	p = __skb_push(skb, frames_len);
	if (likely(frames_len == 1))
		*p = *frames;
	else
		memcpy(p, frames, frames_len);
	/* RFC 9000 section 17.3.1. */
	p = __skb_push(skb, header);
	p[0] = b->plan.first_byte;
	nqd_session_cid_copy(p + 1, b->cid, b->cid_len);
	__skb_put(skb, NQD_TAG_LEN);
	nqd_pn_put_within(p + 1 + b->cid_len, pn, b->plan.pn_len);
	return true;
}

/**
 * nqd_seal_packet() - put a packet around a payload, seal it and send it
 * @s: session, served by this CPU
 * @b: what was decided on
 * @index: which of its packets
 * @skb: payload, as nqd_cut_ready() returns it; consumed
 * @frames_len: bytes of nqd_datapath.frames that come before the payload
 * @dscp: DSCP of the outer IP header, in place
 * @inner: bytes of the IP packet in it, 0 if there is none
 *
 * Context: BH off, under RCU; nqd_session.lock is not held.
 *
 * Return: true if it has left, and is to be counted; false if it was dropped, or is counted when it leaves.
 */
bool nqd_seal_packet(struct nqd_session *s, const struct nqd_seal *b, u32 index, struct sk_buff *skb,
		     u32 frames_len, u8 dscp, u32 inner)
{
	struct nqd_key *key = nqd_keyring_key(&s->tx_keys, b->plan.generation);
	struct nqd_short_header header = {
		.pn = b->plan.pn + index,
		.cid_len = b->cid_len,
		.pn_len = b->plan.pn_len,
	};
	u8 tos = dscp | b->plan.ecn;
	int err = -ENOKEY;

	if (unlikely(!nqd_seal_wrap(skb, b, s->data.frames, frames_len, header.pn))) {
		nqd_seal_failed(s, header.pn);
		nqd_drop_skb(s, NQD_TX, skb, NQD_DROP_NO_MEMORY);
		return false;
	}
	trace_tx_packet(s->device->dev->ifindex, s->id, header.pn, b->plan.generation, skb->len, b->plan.ecn);
	if (unlikely(key && key->packet.asynchronous))
		return nqd_seal_later(s, key, skb, &header, tos, inner);
	if (likely(key))
		err = nqd_crypto_seal_now(&key->packet, skb->data, skb->len, &header);
	return nqd_seal_finish(s, skb, &header, tos, err);
}

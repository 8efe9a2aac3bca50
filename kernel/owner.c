// SPDX-License-Identifier: GPL-2.0
/*
 * Events with a payload for the owner of a device.
 *
 * They reach the owner in order: while one has not been taken by its socket, none behind it is sent. A
 * socket without room says ENOBUFS to its reader; the session tries again a little later, and the reader
 * may have everything sent again by ADOPT_DEVICE.
 */
#include <linux/slab.h>
#include <net/genetlink.h>

#include "device.h"
#include "netlink.h"
#include "netlink_session.h"
#include "session.h"

/* When to try again what the owner's socket had no room for. */
#define NQD_OWNER_RETRY (HZ / 20)

/* Room around the payload of an event. */
#define NQD_OWNER_OVERHEAD 256

static struct nqd_owner_event *nqd_owner_event_alloc(u8 command, u32 len, gfp_t gfp)
{
	struct nqd_owner_event *event = kzalloc(struct_size(event, bytes, len), gfp);

	if (!event)
		return NULL;
	event->len = len;
	event->command = command;
	event->pn = NQD_PN_NONE;
	return event;
}

static int nqd_owner_put_frames(struct sk_buff *skb, const struct nqd_owner_event *event)
{
	struct nlattr *nest = nla_nest_start(skb, NQD_A_FRAMES);

	if (!nest)
		return -EMSGSIZE;
	if (event->has_token && nla_put_u64_64bit(skb, NQD_A_FRAMES_TOKEN, event->token, NQD_A_FRAMES_PAD))
		return -EMSGSIZE;
	if (event->command == NQD_EVENT_DATAGRAM_RECEIVED &&
	    nla_put_u64_64bit(skb, NQD_A_FRAMES_CONTEXT_ID, event->context, NQD_A_FRAMES_PAD))
		return -EMSGSIZE;
	if (event->len && nla_put(skb, NQD_A_FRAMES_PAYLOAD, event->len, event->bytes))
		return -EMSGSIZE;
	if (event->pn != NQD_PN_NONE &&
	    nla_put_u64_64bit(skb, NQD_A_FRAMES_PACKET_NUMBER, event->pn, NQD_A_FRAMES_PAD))
		return -EMSGSIZE;
	if (event->losses && nla_put_u32(skb, NQD_A_FRAMES_LOSSES, event->losses))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int nqd_owner_put(struct sk_buff *skb, const struct nqd_session *s,
			 const struct nqd_owner_event *event)
{
	struct nlattr *nest;

	if (nqd_netlink_put_version(skb) || nqd_netlink_put_session_name(skb, s, false))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, NQD_A_EVENT);
	if (!nest || nla_put_u64_64bit(skb, NQD_A_EVENT_ID, event->id, NQD_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, NQD_A_EVENT_TIME_NS, ktime_get_boottime_ns(), NQD_A_EVENT_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return nqd_owner_put_frames(skb, event);
}

/* Returns 0, or a negative error: the owner has not got it. */
static int nqd_owner_send(const struct nqd_session *s, const struct nqd_owner_event *event, u32 port)
{
	struct sk_buff *skb = genlmsg_new(NQD_OWNER_OVERHEAD + nla_total_size(event->len), GFP_ATOMIC);
	void *header;

	if (!skb)
		return -ENOMEM;
	header = genlmsg_put(skb, port, 0, &nqd_netlink_family, 0, event->command);
	if (!header || nqd_owner_put(skb, s, event)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return genlmsg_unicast(s->device->net, skb, port);
}

/* Sends what the owner has not got yet, in order, as far as it goes. */
static void nqd_owner_flush(struct nqd_session *s)
{
	u32 port = READ_ONCE(s->device->owner_port);
	struct nqd_owner_event *event;

	lockdep_assert_held(&s->lock);
	/* Without an owner they wait for ADOPT_DEVICE. */
	if (s->dead || !port || !nqd_netlink_announce())
		return;
	list_for_each_entry(event, &s->owner.queue, node) {
		if (event->sent)
			continue;
		if (nqd_owner_send(s, event, port)) {
			nqd_session_work_later(s, NQD_SESSION_WORK_OWNER, NQD_OWNER_RETRY);
			return;
		}
		event->sent = true;
	}
}

/* Numbers and queues an event, and sends it if none waits before it. */
static void nqd_owner_add(struct nqd_session *s, struct nqd_owner_event *event)
{
	event->id = ++s->owner.last_id;
	list_add_tail(&event->node, &s->owner.queue);
	s->owner.count++;
	nqd_owner_flush(s);
}

/**
 * nqd_owner_frames_alloc() - memory for frames of the peer, before their packet is acknowledged
 * @len: their bytes
 *
 * Return: for nqd_owner_frames() or kfree(), or NULL.
 */
struct nqd_owner_event *nqd_owner_frames_alloc(u32 len)
{
	return nqd_owner_event_alloc(NQD_EVENT_FRAMES_RECEIVED, len, GFP_ATOMIC);
}

/**
 * nqd_owner_frames() - hand frames of the peer up
 * @s: session, with its lock held
 * @event: whole frames; consumed
 */
void nqd_owner_frames(struct nqd_session *s, struct nqd_owner_event *event)
{
	lockdep_assert_held(&s->lock);
	nqd_owner_add(s, event);
}

/**
 * nqd_owner_datagram() - hand a DATAGRAM of the peer up
 * @s: session, with its lock held
 * @context: its context, not 0
 * @bytes: what is behind the context ID
 * @len: bytes of it
 *
 * Return: true; false if there is no room or no memory.
 */
bool nqd_owner_datagram(struct nqd_session *s, u64 context, const u8 *bytes, u32 len)
{
	struct nqd_owner_event *event;

	lockdep_assert_held(&s->lock);
	if (!nqd_owner_room(&s->owner))
		return false;
	event = nqd_owner_event_alloc(NQD_EVENT_DATAGRAM_RECEIVED, len, GFP_ATOMIC);
	if (!event)
		return false;
	event->context = context;
	memcpy(event->bytes, bytes, len);
	nqd_owner_add(s, event);
	return true;
}

/**
 * nqd_owner_blob_alloc() - keep frames of SEND_FRAMES
 * @bytes: whole frames
 * @len: their bytes
 * @has_token: the owner wants to hear what becomes of them
 * @token: by this name
 *
 * Context: may sleep.
 *
 * Return: to be freed by nqd_owner_blob_free(), or NULL.
 */
struct nqd_owner_blob *nqd_owner_blob_alloc(const u8 *bytes, u32 len, bool has_token, u64 token)
{
	struct nqd_owner_blob *blob = kzalloc(struct_size(blob, bytes, len), GFP_KERNEL);

	if (!blob)
		return NULL;
	blob->len = len;
	memcpy(blob->bytes, bytes, len);
	if (!has_token)
		return blob;
	/* Now, when it may still fail: the end is told for certain. */
	blob->event = nqd_owner_event_alloc(NQD_EVENT_FRAMES_ACKED, 0, GFP_KERNEL);
	if (!blob->event) {
		kfree(blob);
		return NULL;
	}
	blob->event->has_token = true;
	blob->event->token = token;
	return blob;
}

/**
 * nqd_owner_blob_free() - free frames of SEND_FRAMES
 * @blob: frames or NULL
 */
void nqd_owner_blob_free(struct nqd_owner_blob *blob)
{
	if (!blob)
		return;
	kfree(blob->event);
	kfree(blob);
}

/* Tells what became of frames, and frees them. */
static void nqd_owner_blob_end(struct nqd_session *s, u64 slot, u8 command,
			       const struct nqd_control_loss *loss)
{
	struct nqd_owner_blob *blob = s->control[slot];
	struct nqd_owner_event *event = blob->event;

	s->control[slot] = NULL;
	blob->event = NULL;
	nqd_owner_blob_free(blob);
	if (!event)
		return;
	event->command = command;
	if (loss) {
		event->pn = loss->pn;
		event->losses = loss->losses;
	}
	nqd_owner_add(s, event);
}

/* A loss that is not the end: told if there is room and memory; the next report has the right number. */
static void nqd_owner_blob_lost(struct nqd_session *s, const struct nqd_control_loss *loss)
{
	const struct nqd_owner_blob *blob = s->control[loss->id];
	struct nqd_owner_event *event;

	if (!blob->event || !nqd_owner_room(&s->owner))
		return;
	event = nqd_owner_event_alloc(NQD_EVENT_FRAMES_LOST, 0, GFP_ATOMIC);
	if (!event)
		return;
	event->has_token = true;
	event->token = blob->event->token;
	event->pn = loss->pn;
	event->losses = loss->losses;
	nqd_owner_add(s, event);
}

/**
 * nqd_owner_blobs_done() - frames of SEND_FRAMES were acknowledged or lost
 * @s: session, with its lock held
 *
 * Not bounded by the room: there are only so many frames under way.
 */
void nqd_owner_blobs_done(struct nqd_session *s)
{
	struct nqd_control_loss loss;
	u64 slot;

	lockdep_assert_held(&s->lock);
	while (nqd_control_pop_lost(&s->conn.control, &loss)) {
		if (loss.final)
			nqd_owner_blob_end(s, loss.id, NQD_EVENT_FRAMES_LOST, &loss);
		else
			nqd_owner_blob_lost(s, &loss);
	}
	while (nqd_control_pop(&s->conn.control, &slot))
		nqd_owner_blob_end(s, slot, NQD_EVENT_FRAMES_ACKED, NULL);
}

/**
 * nqd_owner_ack() - the owner has dealt with events (EVENT_ACK)
 * @s: session, with its lock held
 * @id: the newest of them
 *
 * Return: 0, or -EINVAL if there was no such event yet.
 */
int nqd_owner_ack(struct nqd_session *s, u64 id)
{
	struct nqd_owner_event *event, *next;

	lockdep_assert_held(&s->lock);
	if (id > s->owner.last_id)
		return -EINVAL;
	list_for_each_entry_safe(event, next, &s->owner.queue, node) {
		if (event->id > id)
			break;
		list_del(&event->node);
		s->owner.count--;
		kfree(event);
	}
	return 0;
}

/**
 * nqd_owner_retry() - send what the owner's socket had no room for
 * @s: session
 */
void nqd_owner_retry(struct nqd_session *s)
{
	spin_lock_bh(&s->lock);
	nqd_owner_flush(s);
	spin_unlock_bh(&s->lock);
}

/**
 * nqd_owner_resend() - send everything again: the device has a new owner
 * @s: session
 */
void nqd_owner_resend(struct nqd_session *s)
{
	struct nqd_owner_event *event;

	spin_lock_bh(&s->lock);
	list_for_each_entry(event, &s->owner.queue, node)
		event->sent = false;
	nqd_owner_flush(s);
	spin_unlock_bh(&s->lock);
}

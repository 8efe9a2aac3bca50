// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/*
 * Reliable delivery of control frames (RFC 9000 section 13.3). All of this is rare and small: slots are
 * searched one by one.
 */
#include "control.h"

#include "frame.h"

/**
 * nqd_control_init() - start empty
 * @c: queue
 * @slots: memory for it, may be NULL with @capacity 0
 * @capacity: slots in it
 */
void nqd_control_init(struct nqd_control *c, struct nqd_control_slot *slots, u32 capacity)
{
	memset(c, 0, sizeof(*c));
	c->slots = slots;
	c->capacity = capacity;
	if (capacity)
		memset(slots, 0, capacity * sizeof(*slots));
}

/*
 * May user space have this frame repeated until acknowledged? RFC 9000 section 13.3: ACK, PADDING,
 * PATH_CHALLENGE, PATH_RESPONSE and CONNECTION_CLOSE are not retransmitted this way, and RFC 9221 section 5
 * forbids it for DATAGRAM. The core makes all of those itself.
 */
static bool nqd_control_allowed(u32 type, bool client)
{
	switch (type) {
	case NQD_FRAME_PADDING:
	case NQD_FRAME_ACK:
	case NQD_FRAME_ACK_ECN:
	case NQD_FRAME_PATH_CHALLENGE:
	case NQD_FRAME_PATH_RESPONSE:
	case NQD_FRAME_CONNECTION_CLOSE:
	case NQD_FRAME_CONNECTION_CLOSE_APP:
	case NQD_FRAME_DATAGRAM:
	case NQD_FRAME_DATAGRAM_LEN:
		return false;
	default:
		return !client || nqd_frame_from_client(type);
	}
}

/* The bytes become a part of some packet, so a frame that runs to its end would swallow what follows. */
static int nqd_control_check(const u8 *bytes, u32 len, bool client, u32 *frames)
{
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	int ret;

	*frames = 0;
	nqd_frame_iter_init(&it, bytes, len);
	while ((ret = nqd_frame_next(&it, &frame)) > 0) {
		++*frames;
		if (!nqd_control_allowed(frame.type, client))
			return -EPERM;
		if (frame.type >= NQD_FRAME_STREAM && frame.type <= NQD_FRAME_STREAM_LAST &&
		    !(frame.type & NQD_FRAME_STREAM_LEN))
			return -EINVAL;
	}
	return ret < 0 ? -EINVAL : 0;
}

static int nqd_control_put(struct nqd_control *c, u64 id, const u8 *bytes, u32 len, bool client,
			   bool once)
{
	struct nqd_control_slot *slot;
	u32 i, frames;
	int ret;

	if (!len || len > NQD_FRAMES_MAX_LEN)
		return -EMSGSIZE;
	ret = nqd_control_check(bytes, len, client, &frames);
	if (ret)
		return ret;
	for (i = 0; i < c->capacity; i++) {
		slot = &c->slots[i];
		if (slot->state != NQD_CONTROL_FREE)
			continue;
		memset(slot, 0, sizeof(*slot));
		slot->id = id;
		slot->order = c->next_order++;
		slot->pn = NQD_PN_NONE;
		slot->bytes = bytes;
		slot->len = len;
		slot->frames = frames;
		slot->once = once;
		slot->state = NQD_CONTROL_QUEUED;
		c->queued++;
		return 0;
	}
	return -ENOBUFS;
}

/**
 * nqd_control_queue() - queue a blob
 * @c: queue
 * @id: the caller's name for it
 * @bytes: whole frames, unchanged until the id is popped
 * @len: bytes, 1 to NQD_FRAMES_MAX_LEN
 * @client: this end is the client
 *
 * Return: 0; -EMSGSIZE for a wrong length; -EINVAL for malformed frames; -EPERM for a type that is not
 * retransmitted or not for this role; -ENOBUFS if all slots are taken.
 */
int nqd_control_queue(struct nqd_control *c, u64 id, const u8 *bytes, u32 len, bool client)
{
	return nqd_control_put(c, id, bytes, len, client, false);
}

/**
 * nqd_control_queue_once() - queue a blob that is not sent again
 * @c: queue
 * @id: the caller's name for it
 * @bytes: whole frames, unchanged until the id is popped
 * @len: bytes, 1 to NQD_FRAMES_MAX_LEN
 * @client: this end is the client
 *
 * Return: as nqd_control_queue().
 */
int nqd_control_queue_once(struct nqd_control *c, u64 id, const u8 *bytes, u32 len, bool client)
{
	return nqd_control_put(c, id, bytes, len, client, true);
}

static struct nqd_control_slot *nqd_control_first(struct nqd_control *c, enum nqd_control_state state)
{
	struct nqd_control_slot *first = NULL;
	u32 i;

	for (i = 0; i < c->capacity; i++) {
		struct nqd_control_slot *slot = &c->slots[i];

		if (slot->state == state && (!first || slot->order < first->order))
			first = slot;
	}
	return first;
}

/**
 * nqd_control_fill() - move queued blobs into a packet, oldest first, as many as fit
 * @c: queue
 * @buf: where frames go
 * @room: bytes there
 * @pn: number of the packet
 *
 * Return: bytes written.
 */
u32 nqd_control_fill(struct nqd_control *c, u8 *buf, u32 room, u64 pn)
{
	struct nqd_control_slot *slot;
	u32 used = 0;

	while (c->queued) {
		slot = nqd_control_first(c, NQD_CONTROL_QUEUED);
		if (WARN_ON_ONCE(!slot) || slot->len > room - used)
			break;
		memcpy(buf + used, slot->bytes, slot->len);
		used += slot->len;
		c->frames += slot->frames;
		slot->pn = pn;
		slot->state = NQD_CONTROL_SENT;
		c->queued--;
		if (slot->transmissions++)
			c->retransmissions++;
	}
	return used;
}

/**
 * nqd_control_on_acked() - a packet that carried control frames was acknowledged
 * @c: queue
 * @pn: its number
 */
void nqd_control_on_acked(struct nqd_control *c, u64 pn)
{
	u32 i;

	for (i = 0; i < c->capacity; i++) {
		struct nqd_control_slot *slot = &c->slots[i];

		if (slot->pn != pn)
			continue;
		/* QUEUED: it was given up for lost too early and has not left again. */
		if (slot->state == NQD_CONTROL_QUEUED)
			c->queued--;
		else if (slot->state != NQD_CONTROL_SENT)
			continue;
		slot->state = NQD_CONTROL_ACKED;
		c->acked++;
	}
}

/**
 * nqd_control_on_lost() - a packet that carried control frames was declared lost
 * @c: queue
 * @pn: its number
 */
void nqd_control_on_lost(struct nqd_control *c, u64 pn)
{
	u32 i;

	for (i = 0; i < c->capacity; i++) {
		struct nqd_control_slot *slot = &c->slots[i];

		if (slot->state != NQD_CONTROL_SENT || slot->pn != pn)
			continue;
		slot->losses++;
		slot->lost_pn = pn;
		c->lost += !slot->loss_pending;
		slot->loss_pending = true;
		slot->state = slot->once ? NQD_CONTROL_GONE : NQD_CONTROL_QUEUED;
		c->queued += !slot->once;
	}
}

/**
 * nqd_control_on_unsent() - a packet that was to carry control frames could not be sealed
 * @c: queue
 * @pn: its number
 */
void nqd_control_on_unsent(struct nqd_control *c, u64 pn)
{
	u32 i;

	for (i = 0; i < c->capacity; i++) {
		struct nqd_control_slot *slot = &c->slots[i];

		if (slot->state != NQD_CONTROL_SENT || slot->pn != pn)
			continue;
		slot->state = NQD_CONTROL_QUEUED;
		c->queued++;
	}
}

/**
 * nqd_control_requeue_oldest() - let a probe carry the oldest blob in flight again
 * @c: queue
 *
 * RFC 9002 section 6.2.4: a PTO probe should repeat data that is in flight rather than be an empty PING.
 *
 * Return: number of blobs that wait to be sent now.
 */
u32 nqd_control_requeue_oldest(struct nqd_control *c)
{
	struct nqd_control_slot *oldest = NULL;
	u32 i;

	for (i = 0; i < c->capacity && !c->queued; i++) {
		struct nqd_control_slot *slot = &c->slots[i];

		if (slot->state == NQD_CONTROL_SENT && !slot->once &&
		    (!oldest || slot->order < oldest->order))
			oldest = slot;
	}
	if (oldest) {
		oldest->state = NQD_CONTROL_QUEUED;
		c->queued++;
	}
	return c->queued;
}

static void nqd_control_free(struct nqd_control *c, struct nqd_control_slot *slot)
{
	slot->state = NQD_CONTROL_FREE;
	slot->pn = NQD_PN_NONE;
	c->lost -= slot->loss_pending;
	slot->loss_pending = false;
}

/**
 * nqd_control_pop() - take one acknowledged blob out of the queue
 * @c: queue
 * @id: its id
 *
 * Return: true with *@id set, false if there is none.
 */
bool nqd_control_pop(struct nqd_control *c, u64 *id)
{
	struct nqd_control_slot *slot;

	if (likely(!c->acked))
		return false;
	slot = nqd_control_first(c, NQD_CONTROL_ACKED);
	if (WARN_ON_ONCE(!slot))
		return false;
	*id = slot->id;
	nqd_control_free(c, slot);
	c->acked--;
	return true;
}

/**
 * nqd_control_pop_lost() - take one report of a loss
 * @c: queue
 * @loss: what was lost
 *
 * To be called before nqd_control_pop(), which drops what is not reported yet of the blob it returns.
 *
 * Return: true with @loss filled in, false if there is none.
 */
bool nqd_control_pop_lost(struct nqd_control *c, struct nqd_control_loss *loss)
{
	u32 i;

	for (i = 0; i < c->capacity && unlikely(c->lost); i++) {
		struct nqd_control_slot *slot = &c->slots[i];

		if (!slot->loss_pending)
			continue;
		loss->id = slot->id;
		loss->pn = slot->lost_pn;
		loss->losses = slot->losses;
		loss->final = slot->state == NQD_CONTROL_GONE;
		if (loss->final) {
			nqd_control_free(c, slot);
		} else {
			slot->loss_pending = false;
			c->lost--;
		}
		return true;
	}
	return false;
}

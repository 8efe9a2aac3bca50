// SPDX-License-Identifier: GPL-2.0
/*
 * What an opened packet carries besides one IP packet: several DATAGRAM frames, those of user space, and
 * frames that are handed up. The packet is walked again, for that is rare.
 */
#include "deliver.h"
#include "device.h"
#include "drop.h"
#include "frames.h"
#include "session.h"
#include "varint.h"

/* L3PTP contexts: DATAGRAM payload = context ID | what belongs to it. */
#define NQD_CONTEXT_IP 0
#define NQD_CONTEXT_CONTROL 1

static bool nqd_frames_is_datagram(const struct nqd_frame *frame)
{
	return frame->type == NQD_FRAME_DATAGRAM || frame->type == NQD_FRAME_DATAGRAM_LEN;
}

/**
 * nqd_frames_for_owner() - is a DATAGRAM for user space in it?
 * @payload: frames, decrypted, not checked yet
 * @len: their bytes
 *
 * Only asked when there is no room for one.
 *
 * Return: true if so.
 */
bool nqd_frames_for_owner(const u8 *payload, u32 len)
{
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	u64 context;

	nqd_frame_iter_init(&it, payload, len);
	while (nqd_frame_next(&it, &frame) > 0)
		if (nqd_frames_is_datagram(&frame) &&
		    nqd_varint_get(payload + frame.data.offset, frame.data.len, &context) &&
		    context == NQD_CONTEXT_CONTROL)
			return true;
	return false;
}

static void nqd_frames_datagram(struct nqd_session *s, const u8 *payload, u32 len)
{
	u64 context;
	int n = nqd_varint_get(payload, len, &context);

	if (n && context == NQD_CONTEXT_IP)
		return;
	if (!n || context > NQD_CONTEXT_CONTROL)
		nqd_drop_event(s, NQD_RX, NQD_DROP_CONTEXT_UNKNOWN, len);
	else if (!nqd_owner_datagram(s, context, payload + n, len - (u32)n))
		nqd_drop_event(s, NQD_RX, NQD_DROP_EVENT_QUEUE_FULL, len);
}

/**
 * nqd_frames_hand_up() - give user space what is its
 * @s: session, with its lock held
 * @payload: frames of a packet that the core has accepted
 * @len: their bytes
 * @res: what the core says of them
 * @handed_up: takes @res->handup_bytes of frames, NULL where there are none; consumed
 */
void nqd_frames_hand_up(struct nqd_session *s, const u8 *payload, u32 len,
			const struct nqd_conn_rx_result *res, struct nqd_owner_event *handed_up)
{
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	u32 used = 0;

	lockdep_assert_held(&s->lock);
	nqd_frame_iter_init(&it, payload, len);
	while (nqd_frame_next(&it, &frame) > 0) {
		if (nqd_frames_is_datagram(&frame)) {
			nqd_frames_datagram(s, payload + frame.data.offset, frame.data.len);
		} else if (handed_up && nqd_frame_class(frame.type) == NQD_FRAME_HAND_UP) {
			memcpy(handed_up->bytes + used, payload + frame.bytes.offset, frame.bytes.len);
			used += frame.bytes.len;
		}
	}
	if (!handed_up)
		return;
	nqd_session_count(s, NQD_COUNT_HANDED_UP, res->handup_frames);
	nqd_owner_frames(s, handed_up);
}

/**
 * nqd_frames_deliver() - deliver the IP packets among several DATAGRAM frames, each as a copy
 * @s: session
 * @skb: the frames of a packet that the core has accepted, in one piece; consumed
 * @tos: DSCP and ECN of the outer IP header
 *
 * Context: BH off, under RCU.
 */
void nqd_frames_deliver(struct nqd_session *s, struct sk_buff *skb, u8 tos)
{
	const u8 *payload = skb->data;
	struct nqd_frame_iter it;
	struct nqd_frame frame;
	struct sk_buff *copy;

	nqd_frame_iter_init(&it, payload, skb->len);
	while (nqd_frame_next(&it, &frame) > 0) {
		if (!nqd_frames_is_datagram(&frame) || !frame.data.len || payload[frame.data.offset])
			continue;
		copy = alloc_skb(NET_SKB_PAD + frame.data.len, GFP_ATOMIC);
		if (!copy) {
			nqd_drop_event(s, NQD_RX, NQD_DROP_NO_MEMORY, frame.data.len);
			continue;
		}
		skb_reserve(copy, NET_SKB_PAD);
		skb_put_data(copy, payload + frame.data.offset + 1, frame.data.len - 1);
		nqd_deliver(s, copy, tos);
	}
	consume_skb(skb);
}

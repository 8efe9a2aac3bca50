// SPDX-License-Identifier: GPL-2.0
/*
 * Drops.
 */
#include <linux/skbuff.h>

#include "device.h"
#include "drop.h"
#include "session.h"
#include "trace.h"

/* The kernel's reason that is nearest: its own set is closed to modules like this one. */
static enum skb_drop_reason nqd_drop_core_reason(enum nqd_drop_reason reason)
{
	switch (reason) {
	case NQD_DROP_NO_SESSION:
		return SKB_DROP_REASON_NO_SOCKET;
	case NQD_DROP_TRUNCATED:
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	case NQD_DROP_INNER_MALFORMED:
		return SKB_DROP_REASON_IP_INHDR;
	case NQD_DROP_SOURCE_PREFIX:
		return SKB_DROP_REASON_IP_RPFILTER;
	case NQD_DROP_NO_ROUTE:
		return SKB_DROP_REASON_IP_OUTNOROUTES;
	case NQD_DROP_MTU:
		return SKB_DROP_REASON_PKT_TOO_BIG;
	case NQD_DROP_CONGESTION:
	case NQD_DROP_QUEUE_FULL:
		return SKB_DROP_REASON_QDISC_DROP;
	case NQD_DROP_HOLD_QUEUE_FULL:
	case NQD_DROP_EVENT_QUEUE_FULL:
		return SKB_DROP_REASON_SOCKET_RCVBUFF;
	case NQD_DROP_NO_MEMORY:
		return SKB_DROP_REASON_NOMEM;
	default:
		return SKB_DROP_REASON_NOT_SPECIFIED;
	}
}

/* In a packet or super-packet. */
static u32 nqd_drop_packets(const struct sk_buff *skb)
{
	return skb_is_gso(skb) ? max_t(u32, skb_shinfo(skb)->gso_segs, 1) : 1;
}

static void nqd_drop_told(const struct nqd_device *nd, u64 session, enum nqd_direction direction,
			  enum nqd_drop_reason reason, u32 len)
{
	trace_drop(nd->dev->ifindex, session, direction, reason, len);
	if (nqd_device_logs(nd, NQD_DEBUG_FLAG_DROPS))
		net_info_ratelimited("%s: session %llu: dropped a %s packet of %u bytes for reason %u\n",
				     nd->dev->name, session, direction == NQD_TX ? "tx" : "rx", len, reason);
}

/**
 * nqd_drop_event() - count a packet or part of one that goes no further and has no skb of its own
 * @s: session
 * @direction: which way it went
 * @reason: why
 * @len: its bytes
 *
 * Context: any but hard interrupts.
 */
void nqd_drop_event(struct nqd_session *s, enum nqd_direction direction, enum nqd_drop_reason reason,
		    u32 len)
{
	nqd_session_drop(s, direction, reason);
	nqd_drop_told(s->device, s->id, direction, reason, len);
}

/**
 * nqd_drop_skb() - drop a packet, or a super-packet, each of whose packets is counted
 * @s: session
 * @direction: which way it went
 * @skb: packet
 * @reason: why
 *
 * Context: any but hard interrupts.
 */
void nqd_drop_skb(struct nqd_session *s, enum nqd_direction direction, struct sk_buff *skb,
		  enum nqd_drop_reason reason)
{
	u32 packets = nqd_drop_packets(skb);

	nqd_drop_told(s->device, s->id, direction, reason, skb->len);
	if (direction == NQD_TX)
		nqd_tx_queue_dropped(s->device, skb, packets);
	while (packets--)
		nqd_session_drop(s, direction, reason);
	kfree_skb_reason(skb, nqd_drop_core_reason(reason));
}

/**
 * nqd_drop_list() - drop packets
 * @s: session
 * @direction: which way they went
 * @list: packets, nobody else's; empty afterwards
 * @reason: why
 *
 * Context: any but hard interrupts.
 */
void nqd_drop_list(struct nqd_session *s, enum nqd_direction direction, struct sk_buff_head *list,
		   enum nqd_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list)))
		nqd_drop_skb(s, direction, skb, reason);
}

/**
 * nqd_drop_device_skb() - drop a packet that belongs to no session
 * @nd: device
 * @direction: which way it went
 * @skb: packet
 * @reason: why
 *
 * Context: any but hard interrupts.
 */
void nqd_drop_device_skb(struct nqd_device *nd, enum nqd_direction direction, struct sk_buff *skb,
			 enum nqd_drop_reason reason)
{
	nqd_stats_drop(nd->stats, direction, reason);
	if (direction == NQD_TX)
		nqd_tx_queue_dropped(nd, skb, nqd_drop_packets(skb));
	nqd_drop_told(nd, 0, direction, reason, skb->len);
	kfree_skb_reason(skb, nqd_drop_core_reason(reason));
}

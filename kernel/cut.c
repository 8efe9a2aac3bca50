// SPDX-License-Identifier: GPL-2.0
/*
 * Packets made ready to be sealed in place.
 *
 * A super-packet is cut once, by the kernel's own segmentation asked for packets in one piece with complete
 * checksums; so is a packet with one to be filled in. Nearly all of what comes out has the room it needs; the
 * rest is copied.
 */
#include "compat/datapath.h"
#include "cut.h"
#include "session.h"

/*
 * Fills in the checksum of a packet that lies in one piece and is nobody else's. The stack's helper is for
 * packets of any shape, and takes as long for that as for the sum of a small one.
 */
static bool nqd_cut_checksum(struct sk_buff *skb)
{
	u32 start = skb_checksum_start_offset(skb), field = start + skb->csum_offset;
	__sum16 sum;

	if (unlikely(skb_csum_is_sctp(skb) || start > skb->len || field + sizeof(sum) > skb->len))
		return !skb_checksum_help(skb);
	sum = csum_fold(csum_partial(skb->data + start, skb->len - start, 0));
	*(__sum16 *)(skb->data + field) = sum ?: CSUM_MANGLED_0;
	skb->ip_summed = CHECKSUM_NONE;
	return true;
}

/**
 * nqd_cut_ready() - see to it that a packet lies in one piece, is nobody else's, and has room at both ends
 * @skb: packet; consumed if another one is returned, or freed
 *
 * Return: the packet, its checksum complete; NULL without memory.
 */
struct sk_buff *nqd_cut_ready(struct sk_buff *skb)
{
	struct sk_buff *copy;

	if (unlikely(skb_is_nonlinear(skb) || skb_cloned(skb) || skb_headroom(skb) < NQD_CUT_HEADROOM_MIN ||
		     skb_tailroom(skb) < NQD_CUT_TAILROOM)) {
		copy = skb_copy_expand(skb, NQD_CUT_HEADROOM, NQD_CUT_TAILROOM, GFP_ATOMIC);
		if (!copy) {
			kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
			return NULL;
		}
		consume_skb(skb);
		skb = copy;
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL && unlikely(!nqd_cut_checksum(skb))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_SKB_CSUM);
		return NULL;
	}
	return skb;
}

/**
 * nqd_cut() - make a packet or super-packet ready
 * @s: its session
 * @skb: packet, gone afterwards if NQD_DROP_NONE is returned, else the caller's
 * @to: what it becomes is appended here
 *
 * Context: BH off.
 *
 * Return: NQD_DROP_NONE, or why it must be dropped. Single packets of it that found no memory are counted.
 */
enum nqd_drop_reason nqd_cut(struct nqd_session *s, struct sk_buff *skb, struct sk_buff_head *to)
{
	struct sk_buff *list, *next;

	if (!skb_is_gso(skb)) {
		skb = nqd_cut_ready(skb);
		if (likely(skb))
			__skb_queue_tail(to, skb);
		else
			nqd_session_drop(s, NQD_TX, NQD_DROP_NO_MEMORY);
		return NQD_DROP_NONE;
	}
	list = skb_gso_segment(skb, 0);
	if (IS_ERR(list))
		return PTR_ERR(list) == -ENOMEM ? NQD_DROP_NO_MEMORY : NQD_DROP_INNER_MALFORMED;
	/* NULL: it was one packet after all, with its header changed by the check. */
	if (unlikely(!list))
		return NQD_DROP_INNER_MALFORMED;
	consume_skb(skb);
	for (; list; list = next) {
		next = list->next;
		skb_mark_not_on_list(list);
		skb = nqd_cut_ready(list);
		if (likely(skb))
			__skb_queue_tail(to, skb);
		else
			nqd_session_drop(s, NQD_TX, NQD_DROP_NO_MEMORY);
	}
	return NQD_DROP_NONE;
}

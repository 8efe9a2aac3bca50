/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inner packets made ready to be sealed in place: cut to size, in one piece, with room at both ends.
 */
#ifndef _NQD_CUT_H
#define _NQD_CUT_H

#include <linux/skbuff.h>

#include "output.h"
#include "protection.h"

struct nqd_session;

/* In front of a packet: a short header (RFC 9000 section 17.3.1), a few frames, a context ID. */
#define NQD_CUT_HEADROOM (NQD_OUTPUT_HEADROOM + 1 + NQD_CID_MAX_LEN + 4 + 40)
/* With less, it is copied: nearly every packet has one frame, whose type is a byte. */
#define NQD_CUT_HEADROOM_MIN (NQD_OUTPUT_HEADROOM_MIN + 1 + NQD_CID_MAX_LEN + 4 + 2)
#define NQD_CUT_TAILROOM NQD_TAG_LEN

enum nqd_drop_reason nqd_cut(struct nqd_session *s, struct sk_buff *skb, struct sk_buff_head *to);
struct sk_buff *nqd_cut_ready(struct sk_buff *skb);

#endif /* _NQD_CUT_H */

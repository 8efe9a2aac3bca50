/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The end of a packet that goes no further: a counter, a tracepoint, the kernel's own drop reason, and a
 * line in the log where SET_DEBUG asked for it.
 */
#ifndef _NQD_DROP_H
#define _NQD_DROP_H

#include "stats.h"

struct nqd_device;
struct nqd_session;
struct sk_buff;
struct sk_buff_head;

void nqd_drop_skb(struct nqd_session *s, enum nqd_direction direction, struct sk_buff *skb,
		  enum nqd_drop_reason reason);
void nqd_drop_list(struct nqd_session *s, enum nqd_direction direction, struct sk_buff_head *list,
		   enum nqd_drop_reason reason);
void nqd_drop_event(struct nqd_session *s, enum nqd_direction direction, enum nqd_drop_reason reason,
		    u32 len);
void nqd_drop_device_skb(struct nqd_device *nd, enum nqd_direction direction, struct sk_buff *skb,
			 enum nqd_drop_reason reason);

#endif /* _NQD_DROP_H */

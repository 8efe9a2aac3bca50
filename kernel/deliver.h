/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inner packets from the tunnel to the network stack.
 */
#ifndef _NQD_DELIVER_H
#define _NQD_DELIVER_H

#include <linux/types.h>

struct nqd_session;
struct sk_buff;

void nqd_deliver(struct nqd_session *s, struct sk_buff *skb, u8 tos);

#endif /* _NQD_DELIVER_H */

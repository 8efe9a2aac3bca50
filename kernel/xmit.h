/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device is given to send.
 */
#ifndef _NQD_XMIT_H
#define _NQD_XMIT_H

#include <linux/netdevice.h>

struct nqd_session;

netdev_tx_t nqd_xmit(struct sk_buff *skb, struct net_device *dev);
bool nqd_xmit_fits(const struct nqd_session *s, const struct sk_buff *skb, u32 *mtu);
void nqd_xmit_too_big(struct sk_buff *skb, u32 mtu);

#endif /* _NQD_XMIT_H */

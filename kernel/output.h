/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a sealed packet to the UDP layer.
 */
#ifndef _NQD_OUTPUT_H
#define _NQD_OUTPUT_H

#include <linux/if_ether.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/udp.h>

struct nqd_session;

/* Room in front of the UDP payload for the outer headers, whatever the family and the link. */
#define NQD_OUTPUT_HEADROOM (LL_MAX_HEADER + sizeof(struct ipv6hdr) + sizeof(struct udphdr))
/* Nearly every link is content with this; where one is not, the IP layer makes room. */
#define NQD_OUTPUT_HEADROOM_MIN (ETH_HLEN + 2 + sizeof(struct ipv6hdr) + sizeof(struct udphdr))

int nqd_output(struct nqd_session *s, struct sk_buff *skb, u8 tos, u32 *mtu);

#endif /* _NQD_OUTPUT_H */

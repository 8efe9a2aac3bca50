// SPDX-License-Identifier: GPL-2.0
/* udp_tunnel_xmit_skb() takes flags for the control block of the IP layer. */
#include <net/udp_tunnel.h>

void nqd_probe(struct rtable *rt, struct sock *sk, struct sk_buff *skb);
void nqd_probe(struct rtable *rt, struct sock *sk, struct sk_buff *skb)
{
	udp_tunnel_xmit_skb(rt, sk, skb, 0, 0, 0, 0, 0, 0, 0, false, false, 0);
}

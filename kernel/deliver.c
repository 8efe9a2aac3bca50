// SPDX-License-Identifier: GPL-2.0
/*
 * Inner packets from the tunnel to the network stack.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/gro_cells.h>
#include <net/inet_ecn.h>

#include "deliver.h"
#include "device.h"
#include "drop.h"
#include "session.h"

/* Context 0 is one whole IP packet: nothing missing, nothing behind it. */
static bool nqd_deliver_whole(struct sk_buff *skb)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	const struct ipv6hdr *ip6 = (const struct ipv6hdr *)skb->data;

	if (unlikely(skb->len < sizeof(*ip)))
		return false;
	if (ip->version == 4) {
		skb->protocol = htons(ETH_P_IP);
		return ip->ihl >= 5 && ip->ihl * 4 <= skb->len && ntohs(ip->tot_len) == skb->len;
	}
	if (ip->version == 6) {
		skb->protocol = htons(ETH_P_IPV6);
		return skb->len >= sizeof(*ip6) && sizeof(*ip6) + ntohs(ip6->payload_len) == skb->len;
	}
	return false;
}

/* May the peer send from there? */
static bool nqd_deliver_allowed(const struct nqd_session *s, const struct sk_buff *skb)
{
	const struct nqd_routes *sources = rcu_dereference(s->sources);

	if (unlikely(!sources))
		return false;
	if (skb->protocol == htons(ETH_P_IP))
		return nqd_routes_lookup(sources, AF_INET, &((const struct iphdr *)skb->data)->saddr);
	return nqd_routes_lookup(sources, AF_INET6, &((const struct ipv6hdr *)skb->data)->saddr);
}

/*
 * RFC 6040 section 4.2: congestion of the path is the inner packet's too, where that can say so. One that
 * cannot goes on as it is: the sender of the tunnel hears of the mark by ACK_ECN (RFC 9000 section 13.4).
 */
static void nqd_deliver_ecn(struct sk_buff *skb, u8 tos)
{
	u8 inner = skb->protocol == htons(ETH_P_IP) ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));

	INET_ECN_decapsulate(skb, tos, inner);
}

/**
 * nqd_deliver() - deliver an inner packet
 * @s: session
 * @skb: the packet, in one piece, nobody else's; consumed
 * @tos: DSCP and ECN of the outer IP header
 *
 * Context: BH off, under RCU.
 */
void nqd_deliver(struct nqd_session *s, struct sk_buff *skb, u8 tos)
{
	struct nqd_device *nd = s->device;
	u32 len = skb->len;

	if (unlikely(!nqd_deliver_whole(skb))) {
		nqd_drop_skb(s, NQD_RX, skb, NQD_DROP_INNER_MALFORMED);
		return;
	}
	if (unlikely(!nqd_deliver_allowed(s, skb))) {
		nqd_drop_skb(s, NQD_RX, skb, NQD_DROP_SOURCE_PREFIX);
		return;
	}
	if (unlikely(READ_ONCE(s->route_epoch) != READ_ONCE(nd->config.route_epoch))) {
		nqd_event_session_noisy(s, NQD_NOISE_EPOCH);
		nqd_drop_skb(s, NQD_RX, skb, NQD_DROP_ROUTE_EPOCH);
		return;
	}
	skb_scrub_packet(skb, true);
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	skb->dev = nd->dev;
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	skb_reset_transport_header(skb);
	skb_reset_inner_headers(skb);
	skb->encapsulation = 0;
	/* The tag vouches for every bit of it: checksums inside are as they were when it was sealed. */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
	if (READ_ONCE(s->ecn_policy) == NQD_ECN_POLICY_ENABLED)
		nqd_deliver_ecn(skb, tos);
	/* A device that is down, or a CPU with too much waiting, drops it; the network core counts that. */
	if (likely(gro_cells_receive(&nd->gro_cells, skb) == NET_RX_SUCCESS))
		nqd_session_carried(s, NQD_RX, 1, len);
}

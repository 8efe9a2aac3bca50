// SPDX-License-Identifier: GPL-2.0
/*
 * What the device is given to send: which session it is for, and whether it may go there.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/icmp.h>
#include <net/ip_tunnels.h>

#include "compat/datapath.h"
#include "device.h"
#include "drop.h"
#include "route.h"
#include "session.h"
#include "xmit.h"

/* Cuts off what a packet socket has sent behind the packet. */
static bool nqd_xmit_whole(struct sk_buff *skb, u32 len)
{
	if (likely(skb->len == len))
		return true;
	return skb->len > len && !skb_is_gso(skb) && !pskb_trim_rcsum(skb, len);
}

/*
 * The address that it is for, if it is a whole IPv4 or IPv6 packet. A packet socket need not say which: that
 * is found out here, not by header_ops, for whose sake every packet would be asked for a link header.
 */
static const void *nqd_xmit_destination(struct sk_buff *skb, u16 *family)
{
	if (unlikely(!skb->protocol || skb->protocol == htons(ETH_P_ALL)))
		skb->protocol = ip_tunnel_parse_protocol(skb);
	if (skb->protocol == htons(ETH_P_IP)) {
		if (!pskb_network_may_pull(skb, sizeof(struct iphdr)) || ip_hdr(skb)->version != 4 ||
		    ip_hdr(skb)->ihl < 5 || ntohs(ip_hdr(skb)->tot_len) < ip_hdr(skb)->ihl * 4 ||
		    !nqd_xmit_whole(skb, ntohs(ip_hdr(skb)->tot_len)))
			return NULL;
		*family = AF_INET;
		return &ip_hdr(skb)->daddr;
	}
	if (skb->protocol == htons(ETH_P_IPV6)) {
		if (!pskb_network_may_pull(skb, sizeof(struct ipv6hdr)) || ipv6_hdr(skb)->version != 6 ||
		    !nqd_xmit_whole(skb, sizeof(struct ipv6hdr) + ntohs(ipv6_hdr(skb)->payload_len)))
			return NULL;
		*family = AF_INET6;
		return &ipv6_hdr(skb)->daddr;
	}
	return NULL;
}

/**
 * nqd_xmit_fits() - does each packet of it fit into one DATAGRAM frame?
 * @s: session
 * @skb: packet or super-packet
 * @mtu: set to the largest inner packet
 *
 * Return: true if so.
 */
bool nqd_xmit_fits(const struct nqd_session *s, const struct sk_buff *skb, u32 *mtu)
{
	u32 payload = READ_ONCE(s->conn.max_payload);
	u32 limit = READ_ONCE(s->mtu);

	/* One byte is the context ID. */
	*mtu = payload ? payload - 1 : 0;
	if (limit && limit < *mtu)
		*mtu = limit;
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, *mtu) : skb->len <= *mtu;
}

/**
 * nqd_xmit_too_big() - tell the sender what fits (RFC 1191 section 4, RFC 8201 section 4)
 * @skb: packet of the device, with its route
 * @mtu: largest inner packet; 0: there is no useful answer
 *
 * Context: BH off.
 */
void nqd_xmit_too_big(struct sk_buff *skb, u32 mtu)
{
	if (!mtu)
		return;
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
	else
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
}

static void nqd_xmit_no_route(struct nqd_device *nd, struct sk_buff *skb)
{
	/* As a router would: nobody is there. */
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	else
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
	nqd_drop_device_skb(nd, NQD_TX, skb, NQD_DROP_NO_ROUTE);
}

/* May it go there now? */
static enum nqd_drop_reason nqd_xmit_check(struct nqd_session *s, struct sk_buff *skb)
{
	u32 mtu;

	if (unlikely(!nqd_session_is_active(s) || !(READ_ONCE(s->flags) & NQD_SESSION_FLAG_SEND_DATA) ||
		     READ_ONCE(s->conn.state.state) != NQD_SESSION_STATE_ACTIVE))
		return NQD_DROP_STATE;
	if (unlikely(READ_ONCE(s->route_epoch) != READ_ONCE(s->device->config.route_epoch))) {
		nqd_event_session_noisy(s, NQD_NOISE_EPOCH);
		return NQD_DROP_ROUTE_EPOCH;
	}
	if (unlikely(!nqd_xmit_fits(s, skb, &mtu))) {
		nqd_xmit_too_big(skb, mtu);
		return NQD_DROP_MTU;
	}
	return NQD_DROP_NONE;
}

/**
 * nqd_xmit() - ndo_start_xmit
 * @skb: IP packet or super-packet
 * @dev: device
 *
 * Context: BH off, which is an RCU section too: nqd_rcu_dereference().
 *
 * Return: NETDEV_TX_OK; what cannot go is dropped.
 */
netdev_tx_t nqd_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct nqd_device *nd = netdev_priv(dev);
	enum nqd_drop_reason reason;
	struct nqd_session *s;
	const void *address;
	u16 family;

	nqd_tx_queue_given(nd, skb, skb_is_gso(skb) ? max_t(u32, skb_shinfo(skb)->gso_segs, 1) : 1);
	address = nqd_xmit_destination(skb, &family);
	if (unlikely(!address)) {
		nqd_drop_device_skb(nd, NQD_TX, skb, NQD_DROP_INNER_MALFORMED);
		return NETDEV_TX_OK;
	}
	s = nqd_route_session(nd, family, address);
	if (unlikely(!s)) {
		nqd_xmit_no_route(nd, skb);
		return NETDEV_TX_OK;
	}
	reason = nqd_xmit_check(s, skb);
	if (likely(reason == NQD_DROP_NONE))
		nqd_tx_submit(s, skb);
	else
		nqd_drop_skb(s, NQD_TX, skb, reason);
	return NETDEV_TX_OK;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * UDP transmission: the route, cached for each CPU, and the outer headers.
 */
#include <linux/inetdevice.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/dst_cache.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/udp.h>

#include "compat/datapath.h"
#include "device.h"
#include "output.h"
#include "session.h"
#include "socket.h"

/*
 * Tunnels inside of tunnels, each a device: what they need of the stack adds up, as the stack's own helpers
 * have it (IP_TUNNEL_RECURSION_LIMIT, not in all kernels).
 */
#define NQD_OUTPUT_NESTED_MAX 3

/*
 * UDP and IPv4 header, then out. As a socket of user space would have it, the packet is never fragmented (RFC
 * 9000 section 14) and so needs no identification (RFC 6864 section 4.1); the stack's helper for tunnels
 * draws a keyed one for each.
 */
static void nqd_output_ip4(struct rtable *rt, struct sock *sk, struct sk_buff *skb, __be32 saddr,
			   const struct sockaddr_in *to, u8 tos)
{
	struct udphdr *udp = __skb_push(skb, sizeof(*udp));
	struct iphdr *ip;

	skb_reset_transport_header(skb);
	udp->source = inet_sk(sk)->inet_sport;
	udp->dest = to->sin_port;
	udp->len = htons(skb->len);
	/* The link completes it, or the stack for a link that cannot. */
	udp->check = ~udp_v4_check(skb->len, saddr, to->sin_addr.s_addr, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);

	ip = __skb_push(skb, sizeof(*ip));
	skb_reset_network_header(skb);
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = tos;
	ip->id = 0;
	ip->frag_off = htons(IP_DF);
	ip->ttl = dst_metric_raw(&rt->dst, RTAX_HOPLIMIT) ?:
		  READ_ONCE(sock_net(sk)->ipv4.sysctl_ip_default_ttl);
	ip->protocol = IPPROTO_UDP;
	ip->saddr = saddr;
	ip->daddr = to->sin_addr.s_addr;
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	skb_dst_set(skb, &rt->dst);
	/* Length and checksum are filled in there. */
	ip_local_out(sock_net(sk), sk, skb);
}

/* May @skb go by @dst? A route back into the device would go round and round. */
static int nqd_output_check(const struct nqd_session *s, const struct dst_entry *dst,
			    const struct sk_buff *skb, u32 headers, u32 *mtu)
{
	if (unlikely(dst->dev == s->device->dev || dev_recursion_level() > NQD_OUTPUT_NESTED_MAX))
		return -ELOOP;
	/* RFC 9000 section 14: never fragmented, by nobody. */
	if (unlikely(skb->len + headers > dst_mtu(dst))) {
		*mtu = dst_mtu(dst) - headers;
		return -EMSGSIZE;
	}
	return 0;
}

static int nqd_output4(struct nqd_session *s, struct sock *sk, struct sk_buff *skb, u8 tos, u32 *mtu)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct rtable *rt;
	__be32 saddr;
	int err;

	rt = dst_cache_get_ip4(&s->data.dst_cache, &saddr);
	if (unlikely(!rt)) {
		struct flowi4 fl = {
			.saddr = s->local.family == AF_INET ? s->local.v4.sin_addr.s_addr :
							      inet->inet_rcv_saddr,
			.daddr = s->remote.v4.sin_addr.s_addr,
			.fl4_sport = inet->inet_sport,
			.fl4_dport = s->remote.v4.sin_port,
			.flowi4_oif = READ_ONCE(sk->sk_bound_dev_if),
			.flowi4_mark = READ_ONCE(s->fwmark),
			.flowi4_proto = IPPROTO_UDP,
		};

		security_sk_classify_flow(sk, flowi4_to_flowi_common(&fl));
		rt = ip_route_output_flow(sock_net(sk), &fl, sk);
		if (IS_ERR(rt))
			return PTR_ERR(rt);
		saddr = fl.saddr;
		dst_cache_set_ip4(&s->data.dst_cache, &rt->dst, saddr);
	}
	err = nqd_output_check(s, &rt->dst, skb, sizeof(struct iphdr) + sizeof(struct udphdr), mtu);
	if (unlikely(err)) {
		ip_rt_put(rt);
		return err;
	}
	nqd_output_ip4(rt, sk, skb, saddr, &s->remote.v4, tos);
	return 0;
}

static int nqd_output6(struct nqd_session *s, struct sock *sk, struct sk_buff *skb, u8 tos, u32 *mtu)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct inet_sock *inet = inet_sk(sk);
	struct in6_addr saddr, daddr = s->remote.v6.sin6_addr;
	struct dst_entry *dst;
	int err;

	dst = dst_cache_get_ip6(&s->data.dst_cache, &saddr);
	if (unlikely(!dst)) {
		struct flowi6 fl = {
			.saddr = s->local.family == AF_INET6 ? s->local.v6.sin6_addr :
							       sk->sk_v6_rcv_saddr,
			.daddr = daddr,
			.fl6_sport = inet->inet_sport,
			.fl6_dport = s->remote.v6.sin6_port,
			.flowi6_oif = READ_ONCE(sk->sk_bound_dev_if) ?: (int)s->remote.v6.sin6_scope_id,
			.flowi6_mark = READ_ONCE(s->fwmark),
			.flowi6_proto = IPPROTO_UDP,
		};

		security_sk_classify_flow(sk, flowi6_to_flowi_common(&fl));
		dst = ip6_dst_lookup_flow(sock_net(sk), sk, &fl, NULL);
		if (IS_ERR(dst))
			return PTR_ERR(dst);
		saddr = fl.saddr;
		dst_cache_set_ip6(&s->data.dst_cache, dst, &saddr);
	}
	err = nqd_output_check(s, dst, skb, sizeof(struct ipv6hdr) + sizeof(struct udphdr), mtu);
	if (unlikely(err)) {
		dst_release(dst);
		return err;
	}
	/* RFC 8200 section 8.1: a UDP checksum always; so does the compat function. */
	nqd_compat_udp_xmit6(dst, sk, skb, &saddr, &daddr, tos, inet->inet_sport, s->remote.v6.sin6_port);
	return 0;
#else
	return -EAFNOSUPPORT;
#endif
}

/**
 * nqd_output() - hand a packet to the UDP layer
 * @s: session
 * @skb: UDP payload, with NQD_OUTPUT_HEADROOM in front
 * @tos: DSCP and ECN
 * @mtu: with -EMSGSIZE: the UDP payload that the route has room for
 *
 * Context: BH off, under RCU.
 *
 * Return: 0 and @skb is gone; or a negative error and it is the caller's.
 */
int nqd_output(struct nqd_session *s, struct sk_buff *skb, u8 tos, u32 *mtu)
{
	struct sock *sk = nqd_socket_sk(s->socket);
	int err;

	if (unlikely(!sk))
		return -ENOTCONN;
	/* What the packet was inside of the tunnel is nobody's business outside. */
	skb_scrub_packet(skb, true);
	skb_clear_hash(skb);
	/*
	 * And no socket of inside: it would choose the queue of the device below, so that the packets of a
	 * session overtake each other. The window bounds what leaves, so TCP need not be told when it does.
	 */
	skb_orphan(skb);
	skb->dev = NULL;
	skb->mark = READ_ONCE(s->fwmark);
	skb->priority = 0;
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;
	skb_reset_inner_headers(skb);
	if (s->remote.family == AF_INET)
		err = nqd_output4(s, sk, skb, tos, mtu);
	else
		err = nqd_output6(s, sk, skb, tos, mtu);
	return err;
}

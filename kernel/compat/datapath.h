/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the data path asks of the kernel, alike in all of them.
 */
#ifndef _NQD_COMPAT_DATAPATH_H
#define _NQD_COMPAT_DATAPATH_H

#include "probed.h"

#include <linux/crypto.h>
#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <net/udp_tunnel.h>
#ifdef NQD_HAVE_GSO_H
#include <net/gso.h>
#endif

/* Parameters of a completion of the crypto API; the result is "err" everywhere. */
#ifdef NQD_HAVE_COMPLETION_DATA
#define NQD_CRYPTO_COMPLETION_PARAMETERS void *data, int err
#define nqd_compat_completion_data(data) (data)
#else
#define NQD_CRYPTO_COMPLETION_PARAMETERS struct crypto_async_request *data, int err
#define nqd_compat_completion_data(request) ((request)->data)
#endif

/**
 * nqd_compat_hrtimer_setup() - prepare a timer of the monotonic clock, in soft interrupt context
 * @timer: timer
 * @function: called when it is due
 */
static inline void nqd_compat_hrtimer_setup(struct hrtimer *timer,
					    enum hrtimer_restart (*function)(struct hrtimer *timer))
{
#ifdef NQD_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	timer->function = function;
#endif
}

/**
 * nqd_compat_udp_xmit6() - send a datagram over IPv6
 * @dst: route, a reference that goes with it
 * @sk: socket
 * @skb: UDP payload
 * @saddr: source
 * @daddr: destination
 * @tos: DSCP and ECN
 * @sport: source port
 * @dport: destination port
 */
static inline void nqd_compat_udp_xmit6(struct dst_entry *dst, struct sock *sk, struct sk_buff *skb,
					struct in6_addr *saddr, struct in6_addr *daddr, u8 tos, __be16 sport,
					__be16 dport)
{
#if IS_ENABLED(CONFIG_IPV6)
	u8 ttl = ip6_dst_hoplimit(dst);

#ifdef NQD_HAVE_UDP_TUNNEL_FLAGS
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, saddr, daddr, tos, ttl, 0, sport, dport, false, 0);
#else
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, saddr, daddr, tos, ttl, 0, sport, dport, false);
#endif
#endif
}

#endif /* _NQD_COMPAT_DATAPATH_H */

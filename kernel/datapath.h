/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data path as the control side sees it.
 */
#ifndef _NQD_DATAPATH_H
#define _NQD_DATAPATH_H

#include <linux/hrtimer.h>
#include <linux/skbuff.h>
#include <net/dst_cache.h>

#include "address.h"

struct nqd_session;

/**
 * struct nqd_rx_cb - skb->cb of a datagram on its way to nqd_rx_datagram()
 * @remote: its sender
 * @ecn: ECN field of its IP header
 */
struct nqd_rx_cb {
	union nqd_address remote;
	u8 ecn;
};

#define NQD_RX_CB(skb) ((struct nqd_rx_cb *)(skb)->cb)

/**
 * struct nqd_datapath - what the data path keeps of a session
 * @payloads: DATAGRAM payloads of user space waiting to be sent; protected by nqd_session.lock
 * @dst_cache: route to the peer
 */
struct nqd_datapath {
	struct sk_buff_head payloads;
	struct dst_cache dst_cache;
};

int nqd_rx_encap(struct sock *sk, struct sk_buff *skb);
void nqd_rx_datagram(struct nqd_session *s, struct sk_buff *skb);
void nqd_tx_kick(struct nqd_session *s);
int nqd_tx_payload(struct nqd_session *s, struct sk_buff *skb);
int nqd_datapath_session_init(struct nqd_session *s);
void nqd_datapath_session_stop(struct nqd_session *s);
void nqd_datapath_session_free(struct nqd_session *s);
void nqd_timer_update(struct nqd_session *s);

#endif /* _NQD_DATAPATH_H */

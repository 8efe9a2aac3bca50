// SPDX-License-Identifier: GPL-2.0
/*
 * No data path: every packet is dropped.
 */
#include "session.h"

int nqd_rx_encap(struct sock *sk, struct sk_buff *skb)
{
	return 1;
}

void nqd_rx_datagram(struct nqd_session *s, struct sk_buff *skb)
{
	nqd_session_drop(s, NQD_RX, NQD_DROP_AEAD);
	kfree_skb(skb);
}

void nqd_tx_kick(struct nqd_session *s)
{
}

int nqd_tx_payload(struct nqd_session *s, struct sk_buff *skb)
{
	kfree_skb(skb);
	return -ENOBUFS;
}

int nqd_datapath_session_init(struct nqd_session *s)
{
	return 0;
}

void nqd_datapath_session_stop(struct nqd_session *s)
{
}

void nqd_datapath_session_free(struct nqd_session *s)
{
}

void nqd_timer_update(struct nqd_session *s)
{
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data path as the control side sees it.
 *
 *   xmit.c   what the device is given: which session, does it fit, is there room to wait
 *   cut.c    super-packets cut, packets made ready to be sealed in place
 *   tx.c     one CPU at a time serves a session: what leaves, in the order of packet numbers
 *   seal.c   a packet that leaves   output.c the UDP layer
 *   rx.c     from the UDP layer: header protection, opening
 *   queue.c  what waits             frames.c  what an opened packet carries; deliver.c to the device
 *   crypto_job.c sealing, opening   session_timer.c the one timer of a session
 */
#ifndef _NQD_DATAPATH_H
#define _NQD_DATAPATH_H

#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/skbuff.h>
#include <net/dst_cache.h>

#include "address.h"
#include "proto/conn.h"
#include "queue.h"

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
 * @serving: NQD_TX_SERVING while a CPU serves the session, NQD_TX_AGAIN when it must look again; see tx.c
 * @stalled: window or ring is full, or the key used up: a received packet may change that; protected by
 *	nqd_session.lock
 * @cut: packets ready to leave, before those in @queue; whoever serves the session owns it
 * @queue: inner packets that wait
 * @payloads: DATAGRAM payloads of user space that wait, served before packets; protected by
 *	nqd_session.lock
 * @paced_at: when the pacer lets the next packet out, NQD_TIME_NEVER: it is not asked; likewise
 * @timer_at: when @timer is due, NQD_TIME_NEVER: it is not armed; likewise
 * @timer_stale: more than DATAGRAMs sent has changed since @timer was last seen to; likewise
 * @timer: for the protocol core and the pacer
 * @turn: serves the session after what this CPU is at: received packets, other sessions
 * @dst_cache: route to the peer; BH off
 * @frames: what comes before a payload; whoever serves the session owns it
 */
struct nqd_datapath {
	atomic_t serving;
	bool stalled;
	struct sk_buff_head cut;
	struct nqd_queue queue;
	struct sk_buff_head payloads;
	u64 paced_at;
	u64 timer_at;
	bool timer_stale;
	struct hrtimer timer;
	struct tasklet_struct turn;
	struct dst_cache dst_cache;
	u8 frames[NQD_CONN_TX_ROOM];
};

/* rx.c */
int nqd_rx_encap(struct sock *sk, struct sk_buff *skb);
void nqd_rx_datagram(struct nqd_session *s, struct sk_buff *skb);

/* tx.c */
void nqd_tx_kick(struct nqd_session *s);
void nqd_tx_kick_soon(struct nqd_session *s);
void nqd_tx_submit(struct nqd_session *s, struct sk_buff *skb);
int nqd_tx_payload(struct nqd_session *s, struct sk_buff *skb);
int nqd_datapath_session_init(struct nqd_session *s);
void nqd_datapath_session_stop(struct nqd_session *s);
void nqd_datapath_session_free(struct nqd_session *s);

/* session_timer.c */
void nqd_timer_init(struct nqd_session *s);
void nqd_timer_update(struct nqd_session *s);
void nqd_timer_sent(struct nqd_session *s, u64 now);

#endif /* _NQD_DATAPATH_H */

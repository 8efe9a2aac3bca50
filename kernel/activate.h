/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACTIVATE_SESSION: out of HOLD. What may fail is prepared, then the session runs, then the datagrams
 * that came before are processed.
 */
#ifndef _NQD_ACTIVATE_H
#define _NQD_ACTIVATE_H

#include <linux/netlink.h>

#include "session.h"

/**
 * struct nqd_activation - what a session becomes active with
 * @tx: packet numbers of our packets
 * @rx: packet numbers received, besides @ranges
 * @rtt: round-trip time
 * @keys: where the connection is in its key updates
 * @ecn_received: marks on received packets
 * @ecn_acked: marks that the peer has reported
 * @ecn_sent: marks on sent packets
 * @ranges: number of @range
 * @range: packet numbers received, highest first
 * @rx_hp: header protection
 * @tx_hp: header protection
 * @key: packet protection: RX previous, current, next; TX current, next
 * @secrets: v2: traffic secrets, or NULL
 * @ring: memory for packets in flight
 * @drained: datagrams that user space took from the socket
 */
struct nqd_activation {
	struct nqd_tx_state tx;
	struct nqd_rx_state rx;
	struct nqd_rtt_state rtt;
	struct nqd_key_state keys;
	struct nqd_ecn_counts ecn_received;
	struct nqd_ecn_counts ecn_acked;
	struct nqd_ecn_counts ecn_sent;
	u32 ranges;
	struct nqd_pn_range range[NQD_RECEIVED_RANGES_MAX];
	struct nqd_header_cipher rx_hp;
	struct nqd_header_cipher tx_hp;
	struct nqd_key *key[5];
	struct nqd_secrets *secrets;
	struct nqd_sent_packet *ring;
	struct sk_buff_head drained;
};

/* Places in nqd_activation.key. */
enum {
	NQD_ACTIVATION_RX_PREVIOUS,
	NQD_ACTIVATION_RX,
	NQD_ACTIVATION_RX_NEXT,
	NQD_ACTIVATION_TX,
	NQD_ACTIVATION_TX_NEXT,
};

int nqd_activation_alloc(struct nqd_activation **activation);
int nqd_activation_check(const struct nqd_activation *a, const char **why);
int nqd_activate(struct nqd_session *s, struct nqd_activation *a, u64 generation, const char **why);
void nqd_activate_replay(struct nqd_session *s, struct sk_buff_head *drained);
void nqd_activation_free(struct nqd_activation *a);

#endif /* _NQD_ACTIVATE_H */

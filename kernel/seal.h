/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From what was decided on to the UDP layer.
 */
#ifndef _NQD_SEAL_H
#define _NQD_SEAL_H

#include "proto/conn.h"
#include "uapi/nexus_quic_dco.h"

struct nqd_session;
struct sk_buff;

/**
 * struct nqd_seal - packets that were decided on
 * @plan: numbers, key and size of the packets
 * @cid_len: bytes of @cid
 * @cid: connection ID to send to
 */
struct nqd_seal {
	struct nqd_conn_plan plan;
	u8 cid_len;
	u8 cid[NQD_CID_MAX_LEN];
};

bool nqd_seal_packet(struct nqd_session *s, const struct nqd_seal *b, u32 index, struct sk_buff *skb,
		     u32 frames_len, u8 dscp, u32 inner);

#endif /* _NQD_SEAL_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an opened packet carries besides one IP packet.
 */
#ifndef _NQD_FRAMES_H
#define _NQD_FRAMES_H

#include "proto/conn.h"

struct nqd_owner_event;
struct nqd_session;
struct sk_buff;

bool nqd_frames_for_owner(const u8 *payload, u32 len);
void nqd_frames_hand_up(struct nqd_session *s, const u8 *payload, u32 len,
			const struct nqd_conn_rx_result *res, struct nqd_owner_event *handed_up);
void nqd_frames_deliver(struct nqd_session *s, struct sk_buff *skb, u8 tos);

/**
 * nqd_frames_plain() - is it one IP packet and nothing else, as nearly every packet is?
 * @payload: frames
 * @res: what the core says of them
 *
 * Return: true if so; its first byte is the one after the context ID.
 */
static inline bool nqd_frames_plain(const u8 *payload, const struct nqd_conn_rx_result *res)
{
	return res->datagrams == 1 && !res->handup_frames && res->datagram.len &&
	       !payload[res->datagram.offset];
}

#endif /* _NQD_FRAMES_H */

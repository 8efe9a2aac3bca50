/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause */
/*
 * Control frames that user space sends through the data plane (SEND_FRAMES), repeated until the peer
 * acknowledged them: RFC 9000 section 13.3.
 *
 * A slot holds one blob of whole frames that must fit into one packet. Slots and bytes are the caller's;
 * it may free the bytes once nqd_control_pop() has returned the slot's id, or nqd_control_pop_lost() has
 * called a loss final.
 */
#ifndef _NQD_PROTO_CONTROL_H
#define _NQD_PROTO_CONTROL_H

#include "base.h"

/**
 * enum nqd_control_state - where a blob is
 * @NQD_CONTROL_FREE: the slot is empty
 * @NQD_CONTROL_QUEUED: to be sent, for the first time or again
 * @NQD_CONTROL_SENT: in flight
 * @NQD_CONTROL_ACKED: acknowledged, not yet reported to the caller
 * @NQD_CONTROL_GONE: lost and not to be sent again, not yet reported to the caller
 */
enum nqd_control_state {
	NQD_CONTROL_FREE,
	NQD_CONTROL_QUEUED,
	NQD_CONTROL_SENT,
	NQD_CONTROL_ACKED,
	NQD_CONTROL_GONE,
};

/**
 * struct nqd_control_slot - one blob of frames
 * @id: the caller's name for it
 * @order: position in the queue: smaller goes first
 * @pn: packet that carried it last
 * @lost_pn: packet that was lost with it last, with @losses
 * @bytes: the frames
 * @len: bytes in @bytes
 * @frames: frames in @bytes
 * @transmissions: times sent
 * @losses: times declared lost
 * @state: where it is
 * @once: not to be sent again
 * @loss_pending: a loss is not yet reported to the caller
 */
struct nqd_control_slot {
	u64 id;
	u64 order;
	u64 pn;
	u64 lost_pn;
	const u8 *bytes;
	u32 len;
	u32 frames;
	u32 transmissions;
	u32 losses;
	enum nqd_control_state state;
	bool once;
	bool loss_pending;
};

/**
 * struct nqd_control_loss - what nqd_control_pop_lost() reports
 * @id: the caller's name for the blob
 * @pn: packet that was lost
 * @losses: how often the blob was lost so far
 * @final: it is not sent again: the caller may free the bytes
 */
struct nqd_control_loss {
	u64 id;
	u64 pn;
	u32 losses;
	bool final;
};

/**
 * struct nqd_control - the queue
 * @slots: memory of the caller
 * @capacity: slots in it
 * @queued: slots in NQD_CONTROL_QUEUED
 * @acked: slots in NQD_CONTROL_ACKED
 * @lost: slots with a loss that is not yet reported
 * @next_order: order of the next blob
 * @retransmissions: blobs sent again
 * @frames: frames put into packets
 */
struct nqd_control {
	struct nqd_control_slot *slots;
	u32 capacity;
	u32 queued;
	u32 acked;
	u32 lost;
	u64 next_order;
	u64 retransmissions;
	u64 frames;
};

void nqd_control_init(struct nqd_control *c, struct nqd_control_slot *slots, u32 capacity);
int nqd_control_queue(struct nqd_control *c, u64 id, const u8 *bytes, u32 len, bool client);
int nqd_control_queue_once(struct nqd_control *c, u64 id, const u8 *bytes, u32 len, bool client);
u32 nqd_control_fill(struct nqd_control *c, u8 *buf, u32 room, u64 pn);
void nqd_control_on_acked(struct nqd_control *c, u64 pn);
void nqd_control_on_lost(struct nqd_control *c, u64 pn);
void nqd_control_on_unsent(struct nqd_control *c, u64 pn);
u32 nqd_control_requeue_oldest(struct nqd_control *c);
bool nqd_control_pop(struct nqd_control *c, u64 *id);
bool nqd_control_pop_lost(struct nqd_control *c, struct nqd_control_loss *loss);

#endif
